"""The whole chain against exact arithmetic."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from qiskit import qasm3
from qiskit.circuit.random import random_circuit
from qiskit.quantum_info import SparsePauliOp, Statevector, random_pauli_list

from qrt_async import Client

pytestmark = pytest.mark.asyncio(loop_scope="session")

PRECISION = 0.02


def random_cases(count: int) -> list[tuple[str, dict[str, float], float]]:
    """Return circuits as text, observables, and the exact expectation values."""
    rng = np.random.default_rng(20261122)
    cases = []
    for _ in range(count):
        qubits = int(rng.integers(2, 6))
        circuit: Any = random_circuit(qubits, depth=4, max_operands=2, seed=int(rng.integers(2**31)))
        terms = {str(term): float(rng.normal()) for term in random_pauli_list(qubits, 4, seed=rng, phase=False)}
        exact = Statevector(circuit).expectation_value(SparsePauliOp(list(terms), list(terms.values())))
        cases.append((qasm3.dumps(circuit), terms, float(np.real(exact))))
    return cases


async def test_expectation_values_of_random_circuits_are_exact(quiet_client: Client) -> None:
    """Twenty random circuits and observables, transpiled for a device, agree with exact values within 5 sigma."""
    cases = random_cases(20)
    isa = await quiet_client.transpile([text for text, _, _ in cases], backend="ibm_fez", optimization_level=2)
    pubs = [(circuit, terms, None, PRECISION) for circuit, (_, terms, _) in zip(isa, cases, strict=True)]
    job = await quiet_client.estimator(pubs, backend="ibm_fez")
    result = await job.result(timeout=60)

    assert any(circuit.layout != tuple(range(len(circuit.layout))) for circuit in isa)
    for pub, (_, terms, exact) in zip(result, cases, strict=True):
        shots = pub.metadata["shots"]
        weight = sum(map(abs, terms.values()))
        sigma = max(float(pub.data.stds), 2 * weight / shots)
        assert abs(float(pub.data.evs) - exact) < 5 * sigma
