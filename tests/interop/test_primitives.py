"""IBM's sampler and estimator, on both generations of programs, in all execution modes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from qiskit.quantum_info import SparsePauliOp
from qiskit_ibm_runtime import Batch, EstimatorV2, Executor, QuantumProgram, SamplerV2, Session
from qiskit_ibm_runtime.exceptions import RuntimeJobFailureError
from qiskit_ibm_runtime.executor_estimator import Estimator
from qiskit_ibm_runtime.executor_sampler import Sampler

if TYPE_CHECKING:
    from qiskit.circuit import QuantumCircuit

ANGLES = [0.0, math.pi, math.pi / 3]
LIKELY = [0.0, 1.0, 0.25]  # sin²(angle / 2)
SAMPLERS = [pytest.param(SamplerV2, id="sampler"), pytest.param(Sampler, id="executor")]
ESTIMATORS = [pytest.param(EstimatorV2, id="estimator"), pytest.param(Estimator, id="executor")]

pytestmark = pytest.mark.filterwarnings("ignore:The (Sampler|Estimator)V2 class is deprecated")


def assert_turned(bits: Any) -> None:
    """Check that a sweep of the pair over ANGLES came out near what physics says, noise allowed for."""
    assert bits.shape == (len(ANGLES),)
    for position, likely in enumerate(LIKELY):
        counts = bits[position].get_counts()
        assert abs(counts.get("11", 0) / bits.num_shots - likely) < 0.1
        assert (counts.get("01", 0) + counts.get("10", 0)) / bits.num_shots < 0.1


@pytest.mark.parametrize("kind", SAMPLERS)
def test_sampler(kind: type[Any], backend: Any, measured_pair: QuantumCircuit) -> None:
    """A sweep gives the counts that its angles foretell, with the circuit's own metadata."""
    result = kind(mode=backend).run([(measured_pair, [[angle] for angle in ANGLES])], shots=1000).result()[0]

    assert result.data.meas.num_shots == 1000
    assert_turned(result.data.meas)
    assert result.metadata["circuit_metadata"] == {"name": "turned pair"}


@pytest.mark.parametrize("kind", SAMPLERS)
def test_twirled_sampler(kind: type[Any], backend: Any, measured_pair: QuantumCircuit) -> None:
    """Twirled gates and measurements are undone: the counts stay those of the circuit."""
    sampler = kind(mode=backend, options={"twirling": {"enable_gates": True, "enable_measure": True}})
    result = sampler.run([(measured_pair, [[angle] for angle in ANGLES])], shots=640).result()[0]

    assert result.data.meas.num_shots == 640
    assert_turned(result.data.meas)
    assert result.metadata["num_randomizations"] == 10


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_estimator(kind: type[Any], backend: Any, turned_pair: QuantumCircuit) -> None:
    """Observables against a sweep broadcast, and the values lie within their errors of what physics says."""
    observables = [[SparsePauliOp(text).apply_layout(turned_pair.layout)] for text in ("ZZ", "ZI", "XY")]
    exact = np.array([[1.0] * 3, np.cos(ANGLES), -np.sin(ANGLES)])
    result = kind(mode=backend).run([(turned_pair, observables, [[a] for a in ANGLES])], precision=0.05).result()[0]

    assert result.data.evs.shape == result.data.stds.shape == (3, 3)
    assert np.all(np.abs(result.data.evs - exact) < 5 * np.maximum(result.data.stds, 0.05))
    assert result.metadata["circuit_metadata"] == {"name": "turned pair"}


def test_spans_cover_the_samples(backend: Any, measured_pair: QuantumCircuit) -> None:
    """Execution spans, twirled or not, lie within the job's run and mark every sample of their PUB."""
    pubs = [(measured_pair, [[angle] for angle in ANGLES]), (measured_pair, [0.5])]
    for twirled in (False, True):
        options = {"twirling": {"enable_measure": twirled}}
        job = SamplerV2(mode=backend, options=options).run(pubs, shots=100)
        spans = job.result().metadata["execution"]["execution_spans"]

        assert [span.pub_idxs for span in spans] == [[0], [1]]
        assert [span.mask(number).shape for number, span in enumerate(spans)] == [(3, 100), (100,)]
        assert all(span.mask(number).all() for number, span in enumerate(spans))
        assert spans.start <= spans.stop


@pytest.mark.parametrize("mode", [Session, Batch])
def test_modes(mode: type[Any], service: Any, backend: Any, turned_pair: QuantumCircuit) -> None:
    """Jobs of a session or batch run in it, its details tell its life, and closed it takes none."""
    measured = turned_pair.measure_active(inplace=False)
    with mode(backend=backend) as opened:
        sampled = SamplerV2(mode=opened).run([(measured, [0.0])], shots=100)
        zz = SparsePauliOp("ZZ").apply_layout(turned_pair.layout)
        estimated = EstimatorV2(mode=opened).run([(turned_pair, zz, [math.pi])])

        assert sampled.result()[0].data.meas.get_counts()["00"] > 80
        assert abs(estimated.result()[0].data.evs - 1) < 0.2
        assert opened.status() == "In progress, accepting new jobs"

    details = opened.details()
    jobs = {job.job_id() for job in service.jobs(session_id=opened.session_id)}
    assert opened.status() == "Closed"
    assert (details["state"], details["accepting_jobs"]) == ("closed", False)
    assert details["mode"] == {Session: "dedicated", Batch: "batch"}[mode]
    assert details["backend_name"] == "ibm_fez"
    assert jobs == {sampled.job_id(), estimated.job_id()}
    assert sampled.session_id == opened.session_id
    assert opened.usage() > 0


def test_executor(backend: Any, measured_pair: QuantumCircuit) -> None:
    """A quantum program of circuits runs as it is, passes its data through, and says when its items ran."""
    program = QuantumProgram(shots=200, passthrough_data={"kept": [1, np.arange(3)]})
    program.append_circuit_item(measured_pair, circuit_arguments=[[angle] for angle in ANGLES])
    program.append_circuit_item(measured_pair.assign_parameters([0.0]))
    result = Executor(mode=backend).run(program).result()

    swept, single = (item["meas"] for item in result)
    assert (swept.shape, single.shape) == ((3, 200, 2), (200, 2))
    assert np.allclose(swept.all(axis=-1).mean(axis=-1), LIKELY, atol=0.1)
    assert single.any(axis=-1).mean() < 0.1
    assert result.passthrough_data["kept"][0] == 1
    assert result.passthrough_data["kept"][1].tolist() == [0, 1, 2]
    assert [chunk.parts[0].size for chunk in result.metadata.chunk_timing] == [3, 1]


def test_failure(backend: Any, measured_pair: QuantumCircuit) -> None:
    """A circuit that is not of the device's instruction set fails its job, and the client says why."""
    circuit = measured_pair.copy_empty_like()
    circuit.h(0)
    circuit.measure(0, 0)
    program = QuantumProgram(shots=10)
    program.append_circuit_item(circuit)
    job = Executor(mode=backend).run(program)

    with pytest.raises(RuntimeJobFailureError, match="1517"):
        job.result()
    assert job.status() == "ERROR"
    assert "The instruction h on qubits" in job.error_message()
