"""The world behind the server, without the server."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from qrt_async.emulator.identifiers import Identifiers, is_access_token
from qrt_async.emulator.records import JobOrder, JobStatus, Platform, Tenant
from qrt_async.emulator.settings import Settings
from qrt_async.emulator.world import World
from tests.emulator.service import HandClock, HeldPool

if TYPE_CHECKING:
    from collections.abc import Callable

    from qrt_async.emulator.devices import Device
    from qrt_async.emulator.work import Outcome, Work

TENANT = Tenant(Platform.IBM_QUANTUM, "user", "crn")
ORDER = JobOrder("sampler", "ibm_fez", {"pubs": ["OPENQASM 3.0;"]})


class BrokenPool(HeldPool):
    """A pool that breaks its contract: it raises."""

    async def run(self, work: Work, on_start: Callable[[], None] | None = None) -> Outcome:
        """Raise, as no pool should."""
        raise RuntimeError("out of workers")


def test_seeded_identifiers_repeat() -> None:
    """The same seed gives the same ids, tokens and seeds of works; another seed gives others."""

    def sample(seed: int | None) -> list[object]:
        source = Identifiers(seed)
        return [source.job(), source.session(), source.legacy_session(), source.task(), source.access_token()] + [
            source.work_seed() for _ in range(3)
        ]

    assert sample(1) == sample(1)
    assert not set(sample(1)) & set(sample(2))
    assert not set(sample(None)) & set(sample(None))


def test_traces_do_not_disturb_job_ids() -> None:
    """A refusal more or less, and so a trace id, leaves the ids of later jobs as they were."""
    calm, troubled = Identifiers(5), Identifiers(5)

    for _ in range(3):
        troubled.trace()

    assert calm.job() == troubled.job()


def test_access_tokens_are_recognised() -> None:
    """An access token is known by its form, and no API token of any length passes for one."""
    token = Identifiers(1).access_token()

    assert is_access_token(token)
    for other in (token[:-1], "a" * 64, "0" * 128, "", token[::-1], "é" * 64):
        assert not is_access_token(other)


async def test_seeds_of_jobs_follow_the_seed(snapshots: dict[str, Device]) -> None:
    """Two worlds of one seed give their first jobs the same ids and seeds."""
    seen: list[list[tuple[str, int]]] = []
    for _ in range(2):
        world = World(snapshots, HeldPool(), settings=Settings(seed=3), clock=HandClock())
        jobs = [world.submit(TENANT, ORDER) for _ in range(3)]
        seen.append([(job.id, job.seed) for job in jobs])
        await world.close()

    assert seen[0] == seen[1]


async def test_broken_pool_fails_the_job(snapshots: dict[str, Device], caplog: pytest.LogCaptureFixture) -> None:
    """A pool that raises fails the job with an internal error's code; the world goes on."""
    world = World(snapshots, BrokenPool(), clock=HandClock())

    jobs = [world.submit(TENANT, ORDER) for _ in range(7)]
    while not all(job.status.final for job in jobs):
        await asyncio.sleep(0)
    await world.close()

    assert {job.status for job in jobs} == {JobStatus.FAILED}
    assert jobs[0].reason is not None
    assert jobs[0].reason.code == 1500
    assert "out of workers" in jobs[0].reason.traceback
    assert caplog.records


async def test_close_stops_everything(snapshots: dict[str, Device]) -> None:
    """Closing a world stops what runs, starts nothing that waits, and closes the pool."""
    pool = HeldPool()
    world = World(snapshots, pool, clock=HandClock())
    for _ in range(7):
        world.submit(TENANT, ORDER)
    held = [await pool.next() for _ in range(5)]

    await world.close()

    assert all(each.stopped for each in held)
    assert len(pool.held) == 5
    assert pool.closed


async def test_dates_never_go_back(snapshots: dict[str, Device]) -> None:
    """A clock that is set back does not date a job before the one submitted earlier."""
    clock = HandClock()
    world = World(snapshots, HeldPool(), clock=clock)

    first = world.submit(TENANT, ORDER)
    clock.advance(-60)
    second = world.submit(TENANT, ORDER)
    await world.close()

    assert second.created.date == first.created.date
