"""From a submission to its result: waiting for the job's end, and reading what it gave."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import TypeVar

import attrs

from qrt_async.clock import Deadline
from qrt_async.engine import Engine
from qrt_async.errors import (
    JobCancelled,
    JobError,
    JobFailed,
    JobRanTooLong,
    PrivateResultLost,
    QrtError,
    ResultNotAvailable,
    SessionClosed,
    TransportError,
    UsageError,
    WaitTimeout,
)
from qrt_async.journal import Journal
from qrt_async.models.jobs import JobDetails, JobStatus, Program
from qrt_async.options import PollPolicy
from qrt_async.submission import Submissions, Ticket
from qrt_async.threads import loaded
from qrt_async.watcher import End, Waiter, Watcher
from qrt_async.wire import decisions
from qrt_async.wire import jobs as wire

R = TypeVar("R")

_BAD_ENDS: dict[JobStatus, type[JobError]] = {
    JobStatus.FAILED: JobFailed,
    JobStatus.CANCELLED: JobCancelled,
    JobStatus.RAN_TOO_LONG: JobRanTooLong,
}

_SESSION_CLOSED = 1217
_LATE_RESULT_LOOKS = 5


@attrs.frozen
class Retrieval:
    """Waits for jobs and reads their results."""

    _engine: Engine
    _poll: PollPolicy
    _submissions: Submissions
    _watcher: Watcher
    _journal: Journal | None

    def deadline(self, timeout: float | None) -> Deadline:
        """Return the end of a wait."""
        if timeout is not None and (isinstance(timeout, bool) or not timeout > 0):
            raise UsageError(f"timeout is a number of seconds above 0, not {timeout!r}")
        return Deadline.after(self._engine.clock, self._poll.max_wait if timeout is None else timeout)

    async def wait(self, ticket: Ticket, deadline: Deadline, *, in_session: bool) -> JobDetails:
        """Wait until the job of a submission is over; of two that one submission led to, for the better one."""
        while True:
            asked = ticket.job_id
            details = await self._wait_or_rival(ticket, deadline, in_session=in_session)
            if ticket.doubtful:
                await self._submissions.keep_best(ticket)
            if details is not None and ticket.job_id == asked:
                break
        ticket.has_ended()
        if details.status in _BAD_ENDS:
            await self.settled(ticket, details)
        return details

    async def settled(self, ticket: Ticket, details: JobDetails) -> None:
        """Note that the caller has what there is of a job, so that nobody fetches it again for a process that died."""
        if self._journal and ticket.tag:
            await self._journal.finished(details.id, details.status.value)

    def events(self, ticket: Ticket, *, in_session: bool) -> AsyncGenerator[JobDetails]:
        """Yield the job's details with each change of status that is seen."""
        return self._watcher.events(ticket.job_id, ours=bool(ticket.tag), in_session=in_session)

    def notify(self, ticket: Ticket, tell: Callable[[End], None], *, in_session: bool) -> Callable[[], None]:
        """Have `tell` called once with the end of the job, or with the error of waiting for it; return how to leave."""
        if ticket.doubtful:
            return self._notify_by_task(ticket, tell, in_session=in_session)
        waiter = self._watcher.notify(
            ticket.job_id, tell, self.deadline(None), ours=bool(ticket.tag), in_session=in_session
        )
        return _Leave(self._watcher, ticket.job_id, waiter)

    def _notify_by_task(self, ticket: Ticket, tell: Callable[[End], None], *, in_session: bool) -> Callable[[], None]:
        """Wait for the better of two jobs, if there should be two."""

        async def wait() -> None:
            try:
                tell(await self.wait(ticket, self.deadline(None), in_session=in_session))
            except QrtError as error:
                tell(error)

        task = asyncio.create_task(wait())

        def leave() -> None:
            task.cancel()

        return leave

    async def _wait_or_rival(self, ticket: Ticket, deadline: Deadline, *, in_session: bool) -> JobDetails | None:
        """Wait until the job is over, or (None) until a second job with its tag is seen."""
        waiting = self._watcher.wait(ticket.job_id, deadline, ours=bool(ticket.tag), in_session=in_session)
        if ticket.rival is None:
            return await waiting
        self._watcher.on_row(ticket.tag, ticket.told_of)
        job, rival = asyncio.ensure_future(waiting), asyncio.ensure_future(ticket.rival.wait())
        try:
            await asyncio.wait([job, rival], return_when=asyncio.FIRST_COMPLETED)
            return job.result() if job.done() else None
        finally:
            self._watcher.off_row(ticket.tag)
            job.cancel()
            rival.cancel()

    async def fetch(self, details: JobDetails, program: Program[R], deadline: Deadline, *, private: bool) -> R:
        """
        Fetch the result of a job that is over, which for a moment may lag behind the status.

        Raises the error that a bad end stands for.
        """
        if details.status in _BAD_ENDS:
            raise _bad_end(details)
        private = private or details.private
        await loaded("numpy")
        delays = decisions.poll_delays(self._poll, self._engine.rng)
        for _ in range(_LATE_RESULT_LOOKS):
            read = self._read_private if private else self._read
            if (found := await read(details.id, program, deadline)) is not None:
                return found
            await self._pause(details.id, next(delays), deadline)
        raise ResultNotAvailable(details.id)

    async def _read(self, job_id: str, program: Program[R], deadline: Deadline) -> R | None:
        """Read a result, again after failures that pass, until the deadline."""
        delays = decisions.poll_delays(self._poll, self._engine.rng)
        while True:
            try:
                return await self._engine.run(wire.results(job_id, program.decode))
            except QrtError as error:
                if not decisions.is_passing(error):
                    raise
                await self._pause(job_id, next(delays), deadline)

    async def _read_private(self, job_id: str, program: Program[R], _: Deadline) -> R | None:
        """Read a result that can be read once: on a request that nobody repeats, kept before it is decoded."""
        if self._journal and (kept := await self._journal.spooled(job_id)) is not None:
            return await asyncio.to_thread(program.decode, kept)
        spool = await self._journal.spool(job_id) if self._journal else None
        received = 0

        async def keep(chunk: bytes) -> None:
            nonlocal received
            received += len(chunk)
            if spool:
                await spool.feed(chunk)

        try:
            body = await self._engine.run(wire.private_results(job_id), on_chunk=keep)
        except TransportError as error:
            if not error.left:
                raise
            raise PrivateResultLost(job_id, str(error), received) from error
        if body is None:
            return None
        if spool:
            await spool.finish()
        return await asyncio.to_thread(program.decode, body)

    async def _pause(self, job_id: str, delay: float, deadline: Deadline) -> None:
        remaining = deadline.remaining()
        if remaining <= 0:
            raise WaitTimeout(f"job {job_id} is over, but its result could not be read in time; it is still there")
        await self._engine.clock.sleep(min(delay, remaining))


@attrs.frozen(eq=False)
class _Leave:
    """Ends one waiting, in a third of what a partial function takes: ten thousand may wait."""

    _watcher: Watcher
    _job_id: str
    _waiter: Waiter

    def __call__(self) -> None:
        self._watcher.leave(self._job_id, self._waiter)


def _bad_end(details: JobDetails) -> JobError:
    kind = SessionClosed if details.code == _SESSION_CLOSED else _BAD_ENDS[details.status]
    return kind(
        details.id,
        details.status.value,
        reason=details.reason,
        code=details.code,
        solution=details.solution,
    )
