"""The text of one ``"samples"`` array, as it arrives → its packed shots and the shape of their nesting."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import attrs

from qrt_async.wire import hexadecimal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SPACE = rb"[ \t\n\r]*"
_BLANK = b" \t\n\r"
_GAP = re.compile(SPACE + rb"((?:\]" + SPACE + rb")*)," + SPACE + rb"((?:\[" + SPACE + rb")*)")
_LONGEST_GAP = 1024
_MOST_GAPS = 16
"""Different texts between shots: a comma, one for each end of a row, and some for a document that is indented."""

_LONGEST_REST = 65_536
_TEXT_STEP = 4096


class NotPlain(Exception):
    """The array is none that is packed; whoever reads the body has to take its text as it is."""


@attrs.define(eq=False)
class SampleArray:
    """
    The shots of an array that opens with `depth` brackets, packed.

    `blocks` are consecutive shots, one row each, big-endian and right-aligned, each block as wide as its widest shot;
    `longest` is the number of bits of the widest of all.
    """

    depth: int
    count: int = 0
    longest: int = 0
    complete: bool = False
    blocks: list[NDArray[np.uint8]] = attrs.field(factory=list["NDArray[np.uint8]"])
    _levels: list[int | NDArray[np.uint8]] = attrs.field(factory=list["int | NDArray[np.uint8]"])
    _gaps: dict[bytes, int] = attrs.field(factory=dict[bytes, int])

    def take(self, text: bytes) -> int:
        """
        Take what is whole in the next piece of the text, which begins after a shot, and return how much that was.

        With the last bracket the array is `complete`.

        Raises:
            NotPlain: the piece holds anything but shots as ``hex()`` writes them, regularly nested; nothing was taken.

        """
        import numpy as np

        end, after = self.end(text)
        body = text if end is None else text[:end]
        quotes = np.flatnonzero(np.frombuffer(body, dtype=np.uint8) == ord('"'))
        opens, closes = np.ascontiguousarray(quotes[: len(quotes) & ~1 : 2]), np.ascontiguousarray(quotes[1::2])
        used = int(closes[-1]) + 1 if len(closes) else 0
        if end is None and len(text) - used > _LONGEST_REST:
            raise NotPlain
        if end is not None and (len(quotes) % 2 or body[used:].strip(_BLANK)):
            raise NotPlain
        if len(opens):
            self._add(body, opens, closes)
        self.complete = end is not None
        return used if end is None else after

    def end(self, text: bytes, start: int = 0) -> tuple[int | None, int]:
        """Return where the brackets that close the array begin and end; None where they are not there yet."""
        if self.depth == 1:
            found = text.find(b"]", start)
            return (None, 0) if found < 0 else (found, found + 1)
        match = re.compile(rb"\](?:" + SPACE + rb"\]){%d}" % (self.depth - 1)).search(text, start)
        return (match.start(), match.end()) if match else (None, 0)

    def _add(self, body: bytes, opens: NDArray[np.intp], closes: NDArray[np.intp]) -> None:
        levels = self._levels_of(body, opens, closes)
        block = hexadecimal.pack(body, opens, closes)
        if block is None:
            raise NotPlain
        self.blocks.append(block)
        self._levels.append(levels)
        self.count += len(block)
        bits = 8 * (block.shape[1] - 1) + int(block[:, 0].max()).bit_length()
        self.longest = max(self.longest, bits)

    def _levels_of(self, body: bytes, opens: NDArray[np.intp], closes: NDArray[np.intp]) -> int | NDArray[np.uint8]:
        """Return how many brackets close before each shot: one number where it is the same for all of them."""
        import numpy as np

        begins = np.concatenate((np.zeros(1, dtype=np.intp), closes[:-1] + 1))
        if not self.count:
            if opens[0]:
                raise NotPlain
            begins, opens = begins[1:], opens[1:]
        lengths = opens - begins
        if len(begins) and _are_commas(body, begins, lengths):
            return 0
        left, found = np.arange(len(begins)), np.zeros(len(begins), dtype=np.uint8)
        while len(left):
            gap = body[begins[0] : begins[0] + lengths[0]]
            level = self._level(gap)
            at = np.minimum(begins, len(body) - len(gap))
            same = (lengths == len(gap)) & (hexadecimal.windows(body, len(gap), at) == [*gap]).all(axis=1)
            if same.all() and len(left) == len(found) and (self.count or not level):
                return level
            found[left[same]] = level
            left, begins, lengths = left[~same], begins[~same], lengths[~same]
        return found if self.count else np.concatenate((np.zeros(1, dtype=np.uint8), found))

    def _level(self, gap: bytes) -> int:
        """Return how many brackets close, and open again, in a text between two shots."""
        if gap in self._gaps:
            return self._gaps[gap]
        match = _GAP.fullmatch(gap) if len(gap) <= _LONGEST_GAP else None
        level = match[1].count(b"]") if match else self.depth
        if match is None or level != match[2].count(b"[") or level >= self.depth or len(self._gaps) >= _MOST_GAPS:
            raise NotPlain
        self._gaps[gap] = level
        return level

    def shape(self) -> tuple[int, ...] | None:
        """Return the lengths of the nested lists, outermost first; None where lists of one depth differ in length."""
        import numpy as np

        if not any(isinstance(level, np.ndarray) or level for level in self._levels):
            return (*(1,) * (self.depth - 1), self.count)
        levels = np.concatenate(
            [np.broadcast_to(np.uint8(level), len(block)) if isinstance(level, int) else level
             for level, block in zip(self._levels, self.blocks, strict=True)]
        )  # fmt: skip
        levels[0] = self.depth
        lengths: list[int] = []
        for level in range(1, self.depth):
            starts = np.flatnonzero(levels >= level)
            step = len(levels) // len(starts)
            if len(levels) % len(starts) or (starts != np.arange(len(starts)) * step).any():
                return None
            lengths.append(step)
            levels = levels[starts]
        return (len(levels), *reversed(lengths))

    def packed(self, size: int) -> NDArray[np.uint8]:
        """Return all shots as rows of `size` bytes, which have to hold them; the blocks are given up for it."""
        import numpy as np

        found = np.zeros((self.count, size), dtype=np.uint8)
        start = 0
        for block in self._given_up():
            width = min(size, block.shape[1])
            found[start : start + len(block), size - width :] = block[:, block.shape[1] - width :]
            start += len(block)
        return found

    def _given_up(self) -> Iterator[NDArray[np.uint8]]:
        self.blocks.reverse()
        while self.blocks:
            yield self.blocks.pop()

    def text(self) -> Iterator[bytes]:
        """Return the array's text as far as it was taken, in pieces, up to white space."""
        yield b"[" * self.depth
        is_first = True
        for block, level in zip(self.blocks, self._levels, strict=True):
            levels = [level] * len(block) if isinstance(level, int) else level.tolist()
            for start in range(0, len(block), _TEXT_STEP):
                rows = block[start : start + _TEXT_STEP]
                gaps = levels[start : start + _TEXT_STEP]
                pieces = [_shot(row, gap) for row, gap in zip(rows, gaps, strict=True)]
                pieces[0] = pieces[0].removeprefix(",") if is_first else pieces[0]
                is_first = False
                yield "".join(pieces).encode()
        if self.complete:
            yield b"]" * self.depth


def _are_commas(body: bytes, begins: NDArray[np.intp], lengths: NDArray[np.intp]) -> bool:
    """Return whether every gap is a comma and nothing else, as in almost every piece."""
    import numpy as np

    return bool((lengths == 1).all()) and bool((np.frombuffer(body, dtype=np.uint8)[begins] == ord(",")).all())


def _shot(row: NDArray[np.uint8], level: int) -> str:
    return f'{"]" * level},{"[" * level}"{hex(int.from_bytes(row.tobytes(), "big"))}"'
