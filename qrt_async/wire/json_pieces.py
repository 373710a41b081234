"""A value → its JSON in pieces, none of which takes long to make: the encoder of a whole one holds Python's lock."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import attrs

PIECE = 65_536
"""About as many characters make a piece: well under a millisecond."""

_COUNTED = 4 * PIECE
_SCALAR = 8
_DEEPEST = 100


def weight(value: Any) -> int:
    """Return about how many characters a value's JSON takes, counted no further than four pieces."""
    return _weight(value, _COUNTED, 0)


def pieces(value: Any, *, sort_keys: bool = False, size: int = PIECE) -> Iterator[bytes]:
    """
    Yield a value's JSON, without blanks, in pieces of about `size` characters; none takes long to make.

    Raises:
        ValueError: a number is not finite, which JSON cannot say.
        TypeError: a value has no form in JSON.

    """
    dumps = json.JSONEncoder(allow_nan=False, separators=(",", ":"), sort_keys=sort_keys).encode
    text: list[str] = []
    length = 0
    for part in _Pieces(dumps, sort_keys, size).of(value, 0):
        text.append(part)
        length += len(part)
        if length >= size:
            yield "".join(text).encode()
            text, length = [], 0
    if text:
        yield "".join(text).encode()


@attrs.frozen
class _Pieces:
    _dumps: Callable[[Any], str]
    _sort_keys: bool
    _size: int

    def of(self, value: Any, depth: int) -> Iterator[str]:
        is_large = depth <= _DEEPEST and _weight(value, self._size, depth) >= self._size
        if is_large and isinstance(value, str):
            yield '"'
            for start in range(0, len(value), self._size):
                yield self._dumps(value[start : start + self._size])[1:-1]
            yield '"'
        elif is_large and isinstance(value, dict) and value:
            yield from self._members(value, depth)
        elif is_large and isinstance(value, list | tuple):
            yield "["
            yield from self._items(value, depth)
            yield "]"
        else:
            yield self._dumps(value)

    def _members(self, value: dict[Any, Any], depth: int) -> Iterator[str]:
        names = sorted(value) if self._sort_keys else value
        for i, name in enumerate(names):
            yield ("," if i else "{") + self._dumps({name: 0})[1:-2]
            yield from self.of(value[name], depth + 1)
        yield "}"

    def _items(self, values: Iterable[Any], depth: int) -> Iterator[str]:
        """Yield the items of a list, small ones many at a time."""
        run: list[Any] = []
        size, comma = 0, ""
        for value in values:
            one = _weight(value, self._size, depth + 1)
            if run and size + one >= self._size:
                yield comma + self._dumps(run)[1:-1]
                run, size, comma = [], 0, ","
            if one >= self._size:
                yield comma
                yield from self.of(value, depth + 1)
                comma = ","
            else:
                run.append(value)
                size += one
        if run:
            yield comma + self._dumps(run)[1:-1]


def _weight(value: Any, limit: int, depth: int) -> int:
    """Return about how many characters a value takes, counted little further than `limit`."""
    if isinstance(value, str):
        return len(value) + 3
    if depth > _DEEPEST or not isinstance(value, list | tuple | dict):
        return _SCALAR
    if len(value) * 2 >= limit:
        return limit
    found = 2
    for item in value.values() if isinstance(value, dict) else value:
        found += _weight(item, limit - found, depth + 1)
        if found >= limit:
            break
    return found
