"""The emulated service without its web face: who may do what, and what there is."""

from __future__ import annotations

import asyncio
import logging
import traceback
from typing import TYPE_CHECKING, Protocol

from qrt_async.emulator import lifecycle
from qrt_async.emulator.clock import Instant, RealClock
from qrt_async.emulator.credentials import Credentials
from qrt_async.emulator.identifiers import Identifiers
from qrt_async.emulator.lines import Line
from qrt_async.emulator.records import (
    Job,
    JobPage,
    Platform,
    Reason,
    Session,
    SessionState,
    TaskState,
    TranspilerTask,
)
from qrt_async.emulator.refusals import Refusal, bad_body, unknown_backend, unknown_job, unknown_session
from qrt_async.emulator.work import Done, Failed, PrimitiveWork, TranspileWork

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine, Mapping
    from typing import Any

    from qrt_async.emulator.clock import Clock
    from qrt_async.emulator.devices import Device
    from qrt_async.emulator.records import JobOrder, JobQuery, SessionOrder, Tenant
    from qrt_async.emulator.work import Outcome, Work

_log = logging.getLogger(__name__)


class Pool(Protocol):
    """Who runs the work: `workers.Workers`, or whatever keeps its contract."""

    async def run(self, work: Work, on_start: Callable[[], None] | None = None) -> Outcome:
        """Run one work, calling `on_start` on the loop as it begins; cancelling stops it."""
        ...

    async def warm(self) -> None:
        """Start ahead what running needs."""
        ...

    async def close(self) -> None:
        """End everything; nothing runs afterwards."""
        ...


class World:
    """Tokens, backends, jobs, sessions and transpiler tasks; everything happens on one event loop.

    `devices` are the backends on offer, in the order they are listed; `pool` runs what is submitted.
    Every method that cannot give what was asked for raises `Refusal`.
    """

    def __init__(
        self,
        devices: Mapping[str, Device],
        pool: Pool,
        *,
        api_keys: Collection[str] = (),
        seed: int | None = None,
        noiseless: bool = False,
        clock: Clock | None = None,
    ) -> None:
        self.clock = clock or RealClock()
        self.identifiers = Identifiers(seed)
        self.credentials = Credentials(api_keys, self.identifiers, self.clock)
        self.devices = devices
        self._pool = pool
        self._noiseless = noiseless
        self._lines = {name: Line(self._execute) for name in devices}
        self._jobs: dict[Tenant, dict[str, Job]] = {}
        self._sessions: dict[str, Session] = {}
        self._tasks: dict[str, TranspilerTask] = {}
        self._background: set[asyncio.Task[None]] = set()

    def warm(self) -> None:
        """Begin to start the workers, without waiting for them."""
        self._in_background(self._pool.warm(), "warm the workers")

    async def close(self) -> None:
        """Stop all work and end the workers."""
        for line in self._lines.values():
            await line.close()
        background = list(self._background)
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        await self._pool.close()

    # backends

    def device(self, name: str) -> Device:
        """Give the backend of that name."""
        try:
            return self.devices[name]
        except KeyError:
            raise unknown_backend(name) from None

    def queue_length(self, name: str) -> int:
        """Give how many jobs of all tenants are queued or running on a backend."""
        return self._lines[name].length

    # jobs

    def submit(self, tenant: Tenant, order: JobOrder) -> Job:
        """Queue a job (`POST /jobs`)."""
        self.device(order.backend)
        session = self._session_for(tenant, order)
        jobs = self._jobs.setdefault(tenant, {})
        job = Job(
            id=self.identifiers.job(),
            tenant=tenant,
            order=order,
            seed=self.identifiers.work_seed(),
            created=self._creation(tenant),
            params=order.params,
            tags=order.tags,
        )
        jobs[job.id] = job
        lifecycle.queue(job, session)
        self._lines[order.backend].join(job)
        return job

    def job(self, tenant: Tenant, job_id: str) -> Job:
        """Give one of the tenant's jobs; another's is as unknown as one that never was."""
        try:
            return self._jobs[tenant][job_id]
        except KeyError:
            raise unknown_job(job_id) from None

    def list_jobs(self, tenant: Tenant, query: JobQuery) -> JobPage:
        """Give the tenant's jobs that `query` admits, a page of them (`GET /jobs`)."""
        jobs = self._jobs.get(tenant, {})
        in_order = jobs.values() if query.oldest_first else reversed(jobs.values())
        found = query.select(in_order)
        page = found[query.offset : query.offset + query.limit]
        return JobPage(tuple(page), len(found), query.limit, query.offset)

    def cancel(self, tenant: Tenant, job_id: str) -> None:
        """End a queued or running job; a worker busy with it is stopped (`POST /jobs/{id}/cancel`)."""
        job = self.job(tenant, job_id)
        if job.status.final:
            raise Refusal(
                409,
                3208,
                f"Job is in non cancellable status: {job.status}. Job ID: {job_id}",
                "Only queued and running jobs can be cancelled.",
            )
        lifecycle.cancel(job, self._session_of(job), Instant.of(self.clock))
        self._lines[job.order.backend].drop(job)

    def delete(self, tenant: Tenant, job_id: str) -> None:
        """Forget a finished job and its data (`DELETE /jobs/{id}`)."""
        job = self.job(tenant, job_id)
        if not job.status.final:
            raise Refusal(
                400,
                None,
                f"Job is not in a terminal state: {job.status}. Job ID: {job_id}",
                "Cancel the job, or wait for its end, before deleting it.",
            )
        del self._jobs[tenant][job_id]

    def take_results(self, tenant: Tenant, job_id: str) -> bytes | None:
        """Give the bytes of a completed job's results, a private job's only once; None if there are none."""
        job = self.job(tenant, job_id)
        body = job.body
        if job.order.private:
            job.body = None
        return body

    # sessions

    def open_session(self, tenant: Tenant, order: SessionOrder) -> Session:
        """Open a session or batch (`POST /sessions`)."""
        if order.backend is not None:
            self.device(order.backend)
        legacy = tenant.platform is Platform.LEGACY
        session = Session(
            id=self.identifiers.legacy_session() if legacy else self.identifiers.session(),
            tenant=tenant,
            order=order,
            created=Instant.of(self.clock),
            backend=order.backend,
        )
        lifecycle.open_session(session)
        self._sessions[session.id] = session
        return session

    def session(self, tenant: Tenant, session_id: str) -> Session:
        """Give one of the tenant's sessions."""
        session = self._sessions.get(session_id)
        if session is None or session.tenant != tenant:
            raise unknown_session(session_id)
        return session

    def set_accepting(self, tenant: Tenant, session_id: str, accepting: bool) -> None:
        """Drain a session, or let it take jobs again (`PATCH /sessions/{id}`)."""
        lifecycle.set_accepting(self.session(tenant, session_id), accepting, Instant.of(self.clock))

    def close_session(self, tenant: Tenant, session_id: str) -> None:
        """Close a session at once; its queued jobs fail, its running ones go on (`DELETE …/close`)."""
        session = self.session(tenant, session_id)
        for job in lifecycle.close_session(session, Instant.of(self.clock)):
            self._lines[job.order.backend].drop(job)

    # the transpiler service

    def transpile(self, user_id: str, work: TranspileWork) -> TranspilerTask:
        """Begin a task of the transpiler service (`POST /transpile`)."""
        record = TranspilerTask(self.identifiers.task(), user_id)
        self._tasks[record.id] = record
        self._in_background(self._transpile(record, work), f"transpile {record.id}")
        return record

    def transpiler_task(self, user_id: str, task_id: str) -> TranspilerTask | None:
        """Give one of the user's tasks, or None: the service takes an unknown task for a waiting one."""
        record = self._tasks.get(task_id)
        return record if record is not None and record.user_id == user_id else None

    # what happens inside

    async def _execute(self, job: Job) -> None:
        work = PrimitiveWork(
            program_id=job.order.program_id,
            backend=job.order.backend,
            params=job.params,
            seed=job.seed,
            noiseless=self._noiseless,
        )
        session = self._session_of(job)
        outcome = await self._run(work, lambda: lifecycle.begin(job, session, Instant.of(self.clock)))
        if job.status.final:
            return
        now = Instant.of(self.clock)
        lifecycle.begin(job, session, now)  # it did run, even if its start was never announced
        if isinstance(outcome, Done):
            lifecycle.complete(job, session, now, outcome.body, outcome.quantum_seconds)
        else:
            lifecycle.fail(job, session, now, _reason(outcome))

    async def _transpile(self, record: TranspilerTask, work: TranspileWork) -> None:
        outcome = await self._run(work, lambda: _start(record))
        if isinstance(outcome, Done):
            record.state, record.body = TaskState.SUCCESS, outcome.body
        else:
            record.state = TaskState.FAILURE
            _log.warning("transpiler task %s failed: %s", record.id, outcome.reason)

    def _in_background(self, errand: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(errand, name=name)
        self._background.add(task)
        task.add_done_callback(self._errand_over)

    def _errand_over(self, task: asyncio.Task[None]) -> None:
        self._background.discard(task)
        if not task.cancelled() and (error := task.exception()):
            _log.error("could not %s", task.get_name(), exc_info=error)

    async def _run(self, work: Work, on_start: Callable[[], None]) -> Outcome:
        try:
            return await self._pool.run(work, on_start)
        except Exception as error:  # noqa: BLE001 - a broken pool fails the job, not the server
            _log.exception("the pool of workers broke")
            return Failed(
                reason=f"Unknown error: {error}",
                code=1500,
                solution="Submit the job again.",
                traceback=traceback.format_exc(),
            )

    def _creation(self, tenant: Tenant) -> Instant:
        """Make the date of a new job: never before the tenant's last one, and as fine as replies show it."""
        now = Instant.of(self.clock)
        date = now.date
        if tenant.platform is Platform.LEGACY:
            date = date.replace(microsecond=date.microsecond // 1000 * 1000)
        last = next(reversed(self._jobs[tenant].values()), None)
        if last is not None:
            date = max(date, last.created.date)
        return Instant(date, now.monotonic)

    def _session_of(self, job: Job) -> Session | None:
        return self._sessions[job.order.session_id] if job.order.session_id is not None else None

    def _session_for(self, tenant: Tenant, order: JobOrder) -> Session | None:
        if order.session_id is None:
            return None
        session = self.session(tenant, order.session_id)
        if session.state is SessionState.CLOSED or not session.accepting_jobs:
            raise Refusal(
                400,
                1217,
                f"Session has been closed. Session ID: {session.id}",
                "Open a new session and submit the job there.",
            )
        if session.backend not in (None, order.backend):
            raise bad_body(f"backend must be {session.backend!r}, the backend of session {session.id}")
        return session


def _start(record: TranspilerTask) -> None:
    record.state = TaskState.STARTED


def _reason(failed: Failed) -> Reason:
    return Reason(failed.reason, failed.code, failed.solution, failed.traceback)
