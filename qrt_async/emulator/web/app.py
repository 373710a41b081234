"""The application: all hosts' paths on one port, and each host's way of saying no."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from qrt_async.emulator import replies
from qrt_async.emulator.records import Platform
from qrt_async.emulator.refusals import Refusal
from qrt_async.emulator.web import (
    analytics,
    backends,
    discovery,
    instances,
    jobs,
    legacy,
    login,
    sessions,
    transpiler,
    workloads,
)
from qrt_async.emulator.web.exchange import PREFIXES, WORLD, platform_of, reply

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from qrt_async.emulator.world import World

_FULL_ERRORS = tuple(PREFIXES[Platform.IBM_QUANTUM] + path for path in ("/workloads", "/analytics", "/instances/usage"))
_MAX_BODY = 64 * 1024 * 1024  # bytes: the larger of the two published limits of a job's input


def application(world: World) -> web.Application:
    """Build the aiohttp application that speaks for `world`."""
    app = web.Application(middlewares=[say_no], client_max_size=_MAX_BODY)
    app[WORLD] = world
    app.router.add_routes(login.routes())
    app.router.add_routes(transpiler.routes())
    app.router.add_routes(discovery.routes())
    app.router.add_routes(legacy.routes(PREFIXES[Platform.LEGACY]))
    app.router.add_routes(jobs.stored_circuits_routes())
    cloud = PREFIXES[Platform.IBM_QUANTUM]
    app.router.add_get(f"{cloud}/versions", backends.versions)
    app.router.add_get(f"{cloud}/jobs/", jobs.web_page)
    app.router.add_routes(instances.routes(cloud))
    app.router.add_routes(workloads.routes(cloud))
    app.router.add_routes(analytics.routes(cloud))
    for prefix in PREFIXES.values():
        app.router.add_routes(backends.routes(prefix))
        app.router.add_routes(jobs.routes(prefix))
        app.router.add_routes(sessions.routes(prefix))
    return app


@web.middleware
async def say_no(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Turn refusals, unknown paths and too large bodies into the shape of the host they were sent to."""
    try:
        return await handler(request)
    except Refusal as refusal:
        return _refuse(request, refusal)
    except web.HTTPException as plain:
        return _refuse(request, _as_refusal(request, plain))


def _as_refusal(request: web.Request, plain: web.HTTPException) -> Refusal:
    if plain.status == 404:
        return Refusal(404, None, f"Not Found: {request.path}")
    if plain.status == 413:
        return Refusal(413, 1001, f"The request body is larger than {_MAX_BODY} bytes.", "Split the job.")
    return Refusal(plain.status, None, plain.reason)


def _refuse(request: web.Request, refusal: Refusal) -> web.Response:
    world, path = request.app[WORLD], request.path
    if path == "/transpile" or path.startswith("/transpile/"):
        return reply({"detail": refusal.message}, refusal.status)
    trace = world.identifiers.trace()
    if path.startswith(_FULL_ERRORS):
        return reply(replies.full_error(refusal, trace), refusal.status)
    if path.startswith("/api/") and not path.startswith(PREFIXES[Platform.IBM_QUANTUM] + "/"):
        return reply(replies.loopback_error(refusal), refusal.status)
    if path.startswith("/identity/"):
        return reply(replies.iam_error(refusal, trace), refusal.status)
    return reply(replies.error(refusal, platform_of(request), trace), refusal.status)
