"""Jobs that one has, as they are over."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterable
from typing import Any, TypeVar

from qrt_async.jobs import Job

R = TypeVar("R")


async def as_completed(jobs: Iterable[Job[R]]) -> AsyncGenerator[Job[R], None]:
    """
    Yield jobs as they are over, however they end; their results are then there to be had.

    What fails while a job is waited for is raised, and so does the waiting for the others end; the jobs go on.
    """
    over: deque[asyncio.Task[Job[R]]] = deque()
    arrived = asyncio.Event()

    def arrive(task: asyncio.Task[Any]) -> None:
        over.append(task)
        arrived.set()

    tasks = {asyncio.create_task(_over(job)) for job in jobs}
    for task in tasks:
        task.add_done_callback(arrive)
    try:
        while tasks:
            await arrived.wait()
            arrived.clear()
            while over:
                task = over.popleft()
                tasks.discard(task)
                yield task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _over(job: Job[R]) -> Job[R]:
    await job.wait()
    return job
