"""Job operations."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any, TypeVar

import attrs

from qrt_async.models.jobs import JobDetails, JobRequest, JobStatus, Submitted
from qrt_async.wire import codec
from qrt_async.wire.call import Call, Patience, Replay, Reply, buffered, json_body, path, query
from qrt_async.wire.dialect import Dialect
from qrt_async.wire.outcome import nothing, reading

R = TypeVar("R")

_RAN_TOO_LONG = 1305


@attrs.frozen
class _State:
    status: str
    reason: str | None = None
    reason_code: int | None = None
    legacy_code: int | str | None = None
    reason_solution: str | None = None


@attrs.frozen
class _Program:
    id: str


@attrs.frozen
class _Usage:
    seconds: float | None = None
    qpu_charge_time_seconds: float | None = None


@attrs.frozen
class _Job:
    id: str
    program: _Program
    state: _State
    status: str | None = None
    backend: str | None = None
    created: dt.datetime | None = None
    session_id: str | None = None
    tags: tuple[str, ...] | None = None
    private: bool | None = None
    cost: int | None = None
    usage: _Usage | None = None


codec.wire_names(_State, legacy_code="reasonCode")
codec.wire_form(int | str | None, lambda _: lambda value, _: value)


def create(dialect: Dialect, request: JobRequest[Any]) -> Call[Submitted]:
    """``POST /jobs``: never repeated by itself, since the service has no handle that would make that safe."""
    body: dict[str, Any] = {
        "program_id": request.program.id,
        "backend": request.backend,
        "params": request.params,
    }
    if dialect.legacy:
        body |= attrs.asdict(dialect.legacy)
    if request.tags:
        body["tags"] = list(request.tags)
    if request.private:
        body["private"] = True
    if request.max_time is not None:
        body["cost"] = request.max_time
    if request.session_id is not None:
        body["session_id"] = request.session_id
    return Call(
        operation="jobs.create",
        method="POST",
        path="/jobs",
        body=json_body(body),
        replay=Replay.NEVER,
        patience=Patience.SUBMISSION,
        read=reading(Submitted, operation="jobs.create"),
    )


def get(job_id: str) -> Call[JobDetails]:
    """``GET /jobs/{id}``, without the inputs."""

    def read(reply: Reply) -> JobDetails:
        job = codec.load(codec.parse(reply.body, operation="jobs.get"), _Job, operation="jobs.get")
        return _details(job)

    return Call(
        operation="jobs.get",
        method="GET",
        path=path("jobs", job_id),
        query=query([("exclude_params", True)]),
        read=buffered(read),
    )


def _details(job: _Job) -> JobDetails:
    usage = job.usage or _Usage()
    charged = usage.seconds if usage.qpu_charge_time_seconds is None else usage.qpu_charge_time_seconds
    code = job.state.reason_code if job.state.reason_code is not None else _number(job.state.legacy_code)
    return JobDetails(
        id=job.id,
        status=_status(job, code),
        program=job.program.id,
        backend=job.backend,
        created=job.created,
        session_id=job.session_id,
        tags=job.tags or (),
        private=bool(job.private),
        max_time=job.cost,
        reason=job.state.reason or None,
        code=code,
        solution=job.state.reason_solution or None,
        qpu_seconds=charged,
    )


def _number(value: int | str | None) -> int | None:
    return int(value) if isinstance(value, int) or (value and value.isdecimal()) else None


def _status(job: _Job, code: int | None) -> JobStatus:
    """Return the status, a job that was stopped at its limit told apart from one that somebody cancelled."""
    status = JobStatus(job.state.status)
    outer = JobStatus(job.status) if job.status else status
    too_long = code == _RAN_TOO_LONG or outer is JobStatus.RAN_TOO_LONG
    return JobStatus.RAN_TOO_LONG if status is JobStatus.CANCELLED and too_long else status


def cancel(job_id: str) -> Call[None]:
    """``POST /jobs/{id}/cancel``: 409 where the job is over already."""
    return Call(
        operation="jobs.cancel",
        method="POST",
        path=path("jobs", job_id, "cancel"),
        read=nothing(),
    )


def results(job_id: str, decode: Callable[[bytes], R]) -> Call[R | None]:
    """``GET /jobs/{id}/results``: None for the 204 that means that there is no result (yet)."""

    def read(reply: Reply) -> R | None:
        return decode(reply.body) if reply.head.status != 204 and reply.body else None

    return Call(
        operation="jobs.results",
        method="GET",
        path=path("jobs", job_id, "results"),
        patience=Patience.RESULTS,
        read=buffered(read),
    )
