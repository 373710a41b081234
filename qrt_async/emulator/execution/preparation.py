"""A program on one device: checked against its instruction set, then reduced to the qubits that it really uses."""

from __future__ import annotations

from math import pi
from typing import TYPE_CHECKING, Any

import attrs
from qiskit.circuit import ControlFlowOp, ParameterExpression, QuantumCircuit, Qubit

from qrt_async.emulator.execution.refusal import TRANSPILE_FIRST, Refusal, beyond_us, not_isa

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from qrt_async.emulator.execution.machine import Machine
    from qrt_async.emulator.programs import Program, Register

_DT_UNITS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "ps": 1e-12}


@attrs.frozen(eq=False)
class Prepared:
    """What is left to simulate of a program on a device.

    `circuit` has the active qubits only; `qubits[i]` is the device's qubit under its qubit `i`. A dynamic circuit
    measures itself, bit by bit as written; otherwise its measurements are all final, taken out and listed in
    `readout` as (qubit of `circuit`, classical bit). `duration` is in seconds, `width` the program's; `parameters`
    names the program's free parameters in Qiskit's order: sorted by name, vectors by index.
    """

    circuit: QuantumCircuit
    qubits: tuple[int, ...]
    readout: tuple[tuple[int, int], ...]
    dynamic: bool
    duration: float
    width: int
    registers: tuple[Register, ...]
    parameters: tuple[str, ...]
    metadata: Mapping[str, Any]


def prepare(program: Program, machine: Machine) -> Prepared:
    """Check a program against the device and reduce it; raises Refusal (1517) for what the device cannot run."""
    circuit = program.circuit
    if circuit.num_qubits > machine.num_qubits:
        raise Refusal(
            f"The number of qubits of the circuit ({circuit.num_qubits}) exceeds the number of qubits of the "
            f"backend {machine.device.name} ({machine.num_qubits})",
            1517,
            TRANSPILE_FIRST,
        )
    if circuit.num_vars or circuit.num_stretches:
        raise beyond_us("Variables and stretches are", "Send a circuit without them.")
    _check(circuit, range(circuit.num_qubits), machine)
    final = _final_readout(circuit)
    reduced, active = _reduce(circuit, keep_measurements=final is None)
    place = {qubit: position for position, qubit in enumerate(active)}
    return Prepared(
        circuit=reduced,
        qubits=active,
        readout=() if final is None else tuple((place[qubit], clbit) for qubit, clbit in final),
        dynamic=final is None,
        duration=_duration(circuit, range(circuit.num_qubits), machine),
        width=circuit.num_qubits,
        registers=program.registers,
        parameters=tuple(parameter.name for parameter in circuit.parameters),
        metadata=program.metadata,
    )


def check_angles(circuit: QuantumCircuit, qubits: Sequence[int]) -> None:
    """Refuse (1517) an rzz angle outside [0, pi/2] on the device's `qubits`; unbound angles pass."""
    for instruction in circuit.data:
        if instruction.operation.name == "rzz":
            angle = instruction.operation.params[0]
            free = isinstance(angle, ParameterExpression) and angle.parameters
            if not free and not -1e-9 <= float(angle) <= pi / 2 + 1e-9:
                raise not_isa("rzz", tuple(qubits[i] for i in _indices(circuit, instruction)))


def seconds(delay: Any, machine: Machine) -> float:
    """Give the length of a delay instruction in seconds, 0 as long as it is unbound."""
    if isinstance(delay.duration, ParameterExpression):
        return 0.0
    unit = machine.device.dt if delay.unit == "dt" else _DT_UNITS[delay.unit]
    return float(delay.duration) * unit


def _indices(circuit: QuantumCircuit, instruction: Any) -> tuple[int, ...]:
    return tuple(circuit.find_bit(qubit).index for qubit in instruction.qubits)


def _check(circuit: QuantumCircuit, places: Sequence[int], machine: Machine) -> None:
    for instruction in circuit.data:
        operation = instruction.operation
        qubits = tuple(places[i] for i in _indices(circuit, instruction))
        if not machine.allows(operation.name, qubits):
            raise not_isa(operation.name, qubits)
        if isinstance(operation, ControlFlowOp):
            for block in operation.blocks:
                _check(block, qubits, machine)
    check_angles(circuit, places)


def _final_readout(circuit: QuantumCircuit) -> list[tuple[int, int]] | None:
    """List (qubit, classical bit) if all measurements are final and into bits of their own; None otherwise."""
    readout: dict[int, int] = {}
    for instruction in circuit.data:
        name = instruction.operation.name
        if isinstance(instruction.operation, ControlFlowOp):
            return None
        if name in {"barrier", "delay"}:
            continue
        qubits = _indices(circuit, instruction)
        if any(qubit in readout for qubit in qubits):
            return None
        if name == "measure":
            clbit = circuit.find_bit(instruction.clbits[0]).index
            if clbit in readout.values():
                return None
            readout[qubits[0]] = clbit
    return list(readout.items())


def _reduce(circuit: QuantumCircuit, *, keep_measurements: bool) -> tuple[QuantumCircuit, tuple[int, ...]]:
    active: set[int] = set()
    kept: list[Any] = []
    measured: set[int] = set()
    for instruction in circuit.data:
        name, qubits = instruction.operation.name, _indices(circuit, instruction)
        if name == "barrier" or (name == "reset" and qubits[0] not in active):
            continue
        if name == "delay" and (qubits[0] in measured or qubits[0] not in active):
            continue  # a qubit that rests in |0> or after its measurement
        active.update(qubits)
        if name == "measure" and not keep_measurements:
            measured.update(qubits)
        else:
            kept.append(instruction)
    order = tuple(sorted(active))
    reduced = QuantumCircuit([Qubit() for _ in order], global_phase=0)
    reduced.add_bits(circuit.clbits)
    for register in circuit.cregs:
        reduced.add_register(register)
    place = {qubit: reduced.qubits[position] for position, qubit in enumerate(order)}
    for instruction in kept:
        reduced.append(instruction.replace(qubits=[place[i] for i in _indices(circuit, instruction)]))
    return reduced, order


def _duration(circuit: QuantumCircuit, places: Sequence[int], machine: Machine) -> float:
    """Give the length of the longest chain of instructions, in seconds; of branches the longest counts."""
    free_at = [0.0] * circuit.num_qubits
    for instruction in circuit.data:
        on = _indices(circuit, instruction)
        if not on:
            continue
        end = max(free_at[i] for i in on) + _length(instruction.operation, tuple(places[i] for i in on), machine)
        for i in on:
            free_at[i] = end
    return max(free_at, default=0.0)


def _length(operation: Any, qubits: tuple[int, ...], machine: Machine) -> float:
    match operation.name:
        case "barrier":
            return 0.0
        case "measure":
            return machine.qubits[qubits[0]].readout_length
        case "reset":
            return machine.reset_length
        case "delay":
            return seconds(operation, machine)
        case _ if isinstance(operation, ControlFlowOp):
            return max((_duration(block, qubits, machine) for block in operation.blocks), default=0.0)
        case name:
            return machine.facts(name, qubits).duration


def widened(prepared: Prepared, extra: Iterable[int]) -> Prepared:
    """Give the same static program with further qubits of the device in |0> made active."""
    missing = tuple(sorted(set(extra) - set(prepared.qubits)))
    if not missing:
        return prepared
    circuit = prepared.circuit.copy()
    circuit.add_bits([Qubit() for _ in missing])
    return attrs.evolve(prepared, circuit=circuit, qubits=prepared.qubits + missing)
