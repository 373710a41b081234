"""Who runs the work, as the world sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

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
