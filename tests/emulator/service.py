"""The emulator's server with everything around it in the test's hands: workers, clock, callers."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import aiohttp
import attrs

from qrt_async.emulator.serving import listen
from qrt_async.emulator.settings import Settings
from qrt_async.emulator.work import Done
from qrt_async.emulator.world import World
from tests.emulator import contract

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from qrt_async.emulator.devices import Device
    from qrt_async.emulator.work import Outcome, Work

CRN = "crn:v1:bluemix:public:quantum-computing:us-east:a/0123456789abcdef:11111111-2222-3333-4444-555555555555::"
OTHER_CRN = CRN.replace("11111111", "99999999")
PROGRAM = 'OPENQASM 3.0; include "stdgates.inc"; bit[1] c; x $0; c[0] = measure $0;'
RESULTS = Done(b'{"results":[{"data":{"c":{"samples":["0x1"],"num_bits":1}},"metadata":{}}],"metadata":{}}', 0.4, 1)


class HandClock:
    """A clock that moves when told."""

    def __init__(self) -> None:
        self._date = datetime(2026, 9, 10, 18, 44, 0, 123456, tzinfo=UTC)
        self._seconds = 1000.0
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def advance(self, seconds: float) -> None:
        """Move both of the clock's faces forward, and wake those who have slept enough."""
        self._date += timedelta(seconds=seconds)
        self._seconds += seconds
        for wake_up, sleeper in self._sleepers:
            if wake_up <= self._seconds and not sleeper.done():
                sleeper.set_result(None)
        self._sleepers = [each for each in self._sleepers if not each[1].done()]

    def now(self) -> datetime:
        """Give the date it was set to."""
        return self._date

    def monotonic(self) -> float:
        """Give the seconds it was set to."""
        return self._seconds

    async def sleep(self, seconds: float) -> None:
        """Sleep until the clock has been moved far enough."""
        if seconds <= 0:
            return
        sleeper: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((self._seconds + seconds, sleeper))
        await sleeper


@attrs.define(eq=False)
class Held:
    """One work in the hands of the test."""

    work: Work
    on_start: Callable[[], None] | None
    outcome: asyncio.Future[Outcome]
    stopped: bool = False

    def begin(self) -> None:
        """Let a worker begin it."""
        assert self.on_start is not None
        self.on_start()

    def finish(self, outcome: Outcome = RESULTS) -> None:
        """Let the worker come to this end."""
        self.outcome.set_result(outcome)


class HeldPool:
    """Keeps the contract of the workers, but works begin and end when the test says so."""

    def __init__(self) -> None:
        self._arrived: asyncio.Queue[Held] = asyncio.Queue()
        self.held: list[Held] = []
        self.closed = False

    async def run(self, work: Work, on_start: Callable[[], None] | None = None) -> Outcome:
        """Hold the work until the test ends it."""
        held = Held(work, on_start, asyncio.get_running_loop().create_future())
        self.held.append(held)
        self._arrived.put_nowait(held)
        try:
            return await held.outcome
        except asyncio.CancelledError:
            held.stopped = True
            raise

    async def next(self) -> Held:
        """Wait for the next work to arrive."""
        return await self._arrived.get()

    async def warm(self) -> None:
        """Do nothing: there is nothing to start."""

    async def close(self) -> None:
        """Note that the pool was closed."""
        self.closed = True


@attrs.frozen
class Answer:
    """A reply, read to its end."""

    status: int
    body: bytes
    content_type: str

    @property
    def json(self) -> Any:
        """Give the body as JSON."""
        return json.loads(self.body)

    @property
    def code(self) -> Any:
        """Give the code of the first error of an error container."""
        return self.json["errors"][0].get("code")

    @property
    def message(self) -> str:
        """Give the message of the first error of an error container."""
        text: str = self.json["errors"][0]["message"]
        return text


@attrs.frozen
class Service:
    """One caller of one platform: its paths' prefix and the headers it sends with every request."""

    http: aiohttp.ClientSession
    prefix: str
    headers: dict[str, str]
    job: dict[str, Any]

    async def call(self, method: str, path: str, *, headers: dict[str, str] | None = None, **request: Any) -> Answer:
        """Send one request and hold the reply against the contract; an empty value of `headers` takes one away."""
        sent = {key: value for key, value in (self.headers | (headers or {})).items() if value}
        async with self.http.request(method, self.prefix + path, headers=sent, **request) as reply:
            answer = Answer(reply.status, await reply.read(), reply.content_type)
            contract.check(method, reply.url.path, answer.status, answer.content_type, answer.body)
            return answer

    async def get(self, path: str, **request: Any) -> Answer:
        """Send a GET."""
        return await self.call("GET", path, **request)

    async def post(self, path: str, **request: Any) -> Answer:
        """Send a POST."""
        return await self.call("POST", path, **request)

    async def delete(self, path: str, **request: Any) -> Answer:
        """Send a DELETE."""
        return await self.call("DELETE", path, **request)

    async def submit(self, **changes: Any) -> str:
        """Submit a job that differs from the usual one as told, and give its id."""
        answer = await self.post("/jobs", json=self.job | changes)
        assert answer.status == 200, answer.body
        job_id: str = answer.json["id"]
        return job_id

    async def put(self, path: str, **request: Any) -> Answer:
        """Send a PUT."""
        return await self.call("PUT", path, **request)

    async def status(self, job_id: str) -> str:
        """Give the status of one job."""
        text: str = (await self.get(f"/jobs/{job_id}")).json["status"]
        return text

    def under(self, **headers: str) -> Service:
        """Give a caller whose headers differ; underscores stand for hyphens."""
        return attrs.evolve(
            self, headers=self.headers | {key.replace("_", "-"): value for key, value in headers.items()}
        )


@attrs.frozen
class Bench:
    """A server under test with what stands behind it."""

    url: str
    world: World
    pool: HeldPool
    clock: HandClock
    http: aiohttp.ClientSession

    @property
    def legacy(self) -> Service:
        """Give a LEGACY caller with an API token of its own."""
        job = {
            "program_id": "sampler",
            "backend": "ibm_hanoi",
            "hub": "h",
            "group": "g",
            "project": "p",
            "params": {"pubs": [[PROGRAM]], "version": 2},
        }
        return Service(self.http, "/runtime", {"x-access-token": "a legacy token"}, job)

    @property
    def cloud(self) -> Service:
        """Give an IBM_QUANTUM caller on the live version."""
        job = {"program_id": "sampler", "backend": "ibm_fez", "params": {"pubs": [[PROGRAM]], "version": 2}}
        headers = {
            "Authorization": "apikey a-key",
            "Service-CRN": CRN,
            "IBM-API-Version": "2026-04-15",
        }
        return Service(self.http, "/api/v1", headers, job)

    @property
    def bare(self) -> Service:
        """Give a caller without any credential, on the server's root."""
        return Service(self.http, "", {}, {})

    async def run(self, caller: Service, *, waits: float = 0, quantum_seconds: float = 0.4, **changes: Any) -> str:
        """Run a job to its end after it has waited, and give its id."""
        job_id = await caller.submit(**changes)
        held = await self.pool.next()
        self.clock.advance(waits)
        held.begin()
        held.finish(attrs.evolve(RESULTS, quantum_seconds=quantum_seconds))
        while await caller.status(job_id) in ("Queued", "Running"):
            pass
        return job_id


@asynccontextmanager
async def running(snapshots: Mapping[str, Device], settings: Settings | None = None) -> AsyncIterator[Bench]:
    """Run a server whose workers and clock are in the test's hands."""
    pool, clock = HeldPool(), HandClock()
    world = World(snapshots, pool, settings=settings or Settings(seed=7), clock=clock)
    async with listen(world) as url, aiohttp.ClientSession(url) as http:
        yield Bench(url, world, pool, clock, http)
