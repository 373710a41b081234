"""Every operation through the client, against the emulator."""

from __future__ import annotations

import asyncio
import datetime as dt

import pytest

from qrt_async import (
    Account,
    AnalyticsFilter,
    BadRequest,
    Client,
    Job,
    JobFilter,
    JobStatus,
    NotFound,
    Platform,
    SamplerResult,
    WorkloadFilter,
)
from tests.story.conftest import CRN, UNPACED

pytestmark = pytest.mark.asyncio(loop_scope="session")

PROGRAM = 'OPENQASM 3.0; include "stdgates.inc"; bit[1] c; x $0; c[0] = measure $0;'
VERSIONS = ["2024-01-01", "2025-01-01", "2025-05-01", "2026-02-01", "2026-02-15", "2026-03-15", "2026-04-15"]


def account(url: str, key: str, version: str = "2026-04-15") -> Account:
    """Return an account of its own at the emulator."""
    return Account.ibm_quantum(
        key,
        CRN.replace("a/story", f"a/{key}"),
        api_url=f"{url}/api/v1",
        iam_url=url,
        search_url=url,
        catalog_url=url,
        api_version=version,
    )


async def finished(client: Client, count: int = 1, **settings: object) -> list[Job[SamplerResult]]:
    """Return jobs that have run."""
    submitted = [client.sampler([(PROGRAM, None, 10)], backend="ibm_fez", **settings) for _ in range(count)]  # type: ignore[arg-type]
    jobs = await asyncio.gather(*submitted)
    await asyncio.gather(*(job.wait(timeout=50) for job in jobs))
    return jobs


async def test_jobs_are_described_found_and_deleted(client: Client) -> None:
    """Details, metrics, log, tags, list and deletion of a job agree with each other on either platform."""
    [job] = await finished(client, tags=["whole", "api"])
    details, metrics, log = await asyncio.gather(job.details(), job.metrics(), job.logs())
    await job.set_tags(["whole", "renamed"])
    listed = [one async for one in client.jobs.list(JobFilter(tags=("renamed",)))]
    first = await client.jobs.list(JobFilter(limit=1))
    found = await client.jobs.search_tags("renam")
    params = await job.params()
    await job.delete()

    assert details.status is JobStatus.COMPLETED
    assert details.qpu_seconds == metrics.qpu_seconds
    assert (details.qpu_seconds or 0) > 0
    assert metrics.created is not None
    assert metrics.created == details.created
    assert metrics.running is not None
    assert metrics.finished is not None
    assert metrics.created <= metrics.running <= metrics.finished
    assert isinstance(log, str)
    assert [one.id for one in listed] == [job.id]
    assert len(first.jobs) == 1
    assert "renamed" in found
    assert params["pubs"][0][2] == 10
    with pytest.raises(NotFound):
        await job.details()


async def test_a_job_that_runs_cannot_be_deleted_and_can_be_cancelled(client: Client) -> None:
    """Deleting is for jobs that are over, cancelling for those that are not."""
    busy = PROGRAM.replace("x $0;", "c[0] = measure $0; if (c[0]) { x $0; }")
    job = await client.sampler([(busy, None, 9_000_000)], backend="ibm_fez", tags=["to-cancel"])
    with pytest.raises(BadRequest):
        await job.delete()
    outcomes = await client.jobs.cancel_all(tags=["to-cancel"])

    assert [(one.job_id, one.cancelled) for one in outcomes] == [(job.id, True)]
    assert await job.status() is JobStatus.CANCELLED


async def test_a_long_list_comes_whole(quiet_emulator_url: str) -> None:
    """Four hundred and fifty jobs are listed once each, in the order asked for, in pages of any size."""
    async with Client(account(quiet_emulator_url, "lister"), limits=UNPACED) as client:
        ids = {job.id for job in await finished(client, 450)}
        newest = [one async for one in client.jobs.list()]
        oldest = [one.id async for one in client.jobs.list(JobFilter(oldest_first=True, limit=37))]
        pending = [one async for one in client.jobs.list(JobFilter(pending=True))]

    assert {one.id for one in newest} == ids
    assert len(newest) == len(oldest) == 450
    assert set(oldest) == ids
    created = [one.created for one in newest]
    assert created == sorted(created, reverse=True)  # type: ignore[type-var]
    assert pending == []


@pytest.mark.parametrize("version", VERSIONS)
async def test_every_dated_version_gives_the_same_models(quiet_emulator_url: str, version: str) -> None:
    """Backends, jobs and metrics mean the same, whatever version of the API is asked for."""
    async with Client(account(quiet_emulator_url, f"dated-{version}", version), limits=UNPACED) as client:
        names = [backend.name for backend in await client.backends.list()]
        backend = await client.backends.least_busy(min_qubits=150)
        [job] = await finished(client)
        details, metrics = await asyncio.gather(job.details(), job.metrics())
        counts = (await job.result())[0].data.c.counts()
        versions = await client.versions()

    assert "ibm_fez" in names
    assert (backend.qubits or 0) >= 150
    assert details.qpu_seconds == metrics.qpu_seconds == 2
    assert version < "2026-03-15" or (metrics.circuits_execution_time_ns or 0) > 0
    assert counts == {"1": 10}
    assert [one.version for one in versions if one.status == "live"] == ["2026-04-15"]


async def test_usage_workloads_and_analytics_add_up(quiet_emulator_url: str) -> None:
    """What the jobs were charged is what the instance used, the workloads list, and the analytics sum."""
    async with Client(account(quiet_emulator_url, "accountant"), limits=UNPACED) as client:
        before = await client.instance.usage()
        jobs = await finished(client, 5, tags=["count-me"])
        async with client.session("ibm_fez", mode="batch", max_time=600) as session:
            inside = await session.sampler([(PROGRAM, None, 10)])
            await inside.result(timeout=50)
        charged = sum([(await job.details()).qpu_seconds or 0 for job in [*jobs, inside]])
        after, instance = await client.instance.usage(), await client.instance.get()
        workloads = [one async for one in client.workloads.list(WorkloadFilter(limit=2))]
        total = await client.analytics.usage(AnalyticsFilter(backends=("ibm_fez",)))
        groups = await client.analytics.grouped("backend")
        plans = await client.accounts.get()
        limit = await client.instance.limit()

    assert (after.consumed_seconds or 0) - (before.consumed_seconds or 0) == charged
    assert "ibm_fez" in instance.backends
    assert sorted(one.mode for one in workloads) == ["batch", *["job"] * 5]
    assert {one.id for one in workloads if one.mode == "job"} == {job.id for job in jobs}
    assert total.usage == charged * 1000
    assert (total.jobs, total.individual_jobs, total.batch_sessions) == (6, 5, 1)
    assert {one.key: one.jobs for one in groups}["ibm_fez"] == 6
    assert plans.plans
    assert limit is None or limit > 0


async def test_a_session_is_described_from_open_to_closed(client: Client) -> None:
    """State, mode, times and lifetime of a session follow what happens to it."""
    async with client.session("ibm_fez", mode="batch", max_time=600) as session:
        opened = await session.details()
        await (await session.sampler([(PROGRAM, None, 10)])).result(timeout=50)
        active = await session.details()
    closed = await client.sessions.get(session.id)

    assert (opened.state, opened.backend, opened.mode, opened.max_ttl) == ("open", "ibm_fez", "batch", 600)
    assert (active.state, closed.state, closed.accepting_jobs) == ("active", "closed", False)
    assert active.last_job_completed is not None
    assert closed.closed_at is not None
    assert closed.closed_at >= active.last_job_completed - dt.timedelta(seconds=1)


async def test_the_instances_of_a_key_are_found(quiet_emulator_url: str) -> None:
    """IBM Cloud's search, as the emulator plays it, lists at least one instance with its plan."""
    async with Client(account(quiet_emulator_url, "finder"), limits=UNPACED) as client:
        await client.backends.list()
        offers = await client.instances()

    assert offers
    assert all(one.crn.startswith("crn:v1:") for one in offers)


async def test_a_private_jobs_inputs_and_result_are_kept_from_sight(client: Client) -> None:
    """A private job's inputs are never given back, and its result is given once."""
    [job] = await finished(client, private=True)
    params, details = await job.params(), await job.details()
    result = await job.result()
    again = client.job(job.id)

    assert params == {}
    assert details.private
    assert result[0].data.c.counts()["1"] >= 8
    assert await job.result() is result
    with pytest.raises(Exception, match="can be read once"):
        await again.result(timeout=50)


async def test_the_legacy_platform_tells_its_usage(client: Client) -> None:
    """Usage and profile of the legacy platform name the instance."""
    if client._engine.account.platform is Platform.LEGACY:
        usage, me = await client.legacy.usage(), await client.legacy.me()
        assert me.instances
        assert usage.by_instance
    else:
        assert (await client.accounts.get()).plans
