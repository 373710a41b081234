"""Submitting once: whatever happens to a reply, one submission leaves one job."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from qrt_async import (
    Client,
    Hook,
    KeyMismatch,
    Quota,
    QuotaTimeout,
    RateLimited,
    RetryPolicy,
    ServiceWarning,
    SubmissionPolicy,
    SubmissionUncertain,
    UsageError,
)
from qrt_async.hooks import DuplicateFound, Event, JobSubmitted, QuotaWait, SubmissionAmbiguous
from tests.client.conftest import FakeClock
from tests.client.ledger import Fault, Ledger
from tests.client.scripted import Service, after, job, reply

SUBMIT = "POST /api/v1/jobs"
LIST = "GET /api/v1/jobs"


@pytest.fixture
def ledger(service: Service) -> Ledger:
    """The jobs of a scripted service."""
    return Ledger(service)


def make(service: Service, clock: FakeClock, hook: Hook | None = None, **settings: Any) -> Client:
    """Return a client whose waits take no time and whose quota is lifted."""
    settings.setdefault("quota", Quota(None, clock=clock))
    return Client(service.account(), clock=clock, hooks=[hook] if hook else [], **settings)


async def submit(client: Client, **how: Any) -> Any:
    """Submit the same job as ever."""
    return await client.sampler(["x"], backend="ibm_fez", **how)


async def test_a_job_bears_a_tag_of_its_own(service: Service, clock: FakeClock, ledger: Ledger) -> None:
    """Every submission has a unique tag beside the user's."""
    async with make(service, clock) as client:
        one, two = await submit(client, tags=["mine"]), await submit(client, tags=["mine"])

    assert (one.tag, two.tag) == tuple(job["tags"][0] for job in ledger.jobs.values())
    assert one.tag != two.tag
    assert [job["tags"][1:] for job in ledger.jobs.values()] == [["mine"], ["mine"]]


@pytest.mark.parametrize("fault", ["lost", "cut", "hang", "nonsense"])
async def test_a_job_whose_reply_was_lost_is_adopted(
    service: Service, clock: FakeClock, ledger: Ledger, fault: Fault
) -> None:
    """After an ambiguous failure the job is found by its tag, and not submitted again."""
    told: list[Event] = []
    ledger.faults.append(fault)
    async with make(service, clock, told.append) as client:
        submitted = await submit(client)
        assert len(await submitted.result()) == 1

    assert (submitted.id, list(ledger.jobs)) == ("j0", ["j0"])
    assert len(service.asked(SUBMIT)) == 1
    assert [type(event) for event in told if isinstance(event, SubmissionAmbiguous | JobSubmitted)] == [
        SubmissionAmbiguous,
        JobSubmitted,
    ]
    assert next(event for event in told if isinstance(event, JobSubmitted)).adopted


async def test_a_submission_that_made_no_job_is_sent_again(service: Service, clock: FakeClock, ledger: Ledger) -> None:
    """A 503 is followed by the whole settle window, a look for the tag, and the same submission with the same tag."""
    ledger.faults.append("failed")
    async with make(service, clock, submission=SubmissionPolicy(settle=40)) as client:
        submitted = await submit(client)

    tags = [one.json["tags"] for one in service.asked(SUBMIT)]
    assert tags == [[submitted.tag]] * 2
    assert sum(clock.slept) == pytest.approx(40)
    assert list(ledger.jobs) == ["j0"]


@pytest.mark.parametrize(
    ("second", "late", "kept"),
    [
        ("Queued", "Running", "j1"),
        ("Running", "Queued", "j0"),
        ("Queued", "Queued", "j0"),
        ("Running", "Completed", "j1"),
    ],
)
async def test_of_two_jobs_the_better_one_is_kept(
    service: Service, clock: FakeClock, ledger: Ledger, second: str, late: str, kept: str
) -> None:
    """A job that appears after the settle window is found, the better one kept, the other cancelled and reported."""
    told: list[Event] = []
    ledger.faults.append("late")
    ledger.status, ledger.late_status = second, late
    ledger.lateness, ledger.end_at = 6, 9
    async with make(service, clock, told.append) as client:
        submitted = await submit(client)
        with pytest.warns(ServiceWarning, match="led to two jobs"):
            assert len(await submitted.result()) == 1

    given_up = "j0" if kept == "j1" else "j1"
    assert submitted.id == kept
    assert ledger.running == [kept]
    [found] = [event for event in told if isinstance(event, DuplicateFound)]
    assert (found.kept, found.given_up, found.cancelled) == (kept, given_up, True)


async def test_a_second_job_is_found_at_the_end_of_the_client(
    service: Service, clock: FakeClock, ledger: Ledger
) -> None:
    """Nobody waits for the job: then closing the client looks once more, and cancels the second one."""
    ledger.faults.append("late")
    ledger.status = ledger.late_status = "Queued"
    ledger.lateness = 6
    with pytest.warns(ServiceWarning, match="led to two jobs"):
        async with make(service, clock) as client:
            await submit(client)

    assert ledger.running == ["j0"]


async def test_a_list_without_tags_concludes_nothing(service: Service, clock: FakeClock, ledger: Ledger) -> None:
    """Where listed jobs bear no tags at all, nothing is submitted again, and the candidates are named."""
    ledger.tagless, ledger.ignores_filters = True, True
    ledger.faults.append("lost")
    async with make(service, clock) as client:
        with pytest.raises(SubmissionUncertain, match="without tags") as caught:
            await submit(client)

    assert caught.value.candidates == ("j0",)
    assert caught.value.tag == service.asked(SUBMIT)[0].json["tags"][0]
    assert len(service.asked(SUBMIT)) == 1


async def test_a_row_without_the_tag_is_not_ours(service: Service, clock: FakeClock, ledger: Ledger) -> None:
    """A service that ignores the filter lists other jobs; none of them is adopted."""
    ledger.ignores_filters = True
    ledger.add({"backend": "ibm_fez", "program_id": "sampler", "tags": ["another"]})
    ledger.faults.append("failed")
    async with make(service, clock) as client:
        submitted = await submit(client)

    assert submitted.id == "j1"
    assert len(service.asked(SUBMIT)) == 2


@pytest.mark.parametrize("answer", [reply(404), reply(403), reply(body={"jobs": 7})])
async def test_without_a_look_nothing_is_sent_again(
    service: Service, clock: FakeClock, ledger: Ledger, answer: Any
) -> None:
    """Where the list cannot be had, nobody guesses."""
    ledger.faults.append("lost")
    service.on(LIST, answer)
    async with make(service, clock) as client:
        with pytest.raises(SubmissionUncertain):
            await submit(client)

    assert len(service.asked(SUBMIT)) == 1


async def test_a_look_that_fails_for_a_while_is_repeated(service: Service, clock: FakeClock, ledger: Ledger) -> None:
    """A list that is out of order for the settle window is asked again until it answers."""
    ledger.faults.append("lost")
    service.on(LIST, *[reply(502)] * 9, ledger.list_jobs)
    async with make(service, clock) as client:
        submitted = await submit(client)

    assert submitted.id == "j0"
    assert len(service.asked(SUBMIT)) == 1


async def test_the_last_failure_leaves_it_open(service: Service, clock: FakeClock, ledger: Ledger) -> None:
    """Where every repetition failed, the error does not claim that nothing was created."""
    ledger.faults.extend(["failed"] * 3)
    async with make(service, clock) as client:
        with pytest.raises(SubmissionUncertain, match="503"):
            await submit(client, max_retries=2)

    assert len(service.asked(SUBMIT)) == 3


async def test_many_uncertain_submissions_share_one_list(service: Service, clock: FakeClock, ledger: Ledger) -> None:
    """Fifty lost replies at once are found by a few lists, not by one each."""
    ledger.faults.extend(["lost"] * 50)
    async with make(service, clock) as client:
        jobs = await asyncio.gather(*(submit(client) for _ in range(50)))

    assert len({one.id for one in jobs}) == len(ledger.jobs) == 50
    assert {one.id: one.tag for one in jobs} == {job_id: job["tags"][0] for job_id, job in ledger.jobs.items()}
    assert len(service.asked(SUBMIT)) == 50
    assert len(service.asked(LIST)) <= 25


async def test_a_refused_submission_is_final(service: Service, clock: FakeClock, ledger: Ledger) -> None:
    """What the service refuses certainly made no job, and nobody looks for it."""
    service.on(SUBMIT, reply(400, {"errors": [{"code": 1208, "message": "no"}]}))
    async with make(service, clock) as client:
        with pytest.raises(Exception, match="no"):
            await submit(client)

    assert (len(service.asked(SUBMIT)), service.asked(LIST), ledger.jobs) == (1, [], {})


async def test_a_key_gives_the_same_job(service: Service, clock: FakeClock, ledger: Ledger) -> None:
    """However often and at once a key is used, in this client or the next, there is one job."""
    async with make(service, clock) as client:
        jobs = await asyncio.gather(*(submit(client, key="order-42") for _ in range(5)))
    async with make(service, clock) as later:
        again = await submit(later, key="order-42")
        other = await submit(later, key="order-43")

    assert {one.id for one in [*jobs, again]} == {"j0"}
    assert other.id == "j1"
    assert len(service.asked(SUBMIT)) == 2


async def test_a_key_is_for_one_content(service: Service, clock: FakeClock, ledger: Ledger) -> None:
    """The same key with other PUBs, or with another backend, is refused before anything is sent."""
    async with make(service, clock) as client:
        await submit(client, key="order-42")
        with pytest.raises(KeyMismatch, match="order-42"):
            await client.sampler(["y"], backend="ibm_fez", key="order-42")
    async with make(service, clock) as later:
        with pytest.raises(KeyMismatch):
            await later.sampler(["x"], backend="ibm_marrakesh", key="order-42")

    assert len(service.asked(SUBMIT)) == 1
    assert list(ledger.jobs) == ["j0"]


async def test_the_quota_is_waited_for_and_told(service: Service, clock: FakeClock, ledger: Ledger) -> None:
    """The sixth submission within a minute waits, and a hook says for how long."""
    told: list[Event] = []
    async with Client(service.account(), clock=clock, hooks=[told.append]) as client:
        for _ in range(6):
            await submit(client)

    assert clock.now == pytest.approx(1060)
    assert [event.seconds for event in told if isinstance(event, QuotaWait)] == [pytest.approx(60)]
    assert len(ledger.jobs) == 6


async def test_a_turn_beyond_the_deadline_fails_at_once(service: Service, clock: FakeClock, ledger: Ledger) -> None:
    """Where the quota has no turn in time, nothing is sent and nobody waits."""
    async with Client(service.account(), clock=clock, quota=Quota(1, clock=clock)) as client:
        await submit(client)
        with pytest.raises(QuotaTimeout, match="nothing was sent"):
            await submit(client, timeout=10)

    assert (clock.slept, len(ledger.jobs)) == ([], 1)


async def test_a_refusal_beyond_the_deadline_fails_at_once(service: Service, clock: FakeClock, ledger: Ledger) -> None:
    """A `Retry-After` longer than the caller's time is an error that says so."""
    ledger.faults.append("429")
    async with make(service, clock) as client:
        with pytest.raises(RateLimited, match="deadline in 5 s"):
            await submit(client, timeout=5)

    assert (clock.slept, ledger.jobs) == ([], {})


async def test_clients_of_one_user_share_a_quota(service: Service, clock: FakeClock, ledger: Ledger) -> None:
    """Two clients with one quota together submit no faster than one."""
    quota = Quota(2, clock=clock)
    async with make(service, clock, quota=quota) as one, make(service, clock, quota=quota) as two:
        for client in (one, two, one):
            await submit(client)

    assert clock.now == pytest.approx(1060)


async def test_a_cancelled_submission_may_leave_no_job(service: Service, clock: FakeClock, ledger: Ledger) -> None:
    """With on_cancel="cancel" the job that a cancelled caller's submission makes is cancelled."""
    ledger.status = "Queued"
    gate = asyncio.Event()
    service.on(SUBMIT, after(gate, ledger.create))
    async with make(service, clock) as client:
        submission = asyncio.create_task(submit(client, on_cancel="cancel"))
        while not service.asked(SUBMIT):
            await asyncio.sleep(0)
        submission.cancel()
        await asyncio.sleep(0)
        gate.set()
        with pytest.raises(asyncio.CancelledError):
            await submission

    assert ledger.jobs["j0"]["status"] == "Cancelled"


@pytest.mark.parametrize(("on_cancel", "status"), [("detach", "Queued"), ("cancel", "Cancelled")])
async def test_a_cancelled_wait_treats_the_job_as_declared(
    service: Service, clock: FakeClock, ledger: Ledger, on_cancel: str, status: str
) -> None:
    """The job of a caller who is cancelled while waiting goes on, or is cancelled where that was declared."""
    ledger.status = "Queued"
    async with make(service, clock) as client:
        submitted = await submit(client, on_cancel=on_cancel)
        waiting = asyncio.create_task(submitted.result())
        while not service.asked("GET /api/v1/jobs/j0"):
            await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    assert ledger.jobs["j0"]["status"] == status


@pytest.mark.parametrize("how", [{"key": ""}, {"key": 7}, {"on_cancel": "stop"}, {"timeout": 0}, {"max_retries": -1}])
async def test_bad_settings_are_refused(service: Service, clock: FakeClock, how: dict[str, Any]) -> None:
    """What cannot be meant is refused before anything is sent."""
    async with make(service, clock) as client:
        with pytest.raises(UsageError):
            await submit(client, **how)

    assert service.asked(SUBMIT) == []


async def test_a_view_has_its_own_patience(service: Service, clock: FakeClock, ledger: Ledger) -> None:
    """with_options changes retries and time-outs of a view, which shares login and quota with its client."""
    service.on("GET /api/v1/jobs/j", *[reply(503)] * 3, job("Running"))
    async with make(service, clock) as client:
        view = client.with_options(retry=RetryPolicy(max_retries=0))
        with pytest.raises(Exception, match="503"):
            await view.job("j").status()
        with pytest.raises(Exception, match="503"):
            await client.job("j").status(max_retries=0)
        assert await client.job("j").status() == "Running"
        await submit(view)
        await view.aclose()
        await submit(client)

    assert len(service.asked("POST /identity/token")) == 1
    assert len(ledger.jobs) == 2
