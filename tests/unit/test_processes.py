"""Worker processes behind the Executor interface."""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from qrt_async.errors import TranspileError
from qrt_async.transpiler.processes import WorkerProcesses


@pytest.fixture
def workers() -> Iterator[WorkerProcesses]:
    """Two worker processes."""
    with WorkerProcesses(2) as pool:
        yield pool


def test_a_function_runs_in_another_process(workers: WorkerProcesses) -> None:
    """Arguments go there, the value comes back."""
    assert workers.submit(os.getpid).result() != os.getpid()
    assert workers.submit(divmod, 7, 2).result() == (3, 1)


def test_an_exception_comes_back(workers: WorkerProcesses) -> None:
    """What a task raises is raised here, by its own class where it can travel."""
    with pytest.raises(ZeroDivisionError):
        workers.submit(divmod, 1, 0).result()


def test_a_dead_process_fails_its_task_alone(workers: WorkerProcesses) -> None:
    """The task of a process that died fails, and the next one has a new process."""
    with pytest.raises(concurrent.futures.BrokenExecutor):
        workers.submit(os.kill, workers.submit(os.getpid).result(), signal.SIGKILL).result()
    assert workers.submit(len, "abc").result() == 3


def test_what_a_task_prints_does_not_disturb_the_replies(workers: WorkerProcesses) -> None:
    """Standard output of a task goes elsewhere."""
    assert workers.submit(os.system, "echo noise").result() == 0
    assert workers.submit(len, "ab").result() == 2


def test_shutting_down_at_once_ends_a_running_task() -> None:
    """With `cancel_futures` a task that would run for ever is ended."""
    pool = WorkerProcesses(1)
    pid = pool.submit(os.getpid).result()
    endless = pool.submit(signal.pause)
    pool.shutdown(cancel_futures=True)

    with pytest.raises((concurrent.futures.BrokenExecutor, concurrent.futures.CancelledError)):
        endless.result()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_the_event_loop_takes_it_for_an_executor() -> None:
    """`run_in_executor` works, and the loop goes on."""
    with WorkerProcesses(2) as pool:
        loop = asyncio.get_running_loop()
        found = await asyncio.gather(*(loop.run_in_executor(pool, abs, -n) for n in range(20)))

        assert found == list(range(20))
        await asyncio.to_thread(pool.shutdown)


def test_a_script_without_a_guard_runs_once() -> None:
    """Starting workers does not run the caller's script again."""
    script = (
        "print('begin')\n"
        "from qrt_async.transpiler.processes import WorkerProcesses\n"
        "with WorkerProcesses(1) as pool:\n"
        "    print(pool.submit(len, 'abc').result())\n"
    )
    done = subprocess.run([sys.executable, "-"], input=script, capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["begin", "3"]


def test_errors_of_ours_travel() -> None:
    """A TranspileError raised in a worker is one here."""
    from qrt_async.transpiler.worker import UnknownDevice, transpile

    with WorkerProcesses(1) as pool:
        assert pool.submit(transpile, "nowhere", 0, ("x",), 1, 1).result() == UnknownDevice("nowhere")
        with pytest.raises(TranspileError, match="circuit 0"):
            pool.submit(_refuse).result()


def _refuse() -> None:
    raise TranspileError("circuit 0 is odd")
