"""At most so many submissions in any sixty seconds."""

from __future__ import annotations

import asyncio
import heapq
import random
from typing import Any

import attrs
import pytest

from qrt_async.errors import InvalidOption
from qrt_async.quota import Quota


@attrs.define
class JumpingClock:
    """A clock that jumps to the next sleeper as soon as nobody can go on without it."""

    now: float = 0.0
    _sleepers: list[tuple[float, int, asyncio.Future[None]]] = attrs.field(factory=list[Any])
    _count: int = 0

    def monotonic(self) -> float:
        """Return the time."""
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Wait until somebody has moved the clock so far."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._count += 1
        heapq.heappush(self._sleepers, (self.now + seconds, self._count, future))
        await future

    async def run(self, work: asyncio.Future[Any]) -> None:
        """Move the clock on until the work is done."""
        while not work.done():
            for _ in range(50):
                await asyncio.sleep(0)
            if self._sleepers and not work.done():
                at, _, future = heapq.heappop(self._sleepers)
                self.now = max(self.now, at)
                if not future.done():
                    future.set_result(None)


async def submitted(quota: Quota, clock: JumpingClock, count: int, rng: random.Random) -> list[tuple[float, float]]:
    """Submit at once and return when each submission began and ended."""
    spans: list[tuple[float, float]] = []

    async def one() -> None:
        async with quota.submission():
            began = clock.now
            await clock.sleep(rng.uniform(0, 10))
            spans.append((began, clock.now))

    await clock.run(asyncio.gather(*(one() for _ in range(count))))
    return spans


@pytest.mark.parametrize("seed", range(10))
async def test_no_sixty_seconds_ever_hold_more(seed: int) -> None:
    """Whenever within its span a submission reached the service, no minute has more than five."""
    clock = JumpingClock()
    spans = await submitted(Quota(5, clock=clock), clock, 30, random.Random(seed))

    for moment in [end for _, end in spans]:
        assert sum(1 for begin, end in spans if end > moment - 60 and begin <= moment) <= 5
    assert len(spans) == 30
    assert clock.now < 6 * 75


async def test_the_first_five_go_at_once() -> None:
    """Nobody waits while there is room, and the sixth waits a minute."""
    clock = JumpingClock()
    spans = await submitted(Quota(5, clock=clock), clock, 6, random.Random(1))

    assert [begin for begin, _ in sorted(spans)][:5] == [0.0] * 5
    assert max(begin for begin, _ in spans) >= 60


async def test_without_a_limit_nobody_waits() -> None:
    """None lifts the quota."""
    clock = JumpingClock()
    spans = await submitted(Quota(None, clock=clock), clock, 100, random.Random(1))

    assert {begin for begin, _ in spans} == {0.0}


async def test_turns_are_given_in_order() -> None:
    """Whoever asked first goes first."""
    clock = JumpingClock()
    quota = Quota(1, clock=clock)
    order: list[int] = []

    async def one(number: int) -> None:
        async with quota.submission() as waited:
            order.append(number)
            assert waited == pytest.approx(60 * number)

    await clock.run(asyncio.gather(*(one(number) for number in range(5))))
    assert order == [0, 1, 2, 3, 4]


async def test_a_waiter_that_leaves_takes_no_turn() -> None:
    """Cancelling one who waits gives the turn to the next."""
    clock = JumpingClock()
    quota = Quota(1, clock=clock)
    async with quota.submission():
        pass
    entered: list[str] = []

    async def one(name: str) -> None:
        async with quota.submission():
            entered.append(name)

    leaver, stayer = asyncio.create_task(one("leaver")), asyncio.create_task(one("stayer"))
    await asyncio.sleep(0)
    leaver.cancel()
    await clock.run(asyncio.gather(leaver, stayer, return_exceptions=True))

    assert entered == ["stayer"]
    assert clock.now == 60


async def test_a_failed_submission_counts_too() -> None:
    """A submission that failed may have reached the service."""
    clock = JumpingClock()
    quota = Quota(1, clock=clock)
    with pytest.raises(ZeroDivisionError):
        async with quota.submission():
            raise ZeroDivisionError

    assert quota.wait == 60


async def test_the_service_can_hold_everybody() -> None:
    """After a `Retry-After` nobody submits before its end."""
    clock = JumpingClock()
    quota = Quota(5, clock=clock)
    quota.hold(100)
    spans = await submitted(quota, clock, 2, random.Random(1))

    assert {begin for begin, _ in spans} == {100.0}


@pytest.mark.parametrize("per_minute", [0, -1, True])
def test_a_quota_is_a_number_or_none(per_minute: Any) -> None:
    """A quota of nothing is refused."""
    with pytest.raises(InvalidOption):
        Quota(per_minute)


async def test_waiting_is_told_before_it_begins() -> None:
    """Each waiter hears once about how long its turn will take, and who need not wait hears nothing."""
    clock = JumpingClock()
    quota = Quota(2, clock=clock)
    told: dict[int, list[float]] = {number: [] for number in range(6)}

    async def one(number: int) -> None:
        async with quota.submission(on_wait=told[number].append) as waited:
            assert waited == pytest.approx(sum(told[number]))

    await clock.run(asyncio.gather(*(one(number) for number in range(6))))
    assert told == {0: [], 1: [], 2: [60], 3: [60], 4: [120], 5: [120]}


async def test_a_wait_that_grows_is_told_again() -> None:
    """A hold that comes while one waits is told to them."""
    clock = JumpingClock()
    quota = Quota(1, clock=clock)
    async with quota.submission():
        pass
    told: list[float] = []

    async def one() -> None:
        async with quota.submission(on_wait=told.append):
            pass

    waiter = asyncio.create_task(one())
    await asyncio.sleep(0)
    quota.hold(100)
    await clock.run(waiter)

    assert told == [60, 40]
    assert clock.now == 100


async def test_a_refusal_holds_everybody_as_the_service_asked() -> None:
    """After a 429 with `Retry-After` nobody submits before its end."""
    clock = JumpingClock()
    quota = Quota(5, clock=clock)
    assert await quota.refused(100) == 100
    spans = await submitted(quota, clock, 2, random.Random(1))

    assert {begin for begin, _ in spans} == {100.0}


async def test_a_refusal_without_advice_waits_for_the_oldest() -> None:
    """Without `Retry-After` the wait lasts until our oldest submission is a minute old, or a minute."""
    clock = JumpingClock()
    quota = Quota(5, clock=clock)
    assert await quota.refused(None) == 60
    clock.now = 60.0
    async with quota.submission():
        pass
    clock.now = 75.0
    assert await quota.refused(None) == 45
    assert quota.wait == 45


async def test_a_refusal_lowers_what_is_believed_until_a_minute_has_passed_without_one() -> None:
    """The believed rate falls by one with each refusal, never to nothing, and comes back when a minute went well."""
    clock = JumpingClock()
    quota = Quota(3, clock=clock)
    believed = [quota.believed]
    for _ in range(3):
        await quota.refused(10)
        believed.append(quota.believed)
    assert believed == [3, 2, 1, 1]
    clock.now = 69.0
    assert quota.believed == 1
    clock.now = 70.0
    assert quota.believed == 3


async def test_a_lowered_rate_is_kept() -> None:
    """While fewer submissions are believed to be granted, fewer are made."""
    clock = JumpingClock()
    quota = Quota(3, clock=clock)
    await quota.refused(0)
    spans = await submitted(quota, clock, 3, random.Random(1))

    assert [begin for begin, _ in sorted(spans)][:2] == [0, 0]
    assert max(begin for begin, _ in spans) >= 60


async def test_a_quota_without_a_limit_only_holds() -> None:
    """Where the quota is lifted, a refusal holds and lowers nothing."""
    clock = JumpingClock()
    quota = Quota(None, clock=clock)
    await quota.refused(7)

    assert quota.believed is None
    assert quota.wait == 7


async def test_negative_advice_is_no_advice_to_go_back() -> None:
    """A `Retry-After` in the past holds nobody."""
    quota = Quota(5, clock=JumpingClock())

    assert await quota.refused(-5) == 0
    assert quota.wait == 0
