"""What is wrong with a command is said in one message, before anything is sent."""

from __future__ import annotations

import pytest

from tests.cli.conftest import FLIP, Qrt

NOWHERE = {"QRT_API_URL": "http://127.0.0.1:1/api/v1", "QRT_AUTH_URL": "http://127.0.0.1:1"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["no-such-command"], "no-such-command"),
        (["run"], "FILE"),
        (["run", "there-is-no-such-file"], "there-is-no-such-file"),
        (["run", "-", "--shots=many"], "--shots"),
        (["run", "-", "--shots=0", "--no-transpile", "--backend=ibm_fez"], "shots"),
        (["run", "-", "--backend=ibm_fez", "--least-busy"], "--least-busy"),
        (["run", "-", "--no-transpile"], "--backend"),
        (["run", "-", "--estimator=ZZ", "--shots=1"], "--precision"),
        (["run", "-", "--precision=0.1"], "--estimator"),
        (["run", "-", "--estimator={"], "JSON"),
        (["run", "-", "--plot=x.pdf"], ".svg"),
        (["run", "-", "--plot=x.png", "--no-wait"], "--no-wait"),
        (["jobs", "--pending", "--finished"], "--finished"),
        (["jobs", "--limit=0"], "--limit"),
        (["jobs", "--after=yesterday"], "--after"),
        (["cancel"], "--tag"),
        (["watch", "--interval=0.1"], "--interval"),
        (["watch", "job", "--tag=t"], "--tag"),
        (["backends", "--local", "--account=mine"], "--account"),
        (["backends", "--account=mine"], "qiskit-ibm.json"),
        (["backends", "--api-key=key"], "--api-key"),
        (["emulator", "--port=x"], "--port"),
    ],
)
def test_bad_input(qrt: Qrt, arguments: list[str], words: str) -> None:
    """A bad argument gives status 2 and a message that names it, though no service could have been reached."""
    done = qrt(*arguments, given=FLIP, **NOWHERE)

    assert (done.status, done.out) == (2, "")
    assert words in done.err
    assert "Traceback" not in done.err


def test_no_account(qrt: Qrt) -> None:
    """Without any account the message says how to come by one."""
    done = qrt("backends", QISKIT_IBM_TOKEN="")

    assert done.status == 2
    assert "qrt account save" in done.err
    assert "--local" in done.err


def test_a_refused_key(qrt: Qrt) -> None:
    """A key that the token service refuses is status 1, and the message does not repeat it."""
    done = qrt("backends", QISKIT_IBM_TOKEN="bad-key-q7q")

    assert done.status == 1
    assert "check the key" in " ".join(done.err.split())
    assert "q7q" not in done.err


def test_an_answer_that_nobody_can_read(qrt: Qrt, cli_url: str) -> None:
    """A host that speaks another language is status 3."""
    done = qrt("backends", "--api-url", f"{cli_url}/identity")

    assert done.status in {1, 3}
    assert "Traceback" not in done.err
