"""A run over many PUBs: everything comes once, nothing is left behind, and nobody waits for what cannot come."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from qrt_async import (
    Budget,
    BudgetExceeded,
    Client,
    Done,
    FanOut,
    Forbidden,
    InvalidOption,
    InvalidPub,
    IsaCircuit,
    JobCancelled,
    JobFailed,
    NotFound,
    ServiceWarning,
    SessionClosed,
    SessionNotEnded,
    UsageError,
)
from tests.bulk.machine import API, FREE, ManualClock, Scripted, ScriptedJob, fail_where, hold
from tests.client.scripted import reply

TEXT = "OPENQASM 3.0; bit[1] c; c[0] = measure $0;"
FEZ = IsaCircuit(TEXT, "ibm_fez", (0,), 1)
HANOI = IsaCircuit(TEXT, "ibm_hanoi", (0,), 1)


def pubs(count: int, circuit: IsaCircuit | str = FEZ) -> list[Any]:
    """Return PUBs that are known by their shots: PUB i has i + 1."""
    return [(circuit, None, i + 1) for i in range(count)]


def shots_of(done: Done) -> int:
    """Return the shots that a result tells of."""
    assert done.error is None
    assert done.result is not None
    return int(done.result.data.c.ints()[0])


async def until(condition: Callable[[], bool]) -> None:
    """Let the event loop go on until a condition holds."""
    while not condition():
        await asyncio.sleep(0)


async def ticking(clock: ManualClock, condition: Callable[[], bool]) -> None:
    """Let time pass until a condition holds."""
    while not condition():
        clock.advance(1)
        await asyncio.sleep(0)


def names_of_tasks() -> list[str]:
    """Return the names of the coroutines of all tasks that a run may have begun."""
    ours = {"_guarded", "_fly", "_bring_down", "_until_sent", "sleep", "_over"}
    coroutines = (getattr(task.get_coro(), "__qualname__", "") for task in asyncio.all_tasks())
    return [name for name in coroutines if name.rpartition(".")[2] in ours]


async def test_every_pub_comes_once_with_its_own_result(machine: Scripted) -> None:
    """PUBs are packed into few jobs, and each result bears the place of its PUB, its backend and its job."""
    async with (
        Client(machine.service.account(), limits=FREE) as client,
        client.fan_out(pubs(250), backends=["ibm_fez"]) as run,
    ):
        found = [done async for done in run]
        progress = run.progress

    assert sorted(done.index for done in found) == list(range(250))
    assert all(shots_of(done) == done.index + 1 for done in found)
    assert [len(job.shots) for job in machine.jobs] == [100, 100, 50]
    assert {(done.backend, done.job_id) for done in found} == {("ibm_fez", f"j{i}") for i in range(3)}
    assert (progress.done, progress.failed, progress.queued, progress.running) == (250, 0, 0, 0)
    assert (progress.jobs, progress.seconds_billed, progress.total) == (3, 6.0, 250)
    assert names_of_tasks() == []


async def test_jobs_bear_their_limit_and_the_runs_tag(machine: Scripted) -> None:
    """`cost` is always sent, and all jobs of a run can be found by one tag."""
    async with (
        Client(machine.service.account(), limits=FREE) as client,
        client.fan_out(pubs(3), backends=["ibm_fez"], tags=["mine"], pubs_per_job=2) as run,
    ):
        assert [done.index async for done in run] == [0, 1, 2]
        tag = run.tag

    assert [(job.body["cost"], job.body["tags"][-2:]) for job in machine.jobs] == [(60, ["mine", tag])] * 2


async def test_gather_keeps_the_order(machine: Scripted) -> None:
    """Bound PUBs go to their own backends, and their results come in the order of the PUBs."""
    mixed = [(FEZ if i % 3 else HANOI, None, i + 1) for i in range(60)]
    async with Client(machine.service.account(), limits=FREE) as client:
        found = await client.gather(mixed, backends=["ibm_fez", "ibm_hanoi"], pubs_per_job=7)

    assert [result.data.c.ints()[0] for result in found] == list(range(1, 61))  # type: ignore[union-attr]
    assert {job.backend for job in machine.jobs} == {"ibm_fez", "ibm_hanoi"}
    assert len(machine.jobs) == 3 + 6
    assert machine.service.asked(f"GET {API}/backends") == []


async def test_gather_gives_errors_in_place_or_raises_the_first(machine: Scripted) -> None:
    """With `return_exceptions` the rest is there as well; without it the error comes out."""
    mixed = [*pubs(2), (FEZ, None, 0), (FEZ, None, 4)]
    async with Client(machine.service.account(), limits=FREE) as client:
        found = await client.gather(mixed, backends=["ibm_fez"], return_exceptions=True)
        with pytest.raises(InvalidPub, match="PUB 2: shots"):
            await client.gather(mixed, backends=["ibm_fez"])

    assert isinstance(found[2], InvalidPub)
    assert [result.data.c.ints()[0] for result in found if not isinstance(result, BaseException)] == [1, 2, 4]
    assert names_of_tasks() == []


async def endless(taken: list[int], circuit: IsaCircuit | str = FEZ) -> AsyncIterator[Any]:
    """Yield PUBs for ever."""
    while True:
        taken.append(len(taken))
        yield (circuit, None, len(taken))
        await asyncio.sleep(0)


async def test_an_endless_source_is_read_as_results_are_consumed(machine: Scripted) -> None:
    """A consumer who stops makes the reading and the submitting stop, within a few jobs' worth of PUBs."""
    taken: list[int] = []
    bound = 10 * (2 * 2 + 5 + 5 + 5)
    async with (
        Client(machine.service.account(), limits=FREE) as client,
        client.fan_out(endless(taken), backends=["ibm_fez"], pubs_per_job=10) as run,
    ):
        for _ in range(3):
            await anext(run)
        for _ in range(2000):
            await asyncio.sleep(0)
        stopped = len(taken), len(machine.jobs)
        for _ in range(500):
            await asyncio.sleep(0)
        assert (len(taken), len(machine.jobs)) == stopped
        assert len(taken) <= bound
        more = [await anext(run) for _ in range(300)]

    assert len(more) == 300
    assert stopped[0] < len(taken) <= 300 + bound
    assert names_of_tasks() == []


async def test_a_source_that_waits_for_a_result_is_not_kept_waiting(machine: Scripted, clock: ManualClock) -> None:
    """What an adaptive source gave goes out when it is silent, though it would not fill a job."""
    results: asyncio.Queue[int] = asyncio.Queue()

    async def adaptive() -> AsyncIterator[Any]:
        shots = 1
        for _ in range(3):
            yield (FEZ, None, shots)
            shots = 2 * await results.get()

    found: list[int] = []
    async with Client(machine.service.account(), limits=FREE, clock=clock) as client:

        async def consume() -> None:
            async with client.fan_out(adaptive(), backends=["ibm_fez"]) as run:
                async for done in run:
                    found.append(shots_of(done))
                    results.put_nowait(found[-1])

        task = asyncio.create_task(consume())
        while not task.done():
            clock.advance(1)
            await asyncio.sleep(0)
        await task

    assert found == [1, 2, 4]


async def test_an_error_of_the_source_comes_after_what_it_gave(machine: Scripted) -> None:
    """Nothing that was taken is lost."""

    def broken() -> Any:
        yield from pubs(5)
        raise ZeroDivisionError

    found: list[int] = []
    async with Client(machine.service.account(), limits=FREE) as client:
        with pytest.raises(ZeroDivisionError):
            async with client.fan_out(broken(), backends=["ibm_fez"]) as run:
                while True:
                    found.append(shots_of(await anext(run)))

    assert found == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("settings", "fails", "cancelled"),
    [
        ({}, True, True),
        ({"on_error": "detach"}, True, False),
        ({}, False, True),
        ({"detach": True}, False, False),
    ],
)
async def test_leaving_stops_submitting_and_treats_the_rest_as_told(
    machine: Scripted, clock: ManualClock, settings: dict[str, Any], fails: bool, cancelled: bool
) -> None:
    """After an error or a break, jobs that are not over are cancelled or left, and nothing more is submitted."""
    machine.ends = hold
    async with Client(machine.service.account(), limits=FREE, clock=clock) as client:
        with pytest.raises(ZeroDivisionError) if fails else contextlib.nullcontext():
            async with client.fan_out(pubs(100), backends=["ibm_fez"], pubs_per_job=10, **settings):
                await until(lambda: len(machine.jobs) == 5)
                assert 1 / (not fails)
        for _ in range(100):
            await asyncio.sleep(0)

    assert len(machine.jobs) == 5
    assert sorted(machine.cancelled) == ([f"j{i}" for i in range(5)] if cancelled else [])
    assert names_of_tasks() == []


async def test_a_cancelled_run_leaves_no_task_and_no_session(machine: Scripted, clock: ManualClock) -> None:
    """Cancellation in mid-run, and again while jobs are being cancelled, ends jobs and sessions all the same."""
    machine.ends = hold

    async def work(client: Client) -> None:
        async with client.fan_out(pubs(40), backends=["ibm_fez"], pubs_per_job=10, mode="dedicated") as run:
            async for _ in run:
                raise AssertionError

    async with Client(machine.service.account(), limits=FREE, clock=clock) as client:
        task = asyncio.create_task(work(client))
        await until(lambda: len(machine.jobs) == 4)
        task.cancel()
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    assert len(machine.cancelled) == 4
    assert (machine.sessions, machine.drained(), machine.closed()) == (1, 0, 1)
    assert names_of_tasks() == []


async def test_a_submission_under_way_is_not_lost_by_leaving(machine: Scripted, clock: ManualClock) -> None:
    """Leaving waits for a submission that may have left, and cancels its job."""
    machine.ends, machine.gate = hold, asyncio.Event()
    async with Client(machine.service.account(), limits=FREE, clock=clock) as client:

        async def work() -> None:
            async with client.fan_out(pubs(10), backends=["ibm_fez"]):
                await until(lambda: len(machine.jobs) == 1)

        task = asyncio.create_task(work())
        await until(lambda: len(machine.jobs) == 1)
        for _ in range(50):
            await asyncio.sleep(0)
        assert not task.done()
        machine.gate.set()
        await task

    assert machine.cancelled == ["j0"]


async def test_a_submission_cut_short_is_looked_for_by_its_tag(machine: Scripted, clock: ManualClock) -> None:
    """Where leaving has waited long enough for a submission's reply, its job is found by the run's tag."""
    machine.ends, machine.gate = hold, asyncio.Event()
    async with Client(machine.service.account(), limits=FREE, clock=clock) as client:

        async def work() -> None:
            async with client.fan_out(pubs(10), backends=["ibm_fez"]):
                await until(lambda: len(machine.jobs) == 1)

        task = asyncio.create_task(work())
        while not task.done():
            clock.advance(1)
            await asyncio.sleep(0)
        await task
        machine.gate.set()

    assert machine.cancelled == ["j0"]


async def test_what_could_not_be_ended_is_reported(machine: Scripted, clock: ManualClock) -> None:
    """A job that could not be cancelled is a warning, and a session that could not be ended is an error."""
    machine.ends = hold
    async with Client(machine.service.account(), limits=FREE, clock=clock) as client:
        with (
            pytest.raises(SessionNotEnded, match="s0"),
            pytest.warns(ServiceWarning, match="s0"),
            pytest.warns(ResourceWarning, match="job j0 could not be"),
        ):
            async with client.fan_out(pubs(1), backends=["ibm_fez"], mode="dedicated") as run:
                await until(lambda: run.progress.submitted == 1)
                machine.service.on(f"POST {API}/jobs/j0/cancel", reply(400, "no"))
                machine.service.on(f"DELETE {API}/sessions/s0/close", reply(400, "no"))

    assert machine.closed() == 1


@pytest.mark.parametrize("mode", ["batch", "dedicated"])
async def test_sessions_are_the_runs_own(machine: Scripted, mode: Any) -> None:
    """A session is opened on each backend that is used, all jobs go there, and it is drained at the end."""
    async with Client(machine.service.account(), limits=FREE) as client:
        mixed = [(circuit, None, 1) for circuit in (FEZ, HANOI, FEZ, HANOI)]
        await client.gather(
            mixed, backends=["ibm_fez", "ibm_hanoi", "ibm_other"], mode=mode, pubs_per_job=1, session_time=600
        )

    opened = [one.json for one in machine.service.asked(f"POST {API}/sessions")]
    assert sorted(one["backend"] for one in opened) == ["ibm_fez", "ibm_hanoi"]
    assert {(one["mode"], one["max_ttl"]) for one in opened} == {(mode, 600)}
    assert len({(job.backend, job.body["session_id"]) for job in machine.jobs}) == 2
    assert [(machine.drained(f"s{i}"), machine.closed(f"s{i}")) for i in (0, 1)] == [(1, 0), (1, 0)]


async def test_a_session_that_ends_early_is_replaced(machine: Scripted) -> None:
    """PUBs whose job never ran because its session had been closed go out again in a new one."""

    def ends(job: ScriptedJob) -> None:
        job.status = "Completed" if job.body["session_id"] != "s0" else "Failed"
        job.code = 1217 if job.status == "Failed" else None

    machine.ends = ends
    async with Client(machine.service.account(), limits=FREE) as client:
        found = await client.gather(pubs(3), backends=["ibm_fez"], mode="batch")

    assert [result.data.c.ints()[0] for result in found] == [1, 2, 3]  # type: ignore[union-attr]
    assert [job.body["session_id"] for job in machine.jobs] == ["s0", "s1"]


async def test_a_session_that_never_lasts_is_given_up(machine: Scripted) -> None:
    """After some tries the error is reported."""

    def ends(job: ScriptedJob) -> None:
        job.status, job.code = "Failed", 1217

    machine.ends = ends
    async with Client(machine.service.account(), limits=FREE) as client:
        with pytest.raises(SessionClosed):
            await client.gather(pubs(3), backends=["ibm_fez"], mode="batch")

    assert len(machine.jobs) == 3


async def test_a_bad_pub_fails_its_pack(machine: Scripted) -> None:
    """Without isolation all PUBs of a failed job have its error, and the others their results."""
    machine.ends = fail_where(lambda shots: shots == 7)
    async with Client(machine.service.account(), limits=FREE) as client:
        found = await client.gather(pubs(30), backends=["ibm_fez"], pubs_per_job=10, return_exceptions=True)

    assert [isinstance(result, JobFailed) for result in found] == [True] * 10 + [False] * 20
    assert len(machine.jobs) == 3


async def test_isolation_finds_the_bad_pub(machine: Scripted) -> None:
    """With isolation only the bad PUB has the error; the jobs that this takes are bounded."""
    machine.ends = fail_where(lambda shots: shots == 37)
    async with Client(machine.service.account(), limits=FREE) as client:
        found = await client.gather(pubs(100), backends=["ibm_fez"], isolate=True, return_exceptions=True)

    assert [i for i, result in enumerate(found) if isinstance(result, BaseException)] == [36]
    assert isinstance(found[36], JobFailed)
    assert len(machine.jobs) <= 1 + 2 * 7


async def test_isolation_gives_up_where_everything_is_bad(machine: Scripted) -> None:
    """A pack of nothing but bad PUBs costs a bounded number of jobs, and every PUB has its error."""
    machine.ends = fail_where(lambda _: True)
    async with Client(machine.service.account(), limits=FREE) as client:
        found = await client.gather(pubs(100), backends=["ibm_fez"], isolate=True, return_exceptions=True)

    assert len(found) == 100
    assert all(isinstance(result, JobFailed) for result in found)
    assert len(machine.jobs) <= 1 + 4 * 7


async def test_only_a_failure_is_split(machine: Scripted) -> None:
    """A job that somebody cancelled is not sent again."""

    def ends(job: ScriptedJob) -> None:
        job.status = "Cancelled"

    machine.ends = ends
    async with Client(machine.service.account(), limits=FREE) as client:
        with pytest.raises(JobCancelled):
            await client.gather(pubs(10), backends=["ibm_fez"], isolate=True)

    assert len(machine.jobs) == 1


async def test_a_budget_is_kept(machine: Scripted) -> None:
    """A submission waits until what is open is settled; what the service charged is spent, and no more is reserved."""
    budget = Budget(100)
    async with Client(machine.service.account(), limits=FREE) as client:
        found = await client.gather(pubs(10), backends=["ibm_fez"], pubs_per_job=1, budget=budget)

    assert len(found) == 10
    assert (budget.spent, budget.reserved) == (20, 0)


async def test_a_spent_budget_ends_the_submitting(machine: Scripted) -> None:
    """What no budget is left for has the error; what was paid has its result."""
    machine.charge = 50.0
    budget = Budget(130)
    async with Client(machine.service.account(), limits=FREE) as client:
        found = await client.gather(
            pubs(10), backends=["ibm_fez"], pubs_per_job=1, budget=budget, return_exceptions=True
        )

    assert [isinstance(result, BudgetExceeded) for result in found] == [False] * 2 + [True] * 8
    assert (len(machine.jobs), budget.spent, budget.reserved) == (2, 100, 0)


async def test_a_dedicated_session_is_paid_by_the_clock(machine: Scripted) -> None:
    """A budget reserves a dedicated session's longest life, and is settled with the time that it was open."""
    budget = Budget(700)
    async with Client(machine.service.account(), limits=FREE) as client:
        await client.gather(
            pubs(10), backends=["ibm_fez"], pubs_per_job=1, mode="dedicated", session_time=600, budget=budget
        )
        with pytest.raises(BudgetExceeded):
            await client.gather(pubs(1), backends=["ibm_fez"], mode="dedicated", budget=budget)

    assert (machine.sessions, budget.reserved) == (1, 0)
    assert 30 <= budget.spent < 60


async def test_reservations_of_cancelled_jobs_are_settled(machine: Scripted, clock: ManualClock) -> None:
    """Leaving settles what is open with what the cancelled jobs were charged."""
    machine.ends = hold
    budget = Budget(1000)
    async with (
        Client(machine.service.account(), limits=FREE, clock=clock) as client,
        client.fan_out(pubs(3), backends=["ibm_fez"], pubs_per_job=1, budget=budget),
    ):
        await until(lambda: len(machine.jobs) == 3)
        assert budget.reserved == 180
        assert "Flight._fly" in names_of_tasks()

    assert (budget.reserved, budget.spent) == (0, 6)


async def test_what_meets_every_submission_ends_the_submitting(machine: Scripted) -> None:
    """An account that may not submit is asked once; every PUB has the error, and the source is read to its end."""
    machine.service.on(f"POST {API}/jobs", reply(403, {"errors": [{"code": 1, "message": "no"}]}))
    async with Client(machine.service.account(), limits=FREE) as client:
        found = await client.gather(pubs(1000), backends=["ibm_fez"], pubs_per_job=10, return_exceptions=True)

    assert len(found) == 1000
    assert all(isinstance(error, Forbidden) for error in found)
    assert len(machine.service.asked(f"POST {API}/jobs")) == 1


async def test_a_refused_job_is_the_error_of_its_pubs(machine: Scripted) -> None:
    """A job that the service does not take fails its own PUBs alone."""
    machine.service.on(f"POST {API}/jobs", reply(404, {"errors": [{"code": 1, "message": "no"}]}), machine._create)
    async with Client(machine.service.account(), limits=FREE) as client:
        found = await client.gather(pubs(20), backends=["ibm_fez"], pubs_per_job=10, return_exceptions=True)

    assert [isinstance(result, NotFound) for result in found] == [True] * 10 + [False] * 10


async def test_progress_follows_the_jobs(machine: Scripted, clock: ManualClock) -> None:
    """Jobs are seen to wait, to run and to end, with one request for all; what is left under the quota is told."""
    machine.ends = hold
    async with (
        Client(machine.service.account(), clock=clock) as client,
        client.fan_out(pubs(1000), backends=["ibm_fez"], pubs_per_job=50) as run,
    ):
        await until(lambda: len(machine.jobs) == 5 and run.progress.submitted == 250)
        assert (run.progress.queued, run.progress.running) == (250, 0)
        assert (run.progress.jobs_left, run.progress.seconds_left) == (15, 180.0)
        for job in machine.jobs[:2]:
            job.status = "Running"
        changed = asyncio.create_task(run.progress.changed())
        clock.advance(30)
        await until(lambda: run.progress.running == 100)
        await changed
        assert run.progress.queued == 150
        for job in machine.jobs:
            job.status = "Completed"
        await ticking(clock, lambda: run.progress.done >= 250)
        assert "250 of 1,000 PUBs done" in str(run.progress)
        assert run.progress.seconds_billed >= 8


async def test_settings_are_checked_before_anything_is_sent(machine: Scripted) -> None:
    """A run that cannot be meant is refused where it is made."""
    async with Client(machine.service.account(), limits=FREE) as client:
        for wrong, words in [
            ({"policy": "random"}, "policy is"),
            ({"mode": "session"}, "mode is 'job' or 'batch' or 'dedicated'"),
            ({"in_flight": 0}, "in_flight"),
            ({"transpile": 4}, "optimization level"),
            ({"session_time": 60}, "session_time is for"),
            ({"on_error": "ignore"}, "on_error"),
        ]:
            with pytest.raises(InvalidOption, match=words):
                client.fan_out([FEZ], backends=["ibm_fez"], **wrong)  # type: ignore[arg-type]
        with pytest.raises(UsageError, match="6 tags"):
            client.fan_out([FEZ], backends=["ibm_fez"], tags=list("abcdefg"))
        with pytest.raises(UsageError, match="list, a generator or an async generator"):
            client.fan_out(TEXT, backends=["ibm_fez"])

    assert machine.service.seen == []


async def test_a_run_is_for_its_block_alone(machine: Scripted) -> None:
    """Outside its block there is nothing to iterate over, and no run is entered twice."""
    async with Client(machine.service.account(), limits=FREE) as client:
        run: FanOut = client.fan_out(pubs(1), backends=["ibm_fez"])
        with pytest.raises(UsageError, match="has not begun"):
            aiter(run)
        async with run:
            with pytest.raises(UsageError, match="entered once"):
                await run.__aenter__()
            assert [done.index async for done in run] == [0]


async def test_jobs_that_one_has_come_as_they_are_over(machine: Scripted, clock: ManualClock) -> None:
    """Handles are given back in the order in which their jobs end, however they end; leaving early leaves no task."""
    machine.ends = hold
    async with Client(machine.service.account(), limits=FREE, clock=clock) as client:
        jobs = [await client.sampler([(FEZ, None, i + 1)], backend="ibm_fez") for i in range(4)]
        found: list[str] = []
        waiting = client.as_completed(jobs)
        for i, status in ((2, "Completed"), (0, "Failed"), (3, "Cancelled")):
            machine.jobs[i].status = status
            following = asyncio.ensure_future(anext(waiting))
            await ticking(clock, following.done)
            found.append((await following).id)
        await waiting.aclose()

    assert found == ["j2", "j0", "j3"]
    assert names_of_tasks() == []
