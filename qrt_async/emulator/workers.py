"""A pool of worker processes for work that must neither block nor bring down the server.

Each worker is a Python process of its own that does one piece of work at a time and ends when its standard input
does, so that none outlives the server. A worker that dies takes its work with it and is replaced.

On a worker's standard input each work is one pickle. On its standard output: `H` once it has loaded everything,
`S` as it begins a work, `R` before an outcome, which is a pickle's length and a body's length, eight bytes each,
the pickle and the body.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, cast

import attrs

from qrt_async.emulator.work import Done, Failed

if TYPE_CHECKING:
    from collections.abc import Callable

    from qrt_async.emulator.work import Outcome, Work

_PROGRAM = "qrt_async.emulator.execution.process"
_HOME = str(Path(__file__).resolve().parents[2])  # where this package is imported from
_SINGLE_THREADED = {
    "MKL_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "RAYON_NUM_THREADS": "1",
    "QISKIT_PARALLEL": "FALSE",
}
_SMALL = 64 * 1024
_CHUNK = 1 << 20
_ATTEMPTS = 3


class Workers:
    """Runs work in at most `count` worker processes; starts none until there is work or `warm` is called."""

    def __init__(self, count: int) -> None:
        self._all = [_Worker() for _ in range(count)]
        self._reviving: set[asyncio.Task[None]] = set()
        # The last one used is taken first: it is running, and remembers recent programs.
        self._idle: asyncio.LifoQueue[_Worker] = asyncio.LifoQueue()
        for worker in self._all:
            self._idle.put_nowait(worker)

    async def run(self, work: Work, on_start: Callable[[], None] | None = None) -> Outcome:
        """Wait for a free worker and have it do the work, calling `on_start` as it begins.

        A worker that dies gives Failed (code 1500) for its work alone. Cancelling ends the worker at work.
        """
        worker = await self._idle.get()
        try:
            return await worker.run(work, on_start)
        finally:
            self._put_back(worker)

    async def warm(self) -> None:
        """Start all workers and wait until they have loaded everything they need."""
        await asyncio.gather(*(self._warm_one() for _ in self._all))

    async def close(self) -> None:
        """End all worker processes; work at hand and work still waiting comes back as Failed."""
        await asyncio.gather(*(worker.close() for worker in self._all), *self._reviving)

    async def _warm_one(self) -> None:
        worker = await self._idle.get()
        try:
            await worker.load()
        finally:
            self._put_back(worker)

    def _put_back(self, worker: _Worker) -> None:
        if not worker.spoiled or worker.closed:
            self._idle.put_nowait(worker)
            return
        task = asyncio.create_task(self._revive(worker))
        self._reviving.add(task)
        task.add_done_callback(self._reviving.discard)

    async def _revive(self, worker: _Worker) -> None:
        try:
            await worker.start()
        finally:
            self._idle.put_nowait(worker)


class _DiedError(Exception):
    """The worker's process ended."""


@attrs.define(eq=False)
class _Worker:
    """One place in the pool, used by one coroutine at a time; its process is replaced when it dies."""

    closed: bool = False
    spoiled: bool = False
    _process: asyncio.subprocess.Process | None = None
    _loaded: bool = False
    _starting: asyncio.Lock = attrs.field(factory=asyncio.Lock)

    async def run(self, work: Work, on_start: Callable[[], None] | None) -> Outcome:
        """Do the work in the process; a process that dies before it begins is replaced and asked again."""
        frames = await _frames(work)
        for _ in range(_ATTEMPTS):
            if self.closed:
                return _lost("the emulator is closing")
            begun = False
            try:
                process = await self._ready()
                await _send(process, frames)
                await _expect(process, b"S")
                begun = True
                if on_start is not None:
                    on_start()
                return await _outcome(process)
            except _DiedError:
                await self._end()
            except BaseException:  # cancelled: the process is in the midst of something
                self._kill()
                raise
            if begun:
                break
        return _lost(f"its worker process ended with status {self._process and self._process.returncode}")

    async def load(self) -> None:
        """Start the process and wait until it has loaded everything, or died of it."""
        try:
            if not self.closed:
                await self._ready()
        except _DiedError:
            await self._end()
        except BaseException:
            self._kill()
            raise

    async def start(self) -> None:
        """Begin the process anew, ending what is left of the last one; does nothing once closed."""
        async with self._starting:
            await self._end()
            if self.closed:
                return
            self.spoiled = self._loaded = False
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                _PROGRAM,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=_CHUNK,
                env=_environment(),
                start_new_session=True,  # Ctrl-C in a terminal is for the server alone
            )

    async def close(self) -> None:
        """End the process for good."""
        self.closed = True
        async with self._starting:
            await self._end()

    async def _end(self) -> None:
        self._kill()
        if self._process is not None:
            await self._process.wait()

    async def _ready(self) -> asyncio.subprocess.Process:
        if self._process is None or self.spoiled or self._process.returncode is not None:
            await self.start()
        if self._process is None or self.closed:
            raise _DiedError
        if not self._loaded:
            await _expect(self._process, b"H")
            self._loaded = True
        return self._process

    def _kill(self) -> None:
        self.spoiled = True
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGKILL)  # Process.kill() would take its status from the watcher


async def _frames(work: Work) -> list[bytes]:
    """Pickle the work in pieces; a large one off the loop, which then gets its turn between the pieces."""
    try:
        return _Frames(limit=_SMALL).take(work)
    except _TooLargeError:
        return await asyncio.to_thread(_Frames(limit=None).take, work)


class _TooLargeError(Exception):
    """More bytes than the limit."""


@attrs.define
class _Frames:
    """A file that keeps what is written to it, in pieces."""

    limit: int | None
    pieces: list[bytes] = attrs.field(factory=list[bytes])

    def take(self, work: Work) -> list[bytes]:
        """Pickle the work and give the pieces; raises _TooLargeError."""
        pickle.dump(work, self, protocol=5)
        return self.pieces

    def write(self, data: bytes, /) -> None:
        """Keep a piece."""
        self.pieces.append(bytes(data))
        if self.limit is not None and sum(map(len, self.pieces)) > self.limit:
            raise _TooLargeError


async def _send(process: asyncio.subprocess.Process, frames: list[bytes]) -> None:
    writer = cast("asyncio.StreamWriter", process.stdin)
    try:
        for frame in frames:
            writer.write(frame)
            await writer.drain()
    except (BrokenPipeError, ConnectionResetError) as error:
        raise _DiedError from error


async def _expect(process: asyncio.subprocess.Process, mark: bytes) -> None:
    if await _read(process, 1) != mark:
        raise _DiedError


async def _outcome(process: asyncio.subprocess.Process) -> Outcome:
    await _expect(process, b"R")
    head = await _read(process, 16)
    outcome: Outcome = pickle.loads(await _read(process, int.from_bytes(head[:8], "big")))  # noqa: S301 - our own
    pieces: list[bytes] = []
    left = int.from_bytes(head[8:], "big")
    while left:
        pieces.append(await _read(process, min(left, _CHUNK)))
        left -= len(pieces[-1])
    if isinstance(outcome, Done):
        body = await asyncio.to_thread(b"".join, pieces) if len(pieces) > 1 else b"".join(pieces)
        return attrs.evolve(outcome, body=body)
    return outcome


async def _read(process: asyncio.subprocess.Process, size: int) -> bytes:
    reader = cast("asyncio.StreamReader", process.stdout)
    try:
        return await reader.readexactly(size)
    except (asyncio.IncompleteReadError, ConnectionResetError) as error:
        raise _DiedError from error


def _lost(how: str) -> Failed:
    return Failed(
        reason=f"Internal error of the emulator: the job was lost, {how}",
        code=1500,
        solution="Submit the job again; if it fails again, make it smaller.",
    )


def _environment() -> dict[str, str]:
    path = os.pathsep.join(filter(None, [_HOME, os.environ.get("PYTHONPATH")]))
    return {**os.environ, **_SINGLE_THREADED, "PYTHONPATH": path}
