"""``qrt run``."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Awaitable
from pathlib import Path
from typing import Annotated, Any

import attrs
from cyclopts import Group, Parameter

from qrt_async.cli import plot as plots
from qrt_async.cli.documents import document
from qrt_async.cli.execution import execute
from qrt_async.cli.exit import ExitStatus
from qrt_async.cli.options import SERVICE, Service
from qrt_async.cli.output import Output
from qrt_async.cli.results import Plot, Timeout, awaited, draw, show
from qrt_async.cli.service import connected
from qrt_async.client import Client
from qrt_async.errors import UsageError
from qrt_async.jobs import Job
from qrt_async.models.jobs import JobStatus
from qrt_async.models.pubs import IsaCircuit
from qrt_async.sessions import Session

_QUBITS = re.compile(r"\bqubit\s*\[\s*(\d+)\s*\]|\bqreg\s+\w+\s*\[\s*(\d+)\s*\]|\bqubit\s+\w+\s*;")
_PLACE = Group("Place", sort_key=1)


@attrs.frozen(kw_only=True)
class Order:
    """What is to be run, checked."""

    program: str
    backend: str | None
    observables: list[Any]
    shots: int | None
    precision: float | None
    tags: tuple[str, ...]
    max_time: int | None
    transpile: bool
    session: bool
    wait: bool
    timeout: float | None
    plot: Path | None


def run(
    file: Annotated[Path, Parameter(allow_leading_hyphen=True, help="OpenQASM 2 or 3; - reads standard input.")],
    /,
    *,
    backend: Annotated[str | None, Parameter(group=_PLACE, help="Run on this backend.")] = None,
    least_busy: Annotated[
        bool, Parameter(group=_PLACE, help="Run on the one with the shortest queue (what happens without --backend).")
    ] = False,
    session: Annotated[bool, Parameter(group=_PLACE, help="Run in a session of its own, ended in any case.")] = False,
    shots: Annotated[int | None, Parameter(help="How often; without it the service decides.")] = None,
    transpile: Annotated[
        bool, Parameter(negative="--no-transpile", help="Fit the circuit to the backend, or send it as it is.")
    ] = True,
    estimator: Annotated[
        tuple[str, ...],
        Parameter(help='Estimate this observable, "ZZ" or {"II": 1, "ZZ": 2.3}, instead of sampling; repeatable.'),
    ] = (),
    precision: Annotated[float | None, Parameter(help="The standard error to aim at, with --estimator.")] = None,
    tag: Annotated[tuple[str, ...], Parameter(help="Tag the job; repeatable.")] = (),
    max_time: Annotated[int | None, Parameter(help="Let the job use so many seconds at most.")] = None,
    wait: Annotated[
        bool, Parameter(negative="--no-wait", help="Wait for the result, or print the job's id at once.")
    ] = True,
    timeout: Timeout = None,
    plot: Plot = None,
    service: Service = SERVICE,
) -> int:
    """Run a circuit, and show its counts or expectation values."""

    def command(output: Output) -> Awaitable[int]:
        _check(backend=backend, least_busy=least_busy, transpile=transpile, wait=wait, plot=plot)
        _check_primitive(estimator, shots, precision)
        plots.check(plot)
        order = Order(
            program=_read(file),
            backend=backend,
            observables=[_observable(text) for text in estimator],
            shots=shots,
            precision=precision,
            tags=tag,
            max_time=max_time,
            transpile=transpile,
            session=session,
            wait=wait,
            timeout=timeout,
            plot=plot,
        )
        return _carry_out(order, service, output)

    return execute(command, service)


def _check(*, backend: str | None, least_busy: bool, transpile: bool, wait: bool, plot: Path | None) -> None:
    if backend is not None and least_busy:
        raise UsageError("--backend and --least-busy exclude each other")
    if backend is None and not transpile:
        raise UsageError("--no-transpile needs --backend: a circuit that is sent as it is was made for one backend")
    if plot is not None and not wait:
        raise UsageError("--plot needs the result: leave out --no-wait")


def _check_primitive(estimator: tuple[str, ...], shots: int | None, precision: float | None) -> None:
    if estimator and shots is not None:
        raise UsageError("--shots is for sampling; an estimator is told a --precision")
    if precision is not None and not estimator:
        raise UsageError("--precision is for --estimator; sampling is told --shots")


def _read(file: Path) -> str:
    if str(file) == "-":
        return sys.stdin.read()
    if str(file).startswith("-"):
        raise UsageError(f"unknown option {file}; a file of that name is written ./{file}")
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{file} is no text in UTF-8") from None


def _observable(text: str) -> Any:
    if not text.lstrip().startswith(("{", "[")):
        return text.strip()
    try:
        return json.loads(text)
    except ValueError as error:
        raise UsageError(f'--estimator takes a text such as ZZ, or JSON such as {{"ZZ": 1}}: {error}') from None


def declared_qubits(program: str) -> int:
    """Return how many qubits a program declares, 1 where its declarations are not plain numbers."""
    sizes = [int(new or old or 1) for new, old in _QUBITS.findall(program)]
    return max(1, sum(sizes))


async def _carry_out(order: Order, service: Service, output: Output) -> int:
    async with connected(service, output) as client:
        name = order.backend or (await client.backends.least_busy(min_qubits=declared_qubits(order.program))).name
        circuit = await _prepared(order, client, name, output)
        if not order.session:
            await _finish(await _submit(order, circuit, client, name), order, name, None, output)
            return ExitStatus.OK
        async with client.session(name) as session:
            output.note(f"session {session.id}")
            await _finish(await _submit_to(session, order, circuit), order, name, session.id, output)
    return ExitStatus.OK


async def _prepared(order: Order, client: Client, backend: str, output: Output) -> str | IsaCircuit:
    if not order.transpile:
        return order.program
    with output.progress(f"transpiling for {backend}"):
        [circuit] = await client.transpile([order.program], backend=backend)
    return circuit


async def _submit(order: Order, circuit: str | IsaCircuit, client: Client, backend: str) -> Job[Any]:
    if order.observables:
        return await client.estimator(
            [(circuit, _shaped(order.observables))],
            backend=backend,
            precision=order.precision,
            tags=order.tags,
            max_time=order.max_time,
        )
    return await client.sampler([circuit], backend=backend, shots=order.shots, tags=order.tags, max_time=order.max_time)


async def _submit_to(session: Session, order: Order, circuit: str | IsaCircuit) -> Job[Any]:
    if order.observables:
        return await session.estimator(
            [(circuit, _shaped(order.observables))],
            precision=order.precision,
            tags=order.tags,
            max_time=order.max_time,
        )
    return await session.sampler([circuit], shots=order.shots, tags=order.tags, max_time=order.max_time)


def _shaped(observables: list[Any]) -> Any:
    """Return one observable as itself, so that its value has no index, and more as a list."""
    return observables[0] if len(observables) == 1 else observables


async def _finish(job: Job[Any], order: Order, backend: str, session: str | None, output: Output) -> None:
    found = None
    if order.wait:
        output.note(f"job {job.id} on {backend}")
        found = await awaited(job, output, order.timeout)
    if output.json:
        status = JobStatus.COMPLETED if order.wait else JobStatus.QUEUED
        names = {"job": job.id, "backend": backend, "session": session, "status": status.value}
        output.document({**names, "result": document(found)})
    elif order.wait:
        show(found, output)
    else:
        output.text(job.id)
    await draw(found, order.plot, output)
