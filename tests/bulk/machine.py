"""A scripted service that takes jobs, holds or runs them, and answers each PUB with the number of its shots."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import attrs
from aiohttp import web

from qrt_async import Limits
from tests.client.scripted import Service, reply

API = "/api/v1"
FREE = Limits(submissions_per_minute=None)
"""For tests that are not about the quota."""


@attrs.define
class ManualClock:
    """A clock that stands still until `advance`."""

    now: float = 1000.0
    _sleepers: list[tuple[float, asyncio.Event]] = attrs.field(factory=list[tuple[float, asyncio.Event]])

    def monotonic(self) -> float:
        """Return the time."""
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Return once the clock was moved so far."""
        event = asyncio.Event()
        self._sleepers.append((self.now + seconds, event))
        await event.wait()

    def advance(self, seconds: float) -> None:
        """Move the clock, and wake whoever has slept long enough."""
        self.now += seconds
        due = [event for at, event in self._sleepers if at <= self.now]
        self._sleepers = [(at, event) for at, event in self._sleepers if at > self.now]
        for event in due:
            event.set()


@attrs.define
class ScriptedJob:
    """A job as the machine knows it."""

    id: str
    body: dict[str, Any]
    status: str = "Queued"
    code: int | None = None

    @property
    def backend(self) -> str:
        """The backend's name."""
        return str(self.body["backend"])

    @property
    def shots(self) -> list[int]:
        """The shots of its PUBs, by which tests know them."""
        return [pub[2] for pub in self.body["params"]["pubs"]]


def _complete(job: ScriptedJob) -> None:
    job.status = "Completed"


@attrs.define
class Scripted:
    """Takes jobs; `ends` decides what becomes of each at once (None or a status that is not final: it waits)."""

    service: Service
    ends: Callable[[ScriptedJob], None] = _complete
    charge: float = 2.0
    jobs: list[ScriptedJob] = attrs.field(factory=list[ScriptedJob])
    cancelled: list[str] = attrs.field(factory=list[str])
    gate: asyncio.Event | None = None
    sessions: int = 0
    api: str = API
    transpiled: list[tuple[str, str]] = attrs.field(factory=list[tuple[str, str]])

    def __attrs_post_init__(self) -> None:
        self.service.on(f"POST {self.api}/jobs", self._create)
        self.service.on(f"GET {self.api}/jobs", self._list)
        self.service.on(f"POST {self.api}/sessions", self._open)
        self.service.on("POST /transpile", self._transpile)

    def backends(self, *names: str, qubits: int = 100) -> None:
        """List these backends, in order."""
        devices = [
            {"name": name, "status": {"name": "online"}, "queue_length": 0, "is_simulator": False, "qubits": qubits}
            for name in names
        ]
        self.service.on(f"GET {self.api}/backends", reply(body={"devices": devices}))
        for name in names:
            self.status(name)

    def status(self, name: str, status: str = "active", queue: int = 0) -> None:
        """Say how a backend is doing."""
        body = {"state": status == "active", "status": status, "length_queue": queue}
        self.service.on(f"GET {self.api}/backends/{name}/status", reply(body=body))

    async def _create(self, request: web.Request) -> web.StreamResponse:
        job = ScriptedJob(f"j{len(self.jobs)}", json.loads(await request.text()))
        self.jobs.append(job)
        self.ends(job)
        path = f"{self.api}/jobs/{job.id}"
        self.service.on(f"GET {path}", self._answer(lambda: self._shown(job)))
        self.service.on(f"GET {path}/results", self._answer(lambda: self._results(job)))
        self.service.on(f"POST {path}/cancel", self._cancel(job))
        if self.gate is not None:
            await self.gate.wait()
        return web.json_response({"id": job.id, "backend": job.backend})

    async def _transpile(self, request: web.Request) -> web.StreamResponse:
        """Give every circuit back with its backend's name; one that says so is bad, or takes a second to run."""
        circuits = json.loads(await request.text())["qasm_circuits"]
        backend = request.query["backend"]
        self.transpiled += [(backend, circuit) for circuit in circuits]
        task_id = f"t{len(self.transpiled)}"
        programs = [
            {
                "qasm": f"{circuit}// {backend}\n" + ("delay[1s] $0;" if "slow" in circuit else ""),
                "layout": {"initial": [0], "final": [0]},
            }
            for circuit in circuits
        ]
        failed = any("bad" in circuit for circuit in circuits)
        body = {"state": "FAILURE" if failed else "SUCCESS", "result": None if failed else programs}
        self.service.on(f"GET /transpile/{task_id}", reply(body=body))
        return web.json_response({"task_id": task_id})

    def _answer(self, body: Callable[[], Any]) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def answer(_: web.Request) -> web.StreamResponse:
            return web.json_response(body())

        return answer

    def _cancel(self, job: ScriptedJob) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def answer(_: web.Request) -> web.StreamResponse:
            job.status = "Cancelled"
            self.cancelled.append(job.id)
            return web.Response(status=204)

        return answer

    def _shown(self, job: ScriptedJob) -> dict[str, Any]:
        state: dict[str, Any] = {"status": job.status}
        if job.code is not None:
            state |= {"reason": "scripted", "reason_code": job.code}
        over = job.status in {"Completed", "Failed", "Cancelled"}
        usage = {"qpu_charge_time_seconds": self.charge, "status": "complete"} if over else None
        return {
            "id": job.id,
            "program": {"id": job.body["program_id"]},
            "backend": job.backend,
            "cost": job.body.get("cost", 0),
            "tags": job.body.get("tags", []),
            "status": job.status,
            "state": state,
            "usage": usage,
        }

    def _results(self, job: ScriptedJob) -> dict[str, Any]:
        results = [{"data": {"c": {"samples": [hex(shots)], "num_bits": 32}}, "metadata": {}} for shots in job.shots]
        return {"results": results, "metadata": {}}

    async def _list(self, request: web.Request) -> web.StreamResponse:
        wanted = set(request.query.getall("tags", []))
        states = {"Queued", "Running"} if request.query.get("pending") == "true" else None
        listed = [job for job in self.jobs if states is None or job.status in states]
        shown = [self._shown(job) for job in listed if wanted <= set(job.body.get("tags", []))]
        return web.json_response({"jobs": shown, "limit": 200, "offset": 0, "count": len(shown)})

    async def _open(self, _: web.Request) -> web.StreamResponse:
        session_id = f"s{self.sessions}"
        self.sessions += 1
        self.service.on(f"PATCH {self.api}/sessions/{session_id}", reply(204))
        self.service.on(f"DELETE {self.api}/sessions/{session_id}/close", reply(204))
        self.service.on(f"GET {self.api}/sessions/{session_id}", reply(body={"id": session_id, "elapsed_time": 30}))
        return web.json_response({"id": session_id})

    def drained(self, session_id: str = "s0") -> int:
        """Return how often a session was drained."""
        return len(self.service.asked(f"PATCH {self.api}/sessions/{session_id}"))

    def closed(self, session_id: str = "s0") -> int:
        """Return how often a session was closed."""
        return len(self.service.asked(f"DELETE {self.api}/sessions/{session_id}/close"))


def hold(job: ScriptedJob) -> None:
    """Let a job wait."""


def fail_where(bad: Callable[[int], bool]) -> Callable[[ScriptedJob], None]:
    """Fail every job that holds a PUB whose shots are bad."""

    def ends(job: ScriptedJob) -> None:
        if any(map(bad, job.shots)):
            job.status, job.code = "Failed", 1517
        else:
            job.status = "Completed"

    return ends
