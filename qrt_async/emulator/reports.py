"""JSON as the service says it of what happened: logs, metrics, instances, usage, workloads, analytics."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from qrt_async.emulator import analytics, lifecycle
from qrt_async.emulator.extras import installed_version
from qrt_async.emulator.records import Placement, Platform
from qrt_async.emulator.replies import date_text, given, milliseconds_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from qrt_async.emulator.instances import Consumption
    from qrt_async.emulator.ledger import Charge
    from qrt_async.emulator.plans import Crn, Plan
    from qrt_async.emulator.records import Job, Tenant
    from qrt_async.emulator.replies import Dialect
    from qrt_async.emulator.workloads import Workload, WorkloadPage

_QISKIT_VERSION = installed_version("qiskit")
_SECONDS_PER_JOB = 3  # what a queued job is thought to take, for estimates of starts and ends
DEFAULT_PLACEMENT = Placement("ibm-q", "open", "main")  # the LEGACY instance of those who have not used any


# one job


def logs(job: Job) -> str:
    """Give a finished job's log: what happened to it and when, one line each."""
    lines = [(job.created, "INFO: job created"), (job.started, f"INFO: running on {job.order.backend}")]
    text = [f"{date_text(moment.date)} {line}" for moment, line in lines if moment is not None]
    if job.finished is not None:
        level = "INFO" if job.reason is None else "ERROR"
        text.append(f"{date_text(job.finished.date)} {level}: job {job.status.lower()}")
    if job.reason is not None:
        text += [f"{job.reason.code}: {job.reason.text}", job.reason.traceback]
    return "\n".join(line for line in text if line) + "\n"


def metrics(job: Job, dialect: Dialect, *, position: int | None, num_qubits: int, now: datetime) -> dict[str, Any]:
    """Give the reply of `GET /jobs/{id}/metrics`; `position` is the job's place in its queue."""
    seconds = lifecycle.charged_seconds(job)
    execution = round(job.quantum_seconds * 1e9)
    reply: dict[str, Any] = {"timestamps": _timestamps(job, dialect)}
    if job.caller:
        reply["caller"] = job.caller
    if dialect.usage_with_status:
        reply["usage"] = {
            "qpu_charge_time_seconds": seconds,
            "status": "complete" if job.status.final else "pending",
        }
        (reply if dialect.execution_time_at_root else reply["usage"])["circuits_execution_time_ns"] = execution
    else:
        reply["bss"] = {"seconds": seconds}
        reply["usage"] = {"quantum_seconds": seconds, "seconds": seconds}
        reply |= _estimates(job, position, now)
        reply |= {"num_circuits": len(job.order.params.get("pubs", ())), "num_qubits": num_qubits}
    return reply | given(qiskit_version=_QISKIT_VERSION)


def _timestamps(job: Job, dialect: Dialect) -> dict[str, str]:
    text = milliseconds_text if dialect.platform is Platform.LEGACY else date_text
    moments = {"created": job.created, "running": job.started, "finished": job.finished}
    return {name: text(moment.date) for name, moment in moments.items() if moment is not None}


def _estimates(job: Job, position: int | None, now: datetime) -> dict[str, Any]:
    """Give a waiting job's place and when it should start and end, or when it did."""
    start = job.started.date if job.started else now + timedelta(seconds=_SECONDS_PER_JOB * ((position or 1) - 1))
    end = job.finished.date if job.finished else max(now, start + timedelta(seconds=_SECONDS_PER_JOB))
    return {
        "estimated_start_time": date_text(start),
        "estimated_completion_time": date_text(end),
        "position_in_queue": position,
        "position_in_provider": position,
    }


# instances


def instance(consumption: Consumption, plan: Plan, backends: Sequence[str]) -> dict[str, Any]:
    """Give the reply of `GET /instance`; its seconds are text but for the deprecated `instance_limit`."""
    limit, allocation = consumption.limit, consumption.allocation
    return {"backends": list(backends), "plan_id": plan.id} | given(
        instance_limit=None if limit is None else float(limit),
        instance_limit_seconds=None if limit is None else str(limit),
        usage_allocation_seconds=None if allocation is None else str(allocation),
    )


def instance_usage(consumption: Consumption, crn: Crn, plan: Plan) -> dict[str, Any]:
    """Give the reply of `GET /instances/usage`; without a limit nothing is said of reaching it."""
    return {
        "instance_id": crn.text,
        "plan_id": plan.id,
        "usage_consumed_seconds": consumption.seconds,
        "usage_period": {"start_time": date_text(consumption.start), "end_time": date_text(consumption.end)},
    } | given(
        usage_limit_seconds=consumption.limit,
        usage_allocation_seconds=consumption.allocation,
        usage_limit_reached=None if consumption.bound is None else consumption.exhausted,
    )


def account(
    crn: Crn, plan: Plan, backends: Sequence[str], consumed: int, period: tuple[datetime, datetime]
) -> dict[str, Any]:
    """Give one element of the `plans` of `GET /accounts/{id}`."""
    allocation = plan.allocation
    return {
        "plan_id": plan.id,
        "subscription_id": crn.subscription,
        "subscription_name": f"{plan.title} of {crn.account}"[:128],
        "backends": list(backends),
        "usage_consumed_seconds": consumed,
        "max_ttl": plan.max_ttl,
        "active_ttl": plan.max_ttl,
        "interactive_ttl": 60,
        "start_time": date_text(period[0]),
        "end_time": date_text(period[1]),
        "functions": [],
    } | given(
        usage_allocation_seconds=allocation,
        unallocated_usage_seconds=None if allocation is None else 0,
    )


# LEGACY


def legacy_usage(
    charges: Iterable[Charge], pending: Mapping[str, int], plan: Plan, period: tuple[datetime, datetime]
) -> dict[str, Any]:
    """Give the reply of the LEGACY `GET /usage`; `pending` counts unfinished jobs by hub/group/project."""
    used: dict[str, int] = {}
    for charge in charges:
        name = charge.placement or str(DEFAULT_PLACEMENT)
        used[name] = used.get(name, 0) + (charge.seconds if charge.finished > period[0] else 0)
    names = list(dict.fromkeys([*used, *pending])) or [str(DEFAULT_PLACEMENT)]
    return {
        "period": {"start": milliseconds_text(period[0]), "end": milliseconds_text(period[1])},
        "byInstance": [
            {"instance": name, "usage": used.get(name, 0), "pendingJobs": pending.get(name, 0)}
            | given(quota=plan.allocation, maxPendingJobs=plan.pending_jobs)
            for name in names
        ],
    }


def network(placements: Iterable[Placement]) -> list[dict[str, Any]]:
    """Give the reply of the LEGACY `GET /Network`: hubs with their groups with their projects."""
    hubs: dict[str, dict[str, list[str]]] = {}
    for each in placements:
        hubs.setdefault(each.hub, {}).setdefault(each.group, []).append(each.project)
    return [
        {
            "name": hub,
            "groups": {
                group: {"name": group, "projects": {project: {"name": project} for project in projects}}
                for group, projects in groups.items()
            },
        }
        for hub, groups in hubs.items()
    ]


# workloads


def workload_page(page: WorkloadPage, tenant: Tenant, hrefs: Mapping[str, str]) -> dict[str, Any]:
    """Give the reply of `GET /workloads`; `hrefs` are the addresses of the pages around this one."""
    return {
        "workloads": [_workload(each, tenant) for each in page.workloads],
        "total_count": page.total,
        "limit": page.limit,
    } | {name: {"href": href} for name, href in hrefs.items()}


def _workload(each: Workload, tenant: Tenant) -> dict[str, Any]:
    return {
        "id": each.id,
        "created": date_text(each.created),
        "backend": each.backend,
        "instance": tenant.instance,
        "user_id": tenant.user_id,
        "accepting_jobs": each.accepting_jobs,
        "mode": each.mode,
        "status": each.status,
        "status_reason": each.reason,
        "tags": list(each.tags),
        "usage_seconds": each.seconds,
        "usage": {"qpu_charge_time_seconds": each.seconds, "status": "complete" if each.ended else "pending"},
    } | given(ended=each.ended and date_text(each.ended), estimated_running_time_seconds=each.running_seconds)


# analytics


def grouped_usage(charges: Iterable[Charge], group: str, plan: Plan) -> dict[str, Any]:
    """Give the reply of `GET /analytics/usage_grouped`."""
    groups = analytics.grouped(charges, group, plan)
    return {"data": [{"key": key} | analytics.totals(rows) for key, rows in groups.items()]}


def daily_usage(
    charges: Iterable[Charge], group: str, plan: Plan, interval: tuple[datetime, datetime]
) -> dict[str, Any]:
    """Give the reply of `GET /analytics/usage_grouped_by_date`: one row for each key and day that has jobs."""
    rows = [
        {
            "key": key,
            "interval_start": date_text(day),
            "interval_end": date_text(day + analytics.DAY),
            **analytics.totals(each),
        }
        for day, charged in analytics.daily(charges).items()
        for key, each in analytics.grouped(charged, group, plan).items()
    ]
    return {"interval_start": date_text(interval[0]), "interval_end": date_text(interval[1]), "data": rows}


def filters(charges: Iterable[Charge], crn: Crn, plan: Plan) -> dict[str, Any]:
    """Give the reply of `GET /analytics/filters`: what occurs in the account's charges."""
    rows = list(charges)

    def values(group: str) -> list[str]:
        return list(dict.fromkeys(analytics.key_of(row, group, plan) for row in rows))

    return {
        "backends": [{"name": name} for name in values("backend")],
        "instances": [{"id": name, "deleted": False} for name in values("instance")],
        "users": [{"id": name} for name in values("user_id")],
        "plans": [{"name": name} for name in values("plan")],
        "subscriptions": [{"id": crn.subscription, "name": f"{plan.title} of {crn.account}"} for _ in rows[:1]],
    }
