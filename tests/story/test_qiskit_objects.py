"""Qiskit's own objects through the client, against the emulator, on both platforms."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from qiskit import QuantumCircuit, transpile
from qiskit.circuit import Parameter
from qiskit.primitives.containers import PrimitiveResult
from qiskit.quantum_info import SparsePauliOp

from qrt_async import Client, EstimatorOptions, IsaCircuit, SamplerOptions, TranspileError, UsageError

pytestmark = pytest.mark.asyncio(loop_scope="session")

THETA = Parameter("theta")


def pair() -> QuantumCircuit:
    """Return two qubits, the first turned by a parameter and the second its copy."""
    circuit = QuantumCircuit(2)
    circuit.ry(THETA, 0)
    circuit.cx(0, 1)
    return circuit


def transpiled(circuit: QuantumCircuit) -> QuantumCircuit:
    """Return the circuit on two qubits of a row of a Heron."""
    row = [[i, i + 1] for i in range(15)]
    return transpile(circuit, basis_gates=["rz", "sx", "x", "cz"], coupling_map=row, initial_layout=[6, 5])


PAIR = pair()
ISA = transpiled(PAIR)
MEASURED = ISA.copy()
MEASURED.measure_all()


async def test_quantum_circuits_run_as_they_are(quiet_client: Client) -> None:
    """A transpiled circuit is sampled and estimated over a sweep, with observables of the circuit it was made from."""
    angles = np.array([[0.0], [np.pi / 2], [np.pi]])
    sampled, estimated = await asyncio.gather(
        quiet_client.sampler([(MEASURED, angles, 200)], backend="ibm_fez"),
        quiet_client.estimator(
            [(ISA, [SparsePauliOp(["ZZ", "IZ"], [1, 2])], {THETA: [0.0, np.pi]}, 0.02)], backend="ibm_fez"
        ),
    )
    result, estimate = await asyncio.gather(sampled.result(timeout=60), estimated.result(timeout=60))

    register = result[0].data.meas
    assert (register.shape, register.num_shots) == ((3,), 200)
    assert [{int(text, 2) >> 5 & 3 for text in register[i].counts()} for i in (0, 2)] == [{0}, {3}]
    assert np.allclose(estimate[0].data.evs, [3, -1], atol=0.1)
    assert isinstance(result.to_qiskit(), PrimitiveResult)
    assert result.to_qiskit()[0].data.meas.get_counts(0) == register[0].counts()


async def test_either_form_gives_the_same_physics(quiet_client: Client) -> None:
    """The same circuit as QPY, as OpenQASM, and transpiled by the client, gives the same expectation values."""
    [by_client] = await quiet_client.transpile([PAIR], backend="ibm_fez")
    pubs = [
        (circuit, ["ZI", "ZZ"], {"theta": 1.0}, 0.02)
        for circuit in (ISA, IsaCircuit.from_qiskit(ISA, backend="ibm_fez"), by_client)
    ]
    together = await quiet_client.estimator(pubs, backend="ibm_fez")
    apart = await quiet_client.estimator(pubs[1:], backend="ibm_fez", options=EstimatorOptions(resilience_level=0))

    for pub in [*await together.result(timeout=60), *await apart.result(timeout=60)]:
        assert np.allclose(pub.data.evs, [np.cos(1.0), 1], atol=0.1)


async def test_spans_say_when_the_shots_were_taken(quiet_client: Client) -> None:
    """The execution spans of a typed result cover every shot of every PUB once."""
    options = SamplerOptions(twirling={"enable_measure": True})
    pubs = [(MEASURED, [0.5], 300), (MEASURED, [[1.0], [2.0]])]
    job = await quiet_client.sampler(pubs, backend="ibm_fez", shots=50, options=options)
    result = await job.result(timeout=60)
    spans = result.metadata["execution"]["execution_spans"]

    for i in range(len(result)):
        masks = [span.mask(i) for span in spans.for_pubs(i) if i in span.pub_indices]
        assert np.sum(masks, axis=0).tolist() == np.ones((300,) if i == 0 else (2, 50)).tolist()


async def test_what_cannot_be_transpiled_to_text_is_refused(quiet_client: Client) -> None:
    """Names that OpenQASM would change are refused at once, circuits that are too wide by the transpiler."""
    odd, wide = QuantumCircuit(1), QuantumCircuit(200)
    odd.rz(Parameter("a b"), 0)
    wide.x(199)
    with pytest.raises(UsageError, match="alphabetical order, which a b are not"):
        await quiet_client.transpile([odd], backend="ibm_fez")
    with pytest.raises(UsageError, match=r"write \[circuit\]"):
        await quiet_client.transpile(odd, backend="ibm_fez")
    with pytest.raises(TranspileError):
        await quiet_client.transpile([wide], backend="ibm_fez")
