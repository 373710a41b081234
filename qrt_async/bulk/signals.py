"""Waking everyone who waits for a change."""

from __future__ import annotations

import asyncio

import attrs


@attrs.define(eq=False)
class Signal:
    """
    Wakes all who wait, once each time it is given.

    Take `next()` before looking at what may change, and wait for it after: then no change is missed.
    """

    _event: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)

    def next(self) -> asyncio.Event:
        """Return the event that the next change sets."""
        return self._event

    def give(self) -> None:
        """Wake all who wait."""
        self._event.set()
        self._event = asyncio.Event()
