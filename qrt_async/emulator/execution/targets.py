"""Qiskit's picture of a device, for the transpiler."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import rustworkx as rx
from qiskit.circuit import Delay, ForLoopOp, IfElseOp, Measure, Parameter, Reset, SwitchCaseOp, WhileLoopOp
from qiskit.circuit.library import get_standard_gate_name_mapping
from qiskit.transpiler import InstructionProperties, Target

from qrt_async.emulator.execution.machine import machine

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qrt_async.emulator.execution.machine import GateFacts, Machine

_CONTROL_FLOW = {
    "if_else": IfElseOp,
    "for_loop": ForLoopOp,
    "while_loop": WhileLoopOp,
    "switch_case": SwitchCaseOp,
}


@cache
def target(backend: str) -> Target:
    """Build the target of a device's basis gates; raises UnknownDeviceError."""
    of = machine(backend)
    timing = of.device.configuration.get("timing_constraints") or {}
    built = Target(
        description=f"Target of {backend}",
        num_qubits=of.num_qubits,
        dt=of.device.dt or None,
        granularity=timing.get("granularity", 1),
        min_length=timing.get("min_length", 1),
        pulse_alignment=timing.get("pulse_alignment", 1),
        acquire_alignment=timing.get("acquire_alignment", 1),
    )
    gates = get_standard_gate_name_mapping()
    for name in of.device.basis_gates:
        if name in of.gates and name in gates:
            built.add_instruction(gates[name], _properties(_working(of.gates[name], of.num_qubits)))
    _add_the_rest(built, of)
    return built


def _properties(facts: Mapping[tuple[int, ...], GateFacts]) -> dict[tuple[int, ...], InstructionProperties]:
    return {qubits: InstructionProperties(fact.duration, fact.error) for qubits, fact in facts.items()}


def _working(facts: Mapping[tuple[int, ...], GateFacts], num_qubits: int) -> Mapping[tuple[int, ...], GateFacts]:
    """Leave out the pairs that are broken (an error of 1), unless that would tear the device apart."""
    working = {qubits: fact for qubits, fact in facts.items() if fact.error < 1}
    if all(len(qubits) == 1 for qubits in facts):
        return facts
    graph = rx.PyGraph[int, None]()
    graph.add_nodes_from(range(num_qubits))
    graph.add_edges_from_no_data([(first, second) for first, second in working])
    return working if rx.is_connected(graph) else facts


def _add_the_rest(built: Target, of: Machine) -> None:
    everywhere = range(of.num_qubits)
    reading = {
        (qubit,): InstructionProperties(facts.readout_length, (facts.read_1_as_0 + facts.read_0_as_1) / 2)
        for qubit, facts in enumerate(of.qubits)
    }
    built.add_instruction(Measure(), reading)
    built.add_instruction(Delay(Parameter("t")), {(qubit,): None for qubit in everywhere})
    if "reset" in of.other_instructions:
        built.add_instruction(Reset(), {(qubit,): InstructionProperties(of.reset_length) for qubit in everywhere})
    for name, operation in _CONTROL_FLOW.items():
        if name in of.other_instructions:
            built.add_instruction(operation, name=name)
