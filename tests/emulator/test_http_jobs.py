"""The routes of jobs, and what a job goes through."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

import pytest

from qrt_async.emulator.work import Failed, PrimitiveWork
from tests.emulator.service import CRN, OTHER_CRN, PROGRAM, RESULTS

if TYPE_CHECKING:
    from tests.emulator.service import Bench, Service

UNKNOWN = "d8u34pstqbtc73d16dog"
NOT_ISA = Failed("The instruction h on qubits (0,) is not supported by the target system", 1517, "Transpile.")


async def test_submission_reply(service: Service) -> None:
    """A submission answers 200 with an xid-like id and the backend, and nothing else."""
    answer = await service.post("/jobs", json=service.job)

    assert answer.status == 200
    assert set(answer.json) == {"id", "backend"}
    assert re.fullmatch("[0-9a-v]{20}", answer.json["id"])
    assert answer.json["backend"] == service.job["backend"]


async def test_submission_reply_echoes(service: Service) -> None:
    """A private job's submission says so, and one for a session or calibration names it."""
    body: dict[str, Any] = {"backend": service.job["backend"], "instance": "h/g/p", "mode": "batch"}
    session_id = (await service.post("/sessions", json=body)).json["id"]

    answer = await service.post(
        "/jobs", json=service.job | {"private": True, "session_id": session_id, "calibration_id": "c"}
    )

    assert answer.json["private"] is True
    assert answer.json["session_id"] == session_id
    assert answer.json["calibration_id"] == "c"


async def test_legacy_job_object(bench: Bench, legacy: Service) -> None:
    """A LEGACY job has the old state with its three keys, whole seconds of usage, hub, group and project."""
    job_id = await legacy.submit(start_session="False", tags=["a"])

    queued = (await legacy.get(f"/jobs/{job_id}")).json
    (await bench.pool.next()).finish()
    await settled(legacy, job_id)
    done = (await legacy.get(f"/jobs/{job_id}")).json

    assert queued == {
        "id": job_id,
        "created": "2026-09-10T18:44:00.123Z",
        "backend": "ibm_hanoi",
        "program": {"id": "sampler"},
        "status": "Queued",
        "state": {"status": "Queued", "reason": "", "reasonCode": None},
        "cost": 0,
        "tags": ["a"],
        "user_id": queued["user_id"],
        "usage": {"seconds": 0},
        "hub": "h",
        "group": "g",
        "project": "p",
        "params": legacy.job["params"],
    }
    assert done["state"] == {"status": "Completed", "reason": "", "reasonCode": None}
    assert done["usage"] == {"seconds": 2}


async def test_cloud_job_object(bench: Bench, cloud: Service) -> None:
    """An IBM_QUANTUM job has a bare state while all is well, and its usage has a status."""
    job_id = await cloud.submit(tags=["a"], cost=60, runtime="image:tag")

    queued = (await cloud.get(f"/jobs/{job_id}")).json
    (await bench.pool.next()).finish()
    await settled(cloud, job_id)
    done = (await cloud.get(f"/jobs/{job_id}")).json

    assert queued == {
        "id": job_id,
        "created": "2026-09-10T18:44:00.123456Z",
        "backend": "ibm_fez",
        "program": {"id": "sampler"},
        "status": "Queued",
        "state": {"status": "Queued"},
        "cost": 60,
        "tags": ["a"],
        "user_id": queued["user_id"],
        "usage": {"qpu_charge_time_seconds": 0, "status": "pending"},
        "runtime": "image:tag",
        "params": cloud.job["params"],
    }
    assert done["state"] == {"status": "Completed"}
    assert done["usage"] == {"qpu_charge_time_seconds": 2, "status": "complete"}
    assert done["estimated_running_time_seconds"] > 0


@pytest.mark.parametrize("version", ["", "2024-01-01", "2025-05-01", "2026-02-15"])
async def test_old_versions_have_old_usage(cloud: Service, version: str) -> None:
    """Before 2026-03-15 a job's usage was a number of seconds."""
    job_id = await cloud.submit()

    answer = await cloud.get(f"/jobs/{job_id}", headers={"IBM-API-Version": version})

    assert answer.json["usage"] == {"seconds": 0}


async def test_states_of_a_good_job(bench: Bench, service: Service) -> None:
    """A job is Queued until a worker begins it, then Running, then Completed with the worker's exact bytes."""
    job_id = await service.submit()
    held = await bench.pool.next()

    seen = [await service.status(job_id)]
    held.begin()
    seen.append(await service.status(job_id))
    early = await service.get(f"/jobs/{job_id}/results")
    held.finish()
    seen.append(await settled(service, job_id))
    results = await service.get(f"/jobs/{job_id}/results")

    assert seen == ["Queued", "Running", "Completed"]
    assert (early.status, early.body) == (204, b"")
    assert (results.status, results.body) == (200, RESULTS.body)
    assert results.content_type == "application/json"


async def test_charge_is_rounded_up(bench: Bench, cloud: Service) -> None:
    """A job is charged its time on the device and the overhead, in whole seconds."""
    job_id = await cloud.submit()
    held = await bench.pool.next()
    held.finish(type(RESULTS)(b"{}", 7.2, 1))
    await settled(cloud, job_id)

    usage = (await cloud.get(f"/jobs/{job_id}")).json["usage"]

    assert usage == {"qpu_charge_time_seconds": 9, "status": "complete"}


async def test_failed_job(bench: Bench, service: Service) -> None:
    """A failed job tells reason and code in its state, is charged, and has its reason as text for results."""
    job_id = await service.submit()
    held = await bench.pool.next()
    held.begin()
    held.finish(NOT_ISA)
    await settled(service, job_id)

    job = (await service.get(f"/jobs/{job_id}")).json
    results = await service.get(f"/jobs/{job_id}/results")

    assert job["status"] == "Failed"
    if service.prefix == "/runtime":
        assert job["state"] == {"status": "Failed", "reason": NOT_ISA.reason, "reasonCode": 1517}
    else:
        assert job["state"] == {
            "status": "Failed",
            "reason": NOT_ISA.reason,
            "reason_code": 1517,
            "reason_solution": "Transpile.",
        }
    assert 2 in job["usage"].values()
    assert (results.status, results.content_type) == (200, "text/plain")
    assert results.body.decode() == NOT_ISA.reason


async def test_failed_job_keeps_traceback(bench: Bench, service: Service) -> None:
    """What a crash left behind is in a failed job's results, after its reason."""
    job_id = await service.submit()
    (await bench.pool.next()).finish(Failed("Crash", 1500, "", "Traceback (most recent call last)"))
    await settled(service, job_id)

    answer = await service.get(f"/jobs/{job_id}/results")

    assert answer.body.decode() == "Crash\nTraceback (most recent call last)"


async def test_cancel_queued_job(bench: Bench, service: Service) -> None:
    """A queued job that is cancelled never runs, has no reason, no charge and no results."""
    job_id = await service.submit()
    held = await bench.pool.next()

    cancelled = await service.post(f"/jobs/{job_id}/cancel")
    job = (await service.get(f"/jobs/{job_id}")).json
    results = await service.get(f"/jobs/{job_id}/results")

    assert (cancelled.status, cancelled.body) == (204, b"")
    assert job["status"] == "Cancelled"
    assert not job["state"].get("reason")
    assert 0 in job["usage"].values()
    assert results.status == 204
    assert held.stopped


async def test_cancel_running_job(bench: Bench, service: Service) -> None:
    """A running job that is cancelled is stopped, and charged since it ran."""
    job_id = await service.submit()
    held = await bench.pool.next()
    held.begin()

    cancelled = await service.post(f"/jobs/{job_id}/cancel")
    job = (await service.get(f"/jobs/{job_id}")).json

    assert cancelled.status == 204
    assert job["status"] == "Cancelled"
    assert 2 in job["usage"].values()
    assert held.stopped


async def test_cancel_finished_job(bench: Bench, service: Service) -> None:
    """A job that is over cannot be cancelled: 409, and its state stays."""
    job_id = await service.submit()
    (await bench.pool.next()).finish()
    await settled(service, job_id)

    answer = await service.post(f"/jobs/{job_id}/cancel")

    assert answer.status == 409
    assert await service.status(job_id) == "Completed"


async def test_delete_finished_job(bench: Bench, service: Service) -> None:
    """A finished job can be deleted, once; afterwards it is unknown."""
    job_id = await service.submit()
    (await bench.pool.next()).finish()
    await settled(service, job_id)

    deleted = await service.delete(f"/jobs/{job_id}")
    gone = await service.get(f"/jobs/{job_id}")

    assert (deleted.status, deleted.body) == (204, b"")
    assert (gone.status, gone.code) == (404, 1291)
    assert (await service.delete(f"/jobs/{job_id}")).status == 404
    assert (await service.get("/jobs")).json["count"] == 0


async def test_delete_unfinished_job(bench: Bench, service: Service) -> None:
    """A queued or running job cannot be deleted: 400."""
    job_id = await service.submit()
    held = await bench.pool.next()

    queued = await service.delete(f"/jobs/{job_id}")
    held.begin()
    running = await service.delete(f"/jobs/{job_id}")

    assert (queued.status, running.status) == (400, 400)
    assert await service.status(job_id) == "Running"


async def test_private_job(bench: Bench, service: Service) -> None:
    """A private job hides its inputs, says that it is private, and gives its results once."""
    job_id = await service.submit(private=True)
    held = await bench.pool.next()
    held.finish()
    await settled(service, job_id)

    job = (await service.get(f"/jobs/{job_id}")).json
    first = await service.get(f"/jobs/{job_id}/results")
    second = await service.get(f"/jobs/{job_id}/results")

    assert job["params"] == {}
    assert job["private"] is True
    assert (first.status, first.body) == (200, RESULTS.body)
    assert (second.status, second.body) == (204, b"")
    assert isinstance(held.work, PrimitiveWork)
    assert held.work.params == service.job["params"]


async def test_results_can_be_read_again(bench: Bench, service: Service) -> None:
    """A job that is not private gives its results as often as asked."""
    job_id = await service.submit()
    (await bench.pool.next()).finish()
    await settled(service, job_id)

    answers = [await service.get(f"/jobs/{job_id}/results") for _ in range(3)]

    assert [answer.body for answer in answers] == [RESULTS.body] * 3
    assert "private" not in (await service.get(f"/jobs/{job_id}")).json


@pytest.mark.parametrize(
    ("query", "there"), [("", True), ("?exclude_params=false", True), ("?exclude_params=true", False)]
)
async def test_one_job_shows_params(service: Service, query: str, there: bool) -> None:
    """A single job shows its params unless they are excluded."""
    job_id = await service.submit()

    assert ("params" in (await service.get(f"/jobs/{job_id}{query}")).json) is there


async def test_tags_are_replaced(service: Service) -> None:
    """PUT replaces all tags of a job, whatever its state; an empty list clears them."""
    job_id = await service.submit(tags=["old"])

    answer = await service.call("PUT", f"/jobs/{job_id}/tags", json={"tags": ["x", "y"]})
    replaced = (await service.get(f"/jobs/{job_id}")).json["tags"]
    await service.call("PUT", f"/jobs/{job_id}/tags", json={"tags": []})
    cleared = (await service.get(f"/jobs/{job_id}")).json["tags"]

    assert (answer.status, answer.body) == (204, b"")
    assert replaced == ["x", "y"]
    assert cleared == []


@pytest.mark.parametrize(
    ("tags", "code"),
    [(["t"] * 9, 1204), (["é" * 87], 1205), ("t", 1208), ([1], 1208), (None, 1208)],
)
async def test_bad_tags(service: Service, tags: object, code: int) -> None:
    """More than eight tags, one of more than 86 characters, or no list of texts: 400 and its code."""
    job_id = await service.submit()

    answer = await service.call("PUT", f"/jobs/{job_id}/tags", json={"tags": tags})

    assert (answer.status, answer.code) == (400, code)
    if tags is not None:
        submitted = await service.post("/jobs", json=service.job | {"tags": tags})
        assert (submitted.status, submitted.code) == (400, code)


async def test_tags_at_the_limit(service: Service) -> None:
    """Eight tags of 86 characters each are fine, however many bytes a character takes."""
    tags = [f"{number}" + "𝄞" * 85 for number in range(8)]

    job_id = await service.submit(tags=tags)

    assert (await service.get(f"/jobs/{job_id}")).json["tags"] == tags


@pytest.mark.parametrize(
    ("method", "leaf"),
    [
        ("GET", ""),
        ("DELETE", ""),
        ("POST", "/cancel"),
        ("GET", "/results"),
        ("PUT", "/tags"),
    ],
)
async def test_unknown_job(service: Service, method: str, leaf: str) -> None:
    """Whatever is asked of an unknown job gets 404 and code 1291, with its id in the message."""
    answer = await service.call(method, f"/jobs/{UNKNOWN}{leaf}", json={"tags": []})

    assert (answer.status, answer.code) == (404, 1291)
    assert UNKNOWN in answer.message


@pytest.mark.parametrize(
    ("method", "leaf"),
    [("GET", ""), ("DELETE", ""), ("POST", "/cancel"), ("GET", "/results"), ("PUT", "/tags")],
)
async def test_foreign_job(bench: Bench, method: str, leaf: str) -> None:
    """Another user's job, or one of another instance, is as unknown as one that never was."""
    legacy_id, cloud_id = await bench.legacy.submit(), await bench.cloud.submit()
    strangers = [
        (bench.legacy.under(x_access_token="somebody else"), legacy_id),
        (bench.cloud.under(Authorization="apikey somebody else"), cloud_id),
        (bench.cloud.under(Service_CRN=OTHER_CRN), cloud_id),
        (bench.legacy, cloud_id),
        (bench.cloud, legacy_id),
    ]

    for caller, job_id in strangers:
        answer = await caller.call(method, f"/jobs/{job_id}{leaf}", json={"tags": []})
        assert (answer.status, answer.code) == (404, 1291)
    assert CRN != OTHER_CRN


async def test_unknown_backend_is_refused(service: Service) -> None:
    """A job for a backend that is not on offer gets 404 and code 1216, and does not come to be."""
    answer = await service.post("/jobs", json=service.job | {"backend": "ibm_nowhere"})

    assert (answer.status, answer.code) == (404, 1216)
    assert (await service.get("/jobs")).json["count"] == 0


async def test_five_lanes_in_order(bench: Bench, service: Service) -> None:
    """A backend works on five jobs at once, in the order they came; other backends do not wait for it."""
    jobs = [await service.submit(backend="ibm_hanoi") for _ in range(7)]
    other = await service.submit(backend="ibm_fez")
    held = [await bench.pool.next() for _ in range(6)]

    for each in held:
        each.begin()
    running = [await service.status(job) for job in jobs]
    held[1].finish()
    sixth = await bench.pool.next()
    sixth.begin()

    assert running == ["Running"] * 5 + ["Queued"] * 2
    assert await service.status(other) == "Running"
    assert await service.status(jobs[5]) == "Running"
    assert await service.status(jobs[6]) == "Queued"


async def test_cancelled_job_leaves_its_place(bench: Bench, service: Service) -> None:
    """A job cancelled while it waits for a lane is passed over; one cancelled in its lane frees it."""
    jobs = [await service.submit() for _ in range(7)]
    first = await bench.pool.next()

    await service.post(f"/jobs/{jobs[5]}/cancel")
    await service.post(f"/jobs/{jobs[0]}/cancel")
    for _ in range(4):
        await bench.pool.next()
    last = await bench.pool.next()
    last.begin()

    assert first.stopped
    assert [await service.status(job) for job in (jobs[0], jobs[5], jobs[6])] == [
        "Cancelled",
        "Cancelled",
        "Running",
    ]


async def test_work_of_a_job(bench: Bench, service: Service) -> None:
    """The workers get program, backend and params as submitted, and a seed of the job's own."""
    await service.submit()
    await service.submit()
    works = [(await bench.pool.next()).work for _ in range(2)]

    assert {type(work).__name__ for work in works} == {"PrimitiveWork"}
    assert [work.backend for work in works] == [service.job["backend"]] * 2
    assert works[0].seed != works[1].seed
    assert PROGRAM in str(works[0])


async def settled(service: Service, job_id: str) -> str:
    """Give a job's final state; its worker has been told to finish."""
    while (status := await service.status(job_id)) in ("Queued", "Running"):
        await asyncio.sleep(0)
    return status
