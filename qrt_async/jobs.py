"""The jobs of an instance: submitting, listing, and handles on single ones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any, Generic, TypeVar

import attrs

from qrt_async import pubs as pub_rules
from qrt_async.clock import Deadline
from qrt_async.engine import Engine
from qrt_async.errors import (
    Conflict,
    JobCancelled,
    JobError,
    JobFailed,
    JobRanTooLong,
    NotFound,
    QrtError,
    ResultNotAvailable,
    SessionClosed,
    UnknownJobStatus,
    UsageError,
    WaitTimeout,
)
from qrt_async.listing import Listing
from qrt_async.models.jobs import (
    CancelOutcome,
    JobDetails,
    JobFilter,
    JobMetrics,
    JobPage,
    JobRequest,
    JobStatus,
    Program,
)
from qrt_async.models.results import PrimitiveResult
from qrt_async.options import PollPolicy
from qrt_async.wire import decisions, results
from qrt_async.wire import jobs as wire
from qrt_async.wire.paging import JobPager

R = TypeVar("R")

_BAD_ENDS: dict[JobStatus, type[JobError]] = {
    JobStatus.FAILED: JobFailed,
    JobStatus.CANCELLED: JobCancelled,
    JobStatus.RAN_TOO_LONG: JobRanTooLong,
}

_SESSION_CLOSED = 1217
_JOB_NOT_FOUND = 1291
_LATE_RESULT_LOOKS = 5
_ANY_PRIMITIVE: Program[PrimitiveResult[Any]] = Program("", results.primitive)


@attrs.frozen
class Jobs:
    """Submits jobs, lists them, and makes handles on those that exist."""

    _engine: Engine
    _poll: PollPolicy

    async def submit(self, request: JobRequest[R]) -> Job[R]:
        """Submit one job and return the handle on it; what the service remarks becomes a `ServiceWarning`."""
        submitted = await self._engine.run(wire.create(self._engine.account.dialect, request))
        for message in submitted.messages:
            self._engine.notices.tell(message)
        return self.handle(submitted.id, request.program)

    def handle(self, job_id: str, program: Program[R]) -> Job[R]:
        """Return a handle on a job that exists; nothing is sent."""
        return Job(job_id, program, self._engine, self._poll)

    def job(self, job_id: str) -> Job[PrimitiveResult[Any]]:
        """Return a handle on a primitive's job that exists; nothing is sent."""
        if not isinstance(job_id, str) or not job_id:
            raise UsageError(f"a job's id is a text, not {job_id!r}")
        return self.handle(job_id, _ANY_PRIMITIVE)

    def list(self, wanted: JobFilter | None = None) -> Listing[JobPage, JobDetails]:
        """
        Return the list of the jobs that are wanted, newest first unless asked for otherwise (``GET /jobs``).

        ``await`` it for the first page, ``async for`` it for all: then every job comes once, whatever is created or
        deleted meanwhile.
        """
        chosen = wanted or JobFilter()

        async def items() -> AsyncIterator[JobDetails]:
            pager = JobPager(chosen)
            while not pager.done:
                for job in pager.take(await self._page(pager.next_page)):
                    yield job

        return Listing(lambda: self._page(chosen), items)

    async def _page(self, wanted: JobFilter) -> JobPage:
        return await self._engine.run(wire.list_jobs(self._engine.account.dialect, wanted))

    async def get(self, job_id: str, *, params: bool = False) -> JobDetails:
        """Return how a job stands, with its inputs where `params` asks for them (``GET /jobs/{id}``)."""
        return await self._engine.run(wire.get(job_id, params=params))

    async def search_tags(self, text: str) -> tuple[str, ...]:
        """Return the tags that hold `text`, 3 to 100 characters (``GET /tags``)."""
        if not 3 <= len(text) <= 100:
            raise UsageError(f"tags are searched by 3 to 100 characters, not {len(text)}")
        return await self._engine.run(wire.search_tags(text))

    async def cancel_all(
        self, *, tags: Iterable[str] = (), backend: str | None = None, session_id: str | None = None
    ) -> tuple[CancelOutcome, ...]:
        """
        Cancel every queued or running job that has all the tags, the backend and the session; say what became of each.

        Raises:
            UsageError: none of the three was given, which would mean every job of the instance.

        """
        wanted = JobFilter(pending=True, tags=pub_rules.tags(tags), backend=backend, session_id=session_id)
        if not (wanted.tags or backend or session_id):
            raise UsageError("cancel_all needs tags, a backend or a session: without them it would mean every job")
        found = [job async for job in self.list(wanted) if _is_meant(job, wanted)]
        return tuple(await asyncio.gather(*(self._cancel(job.id) for job in found)))

    async def _cancel(self, job_id: str) -> CancelOutcome:
        try:
            return CancelOutcome(job_id=job_id, cancelled=await self.job(job_id).cancel())
        except QrtError as error:
            return CancelOutcome(job_id=job_id, cancelled=False, error=error)


def _is_meant(job: JobDetails, wanted: JobFilter) -> bool:
    """Tell whether a job meets the filter: a server that ignores what it does not know must not cost other jobs."""
    return (
        set(wanted.tags) <= set(job.tags)
        and wanted.backend in {None, job.backend}
        and wanted.session_id in {None, job.session_id}
    )


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

    async def params(self) -> Mapping[str, Any]:
        """Ask the service for the job's inputs, empty for a private job (``GET /jobs/{id}``)."""
        return (await self._engine.run(wire.get(self.id, params=True))).params or {}

    async def metrics(self) -> JobMetrics:
        """Ask the service what the job took (``GET /jobs/{id}/metrics``)."""
        return await self._engine.run(wire.metrics(self.id))

    async def logs(self) -> str:
        """Return the job's log, empty where the service has none, as before the job's end (``GET /jobs/{id}/logs``)."""
        try:
            return await self._engine.run(wire.logs(self.id))
        except NotFound as error:
            if error.code == _JOB_NOT_FOUND:
                raise
            return ""

    async def interim_results(self) -> str | None:
        """Return what the job has given so far, as text, on the legacy platform alone; None where that is nothing."""
        return await self._engine.run(wire.interim_results(self.id))

    async def transpiled_circuits(self) -> str:
        """
        Return the address of a document with the circuits as they ran.

        Only versions before 2026-02-01 have it; the address is signed for a short time and needs no credential.
        """
        return await self._engine.run(wire.transpiled_circuits(self.id))

    async def set_tags(self, tags: Iterable[str]) -> None:
        """Replace all tags of the job (``PUT /jobs/{id}/tags``)."""
        await self._engine.run(wire.replace_tags(self.id, pub_rules.tags(tags)))

    async def delete(self) -> None:
        """
        Delete the job and its data (``DELETE /jobs/{id}``).

        Raises:
            ApiError: the job is not over yet.

        """
        await self._engine.run(wire.delete(self.id))

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
            JobFailed: the program failed; the reason is the service's. `SessionClosed` where it never ran.
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
    kind = SessionClosed if details.code == _SESSION_CLOSED else _BAD_ENDS[details.status]
    return kind(
        details.id,
        details.status.value,
        reason=details.reason,
        code=details.code,
        solution=details.solution,
    )
