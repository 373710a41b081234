"""Transitions of jobs and sessions: pure changes of records at a given moment."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from qrt_async.emulator.records import JobStatus, Reason, SessionState

if TYPE_CHECKING:
    from qrt_async.emulator.clock import Instant
    from qrt_async.emulator.records import Job, Session

SESSION_CLOSED = Reason("Session has been closed", 1217, "Open a new session and submit the job again.", traceback="")


def queue(job: Job, session: Session | None) -> None:
    """Let a new job count as its session's; an open session without a backend takes the job's."""
    if session is not None:
        session.unfinished[job.id] = job
        session.backend = session.backend or job.order.backend


def begin(job: Job, session: Session | None, at: Instant) -> None:
    """Turn Queued into Running; the first job of an open session activates it."""
    if job.status is not JobStatus.QUEUED:
        return
    job.status = JobStatus.RUNNING
    job.started = at
    if session is None:
        return
    session.last_job_started = at.date
    if session.state is SessionState.OPEN:
        session.activated = at
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


def open_session(session: Session) -> None:
    """Write the first line of a new session's history."""
    session.history.append((SessionState.OPEN, session.created.date))


def set_accepting(session: Session, accepting: bool, at: Instant) -> None:
    """Drain a session, or take that back; a drained one closes, and a closed one stays closed."""
    session.accepting_jobs = accepting
    _close_if_drained(session, at)


def close_session(session: Session, at: Instant) -> list[Job]:
    """Close at once: queued jobs fail with code 1217, running ones go on; give the jobs that failed."""
    dropped = [job for job in session.unfinished.values() if job.status is JobStatus.QUEUED]
    for job in dropped:
        fail(job, session, at, SESSION_CLOSED)
    session.accepting_jobs = False
    _close(session, at)
    return dropped


def charged_seconds(job: Job) -> int:
    """Give the seconds a finished job is charged: whole ones, and at least two if it ever ran.

    The service charges about two seconds of overhead (job-limits guide; observed on failed jobs too).
    """
    if job.started is None or not job.status.final:
        return 0
    return max(2, math.ceil(job.quantum_seconds + 1.0))


def _finish(job: Job, session: Session | None, status: JobStatus, at: Instant) -> None:
    ran = job.status is JobStatus.RUNNING
    job.status = status
    job.finished = at
    if job.order.private:
        job.params = {}
    if session is None:
        return
    session.unfinished.pop(job.id, None)
    if ran:
        session.last_job_completed = at.date
    _close_if_drained(session, at)


def _close_if_drained(session: Session, at: Instant) -> None:
    if not session.accepting_jobs and not session.unfinished:
        _close(session, at)


def _close(session: Session, at: Instant) -> None:
    if session.state is not SessionState.CLOSED:
        session.closed = at
        _enter(session, SessionState.CLOSED, "session_closed_early", at)


def _enter(session: Session, state: SessionState, reason: str, at: Instant) -> None:
    session.state = state
    session.state_reason = reason
    session.history.append((state, at.date))
