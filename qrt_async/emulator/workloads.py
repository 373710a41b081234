"""Jobs, sessions and batches in one list: what `GET /workloads` pages through."""

from __future__ import annotations

import base64
import binascii
from datetime import datetime
from typing import TYPE_CHECKING, Self

import attrs

from qrt_async.emulator import lifecycle
from qrt_async.emulator.records import JobStatus, SessionState

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from qrt_async.emulator.records import Job, Session

_JOB_WORDS = {
    JobStatus.QUEUED: "pending",
    JobStatus.RUNNING: "in_progress",
    JobStatus.COMPLETED: "completed",
    JobStatus.CANCELLED: "canceled",
    JobStatus.FAILED: "failed",
}
_SESSION_WORDS = {
    SessionState.OPEN: "pending",
    SessionState.ACTIVE: "in_progress",
    SessionState.INACTIVE: "in_progress",
    SessionState.CLOSED: "completed",
}
STATUSES = tuple(_JOB_WORDS.values())
MODES = ("job", "session", "batch")


@attrs.frozen
class Workload:
    """One job of its own, or one session with all its jobs.

    `seconds` is what it was charged; `ended` tells whether that is final. `running_seconds` is an estimate, None
    where there is none; `accepting_jobs` is None for a job.
    """

    id: str
    mode: str
    status: str
    created: datetime
    ended: datetime | None
    backend: str
    seconds: int
    reason: str
    tags: tuple[str, ...] = ()
    accepting_jobs: bool | None = None
    running_seconds: float | None = None

    @property
    def place(self) -> tuple[datetime, str]:
        """Where it stands in a list that is sorted by creation."""
        return self.created, self.id


@attrs.frozen
class Cursor:
    """A place in the list, as text that callers only hand back."""

    created: datetime
    id: str

    @classmethod
    def read(cls, text: str) -> Self:
        """Read a cursor; raises ValueError for text that is none."""
        try:
            date, _, name = base64.urlsafe_b64decode(text.encode()).decode().partition(" ")
        except (binascii.Error, UnicodeError) as error:
            raise ValueError(f"{text!r} is no cursor") from error
        created = datetime.fromisoformat(date)
        if created.tzinfo is None:
            raise ValueError(f"{text!r} is no cursor: its date has no zone")
        return cls(created, name)

    @classmethod
    def at(cls, workload: Workload) -> Self:
        """Give the place of a workload."""
        return cls(*workload.place)

    def __str__(self) -> str:
        return base64.urlsafe_b64encode(f"{self.created.isoformat()} {self.id}".encode()).decode()


@attrs.frozen
class WorkloadQuery:
    """Which workloads are asked for; `search` is part of an id or of a tag, `tags` must all be there."""

    limit: int = 10
    newest_first: bool = False
    after: Cursor | None = None
    before: Cursor | None = None
    backend: str | None = None
    search: str | None = None
    statuses: tuple[str, ...] = ()
    mode: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    tags: tuple[str, ...] = ()

    def admits(self, each: Workload) -> bool:
        """Tell whether a workload is asked for."""
        return (
            self.backend in (None, each.backend)
            and self.mode in (None, each.mode)
            and (not self.statuses or each.status in self.statuses)
            and (self.created_after is None or each.created >= self.created_after)
            and (self.created_before is None or each.created <= self.created_before)
            and set(self.tags) <= set(each.tags)
            and (self.search is None or any(self.search in text for text in (each.id, *each.tags)))
        )


@attrs.frozen
class WorkloadPage:
    """One page: `total` counts the workloads of all pages, the cursors are None at either end of the list."""

    workloads: tuple[Workload, ...]
    total: int
    limit: int
    previous: Cursor | None
    next: Cursor | None


def page(everything: Iterable[Workload], query: WorkloadQuery) -> WorkloadPage:
    """Give the page after `query.after`, or the one before `query.before`; without either, the first."""
    found = sorted(filter(query.admits, everything), key=lambda each: each.place, reverse=query.newest_first)
    start, stop = _bounds(found, query)
    shown = found[start:stop]
    return WorkloadPage(
        tuple(shown),
        len(found),
        query.limit,
        Cursor.at(shown[0]) if shown and start > 0 else None,
        Cursor.at(shown[-1]) if shown and stop < len(found) else None,
    )


def of_job(job: Job) -> Workload:
    """Give the workload that a job of its own is."""
    return Workload(
        job.id,
        "job",
        _JOB_WORDS[job.status],
        job.created.date,
        job.finished.date if job.finished else None,
        job.order.backend,
        lifecycle.charged_seconds(job),
        "" if job.reason is None else job.reason.text,
        tags=job.tags,
        running_seconds=job.running_seconds,
    )


def of_session(session: Session, seconds: int) -> Workload:
    """Give the workload that a session or batch is; `seconds` is what its jobs were charged."""
    return Workload(
        session.id,
        "batch" if session.order.mode == "batch" else "session",
        _SESSION_WORDS[session.state],
        session.created.date,
        session.closed.date if session.closed else None,
        session.backend or "",
        seconds,
        session.state_reason,
        accepting_jobs=session.accepting_jobs,
    )


def _bounds(found: Sequence[Workload], query: WorkloadQuery) -> tuple[int, int]:
    if (cursor := query.before) is not None:
        ahead = sum(_precedes(each.place, (cursor.created, cursor.id), query) for each in found)
        return max(0, ahead - query.limit), ahead
    start = 0
    if (cursor := query.after) is not None:
        start = sum(not _precedes((cursor.created, cursor.id), each.place, query) for each in found)
    return start, start + query.limit


def _precedes(one: tuple[datetime, str], other: tuple[datetime, str], query: WorkloadQuery) -> bool:
    return one > other if query.newest_first else one < other
