"""What the promises' tests share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from qrt_async.emulator import devices
from qrt_async.emulator.settings import Settings
from tests.promises.machine import Machine, machine


@pytest.fixture(scope="session")
def snapshots() -> dict[str, devices.Device]:
    """One device, read before any loop runs."""
    return {"ibm_fez": devices.load("ibm_fez")}


@pytest.fixture
async def short_lived(snapshots: dict[str, devices.Device]) -> AsyncIterator[Machine]:
    """An emulator whose tokens live two seconds, whose queue lasts two minutes, and which records what arrives."""
    settings = Settings(seed=7, token_lifetime=2, queue_seconds={"ibm_fez": 120}, record=True)
    async with machine(snapshots, settings) as found:
        yield found
