"""`…/jobs` on both platforms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from qrt_async.emulator import bodies, replies, reports
from qrt_async.emulator.records import JobQuery, JobStatus
from qrt_async.emulator.refusals import Refusal
from qrt_async.emulator.web.exchange import (
    STRIKE,
    WORLD,
    bound,
    dialect_of,
    empty,
    origin_of,
    platform_of,
    raw_reply,
    reply,
    tenant_of,
    truth,
)

if TYPE_CHECKING:
    from qrt_async.emulator.records import Job, Tenant

_PAGE = 200
_PAGE_OF_THE_SERVICE = "<!doctype html><html><head><title>IBM Quantum</title></head><body></body></html>"


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
        web.get(f"{one}/interim_results", interim_results),
        web.get(f"{one}/transpiled_circuits", transpiled_circuits),
        web.get(f"{one}/logs", logs),
        web.get(f"{one}/metrics", metrics),
        web.put(f"{one}/tags", replace_tags),
        web.get(f"{prefix}/tags", search_tags),
    ]


def stored_circuits_routes() -> list[web.RouteDef]:
    """Give the route of addresses that `…/transpiled_circuits` hands out: it asks for no credential."""
    return [web.get("/stored/{token}", stored_circuits)]


async def submit(request: web.Request) -> web.Response:
    """Queue a job."""
    tenant, _ = _caller(request)
    world, struck = request.app[WORLD], STRIKE.get()
    world.admission.count_submission(tenant.user_id)
    order = bodies.job_order(await request.read(), platform_of(request), world.settings.plan)
    caller = request.headers.get("X-Qx-Client-Application", "")
    fate = None if struck is None else struck.fault.fate
    return reply(replies.job_created(world.submit(tenant, order, caller, fate)))


async def list_jobs(request: web.Request) -> web.Response:
    """List the caller's jobs, newest first; params are left out unless asked for."""
    tenant, dialect = _caller(request)
    page = request.app[WORLD].list_jobs(tenant, _query(request), STRIKE.get())
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
    world, job_id = request.app[WORLD], request.match_info["id"]
    world.job(tenant, job_id)  # unknown comes before malformed
    world.replace_tags(tenant, job_id, bodies.tags(await request.read()))
    return empty()


async def search_tags(request: web.Request) -> web.Response:
    """List the tags of the caller's jobs that contain the text searched for; what is amiss gets a bare 400."""
    tenant, _ = _caller(request)
    text = request.query.get("search", "")
    if request.query.get("type") != "job" or not 3 <= len(text) <= 100:
        raise Refusal(400, None, "Bad Request", bare=True)
    tags = {tag for job in request.app[WORLD].jobs(tenant) for tag in job.tags if text in tag}
    return reply({"tags": sorted(tags)})


async def logs(request: web.Request) -> web.Response:
    """Give a finished job's log as text."""
    tenant, _ = _caller(request)
    job = request.app[WORLD].job(tenant, request.match_info["id"])
    if not job.status.final:
        raise Refusal(404, None, f"Logs not found. Job ID: {job.id}", "Wait for the end of the job.")
    return web.Response(text=reports.logs(job))


async def metrics(request: web.Request) -> web.Response:
    """Give a job's timestamps and what it was charged."""
    tenant, dialect = _caller(request)
    world = request.app[WORLD]
    job = world.job(tenant, request.match_info["id"])
    device = world.devices.get(job.order.backend)
    return reply(
        reports.metrics(
            job,
            dialect,
            position=world.position(job),
            num_qubits=device.num_qubits if device else 0,
            now=world.clock.now(),
        )
    )


async def interim_results(request: web.Request) -> web.Response:
    """Give nothing, as text: the programs here write no interim results."""
    _job_of_old(request)
    return web.Response(text="")


async def transpiled_circuits(request: web.Request) -> web.Response:
    """Give an address from which anyone can fetch a completed job's circuits."""
    job = _job_of_old(request)
    if job.status is not JobStatus.COMPLETED:
        raise Refusal(404, None, f"Transpiled circuits not found. Job ID: {job.id}", "Wait for the end of the job.")
    token = request.app[WORLD].shared_circuits.share(job)
    return reply({"url": f"{origin_of(request)}/stored/{token}"})


async def stored_circuits(request: web.Request) -> web.Response:
    """Give circuits by the address made for them: OpenQASM texts as they were submitted, by language."""
    circuits = request.app[WORLD].shared_circuits.of(request.match_info["token"])
    return reply({"transpiled_circuits": replies.circuits(circuits)})


async def web_page(_request: web.Request) -> web.Response:
    """Give the service's web page, as it does for a job without an id (seen live)."""
    return web.Response(text=_PAGE_OF_THE_SERVICE, content_type="text/html")


def _job_of_old(request: web.Request) -> Job:
    tenant, dialect = _caller(request)
    if not dialect.shows_transpiled_circuits:
        raise web.HTTPNotFound
    return request.app[WORLD].job(tenant, request.match_info["id"])


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
        created_after=bound(request, "created_after"),
        created_before=bound(request, "created_before"),
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
