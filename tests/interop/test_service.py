"""What IBM's client asks beside running: devices, jobs, metrics, logs, instances."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from qiskit.circuit import QuantumCircuit
from qiskit.providers.exceptions import QiskitBackendNotFoundError
from qiskit_ibm_runtime import SamplerV2
from qiskit_ibm_runtime.exceptions import RuntimeInvalidStateError, RuntimeJobNotFound

if TYPE_CHECKING:
    from qiskit_ibm_runtime import QiskitRuntimeService, RuntimeJobV2

pytestmark = pytest.mark.filterwarnings("ignore:The SamplerV2 class is deprecated")


@pytest.fixture
def finished(backend: Any, measured_pair: QuantumCircuit) -> RuntimeJobV2:
    """A job that has run, with two tags."""
    sampler = SamplerV2(mode=backend, options={"environment": {"job_tags": ["first", "second"]}})
    job = sampler.run([(measured_pair, [0.0])], shots=100)
    job.result()
    return job


def endless() -> QuantumCircuit:
    """Give a circuit that keeps a worker busy for long: feedback, shot by shot."""
    circuit = QuantumCircuit(1, 1)
    for _ in range(60):
        circuit.sx(0)
        circuit.measure(0, 0)
        with circuit.if_test((circuit.clbits[0], 1)):
            circuit.x(0)
    return circuit


def test_backends(service: QiskitRuntimeService) -> None:
    """All devices are listed, filters apply, and the least busy one is among them."""
    names = {backend.name for backend in service.backends()}

    assert names == {"ibm_fez", "ibm_hanoi"}
    assert [backend.name for backend in service.backends(min_num_qubits=100, operational=True)] == ["ibm_fez"]
    assert service.least_busy(operational=True).name in names
    with pytest.raises(QiskitBackendNotFoundError):
        service.backend("ibm_nowhere")


def test_target(service: QiskitRuntimeService) -> None:
    """Devices have their targets: gates with errors and durations on their qubits, and control flow."""
    fez, hanoi = service.backend("ibm_fez").target, service.backend("ibm_hanoi").target

    assert (fez.num_qubits, hanoi.num_qubits) == (156, 27)
    assert {"cz", "rz", "sx", "x", "measure", "if_else"} <= fez.operation_names
    assert {"cx", "rz", "sx", "x", "measure"} <= hanoi.operation_names
    assert 0 < fez["cz"][0, 1].error < 1 or fez["cz"][1, 0].error < 1
    assert 0 < hanoi["measure"][0,].duration < 1e-4


def test_status_and_calibration(backend: Any) -> None:
    """A device is operational, and its configuration and properties are those of one device."""
    assert backend.status().operational
    assert backend.status().status_msg == "active"
    assert backend.configuration().backend_name == backend.properties().backend_name == "ibm_fez"
    assert backend.properties().t1(0) == backend.qubit_properties(0).t1 > 0


def test_instances(service: QiskitRuntimeService) -> None:
    """The client finds the instance of its key, its plan and its usage."""
    instance = service.instances()[0]

    assert service.active_instance() == instance["crn"]
    assert instance["plan"] == "premium"
    assert service.usage()["instance_id"] == instance["crn"]


def test_metrics_and_logs(finished: RuntimeJobV2) -> None:
    """A finished job's metrics add up to its usage, and its log tells its life."""
    metrics = finished.metrics()

    assert metrics["timestamps"]["created"] <= metrics["timestamps"]["running"] <= metrics["timestamps"]["finished"]
    assert finished.usage() == metrics["usage"]["qpu_charge_time_seconds"]
    assert metrics["caller"].startswith("qiskit")
    assert "completed" in finished.logs()
    assert finished.creation_date is not None


def test_jobs_come_back(service: QiskitRuntimeService, finished: RuntimeJobV2) -> None:
    """A job is found again by its id, with its circuits, its tags and its result."""
    again = service.job(finished.job_id())
    (circuit, values, shots) = again.inputs["pubs"][0]

    assert again.status() == "DONE"
    assert again.result()[0].data.meas == finished.result()[0].data.meas
    assert set(again.tags) == {"first", "second"}
    assert circuit == finished.inputs["pubs"][0][0]
    assert (values.tolist(), shots) == ([0.0], 100)


def test_listing_jobs(service: QiskitRuntimeService, finished: RuntimeJobV2) -> None:
    """Lists are filtered by tags (all of them), device, program, state and date, newest first."""

    def listed(**filters: Any) -> list[str]:
        return [job.job_id() for job in service.jobs(limit=None, **filters)]

    mine = finished.job_id()
    assert listed()[0] == mine
    assert mine in listed(job_tags=["first", "second"], backend_name="ibm_fez", program_id="sampler", pending=False)
    assert mine in listed(created_after=finished.creation_date)
    assert mine not in listed(job_tags=["first", "third"])
    assert mine not in listed(backend_name="ibm_hanoi")
    assert mine not in listed(program_id="estimator")
    assert mine not in listed(pending=True)
    assert listed(descending=False)[-1] == mine
    assert len(service.jobs(limit=1)) == 1


def test_tags(service: QiskitRuntimeService, finished: RuntimeJobV2) -> None:
    """Tags can be replaced, and the list of jobs knows it."""
    finished.update_tags([finished.job_id()])

    assert [job.job_id() for job in service.jobs(job_tags=[finished.job_id()])] == [finished.job_id()]


def test_deleting(service: QiskitRuntimeService, finished: RuntimeJobV2) -> None:
    """A deleted job is gone."""
    service.delete_job(finished.job_id())

    with pytest.raises(RuntimeJobNotFound):
        service.job(finished.job_id())


def test_cancelling(service: QiskitRuntimeService, backend: Any) -> None:
    """Queued and running jobs can be cancelled, once, and have no result."""
    jobs = [SamplerV2(mode=backend).run([endless()], shots=1_000_000) for _ in range(3)]
    assert {job.status() for job in jobs} <= {"QUEUED", "RUNNING"}
    assert {job.job_id() for job in jobs} <= {job.job_id() for job in service.jobs(pending=True)}
    for job in jobs:
        job.cancel()

    for job in jobs:
        assert job.status() == "CANCELLED"
        with pytest.raises(RuntimeInvalidStateError):
            job.result()
        with pytest.raises(RuntimeInvalidStateError):
            job.cancel()
