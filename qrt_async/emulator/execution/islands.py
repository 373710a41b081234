"""Circuits that fall apart: groups of qubits that no gate joins are simulated each for itself.

Templates of IBM's client turn and read every qubit of the device, few of which are entangled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qiskit.circuit import QuantumCircuit

from qrt_async.emulator.execution.distribution import channels_after

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt

    from qrt_async.emulator.execution.machine import Machine

    Complexes = npt.NDArray[np.complex128]


def islands(circuit: QuantumCircuit) -> list[list[int]]:
    """Group the qubits of a circuit by the instructions that join them; ascending within and by first qubit."""
    leader = list(range(circuit.num_qubits))

    def find(qubit: int) -> int:
        while leader[qubit] != qubit:
            leader[qubit] = leader[leader[qubit]]
            qubit = leader[qubit]
        return qubit

    for instruction in circuit.data:
        if len(instruction.qubits) > 1:
            first, *others = (find(circuit.find_bit(qubit).index) for qubit in instruction.qubits)
            for other in others:
                leader[find(other)] = find(first)
    groups: dict[int, list[int]] = {}
    for qubit in range(circuit.num_qubits):
        groups.setdefault(find(qubit), []).append(qubit)
    return list(groups.values())


def parted(circuit: QuantumCircuit, groups: Sequence[Sequence[int]]) -> list[list[Any]]:
    """Give the instructions of each of a circuit's islands, in their order."""
    parts: list[list[Any]] = [[] for _ in groups]
    number_of = {circuit.qubits[qubit]: number for number, group in enumerate(groups) for qubit in group}
    for instruction in circuit.data:
        if instruction.qubits:
            parts[number_of[instruction.qubits[0]]].append(instruction)
    return parts


def built(instructions: Iterable[Any], qubits: Sequence[Any], readout: Sequence[Any]) -> QuantumCircuit:
    """Make a circuit of one island, with `readout` to be read into."""
    part = QuantumCircuit(list(qubits), list(readout))
    for instruction in instructions:
        part.append(instruction)
    return part


def excitation(operations: Iterable[Any], qubit: int, machine: Machine | None) -> float:
    """Give the probability of reading 1 from the device's `qubit` after its operations on |0>."""
    state: Complexes = np.array([[1, 0], [0, 0]], dtype=complex)
    for operation in operations:
        if operation.name == "reset":
            state = np.array([[state.trace(), 0], [0, 0]])
        elif operation.name not in {"delay", "barrier"}:
            turn = operation.to_matrix()
            state = turn @ state @ turn.conj().T
        if machine is not None:
            for channel in channels_after(operation, (qubit,), machine):
                state = (channel.superoperator @ state.reshape(-1, order="F")).reshape((2, 2), order="F")
    return float(min(max(state[1, 1].real, 0.0), 1.0))
