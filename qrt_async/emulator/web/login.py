"""Login on both platforms: LEGACY `/api/users/…`, IAM's `/identity/token`."""

from __future__ import annotations

import math
from typing import Any
from urllib.parse import parse_qs

from aiohttp import web

from qrt_async.emulator import replies
from qrt_async.emulator.refusals import Refusal
from qrt_async.emulator.shapes import Mismatch, is_object, parse
from qrt_async.emulator.web.exchange import WORLD, reply, secret_of

_GRANT = "urn:ibm:params:oauth:grant-type:apikey"


def routes() -> list[web.RouteDef]:
    """Give the login routes."""
    return [
        web.post("/api/users/loginWithToken", log_in),
        web.post("/api/users/logout", log_out),
        web.post("/identity/token", issue_bearer),
    ]


async def log_in(request: web.Request) -> web.Response:
    """Exchange an API token for an access token."""
    body = _object(await request.read())
    key = body.get("apiToken")
    credentials = request.app[WORLD].credentials
    token = credentials.log_in(key if isinstance(key, str) else "")
    return reply(replies.access_token(token, math.ceil(credentials.access_token_seconds)))


async def log_out(request: web.Request) -> web.Response:
    """End the access token of the request."""
    request.app[WORLD].credentials.log_out(secret_of(request))
    return web.Response(text="")


async def issue_bearer(request: web.Request) -> web.Response:
    """Exchange an API key, sent as a form, for a bearer token."""
    form = parse_qs((await request.read()).decode(errors="replace"), keep_blank_values=True)
    key = form.get("apikey", [""])[0]
    if form.get("grant_type") != [_GRANT]:
        raise Refusal(400, "BXNIM0109E", f"Property missing or unknown: grant_type. It must be {_GRANT}.")
    if not key:
        raise Refusal(400, "BXNIM0109E", "Property missing or empty: apikey.")
    return reply(replies.bearer(request.app[WORLD].credentials.issue(key)))


def _object(raw: bytes) -> dict[str, Any]:
    try:
        body = parse(raw)
    except Mismatch as mismatch:
        raise Refusal(400, None, f"The request body is not valid: {mismatch}.") from None
    return body if is_object(body) else {}
