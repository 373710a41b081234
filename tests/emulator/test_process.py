"""The emulator as a process: its options, its start, and every way it ends."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from qrt_async.emulator import Emulator
from tests.emulator.processes import SLOW_JOB, children, gone

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COMMAND = [sys.executable, "-m", "qrt_async.emulator"]


@pytest.fixture
def emulator() -> Iterator[subprocess.Popen[str]]:
    """Start an emulator as a program; whatever is left of it is killed."""
    process = subprocess.Popen(
        [*COMMAND, "--seed=1", "--workers=1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        yield process
        process.kill()


def announced(process: subprocess.Popen[str]) -> str:
    """Give the URL of the first line of a process's output."""
    assert process.stdout is not None
    word, _, url = process.stdout.readline().strip().partition(" ")
    assert word == "LISTENING"
    return url


def asked(url: str, path: str, body: Any = None) -> Any:
    """Ask the LEGACY runtime; a body makes it a POST."""
    request = urllib.request.Request(
        url + path,
        data=None if body is None else json.dumps(body).encode(),
        headers={"x-access-token": "key", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as reply:
        return json.loads(reply.read() or b"null")


def running_job(url: str) -> str:
    """Submit a slow job and wait until a worker has begun it."""
    job_id: str = asked(url, "/runtime/jobs", SLOW_JOB)["id"]
    while (job := asked(url, f"/runtime/jobs/{job_id}?exclude_params=true"))["status"] == "Queued":
        pass
    assert job["status"] == "Running", job
    return job_id


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_stop_it(emulator: subprocess.Popen[str], number: signal.Signals) -> None:
    """It says where it listens, answers, and ends on SIGINT and SIGTERM with status 0 and nothing to say."""
    url = announced(emulator)
    assert asked(url, "/runtime/backends")["devices"][0] == "ibm_hanoi"
    family = children(emulator.pid)

    emulator.send_signal(number)
    output, errors = emulator.communicate()

    assert (emulator.returncode, output, errors) == (0, "", "")
    gone(family)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_stop_running_jobs(emulator: subprocess.Popen[str], number: signal.Signals) -> None:
    """A signal ends it while a job runs and another waits: status 0, no words, no process left."""
    url = announced(emulator)
    running_job(url)
    asked(url, "/runtime/jobs", SLOW_JOB)
    family = children(emulator.pid)
    assert family

    emulator.send_signal(number)
    output, errors = emulator.communicate()

    assert (emulator.returncode, output, errors) == (0, "", "")
    gone(family)


def test_group_interrupt(tmp_path: Path) -> None:
    """Ctrl-C in a terminal reaches the workers as well: it still ends with status 0 and no traceback."""
    with (tmp_path / "errors").open("w+") as errors:
        process = subprocess.Popen(
            [*COMMAND, "--workers=1"], stdout=subprocess.PIPE, stderr=errors, text=True, start_new_session=True
        )
        with process:
            running_job(announced(process))
            family = children(process.pid)
            os.killpg(process.pid, signal.SIGINT)
            process.wait()
        errors.seek(0)

        assert (process.returncode, errors.read()) == (0, "")
        gone(family)


def test_killed_server_leaves_no_worker(emulator: subprocess.Popen[str]) -> None:
    """When the server is killed outright, its workers end too, a busy one included."""
    running_job(announced(emulator))
    family = children(emulator.pid)

    emulator.kill()
    emulator.wait()

    gone(family)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--port=65536"], "--port"),
        (["--port=x"], "--port"),
        (["--workers=0"], "--workers"),
        (["--seed=x"], "--seed"),
        (["--backends=ibm_nowhere,ibm_fez"], "ibm_nowhere"),
        (["--backends="], "--backends"),
        (["--api-key="], "--api-key"),
        (["--host=0.0.0.0"], "--host"),
        (["--clock=sundial"], "--clock"),
        (["--queue-seconds=soon"], "--queue-seconds"),
        (["--queue-seconds=-1"], "--queue-seconds"),
        (["--run-seconds=ibm_nowhere=3"], "ibm_nowhere"),
        (["--token-lifetime=0"], "--token-lifetime"),
        (["--quota=0"], "--quota"),
        (["--pending-jobs=x"], "--pending-jobs"),
        (["positional"], "positional"),
    ],
)
def test_bad_arguments(arguments: list[str], words: str) -> None:
    """A bad argument gives status 2 and a message with its name, and nothing is served."""
    process = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, check=False)

    assert (process.returncode, process.stdout) == (2, "")
    assert words in process.stderr.splitlines()[-1]
    assert "Traceback" not in process.stderr


def test_taken_port() -> None:
    """A port that is taken gives status 1 and one line that names it."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = subprocess.run([*COMMAND, f"--port={port}"], capture_output=True, text=True, check=False)

    assert (process.returncode, process.stdout) == (1, "")
    [line] = process.stderr.splitlines()
    assert str(port) in line


def test_options_reach_the_server() -> None:
    """Keys and backends given on the command line are those the server has."""
    arguments = ["--api-key=one", "--api-key=two", "--backends=ibm_fez,ibm_brisbane"]
    with subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.PIPE, text=True) as process:
        url = announced(process)
        request = urllib.request.Request(f"{url}/runtime/backends", headers={"x-access-token": "two"})
        with urllib.request.urlopen(request) as reply:
            devices = json.loads(reply.read())["devices"]
        with pytest.raises(urllib.error.HTTPError, match="401"):
            asked(url, "/runtime/backends")
        process.terminate()

    assert devices == ["ibm_fez", "ibm_brisbane"]


def test_server_process_loads_no_qiskit() -> None:
    """The server's own process imports neither Qiskit nor numpy: they are the workers' business."""
    script = "import sys, qrt_async.emulator.serving, qrt_async.emulator.__main__; print(sorted(sys.modules))"
    process = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    for heavy in ("qiskit", "qiskit_aer", "qiskit_ibm_runtime", "numpy"):
        assert f"'{heavy}'" not in process.stdout


def test_missing_extra_is_named() -> None:
    """Without Qiskit it says in one line which extra brings it, with status 1."""
    script = (
        "import sys, importlib.util as u; real = u.find_spec;"
        "sys.modules['qiskit_aer'] = None; u.find_spec = lambda n, *a: None if n == 'qiskit_aer' else real(n, *a);"
        "from qrt_async.emulator.__main__ import main; sys.exit(main([]))"
    )
    process = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)

    assert (process.returncode, process.stdout) == (1, "")
    [line] = process.stderr.splitlines()
    assert "qrt-async[emulator]" in line


async def test_embedded_process() -> None:
    """`Emulator` is a process of its own for the length of its block, and its URL answers there only."""
    emulator = Emulator(seed=1, workers=1, backends=["ibm_fez"], api_keys=["key"])
    with pytest.raises(RuntimeError):
        _ = emulator.url
    async with emulator:
        url = emulator.url
        devices = await asyncio.to_thread(asked, url, "/runtime/backends")
        with pytest.raises(RuntimeError):
            _ = emulator.world

    assert devices == {"devices": ["ibm_fez"]}
    with pytest.raises(urllib.error.URLError):
        await asyncio.to_thread(asked, url, "/runtime/backends")


async def test_embedded_process_survives_interrupt() -> None:
    """Ctrl-C in the caller's terminal does not reach the emulator: the caller may have sessions to close."""
    before = set(await asyncio.to_thread(children, os.getpid()))
    async with Emulator(workers=1):
        started = set(await asyncio.to_thread(children, os.getpid())) - before

        assert started
        assert all(os.getpgid(pid) != os.getpgid(0) for pid in started)


async def test_embedded_in_process() -> None:
    """With `in_process` the server shares the loop and shows its world."""
    async with Emulator(in_process=True, workers=1, backends=["ibm_fez"]) as emulator:
        devices = await asyncio.to_thread(asked, emulator.url, "/runtime/backends")

        assert devices == {"devices": list(emulator.world.devices)} == {"devices": ["ibm_fez"]}


async def test_embedded_fails_clearly() -> None:
    """A bad setting shows when the block is entered, and leaves nothing behind."""
    from qrt_async.emulator import EmulatorError

    with pytest.raises(EmulatorError):
        async with Emulator(backends=["ibm_nowhere"]):
            pass
    with pytest.raises(LookupError):
        async with Emulator(backends=["ibm_nowhere"], in_process=True):
            pass


async def test_cancelled_while_starting() -> None:
    """Cancelling the entry of the block ends the half-started process."""
    before = await asyncio.to_thread(children, os.getpid())

    async def enter() -> None:
        async with Emulator(workers=1):
            raise AssertionError("the block was entered")

    task = asyncio.create_task(enter())
    while not (started := set(await asyncio.to_thread(children, os.getpid())) - set(before)):
        pass
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    await asyncio.to_thread(gone, list(started))


async def test_cancelled_while_stopping() -> None:
    """Cancelling inside the block ends the process as well."""
    entered = asyncio.Event()
    before = set(await asyncio.to_thread(children, os.getpid()))
    pids: list[int] = []

    async def inside() -> None:
        async with Emulator(workers=1):
            pids.extend(set(await asyncio.to_thread(children, os.getpid())) - before)
            entered.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(inside())
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    await asyncio.to_thread(gone, pids)


def test_parent_death_ends_it() -> None:
    """When the program that embeds an emulator is killed outright, the emulator and its workers end."""
    script = (
        "import asyncio\n"
        "from qrt_async.emulator import Emulator\n"
        "async def main():\n"
        "    async with Emulator(workers=1) as emulator:\n"
        "        print('LISTENING', emulator.url, flush=True)\n"
        "        await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as parent:
        running_job(announced(parent))
        family = children(parent.pid)
        assert len(family) >= 2
        parent.kill()

    gone(family)
