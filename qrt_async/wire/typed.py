"""JSON with typed values (``{"__type__": …, "__value__": …}``) → models, without Qiskit."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from typing import Any, cast

import attrs

from qrt_async.errors import ProtocolError
from qrt_async.models.results import (
    BitArray,
    EstimatorData,
    PrimitiveResult,
    PubData,
    PubResult,
    SamplerData,
    stated_shape,
)
from qrt_async.models.spans import ExecutionSpan, ExecutionSpans
from qrt_async.models.typed import (
    Bindings,
    Opaque,
    Qpy,
)
from qrt_async.wire import noise_learner, spans
from qrt_async.wire.arrays import Unpacking, is_tensor
from qrt_async.wire.noise_learner import number, positions

_EXTRAPOLATORS = frozenset(
    ["linear", "exponential", "double_exponential", "fallback", *(f"polynomial_degree_{k}" for k in range(1, 8))]
)
_FLAWS = (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError, RecursionError, MemoryError)


def decode(value: Any, *, operation: str, place: str = "$", tensors: bool = False, compressed: bool = False) -> Any:
    """
    Return parsed JSON with every typed value replaced by what it stands for; an unknown type stays the dict it was.

    `tensors` reads the executor's tensors as well, which from its version 2.0 on are `compressed`.

    Raises:
        ProtocolError: a value is not what its type says; the message names its place.

    """
    decoder = _Decoder(Unpacking(operation), tensors, compressed)
    try:
        return decoder.value(value, place)
    except RecursionError as error:
        raise ProtocolError("the body is nested too deeply", operation=operation) from error


def is_typed(value: Any, name: str) -> bool:
    """Return whether a JSON value is a typed one of that name."""
    return isinstance(value, dict) and value.get("__type__") == name and "__value__" in value


@attrs.frozen
class _Decoder:
    _unpacking: Unpacking
    _tensors: bool
    _compressed: bool

    def value(self, value: Any, place: str) -> Any:
        if isinstance(value, list):
            items = value
            if not any(isinstance(item, dict | list) for item in items):
                return items
            return [self.value(item, f"{place}[{i}]") for i, item in enumerate(items)]
        if not isinstance(value, dict):
            return value
        members = cast(dict[str, Any], value)
        if "__type__" in members and "__value__" in members:
            return self._typed(members, place)
        if self._tensors and is_tensor(members):
            return self._unpacking.tensor(members, place, compressed=self._compressed)
        return {name: self.value(item, f"{place}.{name}") for name, item in members.items()}

    def _typed(self, members: dict[str, Any], place: str) -> Any:
        kind = members["__type__"]
        here = f"{place}.__value__"
        if not isinstance(kind, str):
            return members
        if kind in _PAYLOADS:
            return _PAYLOADS[kind](self._unpacking, members["__value__"], here)
        inner = self.value(members["__value__"], here)
        read = _READERS.get(kind)
        try:
            if kind in _CLASSES:
                return _CLASSES[kind](inner, members)
            return members | {"__value__": inner} if read is None else read(inner)
        except _FLAWS as error:
            raise self._unpacking.fail(f"a value of type {kind}", place, error) from error


def _ndarray(unpacking: Unpacking, value: Any, place: str) -> Any:
    import numpy as np

    if isinstance(value, str):
        return value if value in _EXTRAPOLATORS else unpacking.npy(value, place)
    if not isinstance(value, list | int | float):
        raise unpacking.fail("an array", place)
    inner = _Decoder(unpacking, False, False).value(value, place)
    try:
        return np.array(inner)
    except (TypeError, ValueError, OverflowError) as error:
        raise unpacking.fail("an array", place, error) from error


def _qpy(kind: str, *, compressed: bool) -> Callable[[Unpacking, Any, str], Qpy]:
    return lambda unpacking, value, place: Qpy(unpacking.payload(value, place, compressed=compressed), kind)


def _sparse_matrix(unpacking: Unpacking, value: Any, place: str) -> Opaque:
    return Opaque("spmatrix", unpacking.payload(value, place, compressed=False))


_PAYLOADS: dict[str, Callable[[Unpacking, Any, str], Any]] = {
    "ndarray": _ndarray,
    "QuantumCircuit": _qpy("QuantumCircuit", compressed=True),
    "Instruction": _qpy("Instruction", compressed=True),
    "Parameter": _qpy("Parameter", compressed=False),
    "spmatrix": _sparse_matrix,
}


def _complex(value: Any) -> complex:
    real, imaginary = value
    return complex(number(real), number(imaginary))


def _moment(value: Any) -> dt.datetime:
    return dt.datetime.fromisoformat(value)


def _set(value: Any) -> set[Any]:
    if not isinstance(value, list):
        raise TypeError(value)
    return set(value)


def _observables(value: Any) -> Any:
    if not isinstance(value, list | dict | str):
        raise TypeError(value)
    return cast(Any, value)


def _bindings(value: Any) -> Bindings:
    import numpy as np

    found = value.get("data") or {}
    data = {tuple(json.loads(names)): np.asarray(array) for names, array in found.items()}
    shape = value.get("shape")
    if shape is None:
        shape = next(iter(data.values())).shape[:-1] if data else ()
    return Bindings(positions(shape), data)


def _bit_array(value: Any) -> BitArray:
    import numpy as np

    array, bits = value["array"], value["num_bits"]
    if not isinstance(array, np.ndarray) or array.dtype != np.uint8 or array.ndim < 2:
        raise TypeError("array")
    if type(bits) is not int or bits < 0 or array.shape[-1] != (bits + 7) // 8:
        raise ValueError("num_bits")
    if bits % 8 and (array[..., 0] >> (bits % 8)).any():
        raise ValueError("a shot has more bits than the register")
    return BitArray(array, bits)


def _data_bin(value: Any) -> PubData[Any]:
    shape, fields = value.get("shape"), value["fields"]
    if not isinstance(fields, dict):
        raise TypeError("fields")
    return PubData(cast(dict[str, Any], fields), None if shape is None else positions(shape))


def _pub_result(kind: type[PubData[Any]] | None) -> Callable[[Any], PubResult[Any]]:
    def read(value: Any) -> PubResult[Any]:
        if type(value["data"]) is not PubData:
            raise TypeError("data")
        return PubResult(primitive_data(value["data"], kind), _metadata(value.get("metadata")))

    return read


def primitive_data(data: PubData[Any], kind: type[PubData[Any]] | None) -> PubData[Any]:
    """
    Return the fields as those of `kind`, or, where that is None, of the primitive that such fields come from.

    Raises:
        TypeError, ValueError: no primitive gives such fields, or not in such shapes.

    """
    has_values = "evs" in data and "stds" in data and not any(isinstance(item, BitArray) for item in data.values())
    chosen = kind or (EstimatorData if has_values else SamplerData)
    shape = stated_shape(data)
    for item in data.values():
        if item is None:
            if chosen is EstimatorData:
                continue
            raise TypeError("fields")
        if not (isinstance(item, BitArray) and chosen is SamplerData) and not _is_numbers(item):
            raise TypeError("fields")
        if shape is not None and tuple(item.shape[: len(shape)]) != shape:
            raise ValueError("shape")
    return chosen(cast(Any, dict(data)), shape)


def _is_numbers(value: Any) -> bool:
    import numpy as np

    return isinstance(value, np.ndarray) and cast(Any, value).dtype.kind in "biufc"


def _metadata(value: Any) -> dict[str, Any]:
    return cast(dict[str, Any], value) if isinstance(value, dict) else {}


def _primitive_result(value: Any) -> PrimitiveResult[Any]:
    pubs = value["pub_results"]
    if not isinstance(pubs, list) or not all(isinstance(pub, PubResult) for pub in pubs):
        raise TypeError("pub_results")
    return PrimitiveResult(tuple(cast(list[PubResult[Any]], pubs)), _metadata(value.get("metadata")))


def _span(kind: str) -> Callable[[Any], ExecutionSpan]:
    def read(value: Any) -> ExecutionSpan:
        if not all(isinstance(value[name], dt.datetime) for name in ("start", "stop")):
            raise TypeError("start")
        return spans.decoded(kind, value)

    return read


def _spans(value: Any) -> ExecutionSpans:
    found = tuple(value["spans"])
    if not all(isinstance(span, ExecutionSpan) for span in found):
        raise TypeError("spans")
    return ExecutionSpans(found)


def _opaque(kind: str) -> Callable[[Any], Opaque]:
    return lambda value: Opaque(kind, value)


_READERS: dict[str, Callable[[Any], Any]] = {
    "complex": _complex,
    "datetime": _moment,
    "set": _set,
    "ObservablesArray": _observables,
    "BindingsArray": _bindings,
    "BitArray": _bit_array,
    "DataBin": _data_bin,
    "SamplerPubResult": _pub_result(SamplerData),
    "PubResult": _pub_result(None),
    "EstimatorPubResult": _pub_result(EstimatorData),
    "PrimitiveResult": _primitive_result,
    "NoiseLearnerResult": noise_learner.noise_learner_result,
    "ExecutionSpans": _spans,
    "ExecutionSpanCollection": _spans,
    "PauliLindbladMap": noise_learner.pauli_lindblad_map,
    **{kind: _span(kind) for kind in spans.NAMES},
    **{kind: _opaque(kind) for kind in ("NoiseModel", "Result", "to_json")},
}


def _class_value(inner: Any, members: dict[str, Any]) -> Any:
    """Return what a class of the sender's was made of: a model where it is the noise learner's, else opaque."""
    module, name = members.get("__module__"), members.get("__class__")
    value = _with_int_keys(inner)
    if members["__type__"] == "_json" and module in noise_learner.MODULES and name in _NOISE_LEARNER:
        return _NOISE_LEARNER[name](value)
    return Opaque(members["__type__"], value, _text(module), _text(name))


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _with_int_keys(value: Any) -> Any:
    """Return a value whose flagged dicts have the integers as keys that JSON made texts of."""
    if isinstance(value, list):
        return [_with_int_keys(item) for item in value]
    if not isinstance(value, dict):
        return value
    members = {name: _with_int_keys(item) for name, item in cast(dict[str, Any], value).items()}
    if "__int_keys__" not in members:
        return members
    return {_int_key(name): item for name, item in members.items() if name != "__int_keys__"}


def _int_key(name: str) -> int | str:
    try:
        return int(name)
    except ValueError:
        return name


_NOISE_LEARNER: dict[str, Callable[[Any], Any]] = {
    "LayerError": noise_learner.layer_error,
    "PauliLindbladError": noise_learner.pauli_lindblad_error,
}
_CLASSES: dict[str, Callable[[Any, dict[str, Any]], Any]] = {"settings": _class_value, "_json": _class_value}
