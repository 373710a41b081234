"""The emulated service without its web face: who may do what, and what there is."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import attrs

from qrt_async.emulator import lifecycle
from qrt_async.emulator.admission import Admission, refuse_outsider
from qrt_async.emulator.alarms import Alarms
from qrt_async.emulator.books import Books
from qrt_async.emulator.clock import Instant, RealClock
from qrt_async.emulator.credentials import Credentials
from qrt_async.emulator.fates import End, conclude, meet
from qrt_async.emulator.faults import Faults
from qrt_async.emulator.identifiers import Identifiers
from qrt_async.emulator.instances import Instances
from qrt_async.emulator.ledger import Ledger, charge_for
from qrt_async.emulator.lines import Line
from qrt_async.emulator.records import Condition, Job, JobPage, JobStatus, Platform, Session
from qrt_async.emulator.refusals import Refusal, unknown_backend, unknown_job, unknown_session
from qrt_async.emulator.settings import Settings
from qrt_async.emulator.shared_circuits import SharedCircuits
from qrt_async.emulator.transpiler import Errands, Transpiler, run_safely
from qrt_async.emulator.virtual_clock import VirtualClock
from qrt_async.emulator.work import Done, PrimitiveWork

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from datetime import datetime

    from qrt_async.emulator.alarms import Alarm
    from qrt_async.emulator.clock import Clock
    from qrt_async.emulator.devices import Device
    from qrt_async.emulator.fates import Fate
    from qrt_async.emulator.faults import Injected
    from qrt_async.emulator.lifecycle import Deadline
    from qrt_async.emulator.pool import Pool
    from qrt_async.emulator.records import JobOrder, JobQuery, SessionOrder, Tenant
    from qrt_async.emulator.store import Remembered, Store

SIMULATION_GRACE = 60.0  # seconds: simulating a job may take longer than the device would


class World:
    """Tokens, backends, jobs, sessions and transpiler tasks; everything happens on one event loop.

    `devices` are the backends on offer, in the order they are listed; `pool` runs what is submitted; `settings` are
    the plan, region and other choices; `store` keeps jobs and sessions beyond the world's life, if there is one.
    Every method that cannot give what was asked for raises `Refusal`.
    """

    def __init__(
        self,
        devices: Mapping[str, Device],
        pool: Pool,
        *,
        settings: Settings | None = None,
        clock: Clock | None = None,
        store: Store | None = None,
    ) -> None:
        self.settings: Settings = settings or Settings()
        self.clock: Clock = clock or RealClock()
        self.started: datetime = self.clock.now()
        self.identifiers: Identifiers = Identifiers(self.settings.seed)
        self.credentials: Credentials = Credentials(
            self.settings.api_keys, self.identifiers, self.clock, self.settings.token_lifetime
        )
        self.devices: Mapping[str, Device] = devices
        self.conditions: dict[str, Condition] = dict.fromkeys(devices, Condition())
        self.ledger: Ledger = Ledger()
        self.books: Books = Books(record=self.settings.record)
        self.instances: Instances = Instances(self.settings.plan, self.settings.region, self.ledger, self.clock)
        self.admission: Admission = Admission(self.settings, self.instances, self.clock)
        self.faults: Faults = Faults(self.identifiers.root, self.clock)
        self._pool = pool
        self._store = store
        # what may happen later waits for time, and does not make it pass
        self._alarms = Alarms(self.clock.patient if isinstance(self.clock, VirtualClock) else self.clock)
        self._lines = {name: Line(self._execute) for name in devices}
        self._jobs: dict[Tenant, dict[str, Job]] = {}
        self._waiting_for_usage: dict[str, Job] = {}
        self._fates: dict[str, Fate] = {}
        self._sessions: dict[str, Session] = {}
        self._session_alarms: dict[str, Alarm] = {}
        self.errands: Errands = Errands()
        self.transpiler: Transpiler = Transpiler(pool, self.identifiers, self.errands)
        self.shared_circuits: SharedCircuits = SharedCircuits(self.identifiers)

    def warm(self) -> None:
        """Begin to start the workers, without waiting for them."""
        self.errands.begin(self._pool.warm(), "warm the workers")

    def remember(self, remembered: Remembered) -> None:
        """Take over what an earlier emulator left; its unfinished jobs are queued again."""
        self.identifiers.resume(remembered.works)
        self.instances.limits.update(remembered.limits)
        for charge in remembered.charges:
            self.ledger.enter(charge)
        self._sessions.update((session.id, session) for session in remembered.sessions)
        for job in remembered.jobs:
            self._jobs.setdefault(job.tenant, {})[job.id] = job
            self.books.enter(job)
            if not job.status.final:
                lifecycle.queue(job, self._session_of(job))
                self._line_up(job)
        for session in remembered.sessions:
            self._watch(session)

    async def close(self) -> None:
        """Stop all work and end the workers; what is unfinished stays so in the state file."""
        await self._alarms.close()
        for line in self._lines.values():
            await line.close()
        await self.errands.close()
        await self._pool.close()
        if self._store is not None:
            await asyncio.to_thread(self._store.close)

    # backends

    def device(self, name: str) -> Device:
        """Give the backend of that name."""
        try:
            return self.devices[name]
        except KeyError:
            raise unknown_backend(name) from None

    def set_condition(self, name: str, condition: Condition) -> None:
        """Say how a backend is; unless it is online, no job begins there."""
        self.device(name)
        self.conditions[name] = condition
        self._lines[name].pause(paused=not condition.online)

    def queue_length(self, name: str) -> int:
        """Give how many jobs of all tenants are queued or running on a backend."""
        return self._lines[name].length

    # jobs

    def submit(self, tenant: Tenant, order: JobOrder, caller: str = "", fate: Fate | None = None) -> Job:
        """Queue a job (`POST /jobs`); `caller` is what it said in `X-Qx-Client-Application`, `fate` how it ends."""
        self.device(order.backend)
        session = self._session_for(tenant, order)
        jobs = self._jobs.setdefault(tenant, {})
        self.admission.refuse_beyond_limits(tenant, jobs.values())
        job = Job(
            id=_fresh(self.identifiers.job, jobs),
            tenant=tenant,
            order=order,
            seed=self.identifiers.work_seed(),
            created=self._creation(tenant),
            params=order.params,
            tags=order.tags,
            caller=caller,
        )
        jobs[job.id] = job
        self.books.enter(job)
        lifecycle.queue(job, session)
        if self._store is not None:
            self._store.add_job(job, self.identifiers.works)
        self._watch(session)
        if fate is not None:
            self._doom(job, fate)
        self._line_up(job)
        return job

    def job(self, tenant: Tenant, job_id: str) -> Job:
        """Give one of the tenant's jobs; another's is as unknown as one that never was."""
        try:
            return self._jobs[tenant][job_id]
        except KeyError:
            raise unknown_job(job_id) from None

    def jobs(self, tenant: Tenant) -> tuple[Job, ...]:
        """Give all of the tenant's jobs, the oldest first."""
        return tuple(self._jobs.get(tenant, {}).values())

    def list_jobs(self, tenant: Tenant, query: JobQuery, lag: Injected | None = None) -> JobPage:
        """Give the tenant's jobs that `query` admits and `lag` does not hide, a page of them (`GET /jobs`)."""
        jobs = self._jobs.get(tenant, {})
        in_order = jobs.values() if query.oldest_first else reversed(jobs.values())
        found = query.select(in_order)
        if lag is not None and lag.lags:
            now = self.clock.monotonic()
            found = [job for job in found if not lag.hides(job, now)]
        page = found[query.offset : query.offset + query.limit]
        return JobPage(tuple(page), len(found), query.limit, query.offset)

    def position(self, job: Job) -> int | None:
        """Give a queued job's place in the queue of its backend, from 1; None once it has begun."""
        return self._lines[job.order.backend].position(job)

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
        session = self._session_of(job)
        lifecycle.cancel(job, session, Instant.of(self.clock))
        self._drop(job)
        self._ended(job, session)

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
        if self._store is not None:
            self._store.forget_job(job_id)

    def vanish(self, job_id: str) -> None:
        """Make a job as unknown as if it had never been; its execution stops, and nothing is charged."""
        for jobs in self._jobs.values():
            job = jobs.pop(job_id, None)
            if job is not None:
                break
        else:
            raise unknown_job(job_id)
        if not job.status.final:
            session = self._session_of(job)
            lifecycle.cancel(job, session, Instant.of(self.clock))
            self._drop(job)
            self._watch(session)
        self._waiting_for_usage.pop(job_id, None)
        if self._store is not None:
            self._store.forget_job(job_id)

    def take_results(self, tenant: Tenant, job_id: str) -> bytes | None:
        """Give the bytes of a completed job's results, a private job's only once; None if there are none."""
        job = self.job(tenant, job_id)
        body = job.body
        fate = self._fates.get(job_id)
        if body is not None and (job.order.private or (fate is not None and fate.readable_once)):
            job.body = None
            self._keep(job)
        return body

    def replace_tags(self, tenant: Tenant, job_id: str, tags: tuple[str, ...]) -> None:
        """Put new tags in the place of a job's old ones (`PUT /jobs/{id}/tags`)."""
        job = self.job(tenant, job_id)
        job.tags = tags
        self._keep(job)

    def set_limit(self, crn: str, limit: int | None) -> None:
        """Set or remove an instance's limit; jobs that waited for usage join the queues if there is some now."""
        self.instances.set_limit(crn, limit)
        if self._store is not None:
            self._store.put_limit(crn, limit)
        waiting, self._waiting_for_usage = self._waiting_for_usage, {}
        for job in waiting.values():
            self._line_up(job)

    # sessions

    def open_session(self, tenant: Tenant, order: SessionOrder) -> Session:
        """Open a session or batch (`POST /sessions`)."""
        if order.backend is not None:
            self.device(order.backend)
        legacy = tenant.platform is Platform.LEGACY
        session = Session(
            id=_fresh(self.identifiers.legacy_session if legacy else self.identifiers.session, self._sessions),
            tenant=tenant,
            order=order,
            created=Instant.of(self.clock),
            backend=order.backend,
        )
        lifecycle.open_session(session)
        self._sessions[session.id] = session
        self._watch(session)
        return session

    def session(self, tenant: Tenant, session_id: str) -> Session:
        """Give one of the tenant's sessions."""
        session = self._sessions.get(session_id)
        if session is None or session.tenant != tenant:
            raise unknown_session(session_id)
        return session

    def sessions(self, tenant: Tenant) -> tuple[Session, ...]:
        """Give all of the tenant's sessions, the oldest first."""
        return tuple(session for session in self._sessions.values() if session.tenant == tenant)

    def all_sessions(self) -> tuple[Session, ...]:
        """Give everybody's sessions, the oldest first."""
        return tuple(self._sessions.values())

    def set_accepting(self, tenant: Tenant, session_id: str, accepting: bool) -> None:
        """Drain a session, or let it take jobs again (`PATCH /sessions/{id}`)."""
        session = self.session(tenant, session_id)
        lifecycle.set_accepting(session, accepting, Instant.of(self.clock))
        self._watch(session)

    def close_session(self, tenant: Tenant, session_id: str) -> None:
        """Close a session at once; its queued jobs fail, its running ones go on (`DELETE …/close`)."""
        session = self.session(tenant, session_id)
        self._dropped(session, lifecycle.close_session(session, Instant.of(self.clock)))

    # what happens inside

    def _line_up(self, job: Job) -> None:
        if job.status.final:
            return
        if job.tenant.instance and self.instances.exhausted(job.tenant.instance):
            self._waiting_for_usage[job.id] = job
        elif job.order.backend in self._lines:  # a state file may name a backend that is not on offer now
            self._lines[job.order.backend].join(job)

    async def _execute(self, job: Job) -> None:
        backend, session = job.order.backend, self._session_of(job)
        await self._sleep_until(job.created.monotonic + self.settings.queue_seconds.get(backend, 0))
        await self._lines[backend].opened()
        fate = self._fates.get(job.id)
        if fate is not None and fate.end not in (End.COMPLETED, End.VANISHED):
            await self.clock.sleep(fate.after)
            meet(fate, job, session, Instant.of(self.clock))
            self._ended(job, session)
            return
        limit: list[Alarm] = []
        outcome = await run_safely(self._pool, self._work(job), lambda: limit.append(self._begin(job, session)))
        if isinstance(outcome, Done) and backend in self.settings.run_seconds:
            outcome = attrs.evolve(outcome, quantum_seconds=self.settings.run_seconds[backend])
            began = job.started or Instant.of(self.clock)
            await self._sleep_until(began.monotonic + min(outcome.quantum_seconds, job.order.time_limit))
        for alarm in limit:
            alarm.cancel()
        if not job.status.final:
            conclude(outcome, job, session, Instant.of(self.clock))
            self._ended(job, session)

    async def _sleep_until(self, monotonic: float) -> None:
        seconds = monotonic - self.clock.monotonic()
        if seconds > 0:
            await self.clock.sleep(seconds)

    def _work(self, job: Job) -> PrimitiveWork:
        return PrimitiveWork(
            program_id=job.order.program_id,
            backend=job.order.backend,
            params=job.params,
            seed=job.seed,
            noiseless=self.settings.noiseless,
        )

    def _doom(self, job: Job, fate: Fate) -> None:
        self._fates[job.id] = fate
        if fate.end is End.VANISHED:
            self._alarms.at(job.created.monotonic + fate.after, lambda _: self.vanish(job.id))

    def _begin(self, job: Job, session: Session | None) -> Alarm:
        now = Instant.of(self.clock)
        lifecycle.begin(job, session, now)
        self._keep(job)
        self._watch(session)
        return self._alarms.at(now.monotonic + job.order.time_limit + SIMULATION_GRACE, partial(self._stop, job))

    def _stop(self, job: Job, at: Instant) -> None:
        if job.status is JobStatus.RUNNING:
            session = self._session_of(job)
            lifecycle.stop(job, session, at)
            self._drop(job)
            self._ended(job, session)

    def _ended(self, job: Job, session: Session | None) -> None:
        """Do what the end of a job brings with it: a charge, and a new deadline for its session."""
        self._waiting_for_usage.pop(job.id, None)
        charge = charge_for(job, session)
        self.ledger.enter(charge)
        if self._store is not None:
            self._store.add_charge(charge)
            if job.order.private:
                self._store.forget_params(job)
        self._keep(job)
        self._watch(session)

    def _watch(self, session: Session | None) -> None:
        """Keep a session that has changed, and set the alarm for what time will do to it next."""
        if session is None:
            return
        if self._store is not None:
            self._store.put_session(session)
        if alarm := self._session_alarms.pop(session.id, None):
            alarm.cancel()
        if due := lifecycle.deadline(session):
            self._session_alarms[session.id] = self._alarms.at(due.monotonic, partial(self._expire, session, due))

    def _expire(self, session: Session, due: Deadline, at: Instant) -> None:
        self._dropped(session, lifecycle.expire(session, due, at))

    def _dropped(self, session: Session, jobs: list[Job]) -> None:
        for job in jobs:
            self._drop(job)
            self._ended(job, session)
        self._watch(session)

    def _drop(self, job: Job) -> None:
        if job.order.backend in self._lines:
            self._lines[job.order.backend].drop(job)

    def _keep(self, job: Job) -> None:
        if self._store is not None:
            self._store.change_job(job)

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
        refuse_outsider(session, order)
        return session


def _fresh(make: Callable[[], str], taken: Collection[str]) -> str:
    """Make an id that is not taken: an emulator that goes on with another's state repeats its random numbers."""
    while (name := make()) in taken:
        pass
    return name
