"""Circuits too wide for a density matrix: pure states, and Pauli errors drawn shot by shot.

Most shots of today's devices meet few errors, so shots with the same errors share one run. Where even that takes
too long, the shots with errors share fewer draws: expectation values stay right, their spread grows.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import attrs
import numpy as np
from qiskit.circuit import ClassicalRegister, QuantumCircuit
from qiskit.circuit.library import standard_gates as std
from qiskit_aer import AerSimulator

from qrt_async.emulator.execution.distribution import channels_after
from qrt_async.emulator.execution.refusal import Refusal
from qrt_async.emulator.execution.samples import number_bits

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from qrt_async.emulator.execution.machine import Machine
    from qrt_async.emulator.execution.noise import Channel
    from qrt_async.emulator.execution.samples import Bits

    Errors = Mapping[int, int]  # place in the circuit: which Pauli (base 4, first qubit fastest)

MOST_QUBITS_OF_A_STATE = 24
_MOST_ENTANGLEMENT = 7  # a bond of 2**7 in a matrix product state
_SECONDS_TO_SPEND = 10.0
_FEWEST_DRAWS = 4
_MOST_DRAWS = 4096
_RUNS_AT_ONCE = 64
_PAULIS = (std.IGate(), std.XGate(), std.YGate(), std.ZGate())


@attrs.frozen(eq=False)
class _Place:
    """Where an error may strike: after instruction number `after` of the circuit, by `channel`'s Pauli twirl."""

    after: int
    channel: Channel


def sample_trajectories(
    circuit: QuantumCircuit,
    qubits: Sequence[int],
    measured: Sequence[int],
    shots: int,
    machine: Machine | None,
    generator: np.random.Generator,
) -> Bits:
    """Sample final measurements of `measured`, shape (shots, len(measured)); no readout error.

    Raises Refusal for circuits that are too wide and too entangled to be simulated here.
    """
    method, cost = _method(circuit)
    places = [] if machine is None else list(_places(circuit, qubits, machine))
    chances = np.array([1 - place.channel.paulis[0] for place in places])
    clean = int(generator.binomial(shots, np.prod(1 - chances)))
    struck = shots - clean
    simulator = AerSimulator(method=method, max_parallel_threads=1, fusion_threshold=8)
    found: list[Bits] = []
    if clean:
        found.append(_run(simulator, [_struck(circuit, {}, measured)], clean, generator))
    if struck:
        draws = min(struck, _MOST_DRAWS, max(_FEWEST_DRAWS, int(_SECONDS_TO_SPEND / cost)))
        each = -(-struck // draws)  # rounded up: the surplus is cut off
        runs = (_struck(circuit, errors, measured) for errors in _draw(places, chances, draws, generator))
        batches = [_run(simulator, some, each, generator) for some in _batched(runs, _RUNS_AT_ONCE)]
        found.append(generator.permutation(np.concatenate(batches))[:struck])
    return generator.permutation(np.concatenate(found))


def _method(circuit: QuantumCircuit) -> tuple[str, float]:
    """Choose the representation and estimate the seconds that one run takes."""
    gates, width = circuit.size(), circuit.num_qubits
    entanglement = _entanglement(circuit)
    if width <= MOST_QUBITS_OF_A_STATE and (width <= 16 or entanglement > 5):
        return "statevector", 3e-3 + gates * (5e-5 + 2**width * 2e-9)
    if entanglement <= _MOST_ENTANGLEMENT:
        return "matrix_product_state", 2e-3 + gates * (5e-5 + 8**entanglement * 1e-8)
    raise Refusal(
        f"A circuit of {width} active qubits with this much entanglement and non-Clifford gates "
        "cannot be simulated by this emulator",
        1520,
        f"Use at most {MOST_QUBITS_OF_A_STATE} active qubits, fewer two-qubit gates, or Clifford gates only.",
    )


def _entanglement(circuit: QuantumCircuit) -> int:
    """Bound the entanglement, in qubits, over any cut of the qubits in their order."""
    crossing = np.zeros(circuit.num_qubits + 1, dtype=int)
    for instruction in circuit.data:
        if len(instruction.qubits) > 1:
            on = [circuit.find_bit(qubit).index for qubit in instruction.qubits]
            crossing[min(on) + 1 : max(on) + 1] += 2 if instruction.operation.name == "swap" else 1
    cuts = np.arange(circuit.num_qubits + 1)
    return int(np.minimum(crossing, np.minimum(cuts, circuit.num_qubits - cuts)).max())


def _places(circuit: QuantumCircuit, qubits: Sequence[int], machine: Machine) -> Iterator[_Place]:
    for number, instruction in enumerate(circuit.data):
        on = tuple(qubits[circuit.find_bit(qubit).index] for qubit in instruction.qubits)
        for channel in channels_after(instruction.operation, on, machine):
            yield _Place(number, channel)


def _run(simulator: AerSimulator, runs: Sequence[QuantumCircuit], shots: int, generator: np.random.Generator) -> Bits:
    seed = int(generator.integers(2**31))
    result = simulator.run(list(runs), shots=shots, seed_simulator=seed).result()
    if not result.success:
        raise RuntimeError(f"Aer: {result.status}")
    width = runs[0].num_clbits
    return np.concatenate([_bits(result.data(number)["counts"], width) for number in range(len(runs))])


def _draw(
    places: Sequence[_Place],
    chances: np.ndarray[tuple[int], np.dtype[np.float64]],
    draws: int,
    generator: np.random.Generator,
) -> Iterator[Errors]:
    """Draw errors of shots that meet at least one."""
    nothing_before = np.concatenate([[1.0], np.cumprod(1 - chances)[:-1]])
    first = nothing_before * chances
    for start in generator.choice(len(places), size=draws, p=first / first.sum()).tolist():
        later = np.flatnonzero(generator.random(len(places) - start - 1) < chances[start + 1 :]) + start + 1
        errors: dict[int, int] = {}
        for number in (start, *later.tolist()):
            paulis = places[number].channel.paulis[1:]
            errors[places[number].after] = 1 + int(generator.choice(len(paulis), p=paulis / paulis.sum()))
        yield errors


def _struck(circuit: QuantumCircuit, errors: Errors, measured: Sequence[int]) -> QuantumCircuit:
    run = QuantumCircuit(circuit.qubits, ClassicalRegister(len(measured)))
    for number, instruction in enumerate(circuit.data):
        if instruction.operation.name != "delay":
            run.append(instruction)
        for position, qubit in enumerate(instruction.qubits):
            if letter := errors.get(number, 0) >> 2 * position & 3:
                run.append(_PAULIS[letter], [qubit])
    run.measure(list(measured), range(len(measured)))
    return run


def _batched(runs: Iterator[QuantumCircuit], size: int) -> Iterator[list[QuantumCircuit]]:
    while batch := list(islice(runs, size)):
        yield batch


def _bits(counts: Mapping[str, int], width: int) -> Bits:
    distinct = number_bits([int(word, 16) for word in counts], width)
    return np.repeat(distinct, np.fromiter(counts.values(), dtype=np.intp), axis=0)
