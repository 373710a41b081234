"""Time limits of sessions and jobs, on a clock that moves when told."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from qrt_async.emulator.alarms import Alarms
from tests.emulator.service import HandClock

if TYPE_CHECKING:
    from qrt_async.emulator.clock import Instant
    from tests.emulator.service import Bench, Service

REASON = "state_reason"


async def opened(cloud: Service, **changes: Any) -> str:
    """Open a session and give its id."""
    body = {"mode": "batch", "backend": "ibm_fez", **changes}
    session_id: str = (await cloud.post("/sessions", json=body)).json["id"]
    return session_id


async def state(cloud: Service, session_id: str) -> tuple[str, str]:
    """Give a session's state and the reason for it."""
    session = (await cloud.get(f"/sessions/{session_id}")).json
    return session["state"], session[REASON]


async def test_interactive_ttl(bench: Bench, cloud: Service) -> None:
    """A session without a job for its interactive time is inactive, until its next job starts."""
    session_id = await opened(cloud)
    await bench.run(cloud, session_id=session_id)
    bench.clock.advance(59)
    before = await state(cloud, session_id)
    bench.clock.advance(1)
    after = await state(cloud, session_id)
    bench.clock.advance(1000)
    await bench.run(cloud, session_id=session_id)
    revived = (await cloud.get(f"/sessions/{session_id}")).json

    assert before == ("active", "session_activated")
    assert after == ("inactive", "session_inactivated_by_interactive_ttl")
    assert (revived["state"], revived["active_ttl"]) == ("active", 28_800 - 60)
    assert [line["status"] for line in revived["timestamps"]] == ["open", "active", "inactive", "active"]
    assert revived["timestamps"][2]["timestamp"] == "2026-09-10T18:45:00.123456Z"


async def test_running_job_keeps_a_session_active(bench: Bench, cloud: Service) -> None:
    """A session with a queued or running job does not become inactive."""
    session_id = await opened(cloud)
    await cloud.submit(session_id=session_id)
    (await bench.pool.next()).begin()
    bench.clock.advance(5000)

    assert (await state(cloud, session_id))[0] == "active"


async def test_max_ttl(bench: Bench, cloud: Service) -> None:
    """At its maximum a session closes: queued jobs fail with code 1217, the running one finishes."""
    session_id = await opened(cloud, max_ttl=100)
    running, waiting = [await cloud.submit(session_id=session_id) for _ in range(2)]
    held = [await bench.pool.next() for _ in range(2)]
    held[0].begin()
    bench.clock.advance(100)
    closed = (await cloud.get(f"/sessions/{session_id}")).json
    failed = (await cloud.get(f"/jobs/{waiting}")).json["state"]
    refused = await cloud.post("/jobs", json=cloud.job | {"session_id": session_id})
    held[0].finish()
    while await cloud.status(running) == "Running":
        pass

    assert (closed["state"], closed[REASON]) == ("closed", "session_closed_by_max_ttl")
    assert closed["elapsed_time"] == 100
    assert (failed["status"], failed["reason_code"]) == ("Failed", 1217)
    assert held[1].stopped
    assert (refused.status, refused.code) == (400, 1217)
    assert await cloud.status(running) == "Completed"


async def test_late_clock_gives_exact_dates(bench: Bench, cloud: Service) -> None:
    """However far the clock jumps, a session's moments are those at which its times were over."""
    session_id = await opened(cloud, max_ttl=3600, mode="dedicated")
    await bench.run(cloud, session_id=session_id)
    bench.clock.advance(50_000)
    session = (await cloud.get(f"/sessions/{session_id}")).json

    assert [line["timestamp"][11:19] for line in session["timestamps"]] == [
        "18:44:00",
        "18:44:00",
        "18:45:00",
        "19:14:00",
    ]
    assert session[REASON] == "session_closed_by_idle_ttl"


async def test_active_ttl(bench: Bench, cloud: Service) -> None:
    """A session closes once it has been active for its active time, inactive time not counted."""
    session_id = await opened(cloud, max_ttl=10_000, active_ttl=100, interactive_ttl=60)
    await bench.run(cloud, session_id=session_id)
    bench.clock.advance(2000)
    await bench.run(cloud, session_id=session_id)
    bench.clock.advance(39)
    before = await state(cloud, session_id)
    bench.clock.advance(1)

    assert before[0] == "active"
    assert await state(cloud, session_id) == ("closed", "session_closed_by_active_ttl")


@pytest.mark.parametrize(("mode", "end"), [("dedicated", "closed"), ("batch", "open")])
async def test_dedicated_session_without_jobs(bench: Bench, cloud: Service, mode: str, end: str) -> None:
    """A dedicated session without a job for half an hour closes; a batch waits on."""
    session_id = await opened(cloud, mode=mode)
    bench.clock.advance(1799)
    before = await state(cloud, session_id)
    bench.clock.advance(1)

    assert before[0] == "open"
    assert (await state(cloud, session_id))[0] == end


async def test_job_over_its_cost(bench: Bench, service: Service) -> None:
    """A job whose time on the device exceeds its cost is cancelled as having run too long, and charged its cost."""
    job_id = await bench.run(service, cost=5, quantum_seconds=5.1)

    job = (await service.get(f"/jobs/{job_id}")).json

    if service.prefix == "/runtime":
        assert job["status"] == "Cancelled - Ran too long"
        assert job["state"] == {"status": "Cancelled", "reason": "Ran too long", "reasonCode": None}
    else:
        assert job["status"] == job["state"]["status"] == "Cancelled"
        assert job["state"]["reason_code"] == 1305
    assert 5 in job["usage"].values()
    assert (await service.get(f"/jobs/{job_id}/results")).status == 204


async def test_job_within_its_cost(bench: Bench, cloud: Service) -> None:
    """A job that takes no longer than it may is completed, as is one that names no cost on LEGACY."""
    exact = await bench.run(cloud, cost=5, quantum_seconds=5)
    free = await bench.run(bench.legacy, quantum_seconds=5000)

    assert await cloud.status(exact) == "Completed"
    assert await bench.legacy.status(free) == "Completed"


async def test_job_that_never_ends(bench: Bench, cloud: Service) -> None:
    """A job still running a minute after the time it may take is stopped, and its worker with it."""
    job_id = await cloud.submit(cost=30)
    held = await bench.pool.next()
    held.begin()
    bench.clock.advance(89)
    before = await cloud.status(job_id)
    bench.clock.advance(1)
    after = (await cloud.get(f"/jobs/{job_id}")).json

    assert before == "Running"
    assert (after["state"]["status"], after["state"]["reason_code"]) == ("Cancelled", 1305)
    assert after["usage"]["qpu_charge_time_seconds"] == 30
    assert held.stopped


async def test_alarms_ring_in_order() -> None:
    """Alarms ring at their moments, the earliest first, whenever they were set; cancelled ones stay silent."""
    clock = HandClock()
    alarms = Alarms(clock)
    rung: list[tuple[str, float]] = []

    def ring(name: str, at: Instant) -> None:
        rung.append((name, at.monotonic - 1000))
        if name == "a":
            alarms.at(1002, lambda moment: ring("from a", moment))

    alarms.at(1005, lambda moment: ring("b", moment))
    alarms.at(1001, lambda moment: ring("a", moment))
    alarms.at(1003, lambda moment: ring("c", moment)).cancel()
    clock.advance(10)
    while len(rung) < 3:
        await asyncio.sleep(0)
    await alarms.close()

    assert rung == [("a", 1), ("from a", 2), ("b", 5)]


async def test_cancelled_alarms_do_not_pile_up() -> None:
    """Thousands of alarms that were cancelled are let go of, while those that stand still ring."""
    clock = HandClock()
    alarms = Alarms(clock)
    rung: list[float] = []
    for number in range(5000):
        alarm = alarms.at(2000 + number, lambda moment: rung.append(moment.monotonic))
        if number % 1000:
            alarm.cancel()
    kept = len(alarms)
    clock.advance(10_000)
    while len(rung) < 5:
        await asyncio.sleep(0)
    await alarms.close()

    assert kept < 300
    assert rung == [2000, 3000, 4000, 5000, 6000]
