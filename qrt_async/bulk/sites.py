"""The backends of a run: how each is doing, and the session that the run has on it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import attrs

from qrt_async.backends import Backends
from qrt_async.budget import Budget, Reservation
from qrt_async.bulk.policies import Candidate
from qrt_async.clock import Clock
from qrt_async.errors import ApiError, QrtError, ServerError, SessionNotEnded, TransportError
from qrt_async.models.backends import Backend, BackendStatus
from qrt_async.sessions import Session

_TAKES_JOBS = frozenset({"", "active", "online"})


def certainly_nothing(error: BaseException) -> bool:
    """Tell whether an error proves that what was asked for did not come into being."""
    if isinstance(error, TransportError):
        return not error.left
    return isinstance(error, ApiError) and not isinstance(error, ServerError)


class _LeftEarly(Exception):
    """The run was left before its jobs were over."""


@attrs.define(eq=False)
class Site:
    """One backend of a run; `changed_at` is when one of the run's jobs there last began or ended."""

    name: str
    clock: Clock
    changed_at: float
    backend: Backend | None = None
    queue_length: int | None = None
    takes_jobs: bool = True
    in_flight: int = 0
    submitted_since: int = 0
    session: Session | None = None
    opening: asyncio.Lock = attrs.field(factory=asyncio.Lock)
    reservation: Reservation | None = None
    opened_at: float = 0.0

    def candidate(self) -> Candidate:
        """Return what a policy is told of the backend."""
        queued = None if self.queue_length is None else self.queue_length + self.submitted_since
        return Candidate(self.name, self.backend, queued, self.in_flight)

    def well(self, stall_after: float) -> bool:
        """Tell whether the backend takes jobs, and does not keep those that it has waiting for too long."""
        stalled = self.in_flight > 0 and self.clock.monotonic() - self.changed_at > stall_after
        return self.takes_jobs and not stalled

    def fits(self, qubits: int | None) -> bool:
        """Tell whether a circuit of so many qubits fits the backend, as far as both are known."""
        return qubits is None or self.backend is None or self.backend.qubits is None or qubits <= self.backend.qubits

    def touch(self) -> None:
        """Note that a job began or ended here."""
        self.changed_at = self.clock.monotonic()

    def see(self, status: BackendStatus) -> None:
        """Note how the backend is doing."""
        self.takes_jobs = status.operational and status.status.casefold() in _TAKES_JOBS
        self.queue_length = status.pending_jobs
        self.submitted_since = 0

    async def session_id(self, make: Callable[[str], Session], budget: Budget | None) -> str:
        """Return the id of the run's session here, which the first who asks opens."""
        async with self.opening:
            if self.session is None:
                session = make(self.name)
                if budget is not None and session.mode == "dedicated":
                    self.reservation = await budget.reserve_in_time(session.max_time)
                try:
                    await session.__aenter__()
                except BaseException as error:
                    if self.reservation is not None:
                        await self.reservation.settle(0 if certainly_nothing(error) else None)
                    raise
                self.session, self.opened_at = session, self.clock.monotonic()
            return self.session.id

    async def end(self, error: BaseException | None, *, gently: bool) -> None:
        """
        End the session, if there is one: drained where `gently`, else as after an error.

        Raises:
            SessionNotEnded: it could not be ended; where the block failed, a note on `error` says so instead.

        """
        session, self.session = self.session, None
        if session is None:
            return
        cause = None if gently else error or _LeftEarly()
        try:
            await session.__aexit__(type(cause) if cause else None, cause, None)
        finally:
            await self._settle(session)
        notes = getattr(cause, "__notes__", [])
        if isinstance(cause, _LeftEarly) and notes:
            raise SessionNotEnded(session.id, notes[0])

    async def _settle(self, session: Session) -> None:
        """Settle a dedicated session, which is billed by the clock: with what the service says, or ours does."""
        if self.reservation is None:
            return
        seconds = self.clock.monotonic() - self.opened_at
        try:
            seconds = max(seconds, (await session.details()).elapsed_time or 0.0)
        except QrtError:
            seconds = self.reservation.seconds
        await self.reservation.settle(seconds)


async def described(backends: Backends, sites: Sequence[Site]) -> None:
    """Ask what the backends are, and how they are doing (`NotFound` where there is no such backend)."""
    listed = {backend.name: backend for backend in await backends.list()}
    for site in sites:
        backend = listed.get(site.name)
        if backend is None or backend.operational is None:
            backend = await backends.get(site.name)
        site.backend = backend
        site.queue_length = backend.queue_length
        site.takes_jobs = backend.operational is not False


async def looked_at(backends: Backends, sites: Sequence[Site]) -> None:
    """Ask how the backends are doing now; one that does not tell is taken to do as it did."""
    found = await asyncio.gather(*(backends.status(site.name) for site in sites), return_exceptions=True)
    for site, status in zip(sites, found, strict=True):
        if isinstance(status, BackendStatus):
            site.see(status)
        elif not isinstance(status, QrtError):
            raise status
