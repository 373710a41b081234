"""Waiting, results and cancellation of jobs."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from qrt_async import (
    Client,
    JobCancelled,
    JobFailed,
    JobRanTooLong,
    JobStatus,
    PollPolicy,
    ProtocolError,
    ResultNotAvailable,
    UnknownJobStatus,
    UsageError,
    WaitTimeout,
)
from tests.client.conftest import FakeClock
from tests.client.scripted import RESULT, Service, job, reply

JOB = "GET /api/v1/jobs/j"
RESULTS = "GET /api/v1/jobs/j/results"
CANCEL = "POST /api/v1/jobs/j/cancel"


async def test_a_result_is_waited_for_and_fetched_once(service: Service, clock: FakeClock) -> None:
    """The job is looked at ever more rarely until it is over, and its result is kept."""
    service.on(JOB, job("Queued"), job("Running"), job("Running"), job("Completed"))
    service.on(RESULTS, reply(body=RESULT))
    async with Client(service.account(), clock=clock) as client:
        handle = client.job("j")
        first, second = await handle.result(), await handle.result()

    assert first is second
    assert first[0].data["c"].counts() == {"0": 1, "1": 1}
    assert clock.slept == sorted(clock.slept)
    assert (len(service.asked(JOB)), len(service.asked(RESULTS))) == (4, 1)


@pytest.mark.parametrize(
    ("status", "fields", "kind"),
    [
        ("Failed", {"reason": "bad gate", "reason_code": 1517, "reason_solution": "Transpile."}, JobFailed),
        ("Failed", {"reason": "Session has been closed", "reason_code": 1217}, JobFailed),
        ("Cancelled", {}, JobCancelled),
        ("Cancelled", {"reason_code": 1305}, JobRanTooLong),
    ],
)
async def test_a_bad_end_is_a_typed_error(
    service: Service, clock: FakeClock, status: str, fields: dict[str, Any], kind: type[Exception]
) -> None:
    """The error carries reason, code and solution in the service's words, and no result is asked for."""
    service.on(JOB, job(status, **fields))
    async with Client(service.account(), clock=clock) as client:
        with pytest.raises(kind) as caught:
            await client.job("j").result()
        details = await client.job("j").wait()

    assert getattr(caught.value, "code", None) == fields.get("reason_code")
    assert getattr(caught.value, "reason", None) == fields.get("reason")
    assert fields.get("reason_solution", "") in str(caught.value)
    assert details.status.final
    assert service.asked(RESULTS) == []


async def test_a_deadline_ends_the_wait_and_not_the_job(service: Service, clock: FakeClock) -> None:
    """`timeout` seconds are enough; the job is not cancelled, and waiting can be taken up again."""
    service.on(JOB, job("Queued"))
    async with Client(service.account(), clock=clock) as client:
        handle = client.job("j")
        with pytest.raises(WaitTimeout):
            await handle.result(timeout=60)
        assert clock.now == 1060
        service.on(JOB, job("Completed"))
        service.on(RESULTS, reply(body=RESULT))
        assert len(await handle.result()) == 1

    assert service.asked(CANCEL) == []


async def test_a_wait_without_a_deadline_ends_too(service: Service, clock: FakeClock) -> None:
    """A job that never ends is waited for a finite time."""
    service.on(JOB, job("Queued"))
    async with Client(service.account(), clock=clock, poll=PollPolicy(max_wait=600)) as client:
        with pytest.raises(WaitTimeout):
            await client.job("j").wait()

    assert clock.now == 1600


async def test_an_unknown_status_is_reported_by_name(service: Service, clock: FakeClock) -> None:
    """Nobody waits for a word that may mean the end."""
    service.on(JOB, job("Evaporated"))
    async with Client(service.account(), clock=clock) as client:
        with pytest.raises(UnknownJobStatus, match="Evaporated"):
            await client.job("j").wait()
        status = await client.job("j").status()

    assert (status, isinstance(status, JobStatus)) == ("Evaporated", True)


async def test_a_late_result_is_asked_for_again(service: Service, clock: FakeClock) -> None:
    """A completed job whose result is not there yet is given a moment."""
    service.on(JOB, job("Completed"))
    service.on(RESULTS, reply(204), reply(204), reply(body=RESULT))
    async with Client(service.account(), clock=clock) as client:
        assert len(await client.job("j").result()) == 1


async def test_a_result_that_never_comes_is_an_error(service: Service, clock: FakeClock) -> None:
    """A completed job without a result ends the call."""
    service.on(JOB, job("Completed"))
    service.on(RESULTS, reply(204))
    async with Client(service.account(), clock=clock) as client:
        with pytest.raises(ResultNotAvailable):
            await client.job("j").result()


async def test_a_result_of_the_wrong_kind_names_its_place(service: Service, clock: FakeClock) -> None:
    """A body that is no result is a ProtocolError."""
    service.on("POST /api/v1/jobs", reply(body={"id": "j"}))
    service.on(JOB, job("Completed"))
    service.on(RESULTS, reply(body={"results": [{"data": {"evs": 1}}]}))
    async with Client(service.account(), clock=clock) as client:
        handle = await client.sampler(["x"], backend="ibm_fez")
        with pytest.raises(ProtocolError, match=r"\$\.results\[0\]\.data"):
            await handle.result()


@pytest.mark.parametrize(("answer", "cancelled"), [(reply(204), True), (reply(409), False)])
async def test_cancelling_says_whether_it_was_in_time(
    service: Service, clock: FakeClock, answer: Any, cancelled: bool
) -> None:
    """A job that is over already is no error."""
    service.on(CANCEL, answer)
    async with Client(service.account(), clock=clock) as client:
        assert await client.job("j").cancel() is cancelled


async def test_a_cancelled_wait_leaves_the_job_and_the_client(service: Service, clock: FakeClock) -> None:
    """Cancelling the coroutine that waits sends nothing, and the client goes on."""
    service.on(JOB, job("Queued"))
    async with Client(service.account()) as client:
        waiting = asyncio.create_task(client.job("j").wait())
        while not service.asked(JOB):
            await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert await client.job("j").status() == "Queued"

    assert service.asked(CANCEL) == []


@pytest.mark.parametrize("backend", ["", None, 7])
async def test_a_backend_is_a_name(service: Service, backend: Any) -> None:
    """A wrong backend is refused before anything is sent."""
    async with Client(service.account()) as client:
        with pytest.raises(UsageError):
            await client.sampler(["x"], backend=backend)
        with pytest.raises(UsageError):
            client.session(backend)

    assert service.seen == []


@pytest.mark.parametrize("max_time", [0, -1, 10_801, 1.5, True, "60"])
async def test_a_time_limit_has_a_range(service: Service, max_time: Any) -> None:
    """What the service would silently cap is refused before anything is sent."""
    async with Client(service.account()) as client:
        with pytest.raises(UsageError, match="max_time"):
            await client.estimator([("x", "Z")], backend="ibm_fez", max_time=max_time)

    assert service.seen == []


@pytest.mark.parametrize("level", [-1, 4, 1.5, True, "1"])
async def test_bad_transpiling_is_refused(service: Service, level: Any) -> None:
    """Levels are 0 to 3, circuits a list of texts; no circuits need no service."""
    async with Client(service.account()) as client:
        with pytest.raises(UsageError, match="optimization_level"):
            await client.transpile(["OPENQASM 3;"], backend="ibm_fez", optimization_level=level)
        with pytest.raises(UsageError, match="write"):
            await client.transpile("OPENQASM 3;", backend="ibm_fez")
        with pytest.raises(UsageError, match="circuit 1"):
            await client.transpile(["OPENQASM 3;", " "], backend="ibm_fez")
        assert await client.transpile([], backend="ibm_fez") == []

    assert service.seen == []
