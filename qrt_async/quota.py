"""Submissions a minute: one quota for a user, shared by all who submit for them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import attrs

from qrt_async.clock import Clock, SystemClock
from qrt_async.errors import InvalidOption
from qrt_async.journal import Journal

_MINUTE = 60.0
_LEAST_SLEEP = 0.001
"""Less would be lost in the clock's rounding, and waiting would never end."""


@attrs.define(init=False, eq=False)
class Quota:
    """
    At most `per_minute` submissions in any sixty seconds (a sliding log), in the order in which they were asked for.

    The quota is the user's, not the instance's (``POST /jobs``: 5 a minute): hand one `Quota` to all clients of a user.
    A submission counts from its start until a minute after its reply, since nobody here knows when in between it
    reached the service. None lifts the limit.
    """

    per_minute: int | None
    _clock: Clock
    _finished: deque[float]
    _under_way: int
    _not_before: float
    _turn: asyncio.Lock
    _change: asyncio.Event

    def __init__(self, per_minute: int | None = 5, *, clock: Clock | None = None) -> None:
        if per_minute is not None and (isinstance(per_minute, bool) or per_minute < 1):
            raise InvalidOption(f"per_minute is a whole number of at least 1, or None, not {per_minute!r}")
        self.per_minute = per_minute
        self._clock = clock or SystemClock()
        self._finished = deque()
        self._under_way = 0
        self._not_before = 0.0
        self._turn = asyncio.Lock()
        self._change = asyncio.Event()

    @property
    def wait(self) -> float:
        """The seconds until the next submission may start, as far as is known now; 0 where it may at once."""
        return max(0.0, self._not_before - self._clock.monotonic(), self._until_free())

    @asynccontextmanager
    async def submission(self, *, on_wait: Callable[[float], None] | None = None) -> AsyncGenerator[float]:
        """Wait for a turn, and give the seconds that this took; the block is the submission."""
        began = self._clock.monotonic()
        async with self._turn:
            await self._free(on_wait)
            self._under_way += 1
        try:
            yield self._clock.monotonic() - began
        finally:
            self._under_way -= 1
            self._finished.append(self._clock.monotonic())
            self._change.set()

    def hold(self, seconds: float) -> None:
        """Start no submission for that long, as the service asked."""
        self._not_before = max(self._not_before, self._clock.monotonic() + seconds)

    def refused(self, retry_after: float | None) -> float:
        """Hold everybody after a 429; return the seconds held."""
        self.hold(retry_after or 0.0)
        return retry_after or 0.0

    def share(self, journal: Journal, user: str) -> None:
        """From now on take a place in the journal too."""

    async def _free(self, on_wait: Callable[[float], None] | None) -> None:
        while True:
            self._change.clear()
            if (wait := self.wait) > 0:
                if on_wait:
                    on_wait(wait)
                await self._clock.sleep(max(wait, _LEAST_SLEEP))
            elif self.per_minute is not None and self._under_way + len(self._finished) >= self.per_minute:
                await self._change.wait()
            else:
                return

    def _until_free(self) -> float:
        """Return the seconds until the oldest submission leaves the log, 0 where nothing is to be waited for."""
        now = self._clock.monotonic()
        while self._finished and self._finished[0] + _MINUTE <= now:
            self._finished.popleft()
        if self.per_minute is None or self._under_way + len(self._finished) < self.per_minute or not self._finished:
            return 0.0
        return self._finished[0] + _MINUTE - now
