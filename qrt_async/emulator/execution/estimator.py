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
from qrt_async.emulator.execution.pubs import Loaded, Task, bind, load_for
from qrt_async.emulator.execution.refusal import Refusal
from qrt_async.emulator.execution.samples import number_bits
from qrt_async.emulator.execution.simulation import Experiment, Noise, sample_all
from qrt_async.emulator.execution.typed_results import data_bin, primitive_result
from qrt_async.emulator.execution.typed_values import typed, write_array
from qrt_async.emulator.work import Done

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from qrt_async.emulator.clock import Clock
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


@attrs.frozen(eq=False)
class _Estimated:
    """What came out of one PUB: arrays over the broadcast of observables and sweep, and the circuits measured."""

    pub: _Pub
    fields: dict[str, Floats]
    circuits: int

    @property
    def executions(self) -> int:
        """Shots over all bindings and bases."""
        return self.circuits * self.pub.effort.shots

    @property
    def metadata(self) -> dict[str, Any]:
        """What the result says of the PUB."""
        effort = self.pub.effort
        return {
            "shots": effort.shots,
            "target_precision": effort.precision,
            "circuit_metadata": self.pub.loaded.prepared.metadata,
            "resilience": {},
            "num_randomizations": effort.randomizations,
        }


def run_estimator(work: PrimitiveWork, clock: Clock) -> Done:
    """Run an estimator job; raises Refusal for what the service would fail it for. Nothing of it is dated by `clock`.

    The result is the service's plain form, numbers or lists nested to the broadcast of observables and sweep, or with
    `support_qiskit` the typed one, where arrays hold them.
    """
    task = Task.of(work)
    reading = _reading(task)
    pubs = [_read(pub, task, twirled=reading.noise.twirled_readout) for pub in task.params["pubs"]]
    results = [_run(pub, reading, task) for pub in pubs]
    pause = task.repetition_delay
    return Done(
        body=_typed(results, reading, task) if task.params.get("support_qiskit") else _plain(results),
        quantum_seconds=sum(each.executions * (pause + each.pub.loaded.prepared.duration) for each in results),
        executions=sum(each.executions for each in results),
    )


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
    loaded = load_for(task, source)
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
    if twirled or task.twirls_gates:
        randomizations, each = task.randomizations(shots, binding=fixed is None)
    return _Effort(target, randomizations, each)


def _run(pub: _Pub, reading: _Reading, task: Task) -> _Estimated:
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
    fields = {
        name: part.reshape(shape) for name, part in zip(("evs", "stds", "ensemble_standard_error"), found, strict=True)
    }
    return _Estimated(pub, fields, circuits)


def _plain(results: Sequence[_Estimated]) -> bytes:
    texts = [
        {"data": {name: values.tolist() for name, values in each.fields.items()}, "metadata": each.metadata}
        for each in results
    ]
    return json.dumps({"results": texts, "metadata": {}}).encode()


def _typed(results: Sequence[_Estimated], reading: _Reading, task: Task) -> bytes:
    pub_results: list[dict[str, Any]] = []
    for each in results:
        shape = each.fields["evs"].shape
        fields = {name: write_array(values) for name, values in each.fields.items()}
        value = {"data": data_bin(fields, "numpy.ndarray", shape), "metadata": each.metadata}
        pub_results.append(typed("PubResult", value))
    return primitive_result(pub_results, _job_metadata(reading, task))


def _job_metadata(reading: _Reading, task: Task) -> dict[str, Any]:
    """Say what was done: no decoupling, no extrapolation and no cancellation, even where they were asked for."""
    twirling = {
        "enable_gates": task.twirls_gates,
        "enable_measure": reading.noise.twirled_readout,
        "num_randomizations": task.option("twirling", "num_randomizations") or "auto",
        "shots_per_randomization": task.option("twirling", "shots_per_randomization") or "auto",
        "interleave_randomizations": True,
        "strategy": task.option("twirling", "strategy") or "active-accum",
    }
    resilience = {"measure_mitigation": reading.mitigated, "zne_mitigation": False, "pec_mitigation": False}
    decoupling = {
        "enable": False,
        "sequence_type": "XX",
        "extra_slack_distribution": "middle",
        "scheduling_method": "alap",
    }
    return {
        "dynamical_decoupling": decoupling,
        "twirling": twirling,
        "resilience": resilience,
        "version": 2,
    }


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
