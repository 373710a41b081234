"""Sessions end, whatever happens to their block."""

from __future__ import annotations

import asyncio

import pytest

from qrt_async import BadRequest, Client, ServiceWarning, SessionMode, SessionNotEnded, UsageError
from tests.client.conftest import FakeClock
from tests.client.scripted import Answer, Service, after, reply

OPEN = "POST /api/v1/sessions"
DRAIN = "PATCH /api/v1/sessions/s"
CLOSE = "DELETE /api/v1/sessions/s/close"


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
