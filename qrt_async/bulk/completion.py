"""Jobs that one has, as they are over."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterable
from typing import Any, TypeVar

import attrs

from qrt_async.errors import QrtError
from qrt_async.jobs import Job
from qrt_async.watcher import End

R = TypeVar("R")


@attrs.frozen(eq=False)
class _Arrival:
    """Notes the end of one job; smaller than a partial function, since ten thousand may wait."""

    _job: Job[Any]
    _over: deque[tuple[Job[Any], End]]
    _arrived: asyncio.Event

    def __call__(self, how: End) -> None:
        self._over.append((self._job, how))
        self._arrived.set()


async def as_completed(jobs: Iterable[Job[R]]) -> AsyncGenerator[Job[R], None]:
    """
    Yield jobs as they are over, however they end; their results are then there to be had.

    What fails while a job is waited for is raised, and so does the waiting for the others end; the jobs go on. Waiting
    costs a few hundred bytes a job, and no task.
    """
    over: deque[tuple[Job[Any], End]] = deque()
    arrived = asyncio.Event()

    leave = {job: job.notify(_Arrival(job, over, arrived)) for job in jobs}
    try:
        while leave:
            await arrived.wait()
            arrived.clear()
            while over:
                job, how = over.popleft()
                leave.pop(job, None)
                if isinstance(how, QrtError):
                    raise how
                yield job
    finally:
        for end in leave.values():
            end()
