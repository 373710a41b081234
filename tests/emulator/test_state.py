"""The state file: what an emulator knows after its restart."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import aiohttp
import pytest

from qrt_async.emulator import Emulator
from qrt_async.emulator.serving import listen, prepare
from qrt_async.emulator.settings import Settings
from qrt_async.emulator.store import StateFileError, Store
from tests.emulator.service import CRN, PROGRAM, RESULTS, Bench, HandClock, HeldPool, Service

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from qrt_async.emulator.devices import Device


@asynccontextmanager
async def restarted(file: Path, clock: HandClock) -> AsyncIterator[Bench]:
    """Run a server with that state file until the block ends."""
    pool = HeldPool()
    settings = Settings(seed=7, backends=("ibm_hanoi", "ibm_fez"), state=file)
    world = await prepare(settings, pool, clock)
    async with listen(world) as url, aiohttp.ClientSession(url) as http:
        yield Bench(url, world, pool, clock, http)


@pytest.fixture
def file(tmp_path: Path, snapshots: dict[str, Device]) -> Path:
    """Give the place of a state file."""
    assert snapshots  # devices are read before any loop runs
    return tmp_path / "state.sqlite"


async def test_jobs_and_results_survive(file: Path) -> None:
    """After a restart finished jobs are as they were: state, params, tags, charge, results, log."""
    clock = HandClock()
    paths = ["", "/results", "/metrics", "/logs"]
    async with restarted(file, clock) as bench:
        cloud_job = await bench.run(bench.cloud, tags=["a"])
        legacy_job = await bench.run(bench.legacy, cost=5, quantum_seconds=9)
        await bench.cloud.put(f"/jobs/{cloud_job}/tags", json={"tags": ["b"]})
        before = [await bench.cloud.get(f"/jobs/{cloud_job}{path}") for path in paths]
        before += [await bench.legacy.get(f"/jobs/{legacy_job}{path}") for path in paths]
        usage = (await bench.cloud.get("/instances/usage")).json["usage_consumed_seconds"]
    clock.advance(100)
    async with restarted(file, clock) as bench:
        after = [await bench.cloud.get(f"/jobs/{cloud_job}{path}") for path in paths]
        after += [await bench.legacy.get(f"/jobs/{legacy_job}{path}") for path in paths]
        assert (await bench.cloud.get("/instances/usage")).json["usage_consumed_seconds"] == usage == 2
        assert (await bench.cloud.get("/jobs")).json["count"] == 1

    assert after == before
    assert after[0].json["tags"] == ["b"]


async def test_unfinished_jobs_run_again(file: Path) -> None:
    """Jobs that waited or ran at the end are queued again in their order, and keep their seeds."""
    clock = HandClock()
    async with restarted(file, clock) as bench:
        jobs = [await bench.cloud.submit() for _ in range(3)]
        first = [await bench.pool.next() for _ in range(3)]
        first[0].begin()
        await bench.cloud.get(f"/jobs/{jobs[0]}")
    async with restarted(file, clock) as bench:
        again = [await bench.pool.next() for _ in range(3)]
        states = [await bench.cloud.status(job) for job in jobs]
        for held in again:
            held.finish()
        while await bench.cloud.status(jobs[2]) != "Completed":
            pass

    assert states == ["Queued"] * 3
    assert [held.work for held in again] == [held.work for held in first]


async def test_new_jobs_after_a_restart(file: Path) -> None:
    """With the same seed, a restarted emulator gives new jobs other ids and other seeds than the old ones."""
    clock = HandClock()
    ids: list[str] = []
    seeds: list[int] = []
    for _ in range(3):
        async with restarted(file, clock) as bench:
            ids.append(await bench.run(bench.cloud))
            seeds += [getattr(held.work, "seed", 0) for held in bench.pool.held]

    assert len(set(ids)) == len(set(seeds)) == 3


async def test_private_results_stay_read_once(file: Path) -> None:
    """A private job's results that were read are gone after a restart, and so are its inputs."""
    clock = HandClock()
    async with restarted(file, clock) as bench:
        read = await bench.run(bench.cloud, private=True)
        unread = await bench.run(bench.cloud, private=True)
        await bench.cloud.get(f"/jobs/{read}/results")
    async with restarted(file, clock) as bench:
        assert (await bench.cloud.get(f"/jobs/{read}/results")).status == 204
        assert (await bench.cloud.get(f"/jobs/{unread}/results")).body == RESULTS.body
    content = await asyncio.to_thread(file.read_bytes)

    assert b"OPENQASM" not in content


async def test_sessions_survive(file: Path) -> None:
    """A session goes on after a restart, with its times counted through it."""
    clock = HandClock()
    async with restarted(file, clock) as bench:
        session_id = (await bench.cloud.post("/sessions", json={"mode": "batch", "max_ttl": 1000})).json["id"]
        await bench.run(bench.cloud, session_id=session_id)
        before = (await bench.cloud.get(f"/sessions/{session_id}")).json
    clock.advance(60)
    async with restarted(file, clock) as bench:
        inactive = (await bench.cloud.get(f"/sessions/{session_id}")).json
        await bench.run(bench.cloud, session_id=session_id)
        clock.advance(940)
        closed = (await bench.cloud.get(f"/sessions/{session_id}")).json

    assert before["state"] == "active"
    assert inactive["state_reason"] == "session_inactivated_by_interactive_ttl"
    assert closed["state_reason"] == "session_closed_by_max_ttl"
    assert closed["elapsed_time"] == 1000


async def test_deletions_and_limits_survive(file: Path) -> None:
    """A deleted job stays deleted, an instance's limit stays set, and a removed one stays removed."""
    clock = HandClock()
    limit = "/instances/configuration"
    async with restarted(file, clock) as bench:
        job_id = await bench.run(bench.cloud)
        await bench.cloud.delete(f"/jobs/{job_id}")
        await bench.cloud.put(limit, json={"instance_limit": 50})
    async with restarted(file, clock) as bench:
        gone = await bench.cloud.get(f"/jobs/{job_id}")
        held = (await bench.cloud.get(limit)).json
        await bench.cloud.put(limit, json={"instance_limit": None})
    async with restarted(file, clock) as bench:
        removed = (await bench.cloud.get(limit)).json

    assert gone.status == 404
    assert (held, removed) == ({"instance_limit": 50}, {})


@pytest.mark.parametrize("content", [b"this is no database, and never was one; it is only some text" * 20, None])
def test_useless_state_file(tmp_path: Path, content: bytes | None) -> None:
    """A state file that is something else, or cannot be made, ends the program with status 1 and one line."""
    file = tmp_path / ("file" if content else "no/such/folder/file")
    if content:
        file.write_bytes(content)

    done = subprocess.run(
        [sys.executable, "-m", "qrt_async.emulator", "--state", file], capture_output=True, text=True, check=False
    )

    assert done.returncode == 1
    assert done.stderr.startswith("python -m qrt_async.emulator: cannot ")
    assert len(done.stderr.splitlines()) == 1


async def test_state_file_of_another_format(tmp_path: Path) -> None:
    """A state file that another version of the emulator wrote is refused, and left as it is."""

    def touch() -> None:
        with sqlite3.connect(tmp_path / "state") as connection:
            connection.execute("PRAGMA user_version = 99")
        connection.close()

    await asyncio.to_thread(touch)

    with pytest.raises(StateFileError, match="its format is 99"):
        await asyncio.to_thread(Store.open, tmp_path / "state")


async def test_a_process_and_its_successor(tmp_path: Path) -> None:
    """A real job's results are the same, to the byte, from the process after the one that ran it."""
    answers: list[bytes] = []
    job_id = ""
    for _ in range(2):
        async with (
            Emulator(seed=3, plan="open", region="eu-de", state=tmp_path / "state", workers=1) as emulator,
            aiohttp.ClientSession(emulator.url) as http,
        ):
            headers = {"Authorization": "apikey k", "Service-CRN": CRN.replace("us-east", "eu-de")}
            cloud = Service(http, "/api/v1", headers, {"program_id": "sampler", "backend": "ibm_fez"})
            job_id = job_id or await cloud.submit(params={"pubs": [[PROGRAM, None, 100]]})
            while await cloud.status(job_id) in ("Queued", "Running"):
                await asyncio.sleep(0.01)
            answers.append((await cloud.get(f"/jobs/{job_id}/results")).body)
            refused = await cloud.post("/sessions", json={"mode": "dedicated"})
            assert refused.code == 1352

    assert answers[0] == answers[1]
    assert b"samples" in answers[0]


async def test_state_file_in_use(file: Path) -> None:
    """A second emulator cannot use a state file that another one has open."""
    async with restarted(file, HandClock()):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "qrt_async.emulator", "--state", str(file), stderr=asyncio.subprocess.PIPE
        )
        _, error = await process.communicate()

    assert process.returncode == 1
    assert b"locked" in error
