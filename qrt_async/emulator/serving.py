"""From settings to a server that answers on loopback, and back to nothing."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import attrs
from aiohttp import web

from qrt_async.emulator import devices
from qrt_async.emulator.clock import Instant, RealClock
from qrt_async.emulator.pool import StillPool
from qrt_async.emulator.settings import ClockKind
from qrt_async.emulator.store import Store
from qrt_async.emulator.virtual_clock import VirtualClock
from qrt_async.emulator.web.app import application
from qrt_async.emulator.workers import Workers
from qrt_async.emulator.world import World

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from qrt_async.emulator.clock import Clock
    from qrt_async.emulator.pool import Pool
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

    Raises OSError when the port is taken, UnknownDeviceError for a backend without a snapshot and StateFileError
    for a state file of no use. Workers start in the background; none is left when the block ends.
    """
    world = await prepare(settings, Workers(settings.workers))
    async with listen(world, port) as url:
        world.warm()
        yield Served(url, world)


async def prepare(settings: Settings, pool: Pool, clock: Clock | None = None) -> World:
    """Build the world of `settings`, with what its state file holds; its jobs begin to run with `pool`."""
    snapshots = await asyncio.to_thread(_load, settings.backends)
    if clock is None:
        clock = _clock(settings.clock)
    if isinstance(clock, VirtualClock):
        pool = StillPool(pool, clock)
    if settings.state is None:
        return World(snapshots, pool, settings=settings, clock=clock)
    store = await asyncio.to_thread(Store.open, settings.state)
    world = World(snapshots, pool, settings=settings, clock=clock, store=store)
    world.remember(await asyncio.to_thread(store.read, Instant.of(clock)))
    return world


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


def _clock(kind: ClockKind) -> Clock:
    return RealClock() if kind is ClockKind.REAL else VirtualClock(automatic=kind is ClockKind.AUTO)


def _load(names: tuple[str, ...]) -> dict[str, devices.Device]:
    return {name: devices.load(name) for name in names}
