"""The client: one account on one instance."""

from __future__ import annotations

import asyncio
import copy
import os
import random
import warnings
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar, Unpack

import attrs

from qrt_async import pubs as pub_rules
from qrt_async.account import Account
from qrt_async.backends import Backends
from qrt_async.bulk import planning
from qrt_async.bulk.campaign import Campaign
from qrt_async.bulk.coalescer import Coalescer
from qrt_async.bulk.completion import as_completed
from qrt_async.bulk.fan_out import FanOut, Pubs, gathered
from qrt_async.bulk.flight import Service
from qrt_async.bulk.planning import Plan
from qrt_async.bulk.settings import (
    CoalescingOptions,
    CoalescingSettings,
    FanOutOptions,
    FanOutSettings,
    PackingOptions,
    PackingSettings,
)
from qrt_async.clock import Clock, SystemClock
from qrt_async.discovery import find_instances
from qrt_async.engine import Engine
from qrt_async.errors import QrtError, UsageError
from qrt_async.hooks import Hook, Hooks
from qrt_async.jobs import Job, Jobs
from qrt_async.journal import Journal
from qrt_async.models.jobs import Program
from qrt_async.models.primitive_options import EstimatorOptions, SamplerOptions
from qrt_async.models.pubs import IsaCircuit
from qrt_async.models.results import (
    EstimatorData,
    EstimatorResult,
    PrimitiveResult,
    PubResult,
    SamplerData,
    SamplerResult,
)
from qrt_async.models.usage import ApiVersion, InstanceOffer
from qrt_async.network import Network
from qrt_async.options import (
    CallOptions,
    Limits,
    PollPolicy,
    RetryPolicy,
    SessionEnd,
    SubmissionPolicy,
    SubmitOptions,
    Timeouts,
)
from qrt_async.primitives import estimator_job, program_job, sampler_job
from qrt_async.pubs import EstimatorPubLike, SamplerPubLike
from qrt_async.quota import Quota
from qrt_async.regardless import regardless
from qrt_async.resuming import Resumed, Resumption
from qrt_async.retrieval import Retrieval
from qrt_async.sessions import Session, Sessions, session
from qrt_async.submission import Submissions
from qrt_async.transpiler import Transpiler
from qrt_async.transpiler.local import LocalTranspiler
from qrt_async.transpiler.service import ServiceTranspiler
from qrt_async.usage import Accounts, Analytics, LegacyOnly, OwnInstance, Workloads
from qrt_async.watcher import Watcher
from qrt_async.wire import results
from qrt_async.wire import usage as usage_wire
from qrt_async.wire.call import Call
from qrt_async.wire.dialect import Platform
from qrt_async.wire.primitives import ESTIMATOR, SAMPLER

if TYPE_CHECKING:
    from qiskit.circuit import QuantumCircuit

T = TypeVar("T")

_SUBMISSIONS_PER_MINUTE = 5


class Client:
    """
    Speaks to the service for one account; use it as ``async with Client(account) as client``.

    Making one sends nothing: it logs in with the first call, renews its token in time, and at the end of the block logs
    out (where the platform can) and closes its connections, also when the block failed. One client serves any number of
    coroutines at once.

    `quota` is shared by the clients of one user, `journal` (a file) remembers what was submitted beyond the process's
    end, and `hooks` are told what happens. `clock` and `rng` are for tests.
    """

    def __init__(
        self,
        account: Account,
        *,
        limits: Limits | None = None,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
        poll: PollPolicy | None = None,
        submission: SubmissionPolicy | None = None,
        quota: Quota | None = None,
        journal: Journal | str | os.PathLike[str] | None = None,
        hooks: Iterable[Hook] = (),
        network: Network | None = None,
        clock: Clock | None = None,
        rng: random.Random | None = None,
    ) -> None:
        limits = limits or _own_limits(account)
        self._engine = Engine(
            account,
            timeouts=timeouts or Timeouts(),
            retry=retry or RetryPolicy(),
            limits=limits,
            clock=clock or SystemClock(),
            rng=rng or random.Random(),  # noqa: S311 - spreads delays and tells tags apart, keeps no secret
            hooks=Hooks(tuple(hooks)),
            network=network,
        )
        self._journal = journal if journal is None or isinstance(journal, Journal) else Journal(journal)
        self._owns_journal = self._journal is not journal
        self._run_id = f"client-{self._engine.rng.getrandbits(64):016x}"
        self._quota = quota or Quota(limits.submissions_per_minute, clock=self._engine.clock)
        if self._journal and quota is None:
            self._quota.share(self._journal, account.user)
        self._submission = submission or SubmissionPolicy()
        self._poll = poll or PollPolicy()
        self._watcher = Watcher(self._engine, self._poll)
        submissions = Submissions(self._engine, self._quota, self._submission, self._journal, self._run_id)
        self._attach(self._engine, submissions, is_view=False)

    def _attach(self, engine: Engine, submissions: Submissions, *, is_view: bool) -> None:
        """Make the collections, all of which send by `engine`."""
        self._engine = engine
        self._submissions = submissions
        self._is_view = is_view
        self._retrieval = Retrieval(engine, self._poll, submissions, self._watcher, self._journal)
        self._backends = Backends(engine)
        self._jobs = Jobs(engine, submissions, self._retrieval)
        self._sessions = Sessions(engine, self._journal, self._run_id)
        self._transpiler: Transpiler = (
            ServiceTranspiler(engine)
            if engine.account.platform is Platform.LEGACY
            else LocalTranspiler(self._backends, engine.rng)
        )

    def with_options(self, *, timeouts: Timeouts | None = None, retry: RetryPolicy | None = None) -> Client:
        """
        Return a client with other settings that shares everything else with this one.

        Login, connections, quota, journal and waiting are shared, and end with this client, not with the other.
        """
        engine = self._engine.view(timeouts, retry)
        other = copy.copy(self)
        other._attach(engine, self._submissions.view(engine), is_view=True)  # noqa: SLF001 - it is one of our own
        return other

    def __repr__(self) -> str:
        account = self._engine.account
        return f"Client({account.platform.name}, instance={account.instance!r})"

    @property
    def backends(self) -> Backends:
        """The backends of the instance."""
        return self._backends

    @property
    def jobs(self) -> Jobs:
        """The jobs of the instance."""
        return self._jobs

    @property
    def sessions(self) -> Sessions:
        """The sessions of the instance, without a block that ends them; see :meth:`session`."""
        return self._sessions

    @property
    def instance(self) -> OwnInstance:
        """The instance itself: plan, limits, usage."""
        return OwnInstance(self._engine)

    @property
    def accounts(self) -> Accounts:
        """The plans of accounts."""
        return Accounts(self._engine)

    @property
    def workloads(self) -> Workloads:
        """Jobs, sessions and batches in one list."""
        return Workloads(self._engine)

    @property
    def analytics(self) -> Analytics:
        """Totals over jobs and sessions."""
        return Analytics(self._engine)

    @property
    def legacy(self) -> LegacyOnly:
        """What the legacy platform alone has."""
        return LegacyOnly(self._engine)

    async def login(self) -> None:
        """
        Log in now instead of with the first call.

        Raises:
            LoginError: the credentials were refused.

        """
        await self._engine.log_in()

    async def transpile(
        self,
        circuits: Sequence[str | QuantumCircuit],
        *,
        backend: str,
        optimization_level: int = 2,
        ai: bool | None = None,
    ) -> list[IsaCircuit]:
        """
        Return each circuit (OpenQASM 2 or 3, or a ``QuantumCircuit``) in the backend's own instructions, in order.

        On the legacy platform the transpiler service does it, with AI passes where `ai` says so (None leaves the choice
        to the service); on today's platform, which has no such service, Qiskit on this machine does.

        Raises:
            UsageError: a circuit's parameters have names that OpenQASM would change or reorder.
            TranspileError: a circuit is not valid, or does not fit the backend.

        """
        given = await asyncio.to_thread(pub_rules.circuits, circuits)
        if isinstance(optimization_level, bool) or optimization_level not in range(4):
            raise UsageError(f"optimization_level is 0, 1, 2 or 3, not {optimization_level!r}")
        if not given:
            return []
        return await self._transpiler.transpile(given, backend=backend, optimization_level=optimization_level, ai=ai)

    async def sampler(
        self,
        pubs: Iterable[SamplerPubLike],
        *,
        backend: str,
        shots: int | None = None,
        options: SamplerOptions | Mapping[str, Any] | None = None,
        tags: Iterable[str] = (),
        private: bool = False,
        max_time: int | None = None,
        **how: Unpack[SubmitOptions],
    ) -> Job[SamplerResult]:
        """
        Submit one sampler job and return the handle on it.

        A PUB is a circuit, ``(circuit, parameters, shots)`` with the end left out, or a :class:`SamplerPub`; `shots` is
        for PUBs that name none. `max_time` bounds the seconds that the job may run. A `private` job's inputs are never
        given back and its result can be read once. `how` takes `key`, `on_cancel`, `timeout` and `max_retries`: see
        :class:`SubmitOptions`.

        Raises:
            InvalidPub: a PUB that no service would accept; nothing was sent.
            ApiError: the service refused the job.

        """
        request = await sampler_job(
            pubs,
            platform=self._engine.account.platform,
            backend=backend,
            shots=shots,
            options=options,
            tags=tags,
            private=private,
            max_time=max_time,
        )
        return await self._jobs.submit(request, **how)

    async def estimator(
        self,
        pubs: Iterable[EstimatorPubLike],
        *,
        backend: str,
        precision: float | None = None,
        options: EstimatorOptions | Mapping[str, Any] | None = None,
        tags: Iterable[str] = (),
        private: bool = False,
        max_time: int | None = None,
        **how: Unpack[SubmitOptions],
    ) -> Job[EstimatorResult]:
        """
        Submit one estimator job and return the handle on it.

        A PUB is ``(circuit, observables, parameters, precision)`` with the end left out from the third on, or an
        :class:`EstimatorPub`; `precision` is for PUBs that name none. On an :class:`IsaCircuit` the observables are
        those of the original circuit. The other arguments are as for :meth:`sampler`.

        Raises:
            InvalidPub: a PUB that no service would accept; nothing was sent.
            ApiError: the service refused the job.

        """
        request = await estimator_job(
            pubs,
            platform=self._engine.account.platform,
            backend=backend,
            precision=precision,
            options=options,
            tags=tags,
            private=private,
            max_time=max_time,
        )
        return await self._jobs.submit(request, **how)

    def job(self, job_id: str) -> Job[PrimitiveResult[Any]]:
        """Return a handle on a job that exists; nothing is sent."""
        return self._jobs.job(job_id)

    async def submit(
        self,
        program_id: str,
        params: Mapping[str, Any],
        *,
        backend: str,
        tags: Iterable[str] = (),
        private: bool = False,
        max_time: int | None = None,
        session_id: str | None = None,
        **how: Unpack[SubmitOptions],
    ) -> Job[Any]:
        """
        Submit a job of any program, its `params` sent as they are, and return the handle on it.

        The result is what the body says: a :class:`PrimitiveResult`, or JSON with its typed values decoded.
        """
        program: Program[Any] = Program(program_id, results.any_program)
        request = await asyncio.to_thread(
            program_job,
            program,
            params,
            backend=backend,
            tags=tags,
            private=private,
            max_time=max_time,
            session_id=session_id,
        )
        return await self._jobs.submit(request, **how)

    async def send(self, call: Call[T], **how: Unpack[CallOptions]) -> T:
        """Send any call of :mod:`qrt_async.wire`, or one of your own, as this account: for what is missing here."""
        return await self._engine.run(call, **how)

    async def versions(self, **how: Unpack[CallOptions]) -> tuple[ApiVersion, ...]:
        """Return the dated versions of the API (``GET /versions``)."""
        return await self._engine.run(usage_wire.versions(), **how)

    async def instances(self) -> tuple[InstanceOffer, ...]:
        """Return the instances that the API key can use, by IBM Cloud's search (today's platform)."""
        if self._engine.account.platform is Platform.LEGACY:
            raise UsageError("instances of the legacy platform are listed by client.legacy.me()")
        return await find_instances(self._engine)

    def resume(self, run_id: str | None = None) -> AsyncGenerator[Resumed]:
        """
        Finish what processes that are gone began: ``async for done in client.resume()``.

        Their jobs are found by their tags, waited for and fetched, in the order in which they end, and their sessions
        are drained; one result is acknowledged by asking for the next. What a living process owns is not touched.
        `run_id` names one run. A campaign (:meth:`fan_out` with `run`) is taken up by calling it again with its PUBs.

        Raises:
            JournalBusy: a living process owns the run that `run_id` names.

        """
        if self._journal is None:
            raise UsageError("there is nothing to resume without a journal: Client(account, journal='jobs.sqlite')")
        return self._resumption(self._journal).run(run_id)

    def _resumption(self, journal: Journal) -> Resumption:
        return Resumption(self._engine, journal, self._submissions, self._retrieval, self._sessions)

    def session(
        self,
        backend: str,
        *,
        mode: str = "dedicated",
        max_time: int | None = None,
        on_error: SessionEnd | None = None,
    ) -> Session:
        """
        Return a session (`mode` ``"dedicated"`` or ``"batch"``) to be entered with ``async with``.

        `max_time` is its longest life in seconds, eight hours unless said otherwise. `on_error` says how it ends after
        an error or a cancellation: None cancels a dedicated session and drains a batch.
        """
        return session(
            self._engine,
            self._jobs,
            self._sessions,
            backend=backend,
            mode=mode,
            max_time=max_time,
            on_error=on_error,
        )

    def plan(self, pubs: Iterable[Any], *, backends: Iterable[str], **settings: Unpack[PackingSettings]) -> Plan:
        """
        Return how many PUBs would become jobs, and what these would take; nothing is sent, and nothing costs.

        PUBs are written as for :meth:`fan_out`, and `settings` are those of
        :class:`~qrt_async.bulk.settings.PackingOptions`. A million PUBs take about ten seconds: in a coroutine, call it
        with :func:`asyncio.to_thread`.

        Raises:
            InvalidPub: a PUB that no service would accept; `PubTooLarge` where it breaks a limit of a job alone.

        """
        return planning.plan(
            pubs,
            backends=backends,
            options=PackingOptions(**settings),
            submissions_per_minute=_SUBMISSIONS_PER_MINUTE,
        )

    def fan_out(self, pubs: Pubs, *, backends: Iterable[str], **settings: Unpack[FanOutSettings]) -> FanOut:
        """
        Return a run of many PUBs over many backends: ``async with client.fan_out(…) as run: async for done in run``.

        PUBs are written as for one job, and come from a list, a generator or an async generator of any length. They are
        packed into few jobs, transpiled for the backend that they go to where they need it, and come back one by one,
        each with its `index`, `result` or `error`. `settings` are those of
        :class:`~qrt_async.bulk.settings.FanOutOptions`.
        """
        options = FanOutOptions(**settings)
        service = Service(
            engine=self._engine,
            jobs=self._jobs,
            sessions=attrs.evolve(self._sessions, run_id=options.run) if options.run else self._sessions,
            backends=self._backends,
            transpile=self.transpile,
            per_minute=self._quota.per_minute,
            quota=self._quota,
        )
        return FanOut.of(service, pubs, backends, options, self._campaign(options))

    def _campaign(self, options: FanOutOptions) -> Campaign | None:
        if options.run is None:
            return None
        if self._journal is None:
            raise UsageError("a run with a name needs a journal: Client(account, journal='jobs.sqlite')")
        program: Program[Any] = SAMPLER if options.primitive == "sampler" else ESTIMATOR
        return Campaign(options.run, self._journal, self._jobs, self._resumption(self._journal), program)

    async def gather(
        self,
        pubs: Pubs,
        *,
        backends: Iterable[str],
        return_exceptions: bool = False,
        **settings: Unpack[FanOutSettings],
    ) -> list[PubResult[Any] | BaseException]:
        """
        Run many PUBs as :meth:`fan_out` does, and return their results in their order.

        With `return_exceptions` a PUB's error stands in the place of its result; without it the first error is raised,
        and the jobs that are not over are treated as `on_error` says.
        """
        run = self.fan_out(pubs, backends=backends, **settings)
        return await gathered(run, return_exceptions=return_exceptions)

    def as_completed(self, jobs: Iterable[Job[T]]) -> AsyncGenerator[Job[T], None]:
        """Return an iterator over jobs as they are over, however they end: ``async for job in …``."""
        return as_completed(jobs)

    def coalescing_sampler(
        self,
        backend: str,
        *,
        shots: int | None = None,
        options: SamplerOptions | Mapping[str, Any] | None = None,
        **settings: Unpack[CoalescingSettings],
    ) -> Coalescer[SamplerPubLike, SamplerData]:
        """
        Return a sampler for many concurrent callers: ``async with … as sampler: result = await sampler.run(pub)``.

        PUBs that arrive within a window go out as one job, and each caller gets its own result. `shots` and `options`
        are as for :meth:`sampler`; `settings` are those of :class:`~qrt_async.bulk.settings.CoalescingOptions`.
        """
        chosen = CoalescingOptions(**settings)
        packing = chosen.packing("sampler", shots=shots, options=options)
        return Coalescer.of(self._engine, self._jobs, self._quota, backend, chosen, packing)

    def coalescing_estimator(
        self,
        backend: str,
        *,
        precision: float | None = None,
        options: EstimatorOptions | Mapping[str, Any] | None = None,
        **settings: Unpack[CoalescingSettings],
    ) -> Coalescer[EstimatorPubLike, EstimatorData]:
        """Return an estimator for many concurrent callers; see :meth:`coalescing_sampler`."""
        chosen = CoalescingOptions(**settings)
        packing = chosen.packing("estimator", precision=precision, options=options)
        return Coalescer.of(self._engine, self._jobs, self._quota, backend, chosen, packing)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """
        Log out where the platform can, end what runs for this client, close its connections.

        All of it is done, also where the caller is cancelled meanwhile; closing again does nothing.
        """
        await regardless(self._transpiler.aclose() if self._is_view else self._close())

    async def _close(self) -> None:
        await self._watcher.aclose()
        await self._submissions.aclose()
        try:
            await self._engine.log_out()
        except QrtError as failure:
            warnings.warn(f"could not log out, the token lives until it ends: {failure}", ResourceWarning, stacklevel=2)
        finally:
            await self._transpiler.aclose()
            await self._engine.aclose()
            if self._journal and self._owns_journal:
                await self._journal.aclose()


def _own_limits(account: Account) -> Limits:
    """Return what nobody has set: the legacy platform states no quota of submissions."""
    return Limits(submissions_per_minute=None) if account.platform is Platform.LEGACY else Limits()
