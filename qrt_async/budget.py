"""A ceiling on quantum seconds: reserved before a submission, settled with what was used."""

from __future__ import annotations

import asyncio
import math
import uuid
from typing import Protocol

import attrs

from qrt_async.errors import BudgetExceeded, InvalidOption
from qrt_async.journal import BudgetState, Journal


class BudgetStore(Protocol):
    """
    Where a budget keeps its state: in memory unless said otherwise.

    A store shared by several budgets, or processes, makes them one; its `reserve` has to be atomic.
    """

    async def reserve(self, tag: str, seconds: float, ceiling: float) -> bool:
        """Reserve under a tag, or return False where this would exceed the ceiling; a known tag changes nothing."""
        ...

    async def settle(self, tag: str, seconds: float) -> None:
        """Replace what is reserved under a tag by what was used."""
        ...

    async def state(self) -> BudgetState:
        """Return the state as it is now."""
        ...


@attrs.define
class _Memory:
    """A store for one process."""

    _spent: float = 0.0
    _open: dict[str, float] = attrs.field(factory=dict[str, float])

    async def reserve(self, tag: str, seconds: float, ceiling: float) -> bool:
        if tag not in self._open:
            if self._spent + math.fsum(self._open.values()) + seconds > ceiling:
                return False
            self._open[tag] = seconds
        return True

    async def settle(self, tag: str, seconds: float) -> None:
        if self._open.pop(tag, None) is not None:
            self._spent += seconds

    async def state(self) -> BudgetState:
        return BudgetState(reserved=math.fsum(self._open.values()), spent=self._spent)


@attrs.frozen
class JournalStore:
    """A budget's state in a journal, where it outlives the process and several processes share it by its `name`."""

    journal: Journal
    name: str

    async def reserve(self, tag: str, seconds: float, ceiling: float) -> bool:
        """Reserve under a tag, or return False where this would exceed the ceiling; a known tag changes nothing."""
        return await self.journal.budget_reserve(self.name, ceiling, seconds, tag)

    async def settle(self, tag: str, seconds: float) -> None:
        """Replace what is reserved under a tag by what was used."""
        await self.journal.budget_settle(tag, seconds)

    async def state(self) -> BudgetState:
        """Return the state as it is now."""
        return await self.journal.budget_state(self.name)


@attrs.define(init=False, eq=False)
class Budget:
    """
    At most so many quantum seconds for whatever shares it: a client, a session, a fan-out, or all of them.

    What is submitted first reserves all that it may cost: a job its `max_time`, a dedicated session, which is billed
    by the clock, its longest life. When it is over, the reservation is settled with what the service reports. What is
    spent and reserved never exceeds the ceiling, as long as the service charges no job for more than its `max_time`.
    """

    _ceiling: float
    _store: BudgetStore
    _state: BudgetState
    _open: int
    _change: asyncio.Event

    def __init__(self, quantum_seconds: float, *, store: BudgetStore | None = None) -> None:
        if isinstance(quantum_seconds, bool) or not quantum_seconds > 0 or not math.isfinite(quantum_seconds):
            raise InvalidOption(f"quantum_seconds is a finite number above 0, not {quantum_seconds!r}")
        self._ceiling = quantum_seconds
        self._store = store if store is not None else _Memory()
        self._state = BudgetState(reserved=0.0, spent=0.0)
        self._open = 0
        self._change = asyncio.Event()

    def __repr__(self) -> str:
        return f"Budget({self.quantum_seconds:g}, spent={self.spent:g}, reserved={self.reserved:g})"

    @property
    def quantum_seconds(self) -> float:
        """The ceiling."""
        return self._ceiling

    @property
    def spent(self) -> float:
        """Quantum seconds that settled work was charged for."""
        return self._state.spent

    @property
    def reserved(self) -> float:
        """Quantum seconds that unsettled work may still cost."""
        return self._state.reserved

    @property
    def remaining(self) -> float:
        """Quantum seconds that are neither spent nor reserved, 0 where a charge went beyond its reservation."""
        return max(0.0, self.quantum_seconds - self.spent - self.reserved)

    async def reserve(self, seconds: float, *, tag: str | None = None) -> Reservation:
        """
        Reserve what something may cost before it is submitted; `tag` names it in the store.

        Raises:
            BudgetExceeded: there is not so much left; nothing is reserved.

        """
        if not seconds >= 0 or not math.isfinite(seconds):
            raise InvalidOption(f"a reservation is a finite number of seconds of at least 0, not {seconds!r}")
        tag = tag or uuid.uuid4().hex
        taken = await self._store.reserve(tag, seconds, self.quantum_seconds)
        self._state = await self._store.state()
        if not taken:
            raise BudgetExceeded(wanted=seconds, remaining=self.remaining, ceiling=self.quantum_seconds)
        self._open += 1
        return Reservation(tag, seconds, self)

    async def reserve_in_time(self, seconds: float, *, tag: str | None = None) -> Reservation:
        """
        Reserve as :meth:`reserve` does, and where too little is left wait for open reservations to be settled.

        Raises:
            BudgetExceeded: there would not be so much even if everything open turned out to be free, or nothing is
                open any more that might set something free.

        """
        while True:
            change = self._change
            try:
                return await self.reserve(seconds, tag=tag)
            except BudgetExceeded:
                hopeless = self.spent + seconds > self.quantum_seconds or not self._open
                if hopeless and not change.is_set():
                    raise
            await change.wait()

    async def _settle(self, reservation: Reservation, used: float) -> None:
        await self._store.settle(reservation.tag, used)
        self._state = await self._store.state()
        self._open -= 1
        self._change.set()
        self._change = asyncio.Event()


@attrs.define(eq=False)
class Reservation:
    """Quantum seconds held back for one job or session."""

    tag: str = attrs.field(on_setattr=attrs.setters.frozen)
    seconds: float = attrs.field(on_setattr=attrs.setters.frozen)
    _budget: Budget = attrs.field(repr=False)
    _settled: bool = attrs.field(default=False, init=False)

    async def settle(self, used: float | None) -> None:
        """
        Count what was used (quantum seconds) instead of what was reserved; later calls change nothing.

        None, where nobody can say what it cost, counts all that was reserved.
        """
        if self._settled:
            return
        self._settled = True
        await self._budget._settle(self, self.seconds if used is None else max(0.0, used))  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
