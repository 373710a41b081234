"""Time, passed in wherever something waits."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol

import attrs


class Clock(Protocol):
    """Monotonic seconds and a sleep that agrees with them."""

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after that many seconds of this clock."""
        ...


@attrs.frozen
class SystemClock:
    """The machine's own clock."""

    def monotonic(self) -> float:
        """Return the machine's monotonic seconds."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Sleep in the running event loop."""
        await asyncio.sleep(seconds)


@attrs.frozen
class Deadline:
    """A moment of a clock after which a caller no longer wants to wait."""

    clock: Clock
    at: float

    @classmethod
    def after(cls, clock: Clock, seconds: float) -> Deadline:
        """Return the deadline that lies `seconds` ahead."""
        return cls(clock, clock.monotonic() + seconds)

    def remaining(self) -> float:
        """Return the seconds left, 0 once it has passed."""
        return max(0.0, self.at - self.clock.monotonic())
