"""OpenQASM text and QPY to circuits: what a PUB or a transpiler task holds, as Qiskit sees it."""

from __future__ import annotations

import contextlib
import io
import re
import struct
from typing import TYPE_CHECKING, Any

import attrs
from qiskit import qasm2, qasm3, qpy
from qiskit.circuit import Gate, QuantumCircuit

from qrt_async.emulator.execution import typed_values
from qrt_async.emulator.execution.refusal import Refusal, bad_program, bad_qpy
from qrt_async.emulator.execution.straight_line import NATIVE, read, without_comments

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_OPENQASM_2 = re.compile(r"\s*OPENQASM\s+2\b")
_TOO_WIDE = re.compile(r"\$\d{6,}|\b(?:qu)?bit\s*\[\s*\d{6,}|\b[qc]reg\s+\w+\s*\[\s*\d{6,}")
_BIT = re.compile(r"\bbit\s+([A-Za-z_]\w*)")
_QPY_HEADER = struct.Struct("!6sBBBB")  # magic, format version, Qiskit's version
_OLDEST_QPY = 13
_NEWEST_QPY = 17  # what the service takes in the PUBs of sampler and estimator
_COMPARED = re.compile(r"(if\s*\(\s*(?:[A-Za-z_]\w*\s*\[\s*\d+\s*\]|{bits})\s*==\s*)([01])(\s*\))")


@attrs.frozen
class Register:
    """A classical register: its name and the positions of its bits in the circuit, least significant first."""

    name: str
    clbits: tuple[int, ...]


@attrs.frozen(eq=False)
class Program:
    """A loaded program; qubit `i` of `circuit` sits on the device's qubit `i`, `registers` stand in declared order.

    The width of a program is `circuit.num_qubits`: its declared qubits, or its highest `$n` plus one. `metadata`
    is what the caller attached to a circuit sent as QPY.
    """

    circuit: QuantumCircuit
    registers: tuple[Register, ...]
    metadata: Mapping[str, Any] = attrs.field(factory=dict[str, Any])


def load_program(source: object) -> Program:
    """Load the program of a PUB, OpenQASM text or a typed circuit; raises Refusal (1603) for what cannot be loaded."""
    if isinstance(source, str):
        circuit = load_circuit(source)
        _use_native_gates(circuit)
        return Program(circuit, tuple(_registers(circuit, source)))
    held = typed_values.content(source, "QuantumCircuit")
    if not isinstance(held, str):
        raise bad_program(f"a program is OpenQASM text or a QuantumCircuit, not {typed_values.type_of(source)}")
    try:
        circuits = load_qpy(typed_values.inflate(held))
    except typed_values.MalformedError as error:
        raise bad_qpy(str(error)) from error
    if len(circuits) != 1:
        raise bad_qpy(f"it holds {len(circuits)} circuits")
    return program_of(circuits[0])


def program_of(circuit: QuantumCircuit) -> Program:
    """Make a program of a circuit that came as one, with the registers it declares."""
    _use_native_gates(circuit)
    registers = (
        Register(each.name, tuple(circuit.find_bit(bit).index for bit in each)) for each in circuit.cregs if each.size
    )
    return Program(circuit, tuple(registers), circuit.metadata or {})


def load_qpy(data: bytes, newest: int = _NEWEST_QPY) -> list[QuantumCircuit]:
    """Load the circuits of a QPY stream of format 13 to `newest`; raises Refusal (1603) for a bad one."""
    if len(data) < _QPY_HEADER.size or (header := _QPY_HEADER.unpack_from(data))[0] != b"QISKIT":
        raise bad_qpy("this is no QPY")
    if not _OLDEST_QPY <= header[1] <= newest:  # older ones hold expressions that Qiskit may evaluate
        raise bad_qpy(f"its format is {header[1]}; {_OLDEST_QPY} to {newest} are supported")
    try:
        found: list[QuantumCircuit] = qpy.load(io.BytesIO(data))
    except (KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except BaseException as error:  # a damaged stream raises anything, and Rust's panics are no Exceptions
        raise bad_qpy(str(error) or type(error).__name__) from error
    if not all(isinstance(circuit, QuantumCircuit) for circuit in found):
        raise bad_qpy("it holds something else than circuits")
    return found


def load_circuit(text: str) -> QuantumCircuit:
    """Load an OpenQASM 2 or 3 text with the gates it defines; raises Refusal (1603) for a bad one."""
    plain = without_comments(text)
    if not plain.strip():
        raise bad_program("the program is empty")
    if _TOO_WIDE.search(plain):
        raise bad_program("it declares or names more than 99999 bits")
    try:
        if _OPENQASM_2.match(plain):
            return qasm2.loads(text, include_path=(), custom_instructions=qasm2.LEGACY_CUSTOM_INSTRUCTIONS)
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
        yield Register(name, tuple(range(position, position + size)))
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
