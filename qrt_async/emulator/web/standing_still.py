"""The middleware that keeps a virtual clock still while a request is in flight."""

from __future__ import annotations

from email.utils import format_datetime
from typing import TYPE_CHECKING

from aiohttp import web

from qrt_async.emulator.virtual_clock import VirtualClock
from qrt_async.emulator.web.exchange import CONTROL, WORLD

if TYPE_CHECKING:
    from qrt_async.emulator.web.exchange import Inner


@web.middleware
async def stand_still(request: web.Request, handler: Inner) -> web.StreamResponse:
    """Hold a virtual clock while a request is answered, and date the reply by it."""
    clock = request.app[WORLD].clock
    if not isinstance(clock, VirtualClock) or request.path.startswith(CONTROL):
        return await handler(request)
    if request.can_read_body:
        await request.read()  # one that never arrives must not stop time
    with clock.hold():
        response = await handler(request)
        response.headers["Date"] = format_datetime(clock.now(), usegmt=True)
        return response
