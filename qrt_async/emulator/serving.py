"""From settings to a server that answers on loopback, and back to nothing."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import attrs
from aiohttp import web

from qrt_async.emulator import devices
from qrt_async.emulator.web.app import application
from qrt_async.emulator.workers import Workers
from qrt_async.emulator.world import World

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from qrt_async.emulator.settings import Settings

HOST = "127.0.0.1"
_BACKLOG = 2048  # connections that may wait to be accepted
_GRACE = 0.5  # seconds for requests that are under way at the end


@attrs.frozen
class Served:
    """A running emulator: where it answers, and the world behind it."""

    url: str
    world: World


@asynccontextmanager
async def serve(settings: Settings, port: int = 0) -> AsyncGenerator[Served, None]:
    """Answer on 127.0.0.1:`port` (0: a free one) for the length of the block.

    Raises OSError when the port is taken and UnknownDeviceError for a backend without a snapshot. Workers
    start in the background; none is left when the block ends.
    """
    snapshots = await asyncio.to_thread(_load, settings.backends)
    world = World(
        snapshots,
        Workers(settings.workers),
        api_keys=settings.api_keys,
        seed=settings.seed,
        noiseless=settings.noiseless,
    )
    async with listen(world, port) as url:
        world.warm()
        yield Served(url, world)


@asynccontextmanager
async def listen(world: World, port: int = 0) -> AsyncGenerator[str, None]:
    """Answer for `world` and give the base URL; the world is closed when the block ends."""
    runner = web.AppRunner(application(world), access_log=None, shutdown_timeout=_GRACE)
    try:
        await runner.setup()
        await web.TCPSite(runner, HOST, port, backlog=_BACKLOG).start()
        yield f"http://{HOST}:{runner.addresses[0][1]}"
    finally:
        try:
            await runner.cleanup()
        finally:
            await world.close()


def _load(names: tuple[str, ...]) -> dict[str, devices.Device]:
    return {name: devices.load(name) for name in names}
