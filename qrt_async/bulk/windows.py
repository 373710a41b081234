"""Callers who wait for a window to close: whose PUBs may share a job, and who goes next."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Iterable
from itertools import islice
from typing import Any

import attrs

from qrt_async.bulk.intake import Item
from qrt_async.bulk.packing import Ceilings, Weight, pack
from qrt_async.bulk.pools import Trials
from qrt_async.errors import ProtocolError
from qrt_async.jobs import Job
from qrt_async.models.results import PrimitiveResult, PubResult

_AHEAD = 2
"""Jobs' worth of PUBs that are looked at when one job is filled."""
_ROUNDING = 1e-6
_BREATH = 8

Answer = PubResult[Any] | Exception


@attrs.define(eq=False)
class Seat:
    """One caller's PUB: since when it waits, where the answer goes, and the party that it left with."""

    item: Item
    tenant: str | None
    since: float
    answer: asyncio.Future[Answer]
    party: Party | None = None

    @property
    def done(self) -> bool:
        """Whether the caller has an answer, or has left."""
        return self.answer.done()

    def tell(self, answer: Answer) -> None:
        """Answer the caller, unless that was done or they have left."""
        if not self.answer.done():
            self.answer.set_result(answer)


@attrs.define(eq=False)
class Party:
    """Callers of one tenant whose PUBs are one job; `trials` is set where it is what is left of one that failed."""

    seats: list[Seat]
    tenant: str | None
    trials: Trials | None = None
    job: Job[Any] | None = None
    task: asyncio.Task[None] | None = None

    @classmethod
    def of(cls, seats: list[Seat], tenant: str | None, trials: Trials | None = None) -> Party:
        """Return a party of callers, who from now on belong to it."""
        party = cls(seats, tenant, trials)
        for seat in seats:
            seat.party = party
        return party

    @property
    def abandoned(self) -> bool:
        """Whether all its callers have left, or have their answers."""
        return all(seat.done for seat in self.seats)

    async def deliver(self, result: PrimitiveResult[Any], job_id: str) -> None:
        """Give every caller their part of the job's result, a few in one turn of the loop: all have work to do then."""
        if len(result) != len(self.seats):
            raise ProtocolError(f"{len(result)} results for {len(self.seats)} PUBs", operation=f"job {job_id}")
        for i, (seat, found) in enumerate(zip(self.seats, result, strict=True)):
            seat.tell(found)
            if i % _BREATH == _BREATH - 1:
                await asyncio.sleep(0)

    def tell(self, answer: Exception) -> None:
        """Give all who have no answer yet this one."""
        for seat in self.seats:
            seat.tell(answer)


@attrs.define(eq=False)
class Lane:
    """Callers of one tenant whose PUBs may share a job, in the order in which they came."""

    ceilings: Ceilings
    seats: dict[Seat, None] = attrs.field(factory=dict[Seat, None], init=False)
    _load: list[float] = attrs.field(factory=lambda: [0.0] * 4, init=False)

    def add(self, seat: Seat) -> None:
        """Let a caller wait."""
        self.seats[seat] = None
        self._count(seat.item.weight, 1)

    def remove(self, seat: Seat) -> None:
        """Let a caller go."""
        del self.seats[seat]
        self._count(seat.item.weight, -1)

    def _count(self, weight: Weight, sign: int) -> None:
        load = self._load
        for i, share in enumerate(self.ceilings.share(weight)):
            load[i] += sign * share

    @property
    def jobs(self) -> int:
        """How many jobs the PUBs will take, about."""
        return math.ceil(max(self._load) - _ROUNDING)

    @property
    def full(self) -> bool:
        """Whether there is a job's worth of PUBs, so that no window need close."""
        return max(self._load) >= 1 - _ROUNDING

    @property
    def oldest(self) -> float:
        """When the caller came who has waited longest."""
        return next(iter(self.seats)).since

    def take(self) -> list[Seat]:
        """Take out the job that holds the PUB which has waited longest."""
        seats = list(islice(self.seats, _AHEAD * self.ceilings.pubs))
        taken = [seats[i] for i in pack((seat.item.weight for seat in seats), self.ceilings)[0]]
        for seat in taken:
            self.remove(seat)
        return taken


@attrs.define(eq=False)
class _Tenant:
    """What one tenant has waiting: callers by the form that their PUBs need, and parties to be tried again."""

    lanes: dict[bool, Lane] = attrs.field(factory=dict[bool, Lane])
    again: deque[Party] = attrs.field(factory=deque[Party])

    def ripe(self, opened_by: float) -> Lane | None:
        """Return the lane to go first of those that are full, or whose window opened no later than that."""
        found = [lane for lane in self.lanes.values() if lane.full or lane.oldest <= opened_by + _ROUNDING]
        return min(found, key=lambda lane: lane.oldest, default=None)

    def until(self, window: float) -> float:
        """Return the moment at which somebody can go."""
        if self.again or any(lane.full for lane in self.lanes.values()):
            return -math.inf
        return min(lane.oldest for lane in self.lanes.values()) + window


@attrs.define(eq=False)
class WaitingRoom:
    """
    All callers who wait for a job.

    A window opens with the first caller of a tenant and closes `window` seconds later, or as soon as a job is full.
    Tenants go in turn, one job each; within a tenant who has waited longest goes first.
    """

    window: float
    ceilings: dict[bool, Ceilings]
    count: int = attrs.field(default=0, init=False)
    _tenants: dict[str | None, _Tenant] = attrs.field(factory=dict[str | None, _Tenant], init=False)

    def join(self, seat: Seat) -> bool:
        """Let a caller wait, and tell whether that opened a window, or made a job full."""
        tenant = self._tenants.setdefault(seat.tenant, _Tenant())
        lane = tenant.lanes.get(seat.item.typed)
        opens = lane is None
        if lane is None:
            lane = tenant.lanes[seat.item.typed] = Lane(self.ceilings[seat.item.typed])
        lane.add(seat)
        self.count += 1
        return opens or lane.full

    def leave(self, seat: Seat) -> None:
        """Let a caller go who waits no more; the PUB goes along."""
        tenant = self._tenants[seat.tenant]
        lane = tenant.lanes[seat.item.typed]
        lane.remove(seat)
        self.count -= 1
        self._tidy(seat.tenant, tenant)

    def again(self, party: Party) -> None:
        """Let a party wait for the next turn of its tenant."""
        self._tenants.setdefault(party.tenant, _Tenant()).again.append(party)
        self.count += len(party.seats)

    def next(self, now: float) -> Party | None:
        """Take out the party whose turn it is at this moment, None where no window has closed."""
        for name, tenant in self._tenants.items():
            lane = None if tenant.again else tenant.ripe(now - self.window)
            if not tenant.again and lane is None:
                continue
            party = tenant.again.popleft() if lane is None else Party.of(lane.take(), name)
            self.count -= len(party.seats)
            self._tidy(name, tenant)
            if name in self._tenants:
                self._tenants[name] = self._tenants.pop(name)
            return party
        return None

    def until(self) -> float | None:
        """Return the moment at which somebody can go, None where nobody waits."""
        moments = [tenant.until(self.window) for tenant in self._tenants.values()]
        return min(moments, default=None)

    @property
    def jobs(self) -> int:
        """How many jobs those who wait will take, about."""
        return sum(
            len(tenant.again) + sum(lane.jobs for lane in tenant.lanes.values()) for tenant in self._tenants.values()
        )

    def clear(self) -> list[Seat]:
        """Take everybody out."""
        found: list[Seat] = []
        for tenant in self._tenants.values():
            found += [seat for party in tenant.again for seat in party.seats]
            found += [seat for lane in tenant.lanes.values() for seat in lane.seats]
        self._tenants.clear()
        self.count = 0
        return found

    def _tidy(self, name: str | None, tenant: _Tenant) -> None:
        """Forget lanes and tenants that have nobody waiting, so that the next caller opens a window."""
        for typed in [typed for typed, lane in tenant.lanes.items() if not lane.seats]:
            del tenant.lanes[typed]
        if not tenant.lanes and not tenant.again:
            del self._tenants[name]


def halves(seats: Iterable[Seat]) -> list[list[Seat]]:
    """Return callers in two parts, in one where there is one."""
    found = list(seats)
    half = len(found) // 2
    return [part for part in (found[:half], found[half:]) if part]
