"""The instance, its account, its workloads and what they used."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Unpack

import attrs

from qrt_async.engine import Engine
from qrt_async.errors import InvalidOption, UsageError
from qrt_async.listing import Listing
from qrt_async.models.usage import (
    AccountPlans,
    AnalyticsFilter,
    AnalyticsValues,
    Instance,
    InstanceUsage,
    LegacyProfile,
    LegacyUsage,
    UsageTotals,
    Workload,
    WorkloadFilter,
    WorkloadPage,
)
from qrt_async.options import CallOptions
from qrt_async.wire import usage as wire
from qrt_async.wire.dialect import Platform
from qrt_async.wire.paging import next_cursor

_GROUPS = ("instance", "backend", "user_id", "plan", "subscription_id")


@attrs.frozen
class OwnInstance:
    """The instance of the client's account."""

    _engine: Engine

    async def get(self, **how: Unpack[CallOptions]) -> Instance:
        """Return its plan, backends and limits (``GET /instance``)."""
        return await self._engine.run(wire.instance(), **how)

    async def usage(self, **how: Unpack[CallOptions]) -> InstanceUsage:
        """
        Return what it used in this period (``GET /instances/usage``).

        Where its limit is reached, a `ServiceWarning` says so, once: jobs are still accepted, and wait.
        """
        found = await self._engine.run(wire.instance_usage(), **how)
        if found.limit_reached:
            self._engine.notices.tell("the instance has reached its usage limit: jobs are accepted, and wait")
        return found

    async def limit(self, **how: Unpack[CallOptions]) -> float | None:
        """Return the limit that its owner set, in seconds, None where there is none."""
        return await self._engine.run(wire.limit(), **how)

    async def set_limit(self, seconds: int | None, **how: Unpack[CallOptions]) -> None:
        """
        Set or (None) remove the limit (``PUT /instances/configuration``).

        Raises:
            Conflict: more than that is used already.

        """
        if seconds is not None and (isinstance(seconds, bool) or not isinstance(seconds, int) or seconds < 0):
            raise InvalidOption(f"a limit is a whole number of seconds of at least 0, or None, not {seconds!r}")
        await self._engine.run(wire.set_limit(seconds), **how)


@attrs.frozen
class Accounts:
    """The plans of accounts."""

    _engine: Engine

    async def get(
        self, account_id: str | None = None, *, plan_id: str | None = None, **how: Unpack[CallOptions]
    ) -> AccountPlans:
        """Return an account's plans (``GET /accounts/{id}``); without an id those of the instance's account."""
        return await self._engine.run(wire.account(account_id or self._own(), plan_id=plan_id), **how)

    def _own(self) -> str:
        fields = self._engine.account.instance.split(":")
        if len(fields) < 7 or not fields[6].startswith("a/"):
            raise UsageError("the instance's CRN names no account: give account_id, without its 'a/'")
        return fields[6].removeprefix("a/")


@attrs.frozen
class Workloads:
    """Jobs, sessions and batches in one list."""

    _engine: Engine

    def list(self, wanted: WorkloadFilter | None = None) -> Listing[WorkloadPage, Workload]:
        """Return the list of those that are wanted, oldest first unless asked for otherwise (``GET /workloads``)."""
        chosen = wanted or WorkloadFilter()
        if not 1 <= chosen.limit <= 50:
            raise InvalidOption(f"limit is a whole number from 1 to 50, not {chosen.limit!r}")

        return Listing(lambda: self._engine.run(wire.workloads(chosen)), lambda: all_workloads(self._engine, chosen))


async def all_workloads(engine: Engine, wanted: WorkloadFilter) -> AsyncGenerator[Workload]:
    """Yield every workload that is wanted, each once."""
    cursor: str | None = None
    before: set[str] = set()
    seen: set[str] = set()
    while True:
        page = await engine.run(wire.workloads(wanted, cursor=cursor))
        for workload in page.workloads:
            if workload.id not in seen:
                seen.add(workload.id)
                yield workload
        cursor = next_cursor(page.next_href, before)
        if cursor is None or not page.workloads:
            return
        before.add(cursor)


@attrs.frozen
class Analytics:
    """Totals over jobs and sessions; all times in milliseconds."""

    _engine: Engine

    async def usage(self, wanted: AnalyticsFilter | None = None, **how: Unpack[CallOptions]) -> UsageTotals:
        """Return one total (``GET /analytics/usage``)."""
        return await self._engine.run(wire.analytics(wanted or AnalyticsFilter()), **how)

    async def grouped(
        self, group_by: str, wanted: AnalyticsFilter | None = None, **how: Unpack[CallOptions]
    ) -> tuple[UsageTotals, ...]:
        """Return a total for each instance, backend, user, plan or subscription (``GET /analytics/usage_grouped``)."""
        if group_by not in _GROUPS:
            raise InvalidOption(f"group_by is one of {', '.join(_GROUPS)}, not {group_by!r}")
        return await self._engine.run(wire.analytics_grouped(wanted or AnalyticsFilter(), group_by), **how)

    async def by_date(
        self, wanted: AnalyticsFilter | None = None, **how: Unpack[CallOptions]
    ) -> tuple[UsageTotals, ...]:
        """Return a total for each instance and interval (``GET /analytics/usage_grouped_by_date``)."""
        return await self._engine.run(wire.analytics_by_date(wanted or AnalyticsFilter(), "instance"), **how)

    async def filters(self, *instances: str, **how: Unpack[CallOptions]) -> AnalyticsValues:
        """Return what can be filtered by (``GET /analytics/filters``)."""
        return await self._engine.run(wire.analytics_filters(instances), **how)


@attrs.frozen
class LegacyOnly:
    """What the legacy platform has and today's has not."""

    _engine: Engine

    async def usage(self, **how: Unpack[CallOptions]) -> LegacyUsage:
        """Return what the user's instances used (``GET /usage``)."""
        self._check()
        return await self._engine.run(wire.legacy_usage(), **how)

    async def me(self, **how: Unpack[CallOptions]) -> LegacyProfile:
        """Return the user's address and instances (``GET /users/me``)."""
        self._check()
        return await self._engine.run(wire.legacy_profile(), **how)

    def _check(self) -> None:
        if self._engine.account.platform is not Platform.LEGACY:
            raise UsageError("this is for the legacy platform; see client.instance and client.accounts")
