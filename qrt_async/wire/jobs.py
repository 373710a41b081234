"""Job operations."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import attrs

from qrt_async.errors import ProtocolError
from qrt_async.models.answer import Answer
from qrt_async.models.jobs import JobDetails, JobFilter, JobMetrics, JobPage, JobRequest, JobStatus, Submitted
from qrt_async.wire import codec
from qrt_async.wire.call import Call, Patience, Replay, Reply, ReplyHead, Sink, buffered, json_body, path, query
from qrt_async.wire.dialect import Dialect
from qrt_async.wire.outcome import nothing, read_as, reading, stamped
from qrt_async.wire.results import BodyReader

R = TypeVar("R")

_LONGEST_CODE = 9
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
    quantum_seconds: float | None = None
    qpu_charge_time_seconds: float | None = None
    status: str | None = None
    circuits_execution_time_ns: float | None = None

    @property
    def charged(self) -> float | None:
        """The charged seconds, under whichever name the version gives them."""
        named = (self.qpu_charge_time_seconds, self.quantum_seconds, self.seconds)
        return next((value for value in named if value is not None), None)


@attrs.frozen(kw_only=True)
class _Job(Answer):
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
    estimated_running_time_seconds: float | None = None
    user_id: str | None = None
    runtime: str | None = None
    calibration_id: str | None = None
    params: dict[str, Any] | None = None


@attrs.frozen(kw_only=True)
class _Page(Answer):
    jobs: tuple[_Job, ...]
    limit: int | None = None
    offset: int | None = None
    count: int | None = None


@attrs.frozen
class _Timestamps:
    created: dt.datetime | None = None
    running: dt.datetime | None = None
    finished: dt.datetime | None = None


@attrs.frozen
class _Qubits:
    """The widths of a job's circuits: one number, or one for each."""

    counts: tuple[int, ...]


@attrs.frozen(kw_only=True)
class _Metrics(Answer):
    timestamps: _Timestamps | None = None
    usage: _Usage | None = None
    bss: _Usage | None = None
    circuits_execution_time_ns: float | None = None
    qiskit_version: str | None = None
    caller: str | None = None
    position_in_queue: int | None = None
    position_in_provider: int | None = None
    estimated_start_time: dt.datetime | None = None
    estimated_completion_time: dt.datetime | None = None
    num_circuits: int | None = None
    num_qubits: _Qubits | None = None


@attrs.frozen
class _Tags:
    tags: tuple[str, ...] = ()


@attrs.frozen
class _Url:
    url: str


codec.wire_names(_State, legacy_code="reasonCode")
codec.wire_form(
    _Qubits,
    lambda converter: (
        lambda value, _: _Qubits(converter.structure(value if isinstance(value, list) else [value], tuple[int, ...]))
    ),
)
codec.wire_form(int | str | None, lambda _: lambda value, _: value)


def create(dialect: Dialect, request: JobRequest[Any]) -> Call[Submitted]:
    """``POST /jobs``: repeated only by whoever has looked for its tag, since the service has no other handle."""
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
        replay=Replay.RECONCILE,
        patience=Patience.SUBMISSION,
        read=reading(Submitted, operation="jobs.create"),
    )


def get(job_id: str, *, params: bool = False) -> Call[JobDetails]:
    """``GET /jobs/{id}``, without the inputs unless `params` asks for them."""

    def read(reply: Reply) -> JobDetails:
        found = read_as(_Job, reply, operation="jobs.get")
        if found.id != job_id:
            raise ProtocolError(f"expected the job {job_id!r}, not job {found.id!r} @ $.id", operation="jobs.get")
        return stamped(_details(found), reply)

    return Call(
        operation="jobs.get",
        method="GET",
        path=path("jobs", job_id),
        query=query([("exclude_params", not params)]),
        read=buffered(read),
    )


def list_jobs(dialect: Dialect, wanted: JobFilter) -> Call[JobPage]:
    """``GET /jobs``: one page, newest first unless asked for otherwise."""
    pairs = [
        ("limit", wanted.limit),
        ("offset", wanted.offset or None),
        ("pending", wanted.pending),
        ("program", wanted.program),
        ("backend", wanted.backend),
        ("session_id", wanted.session_id),
        ("created_after", _time(wanted.created_after)),
        ("created_before", _time(wanted.created_before)),
        ("sort", "ASC" if wanted.oldest_first else None),
        ("exclude_params", not wanted.params),
        ("provider", str(dialect.legacy) if dialect.legacy else None),
        *(("tags", tag) for tag in wanted.tags),
    ]
    return Call(operation="jobs.list", method="GET", path="/jobs", query=query(pairs), read=buffered(_page))


def _time(moment: dt.datetime | None) -> str | None:
    return moment.astimezone(dt.UTC).isoformat().replace("+00:00", "Z") if moment else None


def _page(reply: Reply) -> JobPage:
    found = read_as(_Page, reply, operation="jobs.list")
    return JobPage(
        jobs=tuple(stamped(_details(job), reply) for job in found.jobs),
        limit=found.limit,
        offset=found.offset,
        count=found.count,
        extra=found.extra,
        request_id=found.request_id,
    )


def _details(job: _Job) -> JobDetails:
    usage = job.usage or _Usage()
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
        qpu_seconds=usage.charged,
        usage_status=usage.status,
        estimated_seconds=job.estimated_running_time_seconds,
        user_id=job.user_id,
        runtime=job.runtime,
        calibration_id=job.calibration_id,
        params=job.params,
        extra=job.extra,
    )


def _number(value: int | str | None) -> int | None:
    if isinstance(value, str):
        return int(value) if value.isdecimal() and len(value) <= _LONGEST_CODE else None
    return value


def _status(job: _Job, code: int | None) -> JobStatus:
    """Return the status, a job that was stopped at its limit told apart from one that somebody cancelled."""
    status = JobStatus(job.state.status)
    outer = JobStatus(job.status) if job.status else status
    too_long = code == _RAN_TOO_LONG or outer is JobStatus.RAN_TOO_LONG
    return JobStatus.RAN_TOO_LONG if status is JobStatus.CANCELLED and too_long else status


def cancel(job_id: str) -> Call[None]:
    """``POST /jobs/{id}/cancel``: 409 where the job is over already."""
    return Call(operation="jobs.cancel", method="POST", path=path("jobs", job_id, "cancel"), read=nothing())


def delete(job_id: str) -> Call[None]:
    """``DELETE /jobs/{id}``: the job and its data; refused while it is not over."""
    return Call(operation="jobs.delete", method="DELETE", path=path("jobs", job_id), read=nothing())


def results(job_id: str, decode: Callable[[bytes], R]) -> Call[R | None]:
    """``GET /jobs/{id}/results``: None for the 204 that means that there is no result (yet)."""
    if isinstance(decode, BodyReader):
        return _body_of(job_id, "results", decode.sink)
    return _body_of(job_id, "results", buffered(_unless_empty(decode), most=None))


def private_results(job_id: str) -> Call[bytes | None]:
    """
    ``GET /jobs/{id}/results`` of a private job, which the service gives once: None for the 204, else the bytes.

    Nobody repeats it, not even aiohttp on a connection that was closed meanwhile.
    """
    return Call(
        operation="jobs.results",
        method="GET",
        path=path("jobs", job_id, "results"),
        patience=Patience.RESULTS,
        replay=Replay.NEVER,
        fresh=True,
        read=buffered(lambda reply: reply.body if reply.head.status != 204 and reply.body else None, most=None),
    )


def interim_results(job_id: str) -> Call[str | None]:
    """``GET /jobs/{id}/interim_results`` of the legacy platform, kept for two days; None where there are none."""
    return _body_of(job_id, "interim_results", buffered(_unless_empty(_text)))


def _unless_empty(decode: Callable[[bytes], R]) -> Callable[[Reply], R | None]:
    return lambda reply: decode(reply.body) if reply.head.status != 204 and reply.body else None


def _body_of(job_id: str, what: str, read: Callable[[ReplyHead], Sink[R | None]]) -> Call[R | None]:
    return Call(
        operation=f"jobs.{what}",
        method="GET",
        path=path("jobs", job_id, what),
        patience=Patience.RESULTS,
        read=read,
    )


def logs(job_id: str) -> Call[str]:
    """``GET /jobs/{id}/logs``: text, even where it looks like JSON; 404 until the job is over."""
    return Call(
        operation="jobs.logs",
        method="GET",
        path=path("jobs", job_id, "logs"),
        read=buffered(lambda reply: _text(reply.body)),
    )


def _text(body: bytes) -> str:
    return body.decode("utf-8", "replace")


def metrics(job_id: str) -> Call[JobMetrics]:
    """``GET /jobs/{id}/metrics``."""
    return Call(
        operation="jobs.metrics", method="GET", path=path("jobs", job_id, "metrics"), read=buffered(_read_metrics)
    )


def _read_metrics(reply: Reply) -> JobMetrics:
    found = read_as(_Metrics, reply, operation="jobs.metrics")
    times, usage = found.timestamps or _Timestamps(), found.usage or _Usage()
    charged = usage.charged if usage.charged is not None else (found.bss or _Usage()).charged
    nanoseconds = found.circuits_execution_time_ns
    return JobMetrics(
        created=times.created,
        running=times.running,
        finished=times.finished,
        qpu_seconds=charged,
        usage_status=usage.status,
        circuits_execution_time_ns=usage.circuits_execution_time_ns if nanoseconds is None else nanoseconds,
        qiskit_version=found.qiskit_version,
        caller=found.caller,
        position_in_queue=found.position_in_queue,
        position_in_provider=found.position_in_provider,
        estimated_start=found.estimated_start_time,
        estimated_completion=found.estimated_completion_time,
        circuits=found.num_circuits,
        qubits=found.num_qubits.counts if found.num_qubits else None,
        extra=found.extra,
        request_id=found.request_id,
    )


def replace_tags(job_id: str, tags: Iterable[str]) -> Call[None]:
    """``PUT /jobs/{id}/tags``: all tags are replaced, none clears them."""
    return Call(
        operation="jobs.replace_tags",
        method="PUT",
        path=path("jobs", job_id, "tags"),
        body=json_body({"tags": list(tags)}),
        read=nothing(),
    )


def search_tags(text: str) -> Call[tuple[str, ...]]:
    """``GET /tags``: the tags of jobs that hold `text` (3 to 100 characters)."""
    return Call(
        operation="tags.search",
        method="GET",
        path="/tags",
        query=query([("type", "job"), ("search", text)]),
        read=buffered(lambda reply: read_as(_Tags, reply, operation="tags.search").tags),
    )


def transpiled_circuits(job_id: str) -> Call[str]:
    """
    ``GET /jobs/{id}/transpiled_circuits``: the address of a document with the circuits.

    The operation was removed with version 2026-02-01. The address is signed for a short time and is fetched without any
    credential.
    """
    return Call(
        operation="jobs.transpiled_circuits",
        method="GET",
        path=path("jobs", job_id, "transpiled_circuits"),
        read=buffered(lambda reply: read_as(_Url, reply, operation="jobs.transpiled_circuits").url),
    )
