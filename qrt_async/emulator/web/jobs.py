"""`…/jobs` on both platforms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiohttp import web

from qrt_async.emulator import bodies, replies
from qrt_async.emulator.records import JobQuery, JobStatus
from qrt_async.emulator.refusals import bad_query
from qrt_async.emulator.web.exchange import (
    WORLD,
    dialect_of,
    empty,
    moment,
    platform_of,
    raw_reply,
    reply,
    tenant_of,
    truth,
)

if TYPE_CHECKING:
    from datetime import datetime

    from qrt_async.emulator.records import Tenant

_PAGE = 200


def routes(prefix: str) -> list[web.RouteDef]:
    """Give the routes under one platform's prefix."""
    one = f"{prefix}/jobs/{{id}}"
    return [
        web.post(f"{prefix}/jobs", submit),
        web.get(f"{prefix}/jobs", list_jobs),
        web.get(one, show),
        web.delete(one, delete),
        web.post(f"{one}/cancel", cancel),
        web.get(f"{one}/results", results),
        web.put(f"{one}/tags", replace_tags),
    ]


async def submit(request: web.Request) -> web.Response:
    """Queue a job."""
    tenant, _ = _caller(request)
    order = bodies.job_order(await request.read(), platform_of(request))
    return reply(replies.job_created(request.app[WORLD].submit(tenant, order)))


async def list_jobs(request: web.Request) -> web.Response:
    """List the caller's jobs, newest first; params are left out unless asked for."""
    tenant, dialect = _caller(request)
    page = request.app[WORLD].list_jobs(tenant, _query(request))
    return reply(replies.job_page(page, dialect, with_params=_with_params(request, default=False)))


async def show(request: web.Request) -> web.Response:
    """Give one job; params are there unless left out on demand."""
    tenant, dialect = _caller(request)
    job = request.app[WORLD].job(tenant, request.match_info["id"])
    return reply(replies.job(job, dialect, with_params=_with_params(request, default=True)))


async def delete(request: web.Request) -> web.Response:
    """Forget a finished job."""
    tenant, _ = _caller(request)
    request.app[WORLD].delete(tenant, request.match_info["id"])
    return empty()


async def cancel(request: web.Request) -> web.Response:
    """End a queued or running job."""
    tenant, _ = _caller(request)
    request.app[WORLD].cancel(tenant, request.match_info["id"])
    return empty()


async def results(request: web.Request) -> web.Response:
    """Give a completed job's results, a failed one's reason as text, and 204 for all others."""
    tenant, _ = _caller(request)
    world, job_id = request.app[WORLD], request.match_info["id"]
    job = world.job(tenant, job_id)
    if job.status is JobStatus.FAILED:
        return web.Response(text=replies.failure_text(job) or "")
    body = world.take_results(tenant, job_id)
    return empty() if body is None else raw_reply(body)


async def replace_tags(request: web.Request) -> web.Response:
    """Put new tags in the place of all old ones."""
    tenant, _ = _caller(request)
    job = request.app[WORLD].job(tenant, request.match_info["id"])
    job.tags = bodies.tags(await request.read())
    return empty()


def _caller(request: web.Request) -> tuple[Tenant, replies.Dialect]:
    return tenant_of(request), dialect_of(request)


def _with_params(request: web.Request, *, default: bool) -> bool:
    excluded = truth(request.query.get("exclude_params", ""))
    return default if excluded is None else not excluded


def _query(request: web.Request) -> JobQuery:
    asked = request.query
    return JobQuery(
        limit=_count(asked.get("limit", ""), 1, _PAGE, _PAGE),
        offset=_count(asked.get("offset", ""), 0, 2**31 - 1, 0),
        pending=truth(asked.get("pending", "")),
        program=asked.get("program"),
        backend=asked.get("backend"),
        session_id=asked.get("session_id"),
        created_after=_bound(request, "created_after"),
        created_before=_bound(request, "created_before"),
        oldest_first=asked.get("sort", "").upper() == "ASC",
        tags=tuple(asked.getall("tags", [])),
        placement=asked.get("provider"),
    )


def _count(text: str, least: int, most: int, default: int) -> int:
    """Read a number; one that is none, or out of range, silently becomes the default, as live."""
    if not (text.isascii() and text.isdigit() and len(text) < 11):
        return default
    value = int(text)
    return value if least <= value <= most else default


def _bound(request: web.Request, name: str) -> datetime | None:
    text: Any = request.query.get(name)
    if text is None:
        return None
    date = moment(text)
    if date is None:
        raise bad_query(f"{name} must be a date of RFC 3339")
    return date
