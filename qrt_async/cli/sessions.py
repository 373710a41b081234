"""``qrt sessions``."""

from __future__ import annotations

import asyncio
import datetime as dt
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Annotated

import attrs
from cyclopts import App, Parameter

from qrt_async.cli.documents import document
from qrt_async.cli.execution import execute
from qrt_async.cli.exit import ExitStatus
from qrt_async.cli.jobs import age
from qrt_async.cli.options import SERVICE, Service
from qrt_async.cli.output import Output
from qrt_async.cli.service import account_of
from qrt_async.client import Client
from qrt_async.errors import NotFound, QrtError, UsageError
from qrt_async.models.usage import Workload, WorkloadFilter
from qrt_async.wire.dialect import Platform

_OPEN = ("pending", "in_progress")
_HEADS = ("ID", "MODE", "STATUS", "BACKEND", "AGE")

sessions: App = App(name="sessions", help="List sessions and batches, or end all that are open.")


@sessions.default
def list_sessions(
    *,
    closed: Annotated[bool, Parameter(help="Show those that are closed as well.")] = False,
    limit: Annotated[int, Parameter(help="Show so many at most.", show_default=True)] = 20,
    service: Service = SERVICE,
) -> int:
    """List the sessions and batches that are open, the newest first."""

    async def command(output: Output) -> int:
        if limit < 1:
            raise UsageError(f"--limit is at least 1, not {limit}")
        async with _todays(service, output) as client:
            found = (await _found(client, open_only=not closed))[:limit]
        if output.json:
            output.document({"sessions": document(found)})
        else:
            output.table(_HEADS, _rows(found), otherwise="No session is open." if not closed else "No session.")
        return 0

    return execute(command, service)


@sessions.command
def close_all(
    *,
    now: Annotated[bool, Parameter(help="Drop the jobs that still wait, instead of letting them run.")] = False,
    yes: Annotated[bool, Parameter(help="Do not ask; needed where there is nobody to be asked.")] = False,
    service: Service = SERVICE,
) -> int:
    """
    End all sessions and batches of the instance that are open, whoever opened them.

    They take no more jobs, and close as soon as those that wait have run.
    """

    async def command(output: Output) -> int:
        async with _todays(service, output) as client:
            found = await _found(client, open_only=True)
            if found and not yes:
                await _ask(found, output)
            outcomes = await asyncio.gather(*(_ended(client, session, now=now) for session in found))
        if output.json:
            output.document({"sessions": [attrs.asdict(outcome) for outcome in outcomes]})
        else:
            rows = ((outcome.id, outcome.error or "ended") for outcome in outcomes)
            output.table(("ID", "OUTCOME"), rows, otherwise="No session is open.")
        return ExitStatus.REFUSED if any(outcome.error for outcome in outcomes) else ExitStatus.OK

    return execute(command, service)


@attrs.frozen
class Outcome:
    """What became of one session that was to be ended; `error` is None where it takes no more jobs."""

    id: str
    error: str | None = None


@asynccontextmanager
async def _todays(service: Service, output: Output) -> AsyncGenerator[Client, None]:
    async with account_of(service, output) as account:
        if account.platform is Platform.LEGACY:
            raise UsageError("the legacy platform does not list sessions: end them by their ids, from Python")
        async with Client(account) as client:
            yield client


async def _found(client: Client, *, open_only: bool) -> list[Workload]:
    statuses = _OPEN if open_only else ()
    found = [
        session
        for mode in ("session", "batch")
        async for session in client.workloads.list(WorkloadFilter(mode=mode, statuses=statuses, oldest_first=False))
    ]
    return sorted(found, key=lambda session: session.created, reverse=True)


async def _ask(found: list[Workload], output: Output) -> None:
    if not sys.stdin.isatty():
        raise UsageError(f"{len(found)} sessions are open: repeat it with --yes to end them")
    output.table(_HEADS, _rows(found), otherwise="")
    output.err.print(f"End these {len(found)} sessions? [y/N] ", end="")
    if (await _line()).strip().lower() not in {"y", "yes"}:
        raise UsageError("nothing was ended")


async def _line() -> str:
    """Return a line that is typed; unlike a thread that reads, this can be interrupted."""
    loop = asyncio.get_running_loop()
    typed = asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), typed.set)
    try:
        await typed.wait()
    finally:
        loop.remove_reader(sys.stdin.fileno())
    return sys.stdin.readline()


async def _ended(client: Client, session: Workload, *, now: bool) -> Outcome:
    try:
        await (client.sessions.cancel if now else client.sessions.drain)(session.id)
    except NotFound:
        return Outcome(session.id)  # gone, which is what was wanted
    except QrtError as error:
        return Outcome(session.id, f"may still be billed: {error}")
    return Outcome(session.id)


def _rows(found: Sequence[Workload]) -> list[tuple[object, ...]]:
    now = dt.datetime.now(dt.UTC)
    return [(one.id, one.mode, one.status, one.backend, age(one.created, now)) for one in found]
