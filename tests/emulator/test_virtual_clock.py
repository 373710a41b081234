"""Time that passes when told, or when everything waits for it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import aiohttp
import attrs
import pytest

from qrt_async.emulator import ControlError, Controls, Emulator, Fault, HangUp, VirtualClock, Work
from qrt_async.emulator.pool import StillPool
from qrt_async.emulator.serving import listen
from qrt_async.emulator.settings import Settings
from qrt_async.emulator.world import World
from tests.emulator.service import CRN, PROGRAM, RESULTS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from qrt_async.emulator.devices import Device
    from qrt_async.emulator.work import Outcome
    from qrt_async.emulator.work import Work as PoolWork
    from tests.emulator.service import Bench

FORM = {"grant_type": "urn:ibm:params:oauth:grant-type:apikey", "apikey": "a-key"}
JOB = {"program_id": "sampler", "backend": "ibm_fez", "params": {"pubs": [[PROGRAM]], "version": 2}}


class PromptPool:
    """Keeps the contract of the workers, and is done at once."""

    async def run(self, work: PoolWork, on_start: Callable[[], None] | None = None) -> Outcome:
        """Begin and end."""
        if on_start is not None:
            on_start()
        await asyncio.sleep(0)
        return RESULTS

    async def warm(self) -> None:
        """Do nothing."""

    async def close(self) -> None:
        """Do nothing."""


@attrs.frozen
class Caller:
    """An IBM_QUANTUM caller who shares the clock of the server."""

    http: aiohttp.ClientSession
    clock: VirtualClock
    controls: Controls

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        """Send a request and give the JSON of the reply."""
        headers = {"Authorization": "apikey a-key", "Service-CRN": CRN, "IBM-API-Version": "2026-04-15"}
        async with self.http.request(method, f"/api/v1{path}", json=body, headers=headers) as reply:
            return await reply.json() if reply.status != 204 else None

    async def status(self, job_id: str) -> str:
        """Give the status of a job."""
        return str((await self.call("GET", f"/jobs/{job_id}"))["status"])

    async def wait(self, job_id: str, interval: float = 10) -> str:
        """Look at a job every so many seconds of the clock until it is over."""
        while (status := await self.status(job_id)) in ("Queued", "Running"):
            await self.clock.sleep(interval)
        return status


@asynccontextmanager
async def playing(snapshots: Mapping[str, Device], settings: Settings, *, automatic: bool) -> AsyncIterator[Caller]:
    """Run a server on a virtual clock, with a pool that takes no time."""
    clock = VirtualClock(automatic=automatic)
    world = World(snapshots, StillPool(PromptPool(), clock), settings=settings, clock=clock)
    async with listen(world) as url, aiohttp.ClientSession(url) as http:
        yield Caller(http, clock, Controls(url))


async def sleeps(clock: VirtualClock, seen: list[tuple[str, float]], name: str, *seconds: float) -> None:
    """Sleep several times, and note when each sleep was over."""
    for each in seconds:
        await clock.sleep(each)
        seen.append((name, clock.monotonic()))


async def test_sleepers_wake_in_their_order() -> None:
    """Advancing wakes each sleeper at its own moment, also for sleeps that begin on the way."""
    clock, seen = VirtualClock(), list[tuple[str, float]]()
    tasks = [asyncio.create_task(sleeps(clock, seen, *each)) for each in (("a", 3, 3, 3), ("b", 4, 4), ("c", 100))]

    await clock.advance(10)

    assert seen == [("a", 3), ("b", 4), ("a", 6), ("b", 8), ("a", 9)]
    assert clock.monotonic() == 10
    await clock.advance(90)
    assert seen[-1] == ("c", 100)
    await asyncio.gather(*tasks)


async def test_time_stands_still_by_itself() -> None:
    """A clock that is not automatic does not move for those who sleep."""
    clock, seen = VirtualClock(), list[tuple[str, float]]()
    task = asyncio.create_task(sleeps(clock, seen, "a", 1))
    await clock.advance(0)

    assert (clock.monotonic(), seen) == (0, [])
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await clock.advance(5)
    assert seen == []


async def test_automatic_time() -> None:
    """An automatic clock moves from one sleeper's moment to the next, and both its faces agree."""
    clock, seen = VirtualClock(automatic=True), list[tuple[str, float]]()
    start = clock.now()

    await asyncio.gather(sleeps(clock, seen, "a", 1800, 1800), sleeps(clock, seen, "b", 2400))

    assert seen == [("a", 1800), ("b", 2400), ("a", 3600)]
    assert (clock.now() - start).total_seconds() == 3600


async def test_work_holds_the_clock() -> None:
    """Time does not move while a task that holds the clock works, and does while that task sleeps itself."""
    clock, seen = VirtualClock(automatic=True), list[tuple[str, float]]()
    gate = asyncio.Event()

    async def work() -> float:
        with clock.hold():
            await clock.sleep(5)
            await gate.wait()
            return clock.monotonic()

    worker = asyncio.create_task(work())
    sleeper = asyncio.create_task(sleeps(clock, seen, "a", 5, 60))
    while not seen:
        await asyncio.sleep(0)
    for _ in range(500):
        await asyncio.sleep(0)
    gate.set()

    assert await worker == 5
    await sleeper
    assert seen == [("a", 5), ("a", 65)]


async def test_who_is_patient_does_not_move_time() -> None:
    """A patient sleeper wakes when time gets there for another's sake, and not for its own."""
    clock, woken = VirtualClock(automatic=True), list[float]()

    async def patient(seconds: float) -> None:
        await clock.patient.sleep(seconds)
        woken.append(clock.patient.monotonic())

    tasks = [asyncio.create_task(patient(seconds)) for seconds in (60, 3600)]
    await clock.sleep(100)
    await asyncio.gather(tasks[0])

    assert woken == [60]
    assert clock.patient.now() == clock.now()
    tasks[1].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_who_gives_up_sleeping_does_not_move_time() -> None:
    """A cancelled sleeper leaves nothing behind that time would move to."""
    clock = VirtualClock(automatic=True)
    with clock.hold():
        long = asyncio.create_task(clock.sleep(1000))
        await asyncio.sleep(0)
        long.cancel()
        await asyncio.gather(long, return_exceptions=True)

    await clock.sleep(1)

    assert clock.monotonic() == 1


async def test_a_queue_of_forty_minutes(snapshots: dict[str, Device]) -> None:
    """A client that shares the clock sees the whole queue pass, look by look, and the job's times are those of it."""
    settings = Settings(queue_seconds={"ibm_fez": 2400}, run_seconds={"ibm_fez": 30})
    async with playing(snapshots, settings, automatic=True) as caller:
        job_id = (await caller.call("POST", "/jobs", JOB))["id"]

        status = await caller.wait(job_id)

        timestamps = (await caller.call("GET", f"/jobs/{job_id}/metrics"))["timestamps"]
        assert status == "Completed"
        assert caller.clock.monotonic() == 2430
        created, running, finished = (
            datetime.fromisoformat(timestamps[name]) for name in ("created", "running", "finished")
        )
        assert ((running - created).total_seconds(), (finished - running).total_seconds()) == (2400, 30)


async def test_nobody_waits_for_what_may_happen_later(snapshots: dict[str, Device]) -> None:
    """An automatic clock does not run to the end of an open session, but closes it when others' time gets there."""
    async with playing(snapshots, Settings(), automatic=True) as caller:
        order = {"mode": "dedicated", "backend": "ibm_fez", "max_ttl": 600}
        session_id = (await caller.call("POST", "/sessions", order))["id"]
        await caller.clock.sleep(599)
        before = (await caller.call("GET", f"/sessions/{session_id}"))["state"]
        await caller.clock.sleep(1)

        after = (await caller.call("GET", f"/sessions/{session_id}"))["state"]

        assert (before, after) == ("open", "closed")


async def test_tokens_and_quotas_age(snapshots: dict[str, Device]) -> None:
    """Tokens expire and the quota's window slides with the time that the control endpoint lets pass."""
    async with playing(snapshots, Settings(quota=1), automatic=False) as caller:
        async with caller.http.post("/identity/token", data=FORM) as reply:
            headers = {"Authorization": f"Bearer {(await reply.json())['access_token']}", "Service-CRN": CRN}
        seen: list[tuple[int, int]] = []
        for seconds in (0, 59, 1, 3540):
            passed = await caller.controls.advance(seconds)
            async with caller.http.get("/api/v1/backends", headers=headers) as reply:
                read = reply.status
                dated = parsedate_to_datetime(reply.headers["Date"])
            async with caller.http.post(
                "/api/v1/jobs", json=JOB, headers=headers | {"Authorization": "apikey a-key"}
            ) as reply:
                seen.append((read, reply.status))

        assert seen == [(200, 200), (200, 429), (200, 200), (401, 200)]
        assert passed == 3600
        assert dated == caller.clock.now().replace(microsecond=0)


async def test_late_work_comes_in_virtual_time(snapshots: dict[str, Device]) -> None:
    """What a fault does late is done at its moment of the virtual time."""
    async with playing(snapshots, Settings(), automatic=False) as caller:
        await caller.controls.inject(Fault("POST /jobs", HangUp(), work=Work.LATE, late=45))
        with pytest.raises(aiohttp.ClientError):
            await caller.call("POST", "/jobs", JOB)
        counts: list[int] = []
        for seconds in (44, 1):
            await caller.controls.advance(seconds)
            counts.append((await caller.call("GET", "/jobs"))["count"])

        assert counts == [0, 1]


async def test_a_request_that_never_arrives_does_not_stop_time(snapshots: dict[str, Device]) -> None:
    """Time passes for a client that waits for a reply to a request whose body got lost on the way."""
    async with playing(snapshots, Settings(), automatic=True) as caller:
        url = urlsplit(caller.controls.url)
        reader, writer = await asyncio.open_connection(url.hostname, url.port)
        writer.write(b"POST /api/v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        reply = asyncio.create_task(reader.read())

        await caller.clock.sleep(3600)

        assert not reply.done()
        writer.close()
        await reply


async def test_the_real_clock_cannot_be_moved(bench: Bench) -> None:
    """Advancing an emulator that lives by another clock is refused, as is going back."""
    with pytest.raises(ControlError, match="machine's clock"):
        await Controls(bench.url).advance(1)
    with pytest.raises(ControlError, match="seconds must be at least 0"):
        await Controls(bench.url).advance(-1)


async def submit(url: str) -> str:
    """Submit a job to the LEGACY runtime of an emulator."""
    body = {"program_id": "sampler", "backend": "ibm_hanoi", "hub": "h", "group": "g", "project": "p"}
    body |= {"params": {"pubs": [[PROGRAM, None, 10]], "version": 2}}  # type: ignore[dict-item]
    async with aiohttp.request("POST", f"{url}/runtime/jobs", json=body, headers={"x-access-token": "k"}) as reply:
        return str((await reply.json())["id"])


async def seen(url: str, job_id: str) -> str:
    """Give the status of a job there."""
    async with aiohttp.request("GET", f"{url}/runtime/jobs/{job_id}", headers={"x-access-token": "k"}) as reply:
        return str((await reply.json())["status"])


async def test_a_process_on_a_virtual_clock() -> None:
    """An emulator in its own process lets hours pass when told, and really runs the job in between."""
    async with Emulator(backends=["ibm_hanoi"], workers=1, clock="virtual", queue_seconds=7200) as emulator:
        job_id = await submit(emulator.url)
        await emulator.advance(7199)
        waiting = await seen(emulator.url, job_id)

        passed = await emulator.advance(1)

        assert (waiting, passed) == ("Queued", 7200)
        assert await seen(emulator.url, job_id) == "Completed"


async def test_a_shared_clock_and_real_work() -> None:
    """In one process the client's sleep and the emulator's queue share one time, and simulating takes none of it."""
    async with Emulator(
        backends=["ibm_hanoi"],
        workers=1,
        in_process=True,
        clock="auto",
        queue_seconds={"ibm_hanoi": 3600},
        run_seconds=20,
    ) as emulator:
        job_id = await submit(emulator.url)
        while await seen(emulator.url, job_id) != "Completed":
            await emulator.clock.sleep(60)

        assert emulator.clock.monotonic() == 3660
