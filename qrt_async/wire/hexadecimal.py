"""Hexadecimal texts as the service writes shots (``"0x1f"``) → packed big-endian bytes, many at a time, on NumPy."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Places = "NDArray[np.intp]"

_PREFIX = 0x7830
"""``0x`` as a little-endian word."""

_MOST_DIGITS = 16_384
_LARGEST_GROWTH = 32
"""Packed bytes a byte of text: a body of many short shots and one of thousands of bits is not worth packing."""

_CLASSES = (2, 16, 64, 256, _MOST_DIGITS)


def windows(data: bytes, length: int, places: NDArray[np.intp]) -> NDArray[np.uint8]:
    """Return the `length` bytes from each of the places on, one row each; no window may leave the data."""
    import numpy as np

    every = np.ndarray((len(data) - length + 1,), f"V{length}", data, 0, (1,))
    return every[places].view(np.uint8).reshape(len(places), length)


def pack(data: bytes, opens: NDArray[np.intp], closes: NDArray[np.intp]) -> NDArray[np.uint8] | None:
    """
    Return the shots between such quotes, one row each, big-endian and right-aligned, as wide as the longest needs.

    None where one of them is not exactly what ``hex()`` writes: ``0x``, then lower-case digits without a leading zero.
    Only such texts can be told again from what is packed.
    """
    import numpy as np

    digits = closes - opens - 3
    most = int(digits.max())
    if int(digits.min()) < 1 or most > _MOST_DIGITS or len(opens) * most > 2 * _LARGEST_GROWTH * len(data):
        return None
    heads = np.ndarray((len(data) - 3,), "<u4", data, 0, (1,))[opens + 1]
    if ((heads & 0xFFFF) != _PREFIX).any():
        return None
    if most <= 2:
        return _narrow((heads >> 16).astype(np.uint32))
    if ((((heads >> 16) & 0xFF) == ord("0")) & (digits > 1)).any():
        return None
    if len(opens) * most <= 4 * len(data):
        return _wide(data, closes, digits, most)
    return _mixed(data, closes, digits, most)


def _narrow(heads: NDArray[np.uint32]) -> NDArray[np.uint8] | None:
    """Return shots of one or two digits, given as words: a digit and the closing quote, or two digits."""
    import numpy as np

    values = _two_digits().take(heads)
    return None if (values > 255).any() else values.astype(np.uint8).reshape(-1, 1)


@functools.cache
def _two_digits() -> NDArray[np.uint16]:
    import numpy as np

    table = np.full(65_536, 256, dtype=np.uint16)
    for value in range(256):
        text = f"{value:x}" if value > 15 else f'{value:x}"'
        table[int.from_bytes(text.encode(), "little")] = value
    return table


def _wide(data: bytes, closes: NDArray[np.intp], digits: NDArray[np.intp], most: int) -> NDArray[np.uint8] | None:
    """Return shots of at most `most` digits, cut from the data as windows that end with their last digit."""
    import numpy as np

    width = most + most % 2
    chars = windows(b"0" * width + data, width, closes)
    short = np.flatnonzero(digits < width)
    if len(short):
        rows = chars[short]
        rows[np.arange(width) < (width - digits[short])[:, None]] = ord("0")
        chars[short] = rows
    nibbles = (chars & 15) + (chars >> 6) * np.uint8(9)
    if (chars != nibbles + np.uint8(48) + (nibbles > 9) * np.uint8(39)).any():
        return None
    pairs: NDArray[Any] = nibbles.view("<u2")
    return ((pairs << 4) | (pairs >> 8)).astype(np.uint8)


def _mixed(data: bytes, closes: NDArray[np.intp], digits: NDArray[np.intp], most: int) -> NDArray[np.uint8] | None:
    """Return shots of very different lengths, so that short ones do not cost what long ones do."""
    import numpy as np

    found = np.zeros((len(closes), (most + 1) // 2), dtype=np.uint8)
    least = 0
    for longest in _CLASSES:
        chosen = np.flatnonzero((digits > least) & (digits <= longest))
        least = longest
        if len(chosen):
            part = _wide(data, closes[chosen], digits[chosen], int(digits[chosen].max()))
            if part is None:
                return None
            found[chosen, -part.shape[1] :] = part
    return found
