"""Models as JSON documents: what ``--json`` prints."""

from __future__ import annotations

import datetime as dt
import enum
import math
from collections.abc import Mapping
from typing import Any, cast

import attrs

from qrt_async.models.results import BitArray, PrimitiveResult, PubData, PubResult
from qrt_async.secret import Secret

_LEFT_OUT = {"extra", "request_id", "params", "document"}


def document(value: Any) -> Any:
    """
    Return a value as JSON knows it.

    Models become objects of their own fields; dates are in ISO 8601, a number that is none or infinite is null, and a
    complex one a pair. A register becomes its counts, nested by the shape of the sweep.
    """
    if isinstance(value, enum.Enum):
        return value.value
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return _structured(value)


def _structured(value: Any) -> Any:
    match value:
        case complex():
            return [document(value.real), document(value.imag)]
        case dt.date():
            return value.isoformat()
        case Mapping():
            return {str(key): document(item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [document(item) for item in value]
        case _:
            return _other(value)


def _other(value: Any) -> Any:
    if isinstance(value, Secret):
        raise TypeError("a secret is in no document")
    if isinstance(value, BitArray):
        return register(value)
    if isinstance(value, PrimitiveResult):
        return _result(value)
    if attrs.has(type(value)):
        names = [field.name for field in attrs.fields(type(value)) if field.name not in _LEFT_OUT]
        return {name.lstrip("_"): document(getattr(value, name)) for name in names}
    return document(value.tolist()) if hasattr(value, "tolist") else str(value)


def register(bits: BitArray) -> dict[str, Any]:
    """Return a register with its counts, one object for each set of parameter values."""
    return {
        "num_bits": bits.num_bits,
        "num_shots": bits.num_shots,
        "shape": list(bits.shape),
        "counts": _counts(bits),
    }


def _counts(bits: BitArray) -> Any:
    return [_counts(bits[i]) for i in range(bits.shape[0])] if bits.shape else bits.counts()


def _result(result: PrimitiveResult[Any]) -> dict[str, Any]:
    return {"pubs": [_pub(pub) for pub in result], "metadata": _metadata(result.metadata)}


def _pub(pub: PubResult[Any]) -> dict[str, Any]:
    data = cast(PubData[Any], pub.data)
    return {"data": {name: document(data[name]) for name in data}, "metadata": _metadata(pub.metadata)}


def _metadata(metadata: Mapping[str, Any]) -> Any:
    """Return metadata without what is as long as the shots themselves."""
    return {key: document(value) for key, value in metadata.items() if _is_short(value)}


def _is_short(value: Any) -> bool:
    return isinstance(value, str | int | float | bool | None)
