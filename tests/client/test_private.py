"""The result of a private job: the service gives it once, so it is asked for once, and kept before it is read."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from qrt_async import Client, Intent, Journal, NotFound, Owner, PrivateResultLost, ProtocolError, ResultNotAvailable
from tests.client.conftest import FakeClock
from tests.client.scripted import RESULT, Answer, Service, cut, hang_up, job, reply

JOB = "GET /api/v1/jobs/j"
RESULTS = "GET /api/v1/jobs/j/results"
BODY = json.dumps(RESULT).encode()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the journal's file will be."""
    return tmp_path / "journal.db"


@pytest.fixture(params=[False, True], ids=["without a journal", "with a journal"])
def journal(request: pytest.FixtureRequest, path: Path) -> Path | None:
    """Give a journal's file, or none."""
    return path if request.param else None


@pytest.fixture(autouse=True)
def private_job(service: Service) -> None:
    """Script a private job that is over."""
    service.on("POST /api/v1/jobs", reply(body={"id": "j"}))
    service.on(JOB, job("Completed"))


async def submitted(client: Client) -> Any:
    """Submit a private job."""
    return await client.sampler(["x"], backend="ibm_fez", private=True)


def once(then: Answer) -> tuple[Answer, ...]:
    """Answer the first who asks, and all others as the service does once a private result is gone."""
    return (then, reply(404, {"errors": [{"code": 1291, "message": "gone"}]}))


async def test_a_result_is_asked_for_once(service: Service, clock: FakeClock, journal: Path | None) -> None:
    """However often the caller asks, the wire sees one request, on a connection that ends with it."""
    service.on(RESULTS, *once(reply(body=RESULT)))
    async with Client(service.account(), clock=clock, journal=journal) as client:
        one = await submitted(client)
        first, second = await one.result(), await one.result()

    assert first is second
    assert first[0].data["c"].counts() == {"0": 1, "1": 1}
    assert [asked.headers["Connection"] for asked in service.asked(RESULTS)] == ["close"]


@pytest.mark.parametrize(
    ("answer", "received"),
    [(hang_up(), 0), (cut(b"", 100), 0), (cut(BODY[:20], 100), 20)],
    ids=["hang-up", "headers alone", "half a body"],
)
async def test_a_result_that_was_cut_is_lost_and_said_to_be(
    service: Service, clock: FakeClock, journal: Path | None, answer: Answer, received: int
) -> None:
    """A connection that dies in mid-reply ends the reading: nobody asks again, and the error counts what arrived."""
    service.on(RESULTS, *once(answer))
    async with Client(service.account(), clock=clock, journal=journal) as client:
        with pytest.raises(PrivateResultLost, match="must be run again") as caught:
            await (await submitted(client)).result()

    assert (caught.value.received, caught.value.job_id) == (received, "j")
    assert len(service.asked(RESULTS)) == 1


async def test_a_result_that_is_not_there_yet(service: Service, clock: FakeClock, journal: Path | None) -> None:
    """An empty answer gave nothing away, so that asking again is right."""
    service.on(RESULTS, reply(204), reply(204), *once(reply(body=RESULT)))
    async with Client(service.account(), clock=clock, journal=journal) as client:
        assert len(await (await submitted(client)).result()) == 1

    assert len(service.asked(RESULTS)) == 3


async def test_a_token_that_is_refused_gives_nothing_away(
    service: Service, clock: FakeClock, journal: Path | None
) -> None:
    """A 401 proves that the result was not read, so that it is asked for with the next token."""
    service.on("POST /identity/token", reply(body={"access_token": "t1", "expires_in": 3600}))
    service.on(RESULTS, reply(401, {}), *once(reply(body=RESULT)))
    async with Client(service.account(), clock=clock, journal=journal) as client:
        assert len(await (await submitted(client)).result()) == 1

    assert len(service.asked(RESULTS)) == 2


async def test_what_the_service_calls_private_is_read_so(service: Service, clock: FakeClock, path: Path) -> None:
    """A handle that was made from an id learns from the job itself that its result can be read once."""
    shown = {"id": "j", "program": {"id": "sampler"}, "status": "Completed", "state": {"status": "Completed"}}
    service.on(JOB, reply(body=shown | {"private": True}))
    service.on(RESULTS, *once(reply(body=RESULT)))
    async with Client(service.account(), clock=clock, journal=path) as client:
        assert len(await client.job("j").result()) == 1
        assert len(await client.job("j").result()) == 1

    assert len(service.asked(RESULTS)) == 1


@pytest.mark.parametrize("body", ['{"results": [{"data": {"evs": 1}}]}', "no JSON at all"])
async def test_a_body_that_cannot_be_read_is_kept(service: Service, clock: FakeClock, path: Path, body: str) -> None:
    """What does not decode is a ProtocolError, each time, and its bytes stay in the journal."""
    service.on(RESULTS, *once(reply(200, body)))
    async with Client(service.account(), clock=clock, journal=path) as client:
        one = await submitted(client)
        for _ in range(2):
            with pytest.raises(ProtocolError):
                await one.result()

    async with Journal(path) as journal:
        assert await journal.spooled("j") == body.encode()
    assert len(service.asked(RESULTS)) == 1


async def test_without_a_journal_a_body_that_cannot_be_read_is_gone(service: Service, clock: FakeClock) -> None:
    """There is nowhere to keep it: the first error names the place, the second that there is nothing."""
    service.on(RESULTS, reply(200, "no JSON at all"), reply(204))
    async with Client(service.account(), clock=clock) as client:
        one = await submitted(client)
        with pytest.raises(ProtocolError):
            await one.result()
        with pytest.raises(ResultNotAvailable):
            await one.result()


async def test_a_result_is_on_disk_before_it_is_decoded(service: Service, clock: FakeClock, path: Path) -> None:
    """A large result stands in the journal while the rest of it is still on its way."""
    gate = asyncio.Event()
    large = b'{"results": [], "metadata": {"note": "' + b"x" * 2**20 + b'"}}'

    async def slowly(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": str(len(large))})
        await response.prepare(request)
        await response.write(large[: 2**19])
        await gate.wait()
        await response.write(large[2**19 :])
        return response

    service.on(RESULTS, *once(slowly))
    async with (
        Client(service.account(), clock=clock, journal=path) as client,
        Journal(path) as other,
    ):
        reading = asyncio.create_task((await submitted(client)).result())
        while not (partial := await other.partial("j")):
            await asyncio.sleep(0)
        assert large.startswith(partial)
        assert await other.spooled("j") is None
        gate.set()
        await reading
        assert await other.spooled("j") == large


async def test_what_arrived_outlives_who_read_it(service: Service, clock: FakeClock, path: Path) -> None:
    """A result that a process had taken, and died before it was decoded, is decoded by the next from the journal."""
    dead = Owner(pid=2**22 + 1, nonce="dead", boot="before the reboot", namespace="n", started="1")
    async with Journal(path, owner=dead) as theirs:
        await theirs.intend(Intent(tag="t", run_id="r", digest="d", program="sampler", backend="ibm_fez", private=True))
        await theirs.submitted("t", "j")
        spool = await theirs.spool("j")
        await spool.feed(BODY)
        await spool.finish()
        async with Client(service.account(), clock=clock, journal=path) as client:
            [resumed] = [one async for one in client.resume()]
            assert resumed.result[0].data["c"].counts() == {"0": 1, "1": 1}
            assert [one async for one in client.resume()] == []

    assert service.asked(RESULTS) == []


async def test_half_a_result_of_a_dead_process_is_replaced(service: Service, clock: FakeClock, path: Path) -> None:
    """What a process had taken in part is no result; where the service still has it, it is read as a whole."""
    async with Journal(path) as theirs:
        spool = await theirs.spool("j")
        await spool.feed(b"x" * 2**19)
        assert await theirs.partial("j")
    service.on(RESULTS, *once(reply(body=RESULT)))
    async with Client(service.account(), clock=clock, journal=path) as client:
        assert len(await (await submitted(client)).result()) == 1
    async with Journal(path) as journal:
        assert json.loads(await journal.spooled("j") or b"") == RESULT


async def test_a_cut_reading_is_not_begun_again(service: Service, clock: FakeClock, path: Path) -> None:
    """After a reading that was cut, whoever asks again hears from the service that the result is gone."""
    service.on(RESULTS, *once(hang_up()))
    async with Client(service.account(), clock=clock, journal=path) as client:
        one = await submitted(client)
        with pytest.raises(PrivateResultLost):
            await one.result()
        with pytest.raises(NotFound, match="gone"):
            await one.result()

    assert len(service.asked(RESULTS)) == 2
