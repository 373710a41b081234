"""Backends: what a device is, and how it is doing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import attrs

from qrt_async.models.answer import Answer


@attrs.frozen
class WaitTimes:
    """How long jobs waited lately, in seconds: on average, half of them at most, 95 of 100 at most."""

    average: int
    p50: int
    p95: int


@attrs.frozen(kw_only=True)
class Backend(Answer):
    """
    A backend as the list of backends shows it.

    On the legacy platform, and under versions before 2025-01-01, the list holds names alone; then everything else is
    None (``GET /backends``). Errors are probabilities; `clops` is circuit layer operations a second.
    """

    name: str
    status: str | None = None
    status_reason: str | None = None
    queue_length: int | None = None
    qubits: int | None = None
    simulator: bool | None = None
    clops: float | None = None
    processor: str | None = None
    two_qubit_error_best: float | None = None
    two_qubit_error_median: float | None = None
    two_qubit_error_layered: float | None = None
    readout_error_median: float | None = None
    wait: WaitTimes | None = None

    @property
    def operational(self) -> bool | None:
        """Whether the backend takes jobs and runs them, None where the list does not say."""
        return None if self.status is None else self.status.lower() in {"online", "active"}


@attrs.frozen(kw_only=True)
class BackendStatus(Answer):
    """How a backend is doing now (``GET /backends/{name}/status``)."""

    pending_jobs: int
    operational: bool
    status: str = ""
    message: str = ""
    version: str = ""


@attrs.frozen(kw_only=True)
class BackendConfiguration(Answer):
    """
    What a backend is able to do (``GET /backends/{name}/configuration``).

    `coupling_map` lists the pairs of qubits that a two-qubit gate can act on, each direction apart; `dt` is the length
    of one sample in nanoseconds. `document` is the whole reply.
    """

    name: str
    version: str
    qubits: int
    basis_gates: tuple[str, ...]
    coupling_map: tuple[tuple[int, int], ...] | None = None
    dt: float | None = None
    max_shots: int | None = None
    supported_instructions: tuple[str, ...] | None = None
    simulator: bool = False
    document: Mapping[str, Any] = attrs.field(factory=dict[str, Any], repr=False, eq=False)


@attrs.frozen
class Calibration:
    """One measured figure of a qubit or a gate, in the unit that the service names."""

    name: str
    value: float
    unit: str = ""
    date: dt.datetime | None = None


@attrs.frozen(kw_only=True)
class GateCalibration:
    """The measured figures of one gate on one set of qubits."""

    gate: str
    qubits: tuple[int, ...]
    parameters: tuple[Calibration, ...]

    def value(self, name: str) -> float | None:
        """Return the figure of that name (``gate_error``, ``gate_length``…), None where it was not measured."""
        return next((item.value for item in self.parameters if item.name == name), None)


@attrs.frozen(kw_only=True)
class BackendProperties(Answer):
    """
    A backend's calibration (``GET /backends/{name}/properties``).

    `qubits[i]` holds the figures of qubit i (``T1``, ``T2``, ``readout_error``…). `document` is the whole reply.
    """

    name: str
    version: str
    updated: dt.datetime | None
    qubits: tuple[tuple[Calibration, ...], ...]
    gates: tuple[GateCalibration, ...]
    document: Mapping[str, Any] = attrs.field(factory=dict[str, Any], repr=False, eq=False)

    def qubit_value(self, qubit: int, name: str) -> float | None:
        """Return the figure of that name for one qubit, None where it was not measured."""
        return next((item.value for item in self.qubits[qubit] if item.name == name), None)

    def gate_error(self, gate: str, *qubits: int) -> float | None:
        """Return the error of a gate on these qubits in this order, None where it was not measured."""
        found = (item for item in self.gates if item.gate == gate and item.qubits == qubits)
        return next((item.value("gate_error") for item in found), None)
