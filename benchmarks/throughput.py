"""
A thousand one-PUB requests: through the coalescer, as one job each, through a loop written by hand.

The server answers at once and runs in a process of its own; a job is over at its third look. There is no quota. The
loop is what one writes without a client: one aiohttp session, 64 jobs at once, three looks without a pause in between,
``json.loads``. Contestants take turns; the figures are medians over the rounds.

With ``--official`` IBM's own client, in 16 threads, and the coalescer each send one-PUB requests to the same emulator,
which really runs them (qiskit-ibm-runtime has to be installed).

    python benchmarks/throughput.py [--pubs N] [--rounds N] [--official]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import statistics
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import aiohttp
import attrs
from instant_server import LOOKS, instant_server

from qrt_async import Account, Client, Limits, PollPolicy
from qrt_async.emulator import Emulator

CRN = "crn:v1:bluemix:public:quantum-computing:us-east:a/bench:bench::"
PROGRAM = 'OPENQASM 3.0; include "stdgates.inc"; bit[2] c; x $0; c[0] = measure $0; c[1] = measure $1;'
POLL = PollPolicy(initial=0.01, factor=1.5, maximum=0.05)
AT_ONCE = 64
THREADS = 16
OFFICIAL_JOBS = 64
UNPACED = Limits(concurrent_requests=AT_ONCE, submissions_per_minute=None)

Contestant = Callable[[str, int], Awaitable[None]]


@attrs.frozen
class Run:
    """What one round of one contestant took, in seconds of the clock and of its own processor time."""

    wall: float
    cpu: float


def _account(url: str) -> Account:
    return Account.ibm_quantum("bench-key", CRN, api_url=f"{url}/api/v1", iam_url=url)


def _checked(counts: dict[str, int]) -> None:
    assert set(counts) == {"01"}, counts


async def coalesced(url: str, pubs: int) -> None:
    """Run one PUB for each of many callers, through the coalescer."""
    async with (
        Client(_account(url), limits=UNPACED, poll=POLL) as client,
        client.coalescing_sampler("ibm_hanoi", max_waiting=pubs) as sampler,
    ):

        async def one() -> None:
            _checked((await sampler.run((PROGRAM, None, 100))).data.c.counts())

        await asyncio.gather(*(one() for _ in range(pubs)))


async def one_job_each(url: str, pubs: int) -> None:
    """Run one job for each PUB, through this client: every layer on, waiting by the watcher."""
    turns = asyncio.Semaphore(AT_ONCE)
    async with Client(_account(url), limits=UNPACED, poll=POLL) as client:

        async def one() -> None:
            async with turns:
                job = await client.sampler([(PROGRAM, None, 100)], backend="ibm_hanoi")
                _checked((await job.result())[0].data.c.counts())

        await asyncio.gather(*(one() for _ in range(pubs)))


async def three_looks_each(url: str, pubs: int) -> None:
    """Run one job for each PUB, through this client, looking at each job by itself as the loop does."""
    turns = asyncio.Semaphore(AT_ONCE)
    async with Client(_account(url), limits=UNPACED, poll=POLL) as client:

        async def one() -> None:
            async with turns:
                job = await client.sampler([(PROGRAM, None, 100)], backend="ibm_hanoi")
                for _ in range(LOOKS - 1):
                    await job.status()
                _checked((await job.result())[0].data.c.counts())

        await asyncio.gather(*(one() for _ in range(pubs)))


async def by_hand(url: str, pubs: int) -> None:
    """Run one job for each PUB through a loop as one writes it with aiohttp alone."""
    async with aiohttp.ClientSession() as session:
        form = {"grant_type": "urn:ibm:params:oauth:grant-type:apikey", "apikey": "bench-key"}
        async with session.post(f"{url}/identity/token", data=form) as reply:
            token = (await reply.json())["access_token"]
        headers = {"Authorization": f"Bearer {token}", "Service-CRN": CRN, "IBM-API-Version": "2026-04-15"}
        turns = asyncio.Semaphore(AT_ONCE)

        async def one() -> None:
            async with turns:
                _checked(await _one_by_hand(session, f"{url}/api/v1/jobs", headers))

        await asyncio.gather(*(one() for _ in range(pubs)))


async def _one_by_hand(session: aiohttp.ClientSession, jobs_url: str, headers: dict[str, str]) -> dict[str, int]:
    params = {"pubs": [[PROGRAM, None, 100]], "version": 2}
    body = {"program_id": "sampler", "backend": "ibm_hanoi", "params": params}
    async with session.post(jobs_url, json=body, headers=headers) as reply:
        job_url = f"{jobs_url}/{json.loads(await reply.read())['id']}"
    status = ""
    while status != "Completed":
        async with session.get(f"{job_url}?exclude_params=true", headers=headers) as reply:
            status = json.loads(await reply.read())["status"]
    async with session.get(f"{job_url}/results", headers=headers) as reply:
        register = json.loads(await reply.read())["results"][0]["data"]["c"]
    counts: dict[str, int] = {}
    for sample in register["samples"]:
        bits = format(int(sample, 16), f"0{register['num_bits']}b")
        counts[bits] = counts.get(bits, 0) + 1
    return counts


async def timed(contestant: Contestant, url: str, pubs: int) -> Run:
    """Run one contestant once."""
    wall, cpu = time.perf_counter(), time.process_time()
    await contestant(url, pubs)
    return Run(time.perf_counter() - wall, time.process_time() - cpu)


CONTESTANTS: dict[str, Contestant] = {
    "aiohttp by hand": by_hand,
    "coalescer": coalesced,
    "one job each": one_job_each,
    "one job each, three looks": three_looks_each,
}


async def against_the_loop(pubs: int, rounds: int) -> None:
    """Let the contestants take turns, each at a server of its own, and print the figures."""
    runs: dict[str, list[Run]] = {name: [] for name in CONTESTANTS}
    for contestant in CONTESTANTS.values():
        async with instant_server() as url:
            await contestant(url, 100)
    for _ in range(rounds):
        for name, contestant in CONTESTANTS.items():
            async with instant_server() as url:
                runs[name].append(await timed(contestant, url, pubs))
    speeds = {name: pubs / statistics.median(run.wall for run in found) for name, found in runs.items()}
    costs = {name: 1000 * statistics.median(run.cpu for run in found) / pubs for name, found in runs.items()}
    for name in CONTESTANTS:
        print(
            f"{name:26} {speeds[name]:8.0f} PUBs/s  {costs[name]:6.3f} ms CPU a PUB"
            f"   {speeds[name] / speeds['aiohttp by hand']:6.2f} x the speed,"
            f" {costs[name] / costs['aiohttp by hand']:5.2f} x the CPU of the loop"
        )
    print(f"{pubs} PUBs, medians of {rounds} rounds, Python {platform.python_version()}, {platform.machine()}")


def official(url: str, jobs: int) -> None:
    """Run one-PUB jobs with IBM's own client in 16 threads."""
    from qiskit import QuantumCircuit, generate_preset_pass_manager
    from qiskit_ibm_runtime import QiskitRuntimeService, SamplerV2

    for name in ("IAM_URL", "GLOBAL_SEARCH_URL", "GLOBAL_CATALOG_URL"):
        os.environ[name] = url
    service = QiskitRuntimeService(
        channel="ibm_quantum_platform",
        token="any-key",  # noqa: S106 - the emulator takes any
        url=url,
        url_resolver=lambda *_: f"{url}/api/v1",
        instance="auto",
    )
    backend = service.backend("ibm_hanoi")
    circuit = QuantumCircuit(2, 2)
    circuit.x(0)
    circuit.measure([0, 1], [0, 1])
    isa = generate_preset_pass_manager(1, backend=backend).run(circuit)

    def one(_: int) -> None:
        result: Any = SamplerV2(mode=backend).run([(isa, None, 100)]).result()
        _checked(result[0].data.c.get_counts())

    began = time.perf_counter()
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(one, range(jobs)))
    print(f"{'official, 16 threads':26} {jobs / (time.perf_counter() - began):8.1f} PUBs/s  ({jobs} jobs)")


async def against_the_official(pubs: int) -> None:
    """Let IBM's own client and the coalescer send to the same emulator, which runs what it is sent."""
    async with Emulator(seed=1, noiseless=True, backends=["ibm_hanoi"]) as emulator:
        await coalesced(emulator.url, 100)
        ours = await timed(coalesced, emulator.url, pubs)
        print(f"{'coalescer, same emulator':26} {pubs / ours.wall:8.1f} PUBs/s  ({pubs} PUBs)")
        await asyncio.to_thread(official, emulator.url, OFFICIAL_JOBS)


async def main(pubs: int, rounds: int, *, with_official: bool) -> None:
    """Print all figures."""
    await against_the_loop(pubs, rounds)
    if with_official:
        await against_the_official(pubs)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pubs", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--official", action="store_true")
    chosen = parser.parse_args()
    asyncio.run(main(chosen.pubs, chosen.rounds, with_official=chosen.official))
