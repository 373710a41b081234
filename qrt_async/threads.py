"""Long work beside the event loop."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_loaded: set[str] = set()

LARGE = 128 * 1024
"""Bytes that are worth the way to a thread and back."""


async def in_thread(work: Callable[[], T], *, size: int) -> T:
    """Return what `work` gives: from a thread where the `size` of what it works on, in bytes, is large."""
    return await asyncio.to_thread(work) if size > LARGE else work()


async def loaded(module: str) -> None:
    """Import what takes long to import, once, so that no later import of it keeps the event loop waiting."""
    if module not in _loaded:
        await asyncio.to_thread(importlib.import_module, module)
        _loaded.add(module)
