"""PUBs that are not bound to a backend: transpiled for the one they go to, and moved where it has trouble."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, TypeVar

import attrs
import pytest

from qrt_async import (
    Candidate,
    Client,
    FanOut,
    InvalidPub,
    NotFound,
    PubTooLarge,
    SamplerPub,
    TranspileError,
    UsageError,
)
from qrt_async.bulk.sites import Site
from tests.bulk.machine import ManualClock, Scripted, ScriptedJob, hold

T = TypeVar("T")

NAMES = ("ibm_a", "ibm_b", "ibm_c")


def pubs(count: int, text: str = "qubit[1] q;") -> list[Any]:
    """Return PUBs that are known by their shots: PUB i has i + 1."""
    return [(text, None, i + 1) for i in range(count)]


def numbers(results: Sequence[Any]) -> list[int]:
    """Return the shots that results tell of."""
    return [result.data.c.ints()[0] for result in results]


def places(machine: Scripted) -> list[str]:
    """Return the backends of the jobs, in the order of their submission."""
    return [job.backend for job in machine.jobs]


async def until(condition: Callable[[], bool]) -> None:
    """Let the event loop go on until a condition holds."""
    while not condition():
        await asyncio.sleep(0)


async def passing(clock: ManualClock, work: Awaitable[T]) -> T:
    """Return what some work gives, and let time pass until it does."""
    task = asyncio.ensure_future(work)
    while not task.done():
        clock.advance(1)
        await asyncio.sleep(0)
    return task.result()


def site(run: FanOut, name: str) -> Site:
    """Return what a run knows of a backend."""
    assert run._run is not None
    return run._run._sites[name]


async def ticking(clock: ManualClock, condition: Callable[[], bool]) -> None:
    """Let time pass until a condition holds."""
    while not condition():
        clock.advance(1)
        await asyncio.sleep(0)


async def settled(rounds: int = 200) -> None:
    """Let everything happen that can happen without time passing."""
    for _ in range(rounds):
        await asyncio.sleep(0)


async def test_packs_go_round_the_backends(legacy: Scripted) -> None:
    """Results are in order and each program is the one transpiled for its backend; equal circuits are so once each."""
    legacy.backends(*NAMES)
    async with Client(legacy.service.legacy_account()) as client:
        found = await client.gather(pubs(90), backends=NAMES, transpile=1, pubs_per_job=10)

    assert numbers(found) == list(range(1, 91))
    assert sorted(places(legacy)) == sorted(NAMES * 3)
    assert all(f"// {job.backend}" in pub[0] for job in legacy.jobs for pub in job.body["params"]["pubs"])
    assert sorted(legacy.transpiled) == [(name, "qubit[1] q;") for name in NAMES]


async def test_no_more_jobs_than_packing_needs(legacy: Scripted) -> None:
    """PUBs are packed before they are distributed, so that only the last job is not full."""
    legacy.backends(*NAMES)
    async with Client(legacy.service.legacy_account()) as client:
        planned = client.plan(pubs(95), backends=NAMES, transpile=1, pubs_per_job=10)
        await client.gather(pubs(95), backends=NAMES, transpile=1, pubs_per_job=10)

    assert len(legacy.jobs) == len(planned.jobs) == 10


async def test_bound_and_abstract_pubs_side_by_side(legacy: Scripted) -> None:
    """What is bound stays with its backend, whatever becomes of the rest."""
    legacy.backends(*NAMES)
    legacy.status("ibm_b", "maintenance")
    async with Client(legacy.service.legacy_account()) as client:
        [isa] = await client.transpile(["x $0;"], backend="ibm_b")
        mixed = [(isa if i % 2 else "qubit[1] q;", None, i + 1) for i in range(20)]
        found = await client.gather(mixed, backends=NAMES, transpile=1)

    assert numbers(found) == list(range(1, 21))
    assert [job.shots for job in legacy.jobs if job.backend == "ibm_b"] == [list(range(2, 21, 2))]


async def test_a_circuit_that_cannot_be_transpiled_fails_alone(legacy: Scripted) -> None:
    """The error names the PUB and the backend; the others of its pack go out."""
    mixed = [("bad" if i == 5 else f"qubit[1] q; // {i}", None, i + 1) for i in range(12)]
    async with Client(legacy.service.legacy_account()) as client:
        found = await client.gather(mixed, backends=["ibm_a"], transpile=1, return_exceptions=True)

    assert isinstance(found[5], TranspileError)
    assert "PUB 5 for ibm_a" in str(found[5])
    assert numbers([result for i, result in enumerate(found) if i != 5]) == [i + 1 for i in range(12) if i != 5]
    assert len(legacy.jobs) == 1


async def test_what_transpiling_makes_too_long_is_packed_again(legacy: Scripted) -> None:
    """A pack that takes longer than was estimated is split, and a PUB that takes too long alone is refused."""
    mixed = [("slow", None, 4), ("slow", None, 5), ("slow", None, 11), ("slow", None, 3), ("slow", None, 6)]
    async with Client(legacy.service.legacy_account()) as client:
        found = await client.gather(mixed, backends=["ibm_a"], transpile=1, qpu_seconds=10.0, return_exceptions=True)

    assert isinstance(found[2], PubTooLarge)
    assert numbers([found[i] for i in (0, 1, 3, 4)]) == [4, 5, 3, 6]
    assert all(sum(job.shots) <= 10 for job in legacy.jobs)
    assert len(legacy.jobs) == 2
    assert all(job.body["cost"] == 60 for job in legacy.jobs)


async def test_a_backend_in_maintenance_gets_no_more(legacy: Scripted, clock: ManualClock) -> None:
    """Its status is asked for now and then: work that is not submitted goes elsewhere, and comes back with it."""
    legacy.backends(*NAMES)
    legacy.ends = hold
    async with Client(legacy.service.legacy_account(), clock=clock) as client:
        run = client.fan_out(pubs(200), backends=NAMES, transpile=1, pubs_per_job=10, in_flight=1)
        async with run:
            await until(lambda: len(legacy.jobs) == 3)
            assert sorted(places(legacy)) == list(NAMES)
            legacy.status("ibm_a", "maintenance")
            await ticking(clock, lambda: not site(run, "ibm_a").takes_jobs)
            legacy.ends = _complete
            for job in legacy.jobs:
                job.status = "Completed"
            found: list[int] = []
            while len(found) < 60:
                found.append((await passing(clock, anext(run))).index)
            assert places(legacy).count("ibm_a") == 1
            legacy.status("ibm_a")
            await ticking(clock, lambda: site(run, "ibm_a").takes_jobs)
            while len(found) < 200:
                found.append((await passing(clock, anext(run))).index)

    assert sorted(found) == list(range(200))
    assert places(legacy).count("ibm_a") > 1


def _complete(job: ScriptedJob) -> None:
    job.status = "Completed"


async def test_what_was_prepared_for_a_backend_moves_as_well(legacy: Scripted, clock: ManualClock) -> None:
    """A pack that was transpiled for a backend, and waits to be submitted, is transpiled again for another."""
    legacy.backends(*NAMES)
    legacy.gate = asyncio.Event()
    async with (
        Client(legacy.service.legacy_account(), clock=clock) as client,
        client.fan_out(pubs(20), backends=NAMES, transpile=1, pubs_per_job=10) as run,
    ):
        await until(lambda: len(legacy.jobs) == 1 and len(legacy.transpiled) == 2)
        await settled()
        legacy.status("ibm_b", "maintenance")
        await ticking(clock, lambda: not site(run, "ibm_b").takes_jobs)
        legacy.gate.set()
        found = [done async for done in run]
        moved = run.progress.moved

    assert places(legacy) == ["ibm_a", "ibm_c"]
    assert moved == 10
    assert sorted((done.index, done.backend) for done in found)[::10] == [(0, "ibm_a"), (10, "ibm_c")]


async def test_where_every_backend_is_down_work_waits(legacy: Scripted, clock: ManualClock) -> None:
    """Nothing is submitted until one takes jobs again."""
    legacy.backends("ibm_a", "ibm_b")
    legacy.status("ibm_a", "maintenance")
    legacy.status("ibm_b", "paused")
    listed = {"name": "ibm_a", "status": {"name": "paused"}, "queue_length": 0, "is_simulator": False, "qubits": 5}
    down = {"devices": [listed, listed | {"name": "ibm_b"}]}
    legacy.service.on(f"GET {legacy.api}/backends", _json(down))
    async with (
        Client(legacy.service.legacy_account(), clock=clock) as client,
        client.fan_out(pubs(5), backends=["ibm_a", "ibm_b"], transpile=1) as run,
    ):
        await until(lambda: run.progress.taken == 5)
        await ticking(clock, lambda: len(legacy.service.asked("GET /runtime/backends/ibm_b/status")) >= 2)
        assert legacy.jobs == []
        legacy.status("ibm_b")
        for _ in range(5):
            assert (await passing(clock, anext(run))).error is None

    assert places(legacy) == ["ibm_b"]


def _json(body: Any) -> Any:
    from tests.client.scripted import reply

    return reply(body=body)


async def test_a_backend_that_stalls_gets_no_more(legacy: Scripted, clock: ManualClock) -> None:
    """Where nothing began or ended for `stall_after` seconds, new work goes to the others."""
    legacy.backends("ibm_a", "ibm_b")
    legacy.ends = lambda job: hold(job) if job.backend == "ibm_a" else _complete(job)
    source: asyncio.Queue[int] = asyncio.Queue()

    async with (
        Client(legacy.service.legacy_account(), clock=clock) as client,
        client.fan_out(
            _given(source), backends=["ibm_a", "ibm_b"], transpile=1, pubs_per_job=1, stall_after=100
        ) as run,
    ):
        for shots in (1, 2, 3, 4):
            source.put_nowait(shots)
        await until(lambda: len(legacy.jobs) >= 2)
        await ticking(clock, lambda: len(legacy.jobs) == 4)
        stuck = places(legacy).count("ibm_a")
        for _ in range(150):
            clock.advance(1)
            await settled(5)
        for shots in (5, 6, 7, 8):
            source.put_nowait(shots)
        await ticking(clock, lambda: len(legacy.jobs) == 8)
        assert stuck >= 1
        assert places(legacy).count("ibm_a") == stuck
        assert run.progress.failed == 0


async def test_the_least_busy_is_asked_for_again(legacy: Scripted, clock: ManualClock) -> None:
    """Work goes to the shortest queue, and follows when another one becomes shorter."""
    listed = {"name": "ibm_a", "status": {"name": "online"}, "queue_length": 50, "is_simulator": False, "qubits": 5}
    both = {"devices": [listed, listed | {"name": "ibm_b", "queue_length": 1}]}
    legacy.service.on(f"GET {legacy.api}/backends", _json(both))
    legacy.status("ibm_a", queue=50)
    legacy.status("ibm_b", queue=1)
    source: asyncio.Queue[int] = asyncio.Queue()
    async with (
        Client(legacy.service.legacy_account(), clock=clock) as client,
        client.fan_out(_given(source), backends=["ibm_a", "ibm_b"], transpile=1, policy="least-busy") as run,
    ):
        for shots in (1, 2):
            source.put_nowait(shots)
            await passing(clock, anext(run))
        legacy.status("ibm_b", queue=90)
        await ticking(clock, lambda: site(run, "ibm_b").queue_length == 90)
        for shots in (3, 4):
            source.put_nowait(shots)
            await passing(clock, anext(run))

    assert places(legacy) == ["ibm_b", "ibm_b", "ibm_a", "ibm_a"]


async def _given(source: asyncio.Queue[int]) -> AsyncIterator[Any]:
    while (shots := await source.get()) > 0:
        yield ("qubit[1] q;", None, shots)


async def test_wide_circuits_go_where_they_fit(legacy: Scripted) -> None:
    """A circuit never goes to a backend with too few qubits; one that fits none is refused, and names its width."""
    listed = {"name": "ibm_a", "status": {"name": "online"}, "queue_length": 0, "is_simulator": False, "qubits": 5}
    both = {"devices": [listed, listed | {"name": "ibm_b", "qubits": 100}]}
    legacy.service.on(f"GET {legacy.api}/backends", _json(both))
    mixed = [(f"qubit[{(4, 50, 500)[i % 3]}] q;", None, i + 1) for i in range(9)]
    async with Client(legacy.service.legacy_account()) as client:
        found = await client.gather(mixed, backends=["ibm_a", "ibm_b"], transpile=1, return_exceptions=True)

    assert [isinstance(result, InvalidPub) for result in found] == [False, False, True] * 3
    assert "500 qubits" in str(found[2])
    assert all(job.backend == "ibm_b" for job in legacy.jobs if any(shots % 3 == 2 for shots in job.shots))


@attrs.define(eq=False)
class Recorded:
    """A policy of a user's that sends everything to one backend, and remembers what it was shown."""

    favourite: str
    shown: list[tuple[int | None, tuple[str, ...]]] = attrs.field(factory=list)

    def __call__(self, pub: Any, candidates: Sequence[Candidate]) -> str:
        """Choose the favourite where it is there."""
        assert isinstance(pub, SamplerPub)
        names = tuple(one.name for one in candidates)
        assert all(one.backend is not None and one.backend.qubits == 100 for one in candidates)
        self.shown.append((pub.shots, names))
        return self.favourite if self.favourite in names else names[0]


async def test_a_policy_of_the_users_decides(legacy: Scripted, clock: ManualClock) -> None:
    """It is shown each PUB and the backends that are well, and is asked again for what waits when one is not."""
    legacy.backends(*NAMES)
    legacy.ends = hold
    policy = Recorded("ibm_c")
    async with (
        Client(legacy.service.legacy_account(), clock=clock) as client,
        client.fan_out(pubs(30), backends=NAMES, transpile=1, pubs_per_job=10, in_flight=1, policy=policy) as run,
    ):
        await until(lambda: len(legacy.jobs) == 1 and run.progress.taken == 30)
        legacy.status("ibm_c", "maintenance")
        legacy.ends = _complete
        clock.advance(30)
        await until(lambda: len(legacy.jobs) >= 2)
        legacy.jobs[0].status = "Completed"
        found = [(await passing(clock, anext(run))).index for _ in range(30)]
        moved = run.progress.moved

    assert sorted(found) == list(range(30))
    assert places(legacy)[0] == "ibm_c"
    assert set(places(legacy)[1:]) == {"ibm_a"}
    assert moved == 20
    assert policy.shown[0] == (1, NAMES)
    assert policy.shown[-1][1] == ("ibm_a", "ibm_b")


async def test_a_policy_that_chooses_what_is_not_there_is_an_error(legacy: Scripted) -> None:
    """The error names what it chose and what there is."""
    legacy.backends(*NAMES)
    async with Client(legacy.service.legacy_account()) as client:
        with pytest.raises(UsageError, match=r"chose 'ibm_z' for PUB 0; it has to be one of ibm_a, ibm_b, ibm_c"):
            await client.gather(pubs(3), backends=NAMES, transpile=1, policy=lambda *_: "ibm_z")

    assert legacy.jobs == []


async def test_a_backend_that_is_not_there_is_an_error(legacy: Scripted) -> None:
    """The service's refusal comes out before anything is submitted."""
    legacy.backends("ibm_a")
    async with Client(legacy.service.legacy_account()) as client:
        with pytest.raises(NotFound):
            await client.gather(pubs(3), backends=["ibm_a", "ibm_z"], transpile=1)

    assert legacy.jobs == []
