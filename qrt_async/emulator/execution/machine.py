"""One device as the worker knows it: which instruction runs on which qubits, for how long, with which error."""

from __future__ import annotations

from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

import attrs

from qrt_async.emulator import devices

if TYPE_CHECKING:
    from collections.abc import Mapping

_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9, "": 1.0}
_NO_GATES = frozenset({"measure", "measure_2", "reset", "reset_2", "delay", "barrier"})
_EITHER_WAY = frozenset({"cz", "rzz", "swap"})  # gates that do not tell their qubits apart


@attrs.frozen
class GateFacts:
    """What the calibration says about one gate on its qubits: average error and duration in seconds."""

    error: float = 0.0
    duration: float = 0.0


@attrs.frozen
class QubitFacts:
    """What the calibration says about one qubit: T1 and T2 and the readout's length in seconds, misreadings."""

    t1: float
    t2: float
    readout_length: float
    read_1_as_0: float
    read_0_as_1: float


@attrs.frozen(slots=False, eq=False)
class Machine:
    """A device's gates, qubits and calibration, looked up by name and qubits."""

    device: devices.Device

    @property
    def num_qubits(self) -> int:
        """How many qubits the device has."""
        return self.device.num_qubits

    @cached_property
    def gates(self) -> Mapping[str, Mapping[tuple[int, ...], GateFacts]]:
        """Gates by name, then by qubits; a pair of a symmetric gate stands in both orders."""
        found: dict[str, dict[tuple[int, ...], GateFacts]] = {}
        for gate in self.device.properties["gates"]:
            name, qubits = str(gate["gate"]), tuple(int(qubit) for qubit in gate["qubits"])
            if name in _NO_GATES:
                continue
            entry = found.setdefault(name, {})
            entry[qubits] = _gate_facts(gate["parameters"])
            if name in _EITHER_WAY:
                entry.setdefault(qubits[::-1], entry[qubits])
        for name in self.device.basis_gates:
            if name not in found and name not in _NO_GATES:
                found[name] = {(qubit,): GateFacts() for qubit in range(self.num_qubits)}
        return found

    @cached_property
    def other_instructions(self) -> frozenset[str]:
        """Instructions that are no gates but run here: measurement always, the others where the device says so."""
        supported = set(self.device.configuration.get("supported_instructions") or ())
        supported |= set(self.device.basis_gates) | {str(gate["gate"]) for gate in self.device.properties["gates"]}
        optional = {"reset", "if_else", "for_loop", "while_loop", "switch_case"}
        return frozenset({"measure", "delay", "barrier"} | (supported & optional))

    @cached_property
    def qubits(self) -> tuple[QubitFacts, ...]:
        """What the calibration says about each qubit."""
        return tuple(_qubit_facts(facts) for facts in self.device.properties["qubits"])

    @cached_property
    def reset_length(self) -> float:
        """How long a reset takes, in seconds."""
        lengths = [
            _gate_facts(gate["parameters"]).duration
            for gate in self.device.properties["gates"]
            if gate["gate"] == "reset"
        ]
        return max(lengths, default=max(qubit.readout_length for qubit in self.qubits))

    def allows(self, name: str, qubits: tuple[int, ...]) -> bool:
        """Say whether the device runs the instruction `name` on these qubits."""
        if name in self.other_instructions:
            return all(qubit < self.num_qubits for qubit in qubits)
        return qubits in self.gates.get(name, {})

    def facts(self, name: str, qubits: tuple[int, ...]) -> GateFacts:
        """Give error and duration of a gate; a gate that the calibration does not mention has neither."""
        return self.gates.get(name, {}).get(qubits, GateFacts())


@cache
def machine(name: str) -> Machine:
    """Give the machine of a device by its name; raises UnknownDeviceError."""
    return Machine(devices.load(name))


def _gate_facts(parameters: list[dict[str, Any]]) -> GateFacts:
    facts = {parameter["name"]: parameter for parameter in parameters}
    error, length = facts.get("gate_error"), facts.get("gate_length")
    return GateFacts(
        error=0.0 if error is None else min(float(error["value"]), 1.0),
        duration=0.0 if length is None else float(length["value"]) * _SECONDS[length["unit"]],
    )


def _qubit_facts(parameters: list[dict[str, Any]]) -> QubitFacts:
    facts = {fact["name"]: float(fact["value"]) * _SECONDS.get(fact["unit"], 1.0) for fact in parameters}
    either = facts.get("readout_error", 0.0)
    t1 = facts.get("T1", 1.0)
    return QubitFacts(
        t1=t1,
        t2=min(facts.get("T2", t1), 2 * t1),
        readout_length=facts.get("readout_length", 1e-6),
        read_1_as_0=facts.get("prob_meas0_prep1", either),
        read_0_as_1=facts.get("prob_meas1_prep0", either),
    )
