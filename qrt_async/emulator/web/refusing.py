"""Each host's way of saying no."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from qrt_async.emulator import replies
from qrt_async.emulator.records import Platform
from qrt_async.emulator.refusals import Refusal
from qrt_async.emulator.web.exchange import PREFIXES, WORLD, platform_of, reply

if TYPE_CHECKING:
    from qrt_async.emulator.web.exchange import Inner

MAX_BODY = 64 * 1024 * 1024  # bytes: the larger of the two published limits of a job's input
_FULL_ERRORS = tuple(PREFIXES[Platform.IBM_QUANTUM] + path for path in ("/workloads", "/analytics", "/instances/usage"))


@web.middleware
async def say_no(request: web.Request, handler: Inner) -> web.StreamResponse:
    """Turn refusals, unknown paths and too large bodies into the shape of the host they were sent to."""
    try:
        return await handler(request)
    except Refusal as refusal:
        return refuse(request, refusal)
    except web.HTTPException as plain:
        return refuse(request, _as_refusal(request, plain))


def _as_refusal(request: web.Request, plain: web.HTTPException) -> Refusal:
    if plain.status == 404:
        return Refusal(404, None, f"Not Found: {request.path}")
    if plain.status == 413:
        return Refusal(413, 1001, f"The request body is larger than {MAX_BODY} bytes.", "Split the job.")
    return Refusal(plain.status, None, plain.reason)


def refuse(request: web.Request, refusal: Refusal) -> web.Response:
    """Say no in the shape of the host that the request was sent to."""
    world, path = request.app[WORLD], request.path
    if path == "/transpile" or path.startswith("/transpile/"):
        return reply({"detail": refusal.message}, refusal.status)
    trace = world.identifiers.trace()
    if path.startswith(_FULL_ERRORS):
        return reply(replies.full_error(refusal, trace), refusal.status)
    if path.startswith("/api/") and not path.startswith(PREFIXES[Platform.IBM_QUANTUM] + "/"):
        return reply(replies.loopback_error(refusal), refusal.status)
    if path.startswith("/identity/"):
        return reply(replies.iam_error(refusal, trace), refusal.status)
    return reply(replies.error(refusal, platform_of(request), trace), refusal.status)
