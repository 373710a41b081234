"""What is told of a job beside its state: logs, metrics, tags, and what older versions told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from qrt_async.emulator.work import Failed
from tests.emulator.service import PROGRAM

if TYPE_CHECKING:
    from tests.emulator.service import Bench, Service

OLD = {"IBM-API-Version": "2025-05-01"}


async def test_logs_come_with_the_end(bench: Bench, service: Service) -> None:
    """A job has no log until it is over; then it is text that names what happened."""
    job_id = await service.submit()
    before = await service.get(f"/jobs/{job_id}/logs")
    held = await bench.pool.next()
    held.begin()
    held.finish(Failed("It went wrong", 1517, "Do better", "Traceback: boom"))
    while await service.status(job_id) != "Failed":
        pass
    after = await service.get(f"/jobs/{job_id}/logs")

    assert before.status == 404
    assert (after.status, after.content_type) == (200, "text/plain")
    for part in (b"created", b"running", b"ERROR", b"1517: It went wrong", b"boom"):
        assert part in after.body


async def test_metrics_follow_the_job(bench: Bench, cloud: Service) -> None:
    """The live version's metrics gain timestamps as the job goes on, and end with its charge and time."""
    client = {"X-Qx-Client-Application": "qiskit-version-2/0.51.0/me"}
    job_id = (await cloud.post("/jobs", json=cloud.job, headers=client)).json["id"]
    queued = (await cloud.get(f"/jobs/{job_id}/metrics")).json
    held = await bench.pool.next()
    bench.clock.advance(3)
    held.begin()
    held.finish()
    while await cloud.status(job_id) != "Completed":
        pass
    done = (await cloud.get(f"/jobs/{job_id}/metrics")).json

    assert set(queued["timestamps"]) == {"created"}
    assert queued["usage"] == {"qpu_charge_time_seconds": 0, "status": "pending"}
    assert done["usage"] == {"qpu_charge_time_seconds": 2, "status": "complete"}
    assert done["circuits_execution_time_ns"] == 400_000_000
    assert done["caller"] == client["X-Qx-Client-Application"]
    assert done["timestamps"]["created"] == "2026-09-10T18:44:00.123456Z"
    assert done["timestamps"]["running"] == done["timestamps"]["finished"] == "2026-09-10T18:44:03.123456Z"
    assert done["qiskit_version"]


async def test_metrics_of_2026_03_15(bench: Bench, cloud: Service) -> None:
    """On 2026-03-15 the time of the circuits stood within the usage."""
    job_id = await bench.run(cloud)

    metrics = (await cloud.get(f"/jobs/{job_id}/metrics", headers={"IBM-API-Version": "2026-03-15"})).json

    assert metrics["usage"]["circuits_execution_time_ns"] == 400_000_000
    assert "circuits_execution_time_ns" not in metrics


@pytest.mark.parametrize("version", ["", "2024-01-01", "2025-01-01", "2025-05-01", "2026-02-01", "2026-02-15"])
async def test_old_metrics(bench: Bench, cloud: Service, version: str) -> None:
    """Before 2026-03-15 metrics had `bss`, two kinds of seconds, and estimates."""
    job_id = await bench.run(cloud)

    headers = {"IBM-API-Version": version}
    metrics = (await cloud.get(f"/jobs/{job_id}/metrics", headers=headers)).json
    job = (await cloud.get(f"/jobs/{job_id}", headers=headers)).json

    assert metrics["bss"] == job["bss"] == {"seconds": 2}
    assert metrics["usage"] == {"quantum_seconds": 2, "seconds": 2}
    assert metrics["num_circuits"] == 1
    assert metrics["estimated_start_time"] == "2026-09-10T18:44:00.123456Z"
    assert metrics["position_in_queue"] is None


async def test_position_in_queue(bench: Bench, legacy: Service) -> None:
    """LEGACY metrics tell a waiting job its place, which moves up as those before it begin."""
    jobs = [await legacy.submit() for _ in range(7)]
    places = [(await legacy.get(f"/jobs/{job}/metrics")).json["position_in_queue"] for job in jobs]
    (await bench.pool.next()).begin()
    later = (await legacy.get(f"/jobs/{jobs[6]}/metrics")).json

    assert places == [1, 2, 3, 4, 5, 6, 7]
    assert later["position_in_queue"] == later["position_in_provider"] == 6
    assert later["estimated_completion_time"] > later["estimated_start_time"] > "2026-09-10T18:44:00.123456Z"


async def test_tags_are_found(service: Service) -> None:
    """A search gives every tag that contains the text, of the caller's own jobs, each once."""
    await service.submit(tags=["spring-1", "other"])
    await service.submit(tags=["spring-1", "offspring"])

    answer = await service.get("/tags", params={"type": "job", "search": "spring"})

    assert answer.json == {"tags": ["offspring", "spring-1"]}


@pytest.mark.parametrize("query", ["", "type=job", "search=abc", "type=job&search=ab", "type=session&search=abc"])
async def test_bad_tag_search(service: Service, query: str) -> None:
    """A search of fewer than three characters, or without its parts, gets a bare 400."""
    answer = await service.get(f"/tags?{query}")

    assert answer.status == 400
    assert answer.json["errors"] == [{"message": "Bad Request"}]


async def test_transpiled_circuits(bench: Bench, service: Service) -> None:
    """A completed job's circuits are at an address that anyone can read."""
    queued = await service.submit()
    early = await service.get(f"/jobs/{queued}/transpiled_circuits", headers=OLD)
    await service.post(f"/jobs/{queued}/cancel")
    await bench.pool.next()
    job_id = await bench.run(service)

    url = (await service.get(f"/jobs/{job_id}/transpiled_circuits", headers=OLD)).json["url"]
    circuits = await bench.bare.get(url.removeprefix(bench.url))

    assert early.status == 404
    assert circuits.json == {"transpiled_circuits": {"qasm2": [], "qasm3": [PROGRAM]}}
    assert (await bench.bare.get("/stored/nothing")).status == 404


@pytest.mark.parametrize("leaf", ["transpiled_circuits", "interim_results"])
async def test_gone_with_2026_02_01(bench: Bench, cloud: Service, leaf: str) -> None:
    """From 2026-02-01 on there are neither transpiled circuits nor interim results."""
    job_id = await bench.run(cloud)

    statuses = [
        (await cloud.get(f"/jobs/{job_id}/{leaf}", headers={"IBM-API-Version": version})).status
        for version in ("2025-05-01", "2026-02-01", "2026-04-15")
    ]

    assert statuses == [200, 404, 404]


async def test_interim_results_are_empty(bench: Bench, legacy: Service) -> None:
    """There are never interim results: an empty text."""
    job_id = await bench.run(legacy)

    answer = await legacy.get(f"/jobs/{job_id}/interim_results")

    assert (answer.status, answer.body) == (200, b"")


@pytest.mark.parametrize("leaf", ["logs", "metrics", "interim_results", "transpiled_circuits"])
async def test_of_an_unknown_job(service: Service, leaf: str) -> None:
    """Nothing is told of a job that is not the caller's: 404 and code 1291."""
    answer = await service.get(f"/jobs/unknown/{leaf}", headers=OLD)

    assert (answer.status, answer.code) == (404, 1291)


async def test_empty_job_id_gives_the_web_page(cloud: Service) -> None:
    """A job without an id is answered with the service's web page, as it is live."""
    answer = await cloud.get("/jobs/")

    assert (answer.status, answer.content_type) == (200, "text/html")
