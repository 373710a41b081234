"""Long work beside the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

LARGE = 128 * 1024
"""Bytes that are worth the way to a thread and back."""


async def in_thread(work: Callable[[], T], *, size: int) -> T:
    """Return what `work` gives: from a thread where the `size` of what it works on, in bytes, is large."""
    return await asyncio.to_thread(work) if size > LARGE else work()
