"""The main job through the client, against the emulator, on both platforms."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from qrt_async import Client, JobFailed, JobStatus, NoBackend, NotFound, TranspileError

pytestmark = pytest.mark.asyncio(loop_scope="session")

BELL = 'OPENQASM 3.0; include "stdgates.inc"; qubit[2] q; bit[2] c; h q[0]; cx q[0], q[1]; c = measure q;'
SEED = """
OPENQASM 3;
include "stdgates.inc";
qreg q[2];
creg c[2];
x q[0];
c[0] = measure q[0];
c[1] = measure q[1];
"""


async def test_the_seeds_story(client: Client) -> None:
    """Two PUBs, counts, a session with a sampler and an estimator job: as the notebook shows it."""
    [isa] = await client.transpile([SEED], backend="ibm_hanoi", optimization_level=1)
    job = await client.sampler([isa, (isa, None, 500)], backend="ibm_hanoi", tags=["story"])
    result = await job.result(timeout=60)
    async with client.session("ibm_hanoi", max_time=600) as session:
        options = {"twirling": {"enable_gates": True, "enable_measure": True}}
        sampled, estimated = await asyncio.gather(
            session.sampler([isa, (isa, None, 100)], options=options),
            session.estimator([(isa, {"II": 1, "ZZ": 2.3}, None, 0.01)]),
        )
        twirled, estimate = await asyncio.gather(sampled.result(timeout=60), estimated.result(timeout=60))
    details = await job.details()

    assert [pub.data["c"].num_shots for pub in result] == [4096, 500]
    assert result[1].data.c.counts()["01"] > 450
    assert twirled[1].data.c.num_shots == 100
    assert abs(float(estimate[0].data.evs) + 1.3) < 0.1
    assert estimate[0].metadata["shots"] == 10016
    assert (details.status, details.backend, details.tags[1:]) == (JobStatus.COMPLETED, "ibm_hanoi", ("story",))
    assert (details.qpu_seconds or 0) > 0


async def test_backends_are_described(client: Client) -> None:
    """Both platforms give names, status, queue, qubits, gates and calibration."""
    names = {backend.name for backend in await client.backends.list()}
    backend, status, configuration, properties = await asyncio.gather(
        client.backends.get("ibm_sherbrooke"),
        client.backends.status("ibm_sherbrooke"),
        client.backends.configuration("ibm_sherbrooke"),
        client.backends.properties("ibm_sherbrooke"),
    )

    assert names >= {"ibm_hanoi", "ibm_sherbrooke", "ibm_fez", "ibm_marrakesh"}
    assert (backend.qubits, configuration.qubits, len(properties.qubits)) == (127, 127, 127)
    assert (backend.operational, status.operational) == (True, True)
    assert "ecr" in configuration.basis_gates
    assert configuration.coupling_map is not None
    pair = next(gate.qubits for gate in properties.gates if gate.gate == "ecr")
    assert 0 < (properties.gate_error("ecr", *pair) or 0) <= 1
    assert 0 < (properties.qubit_value(0, "T1") or 0) < 10_000


async def test_least_busy_keeps_to_the_condition(client: Client) -> None:
    """The backend has the qubits that are asked for, or the error says what there is."""
    assert ((await client.backends.least_busy(min_qubits=150)).qubits or 0) >= 150
    with pytest.raises(NoBackend, match="ibm_fez"):
        await client.backends.least_busy(min_qubits=10_000)


@pytest.mark.parametrize("backend", ["ibm_sherbrooke", "ibm_fez"])
async def test_logical_observables_are_right_on_a_layout_that_is_not_trivial(
    quiet_client: Client, backend: str
) -> None:
    """Observables follow the circuit's qubits wherever the transpiler put them."""
    circuit = 'OPENQASM 3.0; include "stdgates.inc"; qubit[3] q; x q[0]; ry(1.0) q[1]; cx q[1], q[2];'
    [isa] = await quiet_client.transpile([circuit], backend=backend, optimization_level=3)
    observables = ["IIZ", "IZI", "ZII", "ZZI", {"IXX": 1, "IZZ": 2.0}]
    job = await quiet_client.estimator([(isa, observables, None, 0.02)], backend=backend)
    data = (await job.result(timeout=60))[0].data

    expected = np.array([-1, np.cos(1.0), np.cos(1.0), 1, -2 * np.cos(1.0)])
    assert isa.layout != (0, 1, 2)
    assert np.all(np.abs(data.evs - expected) < 5 * np.maximum(data.stds, 0.01))


async def test_a_bell_pair_without_noise(quiet_client: Client) -> None:
    """About half `00`, half `11`, and nothing else."""
    [isa] = await quiet_client.transpile([BELL], backend="ibm_fez")
    job = await quiet_client.sampler([(isa, None, 4000)], backend="ibm_fez")
    counts = (await job.result(timeout=60))[0].data.c.counts()

    assert set(counts) == {"00", "11"}
    assert abs(counts["00"] - 2000) < 5 * 32


async def test_a_sweep_keeps_its_shape(quiet_client: Client) -> None:
    """Parameters bind by name or position, and a sweep's results have its shape."""
    circuit = (
        'OPENQASM 3.0; include "stdgates.inc"; input float a; qubit[1] q; bit[1] c; ry(a) q[0]; c[0] = measure q[0];'
    )
    [isa] = await quiet_client.transpile([circuit], backend="ibm_fez")
    angles = [0.0, np.pi]
    sampled, estimated = await asyncio.gather(
        quiet_client.sampler([(isa, {"a": angles}, 100), (isa, [np.pi], 10)], backend="ibm_fez"),
        quiet_client.estimator([(isa, ["Z", "X"], [[angle] for angle in angles])], backend="ibm_fez"),
    )
    result, estimate = await asyncio.gather(sampled.result(timeout=60), estimated.result(timeout=60))

    assert (result[0].data.c.shape, result[0].data.c.num_shots) == ((2,), 100)
    assert [result[0].data.c[i].counts() for i in (0, 1)] == [{"0": 100}, {"1": 100}]
    assert result[1].data.c.counts() == {"1": 10}
    assert estimate[0].data.evs.shape == (2,)
    assert abs(float(estimate[0].data.evs[0]) - 1) < 1e-9


async def test_many_jobs_on_many_backends_at_once(quiet_client: Client) -> None:
    """One client runs forty jobs on four backends side by side, and each gets its own result."""
    names = ["ibm_hanoi", "ibm_sherbrooke", "ibm_fez", "ibm_marrakesh"]
    program = (
        'OPENQASM 3.0; include "stdgates.inc"; bit[3] c; x $1; c[0] = measure $0; c[1] = measure $1; c[2] = measure $2;'
    )

    async def one(number: int) -> dict[str, int]:
        job = await quiet_client.sampler([(program, None, number + 1)], backend=names[number % 4])
        return (await job.result(timeout=60))[0].data.c.counts()

    assert await asyncio.gather(*(one(number) for number in range(40))) == [{"010": n + 1} for n in range(40)]


async def test_what_the_service_refuses_later_is_the_jobs_error(client: Client) -> None:
    """A gate that the device has not fails the job, with the service's code and reason."""
    job = await client.sampler(
        ['OPENQASM 3.0; include "stdgates.inc"; bit[1] c; h $0; c[0] = measure $0;'], backend="ibm_fez"
    )
    with pytest.raises(JobFailed, match="instruction h on qubits") as caught:
        await job.result(timeout=60)

    assert caught.value.code == 1517


async def test_what_the_service_refuses_at_once_is_its_error(client: Client) -> None:
    """Unknown backends and jobs are errors of the call."""
    with pytest.raises(NotFound):
        await client.sampler(["OPENQASM 3.0;"], backend="ibm_nowhere")
    with pytest.raises(NotFound) as caught:
        await client.job("nosuchjob0nosuchjob0").result()

    assert caught.value.code == 1291


async def test_a_circuit_that_is_no_circuit_is_a_transpile_error(client: Client) -> None:
    """Bad OpenQASM fails the call on either platform."""
    with pytest.raises(TranspileError):
        await client.transpile(["OPENQASM 3.0; this is not a program"], backend="ibm_fez")


async def test_a_job_can_be_cancelled_and_found_again(client: Client) -> None:
    """A handle made from an id works like the one that submitted."""
    job = await client.sampler([("OPENQASM 3.0; bit[1] c; c[0] = measure $0;", None, 10)], backend="ibm_fez")
    result = await client.job(job.id).result(timeout=60)

    assert await job.cancel() is False
    assert result[0].data["c"].shape == ()


async def test_circuits_come_back_in_order(client: Client) -> None:
    """Many circuits are transpiled in one call, each in its place."""
    circuits = [
        f'OPENQASM 3.0; include "stdgates.inc"; qubit[{n}] q; bit[{n}] c; x q[{n - 1}]; c = measure q;'
        for n in range(1, 8)
    ]
    found = await client.transpile(circuits, backend="ibm_marrakesh", optimization_level=1)

    assert [len(isa.layout) for isa in found] == list(range(1, 8))
    assert all(f"x ${isa.layout[-1]};" in isa.text for isa in found)


async def test_a_thousand_jobs_at_once(quiet_client: Client) -> None:
    """A thousand concurrent one-PUB jobs complete through one client, and their counts add up."""
    program = 'OPENQASM 3.0; include "stdgates.inc"; bit[2] c; x $0; c[0] = measure $0; c[1] = measure $1;'

    async def one() -> dict[str, int]:
        job = await quiet_client.sampler([(program, None, 100)], backend="ibm_hanoi")
        return (await job.result(timeout=50))[0].data.c.counts()

    counts = await asyncio.gather(*(one() for _ in range(1000)))

    assert counts == [{"01": 100}] * 1000
