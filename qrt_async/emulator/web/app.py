"""The application: all hosts' paths on one port."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from qrt_async.emulator.records import Platform
from qrt_async.emulator.web import (
    analytics,
    backends,
    control,
    discovery,
    instances,
    jobs,
    legacy,
    login,
    sessions,
    transpiler,
    workloads,
)
from qrt_async.emulator.web.exchange import PREFIXES, WORLD
from qrt_async.emulator.web.misconduct import misbehave
from qrt_async.emulator.web.recording import write_down
from qrt_async.emulator.web.refusing import MAX_BODY, say_no
from qrt_async.emulator.web.standing_still import stand_still

if TYPE_CHECKING:
    from qrt_async.emulator.world import World


def application(world: World) -> web.Application:
    """Build the aiohttp application that speaks for `world`."""
    # a fault bends refusals too, and what arrives for it may itself have to be refused
    app = web.Application(middlewares=[say_no, stand_still, write_down, misbehave, say_no], client_max_size=MAX_BODY)
    app[WORLD] = world
    app.router.add_routes(control.routes())
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
