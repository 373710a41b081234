"""`/instance`, `/instances/…` and `/accounts/{id}` of IBM_QUANTUM."""

from __future__ import annotations

import re

from aiohttp import web

from qrt_async.emulator import bodies, reports
from qrt_async.emulator.ledger import PERIOD
from qrt_async.emulator.refusals import Refusal, bad_query
from qrt_async.emulator.web.exchange import WORLD, crn_of, dialect_of, empty, reply, tenant_of

_ACCOUNT = re.compile(r"[a-zA-Z0-9_-]{1,64}")


def routes(prefix: str) -> list[web.RouteDef]:
    """Give the routes under the platform's prefix."""
    return [
        web.get(f"{prefix}/instance", show),
        web.get(f"{prefix}/instances/configuration", configuration),
        web.put(f"{prefix}/instances/configuration", configure),
        web.get(f"{prefix}/instances/usage", usage),
        web.get(f"{prefix}/accounts/{{id}}", account),
    ]


async def show(request: web.Request) -> web.Response:
    """Give the instance's plan, backends and limits."""
    tenant = tenant_of(request)
    dialect_of(request)
    world = request.app[WORLD]
    consumption = world.instances.consumption(tenant.instance)
    return reply(reports.instance(consumption, world.settings.plan, list(world.devices)))


async def configuration(request: web.Request) -> web.Response:
    """Give the instance's own limit in seconds, if it has one."""
    tenant = tenant_of(request)
    dialect_of(request)
    limit = request.app[WORLD].instances.limits.get(tenant.instance)
    return reply({} if limit is None else {"instance_limit": limit})


async def configure(request: web.Request) -> web.Response:
    """Set or remove (null) the instance's limit."""
    tenant = tenant_of(request)
    dialect_of(request)
    limit = bodies.instance_limit(await request.read())
    if limit is not bodies.MISSING:
        request.app[WORLD].set_limit(tenant.instance, limit)
    return empty()


async def usage(request: web.Request) -> web.Response:
    """Give what the instance used in the last 28 days."""
    tenant = tenant_of(request)
    dialect_of(request)
    world = request.app[WORLD]
    consumption = world.instances.consumption(tenant.instance)
    return reply(reports.instance_usage(consumption, crn_of(tenant), world.settings.plan))


async def account(request: web.Request) -> web.Response:
    """Give the plans of the caller's account; those of another account are forbidden."""
    crn = crn_of(tenant_of(request))
    dialect_of(request)
    asked = request.match_info["id"]
    if not _ACCOUNT.fullmatch(asked):
        raise bad_query("the id of an account has letters, digits, hyphens and underscores, at most 64")
    if asked != crn.account:
        raise Refusal(403, 1200, f"You are not authorized to see account {asked}.", "Ask for the account of your CRN.")
    world = request.app[WORLD]
    plan, now = world.settings.plan, world.clock.now()
    if request.query.get("plan_id", plan.id) != plan.id:
        return reply({"plans": []})
    period = (now - PERIOD, now)
    consumed = sum(each.seconds for each in world.ledger.of_account(crn.account) if each.finished > period[0])
    return reply({"plans": [reports.account(crn, plan, list(world.devices), consumed, period)]})
