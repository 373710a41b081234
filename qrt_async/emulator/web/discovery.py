"""Instance discovery on IBM Cloud: global search, global catalogue, resource controller."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiohttp import web

from qrt_async.emulator import bodies
from qrt_async.emulator.plans import PLANS, RESOURCE_ID, Crn
from qrt_async.emulator.refusals import Refusal, bad_query
from qrt_async.emulator.replies import date_text, given
from qrt_async.emulator.web.exchange import WORLD, reply

if TYPE_CHECKING:
    from qrt_async.emulator.world import World

_UUID = "{id:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}}"
_SERVICE = "quantum-computing"
_MOST_FOUND = 1000
_MOST_RESOURCES = 100


def routes() -> list[web.RouteDef]:
    """Give the routes; the catalogue's `/api/v1/{plan id}` shares its prefix with the service, never a path."""
    return [
        web.post("/v3/resources/search", search),
        web.get(f"/api/v1/{_UUID}", catalogue_entry),
        web.get(f"/{_UUID}", catalogue_entry),
        web.get("/v2/resource_instances", list_resources),
        web.get("/v2/resource_instances/{id:.+}", show_resource),
        web.patch("/v2/resource_instances/{id:.+}", update_resource),
    ]


async def search(request: web.Request) -> web.Response:
    """Find the caller's instances; a query for another service finds nothing."""
    world, user = _caller(request)
    asked = bodies.search_query(await request.read())
    limit = _count(request, "limit", 10, _MOST_FOUND)
    start = _place(asked.cursor)
    found = world.instances.of_user(user) if _SERVICE in asked.query or asked.query in ("*", "") else []
    page = found[start : start + limit]
    items = [_item(world, crn, asked.fields) for crn in page]
    more = start + limit < len(found)
    return reply({"items": items, "limit": limit} | given(search_cursor=str(start + limit) if more else None))


async def catalogue_entry(request: web.Request) -> web.Response:
    """Give a plan's entry in the catalogue."""
    _caller(request)
    plan = next((each for each in PLANS.values() if each.id == request.match_info["id"]), None)
    if plan is None:
        raise Refusal(404, None, f"Catalog entry not found: {request.match_info['id']}")
    return reply(
        {
            "id": plan.id,
            "name": plan.name,
            "kind": "plan",
            "active": True,
            "parent_id": RESOURCE_ID,
            "overview_ui": {"en": {"display_name": plan.title}},
            "metadata": {"pricing": {"type": plan.pricing}},
        }
    )


async def list_resources(request: web.Request) -> web.Response:
    """List the caller's instances as resources."""
    world, user = _caller(request)
    asked = request.query
    limit = _count(request, "limit", _MOST_RESOURCES, _MOST_RESOURCES)
    start = _place(asked.get("start"))
    found = [_resource(world, crn) for crn in world.instances.of_user(user)]
    if "name" in asked:
        found = [each for each in found if each["name"] == asked["name"]]
    if asked.get("resource_id", RESOURCE_ID) != RESOURCE_ID:
        found = []
    page = found[start : start + limit]
    bare = request.url.without_query_params("start").relative()
    following = f"{bare.update_query(start=str(start + limit))}" if start + limit < len(found) else None
    return reply({"rows_count": len(page), "next_url": following, "resources": page})


async def show_resource(request: web.Request) -> web.Response:
    """Give one of the caller's instances as a resource."""
    world, user = _caller(request)
    return reply(_resource(world, _own(world, user, request.match_info["id"])))


async def update_resource(request: web.Request) -> web.Response:
    """Change the limit of one of the caller's instances; parameters equal to the last ones are ignored."""
    world, user = _caller(request)
    crn = _own(world, user, request.match_info["id"])
    parameters = bodies.resource_parameters(await request.read())
    if world.instances.new_parameters(crn, parameters) and "instance_limit_seconds" in parameters:
        world.set_limit(crn, parameters["instance_limit_seconds"])
    return reply(_resource(world, crn))


def _caller(request: web.Request) -> tuple[World, str]:
    world = request.app[WORLD]
    return world, world.credentials.cloud_user(request.headers.get("Authorization", ""))


def _own(world: World, user: str, crn: str) -> str:
    if crn not in world.instances.of_user(user):
        raise Refusal(404, None, f"Resource instance not found: {crn}", "Verify the CRN of your instance.")
    return crn


def _item(world: World, crn: str, fields: tuple[str, ...]) -> dict[str, Any]:
    item = {
        "crn": crn,
        "name": _name(crn),
        "service_plan_unique_id": world.settings.plan.id,
        "doc": {"extensions": _extensions(world, crn)},
        "tags": [],
    }
    return {key: value for key, value in item.items() if key == "crn" or not fields or key in fields}


def _resource(world: World, crn: str) -> dict[str, Any]:
    parts = Crn.parse(crn)
    assert parts is not None  # noqa: S101 - every instance has a well-formed name
    created = date_text(world.started)
    return {
        "id": crn,
        "guid": parts.instance,
        "crn": crn,
        "name": _name(crn),
        "account_id": parts.account,
        "region_id": parts.region,
        "resource_id": RESOURCE_ID,
        "resource_plan_id": world.settings.plan.id,
        "type": "service_instance",
        "state": "active",
        "created_at": created,
        "updated_at": created,
        "extensions": _extensions(world, crn),
        "parameters": world.instances.parameters.get(crn, {}),
    }


def _extensions(world: World, crn: str) -> dict[str, Any]:
    plan = world.settings.plan
    return {"backends": list(world.devices)} | given(
        instance_limit_seconds=world.instances.limits.get(crn), usage_allocation_seconds=plan.allocation
    )


def _name(crn: str) -> str:
    parts = Crn.parse(crn)
    return f"emulated-{parts.instance[:8]}" if parts else ""


def _count(request: web.Request, name: str, default: int, most: int) -> int:
    text = request.query.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 6 and 1 <= int(text) <= most):
        raise bad_query(f"{name} must be a number from 1 to {most}")
    return int(text)


def _place(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 9):
        raise bad_query("a cursor must be one that a page gave")
    return int(cursor)
