"""What every route shares: the world behind it, JSON out, and the reading of queries and credentials."""

from __future__ import annotations

import json
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from aiohttp import web

from qrt_async.emulator.plans import Crn
from qrt_async.emulator.records import Platform, Tenant
from qrt_async.emulator.refusals import Refusal, bad_query, invalid_credentials, unknown_instance
from qrt_async.emulator.replies import OLDEST_VERSION, VERSIONS, Dialect
from qrt_async.emulator.world import World

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from qrt_async.emulator.faults import Injected

    Inner = Callable[[web.Request], Awaitable[web.StreamResponse]]
    Endpoint = Callable[[web.Request], Awaitable[web.Response]]

WORLD = web.AppKey("world", World)
CONTROL = "/_emulator/"  # where the test speaks, not a client
PREFIXES = {Platform.LEGACY: "/runtime", Platform.IBM_QUANTUM: "/api/v1"}
STRIKE: ContextVar[Injected | None] = ContextVar("STRIKE", default=None)  # the fault that strikes the request
_TRUE = frozenset({"1", "true", "t", "yes", "y", "on"})
_FALSE = frozenset({"0", "false", "f", "no", "n", "off"})


class Silence(web.Response):
    """No reply: the connection is closed already."""


def platform_of(request: web.Request) -> Platform:
    """Tell which platform's paths the request uses."""
    legacy = request.path.startswith(PREFIXES[Platform.LEGACY] + "/")
    return Platform.LEGACY if legacy else Platform.IBM_QUANTUM


def reply(content: Any, status: int = 200) -> web.Response:
    """Give compact JSON."""
    return raw_reply(json.dumps(content, separators=(",", ":")).encode(), status)


def raw_reply(body: bytes, status: int = 200) -> web.Response:
    """Give bytes that are JSON already."""
    return web.Response(body=body, status=status, content_type="application/json")


def empty() -> web.Response:
    """Give 204 and no body."""
    return web.Response(status=204)


def secret_of(request: web.Request) -> str:
    """Give a LEGACY credential: `x-access-token`, else the value of `Authorization: Bearer`."""
    token = request.headers.get("x-access-token", "")
    return token or bearer_of(request)


def bearer_of(request: web.Request) -> str:
    """Give the value of `Authorization: Bearer`, empty where there is none."""
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else ""


def tenant_of(request: web.Request) -> Tenant:
    """Tell whose request this is; raises Refusal for a bad credential, then for a bad `Service-CRN`."""
    credentials = request.app[WORLD].credentials
    if platform_of(request) is Platform.LEGACY:
        secret = secret_of(request)
        if not secret:
            raise invalid_credentials()
        return Tenant(Platform.LEGACY, credentials.legacy_user(secret))
    user = credentials.cloud_user(request.headers.get("Authorization", ""))
    region = request.app[WORLD].instances.region
    return Tenant(Platform.IBM_QUANTUM, user, _instance(request.headers.get("Service-CRN", ""), region))


def dialect_of(request: web.Request) -> Dialect:
    """Tell which shapes the caller gets; raises Refusal for a version date that never was."""
    platform = platform_of(request)
    if platform is Platform.LEGACY:
        return Dialect(platform)
    version = request.headers.get("IBM-API-Version", OLDEST_VERSION)
    if version not in VERSIONS:
        raise Refusal(400, None, "The request is not valid.")
    return Dialect(platform, version)


def truth(text: str) -> bool | None:
    """Read a boolean in any of the usual spellings, upper or lower case; None for anything else."""
    lowered = text.lower()
    if lowered in _TRUE:
        return True
    return False if lowered in _FALSE else None


def moment(text: str) -> datetime | None:
    """Read an RFC 3339 date (UTC where it names no zone); None for anything else."""
    try:
        date = datetime.fromisoformat(text.replace(" ", "+"))  # an unescaped "+" arrives as a space
        return date.astimezone(UTC) if date.tzinfo else date.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def bound(request: web.Request, name: str) -> datetime | None:
    """Read a query parameter that is a date, None where there is none; raises Refusal for anything else."""
    text = request.query.get(name)
    if text is None:
        return None
    date = moment(text)
    if date is None:
        raise bad_query(f"{name} must be a date of RFC 3339")
    return date


def origin_of(request: web.Request) -> str:
    """Give the address the caller reached this server at, without a path."""
    return str(request.url.origin())


def crn_of(tenant: Tenant) -> Crn:
    """Give the parts of the name of an IBM_QUANTUM tenant's instance."""
    crn = Crn.parse(tenant.instance)
    assert crn is not None  # noqa: S101 - `tenant_of` has read it
    return crn


def _instance(crn: str, region: str) -> str:
    parsed = Crn.parse(crn)
    if parsed is None:
        raise Refusal(400, 1241, f"The Service-CRN header is not a CRN: {crn!r}", "Send the CRN of your instance.")
    if parsed.region != region:
        raise unknown_instance(crn)
    return crn
