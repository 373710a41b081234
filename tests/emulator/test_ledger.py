"""The ledger that assertions are made on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aiohttp
import pytest

from qrt_async.emulator import Bill, BilledJob, Controls, Cut, Emulator, Fault, HangUp, RecordedRequest, Work, bill
from qrt_async.emulator.bill import content_of
from qrt_async.emulator.books import Books
from qrt_async.emulator.ledger import Ledger
from qrt_async.emulator.settings import Settings
from tests.emulator.service import CRN, OTHER_CRN, PROGRAM, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from qrt_async.emulator.devices import Device
    from tests.emulator.service import Bench

OTHER_PROGRAM = PROGRAM.replace("x $0", "x $1")


@pytest.fixture
async def recording(snapshots: dict[str, Device]) -> AsyncIterator[Bench]:
    """Start a server that keeps the requests it gets."""
    async with running(snapshots, Settings(record=True)) as bench:
        yield bench


def job(job_id: str, *pubs: str, status: str = "Queued") -> BilledJob:
    """Make a job of a bill."""
    return BilledJob(job_id, "ibm_fez", status, (), None, pubs, 0)


def test_pubs_are_compared_by_what_they_ask_for() -> None:
    """Spellings of one PUB are equal; another program, value or number of shots is another PUB."""

    def one(pub: object, program: str = "sampler") -> tuple[str, ...]:
        return content_of(program, {"pubs": [pub], "version": 2})

    assert one("q") == one(["q"]) == one(["q", None]) == one(["q", None, None])
    assert one(["q", {"a": 1, "b": 2}]) == one(["q", {"b": 2, "a": 1}])
    assert len({one("q"), one("q", "estimator"), one(["q", None, 5]), one(["q", [1]]), one("r")}) == 5
    assert content_of("executor", {"quantum_program": {}}) != content_of("executor", {"quantum_program": {"a": 1}})


def test_duplicates() -> None:
    """Jobs of equal PUBs, and PUBs in several jobs, are duplicates unless all but one were cancelled or failed."""
    found = Bill(
        (
            job("a", "1", "2"),
            job("b", "1", "2", status="Completed"),
            job("c", "3"),
            job("d", "3", status="Cancelled"),
            job("e", "3", status="Failed"),
            job("f", "2", "4", "4"),
        ),
        (),
    )

    assert found.duplicate_jobs == (("a", "b"),)
    assert found.duplicate_pubs == (("a", "b"), ("a", "b", "f"), ("f", "f"))
    assert found.distinct_pubs == 4
    assert found.unfinished_jobs == ("a", "c", "f")


def test_bills_travel_as_json() -> None:
    """A bill is the same after it was written as JSON and read again, bytes of requests included."""
    request = RecordedRequest("POST", "/a", "b=1", (("X", "y"),), bytes(range(256)), None)
    found = Bill((job("a", "1"),), (), (request,), 3)

    assert bill.read(bill.write(found)) == found


async def test_a_bill(bench: Bench) -> None:
    """Jobs of all users and instances are billed, deleted ones too, with what they were charged."""
    first = await bench.run(bench.cloud, quantum_seconds=5)
    await bench.cloud.delete(f"/jobs/{first}")
    second = await bench.cloud.under(Service_CRN=OTHER_CRN).submit(tags=["t"])
    third = await bench.legacy.submit(params={"pubs": [[OTHER_PROGRAM]], "version": 2}, backend="ibm_hanoi")
    fourth = await bench.cloud.submit()
    await bench.cloud.post(f"/jobs/{fourth}/cancel")

    found = await Controls(bench.url).ledger()

    assert [(one.id, one.status, one.seconds) for one in found.jobs] == [
        (first, "Completed", 6),
        (second, "Queued", 0),
        (third, "Queued", 0),
        (fourth, "Cancelled", 0),
    ]
    assert found.jobs[1].tags == ("t",)
    assert found.quantum_seconds == 6
    assert found.distinct_pubs == 2
    assert found.duplicate_jobs == ((first, second),)
    assert found.unfinished_jobs == (second, third)


async def test_private_jobs_are_compared_too(bench: Bench) -> None:
    """A private job's PUBs are known to the ledger after the service has forgotten them."""
    for _ in range(2):
        await bench.run(bench.cloud, private=True)

    assert len((await Controls(bench.url).ledger()).duplicate_jobs) == 1


async def test_open_sessions(bench: Bench) -> None:
    """Sessions are open until they are closed, drained or over."""
    ids = [
        (await bench.cloud.post("/sessions", json={"mode": "batch", "backend": "ibm_fez"})).json["id"] for _ in range(3)
    ]
    await bench.cloud.delete(f"/sessions/{ids[0]}/close")
    await bench.cloud.call("PATCH", f"/sessions/{ids[1]}", json={"accepting_jobs": False})

    found = await Controls(bench.url).ledger()

    assert found.open_sessions == (ids[2],)
    assert [one.state for one in found.sessions] == ["closed", "closed", "open"]


async def test_recorded_requests(recording: Bench) -> None:
    """Requests are kept as they arrived, with the status of the reply, and without those that steer the emulator."""
    controls = Controls(recording.url)
    await recording.cloud.get("/jobs?limit=1&tags=a%20b")
    await controls.inject(
        Fault("POST /jobs", HangUp(), work=Work.DONE),
        Fault("GET /jobs", Cut(1), times=1),
        Fault("GET /jobs", ignore=("x",)),
    )
    with pytest.raises(aiohttp.ClientError):
        await recording.cloud.submit(tags=["mine"])
    with pytest.raises(aiohttp.ClientError):
        await recording.cloud.get("/jobs")
    await recording.cloud.get("/jobs")

    requests = (await controls.ledger()).requests

    assert [(one.method, one.path, one.query, one.status) for one in requests] == [
        ("GET", "/api/v1/jobs", "limit=1&tags=a%20b", 200),
        ("POST", "/api/v1/jobs", "", None),
        ("GET", "/api/v1/jobs", "", 200),
        ("GET", "/api/v1/jobs", "", 200),
    ]
    assert ("Service-CRN", CRN) in requests[0].headers
    assert b'"mine"' in requests[1].body


async def test_requests_that_were_not_recorded(bench: Bench) -> None:
    """Asking for requests of an emulator that keeps none is an error, not an empty list."""
    found = await Controls(bench.url).ledger()

    with pytest.raises(RuntimeError, match="record=True"):
        _ = found.requests


async def test_recording_is_bounded() -> None:
    """When there are too many requests or bytes the oldest leave, and are counted."""
    books = Books(record=True, most_requests=3, most_bytes=100)
    for size in (1, 1, 1, 1, 80, 200):
        books.record(RecordedRequest("POST", "/", "", (), bytes(size), 200))
        if size == 80:
            partial = await books.bill(Ledger(), [])
    found = await books.bill(Ledger(), [])

    assert [len(one.body) for one in partial.requests] == [1, 1, 80]
    assert (len(found.requests), found.forgotten_requests) == (0, 6)


async def test_the_ledger_is_the_same_in_every_process() -> None:
    """An emulator in this process and one in its own give the same ledger."""
    for in_process in (False, True):
        async with (
            Emulator(backends=["ibm_hanoi"], workers=1, record=True, in_process=in_process) as emulator,
            aiohttp.ClientSession(emulator.url) as http,
        ):
            order = {"program_id": "sampler", "backend": "ibm_hanoi", "hub": "h", "group": "g", "project": "p"}
            params = {"pubs": [[PROGRAM]], "version": 2}
            async with http.post(
                "/runtime/jobs", json=order | {"params": params}, headers={"x-access-token": "k"}
            ) as reply:
                job_id = (await reply.json())["id"]

            found = await emulator.ledger()

            assert [one.id for one in found.jobs] == [job_id]
            assert [one.path for one in found.requests] == ["/runtime/jobs"]
