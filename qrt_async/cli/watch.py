"""``qrt watch``."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import attrs
from cyclopts import Parameter

from qrt_async.cli.documents import document
from qrt_async.cli.execution import execute
from qrt_async.cli.exit import ExitStatus
from qrt_async.cli.jobs import HEADS, Backend, Session, Tags, rows
from qrt_async.cli.options import SERVICE, Service
from qrt_async.cli.output import Output, table
from qrt_async.cli.service import connected
from qrt_async.client import Client
from qrt_async.clock import Clock, Deadline, SystemClock
from qrt_async.errors import UnknownJobStatus, UsageError, WaitTimeout
from qrt_async.models.jobs import JobDetails, JobFilter, JobStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from rich.table import Table

_LEAST_INTERVAL = 1.0
_FOREVER = 7 * 86_400.0


@attrs.define
class Watched:
    """The jobs that are watched, as they were last seen, in the order of their creation."""

    jobs: dict[str, JobDetails] = attrs.field(factory=dict[str, JobDetails])

    def see(self, job: JobDetails) -> bool:
        """Take in how a job stands, and tell whether that is news."""
        before = self.jobs.get(job.id)
        self.jobs[job.id] = job
        return before is None or before.status != job.status

    @property
    def waiting(self) -> set[str]:
        """The ids of those that are not over."""
        return {job.id for job in self.jobs.values() if not job.status.final}

    @property
    def since(self) -> dt.datetime | None:
        """When the oldest of those that are not over was created, None where one of them does not tell."""
        created = [self.jobs[job_id].created for job_id in self.waiting]
        known = [time for time in created if time is not None]
        return min(known) if known and len(known) == len(created) else None


def watch(
    *job_ids: Annotated[str, Parameter(help="The jobs' ids; without any, all that wait or run.")],
    tags: Tags = (),
    backend: Backend = None,
    session: Session = None,
    interval: Annotated[float, Parameter(help="Look every so many seconds, 1 at least.", show_default=True)] = 5.0,
    timeout: Annotated[float | None, Parameter(help="Stop after so many seconds; the jobs go on.")] = None,
    service: Service = SERVICE,
) -> int:
    """
    Watch many jobs in one table until all of them are over, by one request for all of them.

    Where the output is no terminal, each change is a line; with --json, a document. Exit status 1 means that a job
    ended badly.
    """

    async def command(output: Output) -> int:
        if job_ids and (tags or backend or session):
            raise UsageError("watch takes the ids of jobs, or --tag, --backend and --session, and not both")
        if not interval >= _LEAST_INTERVAL:
            raise UsageError(f"--interval is at least {_LEAST_INTERVAL:g}, not {interval:g}")
        wanted = JobFilter(tags=tags, backend=backend, session_id=session)
        async with connected(service, output) as client:
            seen = await _found(client, job_ids, wanted)
            if not seen.jobs:
                output.note("No such job waits or runs.")
                return ExitStatus.OK
            with _shown(seen, output) as tell:
                tell(seen.jobs.values())
                async for news in changes(
                    client, seen, wanted, interval=interval, timeout=timeout, clock=SystemClock()
                ):
                    tell(news)
        well = all(job.status is JobStatus.COMPLETED for job in seen.jobs.values())
        return ExitStatus.OK if well else ExitStatus.REFUSED

    return execute(command, service)


async def _found(client: Client, job_ids: Sequence[str], wanted: JobFilter) -> Watched:
    """Return the jobs to be watched: those named, asked for once each, or all that wait or run."""
    seen = Watched()
    if job_ids:
        for job in await asyncio.gather(*map(client.jobs.get, dict.fromkeys(job_ids))):
            seen.see(job)
        return seen
    async for job in client.jobs.list(attrs.evolve(wanted, pending=True, oldest_first=True)):
        seen.see(job)
    return seen


async def changes(
    client: Client, seen: Watched, wanted: JobFilter, *, interval: float, timeout: float | None, clock: Clock
) -> AsyncIterator[list[JobDetails]]:
    """
    Yield, look for look, the jobs whose status changed, until all are over.

    A look is one request for the list of the jobs since the oldest that is not over, one more for each 200 jobs that
    were created since, and one for each job that the list does not hold.

    Raises:
        WaitTimeout: `timeout` seconds have passed; the jobs go on.
        UnknownJobStatus: a job has a status that this version does not know.

    """
    deadline = Deadline.after(clock, _FOREVER if timeout is None else timeout)
    while True:
        for job in seen.jobs.values():
            if not job.status.known:
                raise UnknownJobStatus(job.id, job.status)
        if not seen.waiting:
            return
        if deadline.remaining() <= 0:
            raise WaitTimeout(f"{len(seen.waiting)} jobs are not over yet; they go on, and can be watched again")
        await clock.sleep(min(interval, deadline.remaining()))
        yield await _look(client, seen, wanted)


async def _look(client: Client, seen: Watched, wanted: JobFilter) -> list[JobDetails]:
    """Return what is news of the jobs that were not over: from the list, and what it does not hold one by one."""
    found: list[JobDetails] = []
    missing = seen.waiting
    async for job in client.jobs.list(attrs.evolve(wanted, created_after=seen.since, oldest_first=True)):
        if job.id in missing:
            missing.discard(job.id)
            found.append(job)
        if not missing:
            break
    found += await asyncio.gather(*map(client.jobs.get, missing))
    return [job for job in found if seen.see(job)]


@contextmanager
def _shown(seen: Watched, output: Output) -> Generator[Callable[[Iterable[JobDetails]], None], None, None]:
    """Give what tells of changed jobs: documents, lines, or a table that stands where it is."""
    if output.json or not output.out.is_terminal:
        yield lambda news: _lines(news, output)
        return
    from rich.live import Live

    with Live(_table(seen), console=output.out, auto_refresh=False) as live:
        yield lambda _news: live.update(_table(seen), refresh=True)


def _lines(news: Iterable[JobDetails], output: Output) -> None:
    for job in news:
        if output.json:
            output.document({"job": document(job)})
        else:
            output.text(f"{job.id}  {job.status.value}  {job.backend or ''}".rstrip())


def _table(seen: Watched) -> Table:
    return table(HEADS, rows(seen.jobs.values()))
