"""Session operations."""

from __future__ import annotations

from typing import Any

from qrt_async.models.sessions import SessionDetails, SessionMode
from qrt_async.wire import codec
from qrt_async.wire.call import Call, Replay, json_body, path
from qrt_async.wire.dialect import Dialect
from qrt_async.wire.outcome import nothing, reading

codec.wire_names(SessionDetails, backend="backend_name")


def create(dialect: Dialect, *, backend: str, mode: SessionMode, max_time: int) -> Call[SessionDetails]:
    """``POST /sessions``; `max_time` (seconds) ends the session even if nobody closes it."""
    body: dict[str, Any] = {"backend": backend, "mode": mode.value}
    if dialect.legacy:
        body |= {"instance": str(dialect.legacy), "max_session_ttl": max_time}
    else:
        body["max_ttl"] = max_time
    return Call(
        operation="sessions.create",
        method="POST",
        path="/sessions",
        body=json_body(body),
        replay=Replay.NEVER,
        read=reading(SessionDetails, operation="sessions.create"),
    )


def get(session_id: str) -> Call[SessionDetails]:
    """``GET /sessions/{id}``."""
    return Call(
        operation="sessions.get",
        method="GET",
        path=path("sessions", session_id),
        read=reading(SessionDetails, operation="sessions.get"),
    )


def set_accepting(session_id: str, accepting: bool) -> Call[None]:
    """
    ``PATCH /sessions/{id}``: whether new jobs are taken.

    Without new jobs, what is queued still runs, and then the session closes by itself.
    """
    return Call(
        operation="sessions.drain",
        method="PATCH",
        path=path("sessions", session_id),
        body=json_body({"accepting_jobs": accepting}),
        read=nothing(),
    )


def drain(session_id: str) -> Call[None]:
    """``PATCH /sessions/{id}``: no new jobs."""
    return set_accepting(session_id, accepting=False)


def close(session_id: str) -> Call[None]:
    """``DELETE /sessions/{id}/close``: queued jobs never run, running ones finish."""
    return Call(
        operation="sessions.close",
        method="DELETE",
        path=path("sessions", session_id, "close"),
        read=nothing(),
    )
