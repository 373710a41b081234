"""Execution spans inside JSON → models."""

from __future__ import annotations

import math
from typing import Any, cast

from qrt_async.models.spans import (
    LARGEST_MASK,
    DoubleSliceSpan,
    ExecutionSpan,
    SliceSpan,
    SpanPart,
    TwirledSliceSpan,
    TwirledSliceSpanV2,
)

_KINDS: dict[str, tuple[type[ExecutionSpan], int]] = {
    "ExecutionSpan": (SliceSpan, 2),
    "DoubleSliceSpan": (DoubleSliceSpan, 4),
    "TwirledSliceSpan": (TwirledSliceSpan, 5),
    "TwirledSliceSpanV2": (TwirledSliceSpanV2, 6),
}

NAMES = frozenset(_KINDS)


def decoded(kind: str, value: dict[str, Any]) -> ExecutionSpan:
    """
    Return the span of a value whose times are decoded already.

    Raises:
        KeyError, TypeError, ValueError: the value is no span.

    """
    model, length = _KINDS[kind]
    slices = value["data_slices"]
    if not isinstance(slices, dict):
        raise TypeError("data_slices")
    parts = {int(i): _part(kind, item, length) for i, item in cast(dict[str, Any], slices).items()}
    return model(value["start"], value["stop"], parts)


def _part(kind: str, item: Any, length: int) -> SpanPart:
    shape, *rest = item
    if len(rest) != length or not isinstance(shape, list):
        raise ValueError(f"{kind} has {length + 1} members")
    numbers = shape
    front = rest.pop(0) if kind.startswith("Twirled") else None
    if front is not None and not isinstance(front, bool):
        raise TypeError("at_front")
    for number in (*numbers, *rest):
        if type(number) is not int or not 0 <= number <= LARGEST_MASK:
            raise ValueError(f"not a position: {number!r}")
    least = {"ExecutionSpan": 0, "DoubleSliceSpan": 1}.get(kind, 2)
    if not least <= len(numbers) <= 32 or math.prod(numbers) > LARGEST_MASK:
        raise ValueError(f"not a shape: {numbers!r}")
    return SpanPart(
        tuple(numbers),
        (rest[0], rest[1]),
        (rest[2], rest[3]) if length > 2 else None,
        front,
        rest[4] if len(rest) == 5 else None,
    )
