"""Finding instances on IBM Cloud, and what only LEGACY tells of its users."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import attrs
import pytest

from qrt_async.emulator.plans import OPEN, PREMIUM, RESOURCE_ID
from tests.emulator.service import CRN

if TYPE_CHECKING:
    from tests.emulator.service import Bench, Service

FIELDS = ["crn", "service_plan_unique_id", "name", "doc", "tags"]
SEARCH = {"query": "service_name:quantum-computing", "fields": FIELDS}


@pytest.fixture
def anyone(bench: Bench) -> Service:
    """Give a caller of the root paths who has an API key."""
    return bench.bare.under(Authorization="apikey a-key")


async def test_everyone_has_an_instance(bench: Bench, anyone: Service) -> None:
    """A search finds an instance that works, with its plan and what the official client looks for."""
    found = (await anyone.post("/v3/resources/search?limit=100", json=SEARCH)).json

    [item] = found["items"]
    crn = item["crn"]
    assert item["service_plan_unique_id"] == PREMIUM.id
    assert item["doc"]["extensions"]
    assert "search_cursor" not in found
    assert (await bench.cloud.under(Service_CRN=crn).get("/instance")).json["plan_id"] == PREMIUM.id


async def test_used_instances_are_found(bench: Bench, anyone: Service) -> None:
    """An instance that somebody has run a job in is found by them and by nobody else; pages follow a cursor."""
    await bench.run(bench.cloud)

    first = (await anyone.post("/v3/resources/search?limit=1", json=SEARCH)).json
    second = (
        await anyone.post("/v3/resources/search?limit=1", json=SEARCH | {"search_cursor": first["search_cursor"]})
    ).json
    other = (await anyone.under(Authorization="apikey b-key").post("/v3/resources/search", json=SEARCH)).json

    assert [item["crn"] for item in second["items"]] == [CRN]
    assert "search_cursor" not in second
    assert CRN not in [item["crn"] for item in other["items"]]


async def test_search_for_something_else(anyone: Service) -> None:
    """A query for another service finds nothing; only fields that were asked for are given."""
    other = (await anyone.post("/v3/resources/search", json={"query": "service_name:kms"})).json
    some = (await anyone.post("/v3/resources/search", json=SEARCH | {"fields": ["name"]})).json

    assert other["items"] == []
    assert set(some["items"][0]) == {"crn", "name"}


@pytest.mark.parametrize("body", [[], {"query": 3}, {"fields": "crn"}, {"search_cursor": "x"}])
async def test_bad_search(anyone: Service, body: object) -> None:
    """A search that cannot be one gets 400."""
    assert (await anyone.post("/v3/resources/search", json=body)).status == 400
    assert (await anyone.post("/v3/resources/search?limit=0", json=SEARCH)).status == 400


@pytest.mark.parametrize("prefix", ["", "/api/v1"])
async def test_catalogue(anyone: Service, prefix: str) -> None:
    """The catalogue tells a plan's name and price, at the root and under /api/v1; other plans are unknown."""
    entry = (await anyone.get(f"{prefix}/{OPEN.id}")).json
    unknown = await anyone.get(f"{prefix}/{RESOURCE_ID}")

    assert entry["overview_ui"]["en"]["display_name"] == "Open"
    assert entry["metadata"]["pricing"]["type"] == "free"
    assert unknown.status == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/v3/resources/search"), ("GET", f"/{OPEN.id}"), ("GET", "/v2/resource_instances")],
)
async def test_discovery_needs_a_key(bench: Bench, method: str, path: str) -> None:
    """Without a credential nothing is found: 401."""
    assert (await bench.bare.call(method, path, json=SEARCH)).status == 401


async def test_resources(bench: Bench, anyone: Service) -> None:
    """The resource controller lists the caller's instances, by name and page if asked."""
    await bench.run(bench.cloud)
    listed = (await anyone.get(f"/v2/resource_instances?resource_id={RESOURCE_ID}")).json
    first = (await anyone.get("/v2/resource_instances?limit=1")).json
    second = (await anyone.get(first["next_url"])).json
    by_name = (await anyone.get("/v2/resource_instances", params={"name": listed["resources"][1]["name"]})).json
    others = (await anyone.get("/v2/resource_instances?resource_id=another")).json

    assert [each["crn"] for each in listed["resources"]][1] == CRN
    assert (listed["rows_count"], listed["next_url"]) == (2, None)
    assert first["resources"] + second["resources"] == listed["resources"]
    assert [each["crn"] for each in by_name["resources"]] == [CRN]
    assert others["resources"] == []


async def test_limit_through_the_resource_controller(bench: Bench, anyone: Service) -> None:
    """New parameters set the instance's limit, and equal ones are ignored."""
    await bench.run(bench.cloud)
    path = f"/v2/resource_instances/{quote(CRN, safe='')}"
    body = {"parameters": {"timestamp": 1, "instance_limit_seconds": 50}}

    changed = (await anyone.call("PATCH", path, json=body)).json
    await bench.cloud.put("/instances/configuration", json={"instance_limit": None})
    again = (await anyone.call("PATCH", path, json=body)).json
    shown = (await anyone.get(path)).json

    assert changed["extensions"]["instance_limit_seconds"] == 50
    assert "instance_limit_seconds" not in again["extensions"]
    assert shown["parameters"] == body["parameters"]
    assert (await anyone.under(Authorization="apikey b-key").get(path)).status == 404


async def test_legacy_profile(bench: Bench, legacy: Service) -> None:
    """The login host says where the platform's hosts are: all of them here."""
    at_login = attrs.evolve(legacy, prefix="/api")

    profile = (await at_login.get("/users/me")).json

    assert profile["urls"] == {
        "http": f"{bench.url}/api",
        "ws": f"{bench.url}/api".replace("http", "ws"),
        "services": {"runtime": f"{bench.url}/runtime"},
    }
    assert (await at_login.get("/users/me", headers={"x-access-token": ""})).status == 401


async def test_legacy_instances(bench: Bench, legacy: Service) -> None:
    """A LEGACY user's instances are those used, or the public one; the network shows them as a tree."""
    at_login = attrs.evolve(legacy, prefix="/api")
    before = (await legacy.get("/users/me")).json["instances"]
    await bench.run(legacy)
    await bench.run(legacy, project="q")

    after = (await legacy.get("/users/me")).json["instances"]
    network = (await at_login.get("/Network")).json

    assert before == [{"name": "ibm-q/open/main", "plan": "premium"}]
    assert [each["name"] for each in after] == ["h/g/p", "h/g/q"]
    assert list(network[0]["groups"]["g"]["projects"]) == ["p", "q"]


async def test_legacy_usage(bench: Bench, open_bench: Bench, legacy: Service) -> None:
    """LEGACY usage counts the seconds and pending jobs of each instance, with the plan's limits if it has any."""
    await bench.run(legacy, quantum_seconds=8.5)
    await legacy.submit()
    await legacy.submit(project="q")

    usage = (await legacy.get("/usage")).json

    assert usage["byInstance"] == [
        {"instance": "h/g/p", "usage": 10, "pendingJobs": 1},
        {"instance": "h/g/q", "usage": 0, "pendingJobs": 1},
    ]
    assert usage["period"]["end"] == "2026-09-10T18:44:00.123Z"
    [row] = (await open_bench.legacy.get("/usage")).json["byInstance"]
    assert (row["quota"], row["maxPendingJobs"]) == (600, 3)
