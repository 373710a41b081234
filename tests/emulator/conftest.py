"""A server to talk to, with its workers and its clock in the hands of the test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from qrt_async.emulator import devices
from qrt_async.emulator.plans import OPEN
from qrt_async.emulator.settings import Settings
from tests.emulator.service import Bench, Service, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture(scope="session")
def snapshots() -> dict[str, devices.Device]:
    """Read two devices, before any loop runs."""
    return {name: devices.load(name) for name in ("ibm_hanoi", "ibm_fez")}


@pytest.fixture
async def bench(snapshots: dict[str, devices.Device]) -> AsyncIterator[Bench]:
    """Start a server whose workers and clock are in the test's hands."""
    async with running(snapshots) as bench:
        yield bench


@pytest.fixture
async def open_bench(snapshots: dict[str, devices.Device]) -> AsyncIterator[Bench]:
    """Start such a server, whose instances are of the open plan."""
    async with running(snapshots, Settings(seed=7, plan=OPEN)) as bench:
        yield bench


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
