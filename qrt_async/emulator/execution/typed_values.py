"""Values that travel with their type, `{"__type__": …, "__value__": …}`: read from requests, written into results.

Only what is named here is ever made of a request; nothing is imported, evaluated or unpickled for it.
"""

from __future__ import annotations

import base64
import binascii
import io
import json
import zlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

if TYPE_CHECKING:
    from datetime import datetime

    import numpy.typing as npt

    Array = npt.NDArray[Any]

_MOST_BYTES = 512 * 1024 * 1024  # of one value, inflated
_NUMBERS = "biufc"  # NumPy's kinds of numbers


class MalformedError(ValueError):
    """A typed value does not hold what its type says."""


def typed(name: str, value: Any) -> dict[str, Any]:
    """Write a value under the name of its type."""
    return {"__type__": name, "__value__": value}


def content(value: Any, name: str) -> Any:
    """Give what a value of the type `name` holds, or None if it is of another type, or of none."""
    if isinstance(value, Mapping):
        wrapper = cast("Mapping[str, Any]", value)
        if wrapper.get("__type__") == name:
            return wrapper.get("__value__")
    return None


def type_of(value: Any) -> str | None:
    """Give the name of a value's type, or None for a value without."""
    return str(value["__type__"]) if isinstance(value, Mapping) and "__type__" in value else None


def write_array(array: Array) -> dict[str, Any]:
    """Write an array as `ndarray`: NumPy's file format, deflated, in base64."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return typed("ndarray", base64.b64encode(zlib.compress(buffer.getvalue(), 1)).decode())


def write_time(date: datetime) -> dict[str, Any]:
    """Write a date as `datetime`."""
    return typed("datetime", date.isoformat())


def read_numbers(value: Any) -> Array:
    """Read an `ndarray`, or plain numbers and lists of them; raises MalformedError."""
    held = content(value, "ndarray")
    if isinstance(held, str):
        return _numbers(_npy(inflate(held)))
    if held is None and isinstance(value, Mapping):
        raise MalformedError(f"an array is expected, found {type_of(value) or 'an object'}")
    try:
        return _numbers(np.asarray(value if held is None else _plain(held)))
    except (TypeError, ValueError) as error:
        raise MalformedError(f"no rectangular array of numbers: {error}") from error


def read_bindings_array(held: Any) -> tuple[list[str], Array]:
    """Read what a `BindingsArray` holds: names, and values with a last axis over the names; raises MalformedError."""
    if not isinstance(held, Mapping) or not isinstance(data := held.get("data"), Mapping):
        raise MalformedError("a BindingsArray needs an object `data`")
    shape = tuple(int(size) for size in held.get("shape") or ())
    names: list[str] = []
    columns: list[Array] = []
    for key, value in data.items():
        keys = _names(key)
        values = read_numbers(value)
        if values.shape == shape and len(keys) == 1:
            values = values[..., np.newaxis]
        if values.shape != (*shape, len(keys)):
            raise MalformedError(f"the values of {key} have the shape {values.shape}, not {(*shape, len(keys))}")
        names += keys
        columns.append(values)
    return names, np.concatenate(columns, axis=-1) if columns else np.empty((*shape, 0))


def inflate(text: str, most: int = _MOST_BYTES) -> bytes:
    """Decode base64 and inflate what it holds to at most `most` bytes; raises MalformedError."""
    return inflated(unbase64(text), most)


def inflated(data: bytes, most: int = _MOST_BYTES) -> bytes:
    """Inflate to at most `most` bytes; raises MalformedError."""
    stream = zlib.decompressobj()
    try:
        found = stream.decompress(data, most)
    except zlib.error as error:
        raise MalformedError(f"not deflated: {error}") from error
    if stream.unconsumed_tail:
        raise MalformedError(f"more than {most} bytes")
    if not stream.eof:
        raise MalformedError("cut off")
    return found


def unbase64(text: Any) -> bytes:
    """Decode base64; raises MalformedError."""
    try:
        return base64.b64decode(text, validate=True)
    except (TypeError, ValueError, binascii.Error) as error:
        raise MalformedError(f"not in base64: {error}") from error


def _npy(data: bytes) -> Array:
    """Read NumPy's file format; the header may not promise more than there is, nor objects."""
    file = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(file)
        reader = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
        shape, fortran, dtype = reader(file)
        flat = np.frombuffer(data, dtype=dtype, offset=file.tell())
        return flat.reshape(shape, order="F" if fortran else "C")
    except (KeyError, TypeError, ValueError, OverflowError, SyntaxError) as error:
        raise MalformedError(f"not an array in NumPy's format: {error}") from error


def _numbers(array: Array) -> Array:
    if array.size and array.dtype.kind not in _NUMBERS:
        raise MalformedError(f"an array of {array.dtype} holds no numbers")
    return array


def _plain(held: Any) -> Any:
    """Turn typed complex numbers in nested lists into numbers."""
    if isinstance(held, list):
        return [_plain(each) for each in held]
    pair = content(held, "complex")
    return held if pair is None else complex(*pair)


def _names(key: str) -> list[str]:
    try:
        names: Any = json.loads(key)
    except ValueError as error:
        raise MalformedError(f"{key!r} is no list of parameter names") from error
    if isinstance(names, str):
        return [names]
    if not isinstance(names, Sequence) or not all(isinstance(name, str) for name in names):
        raise MalformedError(f"{key!r} is no list of parameter names")
    return list(names)
