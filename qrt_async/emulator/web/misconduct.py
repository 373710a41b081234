"""The middleware that plays faults."""

from __future__ import annotations

import json
import socket
import struct
from datetime import timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

from aiohttp import web

from qrt_async.emulator import lies
from qrt_async.emulator.faults import Answer, Cut, Edited, Garbled, HangUp, Truth, Work, WrongLength
from qrt_async.emulator.refusals import Refusal
from qrt_async.emulator.web.exchange import CONTROL, STRIKE, WORLD, Silence, reply
from qrt_async.emulator.web.refusing import refuse

if TYPE_CHECKING:
    import random

    from qrt_async.emulator.clock import Clock
    from qrt_async.emulator.faults import Injected, Reply
    from qrt_async.emulator.web.exchange import Inner


@web.middleware
async def misbehave(request: web.Request, handler: Inner) -> web.StreamResponse:
    """Do what the first fault that strikes the request says; without one, nothing."""
    strike = None
    if not request.path.startswith(CONTROL):
        strike = request.app[WORLD].faults.strike(request.method, request.path)
    if strike is None:
        return await handler(request)
    if strike.fault.ignore and not request.can_read_body:
        request = request.clone(rel_url=request.rel_url.without_query_params(*strike.fault.ignore))
    known = STRIKE.set(strike)
    try:
        return await _play(strike, request, handler)
    finally:
        STRIKE.reset(known)


async def _play(strike: Injected, request: web.Request, handler: Inner) -> web.StreamResponse:
    world, fault = request.app[WORLD], strike.fault
    await request.read()  # it has arrived, whatever becomes of it
    true: web.StreamResponse | None = None
    if fault.when is Work.DONE:
        true = await handler(request)
    elif fault.when is Work.LATE:
        world.errands.begin(_work_late(request, handler, fault.late), f"do the late work of {request.path}")
    if fault.delay:
        await world.clock.sleep(fault.delay)
    if isinstance(fault.reply, Answer):
        return _answer(fault.reply, request)
    if isinstance(fault.reply, HangUp):
        return _hang_up(request, reset=fault.reply.reset)
    assert isinstance(true, web.Response)  # noqa: S101 - all endpoints give one, and `Fault` has seen to it
    return _bend(fault.reply, true, request, strike.random)


async def _work_late(request: web.Request, handler: Inner, seconds: float) -> None:
    await request.app[WORLD].clock.sleep(seconds)
    await handler(request)


def _answer(answer: Answer, request: web.Request) -> web.Response:
    if answer.body is None:
        response = refuse(request, Refusal(answer.status, answer.code, answer.message))
    elif isinstance(answer.body, str):
        response = web.Response(status=answer.status, text=answer.body, content_type=answer.content_type or "text/html")
    else:
        response = reply(answer.body, answer.status)
    if answer.retry_after is not None:
        _ask_for_patience(response, answer, request.app[WORLD].clock)
    return response


def _ask_for_patience(response: web.Response, answer: Answer, clock: Clock) -> None:
    wait = answer.retry_after
    if isinstance(wait, int | float) and answer.retry_after_as_date:
        now = clock.now()
        response.headers["Date"] = format_datetime(now, usegmt=True)
        response.headers["Retry-After"] = format_datetime(now + timedelta(seconds=wait), usegmt=True)
    else:
        response.headers["Retry-After"] = f"{wait:g}" if isinstance(wait, float) else str(wait)


def _bend(how: Reply, true: web.Response, request: web.Request, source: random.Random) -> web.Response:
    """Give the true reply with something wrong about it."""
    body = true.body if isinstance(true.body, bytes) else b""
    match how:
        case Cut(size):
            return _say_and_leave(request, true, body[:size], len(body))
        case WrongLength(by):
            return _say_and_leave(request, true, body, max(0, len(body) + by))
        case Edited() | Garbled() if true.content_type == "application/json" and body:
            document = json.loads(body)
            document = lies.edit(document, how) if isinstance(how, Edited) else lies.garble(document, how.how, source)
            return reply(document, true.status)
        case _:
            assert isinstance(how, Truth | Edited | Garbled)  # noqa: S101 - the others are done with
            return true


def _hang_up(request: web.Request, *, reset: bool) -> web.Response:
    if request.transport is not None:
        if reset:
            connection: Any = request.transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        request.transport.abort()
    return Silence()


def _say_and_leave(request: web.Request, response: web.Response, body: bytes, length: int) -> web.Response:
    """Write a reply with a Content-Length that need not be that of its body, and close the connection."""
    headers = {"Content-Type": response.headers.get("Content-Type", ""), "Content-Length": str(length)}
    lines = [f"HTTP/1.1 {response.status} {response.reason}", *(f"{name}: {value}" for name, value in headers.items())]
    if request.transport is not None:
        request.transport.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        request.transport.close()
    return web.Response(status=response.status)  # to nobody
