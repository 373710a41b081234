"""Jobs: what is asked for, and how it stands."""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

import attrs

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
class JobDetails:
    """
    A job as the service describes it (``GET /jobs/{id}``).

    `reason`, `code` and `solution` explain a bad end; `qpu_seconds` is what is charged, None until it is known.
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


@attrs.frozen
class Submitted:
    """What the service answers to a submission."""

    id: str
    backend: str | None = None
    session_id: str | None = None
