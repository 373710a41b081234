"""Every public coroutine of the client, ready to be called and cancelled."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import attrs

from qrt_async import Client, Job, Session, SessionDetails
from qrt_async.models.jobs import JobRequest, Program
from qrt_async.primitives import program_job
from qrt_async.wire import results, usage
from tests.promises.machine import PROGRAM

BACKEND = "ibm_fez"

Prepare = Callable[[Client], Awaitable[Any]]
Act = Callable[[Client, Any], Awaitable[Any]]


async def _nothing(_: Client) -> None:
    """Make nothing ready."""


async def _job(client: Client) -> Job[Any]:
    return await client.sampler([PROGRAM], backend=BACKEND, tags=["mine"])


async def _private(client: Client) -> Job[Any]:
    return await client.sampler([PROGRAM], backend=BACKEND, private=True)


async def _ended(client: Client) -> Job[Any]:
    job = await _job(client)
    await job.wait()
    return job


async def _opened(client: Client) -> SessionDetails:
    return await client.sessions.create(BACKEND, mode="batch")


async def _left_behind(client: Client) -> set[str]:
    """Leave two jobs and a session to whoever resumes the journal; give the set for the tags that are resumed."""
    for shots in (1, 2):
        await client.sampler([(PROGRAM, None, shots)], backend=BACKEND)
    await client.sessions.create(BACKEND, mode="batch")
    return set()


async def _resumed(client: Client, tags: set[str]) -> None:
    async for done in client.resume():
        assert done.error is None
        tags.add(done.tag)


async def _resumed_all(client: Client, tags: set[str]) -> None:
    await _resumed(client, tags)
    assert len(tags) == 2


def _request() -> JobRequest[Any]:
    return program_job(
        Program("sampler", results.any_program),
        {"pubs": [[PROGRAM]], "version": 2},
        backend=BACKEND,
        tags=(),
        private=False,
        max_time=None,
        session_id=None,
    )


async def _served(client: Client, _: Any) -> None:
    assert [one.name for one in await client.backends.list()] == [BACKEND]


@attrs.frozen
class Scenario:
    """
    One call, under the name of the method that it is about.

    `prepare` runs before it, with another client and the same journal where `by_another` says so. `after` is what must
    still work with the client once the call was cancelled, unless the call `closes` the client.
    """

    name: str
    act: Act
    prepare: Prepare = _nothing
    after: Act = attrs.field(default=_served, kw_only=True)
    legacy: bool = False
    journal: bool = False
    by_another: bool = False
    quota: int | None = None
    api_version: str | None = None
    closes: bool = False


async def _list_all(listing: Any) -> list[Any]:
    return [one async for one in listing]


async def _in_session(client: Client, mode: str, act: Callable[[Session], Awaitable[Any]]) -> Any:
    async with client.session(BACKEND, mode=mode) as session:
        return await act(session)


async def _sampled(session: Session) -> Any:
    return await (await session.sampler([PROGRAM])).result()


async def _in_block(client: Client) -> None:
    async with client:
        await client.backends.list()


READS = [
    Scenario("Client.login", lambda c, _: c.login()),
    Scenario("Client.login", lambda c, _: c.login(), legacy=True),
    Scenario("Client.versions", lambda c, _: c.versions()),
    Scenario("Client.instances", lambda c, _: c.instances()),
    Scenario("Client.send", lambda c, _: c.send(usage.versions())),
    Scenario("Backends.list", lambda c, _: c.backends.list()),
    Scenario("Backends.get", lambda c, _: c.backends.get(BACKEND)),
    Scenario("Backends.status", lambda c, _: c.backends.status(BACKEND)),
    Scenario("Backends.configuration", lambda c, _: c.backends.configuration(BACKEND)),
    Scenario("Backends.properties", lambda c, _: c.backends.properties(BACKEND)),
    Scenario("Backends.defaults", lambda c, _: c.backends.defaults(BACKEND)),
    Scenario("Backends.least_busy", lambda c, _: c.backends.least_busy(), legacy=True),
    Scenario("OwnInstance.get", lambda c, _: c.instance.get()),
    Scenario("OwnInstance.usage", lambda c, _: c.instance.usage()),
    Scenario("OwnInstance.limit", lambda c, _: c.instance.limit()),
    Scenario("OwnInstance.set_limit", lambda c, _: c.instance.set_limit(None)),
    Scenario("Accounts.get", lambda c, _: c.accounts.get()),
    Scenario("Workloads.list", lambda c, _: c.workloads.list()),
    Scenario("Workloads.list", lambda c, _: _list_all(c.workloads.list()), _job),
    Scenario("Analytics.usage", lambda c, _: c.analytics.usage()),
    Scenario("Analytics.grouped", lambda c, _: c.analytics.grouped("backend")),
    Scenario("Analytics.by_date", lambda c, _: c.analytics.by_date()),
    Scenario("Analytics.filters", lambda c, _: c.analytics.filters()),
    Scenario("LegacyOnly.usage", lambda c, _: c.legacy.usage(), legacy=True),
    Scenario("LegacyOnly.me", lambda c, _: c.legacy.me(), legacy=True),
]

JOBS = [
    Scenario("Jobs.get", lambda c, job: c.jobs.get(job.id), _job),
    Scenario("Jobs.list", lambda c, _: c.jobs.list(), _job),
    Scenario("Jobs.list", lambda c, _: _list_all(c.jobs.list()), _job, legacy=True),
    Scenario("Jobs.search_tags", lambda c, _: c.jobs.search_tags("mine"), _job),
    Scenario("Jobs.cancel_all", lambda c, _: c.jobs.cancel_all(tags=["mine"]), _job),
    Scenario("Job.details", lambda _, job: job.details(), _job),
    Scenario("Job.status", lambda _, job: job.status(), _job, legacy=True),
    Scenario("Job.params", lambda _, job: job.params(), _job),
    Scenario("Job.metrics", lambda _, job: job.metrics(), _ended),
    Scenario("Job.logs", lambda _, job: job.logs(), _ended),
    Scenario("Job.interim_results", lambda _, job: job.interim_results(), _ended, legacy=True),
    Scenario("Job.transpiled_circuits", lambda _, job: job.transpiled_circuits(), _ended, api_version="2025-05-01"),
    Scenario("Job.set_tags", lambda _, job: job.set_tags(["other"]), _job),
    Scenario("Job.delete", lambda _, job: job.delete(), _ended),
    Scenario("Job.cancel", lambda _, job: job.cancel(), _job),
    Scenario("Job.wait", lambda _, job: job.wait(), _job),
    Scenario("Job.events", lambda _, job: _list_all(job.events()), _job),
    Scenario("Job.result", lambda _, job: job.result(), _job),
    Scenario("Job.result", lambda _, job: job.result(), _job, legacy=True),
    Scenario("Job.result", lambda _, job: job.result(), _private, journal=True),
]

SUBMISSIONS = [
    Scenario("Client.sampler", lambda c, _: _job(c)),
    Scenario("Client.sampler", lambda c, _: _job(c), legacy=True),
    Scenario("Client.sampler", lambda c, _: _job(c), journal=True),
    Scenario("Client.sampler", lambda c, _: c.sampler([PROGRAM], backend=BACKEND, key="order-42")),
    Scenario("Client.sampler", lambda c, _: c.sampler([PROGRAM], backend=BACKEND, key="order-42"), journal=True),
    Scenario("Client.sampler", lambda c, _: c.sampler([PROGRAM], backend=BACKEND, on_cancel="cancel")),
    Scenario("Client.sampler", lambda c, _: _job(c), _job, after=lambda c, _: _job(c), quota=1),
    Scenario("Client.sampler", lambda c, _: _job(c), _job, after=lambda c, _: _job(c), quota=1, journal=True),
    Scenario("Client.estimator", lambda c, _: c.estimator([(PROGRAM, "Z")], backend=BACKEND)),
    Scenario("Client.submit", lambda c, _: c.submit("sampler", {"pubs": [[PROGRAM]], "version": 2}, backend=BACKEND)),
    Scenario("Client.resume", _resumed, _left_behind, after=_resumed_all, journal=True, by_another=True),
    Scenario("Jobs.submit", lambda c, _: c.jobs.submit(_request())),
    Scenario("Client.transpile", lambda c, _: c.transpile([PROGRAM], backend=BACKEND), legacy=True),
]

SESSIONS = [
    Scenario("Session.__aenter__", lambda c, _: _in_session(c, "dedicated", _sampled)),
    Scenario("Session.__aexit__", lambda c, _: _in_session(c, "batch", _sampled), legacy=True),
    Scenario("Session.sampler", lambda c, _: _in_session(c, "batch", _sampled), journal=True),
    Scenario("Session.estimator", lambda c, _: _in_session(c, "dedicated", lambda s: s.estimator([(PROGRAM, "Z")]))),
    Scenario("Session.details", lambda c, _: _in_session(c, "dedicated", lambda s: s.details())),
    Scenario("Session.submit", lambda c, _: _in_session(c, "batch", lambda s: s.submit(_request()))),
    Scenario("Sessions.get", lambda c, session: c.sessions.get(session.id), _opened),
    Scenario("Sessions.drain", lambda c, session: c.sessions.drain(session.id), _opened),
    Scenario("Sessions.cancel", lambda c, session: c.sessions.cancel(session.id), _opened),
    Scenario("Sessions.end", lambda c, session: c.sessions.end(session.id, "drain", timeout=30), _opened),
    Scenario("Sessions.close_all", lambda c, _: c.sessions.close_all(), _opened),
    Scenario("Sessions.create", lambda c, _: _created_and_ended(c)),
    Scenario("Sessions.create", lambda c, _: _created_and_ended(c), journal=True),
]


async def _created_and_ended(client: Client) -> None:
    session = await client.sessions.create(BACKEND)
    await client.sessions.end(session.id, "cancel", timeout=30)


ENDS = [
    Scenario("Client.aclose", lambda c, _: c.aclose(), _job, closes=True),
    Scenario("Client.aclose", lambda c, _: c.aclose(), _job, legacy=True, journal=True, closes=True),
    Scenario("Client.__aexit__", lambda c, _: _in_block(c), closes=True),
]

LOCAL = [
    Scenario("Client.transpile", lambda c, _: c.transpile([PROGRAM], backend=BACKEND, optimization_level=0)),
]


async def _fanned_out(client: Client) -> None:
    async with client.fan_out([PROGRAM, (PROGRAM, None, 7)], backends=[BACKEND]) as run:
        assert len([done async for done in run]) == 2


async def _coalesced(client: Client) -> None:
    async with client.coalescing_sampler(BACKEND) as sampler:
        await sampler.run(PROGRAM)


MANY = [
    Scenario("Client.gather", lambda c, _: c.gather([PROGRAM], backends=[BACKEND])),
    Scenario("Client.fan_out", lambda c, _: _fanned_out(c)),
    Scenario("Client.coalescing_sampler", lambda c, _: _coalesced(c)),
    Scenario("Client.as_completed", lambda c, job: _list_all(c.as_completed([job])), _job),
]
