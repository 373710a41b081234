"""Jobs: what is asked for, and how it stands."""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

import attrs

from qrt_async.errors import InvalidOption
from qrt_async.models.answer import Answer, Remark

R = TypeVar("R")


class JobStatus(enum.StrEnum):
    """
    A job's status; words are compared without regard to case.

    A word that this version does not know stays as it is: then `known` is False.
    """

    QUEUED = "Queued"
    RUNNING = "Running"
    COMPLETED = "Completed"
    CANCELLED = "Cancelled"
    RAN_TOO_LONG = "Cancelled - Ran too long"
    FAILED = "Failed"

    @classmethod
    def _missing_(cls, value: object) -> JobStatus | None:
        if not isinstance(value, str):
            return None
        folded = value.casefold()
        found = next((member for member in cls if member.value.casefold() == folded), None)
        if found is not None:
            return found
        unknown = str.__new__(cls, value)
        unknown._name_ = value
        unknown._value_ = value
        return unknown

    @property
    def known(self) -> bool:
        """Whether this version knows the word."""
        return self._name_ in type(self).__members__

    @property
    def pending(self) -> bool:
        """Whether the job still waits or runs."""
        return self in {JobStatus.QUEUED, JobStatus.RUNNING}

    @property
    def final(self) -> bool:
        """Whether the job is over; an unknown word never is."""
        return self.known and not self.pending


@attrs.frozen(kw_only=True)
class JobDetails(Answer):
    """
    A job as the service describes it (``GET /jobs/{id}``, ``GET /jobs``).

    `reason`, `code` and `solution` explain a bad end; `qpu_seconds` is what is charged, None until it is known, and
    `usage_status` says whether that is final. `params` are the job's inputs where they were asked for; a private job's
    are empty.
    """

    id: str
    status: JobStatus
    program: str
    backend: str | None = None
    created: dt.datetime | None = None
    session_id: str | None = None
    tags: tuple[str, ...] = ()
    private: bool = False
    max_time: int | None = None
    reason: str | None = None
    code: int | None = None
    solution: str | None = None
    qpu_seconds: float | None = None
    usage_status: str | None = None
    estimated_seconds: float | None = None
    user_id: str | None = None
    runtime: str | None = None
    calibration_id: str | None = None
    params: Mapping[str, Any] | None = attrs.field(default=None, repr=False)


@attrs.frozen(kw_only=True)
class JobMetrics(Answer):
    """
    What a job took (``GET /jobs/{id}/metrics``), in whatever version said it.

    `qpu_seconds` is what is charged; the queue position and the estimates are those of older versions and the legacy
    platform, None elsewhere.
    """

    created: dt.datetime | None = None
    running: dt.datetime | None = None
    finished: dt.datetime | None = None
    qpu_seconds: float | None = None
    usage_status: str | None = None
    circuits_execution_time_ns: float | None = None
    qiskit_version: str | None = None
    caller: str | None = None
    position_in_queue: int | None = None
    position_in_provider: int | None = None
    estimated_start: dt.datetime | None = None
    estimated_completion: dt.datetime | None = None
    circuits: int | None = None
    qubits: tuple[int, ...] | None = None


def _a_page(_: object, __: object, value: int) -> None:
    # the service would silently take its default for anything else
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 200:
        raise InvalidOption(f"limit is a whole number from 1 to 200, not {value!r}")


@attrs.frozen(kw_only=True)
class JobFilter:
    """
    Which jobs a list is to hold (``GET /jobs``); None asks for all.

    `pending` True means queued and running jobs, False finished ones; `tags` must all be there; the bounds of the
    creation time belong to the range. `limit` is the size of a page, 200 at most.
    """

    pending: bool | None = None
    program: str | None = None
    backend: str | None = None
    session_id: str | None = None
    tags: tuple[str, ...] = ()
    created_after: dt.datetime | None = None
    created_before: dt.datetime | None = None
    oldest_first: bool = False
    params: bool = False
    limit: int = attrs.field(default=200, validator=_a_page)
    offset: int = 0


@attrs.frozen(kw_only=True)
class JobPage(Answer):
    """One page of a list of jobs; `limit` is the size that the service gave it, `count` the number of all."""

    jobs: tuple[JobDetails, ...]
    limit: int | None = None
    offset: int | None = None
    count: int | None = None


@attrs.frozen
class Program(Generic[R]):
    """A program of the service, and how the body of its results is read."""

    id: str
    decode: Callable[[bytes], R] = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class JobRequest(Generic[R]):
    """One job to be submitted; `max_time` is its limit in seconds (the API's ``cost``)."""

    program: Program[R]
    backend: str
    params: Mapping[str, Any] = attrs.field(repr=False)
    tags: tuple[str, ...] = ()
    private: bool = False
    max_time: int | None = None
    session_id: str | None = None


@attrs.frozen(kw_only=True)
class Submitted(Answer):
    """What the service answers to a submission; `messages` are its remarks."""

    id: str
    backend: str | None = None
    session_id: str | None = None
    messages: tuple[Remark, ...] = ()


@attrs.frozen(kw_only=True)
class CancelOutcome:
    """What became of one job that was to be cancelled: `error` is None where it is over now."""

    job_id: str
    cancelled: bool
    error: Exception | None = None
