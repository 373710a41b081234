"""Jobs that one has, as they are over."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterable
from functools import partial
from typing import Any, TypeVar

from qrt_async.errors import QrtError
from qrt_async.jobs import Job
from qrt_async.watcher import End

R = TypeVar("R")


async def as_completed(jobs: Iterable[Job[R]]) -> AsyncGenerator[Job[R], None]:
    """
    Yield jobs as they are over, however they end; their results are then there to be had.

    What fails while a job is waited for is raised, and so does the waiting for the others end; the jobs go on. Waiting
    costs a few hundred bytes a job, and no task.
    """
    over: deque[tuple[Job[Any], End]] = deque()
    arrived = asyncio.Event()

    def arrive(job: Job[R], how: End) -> None:
        over.append((job, how))
        arrived.set()

    leave = {job: job.notify(partial(arrive, job)) for job in jobs}
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
