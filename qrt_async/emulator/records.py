"""What the emulated service remembers: tenants, jobs, sessions, transpiler tasks."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

import attrs

from qrt_async.emulator.plans import MAX_COST

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from qrt_async.emulator.clock import Instant


class Platform(StrEnum):
    """The two dialects of the API."""

    LEGACY = "legacy"
    IBM_QUANTUM = "ibm_quantum"


@attrs.frozen
class Tenant:
    """Whom jobs and sessions belong to: a user on LEGACY, a user within one instance on IBM_QUANTUM.

    `instance` is the CRN, empty on LEGACY.
    """

    platform: Platform
    user_id: str
    instance: str = ""


class JobStatus(StrEnum):
    """A job's state, in the service's spelling."""

    QUEUED = "Queued"
    RUNNING = "Running"
    COMPLETED = "Completed"
    CANCELLED = "Cancelled"
    FAILED = "Failed"

    @property
    def final(self) -> bool:
        """Tell whether nothing follows this state."""
        return self not in (JobStatus.QUEUED, JobStatus.RUNNING)


class Availability(StrEnum):
    """Whether a backend runs jobs, in the service's spelling."""

    ONLINE = "online"
    PAUSED = "paused"
    OFFLINE = "offline"


@attrs.frozen
class Condition:
    """How a backend is, and why."""

    availability: Availability = Availability.ONLINE
    reason: str = ""

    @property
    def online(self) -> bool:
        """Tell whether it runs jobs."""
        return self.availability is Availability.ONLINE


@attrs.frozen
class Reason:
    """Why a job failed: `text`, the registry's `code`, what to do, and what a crash left behind."""

    text: str
    code: int
    solution: str = ""
    traceback: str = ""


@attrs.frozen
class Placement:
    """The LEGACY instance a job was sent to."""

    hub: str
    group: str
    project: str

    def __str__(self) -> str:
        return f"{self.hub}/{self.group}/{self.project}"


@attrs.frozen
class JobOrder:
    """What a checked body of `POST /jobs` asks for; `cost` in seconds, already capped."""

    program_id: str
    backend: str
    params: Mapping[str, Any]
    tags: tuple[str, ...] = ()
    cost: int = 0
    session_id: str | None = None
    private: bool = False
    runtime: str | None = None
    calibration_id: str | None = None
    placement: Placement | None = None
    remote_storage: Mapping[str, Any] | None = None

    @property
    def time_limit(self) -> int:
        """The seconds the job may take on the device; a cost of 0 leaves it the most there is."""
        return self.cost or MAX_COST


@attrs.define(eq=False)
class Job:
    """One job; changed by `lifecycle` only, but for its tags and its private result.

    `params` is empty once a private job is over. `body` is the exact reply of `GET …/results`. `caller` is what
    its submission said in `X-Qx-Client-Application`.
    """

    id: str
    tenant: Tenant
    order: JobOrder
    seed: int
    created: Instant
    params: Mapping[str, Any]
    tags: tuple[str, ...]
    caller: str = ""
    status: JobStatus = JobStatus.QUEUED
    started: Instant | None = None
    finished: Instant | None = None
    reason: Reason | None = None
    body: bytes | None = None
    quantum_seconds: float = 0.0

    @property
    def ran_too_long(self) -> bool:
        """Tell whether it was stopped for the time it took."""
        return self.status is JobStatus.CANCELLED and self.reason is not None

    @property
    def running_seconds(self) -> float | None:
        """The estimated running time of a completed job: its time on the device and the service's overhead."""
        return round(self.quantum_seconds + 1.0, 3) if self.status is JobStatus.COMPLETED else None


@attrs.frozen
class SessionOrder:
    """What a checked body of `POST /sessions` asks for; times in seconds, `backend` may be left open."""

    mode: str
    backend: str | None
    max_ttl: int
    active_ttl: int
    interactive_ttl: int


class SessionState(StrEnum):
    """A session's state, in the service's spelling."""

    OPEN = "open"
    ACTIVE = "active"
    INACTIVE = "inactive"
    CLOSED = "closed"


@attrs.define(eq=False)
class Session:
    """One session or batch; changed by `lifecycle` only. `unfinished` holds its queued and running jobs.

    `active_seconds` counts the time it was active before `active_since`; `idle_since` is the moment from which on
    it has had no unfinished job.
    """

    id: str
    tenant: Tenant
    order: SessionOrder
    created: Instant
    backend: str | None
    state: SessionState = SessionState.OPEN
    state_reason: str = "session_created"
    accepting_jobs: bool = True
    activated: Instant | None = None
    active_since: Instant | None = None
    active_seconds: float = 0.0
    idle_since: Instant | None = None
    closed: Instant | None = None
    last_job_started: datetime | None = None
    last_job_completed: datetime | None = None
    unfinished: dict[str, Job] = attrs.field(factory=dict[str, Job])
    history: list[tuple[SessionState, datetime]] = attrs.field(factory=list[tuple[SessionState, "datetime"]])


class TaskState(StrEnum):
    """A transpiler task's state, in the service's spelling."""

    PENDING = "PENDING"
    STARTED = "STARTED"
    SUCCESS = "SUCCESS"
    FAILURE = "FAILURE"


@attrs.define(eq=False)
class TranspilerTask:
    """One request to the transpiler service; `body` is the JSON list of its results once it succeeded."""

    id: str
    user_id: str
    state: TaskState = TaskState.PENDING
    body: bytes = b"null"


@attrs.frozen
class JobQuery:
    """Which jobs `GET /jobs` asks for; bounds of `created` are inclusive, `tags` must all be there."""

    limit: int = 200
    offset: int = 0
    pending: bool | None = None
    program: str | None = None
    backend: str | None = None
    session_id: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    oldest_first: bool = False
    tags: tuple[str, ...] = ()
    placement: str | None = None

    def select(self, jobs: Iterable[Job]) -> list[Job]:
        """Give those of `jobs` that are asked for, paging aside, in their order."""
        found = list(jobs)  # then one pass for each thing asked for: lists are long, and most ask for little
        if self.pending is not None:
            found = [job for job in found if job.status.final is not self.pending]
        if (after := self.created_after) is not None:
            found = [job for job in found if job.created.date >= after]
        if (before := self.created_before) is not None:
            found = [job for job in found if job.created.date <= before]
        if self.program is not None:
            found = [job for job in found if job.order.program_id == self.program]
        if self.backend is not None:
            found = [job for job in found if job.order.backend == self.backend]
        if self.session_id is not None:
            found = [job for job in found if job.order.session_id == self.session_id]
        if self.placement is not None:
            found = [job for job in found if str(job.order.placement) == self.placement]
        for tag in self.tags:
            found = [job for job in found if tag in job.tags]
        return found


@attrs.frozen
class JobPage:
    """One page of `GET /jobs`: `count` is the number of jobs asked for over all pages."""

    jobs: tuple[Job, ...]
    count: int
    limit: int
    offset: int
