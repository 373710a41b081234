"""What a worker process does: OpenQASM or QPY → Qiskit → a backend's own instructions → OpenQASM."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

import attrs

from qrt_async.errors import MissingExtra, TranspileError
from qrt_async.models.typed import Qpy

if TYPE_CHECKING:
    from qiskit.circuit import QuantumCircuit
    from qiskit.transpiler import PassManager, Target

_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_FRACTIONAL = frozenset({"rx", "rzz"})
_VERSION_2 = re.compile(r"\A(?:\s|//[^\n]*\n|/\*.*?\*/)*OPENQASM\s+2", re.DOTALL)


@attrs.frozen
class Device:
    """A backend's configuration and properties as the service gives them; `key` names this state of it."""

    key: str
    configuration: Mapping[str, Any] = attrs.field(repr=False)
    properties: Mapping[str, Any] = attrs.field(repr=False)


@attrs.frozen
class Transpiled:
    """A program, and the physical qubit of each of the circuit's qubits at its end."""

    text: str
    layout: tuple[int, ...]


@attrs.frozen
class UnknownDevice:
    """The worker's answer where it has not seen the device yet."""

    key: str


_devices: dict[str, Target] = {}
_pass_managers: dict[tuple[str, int, int], PassManager] = {}


def transpile(
    key: str, first: int, circuits: tuple[str | Qpy, ...], level: int, seed: int, device: Device | None = None
) -> tuple[Transpiled, ...] | UnknownDevice:
    """
    Transpile circuits for the device of that key, which is sent along only to a worker that does not know it.

    Raises:
        TranspileError: names the circuit by its position, counted from `first`.
        MissingExtra: Qiskit is not installed.

    """
    if device is not None and key not in _devices:
        _devices[key] = target_of(device)
    if key not in _devices:
        return UnknownDevice(key)
    return tuple(_transpiled(text, _pass_manager(key, level, seed), i) for i, text in enumerate(circuits, first))


def _pass_manager(key: str, level: int, seed: int) -> PassManager:
    from qiskit.transpiler import generate_preset_pass_manager

    if (key, level, seed) not in _pass_managers:
        _pass_managers.clear()
        _pass_managers[key, level, seed] = generate_preset_pass_manager(
            optimization_level=level, target=_devices[key], seed_transpiler=seed
        )
    return _pass_managers[key, level, seed]


def _transpiled(text: str | Qpy, passes: PassManager, index: int) -> Transpiled:
    try:
        circuit = _load(text)
    except Exception as error:
        raise TranspileError(f"circuit {index} is not valid OpenQASM: {_first_line(error)}") from error
    try:
        isa = passes.run(circuit)
    except Exception as error:
        raise TranspileError(f"circuit {index} cannot be transpiled: {_first_line(error)}") from error
    layout: Any = isa.layout
    return Transpiled(_export(isa), tuple(layout.final_index_layout(filter_ancillas=True)))


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__


def _load(text: str | Qpy) -> QuantumCircuit:
    if isinstance(text, Qpy):
        return cast("QuantumCircuit", text.to_qiskit())
    try:
        from qiskit import qasm2, qasm3
    except ImportError as error:
        raise MissingExtra("transpiling needs Qiskit: pip install 'qrt-async[transpile]'") from error
    if _VERSION_2.match(text):
        return qasm2.loads(text, custom_instructions=qasm2.LEGACY_CUSTOM_INSTRUCTIONS)
    return qasm3.loads(text)


def _export(circuit: QuantumCircuit) -> str:
    """Return the program as text; the exporter in Rust is thirty times faster, and does not know everything."""
    from qiskit import qasm3

    if not circuit.parameters and not circuit.has_control_flow_op() and "rzz" not in circuit.count_ops():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                return str(qasm3.dumps_experimental(circuit))
            except BaseException as error:
                # a panic in Rust is a BaseException of a class that cannot be imported
                if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
                    raise
    return str(qasm3.dumps(circuit))


def target_of(device: Device) -> Target:
    """
    Return Qiskit's description of a device: its gates with their errors and durations.

    A gate that the calibration calls certain to fail is left out, and so are the fractional gates (``rx``, ``rzz``) of
    devices that have them, since the service takes them in a narrow range of angles alone.
    """
    from qiskit.circuit.library import get_standard_gate_name_mapping
    from qiskit.transpiler import Target

    configuration = device.configuration
    step = configuration.get("dt")
    target = Target(
        num_qubits=configuration["n_qubits"],
        dt=step * 1e-9 if step else None,
        **_constraints(configuration.get("timing_constraints") or {}),
    )
    measured = _measured(device.properties)
    standard = get_standard_gate_name_mapping()
    for gate in configuration["gates"]:
        name = gate["name"]
        if name in standard and name not in _FRACTIONAL and gate.get("coupling_map"):
            pairs = [tuple(qubits) for qubits in gate["coupling_map"]]
            target.add_instruction(standard[name], _instructions(name, pairs, measured), name=name)
    _add_the_rest(target, standard, device.properties)
    return target


def _constraints(timing: Mapping[str, int]) -> dict[str, Any]:
    known = ("granularity", "min_length", "pulse_alignment", "acquire_alignment")
    return {name: timing[name] for name in known if name in timing}


def _measured(properties: Mapping[str, Any]) -> dict[tuple[str, tuple[int, ...]], dict[str, float]]:
    """Return the figures of each gate on each of its places; durations in seconds."""
    return {
        (gate["gate"], tuple(gate["qubits"])): {item["name"]: _value(item) for item in gate["parameters"]}
        for gate in properties.get("gates", ())
    }


def _value(item: Mapping[str, Any]) -> float:
    return float(item["value"]) * _SECONDS.get(item.get("unit") or "", 1.0)


def _instructions(
    name: str,
    places: list[tuple[int, ...]],
    measured: Mapping[tuple[str, tuple[int, ...]], Mapping[str, float]],
) -> dict[tuple[int, ...], Any]:
    from qiskit.transpiler import InstructionProperties

    figures = {place: measured.get((name, place), {}) for place in places}
    return {
        place: InstructionProperties(duration=found.get("gate_length"), error=found.get("gate_error"))
        for place, found in figures.items()
        if (found.get("gate_error") or 0.0) < 1.0
    }


def _add_the_rest(target: Target, standard: Mapping[str, Any], properties: Mapping[str, Any]) -> None:
    """Add what every device does: measurements, resets, delays and control flow."""
    from qiskit.circuit import ForLoopOp, IfElseOp, SwitchCaseOp, WhileLoopOp
    from qiskit.transpiler import InstructionProperties

    qubits = [{item["name"]: _value(item) for item in qubit} for qubit in properties.get("qubits", ())]
    readout: dict[tuple[int, ...], Any] = {(i,): None for i in range(target.num_qubits)}
    for i, figures in enumerate(qubits):
        readout[i,] = InstructionProperties(duration=figures.get("readout_length"), error=figures.get("readout_error"))
    target.add_instruction(standard["measure"], readout)
    everywhere: dict[tuple[int, ...], Any] = dict.fromkeys(readout)
    for name in ("reset", "delay"):
        if name not in target.operation_names:
            target.add_instruction(standard[name], everywhere)
    for control, name in (
        (IfElseOp, "if_else"),
        (WhileLoopOp, "while_loop"),
        (ForLoopOp, "for_loop"),
        (SwitchCaseOp, "switch_case"),
    ):
        target.add_instruction(control, name=name)
