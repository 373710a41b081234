"""Work that is finished although its caller is cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from typing import Any, TypeVar

T = TypeVar("T")


async def regardless(work: Awaitable[T]) -> T:
    """
    Finish `work` even if the caller is cancelled meanwhile, then let the cancellation go on.

    `work` must end by itself: give it a deadline of its own. A cancellation is never lost: what `work` raised is its
    cause then.
    """
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            if task.cancelled():
                raise
            cancelled = error
        except Exception:  # noqa: BLE001 - raised below
            break
    if cancelled is not None:
        raise cancelled from task.exception()
    return task.result()


async def gone(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks, and return once they have ended."""
    left = [task for task in tasks if not task.done()]
    for task in left:
        task.cancel()
    if left:
        await asyncio.wait(left)
