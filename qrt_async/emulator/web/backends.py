"""`…/backends` on both platforms, and `/api/v1/versions`."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING

from aiohttp import web

from qrt_async.emulator import replies
from qrt_async.emulator.refusals import no_custom_calibrations
from qrt_async.emulator.web.exchange import WORLD, bound, dialect_of, raw_reply, reply, tenant_of

if TYPE_CHECKING:
    from qrt_async.emulator.devices import Device


def routes(prefix: str) -> list[web.RouteDef]:
    """Give the routes under one platform's prefix."""
    one = f"{prefix}/backends/{{name}}"
    return [
        web.get(f"{prefix}/backends", list_devices),
        web.get(f"{one}/status", status),
        web.get(f"{one}/configuration", configuration),
        web.get(f"{one}/properties", properties),
        web.get(f"{one}/defaults", defaults),
    ]


async def versions(_request: web.Request) -> web.Response:
    """List the API's dated versions; asks for no credential."""
    return reply(replies.versions())


async def list_devices(request: web.Request) -> web.Response:
    """List the backends: names, or objects from version 2025-01-01 on; the open plan is told no waiting times."""
    tenant_of(request)
    world = request.app[WORLD]
    if not dialect_of(request).device_objects:
        return reply({"devices": list(world.devices)})
    asked = "wait_time_seconds" in request.query.get("fields", "").split(",")
    waits = world.ledger.waits() if asked and world.settings.plan.allocation is None else None
    rows = [
        replies.device(
            name,
            snapshot,
            world.conditions[name],
            world.queue_length(name),
            None if waits is None else waits.get(name, []),
        )
        for name, snapshot in world.devices.items()
    ]
    return reply({"devices": rows})


async def status(request: web.Request) -> web.Response:
    """Tell whether a backend works and how long its queue is."""
    device = _device(request)
    world = request.app[WORLD]
    return reply(replies.device_status(device, world.conditions[device.name], world.queue_length(device.name)))


async def configuration(request: web.Request) -> web.Response:
    """Give a backend's gates, coupling map and limits."""
    return raw_reply(_documents(_device(request))[0])


async def properties(request: web.Request) -> web.Response:
    """Give a backend's calibration data: there is one calibration, whatever date is asked for."""
    bound(request, "updated_before")
    return raw_reply(_documents(_device(request))[1])


async def defaults(request: web.Request) -> web.Response:
    """Give null, as every device does today."""
    _device(request)
    return raw_reply(b"null")


def _device(request: web.Request) -> Device:
    tenant_of(request)
    dialect_of(request)
    world = request.app[WORLD]
    if "calibration_id" in request.query and not world.settings.plan.custom_calibrations:
        raise no_custom_calibrations()
    return world.device(request.match_info["name"])


@cache
def _documents(device: Device) -> tuple[bytes, bytes]:
    return json.dumps(device.configuration).encode(), json.dumps(device.properties).encode()
