"""OpenQASM text to circuits: what a PUB or a transpiler task holds, as Qiskit sees it."""

from __future__ import annotations

import contextlib
import io
import re
from typing import TYPE_CHECKING, Any

import attrs
from qiskit import qasm2, qasm3
from qiskit.circuit import Gate, QuantumCircuit

from qrt_async.emulator.execution.refusal import Refusal, bad_program
from qrt_async.emulator.execution.straight_line import NATIVE, read, without_comments

if TYPE_CHECKING:
    from collections.abc import Iterator

_OPENQASM_2 = re.compile(r"\s*OPENQASM\s+2\b")
_TOO_WIDE = re.compile(r"\$\d{6,}|\b(?:qu)?bit\s*\[\s*\d{6,}|\b[qc]reg\s+\w+\s*\[\s*\d{6,}")
_BIT = re.compile(r"\bbit\s+([A-Za-z_]\w*)")
_COMPARED = re.compile(r"(if\s*\(\s*(?:[A-Za-z_]\w*\s*\[\s*\d+\s*\]|{bits})\s*==\s*)([01])(\s*\))")


@attrs.frozen
class Register:
    """A classical register: its name and the positions of its bits in the circuit, least significant first."""

    name: str
    clbits: range


@attrs.frozen(eq=False)
class Program:
    """A loaded program; qubit `i` of `circuit` sits on the device's qubit `i`, `registers` stand in declared order.

    The width of a program is `circuit.num_qubits`: its declared qubits, or its highest `$n` plus one.
    """

    circuit: QuantumCircuit
    registers: tuple[Register, ...]


def load_program(source: object) -> Program:
    """Load the program of a PUB; raises Refusal (1603) for what cannot be loaded."""
    if not isinstance(source, str):
        raise Refusal(
            "Programs in QPY are not supported by this emulator yet",
            1603,
            "Send the program as OpenQASM text.",
        )
    circuit = load_circuit(source)
    _use_native_gates(circuit)
    return Program(circuit, tuple(_registers(circuit, source)))


def load_circuit(text: str) -> QuantumCircuit:
    """Load an OpenQASM 2 or 3 text with the gates it defines; raises Refusal (1603) for a bad one."""
    plain = without_comments(text)
    if not plain.strip():
        raise bad_program("the program is empty")
    if _TOO_WIDE.search(plain):
        raise bad_program("it declares or names more than 99999 bits")
    try:
        if _OPENQASM_2.match(plain):
            return qasm2.loads(text, include_path=())
        circuit = read(text)
        return _load_completely(text, plain) if circuit is None else circuit
    except (KeyboardInterrupt, SystemExit, MemoryError, Refusal):
        raise
    except BaseException as error:  # the importers raise anything, and Rust's panics are no Exceptions
        raise bad_program(str(error) or type(error).__name__) from error


def _load_completely(text: str, plain: str) -> QuantumCircuit:
    single_bits = "|".join(_BIT.findall(plain)) or r"\Z"
    compared = re.compile(_COMPARED.pattern.replace("{bits}", single_bits))
    # The importer knows `bit == true` but not the usual `bit == 1`.
    truthful = compared.sub(lambda found: found[1] + ("true" if found[2] == "1" else "false") + found[3], text)
    complaints = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaints):  # the parser prints what is wrong and raises nothing but a name
            circuit: QuantumCircuit = qasm3.loads(truthful)
    except Exception as error:
        raise bad_program(str(error).strip('"') or complaints.getvalue().strip() or type(error).__name__) from error
    return circuit


def _registers(circuit: QuantumCircuit, text: str) -> Iterator[Register]:
    names = iter(_BIT.findall(without_comments(text)))
    starts = {circuit.find_bit(register[0]).index: register for register in circuit.cregs if register.size}
    position = 0
    while position < circuit.num_clbits:
        register = starts.get(position)
        size = 1 if register is None else register.size
        name = next(names) if register is None else register.name  # `bit c;` makes a bit without register
        yield Register(name, range(position, position + size))
        position += size


def _use_native_gates(circuit: QuantumCircuit) -> None:
    """Replace a program's own definitions of a device's gates by the device's."""
    replaced: list[Any] = []
    for instruction in circuit.data:
        operation = instruction.operation
        for block in getattr(operation, "blocks", ()):
            _use_native_gates(block)
        if type(operation) is Gate and operation.name in NATIVE:
            maker, num_angles, num_qubits = NATIVE[operation.name]
            if (len(operation.params), operation.num_qubits) == (num_angles, num_qubits):
                replaced.append(instruction.replace(operation=maker(*operation.params)))
                continue
        replaced.append(instruction)
    circuit.data = replaced
