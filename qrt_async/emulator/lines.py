"""The queue in front of one backend."""

from __future__ import annotations

import asyncio
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any

from qrt_async.emulator.records import JobStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from qrt_async.emulator.records import Job

LANES = 5  # jobs one device works on at once: "most backends", says the execution modes FAQ


class Line:
    """First in, first out: at most `LANES` jobs of one backend are with the workers at once.

    `run` executes one job to its end; it is called in the order of joining.
    """

    def __init__(self, run: Callable[[Job], Coroutine[Any, Any, None]]) -> None:
        self._run = run
        self._waiting: deque[Job] = deque()
        self._lanes: dict[str, asyncio.Task[None]] = {}
        self._taken: dict[str, Job] = {}
        self._open = asyncio.Event()
        self._open.set()

    @property
    def length(self) -> int:
        """How many jobs are queued or running."""
        return len(self._lanes) + sum(job.status is JobStatus.QUEUED for job in self._waiting)

    def position(self, job: Job) -> int | None:
        """Give a queued job's place among those that wait, from 1; None for any other job."""
        queued = [job_id for job_id, each in self._taken.items() if each.status is JobStatus.QUEUED]
        queued += [each.id for each in self._waiting if each.status is JobStatus.QUEUED]
        return queued.index(job.id) + 1 if job.id in queued else None

    def join(self, job: Job) -> None:
        """Put a queued job at the end; it starts as soon as a lane is free."""
        self._waiting.append(job)
        self._fill()

    def pause(self, *, paused: bool) -> None:
        """Let no further job begin, or go on."""
        if paused:
            self._open.clear()
        else:
            self._open.set()
            self._fill()

    async def opened(self) -> None:
        """Wait until jobs may begin."""
        await self._open.wait()

    def drop(self, job: Job) -> None:
        """Stop the execution of a job that reached its end otherwise; one still waiting is passed over."""
        if lane := self._lanes.get(job.id):
            lane.cancel()

    async def close(self) -> None:
        """Stop every execution and forget the queue."""
        self._waiting.clear()
        lanes = list(self._lanes.values())
        for lane in lanes:
            lane.cancel()
        await asyncio.gather(*lanes, return_exceptions=True)

    def _fill(self) -> None:
        while self._open.is_set() and self._waiting and len(self._lanes) < LANES:
            job = self._waiting.popleft()
            if job.status is JobStatus.QUEUED:
                lane = asyncio.create_task(self._run(job), name=f"job {job.id}")
                self._lanes[job.id] = lane
                self._taken[job.id] = job
                lane.add_done_callback(partial(self._leave, job))

    def _leave(self, job: Job, _lane: asyncio.Task[None]) -> None:
        del self._lanes[job.id], self._taken[job.id]
        self._fill()
