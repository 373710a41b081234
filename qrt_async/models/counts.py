"""How often each value of a register was seen: mappings that keep arrays instead of millions of Python objects."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import ItemsView, Iterator, Mapping, ValuesView
from typing import TYPE_CHECKING, Any, TypeVar, cast

import attrs

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

K = TypeVar("K", str, int)

_BLOCK = 4096
_COMPARED = 262_144
_COUNTED = 1_048_576
_SHOWN = 64


@attrs.frozen(eq=False, repr=False)
class Tally(Mapping[K, int]):
    """
    Distinct values in ascending order, and how often each was seen.

    `rows` has the shape ``(values, ceil(num_bits / 8))``, packed like a register's shots; `seen` has one number each.
    Whatever takes a mapping takes this; ``dict(tally.items())`` makes a dict of it, as a JSON encoder needs.
    """

    rows: NDArray[np.uint8]
    seen: NDArray[np.int64]
    num_bits: int

    def __len__(self) -> int:
        return len(self.seen)

    def __iter__(self) -> Iterator[K]:
        for start in range(0, len(self), _BLOCK):
            yield from self._keys_of(self.rows[start : start + _BLOCK])

    def __getitem__(self, key: K) -> int:
        row = self._row_of(key)
        at = len(self) if row is None else bisect.bisect_left(range(len(self)), row, key=self._bytes_at)
        if at == len(self) or self._bytes_at(at) != row:
            raise KeyError(key)
        return int(self.seen[at])

    def __contains__(self, key: object) -> bool:
        return self.get(cast(K, key)) is not None

    def items(self) -> ItemsView[K, int]:
        """Return the values and their numbers."""
        return _Items(self)

    def values(self) -> ValuesView[int]:
        """Return the numbers."""
        return _Numbers(self)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Tally):
            return (
                type(self) is type(other)
                and self.num_bits == other.num_bits
                and self.rows.shape == other.rows.shape
                and bool((self.rows == other.rows).all() and (self.seen == other.seen).all())
            )
        return super().__eq__(other)

    def __repr__(self) -> str:
        pairs = [f"{key!r}: {number}" for key, number in itertools.islice(self.items(), _SHOWN)]
        return f"{{{', '.join(pairs)}{', …' if len(self) > _SHOWN else ''}}}"

    def most_common(self, n: int | None = None) -> list[tuple[K, int]]:
        """Return the `n` values seen most often with their numbers, most frequent first; equals in ascending order."""
        import numpy as np

        order = np.argsort(-self.seen, kind="stable")[:n]
        keys: list[K] = []
        for start in range(0, len(order), _BLOCK):
            keys += self._keys_of(self.rows[order[start : start + _BLOCK]])
        return list(zip(keys, self.seen[order].tolist(), strict=True))

    def total(self) -> int:
        """Return the number of all shots."""
        return int(self.seen.sum())

    def _bytes_at(self, index: int) -> bytes:
        return bytes(self.rows[index])

    def _keys_of(self, rows: NDArray[np.uint8]) -> list[K]:
        raise NotImplementedError

    def _row_of(self, key: K) -> bytes | None:
        """Return the packed value of a key, None where the register cannot hold it."""
        raise NotImplementedError


class _Items(ItemsView[K, int]):
    _mapping: Tally[K]

    def __iter__(self) -> Iterator[tuple[K, int]]:
        return zip(self._mapping, self._mapping.values(), strict=True)


class _Numbers(ValuesView[int]):
    _mapping: Tally[Any]

    def __iter__(self) -> Iterator[int]:
        seen = self._mapping.seen
        for start in range(0, len(seen), _BLOCK):
            yield from seen[start : start + _BLOCK].tolist()


class Counts(Tally[str]):
    """How often each bitstring was seen, in ascending order of its value; bit 0 is the rightmost."""

    def _keys_of(self, rows: NDArray[np.uint8]) -> list[str]:
        return bitstrings(rows, self.num_bits)

    def _row_of(self, key: str) -> bytes | None:
        if not isinstance(key, str) or len(key) != self.num_bits or not set(key) <= {"0", "1"}:
            return None
        return int(key or "0", 2).to_bytes(self.rows.shape[1], "big")


class IntCounts(Tally[int]):
    """How often each value was seen, in ascending order."""

    def _keys_of(self, rows: NDArray[np.uint8]) -> list[int]:
        return integers(rows)

    def _row_of(self, key: int) -> bytes | None:
        if not isinstance(key, int) or not 0 <= key < 1 << self.num_bits:
            return None
        return int(key).to_bytes(self.rows.shape[1], "big")


def bitstrings(rows: NDArray[np.uint8], num_bits: int) -> list[str]:
    """Return packed values as texts of `num_bits` characters."""
    import numpy as np

    found: list[str] = []
    for start in range(0, len(rows), _BLOCK):
        block = rows[start : start + _BLOCK]
        bits = np.unpackbits(block, axis=1)[:, 8 * rows.shape[1] - num_bits :]
        text = (bits + np.uint8(ord("0"))).tobytes().decode("ascii")
        found += [text[i * num_bits : (i + 1) * num_bits] for i in range(len(block))]
    return found


def integers(rows: NDArray[np.uint8]) -> list[int]:
    """Return packed values as integers."""
    width = rows.shape[1]
    if width <= 8:
        return cast(list[int], words(rows).tolist())
    data = rows.tobytes()
    return [int.from_bytes(data[at : at + width], "big") for at in range(0, len(data), width)]


def words(rows: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Return packed values of at most 64 bits as numbers."""
    import numpy as np

    padded = np.zeros((len(rows), 8), dtype=np.uint8)
    padded[:, 8 - rows.shape[1] :] = rows
    return padded.view(">u8").ravel().astype(np.uint64)


def distinct(rows: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """
    Return the distinct rows in ascending order, and how often each is there.

    No step holds Python's lock for long, so that other threads go on: what sorts lets go of it, the rest is done in
    blocks.
    """
    import numpy as np

    width = rows.shape[1]
    if not rows.size:
        return rows[:1], np.full(min(1, len(rows)), len(rows), dtype=np.int64)
    if width <= 2:
        return _counted(rows, width)
    ordered = _ordered(rows)
    changes = [np.zeros(1, dtype=np.intp)]
    for start in range(1, len(ordered), _COMPARED):
        block = ordered[start - 1 : start + _COMPARED]
        changes.append(np.flatnonzero(block[1:] != block[:-1]) + start)
    firsts = np.concatenate(changes)
    values = ordered.view(np.uint8).reshape(len(rows), -1)[:, -width:]
    seen = np.diff(firsts, append=len(rows)).astype(np.int64, copy=False)
    return values if len(firsts) == len(values) else values[firsts], seen


def _counted(rows: NDArray[np.uint8], width: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return the distinct rows of one or two bytes, by counting every value that there can be."""
    import numpy as np

    seen = np.zeros(256**width, dtype=np.int64)
    for start in range(0, len(rows), _COUNTED):
        block = np.ascontiguousarray(rows[start : start + _COUNTED]).view(f">u{width}").ravel()
        seen += np.bincount(block, minlength=len(seen))
    values = np.flatnonzero(seen)
    return values.astype(f">u{width}").view(np.uint8).reshape(-1, width), seen[values]


def _ordered(rows: NDArray[np.uint8]) -> NDArray[Any]:
    """Return the rows in ascending order: as numbers of up to 64 bits, written big-endian, or as byte strings."""
    import numpy as np

    width = rows.shape[1]
    if width <= 8:
        return np.sort(words(rows)).astype(">u8")
    return np.sort(np.ascontiguousarray(rows).view(f"S{width}").ravel())
