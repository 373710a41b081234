"""Equality of values that hold arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import attrs

if TYPE_CHECKING:
    from numpy.typing import NDArray


def same(one: Any, other: Any) -> bool:
    """Return whether two values are equal, arrays among them compared element by element and NaN equal to itself."""
    import numpy as np

    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        return _same_arrays(np.asarray(one), np.asarray(other))
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        mine, theirs = one, other
        return mine.keys() == theirs.keys() and all(same(mine[key], theirs[key]) for key in mine)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        rows, others = cast(Sequence[Any], one), cast(Sequence[Any], other)
        return len(rows) == len(others) and all(map(same, rows, others))
    return bool(one == other) or bool(one != one and other != other)  # noqa: PLR0124 - NaN


def _same_arrays(one: NDArray[Any], other: NDArray[Any]) -> bool:
    import numpy as np

    numbers = one.dtype.kind in "fc" and other.dtype.kind in "fc"
    return bool(np.array_equal(one, other, equal_nan=numbers))


BY_VALUE: Any = attrs.cmp_using(eq=same, require_same_type=False)
"""For ``attrs.field(eq=BY_VALUE)``."""
