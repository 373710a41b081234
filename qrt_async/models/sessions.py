"""Sessions."""

from __future__ import annotations

import enum

import attrs


class SessionMode(enum.StrEnum):
    """`DEDICATED` keeps the backend for the session's jobs alone; `BATCH` runs them close together."""

    DEDICATED = "dedicated"
    BATCH = "batch"


@attrs.frozen(kw_only=True)
class SessionDetails:
    """A session as the service describes it (``GET /sessions/{id}``); the legacy platform may tell its id alone."""

    id: str
    backend: str | None = None
    mode: str | None = None
    state: str | None = None
    accepting_jobs: bool | None = None
    max_ttl: int | None = None
