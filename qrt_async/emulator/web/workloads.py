"""`/workloads` of IBM_QUANTUM."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from qrt_async.emulator import reports, workloads
from qrt_async.emulator.refusals import bad_query
from qrt_async.emulator.web.exchange import WORLD, bound, dialect_of, origin_of, reply, tenant_of
from qrt_async.emulator.workloads import Cursor, WorkloadQuery

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qrt_async.emulator.records import Tenant
    from qrt_async.emulator.workloads import Workload, WorkloadPage
    from qrt_async.emulator.world import World

_SORTS = {"createdAt": False, "-createdAt": True}


def routes(prefix: str) -> list[web.RouteDef]:
    """Give the routes under the platform's prefix."""
    return [web.get(f"{prefix}/workloads", list_workloads)]


async def list_workloads(request: web.Request) -> web.Response:
    """List the caller's jobs of their own, sessions and batches, the oldest first unless asked otherwise."""
    tenant = tenant_of(request)
    dialect_of(request)
    query = _query(request)
    page = workloads.page(_all(request.app[WORLD], tenant), query)
    return reply(reports.workload_page(page, tenant, _hrefs(request, page)))


def _all(world: World, tenant: Tenant) -> Iterable[Workload]:
    used: dict[str, int] = {}
    for charge in world.ledger.of_tenant(tenant):
        if charge.session_id is not None:
            used[charge.session_id] = used.get(charge.session_id, 0) + charge.seconds
    yield from (workloads.of_job(job) for job in world.jobs(tenant) if job.order.session_id is None)
    yield from (workloads.of_session(session, used.get(session.id, 0)) for session in world.sessions(tenant))


def _query(request: web.Request) -> WorkloadQuery:
    asked = request.query
    _one_of("user", asked.get("user", "me"), ("me",))
    for status in asked.getall("status", []):
        _one_of("status", status, workloads.STATUSES)
    mode = asked.get("mode")
    if mode is not None:
        _one_of("mode", mode, workloads.MODES)
    return WorkloadQuery(
        limit=_limit(asked.get("limit", "10")),
        newest_first=_SORTS[_one_of("sort", asked.get("sort", "createdAt"), _SORTS)],
        after=_cursor(request, "next"),
        before=_cursor(request, "previous"),
        backend=asked.get("backend"),
        search=asked.get("search"),
        statuses=tuple(asked.getall("status", [])),
        mode=mode,
        created_after=bound(request, "created_after"),
        created_before=bound(request, "created_before"),
        tags=tuple(asked.getall("tags", [])),
    )


def _one_of(name: str, value: str, allowed: Iterable[str]) -> str:
    if value not in allowed:
        raise bad_query(f"{name} must be one of {', '.join(allowed)}")
    return value


def _limit(text: str) -> int:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not (1 <= value <= 50 and value == int(value)):
        raise bad_query("limit must be a number from 1 to 50")
    return int(value)


def _cursor(request: web.Request, name: str) -> Cursor | None:
    text = request.query.get(name)
    if text is None:
        return None
    try:
        return Cursor.read(text)
    except ValueError:
        raise bad_query(f"{name} must be a cursor that a page gave") from None


def _hrefs(request: web.Request, page: WorkloadPage) -> dict[str, str]:
    """Give the addresses of the pages around this one: the same query with another cursor."""
    bare = request.url.without_query_params("next", "previous").relative()
    cursors = {"previous": page.previous, "next": page.next}
    return {
        name: f"{origin_of(request)}{bare.update_query({name: str(cursor)})}"
        for name, cursor in cursors.items()
        if cursor is not None
    }
