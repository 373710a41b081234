"""The transpiler service's work: any circuits to ISA circuits of one device, as OpenQASM 3."""

from __future__ import annotations

import json
import warnings
from typing import TYPE_CHECKING, Any

from qiskit import qasm3, transpile
from qiskit.exceptions import ExperimentalWarning, QiskitError

from qrt_async.emulator.execution.refusal import Refusal
from qrt_async.emulator.execution.targets import target
from qrt_async.emulator.programs import load_circuit
from qrt_async.emulator.work import Done

if TYPE_CHECKING:
    from qiskit.circuit import QuantumCircuit

    from qrt_async.emulator.work import TranspileWork

_GENERIC_BASIS = ["cx", "id", "rz", "sx", "x"]  # where only a coupling map is given
_PLAIN = frozenset({"rz", "sx", "x", "cz", "cx", "ecr", "measure", "barrier"})


def run_transpile(work: TranspileWork) -> Done:
    """Transpile each circuit; raises Refusal for circuits or options that cannot be used.

    The result is the list of a task's items: `qasm` in one line, `layout.initial` (the physical qubit of every
    virtual one, ancillas included) and `layout.final` (where each of the input's qubits ends).
    """
    items: list[dict[str, Any]] = []
    for text in work.circuits:
        isa = _transpiled(load_circuit(text), work)
        initial, final = _layout(isa)
        item = {"qasm": export(isa), "qpy": None, "success": True, "layout": {"initial": initial, "final": final}}
        items.append(item)
    return Done(json.dumps(items).encode(), quantum_seconds=0.0, executions=0)


def export(circuit: QuantumCircuit) -> str:
    """Write an ISA circuit as OpenQASM 3 in one line, with physical qubits and the definitions it needs."""
    if not circuit.parameters and set(circuit.count_ops()) <= _PLAIN:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            text = qasm3.dumps_experimental(circuit)  # 30 times as fast as the complete exporter
    else:
        text = qasm3.dumps(circuit)
    return " ".join(text.split())


def _transpiled(circuit: QuantumCircuit, work: TranspileWork) -> QuantumCircuit:
    place: dict[str, Any]
    if work.backend is not None:
        place = {"target": target(work.backend)}
    elif work.coupling_map is not None:
        place = {"coupling_map": [list(pair) for pair in work.coupling_map], "basis_gates": _GENERIC_BASIS}
    else:
        raise _unusable("neither a backend nor a coupling map is given")
    try:
        return transpile(
            circuit,
            optimization_level=work.optimization_level,
            seed_transpiler=work.seed % 2**31,
            **place,
            **work.options,
        )
    except TypeError as error:  # an option that transpile() does not know
        raise _unusable(
            f"and qiskit_transpile_options: {str(error).removeprefix('qiskit.compiler.transpiler.')}"
        ) from error
    except (QiskitError, ValueError) as error:
        raise _unusable(f": {error}") from error


def _layout(circuit: QuantumCircuit) -> tuple[list[int], list[int]]:
    layout = circuit.layout
    if layout is None:
        every = list(range(circuit.num_qubits))
        return every, every
    return layout.initial_index_layout(), layout.final_index_layout()


def _unusable(what: str) -> Refusal:
    return Refusal(f"Error transpiling with Qiskit {what}", 1003, "Check the circuits and the options.")
