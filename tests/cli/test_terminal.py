"""What a command does to a terminal: colours, progress, live tables, prompts, Ctrl-C."""

from __future__ import annotations

import re
import signal
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import LONG, LONG_SHOTS, QRT, Qrt
from tests.cli.terminal import on_terminal

pytestmark = pytest.mark.timeout(180)  # dozens of processes, on machines that have others to run

_COLOUR = re.compile(r"\x1b\[[0-9;]*3[0-7]m")


def test_colours_are_for_terminals_that_want_them(qrt: Qrt) -> None:
    """An error is red on a terminal, and not where NO_COLOR is set."""
    status, plain = on_terminal(qrt, "cancel", NO_COLOR="1")
    _, coloured = on_terminal(qrt, "cancel")

    assert (status, bool(_COLOUR.search(plain)), bool(_COLOUR.search(coloured))) == (2, False, True)


def test_what_lasts_shows_that_it_lasts(qrt: Qrt) -> None:
    """Waiting for a job shows its id and the time, and leaves the result alone on the terminal."""
    job = qrt.submit("--shots=3")
    status, shown = on_terminal(qrt, "result", job)

    assert status == 0
    assert re.search(rf"job {job}.*0:00:0\d", shown)
    assert "c: 3 shots" in shown


def test_a_live_table(qrt: Qrt) -> None:
    """On a terminal `watch` redraws one table, whose last state is that all jobs are over."""
    jobs = [qrt.submit(), qrt.submit()]
    status, shown = on_terminal(qrt, "watch", *jobs, "--interval=1")

    assert status == 0
    last = shown.rpartition("STATUS")[2]
    assert [last.count(job) for job in jobs] == [1, 1]
    assert last.count("Completed") == 2


def test_service_texts_do_not_steer_the_terminal(qrt: Qrt) -> None:
    """A tag with control characters is shown without them."""
    qrt.submit("--tag=a\x1b]0;owned\x07b")
    _, shown = on_terminal(qrt, "jobs")

    assert "\x1b]0;" not in shown
    assert "owned" in shown.replace("\r\n", "")


def test_a_typed_key_is_not_shown(qrt: Qrt) -> None:
    """The prompt for the API key echoes nothing, and the key is saved."""
    status, shown = on_terminal(qrt, "account", "save", typed="key-q7q\n")

    assert (status, "q7q" in shown) == (0, False)
    assert "key-q7q" in (Path(qrt.environment["HOME"]) / ".qiskit" / "qiskit-ibm.json").read_text()


@pytest.mark.parametrize(("answer", "status", "left"), [("n\n", 2, 1), ("y\n", 0, 0)])
def test_ending_sessions_asks(qrt: Qrt, answer: str, status: int, left: int) -> None:
    """On a terminal `sessions close-all` shows what it would end, and does it for a yes alone."""
    job = qrt.submit("--session", f"--shots={LONG_SHOTS}", program=LONG)
    ended, shown = on_terminal(qrt, "sessions", "close-all", "--now", typed=answer)

    assert (ended, "End these 1 sessions?" in shown) == (status, True)
    assert len(qrt("sessions", "--json").document("sessions")["sessions"]) == left
    qrt("cancel", job)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_session(qrt: Qrt, number: signal.Signals, status: int) -> None:
    """Ctrl-C and SIGTERM end a waiting command, its session with it, and say which job goes on."""
    file = qrt.write("long.qasm", LONG)
    arguments = ("--no-transpile", "--backend=ibm_hanoi", "--session", f"--shots={LONG_SHOTS}")
    with qrt.start("run", file, *arguments) as process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith("session ")
        job = process.stderr.readline().split()[1]
        process.send_signal(number)
        out, err = process.communicate()

    assert (process.returncode, out, "Traceback" in err) == (status, "", False)
    assert f"qrt result {job}" in " ".join(err.split())
    assert qrt("sessions", "--json").document("sessions")["sessions"] == []
    qrt("cancel", job)


def test_whoever_has_seen_enough(qrt: Qrt) -> None:
    """A reader that leaves early is no error."""
    command = f"'{QRT}' jobs --json | true; '{QRT}' --help | head -n 1"
    done = subprocess.run(
        ["/bin/sh", "-c", command], env=dict(qrt.environment), capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "Usage: qrt COMMAND\n", "")
