"""Time, passed in: what the emulator knows of it, and the real one."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol

import attrs


class Clock(Protocol):
    """Where the emulator's time comes from: a date for its replies, a steady count for durations."""

    def now(self) -> datetime:
        """Give the date and time in UTC."""
        ...

    def monotonic(self) -> float:
        """Give seconds on a count that never goes back; only differences mean anything."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait for `seconds` of this clock's time."""
        ...


class RealClock:
    """The machine's own time."""

    def now(self) -> datetime:
        """Give the machine's date and time in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Give the machine's monotonic seconds."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Sleep on the running event loop."""
        await asyncio.sleep(seconds)


@attrs.frozen
class Instant:
    """One moment, both ways: its date for replies and its monotonic seconds for durations."""

    date: datetime
    monotonic: float

    @classmethod
    def of(cls, clock: Clock) -> Instant:
        """Read both faces of `clock` at once."""
        return cls(clock.now(), clock.monotonic())

    def seconds_since(self, earlier: Instant) -> float:
        """Give the seconds from `earlier` to this moment."""
        return self.monotonic - earlier.monotonic
