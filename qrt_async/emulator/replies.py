"""JSON as the service says it: one function per kind of reply."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import attrs

from qrt_async.emulator import lifecycle
from qrt_async.emulator.records import Availability, Platform

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from qrt_async.emulator.clock import Instant
    from qrt_async.emulator.credentials import AccessToken, Bearer
    from qrt_async.emulator.devices import Device
    from qrt_async.emulator.records import Condition, Job, JobPage, Session
    from qrt_async.emulator.refusals import Refusal

VERSIONS: dict[str, str | None] = {  # IBM-API-Version -> the day it ends, where one is known
    "2026-04-15": None,
    "2026-03-15": "2027-03-15",
    "2026-02-15": "2027-02-15",
    "2026-02-01": "2027-02-01",
    "2025-05-01": "2027-01-01",
    "2025-01-01": None,
    "2024-01-01": None,
}
LIVE_VERSION = "2026-04-15"
OLDEST_VERSION = "2024-01-01"
_LEGACY_HELP = "https://docs.quantum-computing.ibm.com/errors"
_HELP = "https://cloud.ibm.com/apidocs/quantum-computing#error-handling"


@attrs.frozen
class Dialect:
    """Which shapes a caller gets: the platform and, on IBM_QUANTUM, the dated version."""

    platform: Platform
    version: str = OLDEST_VERSION

    @property
    def device_objects(self) -> bool:
        """Tell whether `GET /backends` lists objects rather than names."""
        return self.platform is Platform.IBM_QUANTUM and self.version >= "2025-01-01"

    @property
    def usage_with_status(self) -> bool:
        """Tell whether a job's usage is `qpu_charge_time_seconds` and `status` rather than `seconds`."""
        return self.platform is Platform.IBM_QUANTUM and self.version >= "2026-03-15"

    @property
    def execution_time_at_root(self) -> bool:
        """Tell whether `circuits_execution_time_ns` stands at the root of the metrics rather than in `usage`."""
        return self.platform is Platform.IBM_QUANTUM and self.version >= "2026-04-15"

    @property
    def shows_transpiled_circuits(self) -> bool:
        """Tell whether `GET /jobs/{id}/transpiled_circuits` and `…/interim_results` are still there."""
        return self.platform is Platform.LEGACY or self.version < "2026-02-01"


# errors


def error(refusal: Refusal, platform: Platform, trace: str) -> dict[str, Any]:
    """Give an error container; LEGACY has no trace, and a code that is not known is left out."""
    legacy = platform is Platform.LEGACY
    if refusal.bare:
        return {"errors": [{"message": refusal.message}]}
    entry: dict[str, Any] = {} if refusal.code is None else {"code": refusal.code}
    entry["message"] = refusal.message
    if refusal.solution:
        entry["solution"] = refusal.solution
    entry["more_info"] = _LEGACY_HELP if legacy else _HELP
    return {"errors": [entry]} if legacy else {"errors": [entry], "trace": trace}


def full_error(refusal: Refusal, trace: str) -> dict[str, Any]:
    """Give an error of usage, workloads and analytics, whose four fields are always there."""
    entry = {
        "code": refusal.status if refusal.code is None else refusal.code,
        "message": refusal.message,
        "solution": refusal.solution or "Correct the request and send it again.",
        "more_info": _HELP,
    }
    return {"errors": [entry], "trace": trace}


def loopback_error(refusal: Refusal) -> dict[str, Any]:
    """Give the error body of the LEGACY login host."""
    content: dict[str, Any] = {"statusCode": refusal.status, "name": "Error", "message": refusal.message}
    if refusal.code is not None:
        content["code"] = refusal.code
    return {"error": content}


def iam_error(refusal: Refusal, trace: str) -> dict[str, Any]:
    """Give IAM's error body."""
    return {
        "errorCode": refusal.code,
        "errorMessage": refusal.message,
        "context": {"requestId": trace},
    }


# tokens and versions


def access_token(token: AccessToken, ttl: int) -> dict[str, Any]:
    """Give the reply of `POST /users/loginWithToken`."""
    return {"id": token.id, "ttl": ttl, "created": milliseconds_text(token.created.date), "userId": token.user_id}


def bearer(token: Bearer) -> dict[str, Any]:
    """Give the reply of IAM's `POST /identity/token`."""
    return {
        "access_token": token.token,
        "refresh_token": "not_supported",
        "ims_user_id": 1,
        "token_type": "Bearer",
        "expires_in": token.expires - token.issued,
        "expiration": token.expires,
        "scope": "ibm openid",
    }


def versions() -> dict[str, Any]:
    """Give the reply of `GET /versions`."""
    rows: list[dict[str, str]] = []
    for version, sunset in VERSIONS.items():
        row = {"version": version, "status": "live" if version == LIVE_VERSION else "deprecated"}
        rows.append(row if sunset is None else row | {"sunset_date": sunset})
    return {"versions": rows}


# backends


def device(
    name: str, snapshot: Device, condition: Condition, queue_length: int, waits: Sequence[float] | None
) -> dict[str, Any]:
    """Give one element of `GET /backends` in its object form; `waits` are the queue times to sum up, if asked for."""
    status = {"name": condition.availability} | given(reason=condition.reason or None)
    row = {"name": name, "status": status, "queue_length": queue_length, **_facts(snapshot)}
    if waits is not None:
        ordered = sorted(waits) or [0.0]
        last = len(ordered) - 1
        row["wait_time_seconds"] = {
            "average": round(sum(ordered) / len(ordered)),
            "p50": round(ordered[round(last * 0.5)]),
            "p95": round(ordered[round(last * 0.95)]),
        }
    return row


def device_status(snapshot: Device, condition: Condition, queue_length: int) -> dict[str, Any]:
    """Give the reply of `GET /backends/{id}/status`."""
    return {
        "state": condition.availability is not Availability.OFFLINE,
        "status": "active" if condition.online else condition.availability,
        "message": condition.reason,
        "length_queue": queue_length,
        "backend_version": snapshot.version,
    }


# jobs


def job_created(job: Job) -> dict[str, Any]:
    """Give the reply of `POST /jobs`."""
    reply: dict[str, Any] = {"id": job.id, "backend": job.order.backend}
    return reply | given(
        session_id=job.order.session_id,
        private=job.order.private or None,
        calibration_id=job.order.calibration_id,
    )


def job(record: Job, dialect: Dialect, *, with_params: bool) -> dict[str, Any]:
    """Give a job object; the inputs of a private job are never shown."""
    order = record.order
    legacy = dialect.platform is Platform.LEGACY
    reply: dict[str, Any] = {
        "id": record.id,
        "created": milliseconds_text(record.created.date) if legacy else date_text(record.created.date),
        "backend": order.backend,
        "program": {"id": order.program_id},
        "status": "Cancelled - Ran too long" if legacy and record.ran_too_long else record.status,
        "state": _legacy_state(record) if legacy else _state(record),
        "cost": order.cost,
        "tags": list(record.tags),
        "user_id": record.tenant.user_id,
        "usage": _usage(record, dialect),
    }
    reply |= given(
        session_id=order.session_id,
        private=order.private or None,
        runtime=order.runtime,
        calibration_id=order.calibration_id,
        estimated_running_time_seconds=None if legacy else record.running_seconds,
        remote_storage=order.remote_storage,
    )
    if not dialect.usage_with_status and not legacy:
        reply["bss"] = {"seconds": lifecycle.charged_seconds(record)}
    if order.placement is not None:
        reply |= {
            "hub": order.placement.hub,
            "group": order.placement.group,
            "project": order.placement.project,
        }
    if with_params:
        reply["params"] = {} if order.private else record.params
    return reply


def job_page(page: JobPage, dialect: Dialect, *, with_params: bool) -> dict[str, Any]:
    """Give the reply of `GET /jobs`."""
    return {
        "jobs": [job(record, dialect, with_params=with_params) for record in page.jobs],
        "count": page.count,
        "limit": page.limit,
        "offset": page.offset,
    }


def failure_text(record: Job) -> str | None:
    """Give what `GET /jobs/{id}/results` says of a failed job: its reason and what a crash left, as text."""
    if record.reason is None:
        return None
    return "\n".join(part for part in (record.reason.text, record.reason.traceback) if part)


def circuits(programs: Iterable[str]) -> dict[str, list[str]]:
    """Give programs by their language, OpenQASM 2 or 3."""
    languages: dict[str, list[str]] = {"qasm2": [], "qasm3": []}
    for program in programs:
        languages["qasm2" if "OPENQASM 2" in program else "qasm3"].append(program)
    return languages


# sessions


def session_created(record: Session, now: Instant) -> dict[str, Any]:
    """Give the reply of `POST /sessions`: on LEGACY the id alone."""
    if record.tenant.platform is Platform.LEGACY:
        return {"id": record.id}
    return session(record, now)


def session(record: Session, now: Instant) -> dict[str, Any]:
    """Give a session object; moments that have not come are left out."""
    order = record.order
    created = date_text(record.created.date)
    reply: dict[str, Any] = {
        "id": record.id,
        "backend_name": record.backend,
        "mode": order.mode,
        "state": record.state,
        "state_reason": record.state_reason,
        "accepting_jobs": record.accepting_jobs,
        "started_at": created,
        "interactive_ttl": order.interactive_ttl,
        "max_ttl": order.max_ttl,
        "active_ttl": lifecycle.active_seconds_left(record, now),
        "timestamps": [{"status": state, "timestamp": date_text(date)} for state, date in record.history],
        "user_id": record.tenant.user_id,
        "elapsed_time": None if record.closed is None else record.closed.seconds_since(record.created),
    }
    if record.tenant.platform is Platform.LEGACY:
        reply["created_at"] = created
    return reply | given(
        activated_at=record.activated and date_text(record.activated.date),
        closed_at=record.closed and date_text(record.closed.date),
        last_job_started=record.last_job_started and date_text(record.last_job_started),
        last_job_completed=record.last_job_completed and date_text(record.last_job_completed),
    )


def _state(record: Job) -> dict[str, Any]:
    state: dict[str, Any] = {"status": record.status}
    if record.reason is not None:
        state |= {"reason": record.reason.text, "reason_code": record.reason.code}
        if record.reason.solution:
            state["reason_solution"] = record.reason.solution
    return state


def _legacy_state(record: Job) -> dict[str, Any]:
    reason = record.reason
    if record.ran_too_long:
        return {"status": record.status, "reason": "Ran too long", "reasonCode": None}
    return {
        "status": record.status,
        "reason": "" if reason is None else reason.text,
        "reasonCode": None if reason is None else reason.code,
    }


def _usage(record: Job, dialect: Dialect) -> dict[str, Any]:
    seconds = lifecycle.charged_seconds(record)
    if not dialect.usage_with_status:
        return {"seconds": seconds}
    return {
        "qpu_charge_time_seconds": seconds,
        "status": "complete" if record.status.final else "pending",
    }


@cache
def _facts(snapshot: Device) -> dict[str, Any]:
    configuration = snapshot.configuration
    processor: dict[str, Any] = configuration.get("processor_type") or {}
    clops = configuration.get("clops_h")
    return {
        "is_simulator": False,
        "qubits": snapshot.num_qubits,
        "clops": {"type": "hardware", "value": int(clops)} if isinstance(clops, int | float) else None,
        "processor_type": {key: str(value) for key, value in processor.items() if value is not None},
        "performance_metrics": _performance(snapshot),
    }


def _performance(snapshot: Device) -> dict[str, Any]:
    best = snapshot.best_pair
    return given(
        two_q_error_best=best and {"value": best.value, "unit": "", "gate": best.gate, "qubits": list(best.qubits)},
        two_q_error_median=_measure(snapshot.two_qubit_error_median),
        readout_error_median=_measure(snapshot.readout_error_median),
    )


def _measure(value: float | None) -> dict[str, Any] | None:
    return None if value is None else {"value": value, "unit": ""}


def given(**fields: Any) -> dict[str, Any]:
    """Give the fields that are not None."""
    return {key: value for key, value in fields.items() if value is not None}


def date_text(moment: datetime) -> str:
    """Give a date as IBM_QUANTUM writes it."""
    return moment.isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"  # clocks give UTC


def milliseconds_text(moment: datetime) -> str:
    """Give a date as LEGACY writes it."""
    return moment.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"
