"""The list of jobs: order, pages, filters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.emulator.service import OTHER_CRN

if TYPE_CHECKING:
    from tests.emulator.service import Bench, Service


async def listed(service: Service, query: str = "") -> list[str]:
    """Give the ids of the jobs that a list has, in its order."""
    answer = await service.get(f"/jobs{query}")
    assert answer.status == 200
    return [job["id"] for job in answer.json["jobs"]]


async def test_empty_list(service: Service) -> None:
    """A user without jobs gets an empty page of the default size."""
    answer = await service.get("/jobs")

    assert answer.json == {"jobs": [], "count": 0, "limit": 200, "offset": 0}


async def test_order(bench: Bench, service: Service) -> None:
    """Jobs are listed newest first, or oldest first on demand, even within one moment."""
    jobs = [await service.submit() for _ in range(3)]
    bench.clock.advance(1)
    jobs.append(await service.submit())

    assert await listed(service) == jobs[::-1]
    assert await listed(service, "?sort=DESC") == jobs[::-1]
    assert await listed(service, "?sort=ASC") == jobs
    assert await listed(service, "?sort=sideways") == jobs[::-1]


async def test_pages(service: Service) -> None:
    """Limit and offset cut a page out; the count stays that of all jobs."""
    jobs = [await service.submit() for _ in range(5)]

    page = (await service.get("/jobs?limit=2&offset=1&sort=ASC")).json

    assert [job["id"] for job in page["jobs"]] == jobs[1:3]
    assert (page["count"], page["limit"], page["offset"]) == (5, 2, 1)
    assert await listed(service, "?offset=5") == []


@pytest.mark.parametrize("value", ["0", "-1", "201", "x", "", "1.5", "99999999999999999999", "²"])
async def test_bad_limit_is_the_default(service: Service, value: str) -> None:
    """A limit out of range, or none at all, silently becomes 200."""
    answer = await service.get("/jobs", params={"limit": value})

    assert (answer.status, answer.json["limit"]) == (200, 200)


@pytest.mark.parametrize("value", ["-1", "x", "", "99999999999"])
async def test_bad_offset_is_the_default(service: Service, value: str) -> None:
    """An offset out of range, or none at all, silently becomes 0."""
    answer = await service.get("/jobs", params={"offset": value})

    assert (answer.status, answer.json["offset"]) == (200, 0)


async def test_params_are_left_out(service: Service) -> None:
    """A list has no params unless `exclude_params=false`."""
    await service.submit()

    usual = (await service.get("/jobs")).json["jobs"][0]
    full = (await service.get("/jobs?exclude_params=false")).json["jobs"][0]

    assert "params" not in usual
    assert full["params"] == service.job["params"]


async def test_pending(bench: Bench, service: Service) -> None:
    """`pending=true` means Queued and Running, `pending=false` the rest, nothing all."""
    running, over, queued = [await service.submit() for _ in range(3)]
    held = [await bench.pool.next() for _ in range(3)]
    held[0].begin()
    await service.post(f"/jobs/{over}/cancel")

    assert await listed(service, "?pending=true") == [queued, running]
    assert await listed(service, "?pending=True") == [queued, running]
    assert await listed(service, "?pending=false") == [over]
    assert await listed(service) == [queued, over, running]


async def test_filters(service: Service) -> None:
    """Program and backend select exactly; an unknown session selects nothing, without an error."""
    sampler = await service.submit(backend="ibm_fez")
    estimator = await service.submit(
        backend="ibm_hanoi", program_id="estimator", params={"pubs": [["OPENQASM 3.0;", "Z"]]}
    )

    assert await listed(service, "?program=estimator") == [estimator]
    assert await listed(service, "?backend=ibm_fez") == [sampler]
    assert await listed(service, "?backend=ibm_fe") == []
    assert await listed(service, "?program=sampler&backend=ibm_hanoi") == []
    assert await listed(service, "?session_id=unknown") == []


async def test_session_filter(service: Service) -> None:
    """A session's id selects its jobs."""
    body = {"backend": service.job["backend"], "instance": "h/g/p", "mode": "dedicated"}
    session_id = (await service.post("/sessions", json=body)).json["id"]
    await service.submit()
    inside = await service.submit(session_id=session_id)

    assert await listed(service, f"?session_id={session_id}") == [inside]


async def test_tags_filter(service: Service) -> None:
    """Repeated `tags` must all be there; bracket spellings are ignored."""
    both = await service.submit(tags=["a", "b"])
    one = await service.submit(tags=["a"])

    assert await listed(service, "?tags=a") == [one, both]
    assert await listed(service, "?tags=a&tags=b") == [both]
    assert await listed(service, "?tags=c") == []
    assert await listed(service, "?tags[]=c") == [one, both]


async def test_created_bounds(bench: Bench, service: Service) -> None:
    """`created_after` and `created_before` include the bound, in any zone; what a job shows is exact."""
    jobs: list[str] = []
    dates: list[str] = []
    for _ in range(3):
        jobs.append(await service.submit())
        dates.append((await service.get(f"/jobs/{jobs[-1]}")).json["created"])
        bench.clock.advance(60)

    assert await listed(service, f"?created_after={dates[1]}") == [jobs[2], jobs[1]]
    assert await listed(service, f"?created_before={dates[1]}") == [jobs[1], jobs[0]]
    assert await listed(service, f"?created_after={dates[1]}&created_before={dates[1]}") == [jobs[1]]
    assert await listed(service, "?created_after=2026-09-10T20:45:30%2B02:00") == [jobs[2]]
    assert await listed(service, "?created_after=2026-09-10T20:45:30+02:00") == [jobs[2]]


@pytest.mark.parametrize("value", ["", "yesterday", "2026-13-01", "0001-01-01T00:00:00+14:00"])
async def test_bad_date(service: Service, value: str) -> None:
    """A bound that is no date gets 400 and code 1208."""
    answer = await service.get("/jobs", params={"created_after": value})

    assert (answer.status, answer.code) == (400, 1208)


async def test_provider_filter(legacy: Service) -> None:
    """On LEGACY `provider` selects the jobs of one hub/group/project."""
    here = await legacy.submit()
    there = await legacy.submit(hub="other")

    assert await listed(legacy, "?provider=h/g/p") == [here]
    assert await listed(legacy, "?provider=other/g/p") == [there]


async def test_foreign_jobs_are_not_listed(bench: Bench) -> None:
    """A list has the caller's own jobs on this platform and in this instance only."""
    await bench.legacy.submit()
    await bench.cloud.submit()

    assert await listed(bench.legacy.under(x_access_token="somebody else")) == []
    assert await listed(bench.cloud.under(Authorization="apikey somebody else")) == []
    assert await listed(bench.cloud.under(Service_CRN=OTHER_CRN)) == []
    assert len(await listed(bench.cloud)) == len(await listed(bench.legacy)) == 1
