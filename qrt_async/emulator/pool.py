"""Who runs the work, as the world sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from qrt_async.emulator.virtual_clock import VirtualClock
    from qrt_async.emulator.work import Outcome, Work


class Pool(Protocol):
    """Who runs the work: `workers.Workers`, or whatever keeps its contract."""

    async def run(self, work: Work, on_start: Callable[[], None] | None = None) -> Outcome:
        """Run one work, calling `on_start` on the loop as it begins; cancelling stops it."""
        ...

    async def warm(self) -> None:
        """Start ahead what running needs."""
        ...

    async def close(self) -> None:
        """End everything; nothing runs afterwards."""
        ...


class StillPool:
    """A pool whose work takes none of a virtual clock's time: what takes the machine's time is not part of the play."""

    def __init__(self, pool: Pool, clock: VirtualClock) -> None:
        self._pool = pool
        self._clock = clock

    async def run(self, work: Work, on_start: Callable[[], None] | None = None) -> Outcome:
        """Run one work while the clock is held."""
        with self._clock.hold():
            return await self._pool.run(work, on_start)

    async def warm(self) -> None:
        """Start ahead what running needs."""
        await self._pool.warm()

    async def close(self) -> None:
        """End everything."""
        await self._pool.close()
