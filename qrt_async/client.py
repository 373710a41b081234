"""The client: one account on one instance."""

from __future__ import annotations

import asyncio
import random
import warnings
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar, Unpack

from qrt_async import pubs as pub_rules
from qrt_async.account import Account
from qrt_async.backends import Backends
from qrt_async.bulk import planning
from qrt_async.bulk.completion import as_completed
from qrt_async.bulk.fan_out import FanOut, Pubs, gathered
from qrt_async.bulk.flight import Service
from qrt_async.bulk.planning import Plan
from qrt_async.bulk.settings import FanOutOptions, FanOutSettings, PackingOptions, PackingSettings
from qrt_async.clock import Clock, SystemClock
from qrt_async.discovery import find_instances
from qrt_async.engine import Engine
from qrt_async.errors import QrtError, UsageError
from qrt_async.jobs import Job, Jobs
from qrt_async.models.jobs import Program
from qrt_async.models.primitive_options import EstimatorOptions, SamplerOptions
from qrt_async.models.pubs import IsaCircuit
from qrt_async.models.results import EstimatorResult, PrimitiveResult, PubResult, SamplerResult
from qrt_async.models.usage import ApiVersion, InstanceOffer
from qrt_async.options import Limits, PollPolicy, RetryPolicy, Timeouts
from qrt_async.primitives import estimator_job, program_job, sampler_job
from qrt_async.pubs import EstimatorPubLike, SamplerPubLike
from qrt_async.sessions import Session, Sessions, session
from qrt_async.transpiler import Transpiler
from qrt_async.transpiler.local import LocalTranspiler
from qrt_async.transpiler.service import ServiceTranspiler
from qrt_async.usage import Accounts, Analytics, LegacyOnly, OwnInstance, Workloads
from qrt_async.wire import results
from qrt_async.wire import usage as usage_wire
from qrt_async.wire.call import Call
from qrt_async.wire.dialect import Platform

if TYPE_CHECKING:
    from qiskit.circuit import QuantumCircuit

T = TypeVar("T")

_SUBMISSIONS_PER_MINUTE = 5


class Client:
    """
    Speaks to the service for one account; use it as ``async with Client(account) as client``.

    Making one sends nothing: it logs in with the first call, renews its token in time, and at the end of the block logs
    out (where the platform can) and closes its connections, also when the block failed. One client serves any number of
    coroutines at once. `clock` and `rng` are for tests.
    """

    def __init__(
        self,
        account: Account,
        *,
        limits: Limits | None = None,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
        poll: PollPolicy | None = None,
        clock: Clock | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self._engine = Engine(
            account,
            timeouts=timeouts or Timeouts(),
            retry=retry or RetryPolicy(),
            limits=limits or Limits(),
            clock=clock or SystemClock(),
            rng=rng or random.Random(),  # noqa: S311 - spreads delays, keeps no secret
        )
        self._backends = Backends(self._engine)
        self._jobs = Jobs(self._engine, poll or PollPolicy())
        self._transpiler: Transpiler = (
            ServiceTranspiler(self._engine)
            if account.platform is Platform.LEGACY
            else LocalTranspiler(self._backends, self._engine.rng)
        )

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
        return Sessions(self._engine)

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
    ) -> Job[SamplerResult]:
        """
        Submit one sampler job and return the handle on it.

        A PUB is a circuit, ``(circuit, parameters, shots)`` with the end left out, or a :class:`SamplerPub`; `shots` is
        for PUBs that name none. `max_time` bounds the seconds that the job may run. A `private` job's inputs are never
        given back and its result can be read once.

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
        return await self._jobs.submit(request)

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
        return await self._jobs.submit(request)

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
    ) -> Job[Any]:
        """
        Submit a job of any program, its `params` sent as they are, and return the handle on it.

        The result is what the body says: a :class:`PrimitiveResult`, or JSON with its typed values decoded.
        """
        program: Program[Any] = Program(program_id, results.any_program)
        request = program_job(
            program,
            params,
            backend=backend,
            tags=tags,
            private=private,
            max_time=max_time,
            session_id=session_id,
        )
        return await self._jobs.submit(request)

    async def send(self, call: Call[T]) -> T:
        """Send any call of :mod:`qrt_async.wire`, or one of your own, as this account: for what is missing here."""
        return await self._engine.send(call)

    async def versions(self) -> tuple[ApiVersion, ...]:
        """Return the dated versions of the API (``GET /versions``)."""
        return await self._engine.run(usage_wire.versions())

    async def instances(self) -> tuple[InstanceOffer, ...]:
        """Return the instances that the API key can use, by IBM Cloud's search (today's platform)."""
        if self._engine.account.platform is Platform.LEGACY:
            raise UsageError("instances of the legacy platform are listed by client.legacy.me()")
        return await find_instances(self._engine)

    def session(self, backend: str, *, mode: str = "dedicated", max_time: int | None = None) -> Session:
        """
        Return a session (`mode` ``"dedicated"`` or ``"batch"``) to be entered with ``async with``.

        `max_time` is its longest life in seconds, eight hours unless said otherwise.
        """
        return session(self._engine, self._jobs, backend=backend, mode=mode, max_time=max_time)

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
        service = Service(
            engine=self._engine,
            jobs=self._jobs,
            backends=self._backends,
            transpile=self.transpile,
            per_minute=_SUBMISSIONS_PER_MINUTE,
        )
        return FanOut.of(service, pubs, backends, FanOutOptions(**settings))

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

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Log out where the platform can, end what runs for this client, close its connections."""
        try:
            await self._engine.log_out()
        except QrtError as failure:
            warnings.warn(f"could not log out, the token lives until it ends: {failure}", ResourceWarning, stacklevel=2)
        finally:
            await self._transpiler.aclose()
            await self._engine.aclose()
