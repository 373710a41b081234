"""PUBs of concurrent callers → one job → each caller's slice."""

from __future__ import annotations

import asyncio
import math
from types import TracebackType
from typing import Any, Generic, Self, TypeVar, cast

import attrs

from qrt_async import pubs as pub_rules
from qrt_async.bulk.intake import Intake
from qrt_async.bulk.packing import time_limit
from qrt_async.bulk.pools import Trials
from qrt_async.bulk.settings import CoalescingOptions, PackingOptions, backend_names
from qrt_async.bulk.signals import Signal
from qrt_async.bulk.windows import Party, Seat, WaitingRoom, halves
from qrt_async.engine import Engine
from qrt_async.errors import (
    BadRequest,
    CoalescerClosed,
    JobFailed,
    Overloaded,
    QrtError,
    SessionClosed,
    UsageError,
)
from qrt_async.jobs import Job, Jobs
from qrt_async.models.jobs import JobRequest
from qrt_async.models.primitive_options import EstimatorOptions, SamplerOptions
from qrt_async.models.results import PubData, PubResult
from qrt_async.options import OnCancel
from qrt_async.primitives import checked_options, estimator_job, sampler_job
from qrt_async.quota import Quota
from qrt_async.regardless import gone, regardless

P = TypeVar("P")
D = TypeVar("D", bound=PubData[Any])

_LEAST_SLEEP = 0.001
_ON_CANCEL: dict[str, OnCancel] = {"finish": "detach", "cancel": "cancel"}


@attrs.define(eq=False)
class Coalescer(Generic[P, D]):
    """
    Makes one job of what many callers ask for at about the same time: ``async with client.coalescing_sampler(…)``.

    Callers await :meth:`run`, each with one PUB, and each gets its own result. PUBs that arrive within a window go out
    as one job, or as several where they exceed what one job may hold. Where the quota of submissions leaves no turn,
    the window stays open until it does, so that jobs get fuller as there is more to do. Tenants never share a job,
    and go in turn; within a tenant who has waited longest goes first.

    Leaving the block closes it, as :class:`CoalescingOptions` says; after an error, or cancelled, it waits for nobody:
    whoever has no answer by then gets `CoalescerClosed`.
    """

    _engine: Engine = attrs.field(repr=False)
    _jobs: Jobs = attrs.field(repr=False)
    _quota: Quota = attrs.field(repr=False)
    backend: str = attrs.field(on_setattr=attrs.setters.frozen)
    options: CoalescingOptions = attrs.field(on_setattr=attrs.setters.frozen)
    _packing: PackingOptions = attrs.field(repr=False)
    _intake: Intake = attrs.field(init=False, repr=False)
    _room: WaitingRoom = attrs.field(init=False, repr=False)
    _parties: set[Party] = attrs.field(factory=set[Party], init=False, repr=False)
    _unsent: set[Party] = attrs.field(factory=set[Party], init=False, repr=False)
    _change: Signal = attrs.field(factory=Signal, init=False, repr=False)
    _driver: asyncio.Task[None] | None = attrs.field(default=None, init=False, repr=False)
    _closed: bool = attrs.field(default=False, init=False)

    @classmethod
    def of(
        cls, engine: Engine, jobs: Jobs, quota: Quota, backend: str, options: CoalescingOptions, packing: PackingOptions
    ) -> Coalescer[P, D]:
        """Return a coalescer that has not begun (`InvalidOption` where its jobs' options are wrong)."""
        [backend] = backend_names([backend])
        kind = SamplerOptions if packing.primitive == "sampler" else EstimatorOptions
        checked = checked_options(kind, cast(Any, packing.options), engine.account.platform)
        return cls(engine, jobs, quota, backend, options, attrs.evolve(packing, options=checked))

    def __attrs_post_init__(self) -> None:
        self._intake = Intake(self._packing, [self.backend])
        ceilings = {typed: self._intake.ceilings(typed=typed) for typed in (False, True)}
        self._room = WaitingRoom(self.options.window, ceilings)

    @property
    def waiting(self) -> int:
        """How many PUBs wait to be submitted: those that `max_waiting` bounds."""
        return self._room.count + sum(len(party.seats) for party in self._unsent)

    async def run(self, pub: P, *, tenant: str | None = None) -> PubResult[D]:
        """
        Return the result of one PUB, which shares a job with those of other callers of the same tenant.

        PUBs are written as for ``client.sampler`` or ``client.estimator``. A caller that is cancelled before the PUB
        was sent takes it along.

        Raises:
            InvalidPub: no service would accept the PUB; nobody else is troubled with it.
            Overloaded: so many wait already that this one was not taken; `retry_after` says when to try again.
            CoalescerClosed: the block was left before there was a result.
            ApiError: the service refused the job.
            JobError: the job ended badly.

        """
        self._admit()
        if pub_rules.is_large(pub):
            item = await asyncio.to_thread(self._intake.sent_as_is, pub, 0)
            self._admit()
        else:
            item = self._intake.sent_as_is(pub, 0)
        seat = Seat(item, tenant, self._engine.clock.monotonic(), asyncio.get_running_loop().create_future())
        if self._room.join(seat):
            self._change.give()
        try:
            answer = await seat.answer
        except asyncio.CancelledError:
            self._left(seat)
            raise
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _admit(self) -> None:
        """Refuse a caller who cannot be served."""
        if self._closed:
            raise CoalescerClosed(None)
        if self._driver is None:
            raise UsageError("a coalescer is used inside its block: async with client.coalescing_sampler(…) as sampler")
        waiting = self.waiting
        if waiting >= self.options.max_waiting:
            raise Overloaded(waiting, self._retry_after())

    def _retry_after(self) -> float:
        """Return about how many seconds it takes until all who wait have been submitted."""
        ahead = self._room.jobs + len(self._unsent)
        return max(self.options.window, self._quota.outlook(ahead - 1))

    def _left(self, seat: Seat) -> None:
        """Forget a caller; what becomes of a job that nobody waits for any more, the options say."""
        party = seat.party
        if party is None:
            self._room.leave(seat)
            self._change.give()
        elif party.abandoned and party.task is not None and (party.job or self.options.when_abandoned == "cancel"):
            party.task.cancel()

    # submitting

    async def _drive(self) -> None:
        """Let parties go as their windows close and the quota has a turn for them."""
        while True:
            change = self._change.next()
            now = self._engine.clock.monotonic()
            until = -math.inf if self._closed else self._room.until()
            if self._room.count == 0 or until is None:
                await change.wait()
                continue
            hold = self._quota.outlook(len(self._unsent))
            wait = max(hold, until - now)
            if wait > 0:
                await self._pause(change, max(wait, _LEAST_SLEEP))
            elif party := self._room.next(math.inf if self._closed else now):
                self._launch(party)

    async def _pause(self, change: asyncio.Event, seconds: float) -> None:
        """Wait for a change, but no longer than that."""
        either = [asyncio.ensure_future(self._engine.clock.sleep(seconds)), asyncio.ensure_future(change.wait())]
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in either:
                one.cancel()

    def _launch(self, party: Party) -> None:
        party.seats = [seat for seat in party.seats if not seat.done]
        if not party.seats:
            return
        self._parties.add(party)
        self._unsent.add(party)
        party.task = asyncio.create_task(self._carry(party), name="qrt_async coalesced job")
        party.task.add_done_callback(lambda _: self._over(party))

    async def _carry(self, party: Party) -> None:
        """Bring a party to its results."""
        try:
            party.job = await self._submit(party)
            self._sent(party)
            if party.abandoned:
                return
            await party.deliver(await party.job.result(), party.job.id)
        except QrtError as error:
            self._failed(party, error)
        except Exception as error:  # noqa: BLE001 - it is raised where the results are awaited
            party.tell(error)

    def _over(self, party: Party) -> None:
        self._parties.discard(party)
        self._sent(party)

    def _sent(self, party: Party) -> None:
        self._unsent.discard(party)
        self._change.give()

    async def _submit(self, party: Party) -> Job[Any]:
        request = await self._request(party)
        return await self._jobs.submit(request, on_cancel=_ON_CANCEL[self.options.when_abandoned])

    async def _request(self, party: Party) -> JobRequest[Any]:
        pubs: list[Any] = [seat.item.pub for seat in party.seats]
        max_time = time_limit(math.fsum(seat.item.weight.seconds for seat in party.seats))
        platform, options = self._engine.account.platform, cast(Any, self._packing.options)
        if self._packing.primitive == "sampler":
            return await sampler_job(
                pubs, platform=platform, backend=self.backend, shots=None, options=options, tags=(), private=False,
                max_time=max_time,
            )  # fmt: skip
        return await estimator_job(
            pubs, platform=platform, backend=self.backend, precision=None, options=options, tags=(), private=False,
            max_time=max_time,
        )  # fmt: skip

    # what fails

    def _failed(self, party: Party, error: QrtError) -> None:
        """Give a party's callers the error of its job, or halve the party to find out whose PUB it was."""
        left = [seat for seat in party.seats if not seat.done]
        parts = halves(left)
        trials = party.trials or Trials.of(len(party.seats))
        if not self._splits(error) or len(party.seats) == 1 or trials.left < len(parts):
            party.tell(error)
            return
        trials.left -= len(parts)
        for seats in parts:
            self._room.again(Party.of(seats, party.tenant, trials))
        party.seats = []

    def _splits(self, error: QrtError) -> bool:
        at_fault = isinstance(error, JobFailed | BadRequest) and not isinstance(error, SessionClosed)
        refuses = self._closed and self.options.on_close == "refuse"
        return self.options.isolate and at_fault and not refuses

    # the block

    async def __aenter__(self) -> Self:
        if self._driver is not None:
            raise UsageError("a coalescer is entered once: make another one")
        self._driver = asyncio.create_task(self._guarded(), name="qrt_async coalescer")
        return self

    async def _guarded(self) -> None:
        """Drive; whatever ends that by mistake reaches all who wait."""
        try:
            await self._drive()
        except Exception as error:  # noqa: BLE001 - it is raised where the results are awaited
            self._closed = True
            for seat in self._room.clear():
                seat.tell(error)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed = True
        try:
            if error is None:
                if self.options.on_close == "refuse":
                    self._refuse()
                await self._all_answered()
        finally:
            await regardless(self._end())

    def _refuse(self) -> None:
        for seat in self._room.clear():
            seat.tell(CoalescerClosed(None))

    async def _all_answered(self) -> None:
        self._change.give()
        while self._room.count or self._parties:
            await self._change.next().wait()

    async def _end(self) -> None:
        """Leave no task, and nobody without an answer."""
        if self._driver is not None:
            await gone([self._driver])
        self._refuse()
        parties = list(self._parties)
        if self.options.when_abandoned == "finish":
            await self._all_sent()
        await gone([party.task for party in parties if party.task is not None])
        for party in parties:
            cancelled = self.options.when_abandoned == "cancel"
            party.tell(CoalescerClosed(party.job.id if party.job else None, cancelled=cancelled))

    async def _all_sent(self) -> None:
        """Wait a while for submissions under way, so that the ids of their jobs are known."""
        limit = asyncio.ensure_future(self._engine.clock.sleep(self._engine.timeouts.closing))
        try:
            while self._unsent and not limit.done():
                change = asyncio.ensure_future(self._change.next().wait())
                await asyncio.wait([limit, change], return_when=asyncio.FIRST_COMPLETED)
                change.cancel()
        finally:
            limit.cancel()
