"""`/workloads` and `/analytics/…`: what happened, paged and added up."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from qrt_async.emulator.plans import PREMIUM, Crn
from tests.emulator.service import CRN, OTHER_CRN

if TYPE_CHECKING:
    from tests.emulator.service import Bench, Service


async def session(cloud: Service, mode: str) -> str:
    """Open a session and give its id."""
    session_id: str = (await cloud.post("/sessions", json={"mode": mode, "backend": "ibm_fez"})).json["id"]
    return session_id


async def pages(cloud: Service, query: str = "", *, way: str = "next") -> list[list[str]]:
    """Follow the cursors of one direction from page to page; give the ids of each page."""
    found: list[list[str]] = []
    path: str | None = f"/workloads?{query}"
    while path is not None:
        page = (await cloud.get(path)).json
        found.append([row["id"] for row in page["workloads"]])
        href = page.get(way, {}).get("href")
        path = None if href is None else href.split("/api/v1", 1)[1]
    return found


async def test_words_and_order(bench: Bench, cloud: Service) -> None:
    """Jobs, sessions and batches come the oldest first, each in the words of workloads."""
    done = await bench.run(cloud, tags=["t"])
    bench.clock.advance(1)
    batch = await session(cloud, "batch")
    await bench.run(cloud, session_id=batch, quantum_seconds=5)
    bench.clock.advance(1)
    dedicated = await session(cloud, "dedicated")
    bench.clock.advance(1)
    queued = await cloud.submit()

    page = (await cloud.get("/workloads")).json
    rows = page["workloads"]

    assert [row["id"] for row in rows] == [done, batch, dedicated, queued]
    assert [row["mode"] for row in rows] == ["job", "batch", "session", "job"]
    assert [row["status"] for row in rows] == ["completed", "in_progress", "pending", "pending"]
    assert [row["accepting_jobs"] for row in rows] == [None, True, True, None]
    assert [row["usage"]["qpu_charge_time_seconds"] for row in rows] == [2, 6, 0, 0]
    assert [row["usage"]["status"] for row in rows] == ["complete", "pending", "pending", "pending"]
    assert ["ended" in row for row in rows] == [True, False, False, False]
    assert rows[0]["tags"] == ["t"]
    assert {row["instance"] for row in rows} == {CRN}
    assert (page["total_count"], page["limit"]) == (4, 10)
    assert "next" not in page


async def test_cursors(bench: Bench, cloud: Service) -> None:
    """Pages follow each other without gap or repetition, both ways and in both orders, equal dates included."""
    jobs: list[str] = []
    for number in range(7):
        jobs.append(await cloud.submit())
        bench.clock.advance(number % 2)
    by_date = [row["id"] for row in (await cloud.get("/workloads?limit=50")).json["workloads"]]

    forward = await pages(cloud, "limit=3")
    backward = await pages(cloud, "limit=3&sort=-createdAt")

    assert sorted(by_date) == sorted(jobs)
    assert [len(page) for page in forward] == [3, 3, 1]
    assert list(chain(*forward)) == by_date
    assert list(chain(*backward)) == by_date[::-1]


async def test_previous_pages(cloud: Service) -> None:
    """The way back from the last page gives the pages before it."""
    for _ in range(5):
        await cloud.submit()
    first = (await cloud.get("/workloads?limit=2")).json
    second = (await cloud.get("/workloads?" + urlsplit(first["next"]["href"]).query)).json

    back = (await cloud.get("/workloads?" + urlsplit(second["previous"]["href"]).query)).json

    assert back["workloads"] == first["workloads"]
    assert "previous" not in back


async def test_new_work_does_not_disturb_pages(bench: Bench, cloud: Service) -> None:
    """What is submitted or deleted while somebody pages neither repeats nor hides the rest."""
    jobs = [await bench.run(cloud) for _ in range(4)]
    bench.clock.advance(1)
    first = (await cloud.get("/workloads?limit=2&sort=createdAt")).json
    seen = [row["id"] for row in first["workloads"]]
    await cloud.delete(f"/jobs/{seen[0]}")
    await cloud.submit()

    rest = await pages(cloud, urlsplit(first["next"]["href"]).query)

    assert sorted(seen + list(chain(*rest))[:2]) == sorted(jobs)


async def test_filters(bench: Bench, cloud: Service) -> None:
    """Each filter leaves what it admits; several of one kind admit more, different ones less."""
    done = await bench.run(cloud, tags=["red", "green"])
    bench.clock.advance(10)
    other = await cloud.submit(backend="ibm_hanoi", tags=["red"])
    batch = await session(cloud, "batch")
    everything = {done, other, batch}

    async def ids(query: str) -> set[str]:
        return set(chain(*await pages(cloud, query)))

    assert await ids("user=me") == everything
    assert await ids("status=completed&status=pending") == everything
    assert await ids("status=completed") == {done}
    assert await ids("mode=batch") == {batch}
    assert await ids("mode=session") == set()
    assert await ids("backend=ibm_hanoi") == {other}
    assert await ids("tags=red") == {done, other}
    assert await ids("tags=red&tags=green") == {done}
    assert await ids("search=gree") == {done}
    assert await ids(f"search={batch[:8]}") == {batch}
    assert await ids("created_after=2026-09-10T18:44:05Z") == {other, batch}
    assert await ids("created_before=2026-09-10T18:44:05Z&status=completed") == {done}


@pytest.mark.parametrize(
    "query",
    [
        "user=you",
        "sort=created",
        "limit=0",
        "limit=51",
        "limit=x",
        "status=Completed",
        "mode=dedicated",
        "next=nonsense",
        "previous=%C3%A4",
        "next=MjAyNi0wOS0xMCB4",
        "created_after=yesterday",
    ],
)
async def test_bad_query(cloud: Service, query: str) -> None:
    """What no workload can be asked for gets 400, with all fields of an error."""
    answer = await cloud.get(f"/workloads?{query}")

    assert (answer.status, answer.code) == (400, 1208)
    assert query.split("=", maxsplit=1)[0] in answer.message


async def used(bench: Bench, cloud: Service) -> tuple[str, str]:
    """Use two instances of an account in every way; give the ids of a batch and of a dedicated session."""
    await bench.run(cloud, waits=3)
    batch, dedicated = await session(cloud, "batch"), await session(cloud, "dedicated")
    await bench.run(cloud, session_id=batch, quantum_seconds=4)
    await bench.run(cloud, session_id=batch, quantum_seconds=5, waits=1)
    await bench.run(cloud, session_id=dedicated, quantum_seconds=9)
    await bench.run(cloud.under(Service_CRN=OTHER_CRN), backend="ibm_hanoi", quantum_seconds=19)
    return batch, dedicated


async def test_totals(bench: Bench, cloud: Service) -> None:
    """Analytics add up the charges of the account's jobs, in milliseconds."""
    await used(bench, cloud)

    totals = (await cloud.get("/analytics/usage")).json

    assert totals == {
        "usage": 43_000,
        "jobs": 5,
        "sessions": 2,
        "sessions_usage": 21_000,
        "avg_sessions_usage": 10_500,
        "max_sessions_usage": 11_000,
        "batch_sessions": 1,
        "batch_sessions_usage": 11_000,
        "avg_batch_sessions_usage": 11_000,
        "max_batch_sessions_usage": 11_000,
        "dedicated_sessions": 1,
        "dedicated_sessions_usage": 10_000,
        "avg_dedicated_sessions_usage": 10_000,
        "max_dedicated_sessions_usage": 10_000,
        "individual_jobs": 2,
        "individual_jobs_usage": 22_000,
        "avg_individual_jobs_usage": 11_000,
        "max_individual_jobs_usage": 20_000,
        "queue_time": 4_000,
        "avg_queue_time": 800,
        "max_queue_time": 3_000,
    }


async def test_analytics_agree_with_metrics(bench: Bench, cloud: Service) -> None:
    """What metrics say of each job, the instances' usage and the analytics are the same sum."""
    await used(bench, cloud)
    both = [cloud, cloud.under(Service_CRN=OTHER_CRN)]

    charged: list[int] = []
    consumed: list[int] = []
    for caller in both:
        jobs = (await caller.get("/jobs")).json["jobs"]
        metrics = [(await caller.get(f"/jobs/{job['id']}/metrics")).json for job in jobs]
        charged.append(sum(each["usage"]["qpu_charge_time_seconds"] for each in metrics))
        consumed.append((await caller.get("/instances/usage")).json["usage_consumed_seconds"])

    assert charged == consumed
    assert sum(charged) * 1000 == (await cloud.get("/analytics/usage")).json["usage"]


@pytest.mark.parametrize(
    ("group", "keys"),
    [
        ("instance", {CRN: 23_000, OTHER_CRN: 20_000}),
        ("backend", {"ibm_fez": 23_000, "ibm_hanoi": 20_000}),
        ("plan", {"premium": 43_000}),
    ],
)
async def test_groups(bench: Bench, cloud: Service, group: str, keys: dict[str, int]) -> None:
    """Groups split the total by their key."""
    await used(bench, cloud)

    rows = (await cloud.get(f"/analytics/usage_grouped?group_by={group}")).json["data"]

    assert {row["key"]: row["usage"] for row in rows} == keys


async def test_days(bench: Bench, cloud: Service) -> None:
    """By date, each day with jobs has a row of its own, within the interval."""
    await bench.run(cloud)
    bench.clock.advance(86_400)
    await bench.run(cloud)
    await bench.run(cloud)

    answer = (await cloud.get("/analytics/usage_grouped_by_date?group_by=instance")).json
    later = (
        await cloud.get("/analytics/usage_grouped_by_date?group_by=instance&interval_start=2026-09-11T00:00:00Z")
    ).json

    assert [(row["interval_start"][:10], row["jobs"], row["key"]) for row in answer["data"]] == [
        ("2026-09-10", 1, CRN),
        ("2026-09-11", 2, CRN),
    ]
    assert answer["data"][0]["interval_end"] == "2026-09-11T00:00:00.000000Z"
    assert [row["jobs"] for row in later["data"]] == [2]


async def test_analytics_filters(bench: Bench, cloud: Service) -> None:
    """The filters' values are those that occur, and each of them selects."""
    await used(bench, cloud)

    values = (await cloud.get("/analytics/filters")).json
    crn = Crn.parse(CRN)
    assert crn is not None
    queries: dict[str, Any] = {
        f"backend={values['backends'][0]['name']}": 23_000,
        f"instance={OTHER_CRN}": 20_000,
        f"user_id={values['users'][0]['id']}": 43_000,
        "user_id=nobody": 0,
        f"plan={PREMIUM.name}": 43_000,
        f"subscription_id={crn.subscription}": 43_000,
        "interval_end=2026-09-10T00:00:00Z": 0,
        "backend=ibm_fez&backend=ibm_hanoi": 43_000,
        "simulators=false": 43_000,
    }

    assert values["instances"] == [{"id": CRN, "deleted": False}, {"id": OTHER_CRN, "deleted": False}]
    assert [row["id"] for row in values["subscriptions"]] == [crn.subscription]
    for query, usage in queries.items():
        assert (await cloud.get(f"/analytics/usage?{query}")).json["usage"] == usage, query


@pytest.mark.parametrize(
    "path",
    [
        "usage_grouped",
        "usage_grouped?group_by=color",
        "usage_grouped_by_date?group_by=backend",
        "usage?interval_start=never",
        "usage?subscription_id=x",
        "usage?simulators=perhaps",
    ],
)
async def test_bad_analytics(cloud: Service, path: str) -> None:
    """What cannot be added up gets 400 and code 1208."""
    answer = await cloud.get(f"/analytics/{path}")

    assert (answer.status, answer.code) == (400, 1208)


async def test_another_account_sees_nothing(bench: Bench, cloud: Service) -> None:
    """Analytics are the account's own."""
    await bench.run(cloud)

    stranger = cloud.under(Service_CRN=CRN.replace("a/0123456789abcdef", "a/another"))

    assert (await stranger.get("/analytics/usage")).json["jobs"] == 0
    assert (await stranger.get("/workloads")).json["total_count"] == 0
