"""One quota for several processes."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qrt_async import Journal, Quota
from qrt_async.journal import quotas
from qrt_async.journal.owners import this_process
from tests.journal.conftest import Wall, heard, intent
from tests.unit.test_quota import JumpingClock

USER = "somebody"


async def taken(journal: Journal, *tickets: str, per_minute: int = 5) -> list[float]:
    """Ask for places one after another, and return the answers."""
    return [await journal.quota_take(USER, ticket, per_minute) for ticket in tickets]


async def test_two_journals_count_together(path: Path) -> None:
    """Places are counted over all who share the file, from their start until a minute after their end."""
    wall = Wall()
    async with Journal(path, wall=wall) as one, Journal(path, wall=wall) as two:
        assert await taken(one, "a", "b", "c") == [0, 0, 0]
        assert await taken(two, "d", "e", "f") == [0, 0, quotas.ASK_AGAIN]
        await one.quota_done("a")
        wall.now += 10
        await two.quota_done("d")
        assert await taken(two, "f") == [50]
        wall.now += 50
        assert await taken(one, "f", "g") == [0, 10]
        assert await two.quota_take("somebody else", "h", 5) == 0


async def test_a_place_that_was_not_used_is_free(path: Path) -> None:
    """Giving a place back undoes taking it; the same ticket takes one place only."""
    async with Journal(path, wall=Wall()) as journal:
        assert await taken(journal, "a", "a", "b", per_minute=1) == [0, 0, quotas.ASK_AGAIN]
        await journal.quota_return("a")
        assert await taken(journal, "b", per_minute=1) == [0]


async def test_a_hold_is_everybodys(path: Path) -> None:
    """What the service asked of one process holds all of them, and the longest hold counts."""
    wall = Wall()
    async with Journal(path, wall=wall) as one, Journal(path, wall=wall) as two:
        await one.quota_hold(USER, 100)
        await one.quota_hold(USER, 10)
        assert await taken(two, "a") == [100]
        assert await two.quota_take(USER, "a", None) == 100
        wall.now += 100
        assert await taken(two, "a") == [0]


async def test_a_clock_that_was_set_back_holds_nobody_for_long(path: Path) -> None:
    """What ended in the future ended now."""
    wall = Wall()
    async with Journal(path, wall=wall) as journal:
        assert await taken(journal, "a", per_minute=1) == [0]
        await journal.quota_done("a")
        wall.now -= 86_400
        assert await taken(journal, "b", per_minute=1) == [60]


_TAKER = """
async def main():
    journal = Journal(path, wall=lambda: 1_000_000.0)
    for ticket in arguments:
        say(await journal.quota_take("somebody", ticket, 5))
asyncio.run(main())
"""


def test_a_dead_process_has_ended_what_it_began(path: Path) -> None:
    """Places of a process that died count for a minute from when its death is noticed, and no longer."""
    assert heard(_TAKER, path, "a", "b", "c") == ["0.0"] * 3

    async def go_on() -> None:
        wall = Wall(1_000_010.0)
        async with Journal(path, wall=wall) as journal:
            assert await taken(journal, "d", "e", "f") == [0, 0, 60]
            wall.now += 60
            assert await taken(journal, "f", "g", "h", "i") == [0, 0, 0, quotas.ASK_AGAIN]

    asyncio.run(go_on())


async def test_where_nobody_knows_a_submission_ends_in_time(path: Path) -> None:
    """Places of a process of which nothing can be known count until no submission could still be under way."""
    far = attrs.evolve(await asyncio.to_thread(this_process), nonce="far", boot=None)
    wall = Wall()
    async with Journal(path, wall=wall, owner=far) as theirs, Journal(path, wall=wall) as ours:
        assert await taken(theirs, "a", per_minute=1) == [0]
        wall.now += quotas.LONGEST_SUBMISSION - 1
        assert await taken(ours, "b", per_minute=1) == [quotas.ASK_AGAIN]
        wall.now += 1
        assert await taken(ours, "b", per_minute=1) == [60]
        wall.now += 60
        assert await taken(ours, "b", per_minute=1) == [0]


@given(st.lists(st.none() | st.floats(900, 1000)), st.integers(1, 6))
def test_waiting_as_told_makes_room(ends: list[float | None], per_minute: int) -> None:
    """Whoever waits as long as told finds a place, unless only the ends of others can make one."""
    wait = quotas.wait(ends, per_minute, 1000.0)

    assert 0 <= wait <= 60
    if sum(end is None for end in ends) < per_minute:
        later = 1000.0 + wait
        assert sum(end is None or end + 60 > later + 1e-6 for end in ends) < per_minute
    else:
        assert wait == quotas.ASK_AGAIN


@pytest.mark.parametrize("seed", range(3))
async def test_no_sixty_seconds_hold_more_over_all_processes(path: Path, seed: int) -> None:
    """Two clients that know of each other through the file alone keep one quota."""
    clock = JumpingClock(now=1000.0)
    rng = random.Random(seed)
    async with Journal(path, wall=clock.monotonic) as one, Journal(path, wall=clock.monotonic) as two:
        spans: list[tuple[float, float]] = []

        async def submit(quota: Quota) -> None:
            async with quota.submission():
                began = clock.now
                await clock.sleep(rng.uniform(0, 10))
                spans.append((began, clock.now))

        quotas_ = [Quota(5, clock=clock), Quota(5, clock=clock)]
        for quota, journal in zip(quotas_, (one, two), strict=True):
            quota.share(journal, USER)
        await clock.run(asyncio.gather(*(submit(quotas_[i % 2]) for i in range(16))))

    assert len(spans) == 16
    for moment in [end for _, end in spans]:
        assert sum(1 for begin, end in spans if end > moment - 60 and begin <= moment) <= 5


async def test_a_waiter_that_leaves_takes_no_place_in_the_file(path: Path) -> None:
    """Cancelled while the file is asked, a submission leaves no place taken."""
    async with Journal(path) as journal:
        quota = Quota(1)
        quota.share(journal, USER)
        await journal.open()
        entered = asyncio.create_task(quota.submission().__aenter__())
        await asyncio.sleep(0)
        entered.cancel()
        with pytest.raises(asyncio.CancelledError):
            await entered

        assert await journal.quota_take(USER, "ticket", 1) == 0


async def test_a_refusal_holds_the_other_process(path: Path) -> None:
    """A 429 that one process got stops the other one too."""
    clock = JumpingClock(now=1000.0)
    async with Journal(path, wall=clock.monotonic) as one, Journal(path, wall=clock.monotonic) as two:
        refused, other = Quota(5, clock=clock), Quota(5, clock=clock)
        refused.share(one, USER)
        other.share(two, USER)
        await refused.refused(30)
        told: list[float] = []

        async def submit() -> float:
            async with other.submission(on_wait=told.append) as waited:
                return waited

        work = asyncio.ensure_future(submit())
        await clock.run(work)

    assert work.result() == 30
    assert told == [30]


async def test_a_journal_that_fails_ends_no_submission(path: Path) -> None:
    """A submission that went out is not lost because the journal could not note its end."""
    journal = Journal(path)
    quota = Quota(1)
    quota.share(journal, USER)
    async with quota.submission():
        await journal.aclose()

    assert quota.wait > 0
    async with Journal(path) as again:
        assert not (await again.intend(intent("tag"))).repeated
