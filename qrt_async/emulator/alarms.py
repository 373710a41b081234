"""What is to happen at a moment of the emulator's clock."""

from __future__ import annotations

import asyncio
import heapq
from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING

import attrs

from qrt_async.emulator.clock import Instant

if TYPE_CHECKING:
    from collections.abc import Callable

    from qrt_async.emulator.clock import Clock

_FEW = 256  # alarms that may stand without a look at which of them are cancelled


@attrs.define(eq=False)
class Alarm:
    """One thing to do; once cancelled nothing happens, and nothing is held on to."""

    ring: Callable[[Instant], None] | None

    def cancel(self) -> None:
        """See to it that nothing happens."""
        self.ring = None


class Alarms:
    """Calls back on the event loop when moments of `clock` are reached, the earliest first.

    Callbacks get the moment that was asked for, however late they are called, so that dates in replies and the
    order of events do not depend on how busy the machine is.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._heap: list[tuple[float, int, Alarm]] = []
        self._crowded = _FEW
        self._numbers = count()
        self._earlier = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def at(self, monotonic: float, ring: Callable[[Instant], None]) -> Alarm:
        """Call `ring` once the clock's monotonic seconds reach `monotonic`."""
        alarm = Alarm(ring)
        if len(self._heap) >= self._crowded:
            self._sweep()
        first = not self._heap or monotonic < self._heap[0][0]
        heapq.heappush(self._heap, (monotonic, next(self._numbers), alarm))
        if self._task is None:
            self._task = asyncio.create_task(self._watch(), name="alarms")
        elif first:
            self._earlier.set()
        return alarm

    def __len__(self) -> int:
        """How many alarms are held, those lately cancelled among them."""
        return len(self._heap)

    async def close(self) -> None:
        """Forget everything."""
        self._heap.clear()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _watch(self) -> None:
        while True:
            self._earlier.clear()
            self._ring_what_is_due()
            if not self._heap:
                await self._earlier.wait()
                continue
            await self._sleep(self._heap[0][0] - self._clock.monotonic())

    async def _sleep(self, seconds: float) -> None:
        """Sleep until the next alarm, or until an earlier one is set."""
        nap = asyncio.ensure_future(self._clock.sleep(seconds))
        change = asyncio.ensure_future(self._earlier.wait())
        try:
            await asyncio.wait((nap, change), return_when=asyncio.FIRST_COMPLETED)
        finally:
            nap.cancel()
            change.cancel()

    def _sweep(self) -> None:
        """Let go of cancelled alarms, so that the many that never ring do not pile up."""
        self._heap = [entry for entry in self._heap if entry[2].ring is not None]
        heapq.heapify(self._heap)
        self._crowded = max(_FEW, 2 * len(self._heap))

    def _ring_what_is_due(self) -> None:
        while self._heap and (self._heap[0][2].ring is None or self._heap[0][0] <= self._clock.monotonic()):
            moment, _, alarm = heapq.heappop(self._heap)
            if alarm.ring is not None:
                now = Instant.of(self._clock)
                late = timedelta(seconds=now.monotonic - moment)
                alarm.ring(Instant(now.date - late, moment))
