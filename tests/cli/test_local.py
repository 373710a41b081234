"""`--local`, `emulator`, `demo` and completion: what needs no account."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.cli.conftest import LONG, LONG_SHOTS, Qrt, valid

pytestmark = pytest.mark.timeout(180)

SUBMIT = ("run", "-", "--local", "--no-transpile", "--backend=ibm_hanoi", "--no-wait")


def ended(qrt: Qrt) -> None:
    """Wait until nobody reads the pipe that keeps the shared emulator alive; the test's timeout is the limit."""
    pipe = Path(qrt.environment["XDG_CACHE_HOME"]) / "qrt-async" / "emulator.pipe"
    while True:
        try:
            os.close(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
        except OSError:
            return
        os.sched_yield()


def test_one_command_sees_what_another_began(qrt: Qrt) -> None:
    """Commands with --local share one emulator, at once and one after the other, and leave none behind."""
    job = qrt(*SUBMIT, f"--shots={LONG_SHOTS}", given=LONG).out.strip()
    ended(qrt)
    with qrt.start("watch", "--local", "--interval=1", "--json") as watching:
        assert watching.stdout is not None
        first = valid("watch", watching.stdout.readline())["job"]
        assert (first["id"], qrt("cancel", job, "--local").status) == (job, 0)
        out, err = watching.communicate()

    assert (watching.returncode, err) == (1, "")
    assert valid("watch", out.splitlines()[-1])["job"]["status"] == "Cancelled"
    [listed] = qrt("jobs", "--local", "--json").document("jobs")["jobs"]
    assert (listed["id"], listed["status"]) == (job, "Cancelled")
    ended(qrt)


def test_a_killed_command_leaves_no_emulator(qrt: Qrt) -> None:
    """When the only command that uses the shared emulator is killed outright, the emulator ends."""
    with qrt.start("watch", "--local", "--interval=1", "--json") as watching:
        watching.communicate()
    assert qrt(*SUBMIT, f"--shots={LONG_SHOTS}", given=LONG).status == 0
    with qrt.start("watch", "--local", "--interval=1", "--json") as watching:
        assert watching.stdout is not None
        assert watching.stdout.readline()
        watching.kill()

    ended(qrt)


def test_a_cache_that_cannot_be_used(qrt: Qrt) -> None:
    """Where the user's cache folder is none, the message names it, and says what is wrong."""
    done = qrt("backends", "--local", XDG_CACHE_HOME=str(qrt.folder / qrt.write("file", "")))

    assert (done.status, done.out) == (3, "")
    assert "Not a directory" in " ".join(done.err.split())


def test_the_emulator_is_started(qrt: Qrt) -> None:
    """`qrt emulator` serves where its first line says, until it is told to stop."""
    with qrt.start("emulator", "--port=0", "--backends=ibm_hanoi") as process:
        assert process.stdout is not None
        url = process.stdout.readline().removeprefix("LISTENING ").strip()
        there = {"QRT_API_URL": f"{url}/api/v1", "QRT_AUTH_URL": url}
        [backend] = qrt("backends", "--json", **there).document("backends")["backends"]
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate()

    assert (backend["name"], process.returncode, err) == ("ibm_hanoi", 0, "")


def test_the_demo(qrt: Qrt) -> None:
    """`qrt demo` tells its story on both platforms without an account, and ends well."""
    done = qrt("demo", QISKIT_IBM_TOKEN="")

    assert (done.status, done.err) == (0, "")
    assert done.out.rstrip().endswith("Every step checked out.")


def test_completion(qrt: Qrt) -> None:
    """A shell's completion is written where the shell looks for it, and knows the commands."""
    with qrt.start("--install-completion", "--shell=bash") as process:
        process.communicate()
    [script] = Path(qrt.environment["HOME"]).rglob("completions/qrt")

    assert process.returncode == 0
    assert "close-all" in script.read_text()
