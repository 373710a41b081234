"""What a PUB takes of its job: executions, bytes and seconds, exact where it is bound, estimated where it is not."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar, cast

import attrs

from qrt_async.bulk.packing import Weight
from qrt_async.models.primitive_options import PrimitiveOptions
from qrt_async.models.pubs import EstimatorPub, IsaCircuit, SamplerPub
from qrt_async.models.typed import Npy, Qpy
from qrt_async.wire import primitives as wire
from qrt_async.wire.arrays import npy_shape

N = TypeVar("N", int, float)

_REPETITION = 250e-6
"""Seconds between two executions where the options name none: the default of IBM's Heron devices."""
_GATE = 100e-9
_MEASURE = 2e-6
_SHORT = 25e-6
"""A circuit that is this short even if nothing in it happens at once is not looked at more closely."""
_GROWTH = 3
"""How much longer, and deeper, transpiling is taken to make a circuit."""
_BYTES_PER_GATE = 25
_QPY_PER_GATE = 50
_SHOTS = 4096
_PRECISION = 0.015625
_NOISE_FACTORS = 3
_PEC_OVERHEAD = 100
_REMEMBERED = 4096
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "dt": 4e-9}
_DELAY = re.compile(r"\bdelay\[\s*([0-9.eE+-]+)\s*(ns|us|µs|ms|s|dt)\s*\]")
_OPERAND = re.compile(r"\$\d+|[A-Za-z_]\w*\[\s*\d+\s*\]")
_encode = json.JSONEncoder(separators=(",", ":")).encode
_Y_TO_X = str.maketrans("IXYZ", "0110")
_Y_TO_Z = str.maketrans("IXYZ", "0011")


@attrs.define
class Scales:
    """
    Weighs PUBs for one primitive and one set of options.

    Executions are those of the documented rules (bindings and shots, with twirling rounded up to whole randomizations;
    for an estimator one for each basis of measurement, set of values and shot, times what mitigation adds). Seconds are
    an estimate: executions times (repetition delay + circuit time), where a gate is taken to last 100 ns, and loops to
    run once.
    """

    options: Mapping[str, Any]
    _lengths: dict[str, int] = attrs.field(factory=dict[str, int], init=False, repr=False)
    _times: dict[str, float] = attrs.field(factory=dict[str, float], init=False, repr=False)

    @classmethod
    def of(cls, options: PrimitiveOptions | Mapping[str, Any] | None) -> Scales:
        """Return the scales for jobs with these options."""
        return cls(options.chosen() if isinstance(options, PrimitiveOptions) else options or {})

    def weigh(self, pub: SamplerPub | EstimatorPub, *, bound: bool) -> Weight:
        """Return what a checked PUB takes; of one that is not bound, what it will presumably take."""
        circuit = pub.circuit
        executions = self._sampled(pub) if isinstance(pub, SamplerPub) else self._estimated(pub)
        once = self._repetition() + self._circuit_time(circuit) * (1 if bound else _GROWTH)
        size = self._size(pub) if bound else self._guessed_size(pub)
        return Weight(executions, size + 1, executions * once)

    def _sampled(self, pub: SamplerPub) -> int:
        shots = pub.shots or self.options.get("default_shots") or _SHOTS
        return math.prod(sweep_shape(pub.parameters)) * _randomized(shots, self._part("twirling"))

    def _estimated(self, pub: EstimatorPub) -> int:
        sets, shape = sweep_shape(pub.parameters), observables_shape(pub.observables)
        elements = math.prod(_broadcast(sets, shape))
        singles = [bases([single]) for single in _singles(pub.observables)]
        apart = elements * sum(singles) // max(1, len(singles))
        measured = min(math.prod(sets) * bases(_singles(pub.observables)), max(apart, 1))
        return measured * self._shots(pub.precision) * self._overhead()

    def _shots(self, precision: float | None) -> int:
        default = self.options.get("default_shots")
        if precision is None and default:
            return int(default)
        return math.ceil((precision or self.options.get("default_precision") or _PRECISION) ** -2 - 1e-9)

    def _overhead(self) -> int:
        resilience = self._part("resilience")
        zne = resilience.get("zne_mitigation")
        if zne or (zne is None and self.options.get("resilience_level") == 2):
            factors = (resilience.get("zne") or {}).get("noise_factors")
            return len(factors) if factors else _NOISE_FACTORS
        if resilience.get("pec_mitigation"):
            return math.ceil((resilience.get("pec") or {}).get("max_overhead") or _PEC_OVERHEAD)
        return 1

    def _part(self, name: str) -> Mapping[str, Any]:
        part = self.options.get(name)
        return cast(Mapping[str, Any], part) if isinstance(part, Mapping) else {}

    def _repetition(self) -> float:
        return float(self._part("execution").get("rep_delay") or _REPETITION)

    def _size(self, pub: SamplerPub | EstimatorPub) -> int:
        if isinstance(pub, SamplerPub) and not needs_types(pub):
            text = circuit_text(pub.circuit)
            rest = json_size(_without_tail([None, pub.parameters, pub.shots])) - 4
            return rest + _remembered(self._lengths, text, json_size)
        return json_size(self._encoded(pub))

    def _encoded(self, pub: SamplerPub | EstimatorPub) -> Any:
        params = wire.sampler_params([pub], None) if isinstance(pub, SamplerPub) else wire.estimator_params([pub], None)
        return params["pubs"][0]

    def _guessed_size(self, pub: SamplerPub | EstimatorPub) -> int:
        circuit = pub.circuit
        written = len(circuit) if isinstance(circuit, str) else _gates(circuit) * _BYTES_PER_GATE
        others = [pub.parameters] if isinstance(pub, SamplerPub) else [pub.parameters, pub.observables]
        return written * _GROWTH + json_size(others) * (1 if isinstance(pub, SamplerPub) else _GROWTH) + 40

    def _circuit_time(self, circuit: object) -> float:
        if isinstance(circuit, str | IsaCircuit):
            return _remembered(self._times, circuit_text(circuit), circuit_seconds)
        if isinstance(circuit, Qpy):
            return len(circuit.data) / _QPY_PER_GATE * _GATE + _MEASURE
        return int(cast(Any, circuit).depth()) * _GATE + _MEASURE


def _remembered(memory: dict[str, N], text: str, function: Callable[[str], N]) -> N:
    found = memory.get(text)
    if found is None:
        if len(memory) >= _REMEMBERED:
            memory.clear()
        found = memory[text] = function(text)
    return found


def base_size(primitive: str, options: Any, *, typed: bool) -> int:
    """Return the bytes of a job's encoded `params` beside its PUBs, all of which but the first bring a comma."""
    write = wire.sampler_params if primitive == "sampler" else wire.estimator_params
    return json_size(write([], options)) + (len(',"support_qiskit":true') if typed else 0) - 1


def json_size(value: Any) -> int:
    """Return the bytes of a value as it is sent."""
    return len(_encode(value))


def needs_types(pub: SamplerPub | EstimatorPub) -> bool:
    """Tell whether a PUB can only be sent in the typed form."""
    return isinstance(pub.circuit, Qpy) or isinstance(pub.parameters, Npy)


def circuit_text(circuit: object) -> str:
    """Return the text of a circuit that has one."""
    return circuit.text if isinstance(circuit, IsaCircuit) else cast(str, circuit)


def _without_tail(parts: list[Any]) -> list[Any]:
    while parts[-1] is None and len(parts) > 1:
        parts = parts[:-1]
    return parts


def _gates(circuit: object) -> int:
    return int(cast(Any, circuit).size())


def _randomized(shots: int, twirling: Mapping[str, Any]) -> int:
    """Return the shots that are taken for a binding: with twirling, whole randomizations of equal length."""
    if not (twirling.get("enable_gates") or twirling.get("enable_measure")):
        return shots
    each, number = twirling.get("shots_per_randomization", "auto"), twirling.get("num_randomizations", "auto")
    if each == "auto":
        each = max(64, math.ceil(shots / 32)) if number == "auto" else math.ceil(shots / number)
    if number == "auto":
        number = math.ceil(shots / each)
    return int(max(shots, each * number))


def sweep_shape(parameters: object) -> tuple[int, ...]:
    """Return the shape of a PUB's sweep, ``()`` for one set of values or none."""
    if parameters is None:
        return ()
    if isinstance(parameters, Npy):
        return npy_shape(parameters.data)[:-1]
    if isinstance(parameters, Mapping):
        shapes = [_shape(value) for value in cast(Mapping[str, object], parameters).values()]
        return _broadcast(*shapes)
    return _shape(parameters)[:-1]


def _shape(value: object) -> tuple[int, ...]:
    shape: list[int] = []
    while isinstance(value, Sequence) and not isinstance(value, str):
        items = cast(Sequence[object], value)
        shape.append(len(items))
        if not items:
            break
        value = items[0]
    return tuple(shape)


def observables_shape(observables: object) -> tuple[int, ...]:
    """Return the shape of checked observables, ``()`` for one."""
    return _shape(observables)


def _broadcast(*shapes: tuple[int, ...]) -> tuple[int, ...]:
    width = max(map(len, shapes), default=0)
    padded = [(1,) * (width - len(shape)) + shape for shape in shapes]
    return tuple(max(lengths) for lengths in zip(*padded, strict=True))


def _singles(observables: object) -> Iterator[str | Mapping[str, float]]:
    if isinstance(observables, str | Mapping):
        yield cast("str | Mapping[str, float]", observables)
    else:
        for item in cast(Sequence[object], observables):
            yield from _singles(item)


def bases(observables: Iterator[str | Mapping[str, float]] | Sequence[str | Mapping[str, float]]) -> int:
    """Return how many settings of the measurement these observables need, terms that agree qubit by qubit in one."""
    terms = {term: None for single in observables for term in ([single] if isinstance(single, str) else single)}
    groups: list[tuple[int, int]] = []
    for term in terms:
        x, z = int(term.translate(_Y_TO_X), 2), int(term.translate(_Y_TO_Z), 2)
        for i, (group_x, group_z) in enumerate(groups):
            shared = (x | z) & (group_x | group_z)
            if not ((x ^ group_x) | (z ^ group_z)) & shared:
                groups[i] = (group_x | x, group_z | z)
                break
        else:
            groups.append((x, z))
    return max(1, len(groups))


def circuit_seconds(text: str) -> float:
    """Return about how long one execution of an OpenQASM program takes: its longest chain of instructions."""
    serial = text.count(";") * _GATE + text.count("measure") * _MEASURE
    if serial <= _SHORT and "delay[" not in text:
        return serial
    ready: dict[str, float] = {}
    everywhere = 0.0
    for statement in text.split(";"):
        length = _length(statement)
        operands = _OPERAND.findall(statement)
        if not operands:
            continue
        end = max(ready.get(operand, everywhere) for operand in operands) + length
        for operand in operands:
            ready[operand] = end
    return max(ready.values(), default=0.0)


def _length(statement: str) -> float:
    if "measure" in statement:
        return _MEASURE
    delay = _DELAY.search(statement)
    if delay is None:
        return _GATE
    return float(delay[1]) * _UNITS[delay[2]]
