"""Waiting for jobs: one list request for many, and nobody who waits is forgotten, misled or kept for ever."""

from __future__ import annotations

import asyncio
import itertools
import tracemalloc
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

import pytest
from aiohttp import web

from qrt_async import (
    Client,
    ClientClosed,
    JobDetails,
    Limits,
    NotFound,
    PollPolicy,
    ProtocolError,
    UnknownJobStatus,
    WaitTimeout,
)
from qrt_async.hooks import Event, JobSeen
from qrt_async.watcher import End
from tests.bulk.machine import ManualClock
from tests.client.conftest import FakeClock
from tests.client.ledger import Ledger
from tests.client.scripted import RESULT, Answer, Service, after, hang_up, job, never, reply, token

LIST = "GET /api/v1/jobs"
JOB = "GET /api/v1/jobs/j"
FREE = Limits(submissions_per_minute=None)
BODY = {"backend": "ibm_fez", "program_id": "sampler"}


@pytest.fixture
def ledger(service: Service) -> Ledger:
    """The jobs of a scripted service, which wait in a queue."""
    return Ledger(service, status="Queued")


def single(service: Service) -> list[str]:
    """Return the paths of the requests for single jobs."""
    return [one.path for one in service.seen if one.method == "GET" and one.path.startswith("/api/v1/jobs/")]


def watchers() -> list[asyncio.Task[Any]]:
    """Return the tasks that look after waiting jobs."""
    return [task for task in asyncio.all_tasks() if task.get_name() == "qrt_async watcher"]


async def until(condition: Callable[[], bool]) -> None:
    """Let the event loop go on until a condition holds."""
    while not condition():
        await asyncio.sleep(0)


def stamped(clock: FakeClock | ManualClock, times: list[float], answer: Answer) -> Answer:
    """Answer, and note when."""

    async def noted(request: web.Request) -> web.StreamResponse:
        times.append(clock.monotonic())
        return await answer(request)

    return noted


async def test_many_waiting_jobs_cost_a_list_a_look(service: Service, clock: FakeClock, ledger: Ledger) -> None:
    """Ten looks at a thousand jobs, and their end, cost at most a fiftieth of a request per job and look."""
    ids = [ledger.add(BODY) for _ in range(1000)]
    ledger.end_at = 10 * 6 + 1
    async with Client(service.account(), clock=clock) as client:
        over = [one.id async for one in client.as_completed([client.job(job_id) for job_id in ids])]

    assert sorted(over) == sorted(ids)
    assert len(service.seen) <= 10 * 1000 / 50
    assert single(service) == []


async def test_jobs_that_were_over_before_are_found_by_lists(
    service: Service, clock: FakeClock, ledger: Ledger
) -> None:
    """Handles on three hundred jobs that ended long ago cost a few lists, not a request for each."""
    ids = [ledger.add(BODY, "Completed") for _ in range(300)]
    async with Client(service.account(), clock=clock) as client:
        over = [one.id async for one in client.as_completed([client.job(job_id) for job_id in ids])]

    assert sorted(over) == sorted(ids)
    assert len(service.asked(LIST)) <= 4
    assert single(service) == []


async def test_few_jobs_are_asked_for_one_by_one(service: Service, clock: FakeClock, ledger: Ledger) -> None:
    """Two jobs are cheaper by their own requests, and no list is read."""
    one, two = ledger.add(BODY, "Completed"), ledger.add(BODY, "Failed")
    async with Client(service.account(), clock=clock) as client:
        ends = await asyncio.gather(client.job(one).wait(), client.job(two).wait())

    assert [end.status for end in ends] == ["Completed", "Failed"]
    assert single(service) == [f"/api/v1/jobs/{one}", f"/api/v1/jobs/{two}"]
    assert service.asked(LIST) == []


async def test_jobs_of_different_ages_share_their_looks(service: Service, ledger: Ledger) -> None:
    """While the service is down, jobs that came at different times are looked for together, not each in its turn."""
    clock = ManualClock()
    ids = [ledger.add(BODY) for _ in range(20)]
    async with Client(service.account(), clock=clock) as client:
        waits = []
        for job_id in ids:
            waits.append(asyncio.create_task(client.job(job_id).wait(timeout=100)))
            await asyncio.sleep(0)
            clock.advance(0.01)
        await until(lambda: len(service.asked(LIST)) > 0)
        service.on(LIST, reply(503))
        for _ in range(1000):
            clock.advance(0.1)
            for _ in range(10):
                await asyncio.sleep(0)
        ended = await asyncio.gather(*waits, return_exceptions=True)

    assert {type(one) for one in ended} == {WaitTimeout}
    assert len(service.seen) < 60


@pytest.mark.parametrize("count", [1, 5])
async def test_a_job_of_ours_may_lag(service: Service, clock: FakeClock, ledger: Ledger, count: int) -> None:
    """A job that this client made, and that no list and no request shows for a moment, is waited for."""
    lagging = [reply(404)] * 3
    async with Client(service.account(), clock=clock, limits=FREE) as client:
        jobs = [await client.sampler(["x"], backend="ibm_fez") for _ in range(count)]
        ledger.unlisted.update(ledger.jobs)
        for one in jobs:
            ledger.end(one.id, "Completed")
            service.on(f"GET /api/v1/jobs/{one.id}", *lagging, ledger.get)
        ends = await asyncio.gather(*(one.wait() for one in jobs))

    assert [end.status for end in ends] == ["Completed"] * count
    assert clock.now < 1030


@pytest.mark.parametrize("count", [1, 5])
async def test_a_job_of_ours_that_never_appears(service: Service, clock: FakeClock, ledger: Ledger, count: int) -> None:
    """After half a minute a job that the service does not know is an error, also where this client made it."""
    async with Client(service.account(), clock=clock, limits=FREE) as client:
        jobs = [await client.sampler(["x"], backend="ibm_fez") for _ in range(count)]
        for job_id in list(ledger.jobs):
            service.on(f"GET /api/v1/jobs/{job_id}", reply(404))
        ledger.jobs.clear()
        found = await asyncio.gather(*(one.wait() for one in jobs), return_exceptions=True)

    assert {type(one) for one in found} == {NotFound}
    assert 1030 <= clock.now < 1060


@pytest.mark.parametrize("others", [0, 5])
async def test_an_unknown_id_is_an_error_at_once(
    service: Service, clock: FakeClock, ledger: Ledger, others: int
) -> None:
    """A job that this client has not made and the service does not know is not waited for, among others as alone."""
    ids = [ledger.add(BODY) for _ in range(others)]
    async with Client(service.account(), clock=clock) as client:
        waits = [asyncio.create_task(client.job(job_id).wait()) for job_id in ids]
        with pytest.raises(NotFound):
            await client.job("nobody's").wait()
        assert clock.slept == []
        for job_id in ids:
            ledger.end(job_id, "Completed")
        assert [end.status for end in await asyncio.gather(*waits)] == ["Completed"] * others


@pytest.mark.parametrize("others", [0, 5])
async def test_a_job_that_vanishes_is_an_error(service: Service, clock: FakeClock, ledger: Ledger, others: int) -> None:
    """A job that was seen and is gone raises NotFound; the others are waited for."""
    ids = [ledger.add(BODY) for _ in range(others)]
    gone = ledger.add(BODY)
    async with Client(service.account(), clock=clock) as client:
        waits = [asyncio.create_task(client.job(job_id).wait()) for job_id in ids]
        async with aclosing(client.job(gone).events()) as seen:
            assert (await anext(seen)).status == "Queued"
            del ledger.jobs[gone]
            service.on(f"GET /api/v1/jobs/{gone}", reply(404))
            with pytest.raises(NotFound):
                await anext(seen)
        for job_id in ids:
            ledger.end(job_id, "Completed")
        assert [end.status for end in await asyncio.gather(*waits)] == ["Completed"] * others


@pytest.mark.parametrize("others", [0, 5])
async def test_an_unknown_status_is_waited_on_while_it_is_pending(
    service: Service, clock: FakeClock, ledger: Ledger, others: int
) -> None:
    """A new word is no end as long as the service lists the job as pending, and an error once it does not."""
    ids = [ledger.add(BODY) for _ in range(others)]
    odd = ledger.add(BODY, "Pondering")
    ledger.pending.add("Pondering")
    async with Client(service.account(), clock=clock) as client:
        waits = [asyncio.create_task(client.job(job_id).wait()) for job_id in ids]
        with pytest.raises(WaitTimeout):
            await client.job(odd).wait(timeout=60)
        ledger.pending.remove("Pondering")
        with pytest.raises(UnknownJobStatus, match="Pondering"):
            await client.job(odd).wait()
        for job_id in ids:
            ledger.end(job_id, "Completed")
        assert [end.status for end in await asyncio.gather(*waits)] == ["Completed"] * others


async def test_retry_after_holds_the_next_look_for_all(service: Service, ledger: Ledger) -> None:
    """After a 429 nobody looks before its time, and a deadline that passes meanwhile is kept."""
    clock, times = ManualClock(), list[float]()
    ids = [ledger.add(BODY) for _ in range(5)]
    service.on(LIST, stamped(clock, times, reply(429, {}, Retry_After="100")), stamped(clock, times, ledger.list_jobs))
    async with Client(service.account(), clock=clock) as client:
        waits = [asyncio.create_task(client.job(job_id).wait()) for job_id in ids]
        await until(lambda: len(times) == 1)
        for _ in range(50):
            await asyncio.sleep(0)
        impatient = asyncio.create_task(client.job("later").wait(timeout=5))
        for job_id in ids:
            ledger.end(job_id, "Completed")
        while not impatient.done():
            clock.advance(1)
            await asyncio.sleep(0)
        impatient_until = clock.now
        while not all(wait.done() for wait in waits):
            clock.advance(1)
            await asyncio.sleep(0)

    assert isinstance(impatient.exception(), WaitTimeout)
    assert impatient_until < 1020
    assert times[0] == 1000
    assert times[1] >= 1100
    assert single(service) == []


@pytest.mark.parametrize("trouble", [reply(503), reply(502, "<html>"), hang_up()])
@pytest.mark.parametrize("others", [0, 5])
async def test_trouble_is_outlived_until_each_ones_deadline(
    service: Service, clock: FakeClock, ledger: Ledger, trouble: Answer, others: int
) -> None:
    """Each waiter's own time-out ends its wait, the network's failures do not, and who has time sees the end."""
    ids = [ledger.add(BODY) for _ in range(others + 1)]
    service.on(f"GET /api/v1/jobs/{ids[0]}", *[trouble] * 12, ledger.get)
    service.on(LIST, *[trouble] * 12, ledger.list_jobs)
    ended: dict[str, float] = {}

    async def timed(name: str, job_id: str, timeout: float | None) -> JobDetails:
        try:
            return await client.job(job_id).wait(timeout)
        finally:
            ended[name] = clock.now

    async with Client(service.account(), clock=clock) as client:
        patient = [asyncio.create_task(timed(job_id, job_id, None)) for job_id in ids]
        hasty = [asyncio.create_task(timed(str(seconds), ids[0], seconds)) for seconds in (7, 20)]
        found = await asyncio.gather(*hasty, return_exceptions=True)
        for job_id in ids:
            ledger.end(job_id, "Completed")
        assert [end.status for end in await asyncio.gather(*patient)] == ["Completed"] * len(ids)

    assert [type(one) for one in found] == [WaitTimeout, WaitTimeout]
    assert (ended["7"], ended["20"]) == (1007, 1020)


async def test_a_token_service_that_is_down_is_outlived(service: Service, clock: FakeClock) -> None:
    """A token that is refused while no new one can be had ends no wait."""
    service.on("POST /identity/token", token("t1"), *[reply(503)] * 20, token("t2"))
    looks = itertools.count()

    async def look(request: web.Request) -> web.StreamResponse:
        if request.headers["Authorization"] == "Bearer t2":
            return await job("Completed")(request)
        return await (reply(401) if next(looks) else job("Queued"))(request)

    service.on(JOB, look)
    async with Client(service.account(), clock=clock) as client:
        assert (await client.job("j").wait()).status == "Completed"

    assert service.asked(JOB)[-1].headers["Authorization"] == "Bearer t2"


async def test_a_waiter_who_leaves_disturbs_no_other(service: Service, clock: FakeClock) -> None:
    """Of several who wait, on one job or on others, one is cancelled, and the rest see the end; no task is left."""
    gate = asyncio.Event()
    service.on(JOB, after(gate, job("Completed")))
    async with Client(service.account(), clock=clock) as client:
        leaver, stayer = (asyncio.create_task(client.job("j").wait()) for _ in range(2))
        await until(lambda: len(service.asked(JOB)) == 1)
        leaver.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaver
        gate.set()
        assert (await stayer).status == "Completed"
        assert len(service.asked(JOB)) == 1
        await until(lambda: not watchers())


async def test_the_last_who_leaves_ends_the_looking(service: Service) -> None:
    """When nobody waits any more the task ends, and begins again with the next who does."""
    service.on(JOB, job("Queued"))
    async with Client(service.account(), clock=ManualClock()) as client:
        for _ in range(2):
            waiting = asyncio.create_task(client.job("j").wait())
            before = len(service.asked(JOB))
            await until(lambda: len(service.asked(JOB)) > before)  # noqa: B023 - awaited before it changes
            waiting.cancel()
            await until(lambda: waiting.done() and not watchers())  # noqa: B023 - as above


async def test_a_callback_that_fails_keeps_nobody_waiting(service: Service, clock: FakeClock) -> None:
    """What a user's callback raises is reported by the loop, and the others are told of their ends."""
    service.on(JOB, job("Completed"))
    reported: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context["exception"]))
    told: list[End] = []

    def fail(_: End) -> None:
        raise ZeroDivisionError

    async with Client(service.account(), clock=clock) as client:
        client.job("j").notify(fail)
        client.job("j").notify(told.append)
        assert (await client.job("j").wait()).status == "Completed"

    assert [type(one) for one in reported] == [ZeroDivisionError]
    assert len(told) == 1


async def test_events_come_once_and_the_end_last(service: Service, clock: FakeClock) -> None:
    """Each state that is seen comes once, whoever else waits, and after the end there is nothing more."""
    service.on(JOB, *[job(status) for status in ("Queued", "Queued", "Running", "Running", "Completed")])
    async with Client(service.account(), clock=clock) as client:
        seen = [details.status async for details in client.job("j").events()]

    assert seen == ["Queued", "Running", "Completed"]


async def test_who_listens_later_hears_how_the_job_stands(service: Service) -> None:
    """The first event of whoever begins to listen is the present state, also where it was seen before."""
    clock = ManualClock()
    service.on(JOB, job("Queued"))
    async with Client(service.account(), clock=clock) as client:
        async with aclosing(client.job("j").events()) as first, aclosing(client.job("j").events()) as second:
            assert (await anext(first)).status == "Queued"
            assert (await anext(second)).status == "Queued"
        await until(lambda: not watchers())


async def test_who_stops_listening_leaves_nothing(service: Service, clock: FakeClock) -> None:
    """A consumer that breaks off ends the looking, and the job is left alone."""
    service.on(JOB, job("Queued"))
    async with Client(service.account(), clock=clock) as client:
        async with aclosing(client.job("j").events()) as seen:
            async for details in seen:
                assert details.status == "Queued"
                break
        await until(lambda: not watchers())

    assert {one.method for one in service.seen if one.path != "/identity/token"} == {"GET"}


async def test_looks_become_rarer_and_come_when_the_end_is_near(service: Service, clock: FakeClock) -> None:
    """The interval grows with a job's age up to the maximum; a running job is looked at when it says that it ends."""
    times: list[float] = []
    running = {"id": "j", "program": {"id": "sampler"}, "estimated_running_time_seconds": 40}
    running |= {"status": "Running", "state": {"status": "Running"}}
    script = [*[job("Queued")] * 30, *[reply(body=running)] * 6, job("Completed")]
    service.on(JOB, *[stamped(clock, times, answer) for answer in script])
    async with Client(service.account(), clock=clock) as client:
        await client.job("j").wait()

    gaps = [late - early for early, late in itertools.pairwise(times)]
    assert gaps[0] <= 0.5
    assert all(11 <= gap <= 15 for gap in gaps[20:29])
    assert any(40 <= late - times[30] <= 40.6 for late in times[31:])


async def test_a_session_is_looked_at_at_its_own_tempo(service: Service, clock: FakeClock) -> None:
    """A job of a session, which is billed while it idles, is looked at every second however long it takes."""
    service.on("POST /api/v1/sessions", reply(body={"id": "s"}))
    service.on("PATCH /api/v1/sessions/s", reply(204))
    service.on("POST /api/v1/jobs", reply(body={"id": "j", "session_id": "s"}))
    service.on(JOB, *[job("Running")] * 60, job("Completed"))
    service.on("GET /api/v1/jobs/j/results", reply(body=RESULT))
    async with Client(service.account(), clock=clock, poll=PollPolicy(session_maximum=0.8)) as client:
        async with client.session("ibm_fez") as session:
            await (await session.sampler(["x"])).result()

    assert len(clock.slept) >= 60
    assert max(clock.slept) == pytest.approx(0.8)


async def test_closing_tells_who_waits(service: Service) -> None:
    """Whoever waits when the client is closed, and whoever would wait afterwards, hears that it was closed."""
    service.on(JOB, never())
    service.on("GET /api/v1/jobs/k", job("Queued"))
    client = Client(service.account(), clock=ManualClock())
    waits = [asyncio.create_task(client.job(name).wait()) for name in ("j", "k")]
    await until(lambda: len(single(service)) == 2)
    await client.aclose()
    found = await asyncio.gather(*waits, client.job("j").wait(), return_exceptions=True)

    assert [type(one) for one in found] == [ClientClosed] * 3
    assert watchers() == []


async def test_another_jobs_answer_is_refused(service: Service, clock: FakeClock) -> None:
    """A service that answers with another job has said nothing about this one."""
    service.on("GET /api/v1/jobs/k", job("Completed"))
    async with Client(service.account(), clock=clock) as client:
        with pytest.raises(ProtocolError, match="job 'j'"):
            await client.job("k").wait()

    assert clock.slept == []


@pytest.mark.parametrize(
    "page", [{"jobs": [{"id": 5}]}, {"jobs": "none"}, [], {"jobs": [{"id": "j0", "status": ["Queued"]}]}]
)
async def test_rows_that_cannot_be_read(service: Service, clock: FakeClock, ledger: Ledger, page: Any) -> None:
    """Where lists are nonsense the jobs are asked for one by one; one that is nonsense itself is a typed error."""
    ids = [ledger.add(BODY, "Completed") for _ in range(5)]
    service.on(LIST, reply(body=page))
    service.on(f"GET /api/v1/jobs/{ids[0]}", reply(body={"id": ids[0], "status": 7}))
    async with Client(service.account(), clock=clock) as client:
        found = await asyncio.gather(*(client.job(job_id).wait() for job_id in ids), return_exceptions=True)

    assert isinstance(found[0], ProtocolError)
    assert [one.status for one in found[1:] if isinstance(one, JobDetails)] == ["Completed"] * 4
    assert len(service.seen) < 10


async def test_lists_of_strangers_are_read_to_their_end_and_no_further(
    service: Service, clock: FakeClock, ledger: Ledger
) -> None:
    """A service that lists jobs nobody asked for, again and again, is left after a few pages."""
    ids = [ledger.add(BODY) for _ in range(5)]
    strangers = [{"id": f"s{i}", "program": {"id": "sampler"}, "status": "Queued"} for i in range(200)]
    service.on(LIST, reply(body={"jobs": strangers, "limit": 200, "offset": 0, "count": 10**6}))
    for job_id in ids:
        ledger.end(job_id, "Completed")
    async with Client(service.account(), clock=clock) as client:
        ends = await asyncio.gather(*(client.job(job_id).wait() for job_id in ids))

    assert [end.status for end in ends] == ["Completed"] * 5
    assert len(service.seen) < 20


async def test_thousands_of_waiting_jobs_are_small(service: Service, ledger: Ledger) -> None:
    """A job that waits through `as_completed` takes less than a kilobyte beside its handle, once it was seen."""
    ids = [ledger.add(BODY) for _ in range(4_000)]
    seen = 0

    def count(event: Event) -> None:
        nonlocal seen
        seen += isinstance(event, JobSeen)

    async with Client(service.account(), clock=ManualClock(), hooks=[count]) as client:
        await client.jobs.list()
        tracemalloc.start()
        try:
            jobs = [client.job(job_id) for job_id in ids]
            before, _ = tracemalloc.get_traced_memory()
            waiting = client.as_completed(jobs)
            first = asyncio.ensure_future(anext(waiting))
            await until(lambda: seen == len(ids))
            service.seen.clear()
            for _ in range(100):
                await asyncio.sleep(0)
            after_a_look, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        first.cancel()
        await until(first.done)
        await waiting.aclose()

    assert (after_a_look - before) / len(ids) < 1024
