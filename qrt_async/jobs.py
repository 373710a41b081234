"""The jobs of an instance: submitting, listing, and handles on single ones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing, suppress
from typing import Any, Generic, TypeVar, Unpack

import attrs

from qrt_async import pubs as pub_rules
from qrt_async.engine import Engine
from qrt_async.errors import (
    Conflict,
    NotFound,
    QrtError,
    UsageError,
)
from qrt_async.journal import Submission
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
from qrt_async.options import CallOptions, OnCancel, SubmitOptions
from qrt_async.regardless import regardless
from qrt_async.retrieval import Retrieval
from qrt_async.submission import Submissions, Ticket
from qrt_async.watcher import End
from qrt_async.wire import jobs as wire
from qrt_async.wire import results
from qrt_async.wire.paging import JobPager

R = TypeVar("R")

_JOB_NOT_FOUND = 1291
_ANY_PRIMITIVE: Program[PrimitiveResult[Any]] = Program("", results.primitive)


@attrs.frozen
class Jobs:
    """Submits jobs, lists them, and makes handles on those that exist."""

    _engine: Engine
    _submissions: Submissions
    _retrieval: Retrieval

    async def submit(
        self,
        request: JobRequest[R],
        *,
        run_id: str | None = None,
        positions: Sequence[int] = (),
        **how: Unpack[SubmitOptions],
    ) -> Job[R]:
        """Submit one job, once, and return the handle on it; what the service remarks becomes a `ServiceWarning`."""
        ticket = await self._submissions.submit(request, run_id=run_id, positions=positions, **how)
        return Job(
            ticket,
            request.program,
            self._engine,
            self._retrieval,
            private=request.private,
            in_session=request.session_id is not None,
            on_cancel=how.get("on_cancel", "detach"),
        )

    def handle(self, job_id: str, program: Program[R], *, private: bool = False) -> Job[R]:
        """Return a handle on a job that exists; nothing is sent."""
        return Job(Ticket("", job_id), program, self._engine, self._retrieval, private=private)

    def rejoin(self, submission: Submission, program: Program[R]) -> Job[R]:
        """Return a handle on the job of a submission that the journal knows; nothing is sent."""
        return Job(
            Ticket(submission.tag, str(submission.job_id)),
            program,
            self._engine,
            self._retrieval,
            private=submission.private,
            in_session=submission.session_id is not None,
        )

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

    async def get(self, job_id: str, *, params: bool = False, **how: Unpack[CallOptions]) -> JobDetails:
        """Return how a job stands, with its inputs where `params` asks for them (``GET /jobs/{id}``)."""
        return await self._engine.run(wire.get(job_id, params=params), **how)

    async def search_tags(self, text: str, **how: Unpack[CallOptions]) -> tuple[str, ...]:
        """Return the tags that hold `text`, 3 to 100 characters (``GET /tags``)."""
        if not 3 <= len(text) <= 100:
            raise UsageError(f"tags are searched by 3 to 100 characters, not {len(text)}")
        return await self._engine.run(wire.search_tags(text), **how)

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


@attrs.define(eq=False, repr=False)
class Job(Generic[R]):
    """
    A handle on one job of the service.

    Its properties are plain data; whatever asks the service is a coroutine. Losing the handle leaves the job alone, and
    so does being cancelled while waiting, unless the job was submitted with ``on_cancel="cancel"``.
    """

    _ticket: Ticket
    _program: Program[R]
    _engine: Engine
    _retrieval: Retrieval
    private: bool = attrs.field(default=False, kw_only=True, on_setattr=attrs.setters.frozen)
    _in_session: bool = attrs.field(default=False, kw_only=True, alias="in_session")
    _on_cancel: OnCancel = attrs.field(default="detach", kw_only=True, alias="on_cancel")
    _end: JobDetails | None = attrs.field(default=None, init=False)
    _result: R | None = attrs.field(default=None, init=False)

    def __repr__(self) -> str:
        return f"Job(id={self.id!r})"

    @property
    def id(self) -> str:
        """
        The service's id of the job.

        It changes only where one submission had led to two jobs, and the other one is kept.
        """
        return self._ticket.job_id

    def on_end(self, tell: Callable[[], None]) -> None:
        """Have `tell` called once when a wait here has seen the job's end."""
        self._ticket.on_end = tell

    @property
    def tag(self) -> str | None:
        """The tag of this submission, by which the job can be found; None for a handle made from an id."""
        return self._ticket.tag or None

    async def details(self, **how: Unpack[CallOptions]) -> JobDetails:
        """Ask the service how the job stands (``GET /jobs/{id}``)."""
        return await self._engine.run(wire.get(self.id), **how)

    async def status(self, **how: Unpack[CallOptions]) -> JobStatus:
        """Ask the service for the job's status alone."""
        return (await self.details(**how)).status

    async def params(self, **how: Unpack[CallOptions]) -> Mapping[str, Any]:
        """Ask the service for the job's inputs, empty for a private job (``GET /jobs/{id}``)."""
        return (await self._engine.run(wire.get(self.id, params=True), **how)).params or {}

    async def metrics(self, **how: Unpack[CallOptions]) -> JobMetrics:
        """Ask the service what the job took (``GET /jobs/{id}/metrics``)."""
        return await self._engine.run(wire.metrics(self.id), **how)

    async def logs(self, **how: Unpack[CallOptions]) -> str:
        """Return the job's log, empty where the service has none, as before the job's end (``GET /jobs/{id}/logs``)."""
        try:
            return await self._engine.run(wire.logs(self.id), **how)
        except NotFound as error:
            if error.code == _JOB_NOT_FOUND:
                raise
            return ""

    async def interim_results(self, **how: Unpack[CallOptions]) -> str | None:
        """Return what the job has given so far, as text, on the legacy platform alone; None where that is nothing."""
        return await self._engine.run(wire.interim_results(self.id), **how)

    async def transpiled_circuits(self, **how: Unpack[CallOptions]) -> str:
        """
        Return the address of a document with the circuits as they ran.

        Only versions before 2026-02-01 have it; the address is signed for a short time and needs no credential.
        """
        return await self._engine.run(wire.transpiled_circuits(self.id), **how)

    async def set_tags(self, tags: Iterable[str], **how: Unpack[CallOptions]) -> None:
        """
        Replace the tags of the job (``PUT /jobs/{id}/tags``).

        The tag by which the submission is known stays beside them.
        """
        own = (self._ticket.tag,) if self._ticket.tag else ()
        await self._engine.run(wire.replace_tags(self.id, (*own, *pub_rules.tags(tags))), **how)

    async def delete(self, **how: Unpack[CallOptions]) -> None:
        """
        Delete the job and its data (``DELETE /jobs/{id}``).

        Raises:
            ApiError: the job is not over yet.

        """
        await self._engine.run(wire.delete(self.id), **how)

    async def events(self) -> AsyncGenerator[JobDetails]:
        """
        Yield the job's details with each change of status that is seen, its end as the last.

        States between two looks are missed; the end never is.
        """
        async with aclosing(self._retrieval.events(self._ticket, in_session=self._in_session)) as seen:
            async for details in seen:
                yield details

    def notify(self, tell: Callable[[End], None]) -> Callable[[], None]:
        """
        Have `tell` called once, when the job is over, with its details or with the error that :meth:`wait` would raise.

        This costs no task for each job. The returned function ends the waiting.
        """

        def ended(how: End) -> None:
            if not isinstance(how, QrtError):
                self._end = how
                self._ticket.has_ended()
            tell(how)

        return self._retrieval.notify(self._ticket, ended, in_session=self._in_session)

    async def wait(self, timeout: float | None = None) -> JobDetails:
        """
        Wait until the job is over, however it ends, and return its details.

        Failures of network and service that pass are outlived until the deadline.

        Raises:
            WaitTimeout: `timeout` seconds have passed; the job goes on.
            UnknownJobStatus: the service used a word that this version does not know, and does not list the job as
                pending.

        """
        deadline = self._retrieval.deadline(timeout)
        if self._end is not None:
            return self._end
        try:
            self._end = await self._retrieval.wait(self._ticket, deadline, in_session=self._in_session)
        except asyncio.CancelledError:
            if self._on_cancel == "cancel":
                await regardless(self._give_up())
            raise
        return self._end

    async def result(self, timeout: float | None = None) -> R:
        """
        Wait until the job is over, and return its result; asking again costs nothing.

        Raises:
            JobFailed: the program failed; the reason is the service's. `SessionClosed` where it never ran.
            JobCancelled: somebody cancelled the job.
            JobRanTooLong: the job was stopped at its time limit.
            WaitTimeout: `timeout` seconds have passed; the job goes on.
            ResultNotAvailable: the job is completed, but there is no result to be had; `PrivateResultLost` where a
                private one was cut on its way.

        """
        if self._result is None:
            deadline = self._retrieval.deadline(timeout)
            details = await self.wait(timeout)
            self._result = await self._retrieval.fetch(details, self._program, deadline, private=self.private)
            await self._retrieval.settled(self._ticket, details)
        return self._result

    async def cancel(self, **how: Unpack[CallOptions]) -> bool:
        """Cancel the job; return False where it was over already (``POST /jobs/{id}/cancel``)."""
        try:
            await self._engine.run(wire.cancel(self.id), **how)
        except Conflict:
            return False
        return True

    async def _give_up(self) -> None:
        with suppress(QrtError):
            await self.cancel(timeout=self._engine.timeouts.closing)
