"""Transitions of jobs and sessions: pure changes of records at a given moment."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import attrs

from qrt_async.emulator.records import JobStatus, Reason, SessionState

if TYPE_CHECKING:
    from qrt_async.emulator.clock import Instant
    from qrt_async.emulator.records import Job, Session

SESSION_CLOSED = Reason("Session has been closed", 1217, "Open a new session and submit the job again.", traceback="")
RAN_TOO_LONG = 1305
IDLE_DEDICATED = 1800  # seconds a dedicated session lives without a job (execution modes guide)


@attrs.frozen
class Deadline:
    """What time will do to a session: at `monotonic` it enters `state`, for `reason`."""

    monotonic: float
    state: SessionState
    reason: str


def queue(job: Job, session: Session | None) -> None:
    """Let a new job count as its session's; an open session without a backend takes the job's."""
    if session is not None:
        session.unfinished[job.id] = job
        session.idle_since = None
        session.backend = session.backend or job.order.backend


def begin(job: Job, session: Session | None, at: Instant) -> None:
    """Turn Queued into Running; a job that starts makes an open or inactive session active."""
    if job.status is not JobStatus.QUEUED:
        return
    job.status = JobStatus.RUNNING
    job.started = at
    if session is None:
        return
    session.last_job_started = at.date
    if session.state in (SessionState.OPEN, SessionState.INACTIVE):
        session.activated = session.activated or at
        session.active_since = at
        _enter(session, SessionState.ACTIVE, "session_activated", at)


def complete(job: Job, session: Session | None, at: Instant, body: bytes, quantum_seconds: float) -> None:
    """Turn Running into Completed, with the bytes of the job's results."""
    job.body = body
    job.quantum_seconds = quantum_seconds
    _finish(job, session, JobStatus.COMPLETED, at)


def fail(job: Job, session: Session | None, at: Instant, reason: Reason) -> None:
    """Turn Queued or Running into Failed."""
    job.reason = reason
    _finish(job, session, JobStatus.FAILED, at)


def cancel(job: Job, session: Session | None, at: Instant) -> None:
    """Turn Queued or Running into Cancelled, with no reason and no results."""
    _finish(job, session, JobStatus.CANCELLED, at)


def stop(job: Job, session: Session | None, at: Instant) -> None:
    """Turn Running into Cancelled with code 1305: the job took longer than it may."""
    job.reason = Reason(
        f"Job {job.id} ran longer than {job.order.time_limit} seconds",
        RAN_TOO_LONG,
        "Give the job a higher maximum execution time, or less to do.",
    )
    job.quantum_seconds = float(job.order.time_limit)
    _finish(job, session, JobStatus.CANCELLED, at)


def open_session(session: Session) -> None:
    """Write the first line of a new session's history."""
    session.idle_since = session.created
    session.history.append((SessionState.OPEN, session.created.date))


def set_accepting(session: Session, accepting: bool, at: Instant) -> None:
    """Drain a session, or take that back; a drained one closes, and a closed one stays closed."""
    session.accepting_jobs = accepting
    _close_if_drained(session, at)


def close_session(session: Session, at: Instant, reason: str = "session_closed_early") -> list[Job]:
    """Close at once: queued jobs fail with code 1217, running ones go on; give the jobs that failed."""
    dropped = [job for job in session.unfinished.values() if job.status is JobStatus.QUEUED]
    session.accepting_jobs = False
    _close(session, at, reason)
    for job in dropped:
        fail(job, session, at, SESSION_CLOSED)
    return dropped


def deadline(session: Session) -> Deadline | None:
    """Give what time will do to a session next, if nothing else happens; None once it is closed."""
    if session.state is SessionState.CLOSED:
        return None
    order, idle, active = session.order, session.idle_since, session.active_since
    ends = [Deadline(session.created.monotonic + order.max_ttl, SessionState.CLOSED, "session_closed_by_max_ttl")]
    if active is not None:
        end = active.monotonic + order.active_ttl - session.active_seconds
        ends.append(Deadline(end, SessionState.CLOSED, "session_closed_by_active_ttl"))
        if idle is not None:
            end = max(idle.monotonic, active.monotonic) + order.interactive_ttl
            ends.append(Deadline(end, SessionState.INACTIVE, "session_inactivated_by_interactive_ttl"))
    if idle is not None and order.mode == "dedicated":
        ends.append(Deadline(idle.monotonic + IDLE_DEDICATED, SessionState.CLOSED, "session_closed_by_idle_ttl"))
    return min(ends, key=lambda each: each.monotonic)


def expire(session: Session, due: Deadline, at: Instant) -> list[Job]:
    """Let time do what `due` says; give the queued jobs that failed with it."""
    if due.state is SessionState.CLOSED:
        return close_session(session, at, due.reason)
    _rest(session, at)
    _enter(session, due.state, due.reason, at)
    return []


def charged_seconds(job: Job) -> int:
    """Give the seconds a finished job is charged: whole ones, and at least two if it ever ran.

    The service charges about two seconds of overhead (job-limits guide; observed on failed jobs too).
    """
    if job.started is None or not job.status.final:
        return 0
    if job.ran_too_long:
        return max(2, job.order.time_limit)
    return max(2, math.ceil(job.quantum_seconds + 1.0))


def active_seconds_left(session: Session, now: Instant) -> int:
    """Give the whole seconds a session may still be active, at least one."""
    used = session.active_seconds
    if session.active_since is not None:
        used += now.seconds_since(session.active_since)
    return max(1, session.order.active_ttl - int(used))


def _finish(job: Job, session: Session | None, status: JobStatus, at: Instant) -> None:
    ran = job.status is JobStatus.RUNNING
    job.status = status
    job.finished = at
    if job.order.private:
        job.params = {}
    if session is None:
        return
    session.unfinished.pop(job.id, None)
    if not session.unfinished:
        session.idle_since = at
    if ran:
        session.last_job_completed = at.date
    _close_if_drained(session, at)


def _close_if_drained(session: Session, at: Instant) -> None:
    if not session.accepting_jobs and not session.unfinished:
        _close(session, at, "session_closed_early")


def _close(session: Session, at: Instant, reason: str) -> None:
    if session.state is not SessionState.CLOSED:
        _rest(session, at)
        session.closed = at
        _enter(session, SessionState.CLOSED, reason, at)


def _rest(session: Session, at: Instant) -> None:
    if session.active_since is not None:
        session.active_seconds += at.seconds_since(session.active_since)
        session.active_since = None


def _enter(session: Session, state: SessionState, reason: str, at: Instant) -> None:
    session.state = state
    session.state_reason = reason
    session.history.append((state, at.date))
