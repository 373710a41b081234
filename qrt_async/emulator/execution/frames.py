"""Clifford circuits of any width: one exact reference shot, and Pauli frames for what all shots differ by.

A frame says for every shot by which Pauli it differs from the reference. Gates carry frames along, noise and the
randomness of measurements change them, and a measured bit is the reference's, flipped where the frame has an X.
(Gidney, "Stim: a fast stabilizer circuit simulator", describes the method.)
"""

from __future__ import annotations

from functools import lru_cache
from math import pi
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
from qiskit.circuit import ClassicalRegister, QuantumCircuit
from qiskit.circuit.library import get_standard_gate_name_mapping
from qiskit.exceptions import QiskitError
from qiskit.quantum_info import Clifford
from qiskit_aer import AerSimulator

from qrt_async.emulator.execution.distribution import channels_after

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    from qiskit.circuit import Instruction

    from qrt_async.emulator.execution.machine import Machine
    from qrt_async.emulator.execution.noise import Channel
    from qrt_async.emulator.execution.samples import Bits

    Flags = npt.NDArray[np.bool_]

_SHOTS_AT_ONCE = 1 << 16


@attrs.frozen(eq=False)
class _Step:
    """One instruction: on which qubits, how it moves frames (None for a reset), and the noise after it."""

    qubits: tuple[int, ...]
    moves: Flags | None
    noise: tuple[Channel, ...]


def clifford(operation: Instruction) -> Clifford | None:
    """Give a gate as a Clifford operation, or None if it is none."""
    return _clifford(operation.name, tuple(float(angle) for angle in operation.params))


def is_clifford(circuit: QuantumCircuit) -> bool:
    """Say whether a circuit without measurements has nothing but Clifford gates, resets and delays."""
    return all(
        instruction.operation.name in {"reset", "delay", "barrier"} or clifford(instruction.operation) is not None
        for instruction in circuit.data
    )


def only_clifford(circuit: QuantumCircuit) -> bool:
    """Say whether all gates of a circuit, and of the blocks of its control flow, are Clifford gates."""
    for instruction in circuit.data:
        operation = instruction.operation
        if blocks := getattr(operation, "blocks", ()):
            if not all(map(only_clifford, blocks)):
                return False
        elif operation.name not in {"reset", "delay", "barrier", "measure"} and clifford(operation) is None:
            return False
    return True


def sample_clifford(
    circuit: QuantumCircuit,
    qubits: Sequence[int],
    measured: Sequence[int],
    shots: int,
    machine: Machine | None,
    generator: np.random.Generator,
) -> Bits:
    """Sample final measurements of `measured`, shape (shots, len(measured)); no readout error, noise Pauli-twirled."""
    reference = _reference(circuit, measured, generator)
    steps = _steps(circuit, qubits, machine)
    bits = np.empty((shots, len(measured)), dtype=np.uint8)
    for start in range(0, shots, _SHOTS_AT_ONCE):
        count = min(_SHOTS_AT_ONCE, shots - start)
        flips = _frames(steps, circuit.num_qubits, count, generator)[0][list(measured)]
        bits[start : start + count] = reference ^ flips.T
    return bits


def _frames(steps: Sequence[_Step], num_qubits: int, shots: int, generator: np.random.Generator) -> tuple[Flags, Flags]:
    """Carry `shots` frames through; gives their X and Z parts, shape (qubits, shots)."""
    x = np.zeros((num_qubits, shots), dtype=np.bool_)
    z = generator.integers(0, 2, size=(num_qubits, shots), dtype=np.int8).astype(np.bool_)
    for step in steps:
        on = list(step.qubits)
        if step.moves is None:
            x[on] = False
            z[on] = generator.integers(0, 2, size=(len(on), shots), dtype=np.int8).astype(np.bool_)
            continue
        before = np.concatenate([x[on], z[on]])
        after = np.stack([np.logical_xor.reduce(before[column], axis=0) for column in step.moves.T])
        x[on], z[on] = after[: len(on)], after[len(on) :]
        for channel in step.noise:
            _strike(x, z, on, channel.paulis, generator)
    return x, z


def _strike(x: Flags, z: Flags, on: list[int], paulis: npt.NDArray[np.float64], generator: np.random.Generator) -> None:
    hit = np.flatnonzero(generator.random(x.shape[1]) >= paulis[0])
    which = 1 + generator.choice(len(paulis) - 1, size=len(hit), p=paulis[1:] / paulis[1:].sum())
    for position, qubit in enumerate(on):
        letter = which >> 2 * position & 3  # I, X, Y, Z
        x[qubit, hit] ^= (letter == 1) | (letter == 2)
        z[qubit, hit] ^= letter >= 2


def _steps(circuit: QuantumCircuit, qubits: Sequence[int], machine: Machine | None) -> list[_Step]:
    steps: list[_Step] = []
    for instruction in circuit.data:
        operation = instruction.operation
        on = tuple(circuit.find_bit(qubit).index for qubit in instruction.qubits)
        places = tuple(qubits[i] for i in on)
        noise = () if machine is None else tuple(channels_after(operation, places, machine))
        noise = tuple(channel for channel in noise if channel.paulis[0] < 1)
        if operation.name == "reset":
            steps.append(_Step(on, None, noise))
        elif operation.name == "delay":
            steps.append(_Step(on, np.eye(2, dtype=np.bool_), noise))
        elif (gate := clifford(operation)) is not None:
            steps.append(_Step(on, gate.symplectic_matrix.astype(np.bool_), noise))
    return steps


def _reference(circuit: QuantumCircuit, measured: Sequence[int], generator: np.random.Generator) -> Bits:
    plain = QuantumCircuit(circuit.qubits, ClassicalRegister(len(measured)))
    for instruction in circuit.data:
        on = [circuit.find_bit(qubit).index for qubit in instruction.qubits]
        if instruction.operation.name == "reset":
            plain.reset(on)
        elif (gate := clifford(instruction.operation)) is not None and instruction.operation.name != "delay":
            plain.compose(gate.to_circuit(), on, inplace=True)
    plain.measure(list(measured), range(len(measured)))
    simulator = AerSimulator(method="stabilizer", max_parallel_threads=1)
    seed = int(generator.integers(2**31))
    result = simulator.run(plain, shots=1, seed_simulator=seed).result()
    if not result.success:
        raise RuntimeError(f"Aer: {result.status}")
    (word,) = result.data(0)["counts"]
    number = int(word, 16)
    return np.array([number >> position & 1 for position in range(len(measured))], dtype=np.uint8)


def _quarter_turns(angle: float) -> bool:
    turns = angle / (pi / 2)
    return abs(turns - round(turns)) < 1e-9


@lru_cache(maxsize=4096)
def _clifford(name: str, angles: tuple[float, ...]) -> Clifford | None:
    prototype = get_standard_gate_name_mapping().get(name)
    if prototype is None or not all(map(_quarter_turns, angles)):
        return None
    try:
        maker: Any = type(prototype)
        return Clifford(maker(*angles) if angles else prototype)
    except QiskitError:
        return None
