"""IBM's own client, unmodified, sent to an emulator by nothing but its settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from qiskit.circuit import Parameter, QuantumCircuit
from qiskit.transpiler import generate_preset_pass_manager
from qiskit_ibm_runtime import QiskitRuntimeService

from tests.conftest import running_emulator

if TYPE_CHECKING:
    from collections.abc import Iterator

SETTINGS = ("IAM_URL", "GLOBAL_SEARCH_URL", "GLOBAL_CATALOG_URL")


@pytest.fixture(scope="session")
def url() -> Iterator[str]:
    """The base URL of an emulator of two devices with their noise."""
    with running_emulator("--seed", "11", "--backends", "ibm_fez,ibm_hanoi") as url:
        yield url


@pytest.fixture(scope="session")
def service(url: str) -> Iterator[QiskitRuntimeService]:
    """IBM's client, which finds its instance by itself."""
    with pytest.MonkeyPatch.context() as patch:
        for name in SETTINGS:
            patch.setenv(name, url)
        yield QiskitRuntimeService(
            channel="ibm_quantum_platform",
            token="any-key",
            url=url,
            url_resolver=lambda *_: f"{url}/api/v1",
            instance="auto",
        )


@pytest.fixture(scope="session")
def backend(service: QiskitRuntimeService) -> Any:
    """The larger device, as that client sees it."""
    return service.backend("ibm_fez")


@pytest.fixture(scope="session")
def turned_pair(backend: Any) -> QuantumCircuit:
    """A pair entangled by an angle, transpiled for the device: cos²(t/2) 00 and sin²(t/2) 11, not measured."""
    circuit = QuantumCircuit(2, metadata={"name": "turned pair"})
    circuit.rx(Parameter("t"), 0)
    circuit.cx(0, 1)
    manager = generate_preset_pass_manager(1, backend=backend, seed_transpiler=3)
    return manager.run(circuit)


@pytest.fixture(scope="session")
def measured_pair(turned_pair: QuantumCircuit) -> QuantumCircuit:
    """The same pair, its two qubits measured into the register `meas`."""
    circuit: QuantumCircuit = turned_pair.copy()
    circuit.measure_active()
    return circuit
