"""Sessions that end with their block."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import aclosing, suppress
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

import attrs

from qrt_async import hooks as events
from qrt_async.engine import Engine
from qrt_async.errors import ApiError, NotFound, QrtError, SessionNotEnded, SessionUncertain, UsageError
from qrt_async.idle import IdleWatch
from qrt_async.jobs import Job, Jobs
from qrt_async.journal import Journal
from qrt_async.models.jobs import JobRequest
from qrt_async.models.primitive_options import EstimatorOptions, SamplerOptions
from qrt_async.models.results import EstimatorResult, SamplerResult
from qrt_async.models.sessions import SessionDetails, SessionMode, SessionOutcome
from qrt_async.models.usage import Workload, WorkloadFilter
from qrt_async.options import CallOptions, SessionEnd, SubmitOptions
from qrt_async.primitives import checked_time, estimator_job, sampler_job
from qrt_async.pubs import EstimatorPubLike, SamplerPubLike
from qrt_async.regardless import regardless
from qrt_async.usage import all_workloads
from qrt_async.wire import decisions
from qrt_async.wire import sessions as wire
from qrt_async.wire.call import Call

R = TypeVar("R")

_EIGHT_HOURS = 28_800
_LONGEST = 2_147_483_647


@attrs.frozen
class Sessions:
    """Sessions by their ids, for those who open and end them apart; whoever can uses `client.session`."""

    _engine: Engine
    _journal: Journal | None
    _run_id: str

    async def create(
        self, backend: str, *, mode: str = "dedicated", max_time: int | None = None, **how: Unpack[CallOptions]
    ) -> SessionDetails:
        """
        Open a session (``POST /sessions``) that lasts until it is ended, `max_time` seconds at most.

        A caller who is cancelled meanwhile never learns its id: then it is closed again.

        Raises:
            SessionUncertain: the reply was lost, and nobody can tell whether a session was opened; its candidates are
                those open sessions that may be it.

        """
        checked, kind = _checked_time(max_time), _checked_mode(mode)
        creation = asyncio.ensure_future(self._create(_checked_name(backend), kind, checked, **how))
        try:
            return await asyncio.shield(creation)
        except asyncio.CancelledError:
            await regardless(self._undo(creation, backend))
            raise

    async def _undo(self, creation: asyncio.Future[SessionDetails], backend: str) -> None:
        """End a session whose caller was cancelled while it was being made, for as long as closing may take."""
        closing = self._engine.timeouts.closing
        await asyncio.wait([creation], timeout=closing)
        try:
            if not creation.done():
                creation.cancel()
                self._engine.notices.tell(
                    f"a session on {backend} may have been opened: its caller was cancelled, and no reply came within "
                    f"{closing:g} s; look with client.workloads, and end it with client.sessions.cancel"
                )
                return
            await self.end(creation.result().id, "cancel", timeout=closing)
        except (SessionUncertain, SessionNotEnded) as failure:
            self._engine.notices.tell(str(failure))
        except QrtError:
            return

    async def _create(
        self, backend: str, kind: SessionMode, checked: int, **how: Unpack[CallOptions]
    ) -> SessionDetails:
        call = wire.create(self._engine.account.dialect, backend=backend, mode=kind, max_time=checked)
        token = f"{self._engine.rng.getrandbits(128):032x}"
        if self._journal:
            await self._journal.session_meant(token, self._run_id, backend, kind.value)
        try:
            details = await self._engine.run(call, **how)
        except QrtError as error:
            if decisions.is_ambiguous(error):
                candidates = await self._candidates(backend, kind)
                raise SessionUncertain(backend, str(error), checked, candidates) from error
            if self._journal:
                await self._journal.session_refused(token)
            raise
        if self._journal:
            await self._journal.session_opened(token, details.id)
        for message in details.messages:
            self._engine.notices.tell(message)
        self._engine.hooks.emit(events.SessionOpened(session_id=details.id, backend=backend, mode=kind.value))
        return details

    async def _candidates(self, backend: str, mode: SessionMode) -> tuple[str, ...]:
        try:
            return tuple([one.id async for one in self._open(mode) if one.backend in {None, "", backend}])
        except QrtError:
            return ()

    async def _open(self, mode: SessionMode) -> AsyncGenerator[Workload]:
        """Yield the sessions (or batches) of this user that are open."""
        if self._engine.account.dialect.legacy:
            return
        named = "session" if mode is SessionMode.DEDICATED else mode.value
        wanted = WorkloadFilter(mode=named, statuses=("pending", "in_progress"))
        async with aclosing(all_workloads(self._engine, wanted)) as found:
            async for one in found:
                if one.mode == named and one.ended is None and one.accepting_jobs is not False:
                    yield one

    async def get(self, session_id: str, **how: Unpack[CallOptions]) -> SessionDetails:
        """Return how a session stands (``GET /sessions/{id}``)."""
        return await self._engine.run(wire.get(session_id), **how)

    async def drain(self, session_id: str, **how: Unpack[CallOptions]) -> None:
        """Take no more jobs; what is queued still runs, then the session closes (``PATCH /sessions/{id}``)."""
        await self._end(session_id, wire.drain, "drain", **how)

    async def cancel(self, session_id: str, **how: Unpack[CallOptions]) -> None:
        """Close at once: queued jobs never run, running ones finish (``DELETE /sessions/{id}/close``)."""
        await self._end(session_id, wire.close, "cancel", **how)

    async def close_all(self, *, drain: bool = False) -> tuple[SessionOutcome, ...]:
        """
        End every open session and batch of this user on this instance, and say what became of each.

        They are cancelled, or (`drain`) take no more jobs. Those of other processes are among them. The legacy platform
        cannot list sessions.
        """
        if self._engine.account.dialect.legacy:
            raise UsageError("the legacy platform cannot list sessions: end them by their ids with sessions.cancel")
        found = [one.id for mode in SessionMode async for one in self._open(mode)]
        return tuple(await asyncio.gather(*(self._end_one(session_id, drain=drain) for session_id in found)))

    async def _end_one(self, session_id: str, *, drain: bool) -> SessionOutcome:
        try:
            await (self.drain(session_id) if drain else self.cancel(session_id))
        except QrtError as error:
            return SessionOutcome(session_id=session_id, ended=False, error=error)
        return SessionOutcome(session_id=session_id, ended=True)

    async def end(self, session_id: str, how: SessionEnd, *, timeout: float) -> None:
        """
        End a session, also on a service that cannot drain; one that is gone has ended.

        Raises:
            SessionNotEnded: it may still be open.

        """
        try:
            try:
                await (self.drain if how == "drain" else self.cancel)(session_id, timeout=timeout)
            except ApiError as refusal:
                if refusal.status not in {404, 405}:
                    raise
                with suppress(NotFound):
                    await self.cancel(session_id, timeout=timeout)
                await self._has_ended(session_id)
        except QrtError as failure:
            self._engine.hooks.emit(events.SessionEnded(session_id=session_id, how=how, error=failure))
            raise SessionNotEnded(session_id, str(failure)) from failure

    async def _has_ended(self, session_id: str) -> None:
        if self._journal:
            await self._journal.session_ended(session_id)

    async def _end(
        self, session_id: str, call: Callable[[str], Call[None]], how: SessionEnd, **options: Unpack[CallOptions]
    ) -> None:
        await self._engine.run(call(session_id), **options)
        await self._has_ended(session_id)
        self._engine.hooks.emit(events.SessionEnded(session_id=session_id, how=how))


@attrs.define(eq=False)
class Session:
    """
    A session or batch on one backend, open from ``async with`` to the end of the block.

    After a block that succeeded the session is drained: what was submitted still runs, and it closes by itself. After
    an error or a cancellation a dedicated session, which is billed while it is open, is closed at once, its queued jobs
    with it; a batch is drained; `on_error` changes that. The end is shielded from cancellation, and the service is told
    a finite lifetime from the start, which ends the session even if this process is gone.

    Raises on entry what the service says (on the Open plan, for instance, dedicated sessions are refused),
    `SessionUncertain` where its reply was lost, and `SessionNotEnded` on exit when it could not be ended.
    """

    backend: str = attrs.field(on_setattr=attrs.setters.frozen)
    mode: SessionMode = attrs.field(on_setattr=attrs.setters.frozen)
    max_time: int = attrs.field(on_setattr=attrs.setters.frozen)
    on_error: SessionEnd = attrs.field(on_setattr=attrs.setters.frozen)
    _engine: Engine = attrs.field(repr=False)
    _jobs: Jobs = attrs.field(repr=False)
    _sessions: Sessions = attrs.field(repr=False)
    _id: str | None = attrs.field(default=None, init=False)
    _ended: bool = attrs.field(default=False, init=False)
    _idle: IdleWatch | None = attrs.field(default=None, init=False, repr=False)

    @property
    def id(self) -> str:
        """The service's id of the session; there is none before the block is entered."""
        if self._id is None:
            raise UsageError("the session is not open yet: enter it with 'async with'")
        return self._id

    async def details(self, **how: Unpack[CallOptions]) -> SessionDetails:
        """Ask the service how the session stands (``GET /sessions/{id}``)."""
        return await self._engine.run(wire.get(self.id), **how)

    async def sampler(
        self,
        pubs: Iterable[SamplerPubLike],
        *,
        shots: int | None = None,
        options: SamplerOptions | Mapping[str, Any] | None = None,
        tags: Iterable[str] = (),
        private: bool = False,
        max_time: int | None = None,
        **how: Unpack[SubmitOptions],
    ) -> Job[SamplerResult]:
        """Submit a sampler job to this session; see :meth:`Client.sampler`."""
        request = await sampler_job(
            pubs,
            platform=self._engine.account.platform,
            backend=self.backend,
            shots=shots,
            options=options,
            tags=tags,
            private=private,
            max_time=max_time,
            session_id=self._open_id(),
        )
        return await self.submit(request, **how)

    async def estimator(
        self,
        pubs: Iterable[EstimatorPubLike],
        *,
        precision: float | None = None,
        options: EstimatorOptions | Mapping[str, Any] | None = None,
        tags: Iterable[str] = (),
        private: bool = False,
        max_time: int | None = None,
        **how: Unpack[SubmitOptions],
    ) -> Job[EstimatorResult]:
        """Submit an estimator job to this session; see :meth:`Client.estimator`."""
        request = await estimator_job(
            pubs,
            platform=self._engine.account.platform,
            backend=self.backend,
            precision=precision,
            options=options,
            tags=tags,
            private=private,
            max_time=max_time,
            session_id=self._open_id(),
        )
        return await self.submit(request, **how)

    async def submit(self, request: JobRequest[R], **how: Unpack[SubmitOptions]) -> Job[R]:
        """Submit a job that was made ready to this session."""
        job = await self._jobs.submit(attrs.evolve(request, session_id=self._open_id()), **how)
        if self._idle:
            self._idle.began(job)
        return job

    def _open_id(self) -> str:
        if self._ended:
            raise UsageError(f"session {self.id} has ended: open another one")
        return self.id

    async def __aenter__(self) -> Self:
        if self._id is not None:
            raise UsageError("a session is entered once: make another one with client.session(…)")
        details = await self._sessions.create(self.backend, mode=self.mode, max_time=self.max_time)
        self._id = details.id
        if details.interactive_ttl:
            self._idle = IdleWatch(details.id, float(details.interactive_ttl), self._engine)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended = True
        ending = asyncio.ensure_future(self._end("drain" if error is None else self.on_error))
        try:
            await regardless(ending)
        except asyncio.CancelledError:
            if failure := ending.exception():
                self._engine.notices.tell(str(failure))
            raise
        except SessionNotEnded as failure:
            if error is None:
                raise
            error.add_note(str(failure))
            self._engine.notices.tell(str(failure))

    async def _end(self, how: SessionEnd) -> None:
        if self._idle:
            await self._idle.aclose()
        await self._sessions.end(self.id, how, timeout=self._engine.timeouts.closing)


def session(
    engine: Engine,
    jobs: Jobs,
    sessions: Sessions,
    *,
    backend: str,
    mode: str,
    max_time: int | None,
    on_error: SessionEnd | None,
) -> Session:
    """Return a session that is not open yet; nothing is sent."""
    kind = _checked_mode(mode)
    if on_error not in {None, "drain", "cancel"}:
        raise UsageError(f"on_error is 'drain' or 'cancel', not {on_error!r}")
    end = on_error or ("cancel" if kind is SessionMode.DEDICATED else "drain")
    return Session(_checked_name(backend), kind, _checked_time(max_time), end, engine, jobs, sessions)


def _checked_mode(mode: str) -> SessionMode:
    try:
        return SessionMode(mode)
    except ValueError:
        raise UsageError(f"mode is 'dedicated' or 'batch', not {mode!r}") from None


def _checked_name(backend: str) -> str:
    if not isinstance(backend, str) or not backend:
        raise UsageError(f"backend is a backend's name, such as 'ibm_fez', not {backend!r}")
    return backend


def _checked_time(max_time: int | None) -> int:
    return checked_time(max_time, _LONGEST) or _EIGHT_HOURS
