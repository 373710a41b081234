"""Who waits for a window to close, and who goes next: decisions without a clock or a service."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from qrt_async import SamplerPub
from qrt_async.bulk.intake import Item
from qrt_async.bulk.packing import Ceilings, Weight
from qrt_async.bulk.windows import Seat, WaitingRoom, halves

SMALL = Ceilings(pubs=4, executions=100, size=1000, seconds=10.0)


def room() -> WaitingRoom:
    """Return an empty room of jobs of four PUBs, a hundred executions, a thousand bytes."""
    return WaitingRoom(1.0, {False: SMALL, True: SMALL})


def seat(since: float, tenant: str | None = None, *, size: int = 1, typed: bool = False) -> Seat:
    """Return a caller."""
    item = Item(0, SamplerPub("circuit"), "ibm_fez", Weight(1, size, 0.1), typed)
    return Seat(item, tenant, since, asyncio.Future(loop=_LOOP))


_LOOP = asyncio.new_event_loop()
_LOOP.close()


def test_bytes_close_a_window() -> None:
    """A job whose bytes are used up goes at once, and what did not fit waits for its own window."""
    waiting = room()
    callers = [seat(0, size=600), seat(0.1, size=500)]

    assert [waiting.join(caller) for caller in callers] == [True, True]
    first = waiting.next(0.2)
    assert first is not None
    assert first.seats == callers[:1]
    assert waiting.next(0.2) is None
    assert waiting.until() == 1.1


def test_typed_and_plain_pubs_share_no_job() -> None:
    """PUBs that need the typed form go by themselves, the older window first."""
    waiting = room()
    plain, typed = seat(0), seat(0.5, typed=True)
    waiting.join(typed)
    waiting.join(plain)

    parties = [waiting.next(2), waiting.next(2)]

    assert [party.seats for party in parties if party] == [[plain], [typed]]
    assert (waiting.count, waiting.until()) == (0, None)


def test_one_caller_has_one_half() -> None:
    """Halves are never empty."""
    one, two = seat(0), seat(0)

    assert halves([one]) == [[one]]
    assert halves([one, two]) == [[one], [two]]
    assert halves([]) == []


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 900), st.booleans()), max_size=60))
def test_everyone_goes_once_and_tenants_in_turn(came: list[tuple[str, int, bool]]) -> None:
    """Whoever stays goes exactly once, no job mixes tenants or breaks a limit, and nobody is passed over twice."""
    waiting = room()
    callers = [seat(i, tenant, size=size) for i, (tenant, size, _) in enumerate(came)]
    for caller in callers:
        waiting.join(caller)
    staying = [caller for caller, (_, _, leaves) in zip(callers, came, strict=True) if not leaves]
    for caller in callers:
        if caller not in staying:
            waiting.leave(caller)

    order: list[str | None] = []
    gone: list[Seat] = []
    while (party := waiting.next(1000)) is not None:
        left = {caller.tenant for caller in staying if caller not in gone}
        assert {caller.tenant for caller in party.seats} == {party.tenant}
        assert len(party.seats) <= 4
        assert sum(caller.item.weight.size for caller in party.seats) <= 1000
        assert party.tenant not in order[1 - len(left) :] or len(left) == 1
        order.append(party.tenant)
        gone += party.seats

    assert sorted(gone, key=id) == sorted(staying, key=id)
    assert (waiting.count, waiting.jobs, waiting.until()) == (0, 0, None)
