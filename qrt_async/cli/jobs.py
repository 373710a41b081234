"""``qrt jobs``, ``qrt job`` and ``qrt cancel``."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

from cyclopts import Parameter

from qrt_async.cli.documents import document
from qrt_async.cli.execution import execute
from qrt_async.cli.exit import ExitStatus
from qrt_async.cli.options import SERVICE, Service
from qrt_async.cli.output import Output
from qrt_async.cli.service import connected
from qrt_async.client import Client
from qrt_async.errors import QrtError, UsageError
from qrt_async.models.jobs import CancelOutcome, JobDetails, JobFilter, JobMetrics

HEADS = ("ID", "STATUS", "BACKEND", "PROGRAM", "AGE", "SECONDS", "TAGS")

Tags = Annotated[tuple[str, ...], Parameter(name="--tag", help="Only jobs with this tag; repeatable, all are needed.")]
Backend = Annotated[str | None, Parameter(help="Only jobs of this backend.")]
Session = Annotated[str | None, Parameter(help="Only jobs of this session.")]


def jobs(
    *,
    pending: Annotated[bool, Parameter(help="Only jobs that wait or run.")] = False,
    finished: Annotated[bool, Parameter(help="Only jobs that are over.")] = False,
    tags: Tags = (),
    backend: Backend = None,
    session: Session = None,
    program: Annotated[str | None, Parameter(help="Only jobs of this program, such as sampler.")] = None,
    after: Annotated[dt.datetime | None, Parameter(help="Only jobs created at this time or later.")] = None,
    before: Annotated[dt.datetime | None, Parameter(help="Only jobs created at this time or before.")] = None,
    limit: Annotated[int, Parameter(help="Show so many at most.", show_default=True)] = 20,
    service: Service = SERVICE,
) -> int:
    """List jobs, the newest first."""

    async def command(output: Output) -> int:
        if pending and finished:
            raise UsageError("--pending and --finished exclude each other")
        if limit < 1:
            raise UsageError(f"--limit is at least 1, not {limit}")
        wanted = JobFilter(
            pending=True if pending else False if finished else None,
            program=program,
            backend=backend,
            session_id=session,
            tags=tags,
            created_after=_zoned(after),
            created_before=_zoned(before),
            limit=min(limit, 200),
        )
        async with connected(service, output) as client:
            found = await _first(client, wanted, limit)
        if output.json:
            output.document({"jobs": document(found)})
        else:
            output.table(HEADS, rows(found), otherwise="There are no such jobs.")
        return 0

    return execute(command, service)


async def _first(client: Client, wanted: JobFilter, limit: int) -> list[JobDetails]:
    found: list[JobDetails] = []
    async for job in client.jobs.list(wanted):
        found.append(job)
        if len(found) == limit:
            break
    return found


def _zoned(time: dt.datetime | None) -> dt.datetime | None:
    """Return a time that was given without a zone as one of this machine's."""
    return time.astimezone() if time is not None else None


def rows(jobs: Iterable[JobDetails]) -> list[tuple[object, ...]]:
    """Return what a table shows of jobs, under `HEADS`."""
    now = dt.datetime.now(dt.UTC)
    return [
        (
            job.id,
            job.status.value,
            job.backend,
            job.program,
            age(job.created, now),
            job.qpu_seconds,
            ", ".join(job.tags),
        )
        for job in jobs
    ]


def age(created: dt.datetime | None, now: dt.datetime) -> str:
    """Return how long ago something was created, in its largest unit: ``40s``, ``12m``, ``3h``, ``5d``."""
    if created is None:
        return ""
    seconds = max(0, int((now - created).total_seconds()))
    units = ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s"))
    size, letter = next(((size, letter) for size, letter in units if seconds >= size), units[-1])
    return f"{seconds // size}{letter}"


def job(job_id: Annotated[str, Parameter(help="The job's id.")], /, *, service: Service = SERVICE) -> int:
    """Show how a job stands: state, queue, usage, and the reason of a bad end with what to do about it."""

    async def command(output: Output) -> int:
        async with connected(service, output) as client:
            handle = client.job(job_id)
            details, metrics = await asyncio.gather(handle.details(), handle.metrics())
            queue = await _queue(client, details)
        if output.json:
            output.document({"job": document(details), "metrics": document(metrics), "backend_queue": queue})
        else:
            output.pairs([*_state(details, queue, metrics), *_times(details, metrics)])
        return 0

    return execute(command, service)


async def _queue(client: Client, details: JobDetails) -> int | None:
    """Return how many jobs wait for the backend of a job that waits itself."""
    if not details.status.pending or details.backend is None:
        return None
    return (await client.backends.status(details.backend)).pending_jobs


def _state(details: JobDetails, queue: int | None, metrics: JobMetrics) -> list[tuple[str, object]]:
    return [
        ("job", details.id),
        ("status", details.status.value),
        ("reason", details.reason),
        ("code", details.code),
        ("what to do", details.solution),
        ("queue", None if queue is None else f"{queue} jobs wait for {details.backend}"),
        ("place in queue", metrics.position_in_queue),
        ("program", details.program),
        ("backend", details.backend),
        ("session", details.session_id),
        ("tags", ", ".join(details.tags)),
        ("private", details.private or None),
    ]


def _times(details: JobDetails, metrics: JobMetrics) -> list[tuple[str, object]]:
    seconds = metrics.qpu_seconds if details.qpu_seconds is None else details.qpu_seconds
    state = metrics.usage_status or details.usage_status
    return [
        ("created", _full(details.created or metrics.created)),
        ("running since", _full(metrics.running)),
        ("finished", _full(metrics.finished)),
        ("expected start", _full(metrics.estimated_start)),
        ("expected seconds", details.estimated_seconds),
        ("most seconds", details.max_time),
        ("usage", None if seconds is None else f"{seconds:g} s" + (f" ({state})" if state else "")),
    ]


def _full(time: dt.datetime | None) -> str | None:
    return None if time is None else f"{time.astimezone():%Y-%m-%d %H:%M:%S %z}"


def cancel(
    *job_ids: Annotated[str, Parameter(help="The jobs' ids.")],
    tags: Tags = (),
    backend: Backend = None,
    session: Session = None,
    service: Service = SERVICE,
) -> int:
    """
    Cancel jobs: those named, or all that wait or run and have the tags, the backend and the session.

    A job that is over already is no error.
    """

    async def command(output: Output) -> int:
        chosen = bool(tags or backend or session)
        if chosen == bool(job_ids):
            raise UsageError("cancel takes the ids of jobs, or --tag, --backend and --session, and not both")
        async with connected(service, output) as client:
            if chosen:
                outcomes: Sequence[CancelOutcome] = await client.jobs.cancel_all(
                    tags=tags, backend=backend, session_id=session
                )
            else:
                outcomes = await asyncio.gather(*(_cancelled(client, job_id) for job_id in job_ids))
        _tell(outcomes, output)
        return ExitStatus.REFUSED if any(outcome.error for outcome in outcomes) else ExitStatus.OK

    return execute(command, service)


async def _cancelled(client: Client, job_id: str) -> CancelOutcome:
    try:
        return CancelOutcome(job_id=job_id, cancelled=await client.job(job_id).cancel())
    except QrtError as error:
        return CancelOutcome(job_id=job_id, cancelled=False, error=error)


def _tell(outcomes: Sequence[CancelOutcome], output: Output) -> None:
    if output.json:
        output.document({"jobs": [_outcome(outcome) for outcome in outcomes]})
        return
    output.table(
        ("ID", "OUTCOME"),
        ((outcome.job_id, _word(outcome)) for outcome in outcomes),
        otherwise="No such job waits or runs.",
    )


def _outcome(outcome: CancelOutcome) -> dict[str, Any]:
    error = None if outcome.error is None else str(outcome.error)
    return {"id": outcome.job_id, "cancelled": outcome.cancelled, "error": error}


def _word(outcome: CancelOutcome) -> str:
    if outcome.error is not None:
        return str(outcome.error)
    return "cancelled" if outcome.cancelled else "was over already"
