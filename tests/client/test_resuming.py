"""Taking up what a dead process had begun: nothing is lost or done twice, and no living process is robbed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from qrt_async import (
    Client,
    Intent,
    JobFailed,
    Journal,
    JournalBusy,
    KeyMismatch,
    Limits,
    NeverSubmitted,
    Owner,
    Resumed,
    ResumeMismatch,
    ServiceWarning,
    UsageError,
)
from qrt_async.hooks import Event, SessionEnded
from tests.bulk.machine import Scripted
from tests.client.conftest import FakeClock
from tests.client.ledger import Ledger
from tests.client.scripted import Service, reply

SUBMIT = "POST /api/v1/jobs"
FREE = Limits(submissions_per_minute=None)
DEAD = Owner(pid=2**22 + 1, nonce="dead", boot="before the reboot", namespace="n", started="1")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the journal's file will be."""
    return tmp_path / "journal.db"


@pytest.fixture
def ledger(service: Service) -> Ledger:
    """The jobs of a scripted service."""
    return Ledger(service)


@pytest.fixture
async def dead(path: Path) -> AsyncIterator[Journal]:
    """The journal as a process left it that was killed: it never gave its runs up."""
    async with Journal(path, owner=DEAD) as journal:
        yield journal


def intent(tag: str, run_id: str = "run", **more: Any) -> Intent:
    """Return an intent of which only the tag matters."""
    return Intent(tag=tag, run_id=run_id, digest="d", program="sampler", backend="ibm_fez", **more)


def body(*tags: str) -> dict[str, Any]:
    """Return a submission with these tags."""
    return {"backend": "ibm_fez", "program_id": "sampler", "tags": list(tags)}


def make(service: Service, clock: FakeClock, journal: Path | Journal | None, **settings: Any) -> Client:
    """Return a client whose waits take no time and whose quota is lifted."""
    return Client(service.account(), clock=clock, journal=journal, limits=FREE, **settings)


async def resumed(client: Client, run_id: str | None = None) -> dict[str, Resumed]:
    """Return all that is resumed, by its tag."""
    return {one.tag: one async for one in client.resume(run_id)}


async def test_each_submission_is_taken_up_where_it_stood(
    service: Service, clock: FakeClock, ledger: Ledger, dead: Journal, path: Path
) -> None:
    """Meant and made, meant and not made, submitted, failed: each comes once; what is finished or refused does not."""
    for tag in ("made", "submitted", "failed", "finished"):
        ledger.add(body(tag), "Failed" if tag == "failed" else None)
    await dead.intend(intent("made"))
    await dead.intend(intent("never made", key="order-42"))
    for job_id, tag in (("j1", "submitted"), ("j2", "failed"), ("j3", "finished")):
        await dead.intend(intent(tag))
        await dead.submitted(tag, job_id)
    await dead.finished("j3", "Completed")
    await dead.intend(intent("refused"))
    await dead.refused("refused", "no such backend")

    async with make(service, clock, path) as client:
        found = await resumed(client)
        assert await resumed(client) == {}

    assert set(found) == {"made", "never made", "submitted", "failed"}
    assert (found["made"].job_id, found["submitted"].job_id) == ("j0", "j1")
    for tag in ("made", "submitted"):
        assert found[tag].error is None
        assert found[tag].result[0].data["c"].counts() == {"0": 1, "1": 1}
    assert isinstance(found["failed"].error, JobFailed)
    assert isinstance(found["never made"].error, NeverSubmitted)
    assert (found["never made"].key, found["never made"].job_id) == ("order-42", None)
    assert service.asked(SUBMIT) == []


async def test_a_job_that_appears_late_is_found(
    service: Service, clock: FakeClock, ledger: Ledger, dead: Journal, path: Path
) -> None:
    """A submission that was only meant is looked for over the whole settle window before it is given up."""
    ledger.faults.append("late")
    ledger.lateness = 3
    await dead.intend(intent("late"))
    ledger._late.append(body("late"))
    async with make(service, clock, path) as client:
        found = await resumed(client)

    assert found["late"].job_id == "j0"
    assert found["late"].error is None


async def test_what_nobody_acknowledged_comes_again(
    service: Service, clock: FakeClock, ledger: Ledger, dead: Journal, path: Path
) -> None:
    """Asking for the next result acknowledges the one before; whoever breaks off gets the last one again."""
    for number in range(3):
        await dead.intend(intent(f"t{number}"))
        await dead.submitted(f"t{number}", ledger.add(body(f"t{number}")))
    taken: list[str] = []
    async with make(service, clock, path) as client:
        async with aclosing(client.resume()) as first:
            async for one in first:
                taken.append(one.tag)
                if len(taken) == 2:
                    break
        again = await resumed(client)
        assert set(again) == {"t0", "t1", "t2"} - {taken[0]}
        assert await resumed(client) == {}


async def test_sessions_that_were_left_open_are_drained(
    service: Service, clock: FakeClock, dead: Journal, path: Path
) -> None:
    """What is queued there still runs; one whose id nobody knows is told, once, and one that is gone has ended."""
    service.on("PATCH /api/v1/sessions/open", reply(204))
    service.on("PATCH /api/v1/sessions/gone", reply(404))
    service.on("DELETE /api/v1/sessions/gone/close", reply(404))
    for token, session_id in (("1", "open"), ("2", "gone"), ("3", None)):
        await dead.session_meant(token, "run", "ibm_fez", "batch")
        if session_id:
            await dead.session_opened(token, session_id)
    async with make(service, clock, path) as client:
        with pytest.warns(ServiceWarning, match="a batch session on ibm_fez may have been opened") as warned:
            assert await resumed(client) == {}
        assert await resumed(client) == {}

    assert len(warned) == 1
    assert [one.method for one in service.seen if "sessions" in one.path] == ["PATCH", "PATCH", "DELETE"]


async def test_a_session_that_cannot_be_drained_stays_in_the_journal(
    service: Service, clock: FakeClock, dead: Journal, path: Path
) -> None:
    """The hooks are told, the jobs are taken up all the same, and the next resumption tries again."""
    told: list[Event] = []
    service.on("PATCH /api/v1/sessions/s", reply(403, {}), reply(204))
    await dead.session_meant("1", "run", "ibm_fez", "batch")
    await dead.session_opened("1", "s")
    async with make(service, clock, path, hooks=[told.append]) as client:
        assert await resumed(client) == {}
        assert await resumed(client) == {}

    assert [one.error is None for one in told if isinstance(one, SessionEnded)] == [False, True]


async def test_a_living_process_is_not_robbed(service: Service, clock: FakeClock, ledger: Ledger, path: Path) -> None:
    """What a living owner has begun is left alone, and is an error where it is asked for by its name."""
    async with Journal(path) as living:
        await living.intend(intent("tag"))
        await living.submitted("tag", ledger.add(body("tag")))
        await living.session_meant("1", "run", "ibm_fez", "batch")
        await living.session_opened("1", "s")
        async with make(service, clock, path) as client:
            assert await resumed(client) == {}
            with pytest.raises(JournalBusy):
                await resumed(client, "run")

    assert service.seen == []


async def test_one_run_is_named(service: Service, clock: FakeClock, ledger: Ledger, dead: Journal, path: Path) -> None:
    """A name takes up that run alone, and leaves the others to whoever comes next."""
    for name in ("one", "two"):
        await dead.intend(intent(name, run_id=name))
        await dead.submitted(name, ledger.add(body(name)))
    async with make(service, clock, path) as client:
        assert set(await resumed(client, "one")) == {"one"}
        assert set(await resumed(client)) == {"two"}
        with pytest.raises(UsageError, match="run_id"):
            await resumed(client, 7)  # type: ignore[arg-type]


async def test_without_a_journal_there_is_nothing_to_resume(service: Service) -> None:
    """Where nothing was kept the call says what is missing."""
    async with Client(service.account()) as client:
        with pytest.raises(UsageError, match="journal="):
            client.resume()


async def test_a_key_gives_the_same_job_in_the_next_process(
    service: Service, clock: FakeClock, ledger: Ledger, path: Path
) -> None:
    """A second client with the journal gets the job of the key without a submission, and refuses other content."""
    async with make(service, clock, path) as client:
        first = await client.sampler(["x"], backend="ibm_fez", key="order-42")
    async with make(service, clock, path) as client:
        second = await client.sampler(["x"], backend="ibm_fez", key="order-42")
        with pytest.raises(KeyMismatch):
            await client.sampler(["y"], backend="ibm_fez", key="order-42")
        assert len(await second.result()) == 1

    assert (first.id, second.id) == ("j0", "j0")
    assert len(service.asked(SUBMIT)) == 1


@pytest.mark.parametrize("made", [True, False])
async def test_a_key_takes_over_what_a_dead_process_meant(
    service: Service, clock: FakeClock, ledger: Ledger, path: Path, made: bool
) -> None:
    """A process that died between intent and reply leaves one job: it is found, or submitted by the next."""
    ledger.faults.append("failed")
    async with Journal(path, owner=DEAD) as theirs:
        async with make(service, clock, theirs) as client:
            with pytest.raises(Exception, match="503"):
                await client.sampler(["x"], backend="ibm_fez", key="order-42", max_retries=0)
        [left] = service.asked(SUBMIT)
        if made:
            ledger.add(left.json)
        async with make(service, clock, path) as client:
            job = await client.sampler(["x"], backend="ibm_fez", key="order-42")

    assert job.id == "j0"
    assert list(ledger.jobs) == ["j0"]
    assert ledger.jobs["j0"]["tags"] == left.json["tags"]
    assert len(service.asked(SUBMIT)) == (1 if made else 2)


def pubs(count: int) -> list[Any]:
    """Return PUBs that are known by their shots: PUB i has i + 1."""
    return [("OPENQASM 3.0; bit[1] c; c[0] = measure $0;", None, shots) for shots in range(1, count + 1)]


@asynccontextmanager
async def begun(client: Client, wanted: list[Any]) -> AsyncIterator[AsyncIterator[Any]]:
    """Begin the same run as ever, or take it up."""
    async with client.fan_out(wanted, backends=["ibm_fez"], run="campaign", pubs_per_job=2, mode="job") as run:
        yield aiter(run)


async def test_a_campaign_goes_on_where_it_stopped(service: Service, clock: FakeClock, path: Path) -> None:
    """The same PUBs give what is missing, and nothing is submitted twice; other PUBs are refused by their place."""
    machine = Scripted(service)
    async with make(service, clock, path) as client, begun(client, pubs(6)) as run:
        taken = [(await anext(run)).index for _ in range(3)]
    async with make(service, clock, path) as client, begun(client, pubs(6)) as run:
        rest = [done async for done in run]
    async with make(service, clock, path) as client, begun(client, pubs(6)) as run:
        assert [done async for done in run] == []
    async with make(service, clock, path) as client:
        with pytest.raises(ResumeMismatch) as mismatch:
            async with begun(client, [*pubs(4), *pubs(2)]) as run:
                assert [done async for done in run] == []

    assert mismatch.value.index == 4
    assert {done.index for done in rest} >= set(range(6)) - set(taken)
    assert {done.index for done in rest} & set(taken) <= {taken[-1]}
    assert all(done.result.data.c.ints()[0] == done.index + 1 for done in rest)
    assert sorted(shots for job in machine.jobs for shots in job.shots if job.status != "Cancelled") == list(
        range(1, 7)
    )
