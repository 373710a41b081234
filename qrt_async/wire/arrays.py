"""Arrays and other payloads inside JSON: base64, zlib, NumPy's file format and plain tensors, never pickles."""

from __future__ import annotations

import ast
import binascii
import io
import math
import re
import struct
import warnings
import zlib
from typing import TYPE_CHECKING, Any, cast

import attrs

from qrt_async.errors import ProtocolError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOST = 2**30
"""Bytes that the payloads of one body may have once inflated: ten million shots of eight hundred bits."""

_LARGEST_QPY = 2**26
_LONGEST_HEADER = 4096
_BASE64_STEP = 3 * 2**16
"""Whole groups of three bytes, so that the texts join; one step for all would hold Python's lock."""
_NUMBERS = re.compile(r"[<>|=]?[biufc][0-9]{1,2}")
_HEADERS = {b"\x93NUMPY\x01\x00": "<H", b"\x93NUMPY\x02\x00": "<I"}
_TENSORS = {
    "bool": ("|b1", 1),
    **{f"u{bits}": (f"<u{bits // 8}", bits) for bits in (8, 16, 32, 64)},
    **{f"i{bits}": (f"<i{bits // 8}", bits) for bits in (8, 16, 32, 64)},
    **{f"f{bits}": (f"<f{bits // 8}", bits) for bits in (16, 32, 64)},
    **{f"c{bits}": (f"<c{bits // 8}", bits) for bits in (64, 128)},
}


@attrs.frozen
class _Header:
    length: int
    dtype: np.dtype[Any]
    fortran: bool
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


@attrs.define
class Unpacking:
    """The payloads of one body on their way to values; what all of them may take in memory is bounded."""

    operation: str
    left: int = MOST

    def fail(self, expected: str, place: str, cause: BaseException | None = None) -> ProtocolError:
        """Return the error to raise where something else than `expected` stands."""
        error = ProtocolError(f"expected {expected} @ {place}", operation=self.operation)
        error.__cause__ = cause
        return error

    def take(self, size: int, place: str) -> None:
        """Set aside memory for a value, or raise the error for a body whose values need too much."""
        if size > self.left:
            raise self.fail(f"payloads of at most {MOST} bytes in all, not {size} more", place)
        self.left -= size

    def base64(self, text: Any, place: str) -> bytes:
        """Return the bytes that a base64 text stands for."""
        if not isinstance(text, str):
            raise self.fail("a base64 text", place)
        try:
            return binascii.a2b_base64(text, strict_mode=True)
        except ValueError as error:
            raise self.fail("a base64 text", place, error) from error

    def payload(self, text: Any, place: str, *, compressed: bool) -> bytes:
        """Return the bytes of a payload of unknown length, such as a circuit."""
        packed = self.base64(text, place)
        if not compressed:
            self.take(len(packed), place)
            return packed
        found = self._inflated(packed, min(self.left, _LARGEST_QPY), place)
        self.take(len(found), place)
        return found

    def _inflated(self, packed: bytes, most: int, place: str) -> bytes:
        """Return the whole inflated stream, of which no more than `most` bytes are ever made."""
        stream = zlib.decompressobj()
        try:
            found = stream.decompress(packed, most + 1)
        except zlib.error as error:
            raise self.fail("a compressed payload", place, error) from error
        if len(found) > most:
            raise self.fail(f"a payload of at most {most} bytes", place)
        if not stream.eof:
            raise self.fail("a compressed payload, not the beginning of one", place)
        return found

    def npy(self, text: Any, place: str) -> NDArray[Any]:
        """Return the array of a compressed file of NumPy's."""
        import numpy as np

        packed = self.base64(text, place)
        try:
            start = zlib.decompressobj().decompress(packed, _LONGEST_HEADER)
        except zlib.error as error:
            raise self.fail("a compressed array", place, error) from error
        header = self._header(start, place)
        self.take(header.size, place)
        data = self._inflated(packed, header.length + header.size, place)
        if len(data) != header.length + header.size:
            raise self.fail(f"an array of {header.size} bytes, as its header says", place)
        try:
            flat = np.frombuffer(data, dtype=header.dtype, offset=header.length, count=math.prod(header.shape))
            return flat.reshape(header.shape, order="F" if header.fortran else "C")
        except ValueError as error:
            raise self.fail("an array", place, error) from error

    def _header(self, start: bytes, place: str) -> _Header:
        form = _HEADERS.get(start[:8])
        if form is None or len(start) < 12:
            raise self.fail("an array in NumPy's format", place)
        offset = 8 + struct.calcsize(form)
        length = offset + cast(int, struct.unpack_from(form, start, 8)[0])
        if length > len(start):
            raise self.fail(f"an array with a header of at most {_LONGEST_HEADER} bytes", place)
        try:
            return _header(start[offset:length].decode("latin-1"), length)
        except (ValueError, TypeError, KeyError, SyntaxError, RecursionError, MemoryError) as error:
            raise self.fail("an array of numbers with a readable header", place, error) from error

    def tensor(self, value: dict[str, Any], place: str, *, compressed: bool) -> NDArray[Any]:
        """Return the array of a tensor: little-endian, in C order; booleans are packed, the lowest bit first."""
        import numpy as np

        dtype, bits = _TENSORS[value["dtype"]]
        shape = tuple(cast(list[int], value["shape"]))
        count = math.prod(shape)
        size = (count * bits + 7) // 8
        self.take(count if dtype == "|b1" else size, place)
        packed = self.base64(value["data"], f"{place}.data")
        data = self._inflated(packed, size, f"{place}.data") if compressed else packed
        if len(data) != size:
            raise self.fail(f"{size} bytes for the shape {list(shape)}, not {len(data)}", f"{place}.data")
        try:
            if dtype == "|b1":
                flat = np.unpackbits(np.frombuffer(data, dtype=np.uint8), count=count, bitorder="little")
                return flat.astype(np.bool_).reshape(shape)
            return np.frombuffer(data, dtype=dtype).reshape(shape)
        except ValueError as error:
            raise self.fail("a tensor", place, error) from error


def _header(text: str, length: int) -> _Header:
    import numpy as np

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = ast.literal_eval(text.strip())
    descr, fortran, shape = found["descr"], found["fortran_order"], found["shape"]
    if not isinstance(descr, str) or not _NUMBERS.fullmatch(descr) or not isinstance(fortran, bool):
        raise TypeError(descr)
    if not isinstance(shape, tuple) or not _is_shape(shape):
        raise TypeError(shape)
    return _Header(length, np.dtype(descr), fortran, cast(tuple[int, ...], shape))


def _is_shape(value: tuple[Any, ...] | list[Any]) -> bool:
    return len(value) <= 32 and all(type(n) is int and 0 <= n <= MOST for n in value)


def is_tensor(value: dict[str, Any]) -> bool:
    """Return whether a JSON object is a tensor of the executor's: data, shape and a known dtype, and nothing else."""
    shape = value.get("shape")
    return (
        value.keys() == {"data", "shape", "dtype"}
        and isinstance(value["data"], str)
        and isinstance(value["dtype"], str)
        and value["dtype"] in _TENSORS
        and isinstance(shape, list)
        and _is_shape(shape)
    )


def packed(data: bytes) -> str:
    """Return bytes as the wire holds them: compressed, in base64."""
    small = zlib.compress(data)
    slices = (small[start : start + _BASE64_STEP] for start in range(0, len(small), _BASE64_STEP))
    return b"".join(binascii.b2a_base64(one, newline=False) for one in slices).decode("ascii")


def npy_of(array: NDArray[Any]) -> bytes:
    """Return an array in NumPy's file format."""
    import numpy as np

    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()


def npy_shape(data: bytes) -> tuple[int, ...]:
    """Return the shape of an array in NumPy's file format."""
    form = _HEADERS[data[:8]]
    offset = 8 + struct.calcsize(form)
    length = offset + cast(int, struct.unpack_from(form, data, 8)[0])
    return _header(data[offset:length].decode("latin-1"), length).shape
