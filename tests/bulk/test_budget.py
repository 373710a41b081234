"""A budget: never more spent and reserved than its ceiling."""

from __future__ import annotations

import asyncio
import math

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qrt_async import Budget, BudgetExceeded, BudgetState, InvalidOption, QrtError


async def test_what_is_reserved_is_settled_with_what_was_used() -> None:
    """A reservation counts in full until it is settled, and then what was used."""
    budget = Budget(100)
    reservation = await budget.reserve(60)
    assert (budget.reserved, budget.spent, budget.remaining) == (60, 0, 40)
    await reservation.settle(12.5)
    await reservation.settle(99)

    assert (budget.reserved, budget.spent, budget.remaining) == (0, 12.5, 87.5)
    assert repr(budget) == "Budget(100, spent=12.5, reserved=0)"


async def test_what_would_exceed_the_ceiling_is_refused() -> None:
    """The error says what was wanted and what is left; nothing is reserved by it."""
    budget = Budget(100)
    await budget.reserve(60)
    with pytest.raises(BudgetExceeded, match=r"60 quantum seconds are wanted, but 40 of the budget's 100") as caught:
        await budget.reserve(60)

    assert isinstance(caught.value, QrtError)
    assert (caught.value.wanted, caught.value.remaining, caught.value.ceiling) == (60, 40, 100)
    assert budget.reserved == 60


async def test_what_nobody_can_tell_counts_in_full() -> None:
    """Where the usage is unknown, all that was reserved is taken to be spent."""
    budget = Budget(100)
    await (await budget.reserve(60)).settle(None)

    assert budget.spent == 60


async def test_waiting_for_room_ends_when_something_is_settled() -> None:
    """A submission that does not fit now goes out once an open one turned out to be cheaper."""
    budget = Budget(100)
    first = await budget.reserve(60)
    waiting = asyncio.create_task(budget.reserve_in_time(60))
    await asyncio.sleep(0)
    assert not waiting.done()
    await first.settle(10)
    await waiting

    assert (budget.spent, budget.reserved) == (10, 60)


async def test_waiting_for_room_that_cannot_come_is_refused() -> None:
    """Nobody waits for what the ceiling, or what is spent for good, rules out."""
    budget = Budget(100)
    open_one = await budget.reserve(10)
    with pytest.raises(BudgetExceeded):
        await budget.reserve_in_time(101)
    waiting = asyncio.create_task(budget.reserve_in_time(95))
    await asyncio.sleep(0)
    await open_one.settle(10)
    with pytest.raises(BudgetExceeded):
        await waiting


@given(st.lists(st.tuples(st.floats(0, 70), st.floats(0, 1)), max_size=30))
def test_the_ceiling_holds_under_concurrency(work: list[tuple[float, float]]) -> None:
    """However many submit at once, what is spent and reserved stays within the ceiling at every moment."""

    async def run() -> None:
        budget = Budget(100)

        async def one(seconds: float, share: float) -> None:
            try:
                reservation = await budget.reserve_in_time(seconds)
            except BudgetExceeded:
                return
            assert budget.spent + budget.reserved <= 100 + 1e-9
            await asyncio.sleep(0)
            await reservation.settle(seconds * share)
            assert budget.spent + budget.reserved <= 100 + 1e-9

        await asyncio.gather(*(one(*item) for item in work))
        assert budget.reserved == 0
        assert budget.spent <= 100 + 1e-9

    asyncio.run(run())


@attrs.define
class SharedStore:
    """A store as two processes might share it."""

    spent: float = 0.0
    open: dict[str, float] = attrs.field(factory=dict[str, float])

    async def reserve(self, tag: str, seconds: float, ceiling: float) -> bool:
        """Reserve if there is room."""
        if tag in self.open:
            return True
        if self.spent + sum(self.open.values()) + seconds > ceiling:
            return False
        self.open[tag] = seconds
        return True

    async def settle(self, tag: str, seconds: float) -> None:
        """Settle a tag."""
        self.open.pop(tag)
        self.spent += seconds

    async def state(self) -> BudgetState:
        """Tell the state."""
        return BudgetState(self.spent, sum(self.open.values()))


async def test_budgets_of_one_store_are_one() -> None:
    """Two budgets that share a store share what is left, and a tag that is known reserves nothing more."""
    store = SharedStore()
    one, other = Budget(100, store=store), Budget(100, store=store)
    await one.reserve(60, tag="a")
    await other.reserve(60, tag="a")
    with pytest.raises(BudgetExceeded):
        await other.reserve(60, tag="b")

    assert other.remaining == 40


@pytest.mark.parametrize("seconds", [0, -1, math.inf, math.nan, True])
def test_a_budget_is_a_finite_number_above_0(seconds: float) -> None:
    """Anything else is refused where it is written."""
    with pytest.raises(InvalidOption, match="quantum_seconds"):
        Budget(seconds)


@pytest.mark.parametrize("seconds", [-1, math.inf, math.nan])
async def test_a_reservation_is_a_finite_number(seconds: float) -> None:
    """Nothing else is reserved."""
    with pytest.raises(InvalidOption, match="reservation"):
        await Budget(10).reserve(seconds)
