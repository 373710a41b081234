"""Callers who share jobs: windows, limits, turns, leaving, closing, and PUBs that fail their job."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import pytest

from qrt_async import (
    BadRequest,
    Client,
    Coalescer,
    CoalescerClosed,
    InvalidOption,
    InvalidPub,
    IsaCircuit,
    JobFailed,
    Limits,
    Overloaded,
    PollPolicy,
    PubResult,
    PubTooLarge,
    UsageError,
)
from tests.bulk.machine import API, ManualClock, Scripted, fail_where, hold
from tests.client import scripted
from tests.client.scripted import reply

TEXT = "OPENQASM 3.0; bit[1] c; c[0] = measure $0;"
FEZ = IsaCircuit(TEXT, "ibm_fez", (0,), 1)
UNPACED = Limits(submissions_per_minute=None)

Sampler = Coalescer[Any, Any]
Asking = asyncio.Task[PubResult[Any]]


def pub(shots: int) -> Any:
    """Return a PUB that is known by its shots."""
    return (FEZ, None, shots)


def ask(sampler: Sampler, *shots: int, tenant: str | None = None) -> list[Asking]:
    """Begin a caller for each of these shots."""
    return [asyncio.create_task(sampler.run(pub(one), tenant=tenant), name="caller") for one in shots]


def shots_of(task: Asking) -> int:
    """Return the shots that a caller's result tells of."""
    return int(task.result().data.c.ints()[0])


async def until(condition: Callable[[], bool]) -> None:
    """Let the event loop go on until a condition holds."""
    while not condition():
        await asyncio.sleep(0)


async def waiting(sampler: Sampler, count: int, clock: ManualClock) -> None:
    """Let so many callers come to wait, and the clock's sleepers to sleep."""
    await until(lambda: sampler.waiting == count and bool(clock._sleepers))


def left_over() -> list[str]:
    """Return the names of the coalescer's tasks that are still there."""
    return [task.get_name() for task in asyncio.all_tasks() if "coalesce" in task.get_name()]


def client_of(machine: Scripted, clock: ManualClock | None = None, limits: Limits = UNPACED) -> Client:
    """Return a client of the machine."""
    poll = PollPolicy(initial=0.01, maximum=0.05)
    return Client(machine.service.account(), limits=limits, poll=poll, clock=clock)


async def test_what_arrives_within_a_window_is_one_job(machine: Scripted, clock: ManualClock) -> None:
    """A job goes out when the window of its first PUB closes, no sooner, and each caller gets their own result."""
    async with client_of(machine, clock) as client, client.coalescing_sampler("ibm_fez", window=0.05) as sampler:
        early = ask(sampler, 1, 2)
        await waiting(sampler, 2, clock)
        clock.advance(0.04)
        late = ask(sampler, 3)
        await waiting(sampler, 3, clock)
        assert machine.jobs == []
        clock.advance(0.01)
        await asyncio.wait([*early, *late])
        after = ask(sampler, 4)
        await waiting(sampler, 1, clock)
        clock.advance(0.05)
        await asyncio.wait(after)

    assert [job.shots for job in machine.jobs] == [[1, 2, 3], [4]]
    assert [shots_of(task) for task in (*early, *late, *after)] == [1, 2, 3, 4]
    assert all(job.body["cost"] == 60 for job in machine.jobs)
    assert left_over() == []


async def test_a_full_job_waits_for_no_window(machine: Scripted, clock: ManualClock) -> None:
    """As soon as there are as many PUBs as a job may hold, they go; the rest waits for its own window."""
    async with client_of(machine, clock) as client, client.coalescing_sampler("ibm_fez", max_pubs=3) as sampler:
        callers = ask(sampler, 1, 2, 3, 4)
        await asyncio.wait(callers[:3])
        assert [job.shots for job in machine.jobs] == [[1, 2, 3]]
        await waiting(sampler, 1, clock)
        clock.advance(0.05)
        await asyncio.wait(callers)

    assert [shots_of(task) for task in callers] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("shots", "limits"),
    [
        pytest.param([6_000_000, 5_000_000, 4_000_000], {}, id="executions"),
        pytest.param([60_000, 50_000, 40_000], {"qpu_seconds": 25.5}, id="seconds"),
    ],
)
async def test_no_job_holds_more_than_it_may(machine: Scripted, shots: list[int], limits: dict[str, Any]) -> None:
    """What does not fit a job's executions or estimated seconds goes with another job."""
    async with client_of(machine) as client, client.coalescing_sampler("ibm_fez", **limits) as sampler:
        callers = ask(sampler, *shots)
        await asyncio.wait(callers)

    assert [job.shots for job in machine.jobs] == [shots[:1], shots[1:]]
    assert [shots_of(task) for task in callers] == shots


async def test_callers_join_while_the_quota_leaves_no_turn(machine: Scripted, clock: ManualClock) -> None:
    """A window stays open until there is a turn under the quota, so that all who wait then share a job."""
    limits = Limits(submissions_per_minute=1)
    async with client_of(machine, clock, limits) as client, client.coalescing_sampler("ibm_fez") as sampler:
        first = ask(sampler, 1)
        await waiting(sampler, 1, clock)
        clock.advance(0.05)
        await asyncio.wait(first)
        later: list[Asking] = []
        for i in range(5):
            later += ask(sampler, 10 + i)
            await waiting(sampler, i + 1, clock)
            clock.advance(5)
        assert len(machine.jobs) == 1
        clock.advance(36)
        await asyncio.wait(later)

    assert [job.shots for job in machine.jobs] == [[1], [10, 11, 12, 13, 14]]


async def test_tenants_go_in_turn_and_never_share_a_job(machine: Scripted, clock: ManualClock) -> None:
    """One who asks for much delays another by one job, not by all of theirs."""
    limits = Limits(submissions_per_minute=1)
    async with client_of(machine, clock, limits) as client, client.coalescing_sampler("ibm_fez", max_pubs=2) as sampler:
        callers = ask(sampler, 1, 2, 3, 4, 5, 6, tenant="much")
        callers += ask(sampler, 11, tenant="little")
        callers += ask(sampler, 21, tenant="also little")
        callers += ask(sampler, 31)
        while not all(task.done() for task in callers):
            await asyncio.sleep(0)
            clock.advance(0.1)

    assert [job.shots for job in machine.jobs] == [[1, 2], [11], [21], [31], [3, 4], [5, 6]]
    assert [shots_of(task) for task in callers] == [1, 2, 3, 4, 5, 6, 11, 21, 31]


async def test_beyond_the_bound_callers_are_refused_at_once(machine: Scripted, clock: ManualClock) -> None:
    """Whoever comes when `max_waiting` PUBs wait learns when to come again; those who wait are served."""
    limits = Limits(submissions_per_minute=1)
    settings: dict[str, Any] = {"max_pubs": 2, "max_waiting": 4, "window": 1}
    async with client_of(machine, clock, limits) as client, client.coalescing_sampler("ibm_fez", **settings) as sampler:
        first = ask(sampler, 1, 2)
        await asyncio.wait(first)
        callers = ask(sampler, 3, 4, 5, 6)
        await waiting(sampler, 4, clock)
        with pytest.raises(Overloaded, match="4 PUBs wait") as refused:
            await sampler.run(pub(7))
        clock.advance(60)
        await asyncio.wait(callers[:2])
        callers += ask(sampler, 8)
        await waiting(sampler, 3, clock)
        clock.advance(60)
        await asyncio.wait(callers[:4])
        await waiting(sampler, 1, clock)
        clock.advance(60)

    assert refused.value.retry_after == pytest.approx(120)
    assert refused.value.waiting == 4
    assert [job.shots for job in machine.jobs] == [[1, 2], [3, 4], [5, 6], [8]]


async def test_a_place_is_free_again_once_its_caller_has_left(machine: Scripted, clock: ManualClock) -> None:
    """Callers who left are not counted among those who wait; without a quota `retry_after` is the window."""
    settings: dict[str, Any] = {"max_waiting": 1, "window": 2}
    async with client_of(machine, clock) as client, client.coalescing_sampler("ibm_fez", **settings) as sampler:
        [gone] = ask(sampler, 1)
        await waiting(sampler, 1, clock)
        with pytest.raises(Overloaded) as refused:
            await sampler.run(pub(2))
        gone.cancel()
        await asyncio.wait([gone])
        [stays] = ask(sampler, 3)
        await waiting(sampler, 1, clock)

    assert refused.value.retry_after == 2
    assert [job.shots for job in machine.jobs] == [[3]]
    assert shots_of(stays) == 3


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        ("", InvalidPub),
        ((FEZ, None, 0), InvalidPub),
        (IsaCircuit(TEXT, "ibm_hanoi", (0,), 1), InvalidPub),
        ((FEZ, None, 10_000_001), PubTooLarge),
        (("OPENQASM 3.0;" + " " * 100_000, [[float("nan")]]), InvalidPub),
    ],
)
async def test_a_bad_pub_joins_nobody(machine: Scripted, bad: Any, error: type[Exception]) -> None:
    """A PUB that no service would accept is refused before it comes to share a job."""
    async with client_of(machine) as client, client.coalescing_sampler("ibm_fez") as sampler:
        good = ask(sampler, 1)
        with pytest.raises(error):
            await sampler.run(bad)
        await asyncio.wait(good)

    assert [job.shots for job in machine.jobs] == [[1]]


async def test_large_pubs_are_checked_beside_the_loop(machine: Scripted) -> None:
    """A PUB of a megabyte goes the same way."""
    circuit = TEXT + " " * 1_000_000
    async with client_of(machine) as client, client.coalescing_sampler("ibm_fez", shots=7) as sampler:
        result = await sampler.run(circuit)

    assert result.data.c.ints()[0] == 7


async def test_who_leaves_before_takes_the_pub_along(machine: Scripted, clock: ManualClock) -> None:
    """A caller who is cancelled while the window is open costs nothing; where nobody stays, no job is made."""
    async with client_of(machine, clock) as client, client.coalescing_sampler("ibm_fez") as sampler:
        callers = ask(sampler, 1, 2, 3)
        await waiting(sampler, 3, clock)
        callers[1].cancel()
        await until(lambda: sampler.waiting == 2)
        clock.advance(0.05)
        await asyncio.wait(callers)
        alone = ask(sampler, 4)
        await waiting(sampler, 1, clock)
        alone[0].cancel()
        await until(lambda: sampler.waiting == 0)
        clock.advance(0.05)

    assert [job.shots for job in machine.jobs] == [[1, 3]]
    assert [shots_of(callers[0]), shots_of(callers[2])] == [1, 3]
    assert callers[1].cancelled()
    assert left_over() == []


@pytest.mark.parametrize(("when_abandoned", "cancelled"), [("finish", []), ("cancel", ["j0"])])
async def test_a_job_whose_callers_all_left(machine: Scripted, when_abandoned: Any, cancelled: list[str]) -> None:
    """Later, the job goes on for those who stay; once all have left it is cancelled only if so told."""
    machine.ends = hold
    settings = {"when_abandoned": when_abandoned}
    async with client_of(machine) as client, client.coalescing_sampler("ibm_fez", **settings) as sampler:
        callers = ask(sampler, 1, 2)
        await until(lambda: bool(machine.service.asked(f"GET {API}/jobs/j0")))
        callers[0].cancel()
        await asyncio.wait(callers[:1])
        assert machine.cancelled == []
        callers[1].cancel()
        await asyncio.wait(callers)

    assert machine.cancelled == cancelled
    assert left_over() == []


@pytest.mark.parametrize(("when_abandoned", "cancelled"), [("finish", []), ("cancel", ["j0"])])
async def test_leaving_while_the_job_is_submitted(machine: Scripted, when_abandoned: Any, cancelled: list[str]) -> None:
    """A submission under way is not cut: its job goes on, or is cancelled once it is known."""
    machine.ends, machine.gate = hold, asyncio.Event()
    settings = {"when_abandoned": when_abandoned}
    async with client_of(machine) as client, client.coalescing_sampler("ibm_fez", **settings) as sampler:
        callers = ask(sampler, 1, 2)
        await until(lambda: bool(machine.jobs))
        for task in callers:
            task.cancel()
        await asyncio.wait(callers)
        machine.gate.set()

    assert machine.cancelled == cancelled
    assert len(machine.jobs) == 1
    assert left_over() == []


async def test_closing_flushes(machine: Scripted, clock: ManualClock) -> None:
    """Leaving the block submits what waits without waiting for its window, and answers everyone."""
    async with client_of(machine, clock) as client:
        async with client.coalescing_sampler("ibm_fez", window=60) as sampler:
            callers = ask(sampler, 1, 2)
            await waiting(sampler, 2, clock)
        assert [shots_of(task) for task in callers] == [1, 2]
        with pytest.raises(CoalescerClosed, match="was not submitted"):
            await sampler.run(pub(3))

    assert [job.shots for job in machine.jobs] == [[1, 2]]
    assert left_over() == []


async def test_closing_refuses(machine: Scripted, clock: ManualClock) -> None:
    """With ``on_close="refuse"`` what waits is not sent, and a job under way is still answered."""
    machine.gate = asyncio.Event()
    async with client_of(machine, clock) as client:
        async with client.coalescing_sampler("ibm_fez", window=60, max_pubs=2, on_close="refuse") as sampler:
            sent = ask(sampler, 1, 2)
            await until(lambda: bool(machine.jobs))
            waits = ask(sampler, 3)
            await waiting(sampler, 3, clock)
            machine.gate.set()
        await asyncio.wait([*sent, *waits])

    assert [shots_of(task) for task in sent] == [1, 2]
    assert isinstance(waits[0].exception(), CoalescerClosed)
    assert [job.shots for job in machine.jobs] == [[1, 2]]
    assert left_over() == []


class _Left(Exception):
    """An error of the block's own."""


@pytest.mark.parametrize(("when_abandoned", "cancelled"), [("finish", []), ("cancel", ["j0"])])
async def test_an_error_leaves_nobody_behind(machine: Scripted, when_abandoned: Any, cancelled: list[str]) -> None:
    """A block that fails waits for no job: callers are told which one it was, and that it goes on or was cancelled."""
    machine.ends = hold
    settings: dict[str, Any] = {"when_abandoned": when_abandoned, "max_pubs": 1, "window": 60}
    async with client_of(machine) as client:
        with pytest.raises(_Left):
            async with client.coalescing_sampler("ibm_fez", **settings) as sampler:
                callers = ask(sampler, 1)
                await until(lambda: bool(machine.service.asked(f"GET {API}/jobs/j0")))
                raise _Left
        await asyncio.wait(callers)

    error = callers[0].exception()
    assert isinstance(error, CoalescerClosed)
    assert error.job_id == "j0"
    assert ("cancelled" in str(error)) == bool(cancelled)
    assert machine.cancelled == cancelled
    assert left_over() == []


async def test_closing_can_be_cut_short(machine: Scripted) -> None:
    """Cancelling the flush answers everyone as well, and leaves no task."""
    machine.ends = hold

    async def serve() -> None:
        async with client_of(machine) as client, client.coalescing_sampler("ibm_fez", window=60) as sampler:
            callers.extend(ask(sampler, 1, 2))
            await until(lambda: sampler.waiting == 2)

    callers: list[Asking] = []
    serving = asyncio.create_task(serve())
    await until(lambda: bool(machine.service.asked(f"GET {API}/jobs/j0")))
    serving.cancel()
    await asyncio.wait([serving, *callers])

    assert serving.cancelled()
    assert [type(task.exception()) for task in callers] == [CoalescerClosed, CoalescerClosed]
    assert machine.cancelled == []
    assert left_over() == []


async def test_only_the_bad_pub_fails(machine: Scripted) -> None:
    """With `isolate` a job that one PUB failed is halved until that one is alone; the others get their results."""
    machine.ends = fail_where(lambda shots: shots == 5)
    async with client_of(machine) as client, client.coalescing_sampler("ibm_fez", isolate=True) as sampler:
        callers = ask(sampler, 1, 2, 3, 4, 5, 6, 7, 8)
        await asyncio.wait(callers)

    assert [shots_of(task) for task in callers if task.exception() is None] == [1, 2, 3, 4, 6, 7, 8]
    assert isinstance(callers[4].exception(), JobFailed)
    assert len(machine.jobs) == 7
    assert left_over() == []


async def test_isolation_is_bounded_and_opt_in(machine: Scripted) -> None:
    """Where every PUB is bad, no more jobs are made than twice what halving takes for one; without it, none."""
    machine.ends = fail_where(lambda _: True)
    async with client_of(machine) as client:
        async with client.coalescing_sampler("ibm_fez", isolate=True) as sampler:
            callers = ask(sampler, *range(1, 33))
            await asyncio.wait(callers)
        assert len(machine.jobs) <= 1 + 4 * 5
        async with client.coalescing_sampler("ibm_fez") as sampler:
            made = len(machine.jobs)
            callers += ask(sampler, 1, 2)
            await asyncio.wait(callers)

    assert len(machine.jobs) == made + 1
    assert {type(task.exception()) for task in callers} == {JobFailed}


async def test_who_left_is_not_submitted_again(machine: Scripted) -> None:
    """Of a job that failed only the PUBs of those who still wait go out once more."""
    machine.ends = hold
    async with client_of(machine) as client, client.coalescing_sampler("ibm_fez", isolate=True) as sampler:
        callers = ask(sampler, 1, 2, 3)
        await until(lambda: bool(machine.service.asked(f"GET {API}/jobs/j0")))
        callers[1].cancel()
        await asyncio.wait(callers[1:2])
        machine.ends = fail_where(lambda shots: shots == 3)
        machine.ends(machine.jobs[0])
        await asyncio.wait(callers)

    assert [job.shots for job in machine.jobs] == [[1, 2, 3], [1], [3]]
    assert shots_of(callers[0]) == 1
    assert isinstance(callers[2].exception(), JobFailed)


async def test_a_refused_submission_reaches_all_its_callers(machine: Scripted) -> None:
    """What the service says to a job is what every one of its callers hears; the next job is not concerned."""
    take = machine.service.scripts[f"POST {API}/jobs"][0]
    refusal = {"errors": [{"code": 1211, "message": "no such backend"}]}
    machine.service.on(f"POST {API}/jobs", reply(400, refusal), take)
    async with client_of(machine) as client, client.coalescing_sampler("ibm_fez") as sampler:
        refused = ask(sampler, 1, 2, 3)
        await asyncio.wait(refused)
        good = ask(sampler, 4)
        await asyncio.wait(good)

    assert {type(task.exception()) for task in refused} == {BadRequest}
    assert shots_of(good[0]) == 4
    assert left_over() == []


async def test_a_pub_that_the_service_refuses_is_found_out(machine: Scripted) -> None:
    """With `isolate` a bad request is halved as a failed job is."""
    take = machine.service.scripts[f"POST {API}/jobs"][0]

    async def picky(request: Any) -> Any:
        if '"pubs":[[' in await request.text() and ",13]" in await request.text():
            return await reply(400, {"errors": [{"code": 1, "message": "13 is bad"}]})(request)
        return await take(request)

    machine.service.on(f"POST {API}/jobs", picky)
    async with client_of(machine) as client, client.coalescing_sampler("ibm_fez", isolate=True) as sampler:
        callers = ask(sampler, 11, 12, 13, 14)
        await asyncio.wait(callers)

    assert isinstance(callers[2].exception(), BadRequest)
    assert [shots_of(task) for task in callers if task.exception() is None] == [11, 12, 14]


async def test_an_estimators_callers_share_a_job(service: scripted.Service) -> None:
    """PUBs of different precisions are one job, and each caller gets the values of their observables."""
    values = [{"data": {"evs": value, "stds": 0.1}, "metadata": {}} for value in (0.5, -0.5)]
    service.on(f"POST {API}/jobs", reply(body={"id": "j", "backend": "ibm_fez"}))
    service.on(f"GET {API}/jobs/j", scripted.job("Completed"))
    service.on(f"GET {API}/jobs/j/results", reply(body={"results": values, "metadata": {}}))
    async with (
        Client(service.account(), limits=UNPACED) as client,
        client.coalescing_estimator("ibm_fez", precision=0.25) as estimator,
    ):
        first, second = await asyncio.gather(estimator.run((FEZ, "Z")), estimator.run((FEZ, {"X": 2.0}, None, 0.125)))

    [request] = service.asked(f"POST {API}/jobs")
    assert [pub[3] for pub in request.json["params"]["pubs"]] == [0.25, 0.125]
    assert (float(first.data.evs), float(second.data.evs)) == (0.5, -0.5)


async def test_a_job_with_too_few_results_is_nobodys(machine: Scripted) -> None:
    """Where results do not match the PUBs, no caller gets somebody else's."""
    results = {"results": [{"data": {"c": {"samples": ["0x1"], "num_bits": 1}}, "metadata": {}}], "metadata": {}}
    machine.service.on(f"GET {API}/jobs/j0/results", reply(body=results))

    async with client_of(machine) as client, client.coalescing_sampler("ibm_fez") as sampler:
        callers = ask(sampler, 1, 2)
        await until(lambda: bool(machine.jobs))
        machine.service.on(f"GET {API}/jobs/j0/results", reply(body=results))
        await asyncio.wait(callers)

    assert all("job j0: 1 results for 2 PUBs" in str(task.exception()) for task in callers)


@pytest.mark.parametrize(
    "settings",
    [
        {"window": 0},
        {"max_pubs": 0},
        {"max_waiting": 0},
        {"when_abandoned": "keep"},
        {"on_close": "wait"},
        {"shots": 0},
    ],
)
async def test_options_are_checked_where_they_are_given(machine: Scripted, settings: dict[str, Any]) -> None:
    """Nothing is made with options that cannot be meant."""
    async with client_of(machine) as client:
        if "shots" in settings:
            async with client.coalescing_sampler("ibm_fez", **settings) as sampler:
                with pytest.raises(InvalidPub):
                    await sampler.run(TEXT)
        else:
            with pytest.raises(InvalidOption):
                client.coalescing_sampler("ibm_fez", **settings)
        with pytest.raises(InvalidOption):
            client.coalescing_sampler("ibm_fez", options={"default_shots": -1})

    assert machine.jobs == []


async def test_it_is_used_inside_its_block_and_once(machine: Scripted) -> None:
    """Outside its block nothing is taken, and a block is entered once."""
    async with client_of(machine) as client:
        sampler = client.coalescing_sampler("ibm_fez")
        with pytest.raises(UsageError, match="inside its block"):
            await sampler.run(TEXT)
        async with sampler:
            with pytest.raises(UsageError, match="entered once"):
                await sampler.__aenter__()


@pytest.mark.parametrize("when_abandoned", ["finish", "cancel"])
@pytest.mark.parametrize("steps", range(0, 60, 3))
async def test_a_caller_may_leave_at_any_moment(machine: Scripted, when_abandoned: Any, steps: int) -> None:
    """However many turns of the loop a caller waits before they leave, nobody else notices, and nothing stays."""

    async def cancelled_after(caller: Coroutine[Any, Any, PubResult[Any]]) -> None:
        task = asyncio.create_task(caller)
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    async with client_of(machine) as client:
        settings: dict[str, Any] = {"when_abandoned": when_abandoned, "window": 0.001}
        async with client.coalescing_sampler("ibm_fez", **settings) as sampler:
            stays = ask(sampler, 1)
            await asyncio.gather(
                cancelled_after(sampler.run(pub(2))),
                cancelled_after(sampler.run(pub(3), tenant="alone")),
                cancelled_after(sampler.run((TEXT + " " * 100_000, None, 4))),
            )
            await asyncio.wait(stays)
        assert sampler.waiting == 0

    assert shots_of(stays[0]) == 1
    assert left_over() == []


async def test_what_fails_while_the_block_is_cut_short_is_answered(machine: Scripted) -> None:
    """A job that fails while another's submission is still waited for leaves none of its callers behind."""
    machine.ends = hold
    callers: list[Asking] = []

    async def serve() -> None:
        settings: dict[str, Any] = {"max_pubs": 2, "isolate": True, "window": 60}
        async with client_of(machine) as client, client.coalescing_sampler("ibm_fez", **settings) as sampler:
            callers.extend(ask(sampler, 1, 2))
            await until(lambda: bool(machine.service.asked(f"GET {API}/jobs/j0")))
            machine.gate = asyncio.Event()
            callers.extend(ask(sampler, 3, 4))
            await until(lambda: len(machine.jobs) == 2)
            raise _Left

    serving = asyncio.create_task(serve())
    await until(lambda: len(machine.jobs) == 2)
    seen = len(machine.service.asked(f"GET {API}/jobs/j0"))
    fail_where(lambda _: True)(machine.jobs[0])
    await until(lambda: len(machine.service.asked(f"GET {API}/jobs/j0")) > seen + 1 or callers[0].done())
    assert machine.gate is not None
    machine.gate.set()
    await asyncio.wait([serving, *callers])

    assert isinstance(serving.exception(), _Left)
    assert [type(task.exception()) for task in callers] == [JobFailed, JobFailed, CoalescerClosed, CoalescerClosed]
    assert left_over() == []
