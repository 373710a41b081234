"""
Large results and submissions: speed, memory, and how long the event loop stands still.

A service in a process of its own answers at once with sampler results of 100 MB (registers of 5 bits and of 127, every
shot random), over plain HTTP, TLS, and compressed with gzip. Three read them in turns, each in a fresh process:
this client into packed registers; a loop as one writes it with aiohttp, ``json.loads`` and
``Counter(int(x, 16) …)``; and one that throws away what it reads, whose time is taken from both. Then ten million
distinct shots of 127 bits are counted, and a submission of 20 MB is sent. Stalls are the lateness of a task in the same
loop that wants to run every millisecond.

    python benchmarks/results.py [--megabytes N] [--rounds N]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import functools
import json
import platform
import resource
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import attrs
import numpy as np

from qrt_async import Account, BitArray, Client, Limits, Network

CRN = "crn:v1:bluemix:public:quantum-computing:us-east:a/bench:bench::"
PROGRAM = 'OPENQASM 3.0; include "stdgates.inc"; bit[2] c; x $0; c[0] = measure $0; c[1] = measure $1;'
WAYS = ["plain HTTP", "TLS", "gzip"]


@attrs.frozen
class Run:
    """Seconds of the clock and of the processor, the longest stall (ms), and megabytes beyond what the process had."""

    seconds: float
    cpu: float
    stall: float
    megabytes: float


@attrs.define
class Ticker:
    """The longest that a task had to wait beyond the millisecond that it wanted to, in seconds."""

    worst: float = 0.0

    async def tick(self) -> None:
        """Wait over and over."""
        last = time.perf_counter()
        while True:
            await asyncio.sleep(0.001)
            now = time.perf_counter()
            self.worst, last = max(self.worst, now - last - 0.001), now


@contextlib.asynccontextmanager
async def ticking() -> AsyncIterator[Ticker]:
    """Watch the loop inside a block."""
    ticker = Ticker()
    task = asyncio.create_task(ticker.tick())
    await asyncio.sleep(0.01)
    try:
        yield ticker
        await asyncio.sleep(0.002)
    finally:
        task.cancel()


async def ours(url: str, certificate: str, job: str) -> Any:
    """Read a result through this client, into registers."""
    async with client_of(url, certificate) as client:
        return (await client.job(job).result())[0].data.c


async def counted(url: str, certificate: str, job: str) -> Any:
    """Read a result through this client, and count its shots."""
    return await (await ours(url, certificate, job)).int_counts_async()


def client_of(url: str, certificate: str) -> Client:
    """Return a client of the service."""
    account = Account.ibm_quantum("bench-key", CRN, api_url=f"{url}/api/v1", iam_url=url)
    return Client(account, limits=Limits(submissions_per_minute=None), network=Network(ca_bundle=certificate))


async def by_hand(url: str, certificate: str, job: str) -> Any:
    """Read a result as one does without a client."""
    async with _reply(url, certificate, job) as reply:
        register = json.loads(await reply.read())["results"][0]["data"]["c"]
    return Counter(int(sample, 16) for sample in register["samples"])


async def drained(url: str, certificate: str, job: str) -> Any:
    """Read a result and throw it away."""
    async with _reply(url, certificate, job) as reply:
        async for _ in reply.content.iter_any():
            pass


@contextlib.asynccontextmanager
async def _reply(url: str, certificate: str, job: str) -> AsyncIterator[aiohttp.ClientResponse]:
    context = ssl.create_default_context(cafile=certificate)
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session,
        session.get(f"{url}/api/v1/jobs/{job}/results") as reply,
    ):
        yield reply


async def counting(*_: str) -> Any:
    """Count ten million distinct shots of 127 bits."""
    return await _shots().counts_async()


@functools.cache
def _shots() -> BitArray:
    array = np.random.default_rng(1).integers(0, 256, (10_000_000, 16), dtype=np.uint8)
    array[:, 0] &= 127
    return BitArray(array, 127)


async def submitting(url: str, certificate: str, _: str) -> Any:
    """Submit a hundred PUBs of 200 kB: programs of 100 kB, and as much of parameter values."""
    program = PROGRAM + "\nx $0;" * 16_700
    values = [[k / 7 + i for k in range(10)] for i in range(530)]
    async with client_of(url, certificate) as client:
        await client.sampler([(program, values, 10)] * 100, backend="b")


async def idle(*_: str) -> Any:
    """Do nothing for a second: what the machine itself adds."""
    await asyncio.sleep(1)


CONTESTANTS: dict[str, Callable[[str, str, str], Awaitable[Any]]] = {
    "qrt_async": ours,
    "qrt_async, counted": counted,
    "json and Counter": by_hand,
    "drain": drained,
    "counting": counting,
    "submitting": submitting,
    "idle": idle,
}


async def run(name: str, url: str, certificate: str, job: str) -> Run:
    """Run one contestant in this process."""
    await asyncio.to_thread(lambda: None)
    if CONTESTANTS[name] is counting:
        _shots()
    before, cpu = _peak(), time.process_time()
    async with ticking() as ticker:
        start = time.perf_counter()
        kept = await CONTESTANTS[name](url, certificate, job)
        seconds = time.perf_counter() - start
        cpu = time.process_time() - cpu
    del kept
    return Run(seconds, cpu, ticker.worst * 1000, _peak() - before)


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def in_process(name: str, url: str, certificate: Path, job: str) -> Run:
    """Run one contestant in a process of its own."""
    command = [sys.executable, __file__, "--run", name, url, str(certificate), job]
    return Run(**json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))


@contextlib.contextmanager
def service(megabytes: int, certificate: Path, key: Path) -> Iterator[tuple[str, str]]:
    """Run the service, and yield its two URLs."""
    command = [sys.executable, str(Path(__file__).with_name("results_service.py"))]
    command += [str(megabytes), str(certificate), str(key)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        plain, secure = process.stdout.readline().split()
        yield f"http://127.0.0.1:{plain}", f"https://127.0.0.1:{secure}"
        assert process.stdin is not None
        process.stdin.close()


def make_certificate(place: Path) -> tuple[Path, Path]:
    """Make a certificate for this machine, which nobody else trusts."""
    certificate, key = place / "cert.pem", place / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    return certificate, key


def median(runs: list[Run]) -> Run:
    """Return the medians of several runs; of memory the most."""
    return Run(
        statistics.median(one.seconds for one in runs),
        statistics.median(one.cpu for one in runs),
        statistics.median(one.stall for one in runs),
        max(one.megabytes for one in runs),
    )


def main(megabytes: int, rounds: int) -> None:
    """Let the contestants take turns and print the figures."""
    with tempfile.TemporaryDirectory() as place:
        certificate, key = make_certificate(Path(place))
        with service(megabytes, certificate, key) as (plain, secure):
            urls = {"plain HTTP": plain, "TLS": secure, "gzip": plain}
            for num_bits in (5, 127):
                for way in WAYS:
                    job = f"{num_bits}-gzip" if way == "gzip" else f"{num_bits}"
                    names = ["drain", "qrt_async", "qrt_async, counted", "json and Counter"]
                    runs: dict[str, list[Run]] = {name: [] for name in names}
                    for _ in range(rounds):
                        for name in names:
                            runs[name].append(in_process(name, urls[way], certificate, job))
                    show(f"{megabytes} MB, {num_bits} bits, {way}", {name: median(runs[name]) for name in names})
            for name in ("idle", "counting", "submitting"):
                found = median([in_process(name, plain, certificate, "5") for _ in range(rounds)])
                print(f"{name:20} {found.seconds:6.2f} s  longest stall {found.stall:6.1f} ms")
    print(
        f"medians of {rounds} rounds, Python {platform.python_version()}, NumPy {np.__version__}, {platform.machine()}"
    )


def show(title: str, runs: dict[str, Run]) -> None:
    """Print what one body took, and the ratios."""
    print(title)
    for name, one in runs.items():
        times = f"{one.seconds:6.2f} s ({one.cpu:5.2f} s of CPU)"
        print(f"  {name:20} {times}  stall {one.stall:7.1f} ms  memory {one.megabytes:6.0f} MB")
    drain, theirs = runs["drain"], runs["json and Counter"]
    for name in ("qrt_async", "qrt_async, counted"):
        own = runs[name]
        speed = (theirs.seconds - drain.seconds) / (own.seconds - drain.seconds)
        cpu = (theirs.cpu - drain.cpu) / (own.cpu - drain.cpu)
        print(
            f"  {name}: {speed:.1f} x the speed without the draining ({cpu:.1f} x by CPU), "
            f"{theirs.seconds / own.seconds:.1f} x as it is, {own.megabytes / theirs.megabytes:.2f} of the memory"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--run", nargs=4, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.run:
        print(json.dumps(attrs.asdict(asyncio.run(run(*chosen.run)))))
    else:
        main(chosen.megabytes, chosen.rounds)
