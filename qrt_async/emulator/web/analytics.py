"""`/analytics/…` of IBM_QUANTUM: sums over the jobs of the caller's account."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from aiohttp import web

from qrt_async.emulator import analytics, reports
from qrt_async.emulator.analytics import GROUPS, Selection
from qrt_async.emulator.ledger import PERIOD
from qrt_async.emulator.refusals import bad_query
from qrt_async.emulator.web.exchange import WORLD, bound, crn_of, dialect_of, reply, tenant_of, truth

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qrt_async.emulator.ledger import Charge

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def routes(prefix: str) -> list[web.RouteDef]:
    """Give the routes under the platform's prefix."""
    return [
        web.get(f"{prefix}/analytics/usage", usage),
        web.get(f"{prefix}/analytics/usage_grouped", usage_grouped),
        web.get(f"{prefix}/analytics/usage_grouped_by_date", usage_by_date),
        web.get(f"{prefix}/analytics/filters", filters),
    ]


async def usage(request: web.Request) -> web.Response:
    """Add everything up."""
    return reply(analytics.totals(_selected(request)))


async def usage_grouped(request: web.Request) -> web.Response:
    """Add up by what `group_by` names."""
    charges = _selected(request)
    group = _group(request, GROUPS)
    return reply(reports.grouped_usage(charges, group, request.app[WORLD].settings.plan))


async def usage_by_date(request: web.Request) -> web.Response:
    """Add up by instance and day."""
    charges = _selected(request)
    group = _group(request, ("instance",))
    world = request.app[WORLD]
    end = bound(request, "interval_end") or world.clock.now()
    start = bound(request, "interval_start") or end - PERIOD
    return reply(reports.daily_usage(charges, group, world.settings.plan, (start, end)))


async def filters(request: web.Request) -> web.Response:
    """List the values that occur, and so can be filtered by."""
    crn = crn_of(tenant_of(request))
    dialect_of(request)
    world = request.app[WORLD]
    wanted = tuple(request.query.getall("instance", []))
    charges = Selection(values={"instance": wanted}).of(world.ledger.of_account(crn.account), world.settings.plan)
    return reply(reports.filters(charges, crn, world.settings.plan))


def _selected(request: web.Request) -> Iterable[Charge]:
    crn = crn_of(tenant_of(request))
    dialect_of(request)
    world, asked = request.app[WORLD], request.query
    if truth(asked.get("simulators", "true")) is None:
        raise bad_query("simulators must be true or false")
    for subscription in asked.getall("subscription_id", []):
        if not _UUID.fullmatch(subscription):
            raise bad_query("subscription_id must be a UUID")
    selection = Selection(
        bound(request, "interval_start"),
        bound(request, "interval_end"),
        {group: tuple(asked.getall(group, [])) for group in GROUPS},
    )
    return selection.of(world.ledger.of_account(crn.account), world.settings.plan)


def _group(request: web.Request, allowed: tuple[str, ...]) -> str:
    group = request.query.get("group_by", "")
    if group not in allowed:
        raise bad_query(f"group_by must be one of {', '.join(allowed)}")
    return group
