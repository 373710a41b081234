"""A run that the journal knows by its name: what of it was done before, and what is done now."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import attrs

from qrt_async.bulk.flight import Done
from qrt_async.bulk.intake import Item
from qrt_async.errors import QrtError
from qrt_async.jobs import Job, Jobs
from qrt_async.journal import Journal, Submission, SubmissionState
from qrt_async.models.jobs import JobStatus
from qrt_async.regardless import gone
from qrt_async.resuming import Resumption

_AT_ONCE = 8
_MANY = 1_000


@attrs.define(eq=False)
class Campaign:
    """
    Keeps a run in the journal: the digest of every PUB before its job is submitted, and which results were taken.

    When a run is begun again with the same PUBs, those whose results were taken are left out, and jobs that were
    submitted before are waited for and fetched instead of being submitted again.
    """

    run_id: str
    _journal: Journal
    _jobs: Jobs
    _resumption: Resumption
    _program: Any
    _expected: int = attrs.field(default=0, init=False)
    _undelivered: set[int] = attrs.field(factory=set[int], init=False)
    _covered: set[int] = attrs.field(factory=set[int], init=False)
    _digests: list[str] = attrs.field(factory=list[str], init=False)
    _noted: int = attrs.field(default=0, init=False)
    _taken: list[int] = attrs.field(factory=list[int], init=False)
    _tasks: set[asyncio.Task[None]] = attrs.field(factory=set["asyncio.Task[None]"], init=False)
    _noting: asyncio.Lock = attrs.field(factory=asyncio.Lock, init=False)

    @property
    def busy(self) -> bool:
        """Whether jobs of an earlier process are still waited for."""
        return bool(self._tasks)

    async def begin(self, deliver: Callable[[Done], None], wake: Callable[[], None]) -> None:
        """
        Claim the run, drain the sessions that it left open, and take up the jobs that it had submitted.

        Raises:
            JournalBusy: a living process is at it.

        """
        await self._journal.claim(self.run_id)
        await self._resumption.drain_sessions(self.run_id)
        self._expected = await self._journal.expected(self.run_id)
        for first in range(0, self._expected, 10_000):
            self._undelivered.update(await self._journal.undelivered(self.run_id, first))
        turns = asyncio.Semaphore(_AT_ONCE)
        for submission in await self._latest():
            task = asyncio.create_task(self._take_up(submission, turns, deliver))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            task.add_done_callback(lambda _: wake())

    async def _latest(self) -> list[Submission]:
        """Return the submissions to be taken up: of those that held a PUB the last one, found where that is needed."""
        last: dict[int, Submission] = {}
        for submission in await self._journal.submissions(self.run_id):
            if submission.state is not SubmissionState.REFUSED:
                last |= dict.fromkeys(submission.positions, submission)
        wanted = {last[index].tag: last[index] for index in self._undelivered & last.keys()}
        found = await asyncio.gather(*(self._standing(submission) for submission in wanted.values()))
        latest = [submission for submission in found if submission is not None]
        for submission in latest:
            self._covered |= {index for index in submission.positions if last[index].tag == submission.tag}
        return latest

    async def _standing(self, submission: Submission) -> Submission | None:
        """Return a submission whose job can still give results: one that was cancelled is made again."""
        found = await self._resumption.found(submission)
        if found is None:
            return None
        details = await self._jobs.get(str(found.job_id))
        return None if details.status is JobStatus.CANCELLED else found

    async def _take_up(self, submission: Submission, turns: asyncio.Semaphore, deliver: Callable[[Done], None]) -> None:
        job: Job[Any] = self._jobs.rejoin(submission, self._program)
        wanted = self._undelivered & set(submission.positions) & self._covered
        try:
            await job.wait()
            async with turns:
                found: Any = await job.result()
            outcomes = {index: found[at] for at, index in enumerate(submission.positions) if index in wanted}
        except QrtError as error:
            for index in sorted(wanted):
                deliver(Done(index=index, backend=submission.backend, job_id=job.id, error=error))
            return
        for index, result in outcomes.items():
            deliver(Done(index=index, backend=submission.backend, job_id=job.id, result=result))

    async def wants(self, item: Item) -> bool:
        """
        Take note of the next PUB, and return whether it is still to be submitted.

        Raises:
            ResumeMismatch: it is not the PUB that the run began with.

        """
        self._digests.append(item.digest())
        if len(self._digests) >= _MANY:
            await self.note()
        if item.index >= self._expected:
            return True
        return item.index in self._undelivered and item.index not in self._covered

    async def note(self) -> None:
        """Write the digests of the PUBs so far, before any job of theirs is submitted."""
        async with self._noting:
            digests, self._digests = self._digests, []
            if digests:
                await self._journal.expect_many(self.run_id, self._noted, digests)
                self._noted += len(digests)

    def was_taken(self, done: Done) -> None:
        """Note that the caller has a result, which a job gave."""
        if done.job_id is not None:
            self._taken.append(done.index)

    async def acknowledge(self) -> None:
        """Write which results were taken."""
        taken, self._taken = self._taken, []
        if taken:
            await self._journal.delivered(self.run_id, taken)

    async def leave(self) -> None:
        """Write what is known, and let others take the run up."""
        await gone(self._tasks)
        await self.acknowledge()
        await self._journal.release(self.run_id)
