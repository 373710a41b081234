"""A quick reader for the common kind of OpenQASM 3: straight-line programs over the standard gates.

The complete importer needs about 0.2 ms a line; ISA programs rarely use anything but declarations, gate calls,
measurements, barriers, delays and resets. `read` gives what the complete importer would give, or None where the
text holds anything else (right or wrong), so that the complete importer judges it.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Any

import attrs
from qiskit.circuit import (
    CircuitInstruction,
    ClassicalRegister,
    Clbit,
    Parameter,
    QuantumCircuit,
    QuantumRegister,
    Qubit,
)
from qiskit.circuit.barrier import Barrier
from qiskit.circuit.delay import Delay
from qiskit.circuit.library import standard_gates as std
from qiskit.circuit.measure import Measure
from qiskit.circuit.reset import Reset

if TYPE_CHECKING:
    from collections.abc import Callable

    from qiskit.circuit import Instruction

Angle = Any  # a number, or a Parameter or an expression of some, which Qiskit leaves untyped

# name: (how to make it, number of angles, number of qubits)
# `id` is missing: the complete importer reads it as U(0,0,0)
_STANDARD: dict[str, tuple[Callable[..., Instruction], int, int]] = {
    "U": (std.UGate, 3, 1),
    "p": (std.PhaseGate, 1, 1),
    "phase": (std.PhaseGate, 1, 1),
    "x": (std.XGate, 0, 1),
    "y": (std.YGate, 0, 1),
    "z": (std.ZGate, 0, 1),
    "h": (std.HGate, 0, 1),
    "s": (std.SGate, 0, 1),
    "sdg": (std.SdgGate, 0, 1),
    "t": (std.TGate, 0, 1),
    "tdg": (std.TdgGate, 0, 1),
    "sx": (std.SXGate, 0, 1),
    "rx": (std.RXGate, 1, 1),
    "ry": (std.RYGate, 1, 1),
    "rz": (std.RZGate, 1, 1),
    "cx": (std.CXGate, 0, 2),
    "CX": (std.CXGate, 0, 2),
    "cy": (std.CYGate, 0, 2),
    "cz": (std.CZGate, 0, 2),
    "ch": (std.CHGate, 0, 2),
    "swap": (std.SwapGate, 0, 2),
    "cp": (std.CPhaseGate, 1, 2),
    "cphase": (std.CPhaseGate, 1, 2),
    "crx": (std.CRXGate, 1, 2),
    "cry": (std.CRYGate, 1, 2),
    "crz": (std.CRZGate, 1, 2),
    "ccx": (std.CCXGate, 0, 3),
    "cswap": (std.CSwapGate, 0, 3),
    "u1": (std.U1Gate, 1, 1),
    "u2": (std.U2Gate, 2, 1),
    "u3": (std.U3Gate, 3, 1),
}

# What a device knows beside `stdgates.inc`: the program has to define it, the device runs its own.
NATIVE: dict[str, tuple[Callable[..., Instruction], int, int]] = {
    "ecr": (std.ECRGate, 0, 2),
    "rzz": (std.RZZGate, 1, 2),
}

_CONSTANTS: dict[str, Angle] = {
    "pi": 3.141592653589793,
    "π": 3.141592653589793,
    "tau": 6.283185307179586,
    "τ": 6.283185307179586,
}
_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_DEFINITION = re.compile(r"\bgate\s+(\w+)[^{};]*\{[^{}]*\}")
_NAME = r"([A-Za-z_]\w*)"
_OPERAND = r"(\$\d+|[A-Za-z_]\w*(?:\s*\[\s*\d+\s*\])?)"
_HEADER = re.compile(r'OPENQASM\s+3(\.\d+)?|include\s+"stdgates\.inc"')
_DECLARATION = re.compile(
    rf"(?:(qubit|bit)\s*(?:\[\s*(\d+)\s*\]\s*|\s){_NAME}|(qreg|creg)\s+{_NAME}\s*\[\s*(\d+)\s*\])"
)
_INPUT = re.compile(rf"input\s+float\s*(?:\[\s*\d+\s*\]\s*|\s){_NAME}")
_MEASURE = re.compile(rf"(?:{_OPERAND}\s*=\s*measure\s*{_OPERAND}|measure\s*{_OPERAND}\s*->\s*{_OPERAND})")
_DELAY = re.compile(rf"delay\s*\[\s*(\d+(?:\.\d+)?)\s*(dt|ns|us|µs|ms|s)\s*\]\s*{_OPERAND}")
_CALL = re.compile(rf"{_NAME}\s*(?:\((.*)\))?\s*((?:[$A-Za-z_].*)?)", re.DOTALL)
_WORDS = frozenset(
    """
    angle array bool box cal complex const ctrl def defcal duration extern for gate gphase if input int inv let
    negctrl output pow return stretch switch uint while
    """.split()  # noqa: SIM905 - a list of words is easier to read than a list of literals
)


class _NotStraightError(Exception):
    """The text holds something that this reader leaves to the complete importer."""


@attrs.define
class _Reader:
    """Declarations and operations met so far; qubits and clbits are numbers until the circuit is built."""

    qubits: dict[str, range] = attrs.field(factory=dict[str, range])
    clbits: dict[str, range] = attrs.field(factory=dict[str, range])
    registers: list[QuantumRegister | ClassicalRegister | Clbit] = attrs.field(
        factory=list[QuantumRegister | ClassicalRegister | Clbit]
    )
    inputs: dict[str, Angle] = attrs.field(factory=dict[str, "Angle"])
    defined: frozenset[str] = frozenset()
    operations: list[tuple[Instruction, tuple[int, ...], tuple[int, ...]]] = attrs.field(
        factory=list[tuple["Instruction", tuple[int, ...], tuple[int, ...]]]
    )
    highest: int = -1
    included: bool = False

    def statement(self, text: str) -> None:
        """Take in one statement; raises _NotStraightError for anything unusual."""
        if found := _CALL.fullmatch(text):
            word = found[1]
            if word == "barrier":
                return self._barrier(found)
            if word == "reset":
                return self._each(Reset(), found[3])
            gate = _STANDARD.get(word) if self.included else None
            gate = NATIVE[word] if gate is None and word in self.defined else gate
            if gate is not None:
                return self._gate(gate, found[2], found[3])
        if found := _MEASURE.fullmatch(text):
            return self._measure(found[2] or found[3], found[1] or found[4])
        if found := _DELAY.fullmatch(text):
            amount, unit = found[1], "us" if found[2] == "µs" else found[2]
            duration = int(amount) if unit == "dt" else float(amount)
            return self._each(Delay(duration, unit), found[3])
        return self._declare(text)

    def _declare(self, text: str) -> None:
        if found := _DECLARATION.fullmatch(text):
            kind, name = found[1] or found[4], found[3] or found[5]
            self._register(kind, name, found[2] or found[6])
        elif found := _INPUT.fullmatch(text):
            self._new_name(found[1])
            self.inputs[found[1]] = Parameter(found[1])
        elif found := _HEADER.fullmatch(text):
            self.included = self.included or text.startswith("include")
        else:
            raise _NotStraightError

    def _register(self, kind: str, name: str, size: str | None) -> None:
        self._new_name(name)
        quantum = kind in {"qubit", "qreg"}
        if quantum and self.highest >= 0:
            raise _NotStraightError
        count = 1 if size is None else int(size)
        space = self.qubits if quantum else self.clbits
        start = sum(len(bits) for bits in space.values())
        space[name] = range(start, start + count)
        if not quantum:
            self.registers.append(Clbit() if size is None else ClassicalRegister(count, name))
        elif size is not None:
            self.registers.append(QuantumRegister(count, name))
        else:
            raise _NotStraightError

    def _new_name(self, name: str) -> None:
        taken = (self.qubits, self.clbits, self.inputs, _STANDARD, _CONSTANTS)
        if any(name in names for names in taken) or name in _WORDS or name in self.defined:
            raise _NotStraightError

    def _barrier(self, found: re.Match[str]) -> None:
        if found[2] is not None or not found[3]:
            raise _NotStraightError
        bits = [bit for operand in found[3].split(",") for bit in self._qubits(operand)]
        self._add(Barrier(len(bits)), tuple(bits))

    def _each(self, operation: Instruction, operand: str) -> None:
        for bit in self._qubits(operand):
            self._add(operation, (bit,))

    def _gate(self, gate: tuple[Callable[..., Instruction], int, int], angles: str | None, operands: str) -> None:
        maker, num_angles, num_qubits = gate
        values = [self._angle(text) for text in angles.split(",")] if angles and angles.strip() else []
        bits = [self._qubits(operand) for operand in operands.split(",")]
        if len(values) != num_angles or len(bits) != num_qubits:
            raise _NotStraightError
        operation = maker(*values)
        if num_qubits == 1:
            for bit in bits[0]:
                self._add(operation, (bit,))
        elif all(len(some) == 1 for some in bits):
            self._add(operation, tuple(some[0] for some in bits))
        else:
            raise _NotStraightError

    def _measure(self, source: str, target: str) -> None:
        qubits, clbits = self._qubits(source), _bits(self.clbits, target)
        if len(qubits) != len(clbits):
            raise _NotStraightError
        for qubit, clbit in zip(qubits, clbits, strict=True):
            self._add(Measure(), (qubit,), (clbit,))

    def _add(self, operation: Instruction, qubits: tuple[int, ...], clbits: tuple[int, ...] = ()) -> None:
        if len(set(qubits)) != len(qubits):
            raise _NotStraightError
        self.operations.append((operation, qubits, clbits))

    def _qubits(self, operand: str) -> range:
        text = operand.strip()
        if not text.startswith("$"):
            return _bits(self.qubits, text)
        if self.qubits or not text[1:].isdecimal():
            raise _NotStraightError
        number = int(text[1:])
        self.highest = max(self.highest, number)
        return range(number, number + 1)

    def _angle(self, text: str) -> Angle:
        try:
            return float(text)
        except ValueError:
            pass
        try:
            tree = ast.parse(text.strip(), mode="eval")
        except (SyntaxError, ValueError) as error:
            raise _NotStraightError from error
        return _evaluate(tree.body, _CONSTANTS | self.inputs)

    def circuit(self) -> QuantumCircuit:
        """Build the circuit of everything read."""
        loose = [Qubit() for _ in range(self.highest + 1)]
        built = QuantumCircuit(loose)
        for register in self.registers:
            if isinstance(register, Clbit):
                built.add_bits([register])
            else:
                built.add_register(register)
        qubits, clbits = built.qubits, built.clbits
        for operation, on, into in self.operations:
            built.append(CircuitInstruction(operation, [qubits[i] for i in on], [clbits[i] for i in into]))
        return built


def read(text: str) -> QuantumCircuit | None:
    """Read a straight-line OpenQASM 3 text; None where the complete importer has to look."""
    plain = without_comments(text)
    defined = frozenset(found[1] for found in _DEFINITION.finditer(plain))
    if not defined <= NATIVE.keys():
        return None
    reader = _Reader(defined=defined)
    try:
        *statements, rest = _DEFINITION.sub("", plain).split(";")
        if rest.strip():
            return None
        for statement in filter(None, map(str.strip, statements)):
            reader.statement(statement)
    except _NotStraightError:
        return None
    return reader.circuit()


def without_comments(text: str) -> str:
    """Blank out the comments of an OpenQASM text."""
    return _COMMENT.sub(" ", text)


def _bits(space: dict[str, range], operand: str) -> range:
    name, bracket, index = operand.strip().partition("[")
    bits = space.get(name.strip())
    if bits is None:
        raise _NotStraightError
    if not bracket:
        return bits
    position = index.rstrip(" ]").strip()
    if not position.isdecimal() or int(position) >= len(bits):
        raise _NotStraightError
    return bits[int(position) : int(position) + 1]


def _evaluate(node: ast.expr, names: dict[str, Angle]) -> Angle:
    match node:
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            return value
        case ast.Name(id=name) if name in names:
            return names[name]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_evaluate(operand, names)
        case ast.BinOp(left=left, op=operator, right=right):
            return _combine(operator, _evaluate(left, names), _evaluate(right, names))
        case _:
            raise _NotStraightError


def _combine(operator: ast.operator, left: Angle, right: Angle) -> Angle:
    match operator:
        case ast.Add():
            return left + right
        case ast.Sub():
            return left - right
        case ast.Mult():
            return left * right
        case ast.Div() if right != 0 and not (isinstance(left, int) and isinstance(right, int)):
            return left / right
        case _:  # the division of two integers is not the one of Python, and the rest is rare
            raise _NotStraightError
