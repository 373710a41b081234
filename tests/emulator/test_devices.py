"""Snapshots of devices: what the emulator knows about the hardware it plays."""

from __future__ import annotations

import subprocess
import sys

import pytest

from qrt_async.emulator import devices


@pytest.mark.parametrize(
    ("name", "num_qubits", "gate"),
    [("ibm_hanoi", 27, "cx"), ("ibm_sherbrooke", 127, "ecr"), ("ibm_fez", 156, "cz"), ("ibm_marrakesh", 156, "cz")],
)
def test_default_devices(name: str, num_qubits: int, gate: str) -> None:
    """The four default devices have the size and the two-qubit gate of the real ones."""
    device = devices.load(name)

    assert (num_qubits, gate in device.basis_gates) == (device.num_qubits, True)
    assert device.best_pair is not None
    assert device.best_pair.gate == gate
    assert device.two_qubit_error_median is not None
    assert 0 < device.best_pair.value < device.two_qubit_error_median < 0.05


@pytest.mark.parametrize("name", devices.available())
def test_every_snapshot(name: str) -> None:
    """Every device of the package loads, under the name asked for, with times in seconds."""
    device = devices.load(name)

    assert {device.configuration["backend_name"], device.properties["backend_name"]} == {name}
    assert device.num_qubits == len(device.properties["qubits"])
    assert 1e-5 < device.default_rep_delay < 1e-2
    assert device.dt < 1e-8


def test_coupling_of_a_heron() -> None:
    """The configuration lists each pair of ibm_fez in both directions, 352 entries, as the service does."""
    assert len(devices.load("ibm_fez").configuration["coupling_map"]) == 352


@pytest.mark.parametrize("name", ["ibm_atlantis", "", "../fez", "ibm_../fez", "fez"])
def test_unknown_device(name: str) -> None:
    """A name without a snapshot is refused, whatever path it may look like."""
    with pytest.raises(devices.UnknownDeviceError):
        devices.load(name)


def test_reads_without_importing() -> None:
    """Reading snapshots loads neither the official client nor Qiskit nor numpy."""
    program = (
        "import sys; from qrt_async.emulator import devices; devices.load('ibm_fez');"
        "print(sorted({'qiskit', 'qiskit_aer', 'qiskit_ibm_runtime', 'numpy'} & sys.modules.keys()))"
    )

    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert found.stdout.strip() == "[]"
