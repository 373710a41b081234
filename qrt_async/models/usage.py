"""Instances, accounts, workloads and what they used."""

from __future__ import annotations

import datetime as dt

import attrs

from qrt_async.models.answer import Answer


@attrs.frozen(kw_only=True)
class Instance(Answer):
    """An instance: its plan, the backends it may use, and its limits in seconds (``GET /instance``)."""

    plan_id: str | None = None
    backends: tuple[str, ...] = ()
    limit_seconds: float | None = None
    allocation_seconds: float | None = None


@attrs.frozen(kw_only=True)
class InstanceUsage(Answer):
    """
    What an instance used in the current period, in seconds (``GET /instances/usage``).

    Where `limit_reached`, jobs are still accepted, and wait until there is time for them.
    """

    instance_id: str | None = None
    plan_id: str | None = None
    consumed_seconds: float | None = None
    limit_seconds: float | None = None
    allocation_seconds: float | None = None
    limit_reached: bool | None = None
    period_start: dt.datetime | None = None
    period_end: dt.datetime | None = None


@attrs.frozen(kw_only=True)
class FunctionAccess(Answer):
    """A function that a plan may call."""

    provider: str
    name: str
    business_model: str | None = None
    permissions: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class AccountPlan(Answer):
    """One plan of an account; lengths of time are in seconds."""

    plan_id: str
    subscription_id: str | None = None
    subscription_name: str | None = None
    backends: tuple[str, ...] = ()
    usage_consumed_seconds: float | None = None
    usage_limit_seconds: float | None = None
    usage_allocation_seconds: float | None = None
    unallocated_usage_seconds: float | None = None
    max_ttl: int | None = None
    active_ttl: int | None = None
    interactive_ttl: int | None = None
    start_time: dt.datetime | None = None
    end_time: dt.datetime | None = None
    functions: tuple[FunctionAccess, ...] = ()


@attrs.frozen(kw_only=True)
class AccountPlans(Answer):
    """The plans of an account (``GET /accounts/{id}``)."""

    plans: tuple[AccountPlan, ...]


@attrs.frozen(kw_only=True)
class Workload(Answer):
    """
    A job, session or batch, as the list of workloads shows it.

    Its words differ from a job's own: ``completed``, ``canceled``, ``failed``, ``pending``, ``in_progress``.
    """

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
    tags: tuple[str, ...] = ()
    qpu_seconds: float | None = None
    usage_status: str | None = None
    estimated_seconds: float | None = None


@attrs.frozen(kw_only=True)
class WorkloadFilter:
    """Which workloads a list is to hold (``GET /workloads``); None asks for all, `limit` sizes a page, 50 at most."""

    backend: str | None = None
    search: str | None = None
    statuses: tuple[str, ...] = ()
    mode: str | None = None
    tags: tuple[str, ...] = ()
    created_after: dt.datetime | None = None
    created_before: dt.datetime | None = None
    oldest_first: bool = True
    limit: int = 50


@attrs.frozen(kw_only=True)
class WorkloadPage(Answer):
    """One page of workloads, and the link to the next one."""

    workloads: tuple[Workload, ...]
    total: int | None = None
    next_href: str | None = None


@attrs.frozen(kw_only=True)
class AnalyticsFilter:
    """What to add up (``GET /analytics/…``); an empty tuple means everything."""

    instances: tuple[str, ...] = ()
    backends: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    plans: tuple[str, ...] = ()
    subscriptions: tuple[str, ...] = ()
    start: dt.datetime | None = None
    end: dt.datetime | None = None
    simulators: bool | None = None


@attrs.frozen(kw_only=True)
class UsageTotals(Answer):
    """
    Numbers of jobs and sessions, and what they took; all times in milliseconds (``GET /analytics/usage``).

    `key` is what a group shares, None for the whole; the interval is set where totals are grouped by date.
    """

    usage: float
    jobs: float
    sessions: float
    sessions_usage: float
    avg_sessions_usage: float
    max_sessions_usage: float
    batch_sessions: float
    batch_sessions_usage: float
    avg_batch_sessions_usage: float
    max_batch_sessions_usage: float
    dedicated_sessions: float
    dedicated_sessions_usage: float
    avg_dedicated_sessions_usage: float
    max_dedicated_sessions_usage: float
    individual_jobs: float
    individual_jobs_usage: float
    avg_individual_jobs_usage: float
    max_individual_jobs_usage: float
    queue_time: float
    avg_queue_time: float
    max_queue_time: float
    key: str | None = None
    interval_start: dt.datetime | None = None
    interval_end: dt.datetime | None = None


@attrs.frozen(kw_only=True)
class AnalyticsValues(Answer):
    """What can be filtered by (``GET /analytics/filters``): names of backends and plans, ids of the rest."""

    backends: tuple[str, ...] = ()
    instances: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    plans: tuple[str, ...] = ()
    subscriptions: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class ApiVersion:
    """A dated version of the API (``GET /versions``): `status` is ``live`` or ``deprecated``, None in older replies."""

    version: str
    status: str | None = None
    sunset_date: dt.date | None = None


@attrs.frozen(kw_only=True)
class LegacyInstanceUsage:
    """What one instance of the legacy platform used; times in seconds."""

    instance: str
    quota: float | None = None
    usage: float | None = None
    pending_jobs: int | None = None
    max_pending_jobs: int | None = None


@attrs.frozen(kw_only=True)
class LegacyUsage(Answer):
    """The legacy platform's usage (``GET /usage``) in the period that it names."""

    start: dt.datetime | None = None
    end: dt.datetime | None = None
    by_instance: tuple[LegacyInstanceUsage, ...] = ()


@attrs.frozen(kw_only=True)
class LegacyProfile(Answer):
    """The legacy platform's user (``GET /users/me``): the instances are written ``hub/group/project``."""

    email: str | None = None
    instances: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class InstanceOffer:
    """An instance that an API key can use; `plan` is its plan's name, None where the catalogue does not tell."""

    crn: str
    name: str | None = None
    plan: str | None = None
    pricing: str | None = None
    tags: tuple[str, ...] = ()
