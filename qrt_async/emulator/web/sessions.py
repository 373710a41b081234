"""`…/sessions` on both platforms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from qrt_async.emulator import bodies, replies
from qrt_async.emulator.clock import Instant
from qrt_async.emulator.web.exchange import WORLD, dialect_of, empty, platform_of, reply, tenant_of

if TYPE_CHECKING:
    from qrt_async.emulator.records import Tenant


def routes(prefix: str) -> list[web.RouteDef]:
    """Give the routes under one platform's prefix."""
    one = f"{prefix}/sessions/{{id}}"
    return [
        web.post(f"{prefix}/sessions", create),
        web.get(one, show),
        web.patch(one, update),
        web.delete(f"{one}/close", close),
    ]


async def create(request: web.Request) -> web.Response:
    """Open a session or batch."""
    tenant = _caller(request)
    world = request.app[WORLD]
    settings = world.settings
    order = bodies.session_order(
        await request.read(), platform_of(request), settings.plan, unknown_mode_breaks=settings.known_500s
    )
    session = world.open_session(tenant, order)
    return reply(replies.session_created(session, Instant.of(world.clock)))


async def show(request: web.Request) -> web.Response:
    """Give one session."""
    tenant = _caller(request)
    world = request.app[WORLD]
    session = world.session(tenant, request.match_info["id"])
    return reply(replies.session(session, Instant.of(world.clock)))


async def update(request: web.Request) -> web.Response:
    """Let a session take jobs, or no more of them."""
    tenant = _caller(request)
    world, session_id = request.app[WORLD], request.match_info["id"]
    world.session(tenant, session_id)  # unknown comes before malformed
    world.set_accepting(tenant, session_id, bodies.accepting_jobs(await request.read()))
    return empty()


async def close(request: web.Request) -> web.Response:
    """Close a session at once."""
    tenant = _caller(request)
    request.app[WORLD].close_session(tenant, request.match_info["id"])
    return empty()


def _caller(request: web.Request) -> Tenant:
    tenant = tenant_of(request)
    dialect_of(request)
    return tenant
