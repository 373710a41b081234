"""What the service would fail a job for, as an exception inside the worker."""

from __future__ import annotations

from typing import Any

from qrt_async.emulator.work import Failed

TRANSPILE_FIRST = "Transpile your circuits for the target of this backend before submitting them."


class Refusal(Exception):
    """The work cannot be done; `failed` says why in the terms of a job's state."""

    def __init__(self, reason: str, code: int, solution: str) -> None:
        super().__init__(reason)
        self.failed: Failed = Failed(reason, code, solution)


def bad_program(message: str) -> Refusal:
    """Say that an OpenQASM text could not be loaded (code 1603, seen live; 1506 alternates with it)."""
    return Refusal(
        f"The QASM program could not be loaded: {message}", 1603, "Verify that the program is valid OpenQASM."
    )


def bad_qpy(message: str) -> Refusal:
    """Say that a QPY program could not be loaded (code 1603, as for OpenQASM)."""
    return Refusal(
        f"The QPY program could not be loaded: {message}", 1603, "Send circuits in QPY of a supported format."
    )


def beyond_us(what: str, solution: str) -> Refusal:
    """Say that this emulator cannot run something that the service could (1520, its code for system limits)."""
    return Refusal(f"{what} not supported by this emulator", 1520, solution)


def no_kerneled(level: Any) -> Refusal:
    """Say that only discriminated measurements are simulated (1521, the service's code for unusable options)."""
    return Refusal(
        f"Measurements of the type {level!r} are not supported by this emulator: it simulates bits, no signals",
        1521,
        'Ask for the type "classified".',
    )


def not_isa(instruction: str, qubits: tuple[int, ...]) -> Refusal:
    """Say that an instruction does not exist on these qubits of the device (code 1517, text seen live)."""
    return Refusal(
        f"The instruction {instruction} on qubits {qubits} is not supported by the target system",
        1517,
        TRANSPILE_FIRST,
    )
