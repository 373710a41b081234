"""Sessions."""

from __future__ import annotations

import datetime as dt
import enum

import attrs

from qrt_async.models.answer import Answer, Remark


class SessionMode(enum.StrEnum):
    """`DEDICATED` keeps the backend for the session's jobs alone; `BATCH` runs them close together."""

    DEDICATED = "dedicated"
    BATCH = "batch"


@attrs.frozen
class SessionChange:
    """A state that a session entered, and when."""

    status: str
    timestamp: dt.datetime


@attrs.frozen(kw_only=True)
class SessionDetails(Answer):
    """
    A session as the service describes it (``GET /sessions/{id}``); the legacy platform may tell its id alone.

    `state` is ``open``, ``active``, ``inactive`` or ``closed``; all lengths of time are in seconds.
    """

    id: str
    backend: str | None = None
    mode: str | None = None
    state: str | None = None
    state_reason: str | None = None
    accepting_jobs: bool | None = None
    max_ttl: int | None = None
    active_ttl: int | None = None
    interactive_ttl: int | None = None
    created_at: dt.datetime | None = None
    started_at: dt.datetime | None = None
    activated_at: dt.datetime | None = None
    closed_at: dt.datetime | None = None
    last_job_started: dt.datetime | None = None
    last_job_completed: dt.datetime | None = None
    elapsed_time: float | None = None
    user_id: str | None = None
    timestamps: tuple[SessionChange, ...] | None = None
    messages: tuple[Remark, ...] = ()


@attrs.frozen(kw_only=True)
class SessionOutcome:
    """What became of one session that was to be ended: `error` is None where it takes no more jobs."""

    session_id: str
    ended: bool
    error: Exception | None = None
