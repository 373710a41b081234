"""The transpiler service of the LEGACY platform: `/transpile`, with FastAPI's manners."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
from aiohttp import web

from qrt_async.emulator.refusals import Refusal
from qrt_async.emulator.shapes import (
    Mismatch,
    array,
    either,
    integer,
    mapping,
    nullable,
    one_of,
    parse,
    places,
    record,
    text,
)
from qrt_async.emulator.web.exchange import WORLD, bearer_of, raw_reply, reply, truth
from qrt_async.emulator.work import TranspileWork

if TYPE_CHECKING:
    from collections.abc import Callable

_qubit = integer(0)
_preference = one_of("n_cnots", "n_gates", "cnot_layers", "layers", "noise")
_BODY = record(
    {
        "qasm_circuits": nullable(either("text or a list of texts", text(1), array(text(1), 1))),
        "qpy_circuits": nullable(text()),
        "qiskit_transpile_options": nullable(mapping),
        "backend_coupling_map": nullable(array(places(_qubit, _qubit, least=2), 1)),
        "optimization_preferences": nullable(
            either("a known preference or a list of them", _preference, array(_preference))
        ),
    }
)


class UnprocessableError(Exception):
    """An input the service cannot use: becomes 422 with one entry of `detail`."""

    def __init__(self, place: tuple[str, ...], message: str, value: Any) -> None:
        super().__init__(message)
        self.detail: dict[str, Any] = {"loc": place, "msg": message, "input": value, "type": "value_error"}


@attrs.frozen
class Query:
    """The query of `POST /transpile`; whether AI passes were asked for makes no difference here."""

    backend: str | None
    optimization_level: int


def routes() -> list[web.RouteDef]:
    """Give the transpiler's routes."""
    return [web.post("/transpile", submit), web.get("/transpile/{id}", show)]


async def submit(request: web.Request) -> web.Response:
    """Begin to transpile; answers with the id of the task."""
    user = _user(request)
    world = request.app[WORLD]
    try:
        query = _query(request)
        work = _work(query, _body(await request.read()), world.identifiers.work_seed())
    except UnprocessableError as problem:
        return reply({"detail": [problem.detail]}, status=422)
    if query.backend is not None and query.backend not in world.devices:
        raise Refusal(403, None, f"User doesn't have access to the specified backend: {query.backend}")
    return reply({"task_id": world.transpiler.begin(user, work).id})


async def show(request: web.Request) -> web.Response:
    """Give a task's state and, once it succeeded, its results; an unknown task is pending for ever."""
    task = request.app[WORLD].transpiler.task(_user(request), request.match_info["id"])
    if task is None:
        return reply({"state": "PENDING", "result": None})
    return raw_reply(b'{"state":"%b","result":%b}' % (task.state.encode(), task.body))


def _user(request: web.Request) -> str:
    try:
        return request.app[WORLD].credentials.key_user(bearer_of(request))
    except Refusal as refusal:
        raise Refusal(401, None, "Invalid authentication credentials") from refusal


def _query(request: web.Request) -> Query:
    level = request.query.get("optimization_level", "3").strip()
    if level not in {"0", "1", "2", "3"}:
        raise UnprocessableError(("query", "optimization_level"), "Input should be a level from 0 to 3", level)
    _suits(request, "use_ai", lambda value: truth(value) is not None, "a boolean")
    _suits(
        request,
        "ai",
        lambda value: value.lower() == "auto" or truth(value) is not None,
        "true, false or auto",
    )
    _suits(request, "use_fractional_gates", lambda value: truth(value) is not None, "a boolean")
    _suits(
        request,
        "ai_layout_mode",
        lambda value: value.lower() in {"keep", "optimize", "improve"},
        "keep, optimize or improve",
    )
    return Query(request.query.get("backend") or None, int(level))


def _suits(request: web.Request, name: str, fits: Callable[[str], bool], wanted: str) -> None:
    value = request.query.get(name)
    if value is not None and not fits(value):
        raise UnprocessableError(("query", name), f"Input should be {wanted}", value)


def _body(raw: bytes) -> dict[str, Any]:
    try:
        body: dict[str, Any] = parse(raw)
        _BODY(body, "")
    except Mismatch as mismatch:
        raise UnprocessableError(("body",), str(mismatch), None) from None
    return body


def _work(query: Query, body: dict[str, Any], seed: int) -> TranspileWork:
    circuits = body.get("qasm_circuits")
    if body.get("qpy_circuits") is not None:
        raise UnprocessableError(("body", "qpy_circuits"), "The emulator takes OpenQASM texts only", None)
    if circuits is None:
        raise UnprocessableError(("body", "qasm_circuits"), "Field required", None)
    coupling_map = body.get("backend_coupling_map")
    if query.backend is None and coupling_map is None:
        raise UnprocessableError(("query", "backend"), "A backend or a backend_coupling_map is required", None)
    return TranspileWork(
        circuits=(circuits,) if isinstance(circuits, str) else tuple(circuits),
        backend=query.backend,
        coupling_map=None if coupling_map is None else tuple((a, b) for a, b in coupling_map),
        optimization_level=query.optimization_level,
        options=body.get("qiskit_transpile_options") or {},
        seed=seed,
    )
