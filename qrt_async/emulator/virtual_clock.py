"""Time that passes only when it is told to, or when everything waits for it."""

from __future__ import annotations

import asyncio
import heapq
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

_TURNS = 25  # of the loop in which nothing may happen before time moves: what is on its way takes a few
_GRACE = 0.001  # seconds of the machine's time in which nothing may happen: other threads may be about to speak


@attrs.define(eq=False)
class _Sleeper:
    """Who sleeps until when; `patient` ones do not make time pass."""

    wakes: float
    patient: bool
    woken: asyncio.Future[None]


class VirtualClock:
    """A clock that stands still until it is moved: by `advance` or, if it is `automatic`, by those who sleep.

    An automatic clock moves to the earliest sleeper's moment once somebody sleeps and nothing else happens: no task
    that holds it is at work, and the event loop has nothing to do. It cannot see what other threads and processes do,
    or who waits for the machine's time: whoever lets such work go on without a sleeper's leave takes `hold`.

    It serves one event loop, whose tasks share it: `monotonic` and `sleep` are all that a client needs.
    """

    def __init__(self, *, automatic: bool = False, start: datetime | None = None) -> None:
        self._automatic = automatic
        self._start = start or datetime.now(UTC)
        self._seconds = 0.0
        self._sleepers: list[tuple[float, int, _Sleeper]] = []
        self._numbers = count()
        self._eager = 0
        self._holders: dict[object, int] = {}
        self._asleep: dict[object, int] = {}
        self._events = 0
        self._watching = False
        self._quiet: list[asyncio.Future[None]] = []
        self._one_at_a_time = asyncio.Lock()

    def now(self) -> datetime:
        """Give the date and time in UTC."""
        return self._start + timedelta(seconds=self._seconds)

    def monotonic(self) -> float:
        """Give the seconds that have passed since the clock was made."""
        return self._seconds

    async def sleep(self, seconds: float) -> None:
        """Wait until `seconds` of this clock's time have passed; makes an automatic clock move."""
        await self._sleep(seconds, patient=False)

    async def sleep_patiently(self, seconds: float) -> None:
        """Wait as `sleep` does, but for time that others make pass."""
        await self._sleep(seconds, patient=True)

    async def advance(self, seconds: float) -> None:
        """Let time pass, from one sleeper's moment to the next, and let everything that wakes do its work in between.

        Waits for tasks that hold the clock, and until the event loop has nothing left to do.
        """
        async with self._one_at_a_time:
            target = self._seconds + seconds
            await self._calm()
            while (first := self._first()) is not None and first.wakes <= target:
                self._move_to(first.wakes)
                await self._calm()
            self._seconds = max(self._seconds, target)

    @property
    def patient(self) -> PatientClock:
        """The same time for those whose sleep shall not make an automatic clock move: they wait for others' time."""
        return PatientClock(self)

    @contextmanager
    def hold(self) -> Generator[None, None, None]:
        """Keep time from moving while the calling task is in the block, but for when it sleeps there itself."""
        task = asyncio.current_task()
        self._holders[task] = self._holders.get(task, 0) + 1
        self._events += 1
        try:
            yield
        finally:
            self._holders[task] -= 1
            if not self._holders[task]:
                del self._holders[task]
            self._events += 1
            self._look()

    async def _sleep(self, seconds: float, *, patient: bool) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        sleeper = _Sleeper(self._seconds + seconds, patient, asyncio.get_running_loop().create_future())
        heapq.heappush(self._sleepers, (sleeper.wakes, next(self._numbers), sleeper))
        task = asyncio.current_task()
        self._asleep[task] = self._asleep.get(task, 0) + 1
        self._eager += not patient
        self._events += 1
        self._look()
        try:
            await sleeper.woken
        finally:
            self._eager -= not patient
            self._asleep[task] -= 1
            if not self._asleep[task]:
                del self._asleep[task]
            self._events += 1

    def _first(self) -> _Sleeper | None:
        while self._sleepers and self._sleepers[0][2].woken.done():  # cancelled
            heapq.heappop(self._sleepers)
        return self._sleepers[0][2] if self._sleepers else None

    def _move_to(self, moment: float) -> None:
        self._seconds = max(self._seconds, moment)
        self._events += 1
        while (first := self._first()) is not None and first.wakes <= self._seconds:
            heapq.heappop(self._sleepers)
            first.woken.set_result(None)

    async def _calm(self) -> None:
        """Wait until nothing happens any more."""
        calm: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._quiet.append(calm)
        self._look()
        await calm

    @property
    def _wanted(self) -> bool:
        return bool(self._quiet) or (self._automatic and self._eager > 0)

    @property
    def _held(self) -> bool:
        return any(task not in self._asleep for task in self._holders)

    def _look(self) -> None:
        """Begin to look whether anything happens, if somebody wants to know and nobody holds the clock."""
        if not self._watching and self._wanted and not self._held:
            self._watching = True
            self._wait(self._events, _TURNS, self._doze)

    def _wait(self, events: int, turns: int, then: Callable[[int], Any]) -> None:
        """Let the loop turn; begin anew when something happens, go on when nothing has."""
        if events != self._events:
            self._watching = False
            self._look()
        elif turns:
            asyncio.get_running_loop().call_soon(self._wait, events, turns - 1, then)
        else:
            then(events)

    def _doze(self, events: int) -> None:
        asyncio.get_running_loop().call_later(_GRACE, self._wait, events, _TURNS, self._act)

    def _act(self, _events: int) -> None:
        """Do what was waited for: nothing happens."""
        self._watching = False
        if self._quiet:
            for calm in self._quiet:
                if not calm.done():
                    calm.set_result(None)
            self._quiet.clear()
        elif self._automatic and (first := self._first()) is not None:
            self._move_to(first.wakes)
            self._look()


@attrs.frozen
class PatientClock:
    """A virtual clock for those who do not make time pass."""

    clock: VirtualClock

    def now(self) -> datetime:
        """Give the date and time in UTC."""
        return self.clock.now()

    def monotonic(self) -> float:
        """Give the seconds that have passed since the clock was made."""
        return self.clock.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait until `seconds` of the clock's time have passed."""
        await self.clock.sleep_patiently(seconds)
