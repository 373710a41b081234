"""Snapshots of real devices, read from the files that the official client ships for its fake backends.

The official client itself is never imported (1.4 s): only its folder is found and its JSON read.
"""

from __future__ import annotations

import importlib.util
import json
from functools import cache, cached_property
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

DEFAULT_DEVICES = ("ibm_hanoi", "ibm_sherbrooke", "ibm_fez", "ibm_marrakesh")


class UnknownDeviceError(LookupError):
    """No snapshot of that name is at hand."""


@attrs.frozen
class PairError:
    """The error of one two-qubit gate on one pair of qubits, as a probability."""

    gate: str
    qubits: tuple[int, int]
    value: float


@attrs.frozen(slots=False, eq=False)
class Device:
    """One device: the JSON of `GET /backends/{id}/configuration` and `…/properties`, and facts from them."""

    name: str
    configuration: Mapping[str, Any]
    properties: Mapping[str, Any]

    @property
    def num_qubits(self) -> int:
        """How many qubits the device has."""
        return int(self.configuration["n_qubits"])

    @property
    def version(self) -> str:
        """The backend's version, such as "1.3.3"."""
        return str(self.configuration["backend_version"])

    @property
    def basis_gates(self) -> tuple[str, ...]:
        """Names of the gates the device runs."""
        return tuple(self.configuration["basis_gates"])

    @property
    def dt(self) -> float:
        """The device's unit of time, in seconds (the snapshot has nanoseconds)."""
        return float(self.configuration.get("dt") or 0.0) * 1e-9

    @property
    def default_rep_delay(self) -> float:
        """The pause between two shots, in seconds (the snapshot has microseconds; old devices: 250 us)."""
        return float(self.configuration.get("default_rep_delay", 250.0)) * 1e-6

    @cached_property
    def pair_errors(self) -> tuple[PairError, ...]:
        """Errors of the basis gates on two qubits; a broken pair, reported as 1, is left out."""
        return tuple(_pair_errors(self.properties, self.basis_gates))

    @cached_property
    def best_pair(self) -> PairError | None:
        """The two-qubit gate with the lowest error."""
        return min(self.pair_errors, key=lambda pair: pair.value, default=None)

    @cached_property
    def two_qubit_error_median(self) -> float | None:
        """Median error of the two-qubit gates."""
        return median(pair.value for pair in self.pair_errors) if self.pair_errors else None

    @cached_property
    def readout_error_median(self) -> float | None:
        """Median readout error of the qubits."""
        errors = [
            float(fact["value"])
            for qubit in self.properties["qubits"]
            for fact in qubit
            if fact["name"] == "readout_error"
        ]
        return median(errors) if errors else None


@cache
def available() -> tuple[str, ...]:
    """Give the names of all devices that `load` knows, sorted: `ibm_` and the snapshot's folder."""
    folders = (path.name for path in _snapshots().iterdir() if (path / f"props_{path.name}.json").is_file())
    return tuple(sorted(f"ibm_{folder}" for folder in folders))


@cache
def load(name: str) -> Device:
    """Read the snapshot of the device `name`; raises UnknownDeviceError for a name not in `available()`."""
    if name not in available():
        raise UnknownDeviceError(f"no device snapshot named {name!r}")
    return Device(name, _document(name, "conf"), _document(name, "props"))


def _document(name: str, kind: str) -> dict[str, Any]:
    folder = name.removeprefix("ibm_")
    text = (_snapshots() / folder / f"{kind}_{folder}.json").read_text(encoding="utf-8")
    document: dict[str, Any] = json.loads(text)
    return document | {"backend_name": name}  # some snapshots call themselves "fake_…" or "ibmq_…"


@cache
def _snapshots() -> Path:
    spec = importlib.util.find_spec("qiskit_ibm_runtime")
    if spec is None or spec.origin is None:
        raise UnknownDeviceError("device snapshots come with qiskit-ibm-runtime: install qrt-async[emulator]")
    return Path(spec.origin).parent / "fake_provider" / "backends"


def _pair_errors(properties: Mapping[str, Any], basis_gates: tuple[str, ...]) -> Iterator[PairError]:
    for gate in properties["gates"]:
        if len(gate["qubits"]) != 2 or gate["gate"] not in basis_gates:
            continue
        for fact in gate["parameters"]:
            if fact["name"] == "gate_error" and fact["value"] < 1:
                first, second = gate["qubits"]
                yield PairError(gate["gate"], (first, second), float(fact["value"]))
