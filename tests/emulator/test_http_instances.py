"""Instances, their limits and usage, accounts, plans and regions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from qrt_async.emulator.plans import OPEN, PREMIUM
from qrt_async.emulator.settings import Settings
from tests.emulator.service import CRN, OTHER_CRN, running

if TYPE_CHECKING:
    from qrt_async.emulator.devices import Device
    from tests.emulator.service import Bench, Service

LIMIT = "/instances/configuration"
EU_CRN = CRN.replace("us-east", "eu-de")


async def test_instance(cloud: Service) -> None:
    """An instance has the plan and backends of the emulator, and its limit as text once it has one."""
    before = (await cloud.get("/instance")).json
    await cloud.put(LIMIT, json={"instance_limit": 600})
    after = (await cloud.get("/instance")).json

    assert before == {"backends": ["ibm_hanoi", "ibm_fez"], "plan_id": PREMIUM.id}
    assert after == before | {"instance_limit": 600.0, "instance_limit_seconds": "600"}


async def test_limit_is_set_and_removed(cloud: Service) -> None:
    """A limit stays until null removes it, and is the instance's own; a body without it changes nothing."""
    empty = (await cloud.get(LIMIT)).json
    answer = await cloud.put(LIMIT, json={"instance_limit": 30})
    unchanged = await cloud.put(LIMIT, json={})
    held = (await cloud.get(LIMIT)).json
    other = (await cloud.get(LIMIT, headers={"Service-CRN": OTHER_CRN})).json
    await cloud.put(LIMIT, json={"instance_limit": None})

    assert (answer.status, answer.body, unchanged.status) == (204, b"", 204)
    assert (empty, held, other) == ({}, {"instance_limit": 30}, {})
    assert (await cloud.get(LIMIT)).json == {}


@pytest.mark.parametrize("body", [{"instance_limit": 0}, {"instance_limit": "600"}, {"instance_limit": 1.5}, [], None])
async def test_bad_limit(cloud: Service, body: object) -> None:
    """A limit is a whole number from 1 or null: anything else gets 400 and code 1208."""
    answer = await cloud.put(LIMIT, json=body)

    assert (answer.status, answer.code) == (400, 1208)


async def test_limit_below_usage(bench: Bench, cloud: Service) -> None:
    """A limit that the usage has reached already gets 409."""
    await bench.run(cloud)

    assert (await cloud.put(LIMIT, json={"instance_limit": 2})).status == 409
    assert (await cloud.put(LIMIT, json={"instance_limit": 3})).status == 204


async def test_usage_adds_up(bench: Bench, cloud: Service) -> None:
    """The usage is the sum of what jobs were charged, of every user and of this instance alone."""
    await bench.run(cloud, quantum_seconds=8.5)
    await bench.run(cloud.under(Authorization="apikey somebody else"))
    await bench.run(cloud.under(Service_CRN=OTHER_CRN), quantum_seconds=100)

    usage = (await cloud.get("/instances/usage")).json

    assert usage["usage_consumed_seconds"] == 10 + 2
    assert (usage["instance_id"], usage["plan_id"]) == (CRN, PREMIUM.id)
    assert usage["usage_period"]["end_time"] == "2026-09-10T18:44:00.123456Z"
    assert "usage_limit_reached" not in usage


async def test_usage_is_forgotten_after_the_period(bench: Bench, cloud: Service) -> None:
    """What was used 28 days ago counts no longer, and deleting a job gives nothing back."""
    job_id = await bench.run(cloud)
    await cloud.delete(f"/jobs/{job_id}")
    kept = (await cloud.get("/instances/usage")).json["usage_consumed_seconds"]
    bench.clock.advance(28 * 86_400)

    assert kept == 2
    assert (await cloud.get("/instances/usage")).json["usage_consumed_seconds"] == 0


async def test_jobs_wait_at_the_limit(bench: Bench, cloud: Service) -> None:
    """At its limit an instance takes jobs and lets them wait, until the limit is raised."""
    await cloud.put(LIMIT, json={"instance_limit": 2})
    await bench.run(cloud)
    usage = (await cloud.get("/instances/usage")).json
    waiting = await cloud.submit()
    cancelled = await cloud.submit()
    gone = await cloud.post(f"/jobs/{cancelled}/cancel")
    held = len(bench.pool.held)
    await cloud.put(LIMIT, json={"instance_limit": 10})
    (await bench.pool.next()).finish()
    while await cloud.status(waiting) != "Completed":
        pass

    assert (usage["usage_limit_seconds"], usage["usage_limit_reached"]) == (2, True)
    assert held == 1
    assert gone.status == 204
    assert len(bench.pool.held) == 2


async def test_account(bench: Bench, cloud: Service) -> None:
    """The caller's account shows its plan with what all its instances used."""
    await bench.run(cloud)
    await bench.run(cloud.under(Service_CRN=OTHER_CRN))

    [plan] = (await cloud.get("/accounts/0123456789abcdef")).json["plans"]

    assert plan["plan_id"] == PREMIUM.id
    assert plan["usage_consumed_seconds"] == 4
    assert plan["max_ttl"] == 28_800
    assert (await cloud.get(f"/accounts/0123456789abcdef?plan_id={OPEN.id}")).json == {"plans": []}


@pytest.mark.parametrize(("name", "status"), [("another", 403), ("a%2Fb", 400), ("x" * 65, 400)])
async def test_another_account(cloud: Service, name: str, status: int) -> None:
    """Another account is forbidden, and an id that cannot be one is refused."""
    assert (await cloud.get(f"/accounts/{name}")).status == status


@pytest.mark.parametrize(
    "path", ["/instance", "/instances/usage", LIMIT, "/accounts/a", "/workloads", "/analytics/usage"]
)
async def test_without_credential(cloud: Service, path: str) -> None:
    """Without a credential nothing is told of an instance: 401 and code 1201."""
    answer = await cloud.get(path, headers={"Authorization": ""})

    assert (answer.status, answer.code) == (401, 1201)


@pytest.mark.parametrize("path", ["/instance", "/instances/usage", "/jobs", "/sessions/s", "/workloads"])
async def test_wrong_region(cloud: Service, path: str) -> None:
    """An instance of another region is unknown here: 404 and code 1279; the versions are listed all the same."""
    elsewhere = cloud.under(Service_CRN=EU_CRN)

    answer = await elsewhere.get(path)

    assert (answer.status, answer.code) == (404, 1279)
    assert EU_CRN in answer.message
    assert (await elsewhere.get("/versions")).status == 200


async def test_other_region(snapshots: dict[str, Device]) -> None:
    """An emulator of the other region knows its instances and no others."""
    async with running(snapshots, Settings(region="eu-de")) as bench:
        assert (await bench.cloud.get("/jobs")).code == 1279
        assert (await bench.cloud.under(Service_CRN=EU_CRN).get("/jobs")).status == 200


async def test_open_plan_refuses_dedicated_sessions(open_bench: Bench) -> None:
    """The open plan has batches alone: a dedicated session gets 400 and code 1352."""
    refused = await open_bench.cloud.post("/sessions", json={"mode": "dedicated"})
    batch = await open_bench.cloud.post("/sessions", json={"mode": "batch", "max_ttl": 28_800})

    assert (refused.status, refused.code) == (400, 1352)
    assert batch.json["max_ttl"] == 600


async def test_open_plan_jobs(open_bench: Bench) -> None:
    """On the open plan a job may take 600 seconds, and the 600 seconds of the period bound them all."""
    job_id = await open_bench.run(open_bench.cloud)
    usage = (await open_bench.cloud.get("/instances/usage")).json

    assert (await open_bench.cloud.get(f"/jobs/{job_id}")).json["cost"] == 600
    assert (usage["usage_allocation_seconds"], usage["usage_limit_reached"]) == (600, False)
    assert (await open_bench.cloud.get("/instance")).json["usage_allocation_seconds"] == "600"


async def test_open_plan_has_no_custom_calibrations(open_bench: Bench) -> None:
    """A calibration id is not for the open plan: 403, for backends and jobs alike."""
    cloud = open_bench.cloud

    answers = [
        await cloud.get("/backends/ibm_fez/properties?calibration_id=c"),
        await cloud.get("/backends/ibm_fez/configuration?calibration_id=c"),
        await cloud.post("/jobs", json=cloud.job | {"calibration_id": "c"}),
    ]

    assert {(answer.status, answer.code) for answer in answers} == {(403, 1200)}


async def test_waiting_times(bench: Bench, open_bench: Bench, cloud: Service) -> None:
    """Waiting times are those of the jobs that ran, only where asked for, and never on the open plan."""
    for waits in (1, 2, 9):
        await bench.run(cloud, waits=waits)

    asked = "/backends?fields=wait_time_seconds"
    rows = {row["name"]: row for row in (await cloud.get(asked)).json["devices"]}
    unasked = (await cloud.get("/backends")).json["devices"]
    open_rows = (await open_bench.cloud.get(asked)).json["devices"]

    assert rows["ibm_fez"]["wait_time_seconds"] == {"average": 4, "p50": 2, "p95": 9}
    assert rows["ibm_hanoi"]["wait_time_seconds"] == {"average": 0, "p50": 0, "p95": 0}
    assert not any("wait_time_seconds" in row for row in [*unasked, *open_rows])


async def test_legacy_pending_limit(open_bench: Bench) -> None:
    """On LEGACY the open plan takes three pending jobs, and refuses the fourth with code 3458."""
    legacy = open_bench.legacy
    jobs = [await legacy.submit() for _ in range(3)]
    refused = await legacy.post("/jobs", json=legacy.job)
    await legacy.post(f"/jobs/{jobs[0]}/cancel")

    assert (refused.status, refused.code) == (400, 3458)
    assert (await legacy.post("/jobs", json=legacy.job)).status == 200


async def test_known_500(snapshots: dict[str, Device]) -> None:
    """Only on demand is an unknown session mode answered with a bare internal error, as it is live."""
    async with running(snapshots, Settings(known_500s=True)) as bench:
        headers = bench.cloud.headers
        async with bench.http.post("/api/v1/sessions", json={"mode": "neither"}, headers=headers) as reply:
            assert reply.status == 500
            assert await reply.json() == {"errors": [{"message": "Internal server error"}]}
