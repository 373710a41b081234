"""The transpiler service's operations."""

from __future__ import annotations

import re
from collections.abc import Sequence

import attrs

from qrt_async.errors import ProtocolError
from qrt_async.models.pubs import IsaCircuit
from qrt_async.wire import codec
from qrt_async.wire.call import Call, Host, Reply, buffered, json_body, path, query

_PHYSICAL = re.compile(r"\$(\d{1,9})(?!\d)")


@attrs.frozen
class _Task:
    task_id: str


@attrs.frozen
class _Layout:
    initial: tuple[int, ...]
    final: tuple[int, ...]


@attrs.frozen
class _Item:
    qasm: str | None = None
    layout: _Layout | None = None
    success: bool | None = None


@attrs.frozen
class _Progress:
    state: str
    result: tuple[_Item, ...] | None = None


def submit(circuits: Sequence[str], *, backend: str, optimization_level: int, ai: bool | None) -> Call[str]:
    """
    ``POST /transpile``: gives the id of the task.

    A repetition at worst leaves a task that nobody asks for, so it is allowed.
    """

    def read(reply: Reply) -> str:
        return codec.load(codec.parse(reply.body, operation="transpile"), _Task, operation="transpile").task_id

    return Call(
        operation="transpile",
        method="POST",
        host=Host.TRANSPILER,
        path="/transpile",
        query=query([("backend", backend), ("optimization_level", optimization_level), ("ai", ai)]),
        body=json_body({"qasm_circuits": list(circuits)}),
        read=buffered(read),
    )


@attrs.frozen
class Transpilation:
    """How far a task is: `circuits` is None until it is done; `failed` is final."""

    failed: bool
    circuits: tuple[IsaCircuit, ...] | None


def progress(task_id: str, *, backend: str) -> Call[Transpilation]:
    """``GET /transpile/{task_id}``: a success may for a moment come without its result, and is then not yet done."""

    def read(reply: Reply) -> Transpilation:
        found = codec.load(
            codec.parse(reply.body, operation="transpile.result"), _Progress, operation="transpile.result"
        )
        if found.state != "SUCCESS" or found.result is None:
            return Transpilation(found.state == "FAILURE", None)
        return Transpilation(False, tuple(_circuit(item, backend, i) for i, item in enumerate(found.result)))

    return Call(
        operation="transpile.result",
        method="GET",
        host=Host.TRANSPILER,
        path=path("transpile", task_id),
        read=buffered(read),
    )


def _circuit(item: _Item, backend: str, index: int) -> IsaCircuit:
    if not item.qasm or item.layout is None:
        raise ProtocolError(f"expected a program and its layout @ $.result[{index}]", operation="transpile.result")
    return IsaCircuit(item.qasm, backend, item.layout.final, width(item.qasm))


def width(text: str) -> int:
    """Return how many qubits a program in physical qubits spans: its highest ``$n`` plus one."""
    return max((int(number) for number in _PHYSICAL.findall(text)), default=-1) + 1
