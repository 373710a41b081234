"""
The operations of the service and what belongs to each, read off the code, so that no table of them can go stale.

What the service offers comes from the contract, what the client sends from the calls of `qrt_async.wire`, which method
sends it from the source of the collections, what the emulator serves from its own routes, and where it is tested from
the sources of the tests.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import attrs

from qrt_async import client as client_module
from qrt_async.emulator.web import analytics, backends, discovery, instances, jobs, legacy, login, sessions, workloads
from qrt_async.emulator.web import transpiler as transpiler_routes
from qrt_async.models.jobs import JobFilter, JobRequest, Program
from qrt_async.models.sessions import SessionMode
from qrt_async.models.usage import AnalyticsFilter, WorkloadFilter
from qrt_async.secret import Secret
from qrt_async.wire import auth, usage
from qrt_async.wire import backends as wire_backends
from qrt_async.wire import discovery as wire_discovery
from qrt_async.wire import jobs as wire_jobs
from qrt_async.wire import sessions as wire_sessions
from qrt_async.wire import transpiler as wire_transpiler
from qrt_async.wire.call import Call, Host
from qrt_async.wire.dialect import Dialect, HubGroupProject, Platform

ROOT = Path(__file__).parent.parent
CONTRACT = ROOT / "docs" / "contract" / "openapi.json"
PACKAGE = ROOT / "qrt_async"
WIRE: dict[str, ModuleType] = {
    "auth": auth,
    "backends": wire_backends,
    "discovery": wire_discovery,
    "jobs": wire_jobs,
    "sessions": wire_sessions,
    "transpiler": wire_transpiler,
    "usage": usage,
}
PLACE = "PLACE"
DIALECTS = (
    Dialect(Platform.IBM_QUANTUM, "crn:…"),
    Dialect(Platform.LEGACY, HubGroupProject("h", "g", "p")),
)
PREFIXES = {
    (Host.API, Platform.IBM_QUANTUM): "/api/v1",
    (Host.API, Platform.LEGACY): "/runtime",
    (Host.AUTH, Platform.IBM_QUANTUM): "",
    (Host.AUTH, Platform.LEGACY): "/api",
}
ARGUMENTS: dict[str, Any] = {
    "api_key": Secret("x"),
    "api_token": Secret("x"),
    "request": JobRequest(program=Program("sampler", bytes.decode), backend="b", params={}),
    "wanted": JobFilter(),
    "decode": bytes.decode,
    "mode": SessionMode.BATCH,
    "max_time": 60,
    "accepting": False,
    "tags": (),
    "instances": (),
    "seconds": None,
    "group_by": "instance",
    "circuits": ("x",),
    "optimization_level": 1,
    "ai": None,
}


@attrs.frozen
class Operation:
    """A method and a path of the service, with the names of path segments left open."""

    method: str
    path: str


@attrs.frozen
class Row:
    """One line of the table."""

    operation: Operation
    purpose: str
    ours: tuple[str, ...]
    served: bool
    tests: tuple[str, ...]


def rows() -> list[Row]:
    """Return a line for every operation of the contract, in its order."""
    contract = json.loads(CONTRACT.read_text())
    sent, served = _sent(), set(_served())
    found = []
    for path, methods in contract["paths"].items():
        for method, described in methods.items():
            if method in {"get", "post", "put", "patch", "delete"}:
                operation = Operation(method.upper(), _open(path))
                ours = sent.get(operation, ())
                found.append(
                    Row(operation, described.get("summary", ""), ours, operation in served, tuple(_tests(ours)))
                )
    return found


def _open(path: str) -> str:
    return re.sub(r"\{(?:[^{}]|\{[^{}]*\})*\}", "{…}", path)


def _sent() -> dict[Operation, tuple[str, ...]]:
    """Return the client's methods by the operation that they send."""
    methods = _methods()
    found: dict[Operation, tuple[str, ...]] = {}
    for room, name, call, dialect in _calls():
        prefix = PREFIXES.get((call.host, dialect.platform), "")
        operation = Operation(call.method, prefix + call.path.replace(PLACE, "{…}"))
        found[operation] = tuple(sorted({*found.get(operation, ()), *methods.get((room, name), ())}))
    return found


def _calls() -> Iterator[tuple[str, str, Call[Any], Dialect]]:
    for room, module in WIRE.items():
        for name, function in inspect.getmembers(module, inspect.isfunction):
            if name.startswith("_") or function.__module__ != module.__name__:
                continue
            if str(inspect.signature(function).return_annotation).startswith("Call["):
                for dialect in DIALECTS:
                    if _is_of(name, dialect):
                        yield room, name, _made(function, dialect), dialect


def _is_of(name: str, dialect: Dialect) -> bool:
    """Tell whether an operation is one of that platform; login and what is legacy only say so in their names."""
    if name == "iam_token":
        return dialect.platform is Platform.IBM_QUANTUM
    return not name.startswith("legacy_") or dialect.platform is Platform.LEGACY


def _made(function: Any, dialect: Dialect) -> Call[Any]:
    given = {
        name: _argument(name, str(parameter.annotation), dialect)
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.default is inspect.Parameter.empty
    }
    call: Call[Any] = function(**given)
    return call


def _argument(name: str, annotation: str, dialect: Dialect) -> Any:
    if name == "dialect":
        return dialect
    if annotation in {"WorkloadFilter", "AnalyticsFilter"}:
        return WorkloadFilter() if annotation == "WorkloadFilter" else AnalyticsFilter()
    return ARGUMENTS.get(name, PLACE)


def _methods() -> dict[tuple[str, str], set[str]]:
    """Return the client's methods by the room and name of the wire's function that they call."""
    access = _access()
    found: dict[tuple[str, str], set[str]] = {}
    for file in [*PACKAGE.glob("*.py"), *(PACKAGE / "transpiler").glob("*.py")]:
        tree = ast.parse(file.read_text())
        rooms = _rooms_of(tree)
        for owner in (
            node for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        ):
            for method in owner.body if isinstance(owner, ast.ClassDef) else [owner]:
                for room, name in _wire_uses(method, rooms):
                    found.setdefault((room, name), set()).add(_shown(owner.name, getattr(method, "name", ""), access))
    return found


def _rooms_of(tree: ast.Module) -> dict[str, str]:
    """Return under which names a module uses the rooms of the wire."""
    return {
        alias.asname or alias.name: alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "qrt_async.wire"
        for alias in node.names
    }


def _wire_uses(method: ast.AST, rooms: dict[str, str]) -> Iterator[tuple[str, str]]:
    for node in ast.walk(method):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in rooms:
            yield rooms[node.value.id], node.attr


def _access() -> dict[str, str]:
    """Return how one reaches each collection from a client, by the class's name."""
    properties = inspect.getmembers(client_module.Client, lambda member: isinstance(member, property))
    named = {member.fget.__annotations__["return"]: f"client.{name}" for name, member in properties if member.fget}
    return named | {"Client": "client", "Job": "job", "Session": "session"}


_IMPLICIT = {
    "login": "client.login()",
    "logout": "the end of the client's block",
    "find_instances": "client.instances()",
    "_plan": "client.instances()",
    "transpile": "client.transpile()",
    "_poll": "client.transpile()",
    "__aexit__": "the end of the session's block",
    "_undo": "the end of the session's block",
    "_close_if_there": "the end of the session's block",
    "_page": "client.jobs.list()",
    "_fetch": "job.result()",
    "items": "client.workloads.list()",
}


def _shown(owner: str, method: str, access: dict[str, str]) -> str:
    if (owner, method) == ("Jobs", "submit"):
        return "client.sampler(), client.estimator(), client.submit()"
    if method in _IMPLICIT and owner != "Client":
        return _IMPLICIT[method]
    return f"{access.get(owner, owner)}.{method}()"


def _served() -> Iterator[Operation]:
    """Yield what the emulator has routes for."""
    groups = [login.routes(), transpiler_routes.routes(), discovery.routes()]
    for prefix in ("/api/v1", "/runtime"):
        groups += [module.routes(prefix) for module in (backends, jobs, sessions)]
    groups += [module.routes("/api/v1") for module in (instances, workloads, analytics)]
    groups.append(legacy.routes("/runtime"))
    for group in groups:
        for route in group:
            yield Operation(route.method, _open(route.path))
    yield Operation("GET", "/api/v1/versions")


def _tests(ours: tuple[str, ...]) -> Iterator[str]:
    each = [name for one in ours for name in one.split(", ") if name.endswith("()")]
    names = {re.escape(name.rpartition(".")[2].removesuffix("()")) for name in each}
    for file in sorted((ROOT / "tests").rglob("test_*.py")):
        if names and re.search(rf"\.({'|'.join(sorted(names))})\(", file.read_text()):
            yield str(file.relative_to(ROOT / "tests"))
