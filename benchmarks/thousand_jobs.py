"""
A thousand one-PUB jobs at once: this client against a hand-written aiohttp loop.

Both send the same requests to the same emulator, which runs in a process of its own: one login, then for each job its
submission, looks at it after the same delays until it is over, and its result. The loop is what one writes
without a client: one session, 64 jobs at once, ``json.loads``. The two take turns; the ratio is that of their medians.

    python benchmarks/thousand_jobs.py [--jobs N] [--rounds N]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import resource
import statistics
import time
from collections import Counter
from collections.abc import Awaitable, Callable

import aiohttp
import attrs

from qrt_async import Account, Client, Limits, PollPolicy
from qrt_async.emulator import Emulator

CRN = "crn:v1:bluemix:public:quantum-computing:us-east:a/bench:bench::"
BACKEND = "ibm_hanoi"
SHOTS = 100
PROGRAM = 'OPENQASM 3.0; include "stdgates.inc"; bit[2] c; x $0; c[0] = measure $0; c[1] = measure $1;'
POLL = PollPolicy(initial=0.05, factor=1.5, maximum=0.5)
AT_ONCE = 64


@attrs.frozen
class Run:
    """What one round of one contestant took, in seconds of the clock and of its own processor time."""

    wall: float
    cpu: float
    counts: Counter[str]


async def ours(url: str, jobs: int) -> Counter[str]:
    """Run the jobs through this client."""
    account = Account.ibm_quantum("bench-key", CRN, api_url=f"{url}/api/v1", iam_url=url)
    limits = Limits(concurrent_requests=AT_ONCE, submissions_per_minute=None)
    async with Client(account, limits=limits, poll=POLL) as client:

        async def one() -> dict[str, int]:
            job = await client.sampler([(PROGRAM, None, SHOTS)], backend=BACKEND)
            return (await job.result())[0].data.c.counts()

        return _added(await asyncio.gather(*(one() for _ in range(jobs))))


async def by_hand(url: str, jobs: int) -> Counter[str]:
    """Run the jobs through a loop as one writes it with aiohttp alone."""
    async with aiohttp.ClientSession() as session:
        form = {"grant_type": "urn:ibm:params:oauth:grant-type:apikey", "apikey": "bench-key"}
        async with session.post(f"{url}/identity/token", data=form) as reply:
            token = (await reply.json())["access_token"]
        headers = {"Authorization": f"Bearer {token}", "Service-CRN": CRN, "IBM-API-Version": "2026-04-15"}
        turns = asyncio.Semaphore(AT_ONCE)

        async def one() -> dict[str, int]:
            async with turns:
                return await _one_by_hand(session, f"{url}/api/v1/jobs", headers)

        return _added(await asyncio.gather(*(one() for _ in range(jobs))))


async def _one_by_hand(session: aiohttp.ClientSession, jobs_url: str, headers: dict[str, str]) -> dict[str, int]:
    params = {"pubs": [[PROGRAM, None, SHOTS]], "version": 2}
    body = {"program_id": "sampler", "backend": BACKEND, "params": params}
    async with session.post(jobs_url, json=body, headers=headers) as reply:
        job_url = f"{jobs_url}/{json.loads(await reply.read())['id']}"
    delay = POLL.initial
    while True:
        async with session.get(f"{job_url}?exclude_params=true", headers=headers) as reply:
            if json.loads(await reply.read())["status"] == "Completed":
                break
        await asyncio.sleep(delay)
        delay = min(delay * POLL.factor, POLL.maximum)
    async with session.get(f"{job_url}/results", headers=headers) as reply:
        register = json.loads(await reply.read())["results"][0]["data"]["c"]
    width = register["num_bits"]
    return Counter(format(int(sample, 16), f"0{width}b") for sample in register["samples"])


def _added(counts: list[dict[str, int]]) -> Counter[str]:
    total: Counter[str] = Counter()
    for one in counts:
        total.update(one)
    return total


async def timed(contestant: Callable[[str, int], Awaitable[Counter[str]]], url: str, jobs: int) -> Run:
    """Run one contestant once."""
    wall, cpu = time.perf_counter(), _cpu()
    counts = await contestant(url, jobs)
    return Run(time.perf_counter() - wall, _cpu() - cpu, counts)


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def main(jobs: int, rounds: int) -> None:
    """Let the contestants take turns, check that every shot arrived, and print the figures."""
    async with Emulator(seed=1, noiseless=True, backends=[BACKEND]) as emulator:
        await ours(emulator.url, 20)
        runs: dict[str, list[Run]] = {"qrt_async": [], "aiohttp by hand": []}
        for _ in range(rounds):
            runs["qrt_async"].append(await timed(ours, emulator.url, jobs))
            runs["aiohttp by hand"].append(await timed(by_hand, emulator.url, jobs))
    for name, found in runs.items():
        complete = all(run.counts == {"01": jobs * SHOTS} for run in found)
        print(f"{name:16} {_jobs_per_second(found, jobs):8.0f} jobs/s  {_cpu_per_job(found, jobs):6.2f} ms CPU a job"
              f"  counts {'add up' if complete else 'DO NOT ADD UP'}")  # fmt: skip
    speed = _jobs_per_second(runs["qrt_async"], jobs) / _jobs_per_second(runs["aiohttp by hand"], jobs)
    cost = _cpu_per_job(runs["qrt_async"], jobs) / _cpu_per_job(runs["aiohttp by hand"], jobs)
    print(f"ratio: {speed:.2f} x the jobs a second, {cost:.2f} x the CPU a job")
    print(f"{jobs} jobs, medians of {rounds} rounds, Python {platform.python_version()}, {platform.machine()}")


def _jobs_per_second(runs: list[Run], jobs: int) -> float:
    return jobs / statistics.median(run.wall for run in runs)


def _cpu_per_job(runs: list[Run], jobs: int) -> float:
    return 1000 * statistics.median(run.cpu for run in runs) / jobs


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    asyncio.run(main(chosen.jobs, chosen.rounds))
