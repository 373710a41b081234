"""Fixtures for tests against a scripted service."""

from __future__ import annotations

from collections.abc import AsyncIterator

import attrs
import pytest

from tests.client import scripted


@attrs.define
class FakeClock:
    """A clock that stands still, and moves by what anybody sleeps."""

    now: float = 1000.0
    slept: list[float] = attrs.field(factory=list[float])

    def monotonic(self) -> float:
        """Return the time."""
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Move the time on at once."""
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock() -> FakeClock:
    """A clock that moves by what is slept."""
    return FakeClock()


@pytest.fixture
async def service() -> AsyncIterator[scripted.Service]:
    """A scripted service."""
    async with scripted.service() as found:
        yield found
