"""The project's statement of the contract: whole, well formed, and what the server's routes are."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from tests.emulator import contract
from tests.emulator.contract import DOCUMENT, BrokenContractError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qrt_async.emulator.devices import Device

UNSTATED = {"GET /api/v1/jobs/", "GET /Network"}  # the web page of an empty id; the old host's other path


def references(node: Any) -> Iterator[str]:
    """Give every reference within a piece of the document."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref":
                yield value
            else:
                yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def test_references_lead_somewhere_and_nothing_is_left_over() -> None:
    """Every reference names a component, and every component is referred to."""
    named = {f"#/components/{kind}/{name}" for kind, all_ in DOCUMENT["components"].items() for name in all_}
    used = set(references(DOCUMENT))

    assert used <= named
    assert {name for name in named - used if "securitySchemes" not in name} == set()


def test_schemas_are_schemas() -> None:
    """Every component schema is a valid JSON schema."""
    for schema in DOCUMENT["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_operations_have_names_of_their_own() -> None:
    """Every operation has an id that no other has."""
    ids = [operation["operationId"] for methods in DOCUMENT["paths"].values() for operation in methods.values()]

    assert len(ids) == len(set(ids))


async def test_routes_are_the_contract() -> None:
    """The server routes what the contract states, and states what it routes, but for what steers the emulator."""
    from qrt_async.emulator.web.app import application
    from qrt_async.emulator.web.exchange import CONTROL
    from qrt_async.emulator.world import World
    from tests.emulator.service import HandClock, HeldPool

    devices: dict[str, Device] = {}
    app = application(World(devices, HeldPool(), clock=HandClock()))
    routed = {
        f"{route.method} {_plain(route.resource.canonical)}"
        for route in app.router.routes()
        if route.resource is not None and route.method not in ("HEAD", "OPTIONS")
    }

    steering = {each for each in routed if CONTROL in each}
    assert routed - UNSTATED - steering == {_plain(each.name) for each in contract.operations()}


@pytest.mark.parametrize(
    ("reply", "problem"),
    [
        ((500, "application/json", b"{}"), "must not answer 500"),
        ((200, "text/html", b""), "must not answer 200 with text/html"),
        ((200, "application/json", b'{"jobs":[]}'), "'limit' is a required property"),
        ((401, "application/json", b'{"error":"no"}'), "'errors' is a required property"),
    ],
)
def test_bad_replies_are_noticed(reply: tuple[int, str, bytes], problem: str) -> None:
    """A reply with a status, a kind of content or a shape that the contract does not have is noticed."""
    with pytest.raises(BrokenContractError, match=problem):
        contract.check("GET", "/api/v1/jobs", *reply)


def test_body_where_there_must_be_none() -> None:
    """A body with a 204 is noticed."""
    with pytest.raises(BrokenContractError, match="must have no body"):
        contract.check("DELETE", "/runtime/jobs/x", 204, "application/json", b"{}")


def _plain(path: str) -> str:
    return re.sub(r"\{\w+(:[^/]*)?\}(?=/|$)", "{}", path)
