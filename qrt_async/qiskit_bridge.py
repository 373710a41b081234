"""To and from Qiskit's own types; imported only where such a value is met or asked for."""

from __future__ import annotations

import io
import json
import re
import uuid
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

from qrt_async.errors import InvalidPub, MissingExtra, ProtocolError, UsageError
from qrt_async.models.pubs import EstimatorPub, IsaCircuit, Observables, SamplerPub
from qrt_async.models.results import BitArray, EstimatorData, PrimitiveResult, PubData, PubResult, stated_shape
from qrt_async.models.spans import ExecutionSpan, ExecutionSpans, SpanPart
from qrt_async.models.typed import LayerError, NoiseLearnerResult, Npy, Opaque, PauliLindbladMap, Qpy
from qrt_async.wire import observables as moving
from qrt_async.wire.arrays import npy_of
from qrt_async.wire.transpiler import width
from qrt_async.wire.typed_encoding import encode

try:
    from qiskit import qasm3, qpy
    from qiskit.circuit import Parameter, QuantumCircuit
    from qiskit.primitives import containers
    from qiskit.primitives.containers.estimator_pub import EstimatorPub as QiskitEstimatorPub
    from qiskit.primitives.containers.observables_array import ObservablesArray
    from qiskit.primitives.containers.sampler_pub import SamplerPub as QiskitSamplerPub
    from qiskit.quantum_info import PauliLindbladMap as QiskitPauliLindbladMap
    from qiskit.quantum_info import PauliList
except ImportError as _missing:
    raise MissingExtra("this needs Qiskit: pip install 'qrt-async[transpile]'") from _missing

if TYPE_CHECKING:
    from qiskit.primitives.containers import BindingsArray

_NEWEST_QPY = 17
"""The newest version of QPY that the service is known to read; circuits are written in it or in an older one."""

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class _Metadata(json.JSONEncoder):
    """Writes what a circuit's metadata may hold beyond JSON."""

    def default(self, o: Any) -> Any:
        """Return a typed value."""
        return encode(o)


def to_qpy(circuit: QuantumCircuit) -> Qpy:
    """Return a circuit as it travels."""
    file = io.BytesIO()
    qpy.dump(circuit, file, metadata_serializer=_Metadata, version=min(_NEWEST_QPY, qpy.QPY_VERSION))
    return Qpy(file.getvalue())


def from_qpy(payload: Qpy) -> Any:
    """Return what a payload holds (:class:`ProtocolError` where it cannot be read)."""
    try:
        if payload.kind == "Parameter":
            return _parameter(payload.data)
        [circuit] = qpy.load(io.BytesIO(payload.data))
        return circuit.data[0].operation if payload.kind == "Instruction" else circuit
    except Exception as error:
        raise ProtocolError(f"Qiskit cannot read this {payload.kind}: {error}", operation="qpy") from error


def _parameter(data: bytes) -> Any:
    size = int.from_bytes(data[:2], "big")
    name, identity = data[18 : 18 + size], uuid.UUID(bytes=data[2:18])
    return Parameter(name.decode(), uuid=identity)


def isa_circuit(circuit: Any, backend: str) -> IsaCircuit:
    """Return a transpiled circuit as OpenQASM 3, with the layout that observables are moved by."""
    if not isinstance(circuit, QuantumCircuit):
        raise UsageError(f"a circuit of Qiskit's is a QuantumCircuit, not {type(circuit).__name__}")
    _check_names(circuit)
    text = str(qasm3.dumps(circuit))
    if circuit.layout is None:
        return IsaCircuit(text, backend, tuple(range(circuit.num_qubits)), circuit.num_qubits)
    return IsaCircuit(text, backend, _layout(circuit), width(text))


def _check_names(circuit: QuantumCircuit) -> None:
    names = [parameter.name for parameter in circuit.parameters]
    if names != sorted(names) or not all(_IDENTIFIER.fullmatch(name) for name in names):
        raise UsageError(
            "the parameters of an OpenQASM program are known by identifiers in alphabetical order, which "
            f"{', '.join(names)} are not: transpile with Qiskit, and give the QuantumCircuit itself to the PUB"
        )


def to_transpile(circuit: QuantumCircuit) -> Qpy:
    """Return a circuit for a transpiler whose programs are OpenQASM, into which its parameters have to fit."""
    _check_names(circuit)
    return to_qpy(circuit)


def openqasm(payload: Qpy) -> str:
    """Return a circuit as OpenQASM 3, for a service that reads nothing else."""
    return str(qasm3.dumps(from_qpy(payload)))


def _layout(circuit: QuantumCircuit) -> tuple[int, ...]:
    return tuple(cast(Any, circuit.layout).final_index_layout(filter_ancillas=True))


def sampler_pub(pub: SamplerPub, place: str) -> SamplerPub:
    """Return a PUB of a ``QuantumCircuit`` with circuit and values as they travel."""
    circuit = cast(QuantumCircuit, pub.circuit)
    try:
        coerced = QiskitSamplerPub.coerce(cast(Any, (circuit, pub.parameters, pub.shots)))
        return SamplerPub(to_qpy(circuit), _values(coerced, place), pub.shots)
    except (TypeError, ValueError, qpy.QpyError) as error:
        raise InvalidPub(f"{place}: {error}") from error


def estimator_pub(pub: EstimatorPub, width: int, place: str) -> EstimatorPub:
    """
    Return a PUB of a ``QuantumCircuit`` with all its parts as they travel.

    Observables of the circuit's own width are taken as they are, those of the circuit that it was transpiled from are
    moved by its layout; `width` is theirs.
    """
    circuit = cast(QuantumCircuit, pub.circuit)
    found = cast(Observables, pub.observables)
    if width != circuit.num_qubits:
        layout = _layout(circuit) if circuit.layout is not None else ()
        if width != len(layout):
            original = f" and the original one {len(layout)}" if layout else ""
            raise InvalidPub(
                f"{place}: observables have {width} letters, but the circuit has {circuit.num_qubits} qubits{original}"
            )
        found = moving.moved(found, layout, circuit.num_qubits)
    try:
        coerced = QiskitEstimatorPub.coerce(
            cast(Any, (circuit, ObservablesArray(_listed(found)), pub.parameters, pub.precision))
        )
        sums = cast(Observables, coerced.observables.tolist())
        return EstimatorPub(to_qpy(circuit), sums, _values(coerced, place), pub.precision)
    except (TypeError, ValueError, qpy.QpyError) as error:
        raise InvalidPub(f"{place}: {error}") from error


def _listed(value: Observables) -> Any:
    if isinstance(value, str | Mapping):
        return value
    return [_listed(item) for item in value]


def _values(pub: QiskitSamplerPub | QiskitEstimatorPub, place: str) -> Npy:
    import numpy as np

    values = pub.parameter_values.as_array(pub.circuit.parameters)
    if not np.isfinite(values).all():
        raise InvalidPub(f"{place}: parameters: expected finite numbers")
    return Npy(npy_of(values))


def observables(value: Any, place: str) -> Any:
    """Return an observable, or an array of them, as nested lists of weighted sums."""
    try:
        return ObservablesArray.coerce(value).tolist()
    except (TypeError, ValueError) as error:
        raise InvalidPub(f"{place}: {error}") from error


def bindings(value: BindingsArray) -> dict[str, Any]:
    """Return bindings by name, each with its array of values."""
    return {name: array[..., i] for names, array in value.data.items() for i, name in enumerate(names)}


def spelled(circuit: QuantumCircuit) -> str:
    """Return a circuit as a text that is the same in every process, unlike QPY with its random names."""
    return str(qasm3.dumps(circuit))


def named(values: Mapping[Any, Any]) -> dict[str, Any]:
    """Return values that are given by parameters, vectors of them or names, by name."""
    from qiskit.primitives.containers import BindingsArray

    try:
        return bindings(BindingsArray.coerce(cast(Any, values)))
    except (TypeError, ValueError) as error:
        raise InvalidPub(f"parameters: {error}") from error


def primitive_result(result: PrimitiveResult[Any]) -> Any:
    """Return a result as Qiskit's own class."""
    pubs = [_pub_result(pub) for pub in result]
    return containers.PrimitiveResult(pubs, metadata=foreign(result.metadata))


def _pub_result(pub: PubResult[Any]) -> Any:
    data, metadata = cast(PubData[Any], pub.data), foreign(pub.metadata)
    fields: dict[str, Any] = {name: _container(item) for name, item in data.items()}
    found = containers.DataBin(shape=_shape(data), **fields)
    kind = containers.PubResult if isinstance(data, EstimatorData) else containers.SamplerPubResult
    return kind(found, metadata=metadata)


def _container(value: Any) -> Any:
    return containers.BitArray(value.array, value.num_bits) if isinstance(value, BitArray) else value


def _shape(data: PubData[Any]) -> tuple[int, ...]:
    """Return the shape that a PUB's values share: the one that the service stated, else that of its main values."""
    stated = stated_shape(data)
    if stated is not None:
        return stated
    if isinstance(data, EstimatorData):
        return tuple(data.evs.shape)
    return next((item.shape for item in data.values() if isinstance(item, BitArray)), ())


def foreign(value: Any) -> Any:
    """Return a decoded value with the models in it replaced by what the official client and Qiskit have for them."""
    if isinstance(value, Mapping):
        return {key: foreign(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(foreign(item) for item in cast(list[Any], value))
    for model, convert in _FOREIGN.items():
        if isinstance(value, model):
            return convert(value)
    return value


def _of_the_official_client(convert: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def convert_if_installed(value: Any) -> Any:
        try:
            return convert(value)
        except ModuleNotFoundError as missing:
            if (missing.name or "").partition(".")[0] != "qiskit_ibm_runtime":
                raise
            return value

    return convert_if_installed


def _spans(value: ExecutionSpans) -> Any:
    from qiskit_ibm_runtime import execution_span

    return execution_span.ExecutionSpans([_span(span) for span in value])


def _span(span: ExecutionSpan) -> Any:
    from qiskit_ibm_runtime import execution_span

    kind = getattr(execution_span, type(span).__name__)
    return kind(span.start, span.stop, {i: _part(part) for i, part in span.parts.items()})


def _part(part: SpanPart) -> tuple[Any, ...]:
    front = () if part.at_front is None else (part.at_front,)
    shots = () if part.shots is None else (slice(*part.shots),)
    kept = () if part.pub_shots is None else (part.pub_shots,)
    return (part.shape, *front, slice(*part.sets), *shots, *kept)


def _layer_error(value: LayerError) -> Any:
    from qiskit_ibm_runtime.results import LayerError as OfficialLayerError
    from qiskit_ibm_runtime.results import PauliLindbladError

    error = value.error
    noise = None if error is None else PauliLindbladError(PauliList(list(error.generators)), cast(Any, error.rates))
    return OfficialLayerError(from_qpy(value.circuit), list(value.qubits), noise)


def _noise_learner_result(value: NoiseLearnerResult) -> Any:
    from qiskit_ibm_runtime.results import NoiseLearnerResult as OfficialResult

    return OfficialResult(data=[_layer_error(layer) for layer in value], metadata=foreign(value.metadata))


def _pauli_lindblad_map(value: PauliLindbladMap) -> Any:
    return QiskitPauliLindbladMap.from_sparse_list(list(value.terms), num_qubits=value.num_qubits)


def _opaque(value: Opaque) -> Any:
    if value.kind == "settings" and value.name == "PauliList":
        return PauliList(value.value["data"])
    return value.value if value.kind == "to_json" else value


_FOREIGN: dict[type, Callable[[Any], Any]] = {
    ExecutionSpans: _of_the_official_client(_spans),
    ExecutionSpan: _of_the_official_client(_span),
    LayerError: _of_the_official_client(_layer_error),
    NoiseLearnerResult: _of_the_official_client(_noise_learner_result),
    PauliLindbladMap: _pauli_lindblad_map,
    Opaque: _opaque,
    Qpy: from_qpy,
}
