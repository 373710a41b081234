"""The server with its real worker processes behind it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from qrt_async.emulator import Emulator
from tests.emulator.processes import SLOW_JOB, workers
from tests.emulator.service import CRN, Service

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

BELL = """OPENQASM 3.0; include "stdgates.inc"; bit[2] c; rz(pi/2) $0; sx $0; rz(pi/2) $0;
rz(pi/2) $1; sx $1; rz(pi/2) $1; cz $0, $1; rz(pi/2) $1; sx $1; rz(pi/2) $1;
c[0] = measure $0; c[1] = measure $1;"""
SLOW = {"backend": "ibm_hanoi", "params": SLOW_JOB["params"]}


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    """Run a noiseless emulator with one worker in this loop."""
    async with Emulator(in_process=True, workers=1, noiseless=True, seed=5) as running:
        yield running


@pytest.fixture
async def cloud(emulator: Emulator) -> AsyncIterator[Service]:
    """Give an IBM_QUANTUM caller of that emulator."""
    job = {"program_id": "sampler", "backend": "ibm_fez", "params": {"pubs": [[BELL, None, 1000]]}}
    headers = {"Authorization": "apikey k", "Service-CRN": CRN, "IBM-API-Version": "2026-04-15"}
    async with aiohttp.ClientSession(emulator.url) as http:
        yield Service(http, "/api/v1", headers, job)


async def reached(cloud: Service, job_id: str, *states: str) -> dict[str, Any]:
    """Give the job once it is in one of these states."""
    while True:
        job: dict[str, Any] = (await cloud.get(f"/jobs/{job_id}?exclude_params=true")).json
        if job["status"] in states:
            return job
        assert job["status"] in ("Queued", "Running"), job


async def counts(cloud: Service, job_id: str) -> Counter[str]:
    """Wait for a job of one PUB and count what its register `c` showed."""
    await reached(cloud, job_id, "Completed")
    [result] = (await cloud.get(f"/jobs/{job_id}/results")).json["results"]
    return Counter(result["data"]["c"]["samples"])


async def test_bell_pair(cloud: Service) -> None:
    """A noiseless Bell pair gives 00 and 11, about half each, and nothing else; its time is charged."""
    job_id = await cloud.submit()

    seen = await counts(cloud, job_id)
    job = (await cloud.get(f"/jobs/{job_id}")).json

    assert set(seen) == {"0x0", "0x3"}
    assert 400 < seen["0x0"] < 600
    assert seen.total() == 1000
    assert job["usage"]["status"] == "complete"
    assert job["usage"]["qpu_charge_time_seconds"] >= 2


async def test_two_jobs_differ(cloud: Service) -> None:
    """The same program submitted twice is sampled twice: each job has a seed of its own."""
    first, second = [await cloud.submit() for _ in range(2)]
    bodies: list[bytes] = []
    for job_id in (first, second):
        await reached(cloud, job_id, "Completed")
        bodies.append((await cloud.get(f"/jobs/{job_id}/results")).body)

    assert bodies[0] != bodies[1]


async def test_bad_program_fails(cloud: Service) -> None:
    """A program that the device cannot run is accepted, and the job fails with code 1517."""
    program = 'OPENQASM 3.0; include "stdgates.inc"; bit[1] c; h $0; c[0] = measure $0;'
    job_id = await cloud.submit(params={"pubs": [[program]]})

    job = await reached(cloud, job_id, "Failed")

    assert job["state"]["reason_code"] == 1517
    assert "h" in job["state"]["reason"]


async def test_odd_params_fail(cloud: Service) -> None:
    """Params that only a program can find wanting fail the job, and the next one runs."""
    for params in (
        {"pubs": [["no program at all \ud800"]]},
        {"pubs": [[{"__type__": "QuantumCircuit", "__value__": "?"}]]},
        {"pubs": [[BELL, [[["deep"]]]]]},
        {"pubs": [[BELL, {"theta": 1.0}]]},
        {"pubs": [BELL], "shots": 0},
    ):
        job = await reached(cloud, await cloud.submit(params=params), "Failed")
        assert 1000 <= job["state"]["reason_code"] <= 9999
        assert job["state"]["reason"]

    assert (await counts(cloud, await cloud.submit())).total() == 1000


async def test_cancelled_job_frees_its_worker(cloud: Service) -> None:
    """Cancelling a running job stops its worker: the next job does not wait for it."""
    slow = await cloud.submit(**SLOW)
    await reached(cloud, slow, "Running")

    await cloud.post(f"/jobs/{slow}/cancel")
    seen = await counts(cloud, await cloud.submit())

    assert await cloud.status(slow) == "Cancelled"
    assert seen.total() == 1000


async def test_worker_crash_fails_its_job_only(cloud: Service) -> None:
    """A worker that is killed fails the job it had, with an internal error's code; others run."""
    slow = await cloud.submit(**SLOW)
    await reached(cloud, slow, "Running")
    waiting = await cloud.submit()

    for pid in await asyncio.to_thread(workers, os.getpid()):
        os.kill(pid, signal.SIGKILL)
    job = await reached(cloud, slow, "Failed")

    assert job["state"]["reason_code"] == 1500
    assert (await counts(cloud, waiting)).total() == 1000


async def test_closed_session_lets_running_job_finish(cloud: Service) -> None:
    """A job of a session runs, and one that waits when the session closes fails with 1217."""
    session = (await cloud.post("/sessions", json={"mode": "batch", "backend": "ibm_fez"})).json
    done = await cloud.submit(session_id=session["id"])
    await reached(cloud, done, "Completed")
    blocking = await cloud.submit(**SLOW)
    await reached(cloud, blocking, "Running")
    queued = await cloud.submit(session_id=session["id"])

    await cloud.delete(f"/sessions/{session['id']}/close")

    assert (await reached(cloud, queued, "Failed"))["state"]["reason_code"] == 1217
    await cloud.post(f"/jobs/{blocking}/cancel")


async def test_transpiled_program_runs(emulator: Emulator, cloud: Service) -> None:
    """What the transpiler service gives back for a device runs there, and counts as it should."""
    program = 'OPENQASM 2.0; include "qelib1.inc"; qreg q[2]; creg c[2]; h q[0]; cx q[0], q[1]; measure q -> c;'
    transpiler = Service(cloud.http, "", {"Authorization": "Bearer k"}, {})
    query = {"backend": "ibm_fez", "optimization_level": "1"}
    begun = await transpiler.post("/transpile", params=query, json={"qasm_circuits": [program]})

    while (task := (await transpiler.get(f"/transpile/{begun.json['task_id']}")).json)["state"] != "SUCCESS":
        assert task["state"] in ("PENDING", "STARTED")
    job_id = await cloud.submit(params={"pubs": [[task["result"][0]["qasm"], None, 500]]})

    assert set(await counts(cloud, job_id)) == {"0x0", "0x3"}
    assert len(task["result"][0]["layout"]["initial"]) == 156


async def test_bad_transpile_options_fail_the_task(cloud: Service, caplog: pytest.LogCaptureFixture) -> None:
    """An option that Qiskit does not know makes the task a FAILURE; the log says why."""
    transpiler = Service(cloud.http, "", {"Authorization": "Bearer k"}, {})
    body = {"qasm_circuits": "OPENQASM 3.0; qubit[1] q;", "qiskit_transpile_options": {"no_such_option": 1}}
    begun = await transpiler.post("/transpile?backend=ibm_fez", json=body)

    while (task := (await transpiler.get(f"/transpile/{begun.json['task_id']}")).json)["state"] != "FAILURE":
        assert task["state"] in ("PENDING", "STARTED")

    assert task == {"state": "FAILURE", "result": None}
    assert "no_such_option" in caplog.text
