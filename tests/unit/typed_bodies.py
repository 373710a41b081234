"""Bodies of results as the service writes them, made by hand in both forms from the same data."""

from __future__ import annotations

import base64
import io
import json
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

NDArrayAny = NDArray[Any]


def wrapped(kind: str, value: Any, **others: Any) -> dict[str, Any]:
    """Return a typed value."""
    return {"__type__": kind, "__value__": value} | others


def npy(array: NDArrayAny, version: tuple[int, int] = (1, 0)) -> bytes:
    """Return an array as NumPy's own writer writes it."""
    file = io.BytesIO()
    np.lib.format.write_array(file, array, version=version, allow_pickle=False)
    return file.getvalue()


def text_of(data: bytes, *, level: int = -1) -> str:
    """Return bytes compressed and in base64."""
    return base64.b64encode(zlib.compress(data, level)).decode()


def ndarray(array: Any) -> dict[str, Any]:
    """Return a typed array."""
    return wrapped("ndarray", text_of(npy(np.asarray(array))))


def bits_of(values: NDArrayAny, num_bits: int) -> NDArray[np.uint8]:
    """Return Python integers of any size as packed shots, big-endian and right-aligned."""
    size = (num_bits + 7) // 8
    flat = b"".join(int(value).to_bytes(size, "big") for value in values.ravel())
    return np.frombuffer(flat, np.uint8).reshape(*values.shape, size)


def typed_sampler(registers: dict[str, tuple[NDArrayAny, int]], metadata: Any = None) -> bytes:
    """Return a typed body of one PUB; a register is integers of shape ``(*sweep, shots)`` and its number of bits."""
    shape = next(iter(registers.values()))[0].shape[:-1]
    fields = {
        name: wrapped("BitArray", {"array": ndarray(bits_of(values, bits)), "num_bits": bits})
        for name, (values, bits) in registers.items()
    }
    return typed_result("SamplerPubResult", fields, shape, metadata)


def typed_estimator(fields: dict[str, Any], shape: tuple[int, ...]) -> bytes:
    """Return a typed body of one PUB with these arrays."""
    arrays = {name: None if value is None else ndarray(value) for name, value in fields.items()}
    return typed_result("PubResult", arrays, shape)


def typed_result(kind: str, fields: dict[str, Any], shape: tuple[int, ...], metadata: Any = None) -> bytes:
    """Return a typed body of one PUB with these fields."""
    names = list(fields)
    data = {"field_names": names, "field_types": ["?"] * len(names), "shape": list(shape), "fields": fields}
    pub = wrapped(kind, {"data": wrapped("DataBin", data), "metadata": {"circuit_metadata": {}}})
    return json.dumps(wrapped("PrimitiveResult", {"pub_results": [pub], "metadata": metadata or {}})).encode()


def plain_sampler(registers: dict[str, tuple[NDArrayAny, int]], metadata: Any = None) -> bytes:
    """Return the plain body of the same data."""
    data = {name: {"samples": _hexes(values), "num_bits": bits} for name, (values, bits) in registers.items()}
    return plain_result(data, metadata)


def _hexes(values: NDArrayAny) -> Any:
    return [_hexes(row) for row in values] if values.ndim > 1 else [hex(int(value)) for value in values]


def plain_estimator(fields: dict[str, Any]) -> bytes:
    """Return the plain body of the same data."""
    return plain_result({name: None if value is None else value.tolist() for name, value in fields.items()})


def plain_result(data: dict[str, Any], metadata: Any = None) -> bytes:
    """Return a plain body of one PUB."""
    pub = {"data": data, "metadata": {"circuit_metadata": {}}}
    return json.dumps({"results": [pub], "metadata": metadata or {}}).encode()
