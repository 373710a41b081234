"""
Two hundred concurrent web handlers behind one coalescer: the longest stall of their event loop.

Handlers of an aiohttp server, then of a FastAPI server, each await one PUB; a tenth of their HTTP clients hang up in
mid-wait. Servers, coalescer and a heartbeat share one loop; the emulator and the HTTP clients are other processes.

    python benchmarks/web_services.py [--handlers N]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import aiohttp
import attrs
import fastapi
import fastapi.encoders
import uvicorn
from aiohttp import web

from qrt_async import Account, Client, Coalescer, Limits, PollPolicy, SamplerData
from qrt_async.emulator import Emulator
from qrt_async.pubs import SamplerPubLike

CRN = "crn:v1:bluemix:public:quantum-computing:us-east:a/bench:bench::"
BITS = 10
BEAT = 0.001
LEAVE_AFTER = 0.7
QUEUE = 1.5


def program(number: int) -> str:
    """Return a program whose every shot is the number."""
    flips = "".join(f" x ${i};" for i in range(BITS) if number >> i & 1)
    reads = "".join(f" c[{i}] = measure ${i};" for i in range(BITS))
    return f'OPENQASM 3.0; include "stdgates.inc"; bit[{BITS}] c;{flips}{reads}'


@attrs.define
class Desk:
    """What the handlers share."""

    sampler: Coalescer[SamplerPubLike, SamplerData]
    cancelled: int = 0

    async def serve(self, number: int) -> dict[str, int]:
        """Run one program among many."""
        try:
            result = await self.sampler.run((program(number), None, 100))
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return dict(result.data.c.counts())


@attrs.define
class Heartbeat:
    """
    Beats every millisecond; `longest` is the longest delay of a beat, in seconds.

    `working` is the longest processor time that the loop's thread took between two beats: on a busy machine the rest of
    a delay is other processes'.
    """

    longest: float = 0.0
    working: float = 0.0

    async def beat(self) -> None:
        """Beat until cancelled."""
        while True:
            began, worked = time.perf_counter(), time.thread_time()
            await asyncio.sleep(BEAT)
            self.working = max(self.working, time.thread_time() - worked)
            self.longest = max(self.longest, time.perf_counter() - began - BEAT)


@asynccontextmanager
async def on_aiohttp(desk: Desk) -> AsyncIterator[str]:
    """Serve with aiohttp, which cancels a handler where it is told to."""

    async def handler(request: web.Request) -> web.Response:
        return web.json_response(await desk.serve(int(request.match_info["number"])))

    app = web.Application()
    app.router.add_get("/{number}", handler)
    runner = web.AppRunner(app, handler_cancellation=True, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def while_connected(request: fastapi.Request, work: Coroutine[Any, Any, Any]) -> Any:
    """Return what some work gives; cancel it where the client hangs up."""
    task = asyncio.create_task(work)

    async def listen() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        task.cancel()

    listener = asyncio.create_task(listen())
    try:
        return await task
    except asyncio.CancelledError:
        if not listener.done():
            raise
        return fastapi.Response(status_code=499)
    finally:
        task.cancel()
        listener.cancel()


@asynccontextmanager
async def on_fastapi(desk: Desk) -> AsyncIterator[str]:
    """Serve with FastAPI and uvicorn."""
    app = fastapi.FastAPI()

    @app.get("/{number}", response_model=None)
    async def handler(number: int, request: fastapi.Request) -> Any:
        return await while_connected(request, desk.serve(number))

    fastapi.encoders.jsonable_encoder({})  # imports much with its first answer
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, ws="none"))
    listening = socket.create_server(("127.0.0.1", 0))
    serving = asyncio.create_task(server.serve([listening]))
    while not server.started:  # noqa: ASYNC110 - uvicorn tells it in no other way
        await asyncio.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving


async def ask(url: str, handlers: int) -> None:
    """Be the HTTP clients: print how many got their own slice, and how many hung up."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def one(number: int) -> bool:
            async with session.get(f"{url}/{number}") as reply:
                return bool(await reply.json() == {f"{number:0{BITS}b}": 100})

        tasks = [asyncio.create_task(one(number)) for number in range(handlers)]
        await asyncio.sleep(LEAVE_AFTER)
        for task in tasks[::10]:
            task.cancel()
        found = await asyncio.gather(*tasks, return_exceptions=True)
    print(json.dumps({"right": found.count(True), "left": len(tasks[::10])}))


async def measured(
    name: str, serving: Callable[[Desk], AbstractAsyncContextManager[str]], client: Client, handlers: int
) -> None:
    """Run all handlers of one server, and print the longest stall."""
    async with client.coalescing_sampler("ibm_hanoi", window=0.05) as sampler:
        desk, heart = Desk(sampler), Heartbeat()
        async with serving(desk) as url:
            arguments = [__file__, "--ask", url, "--handlers", str(handlers)]
            clients = await asyncio.create_subprocess_exec(sys.executable, *arguments, stdout=asyncio.subprocess.PIPE)
            beating = asyncio.create_task(heart.beat())
            said, _ = await clients.communicate()
            beating.cancel()
    found = json.loads(said)
    print(
        f"{name:8} {handlers} handlers: {found['right']} right, {found['left']} hung up, "
        f"{desk.cancelled} handlers cancelled; longest stall of the loop {1000 * heart.longest:.1f} ms, "
        f"longest work between two beats {1000 * heart.working:.1f} ms"
    )


async def main(handlers: int) -> None:
    """Measure both servers against one emulator."""
    async with Emulator(seed=1, noiseless=True, backends=["ibm_hanoi"], queue_seconds=QUEUE) as emulator:
        account = Account.ibm_quantum("bench-key", CRN, api_url=f"{emulator.url}/api/v1", iam_url=emulator.url)
        limits = Limits(submissions_per_minute=None)
        async with Client(account, limits=limits, poll=PollPolicy(initial=0.1, maximum=0.5)) as client:
            await measured("aiohttp", on_aiohttp, client, handlers)
            await measured("FastAPI", on_fastapi, client, handlers)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--handlers", type=int, default=200)
    parser.add_argument("--ask", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    asyncio.run(ask(chosen.ask, chosen.handlers) if chosen.ask else main(chosen.handlers))
