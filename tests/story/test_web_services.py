"""Two hundred web handlers share jobs, on aiohttp and on FastAPI; some of their clients hang up."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import attrs
import fastapi
import pytest
import uvicorn
from aiohttp import web

from qrt_async import Client, Coalescer, PollPolicy
from qrt_async.emulator import Emulator
from tests.story.conftest import UNPACED, today

HANDLERS = 200
BITS = 8
SHOTS = 20
QUEUE = 60.0

Sampler = Coalescer[Any, Any]


def program(number: int) -> str:
    """Return a program whose every shot is the number."""
    flips = "".join(f" x ${i};" for i in range(BITS) if number >> i & 1)
    reads = "".join(f" c[{i}] = measure ${i};" for i in range(BITS))
    return f'OPENQASM 3.0; include "stdgates.inc"; bit[{BITS}] c;{flips}{reads}'


@attrs.define
class Desk:
    """What the handlers of a server did: who came, who was cancelled."""

    sampler: Sampler
    came: int = 0
    cancelled: list[int] = attrs.field(factory=list[int])

    async def serve(self, number: int) -> dict[str, int]:
        """Run one program among many."""
        self.came += 1
        try:
            result = await self.sampler.run((program(number), None, SHOTS))
        except asyncio.CancelledError:
            self.cancelled.append(number)
            raise
        return dict(result.data.c.counts())


@asynccontextmanager
async def on_aiohttp(desk: Desk) -> AsyncIterator[str]:
    """Serve with aiohttp, which cancels a handler where it is told to."""

    async def handler(request: web.Request) -> web.Response:
        return web.json_response(await desk.serve(int(request.match_info["number"])))

    app = web.Application()
    app.router.add_get("/{number}", handler)
    runner = web.AppRunner(app, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
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
    """Serve with FastAPI and uvicorn, whose handlers listen for the client's end themselves."""
    app = fastapi.FastAPI()

    @app.get("/{number}", response_model=None)
    async def handler(number: int, request: fastapi.Request) -> Any:
        return await while_connected(request, desk.serve(number))

    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, ws="none", http="h11"))
    listening = socket.create_server(("127.0.0.1", 0))
    serving = asyncio.create_task(server.serve([listening]))
    while not server.started:
        await asyncio.sleep(0)
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving


async def get(session: aiohttp.ClientSession, url: str) -> Any:
    """Return what a handler answers."""
    async with session.get(url) as reply:
        return await reply.json()


async def until(condition: Callable[[], bool]) -> None:
    """Let the event loop go on until a condition holds."""
    while not condition():
        await asyncio.sleep(0.001)


@pytest.mark.parametrize("serving", [on_aiohttp, on_fastapi])
async def test_everyone_who_stays_gets_their_own_slice(serving: Any) -> None:
    """Of two hundred handlers those whose clients hang up are cancelled, and all others answer with their own bits."""
    leaving = range(0, HANDLERS, 10)
    poll = PollPolicy(initial=0.05, maximum=0.2)
    async with (
        Emulator(noiseless=True, seed=5, backends=["ibm_hanoi"], clock="virtual", queue_seconds=QUEUE) as emulator,
        Client(today(emulator.url), limits=UNPACED, poll=poll) as client,
        client.coalescing_sampler("ibm_hanoi") as sampler,
    ):
        desk = Desk(sampler)
        connector = aiohttp.TCPConnector(limit=0)
        async with serving(desk) as url, aiohttp.ClientSession(connector=connector) as session:
            callers = [asyncio.create_task(get(session, f"{url}/{number}")) for number in range(HANDLERS)]
            await until(lambda: desk.came == HANDLERS and sampler.waiting == 0)
            for number in leaving:
                callers[number].cancel()
            await until(lambda: len(desk.cancelled) == len(leaving))
            await emulator.advance(QUEUE + 1)
            answers = await asyncio.gather(*callers, return_exceptions=True)
        jobs = [job async for job in client.jobs.list()]

    assert sorted(desk.cancelled) == list(leaving)
    for number, answer in enumerate(answers):
        if number not in leaving:
            assert answer == {f"{number:0{BITS}b}": SHOTS}
        else:
            assert isinstance(answer, asyncio.CancelledError)
    assert len(jobs) <= HANDLERS / 10
    assert sampler.waiting == 0
