"""Cancellation of every public coroutine, at every suspension until it ends."""

from __future__ import annotations

import asyncio
import inspect
import itertools
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import attrs
import pytest

from qrt_async import (
    Account,
    Client,
    Job,
    Journal,
    Limits,
    PollPolicy,
    Session,
    Timeouts,
    backends,
    jobs,
    sessions,
    usage,
)
from qrt_async.emulator.devices import Device
from qrt_async.emulator.settings import Settings
from tests.promises.coroutines import ENDS, JOBS, LOCAL, MANY, READS, SESSIONS, SUBMISSIONS, Scenario
from tests.promises.interruption import Interruption, Moment
from tests.promises.machine import CRN, KEY, Server, serving

GROUPS: dict[str, tuple[Sequence[Scenario], int]] = {
    "reads": (READS, 55),
    "jobs": (JOBS, 30),
    "submissions": (SUBMISSIONS, 50),
    "sessions": (SESSIONS, 36),
    "ends": (ENDS, 5),
    "local": (LOCAL, 3),
    "many PUBs": (MANY, 10),
}
"""The calls, and how many points of cancellation each group has at least, for each moment."""

_NUMBERS = itertools.count()
LONG = 1e7
FASTER = 1000.0


@attrs.frozen
class FastClock:
    """The machine's clock, a thousand times as fast, so that a wait for the quota takes some milliseconds."""

    def monotonic(self) -> float:
        """Return the seconds of this clock."""
        return time.monotonic() * FASTER

    async def sleep(self, seconds: float) -> None:
        """Sleep that much shorter."""
        await asyncio.sleep(seconds / FASTER)


_AT_CLIENT: ContextVar[bool] = ContextVar("_AT_CLIENT", default=False)


@attrs.frozen
class Births:
    """Knows the tasks that were begun on the client's side of a test, by whoever is called there."""

    tasks: set[asyncio.Task[Any]] = attrs.field(factory=set[asyncio.Task[Any]])

    def begin(self, loop: asyncio.AbstractEventLoop, work: Any, **how: Any) -> asyncio.Task[Any]:
        """Make a task, as the loop's factory."""
        task: asyncio.Task[Any] = asyncio.Task(work, loop=loop, **how)
        if _AT_CLIENT.get():
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)
        return task


def fast_wall() -> float:
    """Return the seconds of a wall clock that goes as fast."""
    return time.time() * FASTER


@attrs.frozen
class Stage:
    """An emulator, and a client made anew for every cancellation."""

    server: Server
    folder: Path
    births: Births

    def client(self, scenario: Scenario, journal: Journal | None) -> Client:
        """Return a client that sends one request at a time; nothing is sent."""
        url = self.server.url
        if scenario.legacy:
            account = Account.legacy(KEY, "h/g/p", auth_url=f"{url}/api", api_url=f"{url}/runtime", transpiler_url=url)
        else:
            hosts = {"api_url": f"{url}/api/v1", "iam_url": url, "search_url": url, "catalog_url": url}
            version = {} if scenario.api_version is None else {"api_version": scenario.api_version}
            account = Account.ibm_quantum(KEY, CRN, **hosts, **version)
        return Client(
            account,
            limits=Limits(concurrent_requests=1, submissions_per_minute=scenario.quota),
            timeouts=Timeouts(call=LONG, closing=LONG, submission=LONG, results=LONG),
            poll=PollPolicy(max_wait=LONG),
            journal=journal,
            clock=FastClock(),
        )

    async def interrupted(self, scenario: Scenario, interruption: Interruption) -> None:
        """Call, cancel, and look at everything that a cancellation may leave behind."""
        _AT_CLIENT.set(True)
        path = self.folder / f"{next(_NUMBERS)}.db"
        journal = Journal(path, wall=fast_wall) if scenario.journal else None
        client = self.client(scenario, journal)
        try:
            prepared = await self.prepared(scenario, client, path)
            open_before = set((await self.server.bill()).open_sessions)
            call = asyncio.create_task(interruption.run(as_coroutine(scenario.act(client, prepared))))
            await within("the cancelled call ends", call.done)
            assert call.cancelled() is interruption.came
            if not interruption.came:
                call.result()
            if not scenario.closes:
                await asyncio.wait_for(as_coroutine(scenario.after(client, prepared)), 10)
            await within("no task is left", lambda: not self.births.tasks)
        finally:
            await client.aclose()
            if journal:
                await journal.aclose()
        assert self.births.tasks == set()
        await within("no connection is left", lambda: self.server.connections == 0)
        await self.no_session_is_left(open_before)

    async def prepared(self, scenario: Scenario, client: Client, path: Path) -> Any:
        """Make ready what the call needs."""
        if not scenario.by_another:
            return await scenario.prepare(client)
        async with Journal(path, wall=fast_wall) as journal, self.client(scenario, journal) as another:
            return await scenario.prepare(another)

    async def no_session_is_left(self, before: set[str]) -> None:
        """Wait until the sessions that were opened meanwhile are closed; what is drained takes its jobs' time."""
        for _ in range(2000):
            left = set((await self.server.bill()).open_sessions) - before
            if not left:
                return
            await asyncio.sleep(0.001)
        raise AssertionError(f"open sessions: {left}")


async def as_coroutine(work: Any) -> Any:
    """Await anything in a coroutine, so that it can be driven by hand."""
    return await work


async def within(what: str, holds: Callable[[], bool]) -> None:
    """Let the loop go on until something holds, for forty seconds at most."""
    try:
        async with asyncio.timeout(40):
            while not holds():
                await asyncio.sleep(0)
    except TimeoutError:
        raise AssertionError(f"not so: {what}") from None


@pytest.fixture
async def stage(snapshots: dict[str, Device], tmp_path: Path) -> AsyncIterator[Stage]:
    """An emulator whose jobs take some milliseconds."""
    settings = Settings(seed=7, queue_seconds={"ibm_fez": 0.01})
    births = Births()
    asyncio.get_running_loop().set_task_factory(births.begin)
    async with serving(snapshots, settings) as server:
        yield Stage(server, tmp_path, births)


@pytest.mark.parametrize(
    ("group", "moment"),
    [(group, moment) for group in GROUPS for moment in Moment if (group, moment) != ("local", Moment.INSISTENT)],
    ids=lambda given: given.value if isinstance(given, Moment) else given,
)
@pytest.mark.filterwarnings("ignore::qrt_async.ServiceWarning")
async def test_a_cancelled_call_leaves_nothing_behind(stage: Stage, group: str, moment: Moment) -> None:
    """Wherever a call is cancelled, the client works on, and neither task, connection nor session is left."""
    scenarios, floor = GROUPS[group]
    points = 0
    for scenario in scenarios:
        for at in itertools.count(1):
            interruption = Interruption(at, moment)
            try:
                await stage.interrupted(scenario, interruption)
            except BaseException as error:
                error.add_note(f"{scenario.name}, legacy={scenario.legacy}, journal={scenario.journal}: {interruption}")
                raise
            if not interruption.came:
                break
            points += 1
    print(f"\n{group}, {moment.value}: {len(scenarios)} calls cancelled at {points} points")
    assert points >= floor


COLLECTIONS = (
    Client,
    Job,
    Session,
    jobs.Jobs,
    sessions.Sessions,
    backends.Backends,
    usage.OwnInstance,
    usage.Accounts,
    usage.Workloads,
    usage.Analytics,
    usage.LegacyOnly,
)


def test_every_public_coroutine_is_cancelled() -> None:
    """No coroutine and no list of the client is missing among the calls."""
    cancelled = {scenario.name for scenarios, _ in GROUPS.values() for scenario in scenarios}
    public = {
        f"{owner.__name__}.{name}"
        for owner in COLLECTIONS
        for name, member in inspect.getmembers(owner, inspect.isfunction)
        if (not name.startswith("_") or name in {"__aenter__", "__aexit__"})
        and (inspect.iscoroutinefunction(member) or inspect.isasyncgenfunction(member) or is_awaited(member))
    }
    assert public - {"Client.__aenter__"} <= cancelled  # entering a client's block does nothing


def is_awaited(member: Callable[..., Any]) -> bool:
    """Tell whether a plain function gives something to be awaited or iterated over."""
    return str(inspect.signature(member).return_annotation).startswith(("Listing", "AsyncGenerator", "AsyncIterator"))
