"""Arrays as the executor's schema writes them: `{"data", "shape", "dtype"}`, deflated since its version 2.0."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping
from math import prod
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from qrt_async.emulator.execution.typed_values import MalformedError, inflated, unbase64

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

_DTYPES = {
    f"{kind}{bits}": np.dtype(f"<{kind}{bits // 8}")
    for kind, sizes in {"f": (16, 32, 64), "i": (8, 16, 32, 64), "u": (8, 16, 32, 64), "c": (64, 128)}.items()
    for bits in sizes
}
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}


def is_tensor(value: Any) -> bool:
    """Say whether a value has the form of an array."""
    return isinstance(value, Mapping) and set(cast("Mapping[str, Any]", value)) == {"data", "shape", "dtype"}


def write_tensor(array: Array, *, compressed: bool) -> dict[str, Any]:
    """Write an array in C order, little-endian; truth values are packed, the first in the lowest bit."""
    if array.dtype == np.bool_:
        name, data = "bool", np.packbits(array.reshape(-1), bitorder="little").tobytes()
    else:
        little = array.astype(array.dtype.newbyteorder("<"))
        name, data = _NAMES[little.dtype], little.tobytes()
    packed = zlib.compress(data, 1) if compressed else data
    return {"data": base64.b64encode(packed).decode(), "shape": list(array.shape), "dtype": name}


def read_tensor(value: Any, *, compressed: bool) -> Array:
    """Read an array; raises MalformedError."""
    if not is_tensor(value):
        raise MalformedError("an array needs data, shape and dtype")
    shape = read_shape(value["shape"])
    data = unbase64(value["data"])
    if compressed:
        data = inflated(data)
    try:
        if value["dtype"] == "bool":
            return _unpacked(data, shape)
        return np.frombuffer(data, dtype=_DTYPES[value["dtype"]]).reshape(shape)
    except (KeyError, TypeError, ValueError) as error:
        raise MalformedError(f"the data do not fit the shape {shape} of {value['dtype']}") from error


def read_shape(value: Any) -> tuple[int, ...]:
    """Read a shape; raises MalformedError."""
    if not isinstance(value, list) or not all(type(size) is int and size >= 0 for size in value):
        raise MalformedError(f"{value!r} is no shape")
    return tuple(value)


def _unpacked(data: bytes, shape: tuple[int, ...]) -> Array:
    count = prod(shape)
    if len(data) != (count + 7) // 8:
        raise ValueError
    bits = np.unpackbits(np.frombuffer(data, dtype=np.uint8), count=count, bitorder="little")
    return bits.astype(np.bool_).reshape(shape)
