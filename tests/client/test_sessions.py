"""Sessions end, whatever happens to their block."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from qrt_async import (
    BadRequest,
    Client,
    Forbidden,
    Journal,
    ServerError,
    ServiceWarning,
    SessionMode,
    SessionNotEnded,
    SessionUncertain,
    UsageError,
)
from qrt_async.emulator import Emulator
from qrt_async.hooks import Event, SessionEnded, SessionLapsing
from qrt_async.options import SessionEnd
from tests.bulk.machine import ManualClock
from tests.client.conftest import FakeClock
from tests.client.scripted import CRN, Answer, Service, after, cut, hang_up, job, reply

OPEN = "POST /api/v1/sessions"
DRAIN = "PATCH /api/v1/sessions/s"
CLOSE = "DELETE /api/v1/sessions/s/close"
WORKLOADS = "GET /api/v1/workloads"


@pytest.fixture(autouse=True)
def sessions(service: Service) -> None:
    """Script a service that opens and ends sessions."""
    service.on(OPEN, reply(body={"id": "s", "backend_name": None, "mode": "dedicated"}))
    service.on(DRAIN, reply(204))
    service.on(CLOSE, reply(204))
    service.on("POST /api/v1/jobs", reply(body={"id": "j", "session_id": "s"}))


def ended(service: Service) -> tuple[int, int]:
    """Return how often the session was drained and closed."""
    return len(service.asked(DRAIN)), len(service.asked(CLOSE))


async def test_a_session_that_succeeded_is_drained(service: Service, clock: FakeClock) -> None:
    """Jobs carry the session's id, and what is queued at the end still runs."""
    async with (
        Client(service.account(), clock=clock) as client,
        client.session("ibm_fez", mode="batch", max_time=600) as session,
    ):
        await session.sampler(["x"])
        await session.estimator([("x", "Z")])
        assert (session.id, session.backend, session.mode) == ("s", "ibm_fez", SessionMode.BATCH)

    assert service.asked(OPEN)[0].json == {"backend": "ibm_fez", "mode": "batch", "max_ttl": 600}
    assert [one.json["session_id"] for one in service.asked("POST /api/v1/jobs")] == ["s", "s"]
    assert service.asked(DRAIN)[0].json == {"accepting_jobs": False}
    assert ended(service) == (1, 0)


@pytest.mark.parametrize(("mode", "calls"), [("dedicated", (0, 1)), ("batch", (1, 0))])
async def test_a_failed_block_closes_what_is_billed(
    service: Service, clock: FakeClock, mode: str, calls: tuple[int, int]
) -> None:
    """After an error a dedicated session is closed at once, a batch drained; the error comes out."""
    async with Client(service.account(), clock=clock) as client:
        with pytest.raises(ZeroDivisionError):
            async with client.session("ibm_fez", mode=mode):
                raise ZeroDivisionError

    assert ended(service) == calls


async def test_a_cancelled_block_closes_its_session(service: Service, clock: FakeClock) -> None:
    """Cancellation inside the block, and again while the session is being closed, does not leave it open."""
    gate = asyncio.Event()
    service.on(CLOSE, after(gate, reply(204)))
    entered = asyncio.Event()

    async def work(client: Client) -> None:
        async with client.session("ibm_fez"):
            entered.set()
            await asyncio.Event().wait()

    async with Client(service.account(), clock=clock) as client:
        task = asyncio.create_task(work(client))
        await entered.wait()
        task.cancel()
        while not service.asked(CLOSE):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.sleep(0)
        assert not task.done()
        gate.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    assert ended(service) == (0, 1)


async def test_cancellation_while_a_session_is_made_closes_it(service: Service, clock: FakeClock) -> None:
    """A session that the service makes for a caller who has left is closed."""
    gate = asyncio.Event()
    service.on(OPEN, after(gate, reply(body={"id": "s"})))

    async def work(client: Client) -> None:
        async with client.session("ibm_fez"):
            raise AssertionError("never entered")

    async with Client(service.account(), clock=clock) as client:
        task = asyncio.create_task(work(client))
        while not service.asked(OPEN):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.sleep(0)
        gate.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    assert ended(service) == (0, 1)


@pytest.mark.parametrize("answer", [reply(404), reply(405)])
async def test_a_session_without_draining_is_closed(service: Service, clock: FakeClock, answer: Answer) -> None:
    """A service that does not know how to drain is asked to close."""
    service.on(DRAIN, answer)
    async with Client(service.account(), clock=clock) as client, client.session("ibm_fez"):
        pass

    assert ended(service) == (1, 1)


async def test_a_session_that_is_gone_has_ended(service: Service, clock: FakeClock) -> None:
    """Where the service does not know the session any more, all is well."""
    service.on(DRAIN, reply(404))
    service.on(CLOSE, reply(404))
    async with Client(service.account(), clock=clock) as client, client.session("ibm_fez"):
        pass

    assert ended(service) == (1, 1)


async def test_a_session_that_cannot_be_ended_is_reported(service: Service, clock: FakeClock) -> None:
    """The error names the session, and where the block failed it is a note on the block's own error."""
    service.on(DRAIN, reply(400, "no"))
    service.on(CLOSE, reply(400, "no"))
    async with Client(service.account(), clock=clock) as client:
        with pytest.raises(SessionNotEnded, match="session s could not be ended") as caught:
            async with client.session("ibm_fez"):
                pass
        with pytest.warns(ServiceWarning, match="may still be billed"), pytest.raises(ZeroDivisionError) as failed:
            async with client.session("ibm_fez"):
                raise ZeroDivisionError

    assert caught.value.session_id == "s"
    assert "session s could not be ended" in failed.value.__notes__[0]


async def test_a_refused_session_is_the_services_error(service: Service, clock: FakeClock) -> None:
    """On the Open plan dedicated sessions are refused, and the reason comes out."""
    message = "You are not authorized to run a session when using the open plan."
    service.on(OPEN, reply(400, {"errors": [{"code": 1352, "message": message}]}))
    async with Client(service.account(), clock=clock) as client:
        with pytest.raises(BadRequest, match="open plan") as caught:
            async with client.session("ibm_fez"):
                raise AssertionError("never entered")

    assert caught.value.code == 1352
    assert ended(service) == (0, 0)


async def test_a_session_is_for_its_block_alone(service: Service, clock: FakeClock) -> None:
    """Before and after the block there is nothing to submit to, and no session is entered twice."""
    async with Client(service.account(), clock=clock) as client:
        session = client.session("ibm_fez")
        with pytest.raises(UsageError, match="not open yet"):
            await session.sampler(["x"])
        async with session:
            with pytest.raises(UsageError, match="entered once"):
                await session.__aenter__()
        with pytest.raises(UsageError, match="has ended"):
            await session.sampler(["x"])

    assert len(service.asked(OPEN)) == 1


@pytest.mark.parametrize("mode", ["", "interactive", "DEDICATED"])
async def test_an_unknown_mode_is_refused(service: Service, mode: str) -> None:
    """The service answers an unknown mode with a bare server error, so it is refused here."""
    async with Client(service.account()) as client:
        with pytest.raises(UsageError, match="mode"):
            client.session("ibm_fez", mode=mode)

    assert service.seen == []


@pytest.mark.parametrize("mode", ["dedicated", "batch"])
@pytest.mark.parametrize(("on_error", "calls"), [("drain", (1, 0)), ("cancel", (0, 1))])
async def test_on_error_says_how_a_failed_block_ends(
    service: Service, clock: FakeClock, mode: str, on_error: SessionEnd, calls: tuple[int, int]
) -> None:
    """The caller's choice replaces the rule of the mode after an error, and changes nothing after a success."""
    async with Client(service.account(), clock=clock) as client:
        with pytest.raises(ZeroDivisionError):
            async with client.session("ibm_fez", mode=mode, on_error=on_error):
                raise ZeroDivisionError
        assert ended(service) == calls
        async with client.session("ibm_fez", mode=mode, on_error=on_error):
            pass

    assert ended(service) == (calls[0] + 1, calls[1])


@pytest.mark.parametrize("on_error", ["", "close", True, 1])
async def test_a_bad_end_is_refused(service: Service, on_error: Any) -> None:
    """What is neither `drain` nor `cancel` is refused before anything is sent."""
    async with Client(service.account()) as client:
        with pytest.raises(UsageError, match="on_error"):
            client.session("ibm_fez", on_error=on_error)

    assert service.seen == []


async def test_a_keyboard_interrupt_ends_the_session(service: Service, clock: FakeClock) -> None:
    """Ctrl-C inside the block comes out of it, and the session is closed before."""
    async with Client(service.account(), clock=clock) as client:
        with pytest.raises(KeyboardInterrupt):
            async with client.session("ibm_fez"):
                raise KeyboardInterrupt

    assert ended(service) == (0, 1)


def workload(name: str, mode: str, **fields: Any) -> dict[str, Any]:
    """Return a session as the list of workloads shows it."""
    shown = {"id": name, "mode": mode, "status": "in_progress", "created": "2026-01-01T00:00:00Z"}
    return shown | {"backend": "ibm_fez", "accepting_jobs": True} | fields


def listing(*rows: dict[str, Any]) -> Answer:
    """Answer with those of the rows that have the wanted mode."""

    async def answer(request: web.Request) -> web.StreamResponse:
        return web.json_response({"workloads": [row for row in rows if row["mode"] == request.query["mode"]]})

    return answer


@pytest.mark.parametrize("lost", [reply(504, "<html>late</html>"), cut(b"{", 50), hang_up(), reply(200, "so be it")])
async def test_a_lost_creation_names_its_candidates(service: Service, clock: FakeClock, lost: Answer) -> None:
    """Where the reply of a creation was lost it is not sent again, and nothing that may be another's is closed."""
    service.on(OPEN, lost)
    service.on(
        WORKLOADS,
        listing(
            workload("s1", "session"),
            workload("s2", "session", backend="ibm_miami"),
            workload("s3", "session", ended="2026-01-01T00:01:00Z"),
            workload("s4", "session", accepting_jobs=False),
            workload("b1", "batch"),
            workload("j1", "job"),
        ),
    )
    async with Client(service.account(), clock=clock) as client:
        with pytest.raises(SessionUncertain, match="ends after 60 s at the latest") as caught:
            async with client.session("ibm_fez", max_time=60):
                raise AssertionError("never entered")

    assert caught.value.candidates == ("s1",)
    assert len(service.asked(OPEN)) == 1
    assert [one.method for one in service.seen if one.method in {"PATCH", "DELETE"}] == []


async def test_a_lost_creation_whose_candidates_nobody_lists(service: Service, clock: FakeClock) -> None:
    """That the list fails as well hides nothing of what is uncertain."""
    service.on(OPEN, reply(502))
    service.on(WORKLOADS, reply(500))
    async with Client(service.account(), clock=clock) as client:
        with pytest.raises(SessionUncertain, match="HTTP 502") as caught:
            await client.sessions.create("ibm_fez", mode="batch")

    assert caught.value.candidates == ()


async def test_a_creation_that_certainly_failed_is_sent_again(service: Service, clock: FakeClock) -> None:
    """A 429 opened nothing, so that another attempt is safe."""
    service.on(OPEN, reply(429, {}, Retry_After="3"), reply(body={"id": "s"}))
    async with Client(service.account(), clock=clock) as client, client.session("ibm_fez"):
        assert len(service.asked(OPEN)) == 2


@pytest.mark.parametrize("drain", [False, True])
async def test_all_that_is_open_is_ended(service: Service, clock: FakeClock, drain: bool) -> None:
    """Every open session and batch is ended in one way or the other, and each failure stands beside its id."""
    service.on(WORKLOADS, listing(*(workload(f"s{i}", "session") for i in range(2)), workload("b", "batch")))
    way = ("PATCH", "") if drain else ("DELETE", "/close")
    routes = [f"{way[0]} /api/v1/sessions/{name}{way[1]}" for name in ("s0", "s1", "b")]
    for route, answer in zip(routes, (reply(204), reply(403, {}), reply(204)), strict=True):
        service.on(route, answer)
    async with Client(service.account(), clock=clock) as client:
        outcomes = {one.session_id: one for one in await client.sessions.close_all(drain=drain)}

    assert {name: one.ended for name, one in outcomes.items()} == {"s0": True, "s1": False, "b": True}
    assert isinstance(outcomes["s1"].error, Forbidden)
    assert [len(service.asked(route)) for route in routes] == [1, 1, 1]


async def test_the_legacy_platform_lists_no_sessions(service: Service) -> None:
    """Where sessions cannot be listed, `close_all` says what to do instead, and sends nothing."""
    async with Client(service.legacy_account()) as client:
        with pytest.raises(UsageError, match="by their ids"):
            await client.sessions.close_all()

    assert service.seen == []


async def test_a_service_that_is_down_is_asked_again(service: Service, clock: FakeClock) -> None:
    """Ending a session outlives failures that pass, and gives up within the time for closing."""
    told: list[Event] = []
    service.on(DRAIN, reply(503), hang_up(), reply(502), reply(204))
    async with Client(service.account(), clock=clock, hooks=[told.append]) as client:
        async with client.session("ibm_fez"):
            pass
        assert ended(service) == (4, 0)
        assert [one.error for one in told if isinstance(one, SessionEnded)] == [None]
        service.on(DRAIN, reply(503))
        began = clock.now
        with pytest.raises(SessionNotEnded):
            await client.sessions.end("s", "drain", timeout=30)

    assert 0 < clock.now - began <= 30
    assert [type(one.error) for one in told if isinstance(one, SessionEnded)][1:] == [ServerError]


async def test_a_cancellation_is_not_lost_where_the_end_fails(service: Service, clock: FakeClock) -> None:
    """Who is cancelled while a session cannot be ended is cancelled, and what is open is told in a warning."""
    gate = asyncio.Event()
    service.on(DRAIN, after(gate, reply(403, {})))

    async def work(client: Client) -> None:
        async with client.session("ibm_fez"):
            pass

    async with Client(service.account(), clock=clock) as client:
        task = asyncio.create_task(work(client))
        while not service.asked(DRAIN):
            await asyncio.sleep(0)
        with pytest.warns(ServiceWarning, match="session s could not be ended"):
            task.cancel()
            await asyncio.sleep(0)
            gate.set()
            with pytest.raises(asyncio.CancelledError):
                await task


async def test_a_cancelled_creation_that_cannot_be_undone_is_told(service: Service, clock: FakeClock) -> None:
    """A session that was opened for a caller who has left, and cannot be closed, is told in a warning."""
    gate = asyncio.Event()
    service.on(OPEN, after(gate, reply(body={"id": "s"})))
    service.on(CLOSE, reply(403, {}))

    async def work(client: Client) -> None:
        async with client.session("ibm_fez"):
            raise AssertionError("never entered")

    async with Client(service.account(), clock=clock) as client:
        task = asyncio.create_task(work(client))
        while not service.asked(OPEN):
            await asyncio.sleep(0)
        with pytest.warns(ServiceWarning, match="session s could not be ended"):
            task.cancel()
            await asyncio.sleep(0)
            gate.set()
            with pytest.raises(asyncio.CancelledError):
                await task


async def left_in(path: Path) -> list[str | None]:
    """Return the ids of the sessions that a journal holds as open, None where nobody knows the id."""
    async with Journal(path) as journal:
        runs = await journal.abandoned_runs()
        return [entry.session_id for run_id in runs for entry in await journal.open_sessions(run_id)]


async def test_the_journal_knows_what_is_open(service: Service, clock: FakeClock, tmp_path: Path) -> None:
    """A session stands in the journal from before its creation until its end, however it was ended."""
    path = tmp_path / "journal.db"
    service.on(WORKLOADS, listing())
    async with Client(service.account(), clock=clock, journal=path) as client:
        async with client.session("ibm_fez"):
            pass
        await client.sessions.create("ibm_fez")
        await client.sessions.cancel("s")
        service.on(DRAIN, reply(404))
        service.on(CLOSE, reply(404))
        async with client.session("ibm_fez"):
            pass
        service.on(OPEN, reply(400, {}))
        with pytest.raises(BadRequest):
            await client.sessions.create("ibm_fez")
    assert await left_in(path) == []

    async with Client(service.account(), clock=clock, journal=path) as client:
        service.on(OPEN, reply(body={"id": "open"}))
        await client.sessions.create("ibm_fez")
        service.on(OPEN, reply(503))
        with pytest.raises(SessionUncertain):
            await client.sessions.create("ibm_fez")
    assert sorted(await left_in(path), key=str) == [None, "open"]


def idle_watches() -> list[asyncio.Task[Any]]:
    """Return the tasks that watch over idle sessions."""
    return [task for task in asyncio.all_tasks() if task.get_name().startswith("qrt_async idle")]


async def turns() -> None:
    """Let what can go on go on."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_an_idle_session_warns_before_it_lapses(service: Service) -> None:
    """Ten seconds before the time for idle sessions is over, once each time that the session has no job."""
    clock, told = ManualClock(), list[Event]()
    service.on(OPEN, reply(body={"id": "s", "interactive_ttl": 60}))
    service.on("GET /api/v1/jobs/j", job("Completed"))

    def lapsing() -> list[SessionLapsing]:
        return [one for one in told if isinstance(one, SessionLapsing)]

    async def passes(seconds: float) -> int:
        clock.advance(seconds)
        await turns()
        return len(lapsing())

    async with Client(service.account(), clock=clock, hooks=[told.append]) as client:
        with pytest.warns(ServiceWarning, match="session s has no job") as warned:
            async with client.session("ibm_fez") as session:
                await turns()
                assert [await passes(49), await passes(1), await passes(1000)] == [0, 1, 1]
                one = await session.sampler(["x"])
                assert await passes(1000) == 1
                await one.wait()
                await turns()
                assert [await passes(49), await passes(1), await passes(1000)] == [1, 2, 2]

    assert lapsing() == [SessionLapsing(session_id="s", seconds=10)] * 2
    assert len(warned) == 2


async def test_a_session_that_has_ended_does_not_lapse(service: Service, clock: FakeClock) -> None:
    """A job whose end is seen after the block starts no watch, since there is nothing to lapse."""
    service.on(OPEN, reply(body={"id": "s", "interactive_ttl": 60}))
    service.on("GET /api/v1/jobs/j", job("Completed"))
    async with Client(service.account(), clock=ManualClock()) as client:
        async with client.session("ibm_fez") as session:
            one = await session.sampler(["x"])
        await one.wait()
        assert idle_watches() == []


RECIPE = """
import asyncio, signal, sys
import qrt_async as qrt

async def main() -> None:
    task = asyncio.current_task()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    url = sys.argv[1]
    account = qrt.Account.ibm_quantum("sigterm-key", sys.argv[2], api_url=f"{url}/api/v1", iam_url=url)
    async with qrt.Client(account) as client, client.session("ibm_hanoi") as session:
        print(session.id, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_sigterm_ends_the_session_where_the_recipe_is_followed() -> None:
    """A process that is told to end closes its session before it does: the service has none open afterwards."""
    async with Emulator(backends=["ibm_hanoi"], workers=1, in_process=True) as emulator:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", RECIPE, emulator.url, CRN, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert process.stdout is not None
        session_id = (await process.stdout.readline()).decode().strip()
        assert (await emulator.ledger()).open_sessions == (session_id,)
        process.terminate()
        _, complaint = await process.communicate()
        bill = await emulator.ledger()

    assert bill.open_sessions == ()
    assert process.returncode == 1
    assert b"CancelledError" in complaint
