"""Records as JSON texts and back: what a state file holds.

Monotonic seconds mean nothing to the next process: only dates are written, and reading counts back from now.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

import attrs

from qrt_async.emulator.clock import Instant
from qrt_async.emulator.ledger import Charge
from qrt_async.emulator.records import (
    Job,
    JobOrder,
    JobStatus,
    Placement,
    Platform,
    Reason,
    Session,
    SessionOrder,
    SessionState,
    Tenant,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


def job_order(job: Job) -> str:
    """Write what never changes about a job, its params included."""
    order = attrs.asdict(job.order, recurse=False)
    order["placement"] = job.order.placement and attrs.asdict(job.order.placement)
    return json.dumps(
        {
            "tenant": attrs.asdict(job.tenant),
            "order": order,
            "seed": job.seed,
            "created": _text(job.created),
            "caller": job.caller,
        }
    )


def job_state(job: Job) -> str:
    """Write what changes about a job, the bytes of its results aside."""
    return json.dumps(
        {
            "tags": job.tags,
            "status": job.status,
            "started": _text(job.started),
            "finished": _text(job.finished),
            "reason": job.reason and attrs.asdict(job.reason),
            "quantum_seconds": job.quantum_seconds,
        }
    )


def read_job(job_id: str, order_text: str, state_text: str, body: bytes | None, now: Instant) -> Job:
    """Read a job; one that was running is queued again, since its work went with its process."""
    fixed, state = json.loads(order_text), json.loads(state_text)
    order = JobOrder(**_job_order(fixed["order"]))
    job = Job(
        id=job_id,
        tenant=_tenant(fixed["tenant"]),
        order=order,
        seed=fixed["seed"],
        created=_moment(fixed["created"], now),
        params=order.params,
        tags=tuple(state["tags"]),
        caller=fixed["caller"],
        status=JobStatus(state["status"]),
        body=body,
        quantum_seconds=state["quantum_seconds"],
    )
    if not job.status.final:
        job.status = JobStatus.QUEUED
        return job
    job.started, job.finished = _maybe(state["started"], now), _maybe(state["finished"], now)
    job.reason = Reason(**state["reason"]) if state["reason"] else None
    if order.private:
        job.params = {}
    return job


def session(record: Session) -> str:
    """Write a session, its jobs aside."""
    return json.dumps(
        {
            "tenant": attrs.asdict(record.tenant),
            "order": attrs.asdict(record.order),
            "backend": record.backend,
            "state": record.state,
            "state_reason": record.state_reason,
            "accepting_jobs": record.accepting_jobs,
            "active_seconds": record.active_seconds,
            "last_job_started": record.last_job_started and record.last_job_started.isoformat(),
            "last_job_completed": record.last_job_completed and record.last_job_completed.isoformat(),
            "history": [(state, date.isoformat()) for state, date in record.history],
        }
        | {name: _text(getattr(record, name)) for name in _MOMENTS}
    )


def read_session(session_id: str, text: str, now: Instant) -> Session:
    """Read a session; whoever reads its jobs has to enter those that are not over."""
    document = json.loads(text)
    return Session(
        id=session_id,
        tenant=_tenant(document["tenant"]),
        order=SessionOrder(**document["order"]),
        created=_moment(document["created"], now),
        activated=_maybe(document["activated"], now),
        active_since=_maybe(document["active_since"], now),
        idle_since=_maybe(document["idle_since"], now),
        closed=_maybe(document["closed"], now),
        backend=document["backend"],
        state=SessionState(document["state"]),
        state_reason=document["state_reason"],
        accepting_jobs=document["accepting_jobs"],
        active_seconds=document["active_seconds"],
        last_job_started=_date(document["last_job_started"]),
        last_job_completed=_date(document["last_job_completed"]),
        history=[(SessionState(state), datetime.fromisoformat(date)) for state, date in document["history"]],
    )


def charge(record: Charge) -> str:
    """Write a charge."""
    document = attrs.asdict(record)
    return json.dumps(document | {name: document[name] and document[name].isoformat() for name in _DATES})


def read_charge(text: str) -> Charge:
    """Read a charge."""
    document = json.loads(text)
    dates = {name: _date(document[name]) for name in _DATES}
    return Charge(**document | dates | {"tenant": _tenant(document["tenant"])})


_MOMENTS = ("created", "activated", "active_since", "idle_since", "closed")
_DATES = ("created", "started", "finished")


def _job_order(document: dict[str, Any]) -> dict[str, Any]:
    placement = document["placement"]
    return document | {"tags": tuple(document["tags"]), "placement": placement and Placement(**placement)}


def _tenant(document: Mapping[str, str]) -> Tenant:
    return Tenant(Platform(document["platform"]), document["user_id"], document["instance"])


def _text(moment: Instant | None) -> str | None:
    return moment.date.isoformat() if moment else None


def _moment(text: str, now: Instant) -> Instant:
    date = datetime.fromisoformat(text)
    return Instant(date, now.monotonic - (now.date - date).total_seconds())


def _maybe(text: str | None, now: Instant) -> Instant | None:
    return None if text is None else _moment(text, now)


def _date(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
