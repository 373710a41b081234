"""A server to talk to, with its workers and its clock in the hands of the test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aiohttp
import pytest

from qrt_async.emulator import devices
from qrt_async.emulator.serving import listen
from qrt_async.emulator.world import World
from tests.emulator.service import Bench, HandClock, HeldPool, Service

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture(scope="session")
def snapshots() -> dict[str, devices.Device]:
    """Read two devices, before any loop runs."""
    return {name: devices.load(name) for name in ("ibm_hanoi", "ibm_fez")}


@pytest.fixture
async def bench(snapshots: dict[str, devices.Device]) -> AsyncIterator[Bench]:
    """Start a server whose workers and clock are in the test's hands."""
    pool, clock = HeldPool(), HandClock()
    world = World(snapshots, pool, seed=7, clock=clock)
    async with listen(world) as url, aiohttp.ClientSession(url) as http:
        yield Bench(url, world, pool, clock, http)


@pytest.fixture(params=["legacy", "cloud"])
def service(bench: Bench, request: pytest.FixtureRequest) -> Service:
    """Give a caller of either platform."""
    caller: Service = getattr(bench, request.param)
    return caller


@pytest.fixture
def legacy(bench: Bench) -> Service:
    """Give a LEGACY caller."""
    return bench.legacy


@pytest.fixture
def cloud(bench: Bench) -> Service:
    """Give an IBM_QUANTUM caller."""
    return bench.cloud
