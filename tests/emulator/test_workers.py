"""Worker processes: work comes back, crashes stay where they happen, and nothing is left behind."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from qrt_async.emulator.work import Done, Failed, PrimitiveWork
from qrt_async.emulator.workers import Workers

FLIP = 'OPENQASM 3.0; include "stdgates.inc"; bit[1] c; x $0; c[0] = measure $0;'
LONG = 9_000_000  # shots: about a second


def flips(shots: int = 10, seed: int = 1) -> PrimitiveWork:
    """Describe a job that reads ones only."""
    return PrimitiveWork("sampler", "ibm_hanoi", {"pubs": [[FLIP, None, shots]]}, seed, noiseless=True)


async def children() -> set[int]:
    """List the running worker processes of this one, as Linux knows them."""
    return await asyncio.to_thread(_children)


def _children() -> set[int]:
    found: set[int] = set()
    for task in Path("/proc/self/task").iterdir():
        found |= {int(pid) for pid in (task / "children").read_text().split()}
    return {pid for pid in found if "execution.process" in _command(pid)}


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


@pytest.fixture
async def workers() -> AsyncIterator[Workers]:
    """One worker, ended after the test."""
    pool = Workers(1)
    yield pool
    await pool.close()


async def started(pool: Workers, work: PrimitiveWork) -> asyncio.Task[Done | Failed]:
    """Submit work and wait until a worker has begun it."""
    begun = asyncio.Event()
    task = asyncio.create_task(pool.run(work, begun.set))
    await begun.wait()
    return task


async def test_work_comes_back(workers: Workers) -> None:
    """The outcome is the very one that the worker made, body and all."""
    outcome = await workers.run(flips(3))

    assert isinstance(outcome, Done)
    assert json.loads(outcome.body)["results"][0]["data"] == {"c": {"samples": ["0x1"] * 3, "num_bits": 1}}
    assert outcome.executions == 3


async def test_failures_come_back(workers: Workers) -> None:
    """Bad work is an outcome, not an exception, and leaves the worker alive."""
    outcome = await workers.run(PrimitiveWork("sampler", "ibm_hanoi", {"pubs": [["nonsense"]]}, 1))
    before = await children()

    assert isinstance(outcome, Failed)
    assert outcome.code == 1603
    assert isinstance(await workers.run(flips()), Done)
    assert await children() == before


async def test_strange_work(workers: Workers) -> None:
    """Work that the emulator stumbles over fails with a traceback and leaves the worker alive."""
    outcome = await workers.run(PrimitiveWork("sampler", "ibm_hanoi", {"pubs": 5}, 1))

    assert isinstance(outcome, Failed)
    assert outcome.code == 1500
    assert "Traceback" in outcome.traceback
    assert isinstance(await workers.run(flips()), Done)


async def test_nothing_starts_unasked() -> None:
    """A pool has no process before there is work."""
    pool = Workers(2)

    assert await children() == set()
    await pool.close()


async def test_large_body(workers: Workers) -> None:
    """A body of several megabytes arrives whole."""
    outcome = await workers.run(flips(1_000_000))

    assert isinstance(outcome, Done)
    assert outcome.body.count(b'"0x1"') == 1_000_000


async def test_large_params(workers: Workers) -> None:
    """Parameters of several megabytes reach the worker."""
    work = PrimitiveWork("sampler", "ibm_hanoi", {"pubs": [[FLIP, [0.5] * 500_000, 10]]}, 1)

    outcome = await workers.run(work)

    assert isinstance(outcome, Failed)
    assert "500000" in outcome.reason


async def test_killed_at_work(workers: Workers) -> None:
    """A worker killed at work fails that work alone, and the next one is done by its successor."""
    task = await started(workers, flips(LONG))
    waiting = asyncio.create_task(workers.run(flips()))
    [pid] = await children()
    os.kill(pid, signal.SIGKILL)

    lost, done = await task, await waiting

    assert isinstance(lost, Failed)
    assert (lost.code, "-9" in lost.reason) == (1500, True)
    assert isinstance(done, Done)
    assert pid not in await children()


async def test_killed_at_rest(workers: Workers) -> None:
    """A worker killed while idle costs no work."""
    await workers.run(flips())
    [pid] = await children()
    os.kill(pid, signal.SIGKILL)

    assert isinstance(await workers.run(flips()), Done)


async def test_cancelled(workers: Workers) -> None:
    """Cancelling ends the worker at work, and the pool goes on."""
    task = await started(workers, flips(LONG))
    [pid] = await children()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert isinstance(await workers.run(flips()), Done)
    assert pid not in await children()


async def test_cancelled_while_waiting(workers: Workers) -> None:
    """Cancelling work that waits for a worker disturbs no other."""
    task = await started(workers, flips(LONG))
    waiting = asyncio.create_task(workers.run(flips()))
    await asyncio.sleep(0)
    waiting.cancel()

    assert isinstance(await task, Done)
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_in_order(workers: Workers) -> None:
    """Work waits its turn: first come, first served."""
    order: list[int] = []
    begins = [partial(order.append, number) for number in range(8)]
    await asyncio.gather(*(workers.run(flips(), begin) for begin in begins))

    assert order == list(range(8))


async def test_one_at_a_time() -> None:
    """As many works are under way as there are workers, and no more."""
    pool, running, most = Workers(2), 0, 0

    def begin() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)

    async def count(seed: int) -> None:
        nonlocal running
        await pool.run(flips(300_000, seed), begin)
        running -= 1

    await pool.warm()
    await asyncio.gather(*map(count, range(8)))
    await pool.close()

    assert most == 2


async def test_warm() -> None:
    """Warming starts every worker, once."""
    pool = Workers(2)
    await pool.warm()
    before = await children()
    await pool.warm()

    assert len(before) == 2
    assert await children() == before
    await pool.close()


async def test_close() -> None:
    """Closing ends all processes, fails what is left, and may be repeated."""
    pool = Workers(1)
    task = await started(pool, flips(LONG))
    waiting = asyncio.create_task(pool.run(flips()))
    await asyncio.sleep(0)

    await pool.close()
    await pool.close()

    assert await children() == set()
    assert [type(await each) for each in (task, waiting)] == [Failed, Failed]
    assert isinstance(await pool.run(flips()), Failed)
    assert await children() == set()


async def test_close_while_starting() -> None:
    """Closing a pool that is just starting leaves no process behind."""
    pool = Workers(2)
    warming = asyncio.create_task(pool.warm())
    while not await children():
        await asyncio.sleep(0)

    await pool.close()
    await warming

    assert await children() == set()


async def test_interrupt_is_for_the_server(workers: Workers) -> None:
    """A worker does not end on SIGINT."""
    await workers.run(flips())
    [pid] = await children()
    os.kill(pid, signal.SIGINT)

    assert isinstance(await workers.run(flips()), Done)
    assert await children() == {pid}


@pytest.mark.parametrize("shots", [10, LONG])
def test_ends_with_its_parent(shots: int) -> None:
    """Workers end when their parent is killed outright, idle or at work."""
    program = textwrap.dedent(
        f"""
        import asyncio, os, signal
        from tests.emulator.test_workers import children, flips
        from qrt_async.emulator.workers import Workers

        async def main():
            pool = Workers(1)
            await pool.warm()
            print(*await children(), flush=True)
            work = pool.run(flips({shots}), lambda: {shots} > 10 and os.kill(os.getpid(), signal.SIGKILL))
            await work
            os.kill(os.getpid(), signal.SIGKILL)

        asyncio.run(main())
        """
    )
    home = Path(__file__).parents[2]
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=home)
    pid = int(ended.stdout)

    assert ended.returncode == -signal.SIGKILL
    with contextlib.suppress(ProcessLookupError):
        watched = os.pidfd_open(pid)
        try:
            _wait(watched)
        finally:
            os.close(watched)
    assert "execution.process" not in _command(pid)


def _wait(watched: int) -> None:
    import select

    poll = select.poll()
    poll.register(watched, select.POLLIN)
    assert poll.poll(10_000)
