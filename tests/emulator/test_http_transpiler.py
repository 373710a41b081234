"""The routes of the transpiler service."""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from qrt_async.emulator.work import Done, Failed, TranspileWork
from tests.emulator.service import PROGRAM, Service

if TYPE_CHECKING:
    from tests.emulator.service import Bench

QUERY = {"backend": "ibm_hanoi", "optimization_level": "1"}
ITEMS = b'[{"qasm":"OPENQASM 3.0;","qpy":null,"layout":{"initial":[0],"final":[0]}}]'


@pytest.fixture
def transpiler(bench: Bench) -> Service:
    """Give a caller of the transpiler service."""
    return attrs.evolve(bench.bare, headers={"Authorization": "Bearer my key"})


async def submitted(transpiler: Service, query: dict[str, str] = QUERY, circuits: Any = PROGRAM, **body: Any) -> str:
    """Begin a task and give its id."""
    answer = await transpiler.post("/transpile", params=query, json={"qasm_circuits": circuits, **body})
    assert answer.status == 200, answer.body
    task_id: str = answer.json["task_id"]
    return task_id


async def test_states_of_a_good_task(bench: Bench, transpiler: Service) -> None:
    """A task is PENDING, STARTED as a worker begins it, and SUCCESS with the worker's list."""
    task_id = await submitted(transpiler)
    held = await bench.pool.next()

    seen = [(await transpiler.get(f"/transpile/{task_id}")).json]
    held.begin()
    seen.append((await transpiler.get(f"/transpile/{task_id}")).json)
    held.finish(Done(ITEMS, 0, 0))
    done = await ended(transpiler, task_id)

    assert str(uuid.UUID(task_id)) == task_id
    assert seen == [{"state": "PENDING", "result": None}, {"state": "STARTED", "result": None}]
    assert done["state"] == "SUCCESS"
    assert done["result"][0]["qasm"] == "OPENQASM 3.0;"


async def test_failed_task(bench: Bench, transpiler: Service) -> None:
    """A task that fails says FAILURE and no more."""
    task_id = await submitted(transpiler)
    (await bench.pool.next()).finish(Failed("no such gate", 1603, ""))

    assert await ended(transpiler, task_id) == {"state": "FAILURE", "result": None}


@pytest.mark.parametrize("circuits", [PROGRAM, [PROGRAM, "OPENQASM 2.0;"]])
async def test_work_of_a_task(bench: Bench, transpiler: Service, circuits: Any) -> None:
    """The workers get circuits, device, level and options as submitted."""
    await submitted(transpiler, circuits=circuits, qiskit_transpile_options={"layout_method": "trivial"})

    work = (await bench.pool.next()).work

    assert isinstance(work, TranspileWork)
    assert work.circuits == ((circuits,) if isinstance(circuits, str) else tuple(circuits))
    assert (work.backend, work.coupling_map, work.optimization_level) == ("ibm_hanoi", None, 1)
    assert work.options == {"layout_method": "trivial"}


async def test_coupling_map_in_place_of_a_backend(bench: Bench, transpiler: Service) -> None:
    """A coupling map stands in for a backend; the level is 3 where none is given."""
    await submitted(transpiler, {}, backend_coupling_map=[[0, 1], [1, 0]])

    work = (await bench.pool.next()).work

    assert isinstance(work, TranspileWork)
    assert (work.backend, work.coupling_map, work.optimization_level) == (None, ((0, 1), (1, 0)), 3)


@pytest.mark.parametrize(
    "query",
    [
        {"use_ai": "False"},
        {"use_ai": "no"},
        {"use_ai": "1"},
        {"ai": "auto"},
        {"ai": "true"},
        {"ai": "false"},
        {"ai": "False"},
        {"ai_layout_mode": "OPTIMIZE"},
        {"use_fractional_gates": "Yes"},
        {"use_fractional_gates": "0"},
        {"optimization_level": "0"},
    ],
)
async def test_spellings(transpiler: Service, query: dict[str, str]) -> None:
    """Booleans come in every usual spelling, the one Python's requests sends among them."""
    await submitted(transpiler, QUERY | query)


@pytest.mark.parametrize(
    "query",
    [
        {"use_ai": "8"},
        {"use_ai": "foo"},
        {"ai": "maybe"},
        {"ai_layout_mode": "shuffle"},
        {"use_fractional_gates": "8"},
        {"optimization_level": "4"},
        {"optimization_level": "-1"},
        {"optimization_level": "one"},
    ],
)
async def test_bad_query(transpiler: Service, query: dict[str, str]) -> None:
    """A query value that cannot be read gets 422, naming where it stands and what it was."""
    answer = await transpiler.post("/transpile", params=QUERY | query, json={"qasm_circuits": PROGRAM})

    [(name, value)] = query.items()
    [detail] = answer.json["detail"]
    assert answer.status == 422
    assert detail["loc"] == ["query", name]
    assert detail["input"] == value
    assert detail["msg"]
    assert detail["type"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"qasm_circuits": None},
        {"qasm_circuits": 3},
        {"qasm_circuits": []},
        {"qasm_circuits": [3]},
        {"qasm_circuits": PROGRAM, "qpy_circuits": "UUlTS0lU"},
        {"qasm_circuits": PROGRAM, "qiskit_transpile_options": []},
        {"qasm_circuits": PROGRAM, "backend_coupling_map": [[0]]},
        {"qasm_circuits": PROGRAM, "backend_coupling_map": [[0, -1]]},
        {"qasm_circuits": PROGRAM, "optimization_preferences": "speed"},
        [],
        None,
    ],
)
async def test_bad_body(transpiler: Service, body: object) -> None:
    """A body without circuits, or of the wrong form, gets 422."""
    answer = await transpiler.post("/transpile", params=QUERY, json=body)

    assert answer.status == 422
    assert answer.json["detail"][0]["loc"][0] == "body"


async def test_body_is_not_json(transpiler: Service) -> None:
    """A body that is no JSON gets 422."""
    assert (await transpiler.post("/transpile", params=QUERY, data=b"{")).status == 422


async def test_neither_backend_nor_coupling_map(transpiler: Service) -> None:
    """Without a backend and a coupling map there is nothing to transpile for: 422."""
    assert (await transpiler.post("/transpile", json={"qasm_circuits": PROGRAM})).status == 422


async def test_unknown_backend(transpiler: Service) -> None:
    """An unknown backend is refused in the service's own words."""
    answer = await transpiler.post("/transpile", params={"backend": "ibm_nowhere"}, json={"qasm_circuits": PROGRAM})

    assert answer.status == 403
    assert answer.json == {"detail": "User doesn't have access to the specified backend: ibm_nowhere"}


async def test_credentials(bench: Bench) -> None:
    """The transpiler takes a good API token as a bearer: no other header, no login's token, no bad key."""
    login = await bench.bare.post("/api/users/loginWithToken", json={"apiToken": "my key"})
    for headers in (
        {},
        {"x-access-token": "my key"},
        {"Authorization": "apikey my key"},
        {"Authorization": "Bearer bad key"},
        {"Authorization": f"Bearer {login.json['id']}"},
    ):
        for answer in (
            await bench.bare.post("/transpile", params=QUERY, json={"qasm_circuits": PROGRAM}, headers=headers),
            await bench.bare.get("/transpile/x", headers=headers),
        ):
            assert answer.status == 401
            assert answer.json == {"detail": "Invalid authentication credentials"}


async def test_unknown_and_foreign_tasks_are_pending(bench: Bench, transpiler: Service) -> None:
    """A task that never was, or is another user's, looks like one that waits."""
    task_id = await submitted(transpiler)
    (await bench.pool.next()).finish(Done(ITEMS, 0, 0))
    await ended(transpiler, task_id)
    stranger = transpiler.under(Authorization="Bearer somebody else")

    answers = [await transpiler.get(f"/transpile/{uuid.uuid4()}"), await stranger.get(f"/transpile/{task_id}")]

    assert [answer.json for answer in answers] == [{"state": "PENDING", "result": None}] * 2


async def ended(transpiler: Service, task_id: str) -> dict[str, Any]:
    """Give a task's last reply; its worker has been told to finish."""
    while True:
        task: dict[str, Any] = (await transpiler.get(f"/transpile/{task_id}")).json
        if task["state"] in ("SUCCESS", "FAILURE"):
            return task
        await asyncio.sleep(0)
