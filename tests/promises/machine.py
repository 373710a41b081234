"""The emulator in the test's own loop, with workers that take no time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

import attrs
from aiohttp import web

from qrt_async import Account, Client, Limits, PollPolicy
from qrt_async.emulator import Bill, Controls, VirtualClock
from qrt_async.emulator.clock import RealClock
from qrt_async.emulator.devices import Device
from qrt_async.emulator.pool import StillPool
from qrt_async.emulator.settings import Settings
from qrt_async.emulator.web.app import application
from qrt_async.emulator.work import Done, Outcome, TranspileWork, Work
from qrt_async.emulator.world import World
from qrt_async.hooks import Event, Hook

CRN = "crn:v1:bluemix:public:quantum-computing:us-east:a/0123456789abcdef:11111111-2222-3333-4444-555555555555::"
KEY = "api+key/5d1e=7f"
PROGRAM = 'OPENQASM 3.0; include "stdgates.inc"; bit[1] c; x $0; c[0] = measure $0;'
UNPACED = Limits(submissions_per_minute=None)

_RESULT = b'{"results":[{"data":{"c":{"samples":["0x1"],"num_bits":1}},"metadata":{}}],"metadata":{}}'
_TRANSPILED = json.dumps([{"qasm": PROGRAM, "layout": {"initial": [0], "final": [0]}}]).encode()


class _PromptPool:
    """Does all work at once."""

    async def run(self, work: Work, on_start: Callable[[], None] | None = None) -> Outcome:
        """Begin and end."""
        if on_start is not None:
            on_start()
        await asyncio.sleep(0)
        return Done(_TRANSPILED if isinstance(work, TranspileWork) else _RESULT, 0.4, 1)

    async def warm(self) -> None:
        """Do nothing."""

    async def close(self) -> None:
        """Do nothing."""


@attrs.frozen
class Machine:
    """A running emulator, and clients that live by its clock."""

    url: str
    clock: VirtualClock
    controls: Controls

    def account(self, *, legacy: bool = False, login_at: str | None = None) -> Account:
        """Return an account of either platform; `login_at` is another address of the token service."""
        auth = login_at or self.url
        if legacy:
            return Account.legacy(
                KEY, "h/g/p", auth_url=f"{auth}/api", api_url=f"{self.url}/runtime", transpiler_url=self.url
            )
        return Account.ibm_quantum(KEY, CRN, api_url=f"{self.url}/api/v1", iam_url=auth)

    def client(self, account: Account, *hooks: Hook) -> Client:
        """Return a client without a quota; nothing is sent."""
        return Client(account, clock=self.clock, limits=UNPACED, poll=PollPolicy(session_maximum=15), hooks=hooks)

    def moments(self) -> Moments:
        """Return a hook that keeps what it is told, and when."""
        return Moments(self.clock)


@attrs.define
class Moments:
    """Keeps events with the seconds at which they happened."""

    clock: VirtualClock
    seen: list[tuple[float, Event]] = attrs.field(factory=list[tuple[float, Event]])

    def __call__(self, event: Event) -> None:
        """Keep an event."""
        self.seen.append((self.clock.monotonic(), event))


@attrs.frozen
class Server:
    """An emulator that answers at `url`, and what stands behind it."""

    url: str
    world: World
    _runner: web.AppRunner

    @property
    def connections(self) -> int:
        """How many connections it has open."""
        assert self._runner.server is not None
        return len(self._runner.server.connections)

    async def bill(self) -> Bill:
        """Return what it saw until now."""
        return await self.world.books.bill(self.world.ledger, self.world.all_sessions())


@asynccontextmanager
async def serving(
    snapshots: Mapping[str, Device], settings: Settings, clock: VirtualClock | None = None
) -> AsyncIterator[Server]:
    """Run an emulator for the length of the block, in real time unless a clock is given."""
    pool = StillPool(_PromptPool(), clock) if clock else _PromptPool()
    world = World(snapshots, pool, settings=settings, clock=clock or RealClock())
    runner = web.AppRunner(application(world), access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, backlog=2048).start()
        yield Server(f"http://127.0.0.1:{runner.addresses[0][1]}", world, runner)
    finally:
        await runner.cleanup()
        await world.close()


@asynccontextmanager
async def machine(snapshots: Mapping[str, Device], settings: Settings) -> AsyncIterator[Machine]:
    """Run an emulator whose time passes while everybody sleeps."""
    clock = VirtualClock(automatic=True)
    async with serving(snapshots, settings, clock) as server:
        yield Machine(server.url, clock, Controls(server.url))
