"""What users write → PUBs, checked."""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, Union, cast

import attrs

from qrt_async.errors import InvalidPub, UsageError
from qrt_async.models.pubs import EstimatorPub, IsaCircuit, Numbers, ParameterValues, SamplerPub
from qrt_async.models.typed import Npy, Qpy
from qrt_async.wire import observables

P = TypeVar("P", SamplerPub, EstimatorPub)

_LARGE = 65_536
_MANY = 4_096

if TYPE_CHECKING:
    from qiskit.circuit import QuantumCircuit

SamplerPubLike = Union[str, IsaCircuit, Qpy, "QuantumCircuit", SamplerPub, Sequence[Any]]
"""
A PUB as one may write it: a circuit, ``(circuit, parameters, shots)`` with the end left out, or a `SamplerPub`.

A circuit is OpenQASM text, an `IsaCircuit`, or Qiskit's ``QuantumCircuit``, transpiled for the backend.
"""

EstimatorPubLike = EstimatorPub | Sequence[Any]
"""``(circuit, observables, parameters, precision)`` with the end left out from the third on, or an `EstimatorPub`."""


def sampler_pubs(pubs: Iterable[SamplerPubLike], *, backend: str, shots: int | None = None) -> tuple[SamplerPub, ...]:
    """
    Return checked PUBs; one without shots of its own gets `shots`.

    Raises:
        InvalidPub: the message says which PUB and what is wrong with it.

    """
    default = _shots(shots, "shots")
    made = (_sampler_pub(pub, i) for i, pub in enumerate(_several(pubs)))
    return tuple(
        _checked_sampler(attrs.evolve(pub, shots=default) if pub.shots is None else pub, backend, i)
        for i, pub in enumerate(made)
    )


def estimator_pubs(
    pubs: Iterable[EstimatorPubLike], *, backend: str, precision: float | None = None
) -> tuple[EstimatorPub, ...]:
    """
    Return checked PUBs; one without a precision of its own gets `precision`.

    Raises:
        InvalidPub: the message says which PUB and what is wrong with it.

    """
    default = _precision(precision, "precision")
    made = (_estimator_pub(pub, i) for i, pub in enumerate(_several(pubs)))
    return tuple(
        _checked_estimator(attrs.evolve(pub, precision=default) if pub.precision is None else pub, backend, i)
        for i, pub in enumerate(made)
    )


def sampler_pub(value: object, index: int, *, backend: str | None, shots: int | None = None) -> SamplerPub:
    """
    Return PUB `index` of many, checked like those of :func:`sampler_pubs`.

    With `backend` None the circuit is one that is still to be transpiled, and stays as it is.
    """
    pub = _sampler_pub(value, index)
    if pub.shots is None:
        pub = attrs.evolve(pub, shots=_shots(shots, "shots"))
    if backend is not None:
        return _checked_sampler(pub, backend, index)
    place = f"PUB {index}"
    parameters = _parameters(_by_name(pub), _untranspiled(pub.circuit, place), place)
    return SamplerPub(pub.circuit, parameters, _shots(pub.shots, f"{place}: shots"))


def estimator_pub(value: object, index: int, *, backend: str | None, precision: float | None = None) -> EstimatorPub:
    """
    Return PUB `index` of many, checked like those of :func:`estimator_pubs`.

    With `backend` None the circuit is one that is still to be transpiled, and stays as it is.
    """
    pub = _estimator_pub(value, index)
    if pub.precision is None:
        pub = attrs.evolve(pub, precision=_precision(precision, "precision"))
    if backend is not None:
        return _checked_estimator(pub, backend, index)
    place = f"PUB {index}"
    at = f"{place}: observables"
    found, _ = observables.checked(_plain_observables(pub.observables, at), at)
    parameters = _parameters(_by_name(pub), _untranspiled(pub.circuit, place), place)
    return EstimatorPub(pub.circuit, found, parameters, _precision(pub.precision, f"{place}: precision"))


def circuit_of(value: object) -> object:
    """Return the circuit of a PUB as one may write it, whatever the rest of it is worth."""
    if isinstance(value, SamplerPub | EstimatorPub):
        return value.circuit
    if isinstance(value, Sequence) and not isinstance(value, str) and value:
        return cast(Sequence[object], value)[0]
    return value


def is_quantum_circuit(value: object) -> bool:
    """Tell whether a value is a circuit of Qiskit's, which is not imported to find out."""
    return _is_circuit(value)


def is_large(value: object) -> bool:
    """Tell whether a PUB is so large that checking it would keep the event loop waiting."""
    circuit = circuit_of(value)
    if is_quantum_circuit(circuit):
        return True
    text = circuit.text if isinstance(circuit, IsaCircuit) else circuit
    if isinstance(text, str) and len(text) > _LARGE:
        return True
    return any(_entries(part) > _MANY for part in _others(value))


def _others(value: object) -> list[object]:
    if isinstance(value, SamplerPub):
        return [value.parameters]
    if isinstance(value, EstimatorPub):
        return [value.parameters, value.observables]
    return list(cast(Sequence[object], value))[1:] if isinstance(value, list | tuple) else []


def _entries(part: object) -> int:
    if isinstance(part, dict):
        return sum(_entries(item) for item in cast(dict[object, object], part).values())
    size = getattr(part, "size", None)
    if isinstance(size, int):
        return size
    if isinstance(part, list | tuple):
        items = cast(Sequence[object], part)
        return len(items) * max(1, _entries(items[0])) if items else 0
    return 1


def _untranspiled(circuit: object, place: str) -> object:
    if _is_circuit(circuit) or (isinstance(circuit, str) and circuit.strip()):
        return circuit
    raise InvalidPub(
        f"{place}: a circuit to be transpiled is OpenQASM text or a QuantumCircuit, not {type(circuit).__name__}"
    )


def _by_name(pub: SamplerPub | EstimatorPub) -> object:
    """Return the parameters of a circuit that is to be transpiled, those of Qiskit's own by their names."""
    if not _is_circuit(pub.circuit) or not isinstance(pub.parameters, Mapping):
        return pub.parameters
    from qrt_async import qiskit_bridge

    return qiskit_bridge.named(pub.parameters)


def _several(pubs: object) -> list[object]:
    if isinstance(pubs, str | bytes | IsaCircuit | Qpy | SamplerPub | EstimatorPub | Mapping) or _is_circuit(pubs):
        raise InvalidPub(f"pubs is a list of PUBs, not one {type(pubs).__name__}: write [pub]")
    if not isinstance(pubs, Iterable):
        raise InvalidPub(f"pubs is a list of PUBs, not {type(pubs).__name__}")
    found = list(cast(Iterable[object], pubs))
    if not found:
        raise InvalidPub("a job needs at least one PUB")
    return found


def _sampler_pub(value: object, index: int) -> SamplerPub:
    if isinstance(value, SamplerPub):
        return value
    if isinstance(value, str | IsaCircuit | Qpy) or _is_circuit(value):
        return SamplerPub(cast(Any, value))
    parts = _parts(value, index, 1, 3, "(circuit, parameters, shots)")
    return SamplerPub(*parts)


def _estimator_pub(value: object, index: int) -> EstimatorPub:
    if isinstance(value, EstimatorPub):
        return value
    if isinstance(value, str | IsaCircuit | Qpy) or _is_circuit(value):
        raise InvalidPub(f"PUB {index}: an estimator needs observables: (circuit, observables)")
    parts = _parts(value, index, 2, 4, "(circuit, observables, parameters, precision)")
    return EstimatorPub(*parts)


def _parts(value: object, index: int, least: int, most: int, form: str) -> Sequence[Any]:
    if not isinstance(value, Sequence) or isinstance(value, bytes | bytearray):
        raise InvalidPub(f"PUB {index}: expected {form}, not {type(value).__name__}")
    parts = value
    if not least <= len(parts) <= most:
        raise InvalidPub(f"PUB {index}: expected {least} to {most} parts, {form}, not {len(parts)}")
    return parts


def _checked_sampler(pub: SamplerPub, backend: str, index: int) -> SamplerPub:
    place = f"PUB {index}"
    shots = _shots(pub.shots, f"{place}: shots")
    if _is_circuit(pub.circuit):
        from qrt_async import qiskit_bridge

        return qiskit_bridge.sampler_pub(attrs.evolve(pub, shots=shots), place)
    circuit = _circuit(pub.circuit, backend, place)
    return SamplerPub(circuit, _parameters(pub.parameters, circuit, place), shots)


def _checked_estimator(pub: EstimatorPub, backend: str, index: int) -> EstimatorPub:
    place = f"PUB {index}"
    precision = _precision(pub.precision, f"{place}: precision")
    at = f"{place}: observables"
    found, width = observables.checked(_plain_observables(pub.observables, at), at)
    if _is_circuit(pub.circuit):
        from qrt_async import qiskit_bridge

        changed = attrs.evolve(pub, observables=found, precision=precision)
        return qiskit_bridge.estimator_pub(changed, width, place)
    circuit = _circuit(pub.circuit, backend, place)
    if isinstance(circuit, IsaCircuit) and width != len(circuit.layout):
        raise InvalidPub(
            f"{place}: observables have {width} letters, but the original circuit has {len(circuit.layout)} qubits"
        )
    return EstimatorPub(circuit, found, _parameters(pub.parameters, circuit, place), precision)


def _is_qiskits(value: object) -> bool:
    """Return whether a value is of a class of Qiskit's, which is not imported to find out."""
    return _origins(cast("Hashable", type(value)))[0]


def _is_circuit(value: object) -> bool:
    return _origins(cast("Hashable", type(value)))[1]


@functools.lru_cache(maxsize=256)
def _origins(kind: Hashable) -> tuple[bool, bool]:
    """Return whether a class is Qiskit's, and whether it is a circuit of Qiskit's."""
    line = cast(type, kind).__mro__
    qiskits = any(base.__module__.partition(".")[0] == "qiskit" for base in line)
    return qiskits, qiskits and any(base.__name__ == "QuantumCircuit" for base in line)


def _plain_observables(value: object, place: str) -> object:
    if _is_qiskits(value):
        from qrt_async import qiskit_bridge

        return qiskit_bridge.observables(value, place)
    if isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray):
        items = cast(Sequence[object], value)
        return [_plain_observables(item, f"{place}[{i}]") for i, item in enumerate(items)]
    return value


def _circuit(value: object, backend: str, place: str) -> str | IsaCircuit | Qpy:
    if isinstance(value, IsaCircuit):
        if value.backend != backend:
            raise InvalidPub(
                f"{place}: the circuit was transpiled for {value.backend}, but the job is for {backend}: "
                f"transpile it again with backend={backend!r}"
            )
        return value
    if isinstance(value, Qpy) and value.kind == "QuantumCircuit":
        return value
    if not isinstance(value, str):
        raise InvalidPub(
            f"{place}: a circuit is OpenQASM text, an IsaCircuit or a QuantumCircuit, not {type(value).__name__}"
        )
    if not value.strip():
        raise InvalidPub(f"{place}: the circuit is an empty text")
    return value


def _shots(value: object, place: str) -> int | None:
    if value is None:
        return None
    try:
        shots = operator.index(cast(Any, value))
    except TypeError:
        shots = 0
    if isinstance(value, bool) or shots < 1:
        raise InvalidPub(f"{place}: expected a whole number of at least 1, not {value!r}")
    return shots


def _precision(value: object, place: str) -> float | None:
    if value is None:
        return None
    number = _number(value)
    if number is None or number <= 0:
        raise InvalidPub(f"{place}: expected a finite number above 0, not {value!r}")
    return number


def _number(value: object) -> float | None:
    if isinstance(value, bool | str | bytes):
        return None
    try:
        number = float(cast(Any, value))
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _parameters(value: object, circuit: object, place: str) -> ParameterValues:
    if value is None or isinstance(value, Npy):
        return value
    if _is_qiskits(value):
        from qrt_async import qiskit_bridge

        value = qiskit_bridge.bindings(cast(Any, value))
    if isinstance(value, Mapping):
        if isinstance(circuit, Qpy):
            raise InvalidPub(f"{place}: the parameters of a Qpy go by position, in the order of the circuit's own")
        named = cast(Mapping[object, object], value)
        for name in named:
            if not isinstance(name, str) or not name:
                raise InvalidPub(f"{place}: a parameter's name is a text, not {name!r}")
        return {cast(str, name): _numbers(item, f"{place}: parameter {name!r}") for name, item in named.items()}
    return _numbers(value, f"{place}: parameters")


def _numbers(value: object, place: str) -> Numbers:
    """Return a number, or nested tuples of numbers that form a regular array."""
    listed = _listed(value)
    if isinstance(listed, Sequence) and not isinstance(listed, str | bytes | bytearray):
        items = tuple(_numbers(item, f"{place}[{i}]") for i, item in enumerate(cast(Sequence[object], listed)))
        if len({_shape(item) for item in items}) > 1:
            raise InvalidPub(f"{place}: the rows of an array of values need equal lengths")
        return items
    number = _number(listed)
    if number is None:
        raise InvalidPub(f"{place}: expected finite numbers, not {value!r}")
    return number


def _listed(value: object) -> object:
    """Return an array as lists, row by row: as one step a large one would hold Python's lock."""
    if not hasattr(value, "tolist"):
        return value
    array = cast(Any, value)
    return list(array) if getattr(array, "ndim", 0) > 1 else array.tolist()


def _shape(value: Numbers) -> tuple[int, ...]:
    if not isinstance(value, Sequence):
        return ()
    return (len(value), *(_shape(value[0]) if value else ()))


def circuits(values: Iterable[object]) -> list[str | Qpy]:
    """Return circuits to be transpiled, each as OpenQASM text or as QPY (`UsageError` for anything else)."""
    if isinstance(values, str) or _is_circuit(values):
        raise UsageError("circuits is a list of circuits, not one: write [circuit]")
    return [_to_transpile(value, i) for i, value in enumerate(values)]


def _to_transpile(value: object, index: int) -> str | Qpy:
    if _is_circuit(value):
        from qrt_async import qiskit_bridge

        return qiskit_bridge.to_transpile(cast(Any, value))
    if not isinstance(value, str) or not value.strip():
        raise UsageError(f"circuit {index} is neither an OpenQASM text nor a QuantumCircuit")
    return value


def tags(values: Iterable[str]) -> tuple[str, ...]:
    """
    Return checked tags.

    Raises:
        UsageError: more than eight tags, or one longer than 86 characters (``POST /jobs``).

    """
    if isinstance(values, str):
        raise UsageError(f"tags is a list of texts, not one text: write [{values!r}]")
    found = tuple(values)
    if len(found) > 8:
        raise UsageError(f"a job takes at most 8 tags, not {len(found)}")
    for tag in found:
        if not isinstance(cast(object, tag), str) or not 1 <= len(tag) <= 86:
            raise UsageError(f"a tag is a text of 1 to 86 characters, not {tag!r}")
    return found
