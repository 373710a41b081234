"""The project's own statement of the contract, and replies held against it."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
from jsonschema import Draft202012Validator

if TYPE_CHECKING:
    from collections.abc import Mapping

STATEMENT = Path(__file__).parents[2] / "docs" / "contract" / "openapi.json"
DOCUMENT: dict[str, Any] = json.loads(STATEMENT.read_text(encoding="utf-8"))
_CHECKER = Draft202012Validator.FORMAT_CHECKER
_GREEDY = "/v2/resource_instances/{id}"  # its id is a CRN, which has slashes


class BrokenContractError(AssertionError):
    """A reply that the statement of the contract does not allow."""


@attrs.frozen(eq=False)
class Operation:
    """One method of one path."""

    method: str
    path: str
    responses: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The method and the path."""
        return f"{self.method} {self.path}"


def operations() -> list[Operation]:
    """Give every operation, those of paths with the fewest variable parts first."""
    found = [
        Operation(method.upper(), path, {code: _resolved(each) for code, each in operation["responses"].items()})
        for path, methods in DOCUMENT["paths"].items()
        for method, operation in methods.items()
    ]
    return sorted(found, key=lambda each: each.path.count("{"))


def operation_of(method: str, path: str) -> Operation | None:
    """Give the operation that a request is, None for one that the contract does not know."""
    for operation, pattern in _patterns():
        if operation.method == method and pattern.fullmatch(path):
            return operation
    return None


def check(method: str, path: str, status: int, content_type: str, body: bytes) -> None:
    """Raise BrokenContractError for a reply that is not allowed: its status, its kind of content, its shape."""
    operation = operation_of(method, path)
    if operation is None:
        return
    response = operation.responses.get(str(status))
    if response is None:
        raise BrokenContractError(f"{operation.name} must not answer {status}: {body[:300]!r}")
    contents = response.get("content")
    if contents is None:
        if body:
            raise BrokenContractError(f"{operation.name} must have no body with {status}: {body[:300]!r}")
        return
    if content_type not in contents:
        raise BrokenContractError(f"{operation.name} must not answer {status} with {content_type}")
    if content_type == "application/json" and (problem := _problem(operation, status, body)):
        raise BrokenContractError(f"{operation.name} {status}: {problem}")


def _resolved(response: dict[str, Any]) -> dict[str, Any]:
    name = response.get("$ref", "").rpartition("/")[2]
    found: dict[str, Any] = DOCUMENT["components"]["responses"][name] if name else response
    return found


@cache
def _patterns() -> list[tuple[Operation, re.Pattern[str]]]:
    return [(each, re.compile(_pattern(each.path))) for each in operations()]


def _pattern(path: str) -> str:
    inner = ".+" if path == _GREEDY else "[^/]+"
    if path in ("/{id}", "/api/v1/{id}"):
        inner = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    return re.sub(r"\\\{\w+\\\}", lambda _: inner, re.escape(path))


@cache
def _problem(operation: Operation, status: int, body: bytes) -> str | None:
    validator = _validator(operation, status)
    error = next(iter(validator.iter_errors(json.loads(body))), None)
    return None if error is None else f"{error.json_path}: {error.message[:500]}"


@cache
def _validator(operation: Operation, status: int) -> Draft202012Validator:
    schema = operation.responses[str(status)]["content"]["application/json"]["schema"]
    return Draft202012Validator({**schema, "components": DOCUMENT["components"]}, format_checker=_CHECKER)
