"""What only the LEGACY platform has: the caller's profile, its networks, its usage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiohttp import web

from qrt_async.emulator import reports
from qrt_async.emulator.ledger import PERIOD
from qrt_async.emulator.records import Platform, Tenant
from qrt_async.emulator.refusals import invalid_credentials
from qrt_async.emulator.web.exchange import WORLD, origin_of, reply, secret_of, tenant_of

if TYPE_CHECKING:
    from qrt_async.emulator.records import Placement
    from qrt_async.emulator.world import World


def routes(prefix: str) -> list[web.RouteDef]:
    """Give the routes of the login host, of the old API host, and under the platform's prefix."""
    return [
        web.get("/api/users/me", profile),
        web.get("/api/Network", network),
        web.get("/Network", network),
        web.get(f"{prefix}/users/me", user),
        web.get(f"{prefix}/usage", usage),
    ]


async def profile(request: web.Request) -> web.Response:
    """Tell who the caller is and where the platform's hosts are: all of them here."""
    tenant = _tenant(request)
    base = origin_of(request)
    urls = {
        "http": f"{base}/api",
        "ws": f"{base}/api".replace("http", "ws", 1),
        "services": {"runtime": f"{base}/runtime"},
    }
    return reply({"id": tenant.user_id, "email": _email(tenant), "urls": urls})


async def network(request: web.Request) -> web.Response:
    """Give the caller's hubs, groups and projects."""
    tenant = _tenant(request)
    return reply(reports.network(_placements(request.app[WORLD], tenant)))


async def user(request: web.Request) -> web.Response:
    """Give the caller's address and instances."""
    tenant = tenant_of(request)
    world = request.app[WORLD]
    rows = [{"name": str(each), "plan": world.settings.plan.name} for each in _placements(world, tenant)]
    return reply({"email": _email(tenant), "instances": rows})


async def usage(request: web.Request) -> web.Response:
    """Give what each of the caller's instances used in the last 28 days."""
    tenant = tenant_of(request)
    world = request.app[WORLD]
    pending: dict[str, int] = {}
    for job in world.jobs(tenant):
        name = str(job.order.placement)
        pending[name] = pending.get(name, 0) + (not job.status.final)
    now = world.clock.now()
    charges = world.ledger.of_tenant(tenant)
    content: dict[str, Any] = reports.legacy_usage(charges, pending, world.settings.plan, (now - PERIOD, now))
    return reply(content)


def _tenant(request: web.Request) -> Tenant:
    """Tell whose request to a host without the platform's prefix this is."""
    secret = secret_of(request)
    if not secret:
        raise invalid_credentials()
    return Tenant(Platform.LEGACY, request.app[WORLD].credentials.legacy_user(secret))


def _placements(world: World, tenant: Tenant) -> list[Placement]:
    used = dict.fromkeys(job.order.placement for job in world.jobs(tenant) if job.order.placement)
    return list(used) or [reports.DEFAULT_PLACEMENT]


def _email(tenant: Tenant) -> str:
    return f"{tenant.user_id}@example.com"
