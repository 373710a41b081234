"""Submitting jobs, and handles on them."""

from __future__ import annotations

from typing import Generic, TypeVar

import attrs

from qrt_async.clock import Deadline
from qrt_async.engine import Engine
from qrt_async.errors import (
    Conflict,
    JobCancelled,
    JobError,
    JobFailed,
    JobRanTooLong,
    ResultNotAvailable,
    UnknownJobStatus,
    WaitTimeout,
)
from qrt_async.models.jobs import JobDetails, JobRequest, JobStatus, Program
from qrt_async.options import PollPolicy
from qrt_async.wire import decisions
from qrt_async.wire import jobs as wire

R = TypeVar("R")

_BAD_ENDS: dict[JobStatus, type[JobError]] = {
    JobStatus.FAILED: JobFailed,
    JobStatus.CANCELLED: JobCancelled,
    JobStatus.RAN_TOO_LONG: JobRanTooLong,
}

_LATE_RESULT_LOOKS = 5


@attrs.frozen
class Jobs:
    """Submits jobs, and makes handles on those that exist."""

    _engine: Engine
    _poll: PollPolicy

    async def submit(self, request: JobRequest[R]) -> Job[R]:
        """Submit one job and return the handle on it."""
        submitted = await self._engine.run(wire.create(self._engine.account.dialect, request))
        return self.handle(submitted.id, request.program)

    def handle(self, job_id: str, program: Program[R]) -> Job[R]:
        """Return a handle on a job that exists; nothing is sent."""
        return Job(job_id, program, self._engine, self._poll)


@attrs.define(eq=False)
class Job(Generic[R]):
    """
    A handle on one job of the service.

    Its properties are plain data; whatever asks the service is a coroutine. Losing the handle, or being cancelled while
    waiting, leaves the job alone.
    """

    id: str = attrs.field(on_setattr=attrs.setters.frozen)
    _program: Program[R] = attrs.field(repr=False)
    _engine: Engine = attrs.field(repr=False)
    _poll: PollPolicy = attrs.field(repr=False)
    _result: R | None = attrs.field(default=None, init=False, repr=False)

    async def details(self) -> JobDetails:
        """Ask the service how the job stands (``GET /jobs/{id}``)."""
        return await self._engine.run(wire.get(self.id))

    async def status(self) -> JobStatus:
        """Ask the service for the job's status alone."""
        return (await self.details()).status

    async def wait(self, timeout: float | None = None) -> JobDetails:
        """
        Wait until the job is over, however it ends, and return its details.

        Raises:
            WaitTimeout: `timeout` seconds have passed; the job goes on.
            UnknownJobStatus: the service used a word that this version does not know.

        """
        deadline = self._deadline(timeout)
        delays = decisions.poll_delays(self._poll, self._engine.rng)
        while True:
            details = await self.details()
            if details.status.final:
                return details
            if not details.status.known:
                raise UnknownJobStatus(self.id, details.status)
            await self._pause(next(delays), deadline)

    async def result(self, timeout: float | None = None) -> R:
        """
        Wait until the job is over, and return its result; asking again costs nothing.

        Raises:
            JobFailed: the program failed; the reason is the service's.
            JobCancelled: somebody cancelled the job.
            JobRanTooLong: the job was stopped at its time limit.
            WaitTimeout: `timeout` seconds have passed; the job goes on.
            ResultNotAvailable: the job is completed, but there is no result to be had.

        """
        if self._result is None:
            deadline = self._deadline(timeout)
            details = await self.wait(timeout)
            if details.status in _BAD_ENDS:
                raise _bad_end(details)
            self._result = await self._fetch(deadline)
        return self._result

    async def cancel(self) -> bool:
        """Cancel the job; return False where it was over already (``POST /jobs/{id}/cancel``)."""
        try:
            await self._engine.run(wire.cancel(self.id))
        except Conflict:
            return False
        return True

    async def _fetch(self, deadline: Deadline) -> R:
        """Fetch the result, which for a moment may lag behind the status."""
        delays = decisions.poll_delays(self._poll, self._engine.rng)
        for _ in range(_LATE_RESULT_LOOKS):
            found = await self._engine.run(wire.results(self.id, self._program.decode))
            if found is not None:
                return found
            await self._pause(next(delays), deadline)
        raise ResultNotAvailable(self.id)

    def _deadline(self, timeout: float | None) -> Deadline:
        return Deadline.after(self._engine.clock, self._poll.max_wait if timeout is None else timeout)

    async def _pause(self, delay: float, deadline: Deadline) -> None:
        remaining = deadline.remaining()
        if remaining <= 0:
            raise WaitTimeout(f"job {self.id} is not over yet; it goes on, and waiting can be taken up again")
        await self._engine.clock.sleep(min(delay, remaining))


def _bad_end(details: JobDetails) -> JobError:
    return _BAD_ENDS[details.status](
        details.id,
        details.status.value,
        reason=details.reason,
        code=details.code,
        solution=details.solution,
    )
