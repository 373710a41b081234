"""Watching many jobs: one request a look, whoever comes and goes."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from qrt_async import Client, JobFilter, JobStatus, UnknownJobStatus, WaitTimeout
from qrt_async.cli.watch import Watched, changes
from tests.client.conftest import FakeClock
from tests.client.scripted import Service, reply

LIST = "GET /api/v1/jobs"


def entry(name: str, status: str, minute: int) -> dict[str, Any]:
    """Return a job as a list shows it."""
    created = dt.datetime(2026, 1, 1, 12, minute, tzinfo=dt.UTC).isoformat()
    state = {"status": status}
    return {"id": name, "program": {"id": "sampler"}, "status": status, "state": state, "created": created}


def page(*jobs: dict[str, Any]) -> Any:
    """Answer with one page that is all there is."""
    return reply(body={"jobs": list(jobs), "count": len(jobs), "limit": 200, "offset": 0})


async def watched(client: Client) -> Watched:
    """Return the jobs of the list as they are now."""
    seen = Watched()
    async for job in client.jobs.list():
        seen.see(job)
    return seen


async def test_one_request_for_all(service: Service, clock: FakeClock) -> None:
    """Each look is one list request from the oldest waiting job on, and the changes of each look come together."""
    waiting = [entry(f"j{i}", "Queued", i) for i in range(50)]
    ended = [entry(f"j{i}", "Completed", i) for i in range(50)]
    service.on(LIST, page(*waiting), page(*ended[:2], *waiting[2:]), page(*waiting[2:]), page(*ended[2:]))
    async with Client(service.account()) as client:
        seen = await watched(client)
        news = [
            [job.id for job in found]
            async for found in changes(client, seen, JobFilter(), interval=5, timeout=None, clock=clock)
        ]

    assert news == [["j0", "j1"], [], [f"j{i}" for i in range(2, 50)]]
    assert [one.path for one in service.seen if one.method == "GET"] == ["/api/v1/jobs"] * 4
    assert clock.slept == [5, 5, 5]
    assert "created_after=2026-01-01T12:02:00Z" in service.asked(LIST)[2].query


async def test_a_job_that_the_list_leaves_out_is_asked_for(service: Service, clock: FakeClock) -> None:
    """A job that the whole list does not hold is looked at by itself, so that its end is seen all the same."""
    service.on(LIST, page(entry("j", "Queued", 0)), page(entry("other", "Running", 1)))
    service.on("GET /api/v1/jobs/j", reply(body=entry("j", "Completed", 0)))
    async with Client(service.account()) as client:
        seen = await watched(client)
        async for _ in changes(client, seen, JobFilter(), interval=5, timeout=60, clock=clock):
            pass

    assert list(seen.jobs) == ["j"]
    assert clock.slept == [5]


async def test_the_wait_is_bounded(service: Service, clock: FakeClock) -> None:
    """When the time is over the watching ends with an error that says how many jobs go on."""
    service.on(LIST, page(entry("j", "Running", 0)))
    async with Client(service.account()) as client:
        seen = await watched(client)
        with pytest.raises(WaitTimeout, match="1 jobs"):
            async for _ in changes(client, seen, JobFilter(), interval=5, timeout=12, clock=clock):
                pass

    assert clock.slept == [5, 5, 2]


async def test_an_unknown_status_is_no_wait(service: Service, clock: FakeClock) -> None:
    """A status that nobody knows ends the watching by its name."""
    service.on(LIST, page(entry("j", "Queued", 0)), page(entry("j", "Pondering", 0)))
    async with Client(service.account()) as client:
        seen = await watched(client)
        with pytest.raises(UnknownJobStatus, match="Pondering"):
            async for _ in changes(client, seen, JobFilter(), interval=5, timeout=None, clock=clock):
                pass

    assert seen.jobs["j"].status == JobStatus("Pondering")
