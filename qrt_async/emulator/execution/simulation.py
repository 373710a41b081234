"""Shots of a bound circuit on a device: the way to simulate it is chosen by what the circuit is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np
from qiskit.circuit import Clbit
from qiskit_aer import AerSimulator
from qiskit_aer.noise import NoiseModel, ReadoutError

from qrt_async.emulator.execution.distribution import (
    MOST_QUBITS_IDEAL,
    MOST_QUBITS_NOISY,
    ChannelForm,
    Distribution,
    distribution,
    misread,
    outcome_probabilities,
    with_channels,
)
from qrt_async.emulator.execution.frames import is_clifford, only_clifford, sample_clifford
from qrt_async.emulator.execution.islands import built, excitation, islands, parted
from qrt_async.emulator.execution.recent import Recent
from qrt_async.emulator.execution.refusal import Refusal
from qrt_async.emulator.execution.samples import Samples, number_bits
from qrt_async.emulator.execution.trajectories import MOST_QUBITS_OF_A_STATE, sample_trajectories

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from qiskit.circuit import QuantumCircuit

    from qrt_async.emulator.execution.machine import Machine
    from qrt_async.emulator.execution.samples import Bits

_CACHED_BYTES = 200_000_000
_MOST_STATE_WORK = 2e11  # amplitudes touched: some minutes

_distributions: Recent[Distribution] = Recent(_CACHED_BYTES)


@attrs.frozen
class Noise:
    """The device whose noise is added, or None for none, and whether readout twirling evens its misreadings."""

    machine: Machine | None
    twirled_readout: bool = False

    def misreadings(self, qubits: Sequence[int]) -> list[tuple[float, float]]:
        """Give (P(1 read as 0), P(0 read as 1)) of the device's qubits."""
        if self.machine is None:
            return [(0.0, 0.0)] * len(qubits)
        facts = [self.machine.qubits[qubit] for qubit in qubits]
        if self.twirled_readout:
            even = [(fact.read_1_as_0 + fact.read_0_as_1) / 2 for fact in facts]
            return list(zip(even, even, strict=True))
        return [(fact.read_1_as_0, fact.read_0_as_1) for fact in facts]


@attrs.frozen(eq=False)
class Experiment:
    """A bound circuit on active qubits: static with its final readout (qubit, classical bit), or dynamic.

    `key` names everything that fixes the outcome's distribution, noise aside.
    """

    circuit: QuantumCircuit
    qubits: tuple[int, ...]
    readout: tuple[tuple[int, int], ...]
    dynamic: bool
    key: Hashable

    @property
    def measured(self) -> tuple[int, ...]:
        """Qubits of the circuit that are read at the end."""
        return tuple(qubit for qubit, _ in self.readout)

    @property
    def clbits(self) -> tuple[int, ...]:
        """Classical bits that take what is read at the end."""
        return tuple(clbit for _, clbit in self.readout)

    @property
    def places(self) -> tuple[int, ...]:
        """The device's qubits that are read at the end."""
        return tuple(self.qubits[qubit] for qubit in self.measured)


def sample_all(
    experiments: Sequence[Experiment], shots: int, noise: Noise, generator: np.random.Generator
) -> list[Samples]:
    """Run each experiment `shots` times; raises Refusal for what cannot be simulated."""
    ready = _distributed(experiments, noise)
    return [
        known.sample(shots, generator) if known is not None else _sample(experiment, shots, noise, generator)
        for experiment, known in zip(experiments, ready, strict=True)
    ]


def _distributed(experiments: Sequence[Experiment], noise: Noise) -> list[Distribution | None]:
    """Give the distributions of the experiments that are small enough, from the cache or in one run of Aer."""
    keys = [(experiment.key, noise) for experiment in experiments]
    known = [_distributions.get(key) for key in keys]
    missing = [
        number
        for number, experiment in enumerate(experiments)
        if known[number] is None and _is_small(experiment, noise)
    ]
    for density in (True, False):
        group = [number for number in missing if _needs_density(experiments[number], noise) is density]
        if not group:
            continue
        circuits = [_noisy(experiments[number], noise) for number in group]
        found = outcome_probabilities(circuits, [experiments[number].measured for number in group], density=density)
        for number, probabilities in zip(group, found, strict=True):
            experiment = experiments[number]
            read = misread(probabilities, noise.misreadings(experiment.places))
            fresh = distribution(read, experiment.clbits, experiment.circuit.num_clbits)
            known[number] = _distributions.put(keys[number], fresh, 200 + 100 * len(fresh.values))
    return known


def _is_small(experiment: Experiment, noise: Noise) -> bool:
    limit = MOST_QUBITS_NOISY if _needs_density(experiment, noise) else MOST_QUBITS_IDEAL
    return not experiment.dynamic and experiment.circuit.num_qubits <= limit


def _needs_density(experiment: Experiment, noise: Noise) -> bool:
    return noise.machine is not None or "reset" in experiment.circuit.count_ops()


def _noisy(experiment: Experiment, noise: Noise) -> QuantumCircuit:
    if noise.machine is None:
        return experiment.circuit
    return with_channels(experiment.circuit, experiment.qubits, noise.machine, ChannelForm.SUPEROPERATOR)


def _sample(experiment: Experiment, shots: int, noise: Noise, generator: np.random.Generator) -> Samples:
    circuit = experiment.circuit
    if experiment.dynamic:
        return _sample_dynamic(experiment, shots, noise, generator)
    if is_clifford(circuit):
        draw = sample_clifford
    elif len(groups := islands(circuit)) > 1:
        return _sample_islands(experiment, groups, shots, noise, generator)
    else:
        draw = sample_trajectories
    bits = draw(circuit, experiment.qubits, experiment.measured, shots, noise.machine, generator)
    _misread_bits(bits, noise.misreadings(experiment.places), generator)
    return Samples.from_bits(bits, experiment.clbits, circuit.num_clbits)


def _sample_islands(
    experiment: Experiment, groups: list[list[int]], shots: int, noise: Noise, generator: np.random.Generator
) -> Samples:
    """Sample groups of qubits that no gate joins: single ones at once, the others as circuits of their own."""
    circuit, clbit = experiment.circuit, dict(experiment.readout)
    memory = np.zeros((shots, circuit.num_clbits), dtype=np.uint8)
    joined: list[tuple[Experiment, list[int]]] = []
    for group, instructions in zip(groups, parted(circuit, groups), strict=True):
        places = tuple(experiment.qubits[qubit] for qubit in group)
        read = [qubit for qubit in group if qubit in clbit]
        into = [clbit[qubit] for qubit in read]
        if len(group) > 1 and read:
            part = built(instructions, [circuit.qubits[i] for i in group], [Clbit() for _ in read])
            readout = tuple((group.index(qubit), i) for i, qubit in enumerate(read))
            joined.append((Experiment(part, places, readout, dynamic=False, key=(experiment.key, places)), into))
        elif read:
            one = excitation((each.operation for each in instructions), places[0], noise.machine)
            one_as_zero, zero_as_one = noise.misreadings(places)[0]
            chance = one * (1 - one_as_zero) + (1 - one) * zero_as_one
            memory[:, into[0]] = generator.random(shots) < chance
    sampled = sample_all([each for each, _ in joined], shots, noise, generator)
    for samples, (_, into) in zip(sampled, joined, strict=True):
        memory[:, into] = number_bits(samples.values, len(into))[samples.index]
    return Samples.from_bits(memory, range(circuit.num_clbits), circuit.num_clbits)


def _misread_bits(bits: Bits, errors: Sequence[tuple[float, float]], generator: np.random.Generator) -> None:
    for position, (one_as_zero, zero_as_one) in enumerate(errors):
        if one_as_zero or zero_as_one:
            read = bits[:, position]
            read ^= generator.random(len(read)) < np.where(read, one_as_zero, zero_as_one)


def _sample_dynamic(experiment: Experiment, shots: int, noise: Noise, generator: np.random.Generator) -> Samples:
    circuit, machine = experiment.circuit, noise.machine
    width = circuit.num_qubits
    wide = width > MOST_QUBITS_OF_A_STATE or shots * circuit.size() * 2.0**width > _MOST_STATE_WORK
    if wide and not only_clifford(circuit):
        raise Refusal(
            f"A circuit of {width} active qubits that uses its measurements cannot be simulated by this emulator "
            f"with {shots} shots",
            1520,
            "Use fewer active qubits or fewer shots.",
        )
    readout = None
    if machine is not None:
        form = ChannelForm.PAULIS if wide else ChannelForm.KRAUS
        circuit = with_channels(circuit, experiment.qubits, machine, form)
        readout = NoiseModel()
        for qubit, (one_as_zero, zero_as_one) in enumerate(noise.misreadings(experiment.qubits)):
            rows = [[1 - zero_as_one, zero_as_one], [one_as_zero, 1 - one_as_zero]]
            readout.add_readout_error(ReadoutError(rows), [qubit])
    method = "stabilizer" if wide else "statevector"
    simulator = AerSimulator(method=method, max_parallel_threads=1, noise_model=readout)
    seed = int(generator.integers(2**31))
    result = simulator.run(circuit, shots=shots, seed_simulator=seed).result()
    if not result.success:
        raise RuntimeError(f"Aer: {result.status}")
    counts = result.data(0).get("counts", {"0x0": shots})
    index = np.repeat(np.arange(len(counts)), np.fromiter(counts.values(), dtype=np.intp))
    return Samples([int(word, 16) for word in counts], generator.permutation(index))
