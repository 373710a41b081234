"""Small circuits, exactly: the probabilities of all outcomes, once, and then as many shots as anyone wants."""

from __future__ import annotations

from enum import Enum, auto
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
from qiskit.circuit import QuantumCircuit
from qiskit.quantum_info import Kraus, SuperOp
from qiskit_aer import AerSimulator
from qiskit_aer.noise import pauli_error

from qrt_async.emulator.execution.noise import Channel, gate_channel, idle_channel
from qrt_async.emulator.execution.preparation import seconds
from qrt_async.emulator.execution.samples import Samples, memory_words, word_values

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import numpy.typing as npt
    from qiskit.circuit import Instruction

    from qrt_async.emulator.execution.machine import Machine

MOST_QUBITS_NOISY = 10
MOST_QUBITS_IDEAL = 14
_PAULI_LABELS = {1: list("IXYZ"), 2: [second + first for second in "IXYZ" for first in "IXYZ"]}


class ChannelForm(Enum):
    """How a channel stands in a circuit: which form a simulation takes depends on what it keeps of the state."""

    SUPEROPERATOR = auto()  # density matrices
    KRAUS = auto()  # pure states
    PAULIS = auto()  # stabilizer states; the channel is Pauli-twirled


@attrs.frozen(eq=False)
class Distribution:
    """Outcomes, as numbers of the classical bits, and the running sum of their probabilities."""

    values: list[int]
    cumulated: npt.NDArray[np.float64]

    def sample(self, shots: int, generator: np.random.Generator) -> Samples:
        """Draw shots."""
        drawn = np.searchsorted(self.cumulated, generator.random(shots), side="right")
        return Samples(self.values, np.minimum(drawn, len(self.values) - 1))


def outcome_probabilities(
    circuits: Sequence[QuantumCircuit], measured: Sequence[Sequence[int]], *, density: bool
) -> list[npt.NDArray[np.float64]]:
    """Give the probabilities, length 2**m, of measuring `measured` (first qubit fastest) after each circuit."""
    if not any(measured):
        return [np.ones(1) for _ in circuits]
    asked: list[QuantumCircuit] = []
    for circuit, qubits in zip(circuits, measured, strict=True):
        complete: Any = circuit.copy()
        complete.save_probabilities(list(qubits))
        asked.append(complete)
    result = _simulator("density_matrix" if density else "statevector").run(asked, shots=1).result()
    if not result.success:
        raise RuntimeError(f"Aer: {result.status}")
    found = [np.asarray(result.data(number)["probabilities"], dtype=float) for number in range(len(asked))]
    return [probabilities.clip(0) / probabilities.clip(0).sum() for probabilities in found]


def misread(probabilities: npt.NDArray[np.float64], errors: Iterable[tuple[float, float]]) -> npt.NDArray[np.float64]:
    """Apply readout errors, one (P(1 read as 0), P(0 read as 1)) per measured qubit, first qubit fastest."""
    spread = probabilities
    for position, (one_as_zero, zero_as_one) in enumerate(errors):
        apart = spread.reshape(-1, 2, 2**position)
        zero, one = apart[:, 0], apart[:, 1]
        moved = (1 - zero_as_one) * zero + one_as_zero * one
        spread = np.stack([moved, zero + one - moved], axis=1).reshape(-1)
    return spread


def distribution(probabilities: npt.NDArray[np.float64], clbits: Sequence[int], num_clbits: int) -> Distribution:
    """Make a distribution over the classical bits from probabilities of the measured ones."""
    possible = np.flatnonzero(probabilities > 1e-15)
    bits = (possible[:, None] >> np.arange(len(clbits)) & 1).astype(np.uint8)
    values = word_values(memory_words(bits, clbits, num_clbits))
    return Distribution(values, np.cumsum(probabilities[possible]))


def with_channels(
    circuit: QuantumCircuit, qubits: Sequence[int], machine: Machine, form: ChannelForm
) -> QuantumCircuit:
    """Give the circuit with the device's channel after every gate, in blocks of control flow too."""
    noisy = circuit.copy_empty_like()
    for instruction in circuit.data:
        operation = instruction.operation
        places = tuple(qubits[circuit.find_bit(qubit).index] for qubit in instruction.qubits)
        if blocks := getattr(operation, "blocks", ()):
            inner = [with_channels(block, places, machine, form) for block in blocks]
            noisy.append(instruction.replace(operation=operation.replace_blocks(inner)))
            continue
        noisy.append(instruction)
        for channel in channels_after(operation, places, machine):
            noisy.append(_instruction(channel, form), instruction.qubits)
    return noisy


def channels_after(operation: Instruction, qubits: tuple[int, ...], machine: Machine) -> Iterator[Channel]:
    """Give the noise of one instruction on the device's qubits: none or one channel."""
    if operation.name == "delay":
        yield idle_channel(machine, qubits[0], seconds(operation, machine))
    elif (channel := gate_channel(machine, operation.name, qubits)) is not None:
        yield channel


@lru_cache(maxsize=4096)
def _instruction(channel: Channel, form: ChannelForm) -> Instruction:
    operators: Any
    match form:
        case ChannelForm.SUPEROPERATOR:
            return SuperOp(channel.superoperator).to_instruction()
        case ChannelForm.KRAUS:
            operators = list(channel.kraus)
            return Kraus(operators).to_instruction()
        case ChannelForm.PAULIS:
            operators = list(zip(_PAULI_LABELS[len(channel.left)], channel.paulis.tolist(), strict=True))
            return pauli_error(operators).to_instruction()


@lru_cache(maxsize=8)
def _simulator(method: str) -> AerSimulator:
    return AerSimulator(method=method, max_parallel_threads=1, fusion_threshold=6)
