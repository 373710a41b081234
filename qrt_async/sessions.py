"""Sessions that end with their block."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from types import TracebackType
from typing import Any, Self

import attrs

from qrt_async.engine import Engine
from qrt_async.errors import ApiError, NotFound, QrtError, SessionNotEnded, UsageError
from qrt_async.jobs import Job, Jobs
from qrt_async.models.primitive_options import EstimatorOptions, SamplerOptions
from qrt_async.models.results import EstimatorResult, SamplerResult
from qrt_async.models.sessions import SessionDetails, SessionMode
from qrt_async.primitives import checked_time, estimator_job, sampler_job
from qrt_async.pubs import EstimatorPubLike, SamplerPubLike
from qrt_async.wire import sessions as wire
from qrt_async.wire.call import Call

_EIGHT_HOURS = 28_800
_LONGEST = 2_147_483_647


@attrs.frozen
class Sessions:
    """Sessions by their ids, for those who open and end them apart; whoever can uses `client.session`."""

    _engine: Engine

    async def create(self, backend: str, *, mode: str = "dedicated", max_time: int | None = None) -> SessionDetails:
        """Open a session (``POST /sessions``) that lasts until it is ended, `max_time` seconds at most."""
        checked = _checked_time(max_time)
        call = wire.create(
            self._engine.account.dialect, backend=_checked_name(backend), mode=_checked_mode(mode), max_time=checked
        )
        details = await self._engine.run(call)
        for message in details.messages:
            self._engine.notices.tell(message)
        return details

    async def get(self, session_id: str) -> SessionDetails:
        """Return how a session stands (``GET /sessions/{id}``)."""
        return await self._engine.run(wire.get(session_id))

    async def drain(self, session_id: str) -> None:
        """Take no more jobs; what is queued still runs, then the session closes (``PATCH /sessions/{id}``)."""
        await self._engine.run(wire.drain(session_id))

    async def cancel(self, session_id: str) -> None:
        """Close at once: queued jobs never run, running ones finish (``DELETE /sessions/{id}/close``)."""
        await self._engine.run(wire.close(session_id))


@attrs.define(eq=False)
class Session:
    """
    A session or batch on one backend, open from ``async with`` to the end of the block.

    After a block that succeeded the session is drained: what was submitted still runs, and it closes by itself. After
    an error or a cancellation a dedicated session, which is billed while it is open, is closed at once, its queued jobs
    with it; a batch is drained. The end is shielded from cancellation, and the service is told a finite lifetime from
    the start, which ends the session even if this process is gone.

    Raises on entry what the service says (on the Open plan, for instance, dedicated sessions are refused), and
    `SessionNotEnded` on exit when it could not be ended.
    """

    backend: str = attrs.field(on_setattr=attrs.setters.frozen)
    mode: SessionMode = attrs.field(on_setattr=attrs.setters.frozen)
    max_time: int = attrs.field(on_setattr=attrs.setters.frozen)
    _engine: Engine = attrs.field(repr=False)
    _jobs: Jobs = attrs.field(repr=False)
    _id: str | None = attrs.field(default=None, init=False)
    _ended: bool = attrs.field(default=False, init=False)

    @property
    def id(self) -> str:
        """The service's id of the session; there is none before the block is entered."""
        if self._id is None:
            raise UsageError("the session is not open yet: enter it with 'async with'")
        return self._id

    async def details(self) -> SessionDetails:
        """Ask the service how the session stands (``GET /sessions/{id}``)."""
        return await self._engine.run(wire.get(self.id))

    async def sampler(
        self,
        pubs: Iterable[SamplerPubLike],
        *,
        shots: int | None = None,
        options: SamplerOptions | Mapping[str, Any] | None = None,
        tags: Iterable[str] = (),
        private: bool = False,
        max_time: int | None = None,
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
        return await self._jobs.submit(request)

    async def estimator(
        self,
        pubs: Iterable[EstimatorPubLike],
        *,
        precision: float | None = None,
        options: EstimatorOptions | Mapping[str, Any] | None = None,
        tags: Iterable[str] = (),
        private: bool = False,
        max_time: int | None = None,
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
        return await self._jobs.submit(request)

    def _open_id(self) -> str:
        if self._ended:
            raise UsageError(f"session {self.id} has ended: open another one")
        return self.id

    async def __aenter__(self) -> Self:
        if self._id is not None:
            raise UsageError("a session is entered once: make another one with client.session(…)")
        creation = asyncio.ensure_future(self._create())
        try:
            self._id = await asyncio.shield(creation)
        except asyncio.CancelledError:
            await _regardless(self._undo(creation))
            raise
        return self

    async def _create(self) -> str:
        details = await Sessions(self._engine).create(self.backend, mode=self.mode, max_time=self.max_time)
        return details.id

    async def _undo(self, creation: asyncio.Future[str]) -> None:
        """End a session whose caller was cancelled while it was being made."""
        try:
            session_id = await creation
        except QrtError:
            return
        await self._end(session_id, wire.close)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended = True
        keep = error is None or self.mode is SessionMode.BATCH
        try:
            await _regardless(self._end(self.id, wire.drain if keep else wire.close))
        except SessionNotEnded as failure:
            if error is None:
                raise
            error.add_note(str(failure))

    async def _end(self, session_id: str, how: Callable[[str], Call[None]]) -> None:
        timeout = self._engine.timeouts.closing
        try:
            try:
                await self._engine.run(how(session_id), timeout=timeout)
            except ApiError as refusal:
                if refusal.status not in {404, 405}:
                    raise
                await self._close_if_there(session_id, timeout)
        except QrtError as failure:
            raise SessionNotEnded(session_id, str(failure)) from failure

    async def _close_if_there(self, session_id: str, timeout: float) -> None:
        """Close a session that a server without draining says it does not know; gone altogether is well."""
        try:
            await self._engine.run(wire.close(session_id), timeout=timeout)
        except NotFound:
            return


async def _regardless(work: Awaitable[None]) -> None:
    """Finish `work` even if the caller is cancelled meanwhile, then let the cancellation go on."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            if task.cancelled():
                raise
            cancelled = error
        except QrtError:
            break
    task.result()
    if cancelled is not None:
        raise cancelled


def session(engine: Engine, jobs: Jobs, *, backend: str, mode: str, max_time: int | None) -> Session:
    """Return a session that is not open yet; nothing is sent."""
    return Session(_checked_name(backend), _checked_mode(mode), _checked_time(max_time), engine, jobs)


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
