"""Values beyond JSON → typed values, as a program that speaks Qiskit takes them."""

from __future__ import annotations

import binascii
import datetime as dt
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from qrt_async.errors import UsageError
from qrt_async.models.pubs import EstimatorPub, IsaCircuit, Observables, ParameterValues, SamplerPub
from qrt_async.models.typed import (
    Bindings,
    LayerError,
    NoiseLearnerResult,
    Npy,
    Opaque,
    PauliLindbladError,
    PauliLindbladMap,
    Qpy,
)
from qrt_async.wire import observables
from qrt_async.wire.arrays import npy_of, packed

_NOISE_LEARNER_MODULE = "qiskit_ibm_runtime.utils.noise_learner_result"
_PAULI_LIST_MODULE = "qiskit.quantum_info.operators.symplectic.pauli_list"


def encode(value: Any) -> Any:
    """
    Return `value` as JSON, with typed values for arrays, circuits, complex numbers, times and sets.

    Raises:
        UsageError: the value is of a class that has no form on the wire.

    """
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, Mapping):
        return {_key(key): encode(item) for key, item in value.items()}
    write = _WRITERS.get(type(value))
    if write is not None:
        return write(value)
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return [encode(item) for item in value]
    if isinstance(value, dt.date):
        return _typed("datetime", value.isoformat())
    return _numbers(value)


def _key(key: Any) -> str:
    if isinstance(key, bool) or not isinstance(key, str | int):
        raise UsageError(f"a key of a JSON object is a text or a whole number, not {key!r}")
    return str(key)


def _numbers(value: Any) -> Any:
    import numpy as np

    if isinstance(value, np.ndarray):
        array = value
        if array.dtype.kind in "biufc":
            return _typed("ndarray", packed(npy_of(array)))
        return _typed("ndarray", encode(array.tolist()))
    if isinstance(value, np.generic):
        return encode(cast(Any, value).item())
    raise UsageError(f"a value of type {type(value).__name__} cannot be sent")


def _typed(kind: str, value: Any) -> dict[str, Any]:
    return {"__type__": kind, "__value__": value}


def _qpy(value: Qpy) -> dict[str, Any]:
    if value.kind == "Parameter":
        return _typed("Parameter", binascii.b2a_base64(value.data, newline=False).decode("ascii"))
    return _typed(value.kind, packed(value.data))


def _bindings(value: Bindings) -> dict[str, Any]:
    data = {json.dumps(names): encode(array) for names, array in value.data.items()}
    return _typed("BindingsArray", {"shape": list(value.shape), "data": data})


def _opaque(value: Opaque) -> dict[str, Any]:
    if value.kind == "spmatrix":
        return _typed(value.kind, binascii.b2a_base64(value.value, newline=False).decode("ascii"))
    if value.module is None:
        return _typed(value.kind, encode(value.value))
    return _of_class(value.kind, value.module, value.name, encode(_flagged(value.value)))


def _flagged(value: Any) -> Any:
    """Return a value whose dicts say where integers were their keys."""
    if isinstance(value, list):
        return [_flagged(item) for item in value]
    if not isinstance(value, dict):
        return value
    members = value
    flag = {"__int_keys__": True} if any(isinstance(key, int) for key in members) else {}
    return {key: _flagged(item) for key, item in members.items()} | flag


def _of_class(kind: str, module: str, name: str | None, value: Any) -> dict[str, Any]:
    return {"__type__": kind, "__module__": module, "__class__": name, "__value__": value}


def _layer_error(value: LayerError) -> dict[str, Any]:
    members = {"circuit": _qpy(value.circuit), "qubits": list(value.qubits), "error": encode(value.error)}
    return _of_class("_json", _NOISE_LEARNER_MODULE, "LayerError", members)


def _pauli_lindblad_error(value: PauliLindbladError) -> dict[str, Any]:
    generators = _of_class("settings", _PAULI_LIST_MODULE, "PauliList", {"data": list(value.generators)})
    members = {"generators": generators, "rates": encode(value.rates)}
    return _of_class("_json", _NOISE_LEARNER_MODULE, "PauliLindbladError", members)


def _noise_learner_result(value: NoiseLearnerResult) -> dict[str, Any]:
    return _typed("NoiseLearnerResult", {"data": encode(value.layers), "metadata": encode(value.metadata)})


def _pauli_lindblad_map(value: PauliLindbladMap) -> dict[str, Any]:
    terms = [[letters, list(qubits), rate] for letters, qubits, rate in value.terms]
    return _typed("PauliLindbladMap", {"paulis": terms, "num_qubits": value.num_qubits})


_WRITERS: dict[type, Callable[[Any], Any]] = {
    complex: lambda value: _typed("complex", [value.real, value.imag]),
    set: lambda value: _typed("set", [encode(item) for item in value]),
    frozenset: lambda value: _typed("set", [encode(item) for item in value]),
    Qpy: _qpy,
    Npy: lambda value: _typed("ndarray", packed(value.data)),
    Bindings: _bindings,
    Opaque: _opaque,
    LayerError: _layer_error,
    PauliLindbladError: _pauli_lindblad_error,
    NoiseLearnerResult: _noise_learner_result,
    PauliLindbladMap: _pauli_lindblad_map,
}


def sampler_pub(pub: SamplerPub) -> list[Any]:
    """Return a PUB in the typed form, which always has three elements."""
    return [_circuit(pub.circuit), _values(pub.parameters), pub.shots]


def estimator_pub(pub: EstimatorPub) -> list[Any]:
    """Return a PUB in the typed form, which always has four elements."""
    circuit, moved = pub.circuit, cast(Observables, pub.observables)
    if isinstance(circuit, IsaCircuit):
        circuit, moved = observables.on_program(circuit, moved)
    return [_circuit(circuit), _sums(moved), _values(pub.parameters), pub.precision]


def _circuit(circuit: Any) -> Any:
    if isinstance(circuit, Qpy):
        return _qpy(circuit)
    return circuit.text if isinstance(circuit, IsaCircuit) else circuit


def _sums(value: Observables) -> Any:
    """Return observables with every one of them as a weighted sum."""
    if isinstance(value, str):
        return {value: 1.0}
    if isinstance(value, Mapping):
        return dict(value)
    return [_sums(item) for item in value]


def _values(value: ParameterValues) -> Any:
    """Return values as an array whose last axis is the parameters, named ones in the order of their names."""
    import numpy as np

    if isinstance(value, Npy):
        return _typed("ndarray", packed(value.data))
    if not isinstance(value, Mapping):
        array = np.asarray([] if value is None else value, dtype=np.float64)
        return encode(array.reshape(-1) if array.ndim == 0 else array)
    columns = np.broadcast_arrays(*(np.asarray(value[name], dtype=np.float64) for name in sorted(value)))
    return encode(np.ascontiguousarray(np.stack(columns, axis=-1)) if columns else np.empty(0))
