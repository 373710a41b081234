"""The middleware that writes requests down."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from qrt_async.emulator.bill import RecordedRequest
from qrt_async.emulator.web.exchange import CONTROL, WORLD, Silence

if TYPE_CHECKING:
    from qrt_async.emulator.web.exchange import Inner


@web.middleware
async def write_down(request: web.Request, handler: Inner) -> web.StreamResponse:
    """Keep each request with the status of its reply, if requests are kept at all."""
    books = request.app[WORLD].books
    if not books.records or request.path.startswith(CONTROL):
        return await handler(request)
    body = await request.read() if request.body_exists else b""
    response = await handler(request)
    books.record(
        RecordedRequest(
            request.method,
            request.rel_url.raw_path,
            request.rel_url.raw_query_string,
            tuple(request.headers.items()),
            body,
            None if isinstance(response, Silence) else response.status,
        )
    )
    return response
