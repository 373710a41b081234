"""Lists that one awaits for the first page, or iterates over for all."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from typing import Any, Generic, TypeVar

import attrs

T = TypeVar("T")
P = TypeVar("P")


@attrs.frozen
class Listing(Generic[P, T]):
    """
    A list of the service: ``await`` it for its first page, ``async for`` it for every item of every page.

    Nothing is sent before either; each use reads the list anew.
    """

    _first: Callable[[], Awaitable[P]]
    _items: Callable[[], AsyncIterator[T]]

    def __await__(self) -> Generator[Any, None, P]:
        return self._first().__await__()

    def __aiter__(self) -> AsyncIterator[T]:
        return self._items()
