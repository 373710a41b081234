"""The routes of sessions, and what a session goes through."""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from tests.emulator.service import OTHER_CRN

if TYPE_CHECKING:
    from tests.emulator.service import Bench, Service

BODY = {"backend": "ibm_fez", "instance": "h/g/p", "mode": "dedicated"}


async def opened(service: Service, **changes: Any) -> str:
    """Open a session and give its id."""
    answer = await service.post("/sessions", json=BODY | changes)
    assert answer.status == 200, answer.body
    session_id: str = answer.json["id"]
    return session_id


async def shown(service: Service, session_id: str) -> dict[str, Any]:
    """Give a session as the service shows it."""
    answer = await service.get(f"/sessions/{session_id}")
    assert answer.status == 200
    session: dict[str, Any] = answer.json
    return session


async def test_legacy_session(legacy: Service) -> None:
    """On LEGACY a session needs a backend and an instance only; the reply is its xid-like id, nothing else."""
    answer = await legacy.post("/sessions", json={"backend": "ibm_hanoi", "instance": "h/g/p"})

    assert answer.status == 200
    assert set(answer.json) == {"id"}
    assert re.fullmatch("[0-9a-v]{20}", answer.json["id"])
    session = await shown(legacy, answer.json["id"])
    assert session["mode"] == "dedicated"
    assert session["created_at"]


async def test_cloud_session(cloud: Service) -> None:
    """On IBM_QUANTUM the reply is the whole session with the defaults filled in, under a UUID."""
    answer = await cloud.post("/sessions", json={"mode": "batch", "backend": "ibm_fez"})

    session = answer.json
    assert answer.status == 200
    assert str(uuid.UUID(session["id"])) == session["id"]
    assert session == {
        "id": session["id"],
        "backend_name": "ibm_fez",
        "mode": "batch",
        "state": "open",
        "state_reason": "session_created",
        "accepting_jobs": True,
        "started_at": "2026-09-10T18:44:00.123456Z",
        "interactive_ttl": 60,
        "max_ttl": 28800,
        "active_ttl": 28800,
        "timestamps": [{"status": "open", "timestamp": "2026-09-10T18:44:00.123456Z"}],
        "user_id": session["user_id"],
        "elapsed_time": None,
    }
    assert await shown(cloud, session["id"]) == session


@pytest.mark.parametrize(
    ("asked", "kept"),
    [
        ({"max_ttl": 600}, (600, 600, 60)),
        ({"max_ttl": 30}, (30, 30, 30)),
        ({"max_ttl": 99999999}, (28800, 28800, 60)),
        ({"max_ttl": 600, "active_ttl": 300, "interactive_ttl": 10}, (600, 300, 10)),
        ({"backend": None, "backend_name": "ibm_hanoi"}, (28800, 28800, 60)),
    ],
)
async def test_session_times(cloud: Service, asked: dict[str, Any], kept: tuple[int, int, int]) -> None:
    """Times are kept as asked, capped by the plan, and have defaults within one another."""
    session = await shown(cloud, await opened(cloud, **asked))

    assert (session["max_ttl"], session["active_ttl"], session["interactive_ttl"]) == kept


async def test_legacy_session_time(legacy: Service) -> None:
    """LEGACY spells a session's longest time `max_session_ttl`."""
    session = await shown(legacy, await opened(legacy, max_session_ttl=120))

    assert session["max_ttl"] == 120


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"mode": "interactive", "backend": "ibm_fez"},
        {"mode": None, "backend": "ibm_fez"},
        {"mode": "batch", "backend": 3},
        {"mode": "batch", "max_ttl": 0},
        {"mode": "batch", "max_ttl": "600"},
        {"mode": "batch", "max_ttl": True},
        {"mode": "batch", "max_ttl": 2**31},
        {"mode": "batch", "max_ttl": 60, "interactive_ttl": 61},
        {"mode": "batch", "active_ttl": 10, "interactive_ttl": 20},
        [],
        "batch",
    ],
)
async def test_bad_cloud_session(cloud: Service, body: object) -> None:
    """A session body that breaks the schema gets 400 and code 1208."""
    answer = await cloud.post("/sessions", json=body)

    assert (answer.status, answer.code) == (400, 1208)


@pytest.mark.parametrize(
    "body",
    [
        {"backend": "ibm_fez"},
        {"instance": "h/g/p"},
        {"backend": "ibm_fez", "instance": "h/g"},
        {"backend": "ibm_fez", "instance": "h//p"},
        {"backend": "ibm_fez", "instance": "h/g/p", "mode": "neither"},
        {"backend": "ibm_fez", "instance": "h/g/p", "max_session_ttl": 0},
    ],
)
async def test_bad_legacy_session(legacy: Service, body: object) -> None:
    """A LEGACY session without backend or well-formed instance, or of an unknown mode, gets 400 and 1208."""
    answer = await legacy.post("/sessions", json=body)

    assert (answer.status, answer.code) == (400, 1208)


async def test_session_on_unknown_backend(service: Service) -> None:
    """A session on a backend that is not on offer gets 404 and code 1216."""
    answer = await service.post("/sessions", json=BODY | {"backend": "ibm_nowhere"})

    assert (answer.status, answer.code) == (404, 1216)


async def test_life_of_a_session(bench: Bench, service: Service) -> None:
    """A session is open, active from its first job's start, and closed; its moments appear as they come."""
    session_id = await opened(service)
    job_id = await service.submit(backend="ibm_fez", session_id=session_id)
    held = await bench.pool.next()

    before = await shown(service, session_id)
    bench.clock.advance(10)
    held.begin()
    bench.clock.advance(5)
    during = await shown(service, session_id)
    held.finish()
    while await service.status(job_id) != "Completed":
        pass
    bench.clock.advance(5)
    closing = await service.delete(f"/sessions/{session_id}/close")
    after = await shown(service, session_id)

    assert before["state"] == "open"
    assert "activated_at" not in before
    assert (during["state"], during["active_ttl"]) == ("active", 28795)
    assert during["last_job_started"] == during["activated_at"]
    assert "last_job_completed" not in during
    assert (closing.status, closing.body) == (204, b"")
    assert (after["state"], after["accepting_jobs"]) == ("closed", False)
    assert after["state_reason"] == "session_closed_early"
    assert after["elapsed_time"] == 20
    assert after["last_job_completed"]
    assert after["closed_at"]
    assert [line["status"] for line in after["timestamps"]] == ["open", "active", "closed"]


async def test_close_fails_queued_jobs(bench: Bench, service: Service) -> None:
    """Closing fails queued jobs with code 1217, without a charge, and lets running ones finish."""
    session_id = await opened(service)
    jobs = [await service.submit(backend="ibm_fez", session_id=session_id) for _ in range(7)]
    held = [await bench.pool.next() for _ in range(5)]
    held[0].begin()

    await service.delete(f"/sessions/{session_id}/close")
    states = [(await service.get(f"/jobs/{job}")).json["state"] for job in jobs]
    still = await service.status(jobs[0])
    held[0].finish()
    while await service.status(jobs[0]) == "Running":
        pass

    code = "reasonCode" if service.prefix == "/runtime" else "reason_code"
    assert still == "Running"
    assert await service.status(jobs[0]) == "Completed"
    assert [state["status"] for state in states[1:]] == ["Failed"] * 6
    assert {state[code] for state in states[1:]} == {1217}
    assert {state["reason"] for state in states[1:]} == {"Session has been closed"}
    assert all(each.stopped for each in held[1:])
    assert not held[0].stopped
    assert 0 in (await service.get(f"/jobs/{jobs[1]}")).json["usage"].values()


async def test_close_twice(service: Service) -> None:
    """A closed session can be closed again: nothing changes."""
    session_id = await opened(service)

    first = await service.delete(f"/sessions/{session_id}/close")
    closed = await shown(service, session_id)
    second = await service.delete(f"/sessions/{session_id}/close")

    assert (first.status, second.status) == (204, 204)
    assert await shown(service, session_id) == closed


async def test_drain_empty_session(service: Service) -> None:
    """An empty session closes as soon as it accepts no more jobs; taking that back does not reopen it."""
    session_id = await opened(service)

    drained = await service.call("PATCH", f"/sessions/{session_id}", json={"accepting_jobs": False})
    closed = await shown(service, session_id)
    await service.call("PATCH", f"/sessions/{session_id}", json={"accepting_jobs": True})
    flipped = await shown(service, session_id)
    refused = await service.post("/jobs", json=service.job | {"backend": "ibm_fez", "session_id": session_id})

    assert (drained.status, drained.body) == (204, b"")
    assert (closed["state"], closed["accepting_jobs"]) == ("closed", False)
    assert (flipped["state"], flipped["accepting_jobs"]) == ("closed", True)
    assert (refused.status, refused.code) == (400, 1217)


async def test_drain_busy_session(bench: Bench, service: Service) -> None:
    """A drained session refuses new jobs, runs what it has, and then closes by itself."""
    session_id = await opened(service)
    jobs = [await service.submit(backend="ibm_fez", session_id=session_id) for _ in range(2)]
    held = [await bench.pool.next() for _ in range(2)]

    await service.call("PATCH", f"/sessions/{session_id}", json={"accepting_jobs": False})
    refused = await service.post("/jobs", json=service.job | {"backend": "ibm_fez", "session_id": session_id})
    states = [(await shown(service, session_id))["state"]]
    held[0].finish()
    while await service.status(jobs[0]) != "Completed":
        pass
    states.append((await shown(service, session_id))["state"])
    await service.post(f"/jobs/{jobs[1]}/cancel")
    states.append((await shown(service, session_id))["state"])

    assert (refused.status, refused.code) == (400, 1217)
    assert states == ["open", "active", "closed"]


async def test_submit_to_closed_session(service: Service) -> None:
    """A closed session takes no job: 400 and code 1217."""
    session_id = await opened(service)
    await service.delete(f"/sessions/{session_id}/close")

    answer = await service.post("/jobs", json=service.job | {"backend": "ibm_fez", "session_id": session_id})

    assert (answer.status, answer.code) == (400, 1217)


async def test_submit_to_unknown_session(service: Service) -> None:
    """A job for a session nobody knows gets 404."""
    answer = await service.post("/jobs", json=service.job | {"session_id": "unknown"})

    assert answer.status == 404
    assert "unknown" in answer.message


async def test_submit_for_another_backend(service: Service) -> None:
    """A session's jobs all run on its backend: another one is refused."""
    session_id = await opened(service, backend="ibm_fez")

    answer = await service.post("/jobs", json=service.job | {"backend": "ibm_hanoi", "session_id": session_id})

    assert (answer.status, answer.code) == (400, 1208)


async def test_open_backend_is_bound_by_first_job(cloud: Service) -> None:
    """A session without a backend takes that of its first job."""
    session_id = await opened(cloud, backend=None)
    before = await shown(cloud, session_id)
    await cloud.submit(backend="ibm_hanoi", session_id=session_id)

    refused = await cloud.post("/jobs", json=cloud.job | {"backend": "ibm_fez", "session_id": session_id})

    assert before["backend_name"] is None
    assert (await shown(cloud, session_id))["backend_name"] == "ibm_hanoi"
    assert refused.status == 400


@pytest.mark.parametrize("body", [{}, {"accepting_jobs": "no"}, {"accepting_jobs": 0}, [], None])
async def test_bad_update(service: Service, body: object) -> None:
    """An update without a true or false `accepting_jobs` gets 400 and code 1208."""
    session_id = await opened(service)

    answer = await service.call("PATCH", f"/sessions/{session_id}", json=body)

    assert (answer.status, answer.code) == (400, 1208)


@pytest.mark.parametrize(("method", "leaf"), [("GET", ""), ("PATCH", ""), ("DELETE", "/close")])
async def test_unknown_and_foreign_session(bench: Bench, method: str, leaf: str) -> None:
    """A session that never was, another user's, and another instance's are all unknown: 404."""
    legacy_id, cloud_id = await opened(bench.legacy), await opened(bench.cloud)
    strangers = [
        (bench.legacy, "never"),
        (bench.cloud, "never"),
        (bench.legacy.under(x_access_token="somebody else"), legacy_id),
        (bench.cloud.under(Authorization="apikey somebody else"), cloud_id),
        (bench.cloud.under(Service_CRN=OTHER_CRN), cloud_id),
    ]

    for caller, session_id in strangers:
        answer = await caller.call(method, f"/sessions/{session_id}{leaf}", json={"accepting_jobs": False})
        assert answer.status == 404
        assert session_id in answer.message
