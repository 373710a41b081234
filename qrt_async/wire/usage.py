"""Instances, accounts, workloads, analytics and versions."""

from __future__ import annotations

import datetime as dt
import math

import attrs

from qrt_async.models.answer import Answer
from qrt_async.models.usage import (
    AccountPlans,
    AnalyticsFilter,
    AnalyticsValues,
    ApiVersion,
    Instance,
    InstanceUsage,
    LegacyInstanceUsage,
    LegacyProfile,
    LegacyUsage,
    UsageTotals,
    Workload,
    WorkloadFilter,
    WorkloadPage,
)
from qrt_async.wire import codec
from qrt_async.wire.call import Call, Reply, buffered, json_body, path, query
from qrt_async.wire.outcome import nothing, read_as, reading, stamped


@attrs.frozen(kw_only=True)
class _Instance(Answer):
    plan_id: str | None = None
    backends: tuple[str, ...] | None = None
    instance_limit: float | None = None
    instance_limit_seconds: int | float | str | None = None
    usage_allocation_seconds: int | float | str | None = None


@attrs.frozen
class _Limit:
    instance_limit: float | None = None


@attrs.frozen
class _Period:
    start_time: dt.datetime | None = None
    end_time: dt.datetime | None = None


@attrs.frozen
class _Seconds:
    seconds: float | None = None
    quantum_seconds: float | None = None


@attrs.frozen
class _OldUsage:
    usage: _Seconds | None = None
    bss: _Seconds | None = None


@attrs.frozen(kw_only=True)
class _Usage(Answer):
    instance_id: str | None = None
    plan_id: str | None = None
    usage_consumed_seconds: float | None = None
    usage_limit_seconds: float | None = None
    usage_allocation_seconds: float | None = None
    usage_limit_reached: bool | None = None
    usage_period: _Period | None = None
    value: _OldUsage | None = None


@attrs.frozen
class _Charge:
    qpu_charge_time_seconds: float | None = None
    status: str | None = None


@attrs.frozen(kw_only=True)
class _Workload(Answer):
    id: str
    mode: str
    status: str
    created: dt.datetime
    ended: dt.datetime | None = None
    backend: str | None = None
    instance: str | None = None
    user_id: str | None = None
    accepting_jobs: bool | None = None
    status_reason: str | None = None
    tags: tuple[str, ...] | None = None
    usage_seconds: float | None = None
    usage: _Charge | None = None
    estimated_running_time_seconds: float | None = None


@attrs.frozen
class _Link:
    href: str | None = None


@attrs.frozen(kw_only=True)
class _Workloads(Answer):
    workloads: tuple[_Workload, ...]
    total_count: float | None = None
    next: _Link | None = None


@attrs.frozen(kw_only=True)
class _Groups(Answer):
    data: tuple[UsageTotals, ...]


@attrs.frozen
class _Id:
    id: str


@attrs.frozen
class _Name:
    name: str


@attrs.frozen(kw_only=True)
class _Values(Answer):
    backends: tuple[_Name, ...] = ()
    instances: tuple[_Id, ...] = ()
    users: tuple[_Id, ...] = ()
    plans: tuple[_Name, ...] = ()
    subscriptions: tuple[_Id, ...] = ()


@attrs.frozen
class _Version:
    version: str
    status: str | None = None
    sunset_date: str | None = None


@attrs.frozen
class _Versions:
    versions: tuple[str | _Version, ...]


@attrs.frozen
class _LegacyPeriod:
    start: dt.datetime | None = None
    end: dt.datetime | None = None


@attrs.frozen(kw_only=True)
class _LegacyUsage(Answer):
    period: _LegacyPeriod | None = None
    by_instance: tuple[LegacyInstanceUsage, ...] = ()


@attrs.frozen(kw_only=True)
class _Profile(Answer):
    email: str | None = None
    instances: tuple[_Name, ...] = ()


codec.wire_form(int | float | str | None, lambda _: lambda value, _: value)
codec.wire_form(
    str | _Version,
    lambda converter: lambda value, _: value if isinstance(value, str) else converter.structure(value, _Version),
)
codec.wire_names(_LegacyUsage, by_instance="byInstance")
codec.wire_names(LegacyInstanceUsage, pending_jobs="pendingJobs", max_pending_jobs="maxPendingJobs")


def instance() -> Call[Instance]:
    """``GET /instance``; limits arrive as texts, and are numbers here."""

    def read(reply: Reply) -> Instance:
        found = read_as(_Instance, reply, operation="instance.get")
        limit = found.instance_limit if found.instance_limit_seconds is None else found.instance_limit_seconds
        return Instance(
            plan_id=found.plan_id,
            backends=found.backends or (),
            limit_seconds=_number(limit),
            allocation_seconds=_number(found.usage_allocation_seconds),
            extra=found.extra,
            request_id=found.request_id,
        )

    return Call(operation="instance.get", method="GET", path="/instance", read=buffered(read))


def _number(value: float | str | None) -> float | None:
    try:
        return None if value is None or value == "" else float(value)
    except (ValueError, TypeError, OverflowError):
        return None


def limit() -> Call[float | None]:
    """``GET /instances/configuration``: the instance's limit in seconds, None where it has none."""
    return Call(
        operation="instance.limit",
        method="GET",
        path="/instances/configuration",
        read=buffered(lambda reply: read_as(_Limit, reply, operation="instance.limit").instance_limit),
    )


def set_limit(seconds: int | None) -> Call[None]:
    """``PUT /instances/configuration``: None removes the limit; 409 where more is used already."""
    return Call(
        operation="instance.set_limit",
        method="PUT",
        path="/instances/configuration",
        body=json_body({"instance_limit": seconds}),
        read=nothing(),
    )


def instance_usage() -> Call[InstanceUsage]:
    """``GET /instances/usage``, in the form of every version."""

    def read(reply: Reply) -> InstanceUsage:
        found = read_as(_Usage, reply, operation="instance.usage")
        period = found.usage_period or _Period()
        consumed = found.usage_consumed_seconds
        return InstanceUsage(
            instance_id=found.instance_id,
            plan_id=found.plan_id,
            consumed_seconds=_old_usage(found.value) if consumed is None else consumed,
            limit_seconds=found.usage_limit_seconds,
            allocation_seconds=found.usage_allocation_seconds,
            limit_reached=found.usage_limit_reached,
            period_start=period.start_time,
            period_end=period.end_time,
            extra=found.extra,
            request_id=found.request_id,
        )

    return Call(operation="instance.usage", method="GET", path="/instances/usage", read=buffered(read))


def _old_usage(value: _OldUsage | None) -> float | None:
    parts = [] if value is None else [part for part in (value.usage, value.bss) if part is not None]
    named = [number for part in parts for number in (part.quantum_seconds, part.seconds)]
    return next((number for number in named if number is not None), None)


def account(account_id: str, *, plan_id: str | None = None) -> Call[AccountPlans]:
    """``GET /accounts/{id}``: the id is the CRN's, without its ``a/``."""
    return Call(
        operation="accounts.get",
        method="GET",
        path=path("accounts", account_id),
        query=query([("plan_id", plan_id)]),
        read=reading(AccountPlans, operation="accounts.get"),
    )


def workloads(wanted: WorkloadFilter, *, cursor: str | None = None) -> Call[WorkloadPage]:
    """``GET /workloads``: one page; the next one's cursor stands in the reply's link."""
    pairs = [
        ("user", "me"),
        ("sort", "createdAt" if wanted.oldest_first else "-createdAt"),
        ("limit", wanted.limit),
        ("next", cursor),
        ("backend", wanted.backend),
        ("search", wanted.search),
        ("mode", wanted.mode),
        ("created_after", _time(wanted.created_after)),
        ("created_before", _time(wanted.created_before)),
        *(("status", status) for status in wanted.statuses),
        *(("tags", tag) for tag in wanted.tags),
    ]
    return Call(
        operation="workloads.list", method="GET", path="/workloads", query=query(pairs), read=buffered(_workload_page)
    )


def _time(moment: dt.datetime | None) -> str | None:
    return moment.astimezone(dt.UTC).isoformat().replace("+00:00", "Z") if moment else None


def _whole(value: float | None) -> int | None:
    return int(value) if value is not None and math.isfinite(value) else None


def _workload_page(reply: Reply) -> WorkloadPage:
    found = read_as(_Workloads, reply, operation="workloads.list")
    return WorkloadPage(
        workloads=tuple(stamped(_workload(one), reply) for one in found.workloads),
        total=_whole(found.total_count),
        next_href=found.next.href if found.next else None,
        extra=found.extra,
        request_id=found.request_id,
    )


def _workload(found: _Workload) -> Workload:
    charge = found.usage or _Charge()
    seconds = charge.qpu_charge_time_seconds
    return Workload(
        id=found.id,
        mode=found.mode,
        status=found.status,
        created=found.created,
        ended=found.ended,
        backend=found.backend,
        instance=found.instance,
        user_id=found.user_id,
        accepting_jobs=found.accepting_jobs,
        status_reason=found.status_reason,
        tags=found.tags or (),
        qpu_seconds=found.usage_seconds if seconds is None else seconds,
        usage_status=charge.status,
        estimated_seconds=found.estimated_running_time_seconds,
        extra=found.extra,
    )


def analytics(wanted: AnalyticsFilter) -> Call[UsageTotals]:
    """``GET /analytics/usage``: one total."""
    return Call(
        operation="analytics.usage",
        method="GET",
        path="/analytics/usage",
        query=_analytics_query(wanted),
        read=reading(UsageTotals, operation="analytics.usage"),
    )


def analytics_grouped(wanted: AnalyticsFilter, group_by: str) -> Call[tuple[UsageTotals, ...]]:
    """``GET /analytics/usage_grouped``: a total for each value of `group_by`."""
    return _grouped("analytics.grouped", "/analytics/usage_grouped", wanted, group_by)


def analytics_by_date(wanted: AnalyticsFilter, group_by: str) -> Call[tuple[UsageTotals, ...]]:
    """``GET /analytics/usage_grouped_by_date``: a total for each value of `group_by` and each interval."""
    return _grouped("analytics.by_date", "/analytics/usage_grouped_by_date", wanted, group_by)


def _grouped(operation: str, where: str, wanted: AnalyticsFilter, group_by: str) -> Call[tuple[UsageTotals, ...]]:
    return Call(
        operation=operation,
        method="GET",
        path=where,
        query=(("group_by", group_by), *_analytics_query(wanted)),
        read=buffered(
            lambda reply: tuple(stamped(one, reply) for one in read_as(_Groups, reply, operation=operation).data)
        ),
    )


def _analytics_query(wanted: AnalyticsFilter) -> tuple[tuple[str, str], ...]:
    return query(
        [
            ("interval_start", _time(wanted.start)),
            ("interval_end", _time(wanted.end)),
            ("simulators", wanted.simulators),
            *(("instance", name) for name in wanted.instances),
            *(("backend", name) for name in wanted.backends),
            *(("user_id", name) for name in wanted.users),
            *(("plan", name) for name in wanted.plans),
            *(("subscription_id", name) for name in wanted.subscriptions),
        ]
    )


def analytics_filters(instances: tuple[str, ...]) -> Call[AnalyticsValues]:
    """``GET /analytics/filters``."""

    def read(reply: Reply) -> AnalyticsValues:
        found = read_as(_Values, reply, operation="analytics.filters")
        return AnalyticsValues(
            backends=tuple(one.name for one in found.backends),
            instances=tuple(one.id for one in found.instances),
            users=tuple(one.id for one in found.users),
            plans=tuple(one.name for one in found.plans),
            subscriptions=tuple(one.id for one in found.subscriptions),
            extra=found.extra,
            request_id=found.request_id,
        )

    return Call(
        operation="analytics.filters",
        method="GET",
        path="/analytics/filters",
        query=query([("instance", name) for name in instances]),
        read=buffered(read),
    )


def versions() -> Call[tuple[ApiVersion, ...]]:
    """``GET /versions``: names alone in older replies."""

    def read(reply: Reply) -> tuple[ApiVersion, ...]:
        found = read_as(_Versions, reply, operation="versions.list")
        return tuple(_version(one) for one in found.versions)

    return Call(operation="versions.list", method="GET", path="/versions", read=buffered(read))


def _version(found: str | _Version) -> ApiVersion:
    if isinstance(found, str):
        return ApiVersion(version=found)
    return ApiVersion(version=found.version, status=found.status, sunset_date=_date(found.sunset_date))


def _date(text: str | None) -> dt.date | None:
    try:
        return dt.date.fromisoformat(text) if text else None
    except ValueError:
        return None


def legacy_usage() -> Call[LegacyUsage]:
    """``GET /usage`` of the legacy platform."""

    def read(reply: Reply) -> LegacyUsage:
        found = read_as(_LegacyUsage, reply, operation="legacy.usage")
        period = found.period or _LegacyPeriod()
        return LegacyUsage(
            start=period.start,
            end=period.end,
            by_instance=found.by_instance,
            extra=found.extra,
            request_id=found.request_id,
        )

    return Call(operation="legacy.usage", method="GET", path="/usage", read=buffered(read))


def legacy_profile() -> Call[LegacyProfile]:
    """``GET /users/me`` of the legacy platform's runtime host."""

    def read(reply: Reply) -> LegacyProfile:
        found = read_as(_Profile, reply, operation="legacy.me")
        return LegacyProfile(
            email=found.email,
            instances=tuple(one.name for one in found.instances),
            extra=found.extra,
            request_id=found.request_id,
        )

    return Call(operation="legacy.me", method="GET", path="/users/me", read=buffered(read))
