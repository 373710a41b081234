"""Fixtures for tests of many PUBs: a scripted machine, a clock that is moved by hand, a client of an emulator."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from qrt_async import Client
from qrt_async.emulator import Emulator
from tests.bulk.machine import FREE, ManualClock, Scripted
from tests.client import scripted
from tests.story.conftest import today


@pytest.fixture
def clock() -> ManualClock:
    """A clock that stands still until it is moved."""
    return ManualClock()


@pytest.fixture
async def machine() -> AsyncIterator[Scripted]:
    """A service that takes jobs and runs them as it is told."""
    async with scripted.service() as service:
        yield Scripted(service)


@pytest.fixture
async def legacy() -> AsyncIterator[Scripted]:
    """The same on the legacy platform, whose transpiler is a service as well."""
    async with scripted.service() as service:
        yield Scripted(service, api="/runtime")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def emulated() -> AsyncIterator[Client]:
    """A client of an emulator in this process, without noise."""
    async with (
        Emulator(in_process=True, noiseless=True, seed=5) as emulator,
        Client(today(emulator.url), limits=FREE) as client,
    ):
        yield client


@pytest.fixture
async def service() -> AsyncIterator[scripted.Service]:
    """A scripted service that nothing is scripted for."""
    async with scripted.service() as found:
        yield found
