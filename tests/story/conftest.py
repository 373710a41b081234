"""Clients of both platforms, kept for all tests so that their worker processes stay warm."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from qrt_async import Account, Client, Limits

CRN = "crn:v1:bluemix:public:quantum-computing:us-east:a/story:story::"
UNPACED = Limits(submissions_per_minute=None)
"""The emulator takes as many submissions as come, in real time."""


def today(url: str) -> Account:
    """Return an account of today's platform at the emulator."""
    return Account.ibm_quantum("story-key", CRN, api_url=f"{url}/api/v1", iam_url=url)


def legacy(url: str) -> Account:
    """Return an account of the legacy platform at the emulator."""
    return Account.legacy("story-key", "h/g/p", auth_url=f"{url}/api", api_url=f"{url}/runtime", transpiler_url=url)


@pytest_asyncio.fixture(scope="session", loop_scope="session", params=[today, legacy], ids=["today", "legacy"])
async def client(request: pytest.FixtureRequest, emulator_url: str) -> AsyncIterator[Client]:
    """Give a client on either platform."""
    async with Client(request.param(emulator_url), limits=UNPACED) as found:
        yield found


@pytest_asyncio.fixture(scope="session", loop_scope="session", params=[today, legacy], ids=["today", "legacy"])
async def quiet_client(request: pytest.FixtureRequest, quiet_emulator_url: str) -> AsyncIterator[Client]:
    """Give a client on either platform, at devices without noise."""
    async with Client(request.param(quiet_emulator_url), limits=UNPACED) as found:
        yield found
