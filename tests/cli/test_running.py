"""`qrt run`, `result`, `backends`: from a file to counts, values and pictures."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.cli.conftest import FLIP, WRONG, Qrt, valid

pytestmark = pytest.mark.timeout(180)  # dozens of processes, on machines that have others to run

BELL = """OPENQASM 3.0;
include "stdgates.inc";
qubit[2] q;
bit[2] c;
h q[0];
cx q[0], q[1];
c = measure q;
"""
FLIPPED = ("--no-transpile", "--backend", "ibm_fez")


def test_a_file_becomes_a_histogram(qrt: Qrt) -> None:
    """Without further words the circuit is transpiled for the least busy backend, and its counts are bars."""
    done = qrt("run", qrt.write("bell.qasm", BELL), "--least-busy", "--shots", "200")

    assert done.status == 0
    rows = dict(re.findall(r"^  ([01]{2}) +(\d+)  █+$", done.out, re.MULTILINE))
    assert set(rows) == {"00", "11"}
    assert sum(map(int, rows.values())) == 200
    assert "\x1b" not in done.out + done.err


def test_counts_as_json(qrt: Qrt) -> None:
    """With --json the answer is one document with the counts of every register."""
    found = qrt("run", "-", *FLIPPED, "--shots=30", "--json", given=FLIP).document("run")

    assert (found["backend"], found["session"], found["status"]) == ("ibm_fez", None, "Completed")
    assert found["result"]["pubs"][0]["data"] == {
        "c": {"num_bits": 1, "num_shots": 30, "shape": [], "counts": {"1": 30}}
    }


def test_a_session_of_its_own(qrt: Qrt) -> None:
    """With --session the job runs in a session, which is closed when the command has ended."""
    found = qrt("run", "-", *FLIPPED, "--session", "--shots=5", "--json", given=FLIP).document("run")
    [session] = qrt("sessions", "--closed", "--json").document("sessions")["sessions"]

    assert session["id"] == found["session"]
    assert session["status"] == "completed"


def test_expectation_values(qrt: Qrt) -> None:
    """Each --estimator is one observable, a text or a weighted sum; values come in their order."""
    program = 'OPENQASM 3.0; include "stdgates.inc"; x $0;'
    arguments = ("run", "-", *FLIPPED, "--estimator", "Z", "--estimator", '{"Z": 2, "I": 1}', "--precision=0.1")
    table = qrt(*arguments, given=program)
    found = qrt(*arguments, "--json", given=program).document("run")

    assert re.findall(r"^([01]) +(-\d)", table.out, re.MULTILINE) == [("0", "-1"), ("1", "-1")]
    assert found["result"]["pubs"][0]["data"]["evs"] == [-1.0, -1.0]


def test_an_id_at_once_and_the_result_later(qrt: Qrt) -> None:
    """With --no-wait the answer is the job's id alone, by which `result` waits for the counts."""
    job = qrt.submit("--shots=12")

    shown = qrt("result", job)
    assert (shown.status, shown.out) == (0, f"PUB 0\nc: 12 shots\n  1  12  {'█' * 32}\n")
    found = qrt("result", job, "--json").document("result")
    assert found["job"] == job
    valid("primitive_result", str(found["result"]).replace("'", '"'))


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_plots(qrt: Qrt, suffix: str) -> None:
    """A result is drawn into a file of the kind that its name says."""
    done = qrt("run", "-", *FLIPPED, "--shots=9", f"--plot=counts.{suffix}", given=FLIP)

    assert (done.status, "counts" in done.err) == (0, True)
    drawn = (qrt.folder / f"counts.{suffix}").read_bytes()
    assert drawn.startswith(b"\x89PNG") if suffix == "png" else b"<svg" in drawn


def test_a_failed_job_says_why(qrt: Qrt) -> None:
    """A job that the device cannot run ends the command with status 1 and the service's own reason."""
    done = qrt("run", "-", *FLIPPED, given=WRONG)

    assert (done.status, done.out) == (1, "")
    assert re.search(r"qrt: job \w+ ended as Failed \(code \d+\): ", done.err.replace("\n", " "))
    assert "Traceback" not in done.err


def test_debug_shows_where_an_error_came_from(qrt: Qrt) -> None:
    """Only with --debug there is a traceback, and the message still follows it."""
    done = qrt("result", "no-such-job", "--debug")

    assert done.status == 1
    assert "Traceback" in done.err
    assert "qrt: jobs.get: HTTP 404" in done.err


def test_backends(qrt: Qrt) -> None:
    """The table and the document tell qubits, queue, status and errors of each backend."""
    table = qrt("backends")
    found = qrt("backends", "--json").document("backends")["backends"]

    assert table.out.splitlines()[0].split() == ["NAME", "QUBITS", "QUEUE", "STATUS", "2Q", "ERROR", "READOUT", "CLOPS"]
    assert re.search(r"^ibm_fez +156 +\d+ +online +0\.\d+ +0\.\d+ +\d+ *$", table.out, re.MULTILINE)
    assert [(one["name"], one["qubits"]) for one in found] == [("ibm_fez", 156), ("ibm_hanoi", 27)]


def test_the_legacy_platform(qrt: Qrt, cli_url: str) -> None:
    """The environment's account may be one of the legacy platform, whose backends are asked for one by one."""
    legacy = {
        "QISKIT_IBM_INSTANCE": "h/g/p",
        "QRT_API_URL": f"{cli_url}/runtime",
        "QRT_AUTH_URL": f"{cli_url}/api",
        "QRT_TRANSPILER_URL": cli_url,
    }

    assert qrt("backends", "--json", **legacy).document("backends")["backends"][1]["qubits"] == 27
    assert qrt("usage", "--json", **legacy).document("usage")["platform"] == "legacy"
    refused = qrt("sessions", **legacy)
    assert (refused.status, "legacy platform" in refused.err) == (2, True)


@pytest.mark.parametrize(
    ("missing", "arguments", "command"),
    [
        ("matplotlib", ["run", "-", *FLIPPED, "--plot=x.png"], "qrt-async[plot]"),
        ("cyclopts", ["backends"], "qrt-async[cli]"),
        ("qiskit_aer", ["backends", "--local"], "qrt-async[emulator]"),
    ],
)
def test_what_is_missing_is_named(qrt: Qrt, missing: str, arguments: list[str], command: str) -> None:
    """Without a package that an option needs, the message says what to install, and nothing is sent."""
    script = (
        "import sys, importlib.util as u; real = u.find_spec;"
        f"u.find_spec = lambda name, *more: None if name == {missing!r} else real(name, *more);"
        "from qrt_async.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        input=FLIP,
        env=dict(qrt.environment),
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout) == (2, "")
    assert command in done.stderr.replace("\n", "")
    assert "Traceback" not in done.stderr
