"""What the service would fail a job for, as an exception inside the worker."""

from __future__ import annotations

from qrt_async.emulator.work import Failed

TRANSPILE_FIRST = "Transpile your circuits for the target of this backend before submitting them."


class Refusal(Exception):
    """The work cannot be done; `failed` says why in the terms of a job's state."""

    def __init__(self, reason: str, code: int, solution: str) -> None:
        super().__init__(reason)
        self.failed = Failed(reason, code, solution)


def bad_program(message: str) -> Refusal:
    """Say that an OpenQASM text could not be loaded (code 1603, seen live; 1506 alternates with it)."""
    return Refusal(
        f"The QASM program could not be loaded: {message}", 1603, "Verify that the program is valid OpenQASM."
    )


def not_isa(instruction: str, qubits: tuple[int, ...]) -> Refusal:
    """Say that an instruction does not exist on these qubits of the device (code 1517, text seen live)."""
    return Refusal(
        f"The instruction {instruction} on qubits {qubits} is not supported by the target system",
        1517,
        TRANSPILE_FIRST,
    )
