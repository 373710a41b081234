"""The estimator: PUBs to expectation values, from shots."""

from __future__ import annotations

import json
from math import ceil, sqrt
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
from qiskit.circuit import Clbit, QuantumCircuit

from qrt_async.emulator.execution.bindings import Bindings, read_bindings
from qrt_async.emulator.execution.observables import Observables, grouped, joint_shape, read_observables
from qrt_async.emulator.execution.preparation import Prepared, widened
from qrt_async.emulator.execution.pubs import Loaded, Task, bind, load
from qrt_async.emulator.execution.refusal import Refusal
from qrt_async.emulator.execution.samples import number_bits
from qrt_async.emulator.execution.simulation import Experiment, Noise, sample_all
from qrt_async.emulator.work import Done

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from qrt_async.emulator.execution.observables import Observable, Term
    from qrt_async.emulator.execution.samples import Samples
    from qrt_async.emulator.work import PrimitiveWork

    Floats = npt.NDArray[np.float64]

MOST_SHOTS = 10_000_000
_DEFAULT_PRECISION = 0.015625
_LEAST_ATTENUATION = 1e-3


@attrs.frozen
class _Effort:
    """How often each circuit runs: `randomizations` times `each` shots, for a `precision`."""

    precision: float
    randomizations: int
    each: int

    @property
    def shots(self) -> int:
        """Shots of one circuit."""
        return self.randomizations * self.each


@attrs.frozen(eq=False)
class _Pub:
    loaded: Loaded
    observables: Observables
    bindings: Bindings
    effort: _Effort


@attrs.frozen(eq=False)
class _Estimate:
    """Per observable: expectation value, its standard error, and the one seen between randomizations."""

    values: Floats
    errors: Floats
    spreads: Floats
    circuits: int


@attrs.frozen(eq=False)
class _Reading:
    """How terms are read: the noise of the readout, and whether its attenuation is divided out."""

    noise: Noise
    mitigated: bool

    def attenuation(self, term: Term) -> float:
        """Say what readout errors leave of a term: 1 if they are not divided out."""
        if not self.mitigated:
            return 1.0
        errors = self.noise.misreadings([qubit for qubit, _ in term])
        return max(float(np.prod([1 - down - up for down, up in errors])), _LEAST_ATTENUATION)


def run_estimator(work: PrimitiveWork) -> Done:
    """Run an estimator job; raises Refusal for what the service would fail it for.

    The result is the service's plain form: numbers, or lists nested to the broadcast of observables and sweep.
    """
    task = Task.of(work)
    reading = _reading(task)
    pubs = [_read(pub, task, twirled=reading.noise.twirled_readout) for pub in task.params["pubs"]]
    results: list[dict[str, Any]] = []
    executions, busy = 0, 0.0
    for pub in pubs:
        result, circuits = _run(pub, reading, task)
        results.append(result)
        executions += circuits * pub.effort.shots
        pause = task.repetition_delay + pub.loaded.prepared.duration
        busy += circuits * pub.effort.shots * pause
    body = json.dumps({"results": results, "metadata": {}}).encode()
    return Done(body, quantum_seconds=busy, executions=executions)


def _reading(task: Task) -> _Reading:
    level = task.params.get("resilience_level")
    level = 1 if level is None else level
    mitigation = task.option("resilience", "measure_mitigation")
    mitigated = level >= 1 if mitigation is None else bool(mitigation)
    twirling = task.option("twirling", "enable_measure")
    twirled = level >= 1 if twirling is None else bool(twirling)
    machine = None if task.noiseless else task.machine
    return _Reading(Noise(machine, twirled or mitigated), mitigated)


def _read(pub: Any, task: Task, *, twirled: bool) -> _Pub:
    source, observables, values, precision = [*pub, None, None][:4]
    loaded = load(source, task.machine)
    if loaded.prepared.dynamic:
        raise Refusal(
            "Dynamic circuits (measurements in mid-circuit, control flow) are not supported by the estimator",
            1522,
            "Use the sampler, or remove the measurements and the control flow from the circuit.",
        )
    return _Pub(
        loaded,
        read_observables(observables, loaded.prepared.width),
        read_bindings(values, loaded.prepared.parameters),
        _effort(precision, task, twirled=twirled),
    )


def _effort(precision: float | None, task: Task, *, twirled: bool) -> _Effort:
    asked = task.params.get("precision") if precision is None else precision
    fixed = task.option("default_shots") if asked is None else None
    if fixed is not None:
        shots = max(int(fixed), 1)
        target = 1 / sqrt(shots)
    else:
        target = float(asked or task.option("default_precision") or _DEFAULT_PRECISION)
        shots = ceil(1 / target**2 * (1 - 1e-12))
    if shots > MOST_SHOTS:
        raise Refusal(
            f"The number of circuit shots {shots} exceeds the system limit {MOST_SHOTS}",
            1520,
            "Ask for less precision.",
        )
    randomizations, each = (1, shots)
    if twirled or task.option("twirling", "enable_gates"):
        randomizations, each = _randomizations(shots, task)
    return _Effort(target, randomizations, each)


def _randomizations(shots: int, task: Task) -> tuple[int, int]:
    """Split shots over randomizations by the rule of the guide "Error mitigation options", rounding up."""
    asked_count = task.option("twirling", "num_randomizations")
    asked_each = task.option("twirling", "shots_per_randomization")
    count = None if asked_count in {None, "auto"} else int(asked_count)
    each = None if asked_each in {None, "auto"} else int(asked_each)
    if each is None:
        each = max(64, ceil(shots / 32)) if count is None else ceil(shots / count)
    return (ceil(shots / each) if count is None else count), each


def _run(pub: _Pub, reading: _Reading, task: Task) -> tuple[dict[str, Any], int]:
    shape = joint_shape(pub.observables.shape, pub.bindings.shape)
    which = np.broadcast_to(_numbered(pub.observables.shape), shape).reshape(-1)
    where = np.broadcast_to(_numbered(pub.bindings.shape), shape).reshape(-1)
    found = np.zeros((3, len(which)))
    circuits = 0
    positions = list(np.ndindex(pub.bindings.shape))
    for number in np.unique(where):
        at = np.flatnonzero(where == number)
        wanted, back = np.unique(which[at], return_inverse=True)
        observables = [pub.observables.items[item] for item in wanted]
        estimate = _estimate(pub, pub.bindings.at(positions[number]), observables, reading, task)
        found[:, at] = np.stack([estimate.values, estimate.errors, estimate.spreads])[:, back]
        circuits += estimate.circuits
    evs, stds, spreads = (part.reshape(shape).tolist() for part in found)
    metadata = {
        "shots": pub.effort.shots,
        "target_precision": pub.effort.precision,
        "circuit_metadata": {},
        "resilience": {},
        "num_randomizations": pub.effort.randomizations,
    }
    data = {"evs": evs, "stds": stds, "ensemble_standard_error": spreads}
    return {"data": data, "metadata": metadata}, circuits


def _numbered(shape: tuple[int, ...]) -> npt.NDArray[np.intp]:
    return np.arange(int(np.prod(shape, dtype=int))).reshape(shape)


def _estimate(
    pub: _Pub, values: tuple[float, ...], observables: Sequence[Observable], reading: _Reading, task: Task
) -> _Estimate:
    """Measure every basis that the observables need at one binding, and add up their terms."""
    groups = grouped(term for observable in observables for term in observable if term)
    circuit = bind(pub.loaded.prepared, values)
    bound = attrs.evolve(pub.loaded.prepared, circuit=circuit)
    experiments = [_experiment(bound, group, (pub.loaded.key, values)) for group in groups]
    samples = sample_all(experiments, pub.effort.shots, reading.noise, task.generator)
    means = np.array([observable.get((), 0.0) for observable in observables])
    variances, spreads = np.zeros(len(observables)), np.zeros(len(observables))
    for group, experiment, shots in zip(groups, experiments, samples, strict=True):
        for number, observable in enumerate(observables):
            weights = {term: observable[term] / reading.attenuation(term) for term in group if term in observable}
            if not weights:
                continue
            values_seen = _values(weights, experiment, shots)
            batches = values_seen.reshape(pub.effort.randomizations, pub.effort.each).mean(axis=1)
            means[number] += values_seen.mean()
            variances[number] += values_seen.var() / len(values_seen)
            count = len(batches)
            spreads[number] += batches.var(ddof=1) / count if count > 1 else values_seen.var() / len(values_seen)
    return _Estimate(means, np.sqrt(variances), np.sqrt(spreads), len(groups))


def _experiment(prepared: Prepared, group: Sequence[Term], key: tuple[Any, ...]) -> Experiment:
    """Turn every qubit of a group's terms into its basis and read it, into the bit of its position."""
    basis = {qubit: letter for term in group for qubit, letter in term}
    wide = widened(prepared, basis)
    place = {qubit: position for position, qubit in enumerate(wide.qubits)}
    circuit = QuantumCircuit(wide.circuit.qubits, [Clbit() for _ in basis])
    for instruction in wide.circuit.data:
        circuit.append(instruction)
    for qubit, letter in basis.items():  # these turns are taken as exact
        if letter == "Y":
            circuit.sdg(place[qubit])
        if letter != "Z":
            circuit.h(place[qubit])
    readout = tuple((place[qubit], position) for position, qubit in enumerate(basis))
    return Experiment(circuit, wide.qubits, readout, dynamic=False, key=(*key, tuple(basis.items())))


def _values(weights: dict[Term, float], experiment: Experiment, samples: Samples) -> Floats:
    """Give the weighted sum of the terms' eigenvalues for every shot."""
    bits = number_bits(samples.values, len(experiment.readout))
    column = {qubit: position for position, qubit in enumerate(experiment.places)}
    sums = np.zeros(len(samples.values))
    for term, weight in weights.items():
        parity = bits[:, [column[qubit] for qubit, _ in term]].sum(axis=1) % 2
        sums += weight * (1 - 2.0 * parity)
    return sums[samples.index]
