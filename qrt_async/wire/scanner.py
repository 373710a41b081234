"""A body of JSON, as it arrives → its ``"samples"`` arrays, packed, and the rest, which is parsed once at the end."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from typing import Any

import attrs

from qrt_async.wire import codec
from qrt_async.wire.samples import SPACE, NotPlain, SampleArray

_KEY = b'"samples"'
_OPENING = re.compile(_KEY + SPACE + rb":" + SPACE + rb"((?:\[" + SPACE + rb')+)(?=")')
_BEGUN_OPENING = re.compile(_KEY + SPACE + rb"(?::" + SPACE + rb"(?:\[" + SPACE + rb")*)?")
_LONGEST_OPENING = 1024
_DEEPEST = 32

_STEP = 32_768
_SLICE = 65_536
_SHORT = 2048
_SHOWN = 64
_BACKSLASH = ord("\\")


@attrs.define
class Scanner:
    """
    Takes a body in chunks of any size and keeps it as a document whose arrays of shots are packed.

    Inside a text of JSON quotes are escaped, so that ``"samples"`` without a backslash before it is a whole text, and
    with a colon and a bracket behind it the key of an array. Whatever is not as expected stays in the document as it
    came, so that the document says what the body says, mistakes included.
    """

    _step: int = _STEP
    _waiting: list[bytes] = attrs.field(factory=list[bytes], init=False)
    _fresh: int = attrs.field(default=0, init=False)
    _parts: list[bytes | SampleArray] = attrs.field(factory=list["bytes | SampleArray"], init=False)
    _open: SampleArray | None = attrs.field(default=None, init=False)
    _start: bytes | None = attrs.field(default=None, init=False)

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes."""
        for start in range(0, len(chunk), _SLICE):
            piece = chunk[start : start + _SLICE]
            self._waiting.append(piece)
            self._fresh += len(piece)
            if self._fresh >= self._step:
                self._scan()

    def finish(self) -> Scanned:
        """Return what was taken; a body that is shorter than one step was not worth scanning."""
        if self._start is not None:
            self._scan()
        rest = b"".join(self._waiting)
        start = self._start or rest[:_SHOWN]
        return Scanned([*self._parts, rest], start, is_cut=self._open is not None)

    def _scan(self) -> None:
        text, self._fresh = b"".join(self._waiting), 0
        if self._start is None and len(text) >= _SHOWN:
            self._start = text[:_SHOWN]
        if self._start is not None and not _is_wide(self._start):
            text = text[self._through(text) :]
        self._waiting = [text]

    def _through(self, text: bytes) -> int:
        """Go through a text as far as it can be told what it is, and return how far that was."""
        at = 0
        while True:
            if self._open is None:
                self._open, at = self._outside(text, at)
            if self._open is None:
                return at
            taken, goes_on = _inside(self._open, text[at:])
            at += taken
            if goes_on:
                return at
            self._open = None

    def _outside(self, text: bytes, start: int) -> tuple[SampleArray | None, int]:
        """Keep the text up to the next array of shots; return that array, and how far the text is dealt with."""
        at = start
        while (at := text.find(_KEY, at)) >= 0:
            match = _OPENING.match(text, at) if at and text[at - 1] != _BACKSLASH else None
            if match and (array := _worth_packing(text, match)):
                self._keep(text[start : match.start(1)])
                self._parts.append(array)
                return array, match.end()
            begun = _BEGUN_OPENING.match(text, at)
            if begun and begun.end() == len(text) and len(text) - at <= _LONGEST_OPENING:
                return None, self._kept(text, start, at)
            at += 1
        return None, self._kept(text, start, len(text) - len(_KEY) + 1)

    def _kept(self, text: bytes, start: int, end: int) -> int:
        """Keep a part of the text but for its last byte, which may be a backslash before what follows."""
        end = max(start, end - 1)
        self._keep(text[start:end])
        return end

    def _keep(self, text: bytes) -> None:
        if text:
            self._parts.append(text)


def _inside(array: SampleArray, text: bytes) -> tuple[int, bool]:
    """Let an array take shots from a text; return how far that went, and whether there are more to come."""
    try:
        taken = array.take(text)
    except NotPlain:
        return 0, False
    return taken, not array.complete


def _worth_packing(text: bytes, opening: re.Match[bytes]) -> SampleArray | None:
    """Return the array that opens there, unless all of it is in sight and soon parsed."""
    array = SampleArray(opening[1].count(b"["))
    end, _ = array.end(text, opening.end())
    is_short = end is not None and end - opening.end() < _SHORT
    return None if is_short or array.depth > _DEEPEST else array


def _is_wide(start: bytes) -> bool:
    """Return whether JSON that begins so is in UTF-16 or UTF-32, where bytes are not characters."""
    return 0 in start[:4] or start[:2] in {b"\xff\xfe", b"\xfe\xff"}


@attrs.define
class Scanned:
    """A body that was scanned; `is_cut` where it ended inside an array."""

    _parts: list[bytes | SampleArray]
    _start: bytes
    is_cut: bool

    @property
    def arrays(self) -> list[SampleArray]:
        """The arrays that are packed whole, in the body's order."""
        return [part for part in self._parts if isinstance(part, SampleArray) and part.complete]

    @property
    def is_empty(self) -> bool:
        """Whether there was no body at all."""
        return not any(self._parts)

    def parse(self, *, operation: str) -> Any:
        """
        Return the document with a :class:`SampleArray` for every array that is packed.

        Raises:
            ProtocolError: the body is not JSON.

        """
        if self.is_cut:
            raise codec.not_json(self._start, operation=operation)
        arrays = self.arrays
        mark = self._unused_number()

        def number(text: str) -> Any:
            return arrays[int(text.removeprefix(mark))] if text.startswith(mark) else float(text)

        places = iter(range(len(arrays)))
        # the blank keeps a digit that follows by mistake from becoming part of the number
        pieces = (_texts(part) if _is_kept(part) else [f"{mark}{next(places)} ".encode()] for part in self._parts)
        text = b"".join(itertools.chain.from_iterable(pieces))
        return codec.parse(text, operation=operation, start=self._start, read_float=number if arrays else None)

    def parse_whole(self, *, operation: str) -> Any:
        """Return the document as if nothing had been packed."""
        if self.is_cut:
            raise codec.not_json(self._start, operation=operation)
        text = b"".join(itertools.chain.from_iterable(map(_texts, self._parts)))
        return codec.parse(text, operation=operation, start=self._start)

    def _unused_number(self) -> str:
        """Return the beginning of a number that occurs nowhere in the document: numbers have one spelling each."""
        kept = b" ".join(part for part in self._parts if isinstance(part, bytes))
        return next(mark for k in itertools.count() if (mark := f"0.{k}E").encode() not in kept)


def _is_kept(part: bytes | SampleArray) -> bool:
    return isinstance(part, bytes) or not part.complete


def _texts(part: bytes | SampleArray) -> Iterable[bytes]:
    return [part] if isinstance(part, bytes) else part.text()
