"""
A server that answers at once: what the clients of a benchmark are measured against, in a process of its own.

A job is over once it was looked at three times, alone or in a list; its result is one shot for each of its PUBs.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
from aiohttp import web

LOOKS = 3


@attrs.define
class _Job:
    id: str
    pubs: int
    tags: list[str]
    looks: int = 0

    @property
    def row(self) -> dict[str, object]:
        status = "Completed" if self.looks >= LOOKS else "Running"
        return {
            "id": self.id,
            "program": {"id": "sampler"},
            "backend": "ibm_bench",
            "tags": self.tags,
            "status": status,
            "state": {"status": status},
            "cost": 60,
        }


@attrs.define
class _Server:
    jobs: dict[str, _Job] = attrs.field(factory=dict[str, _Job])
    pending: dict[str, _Job] = attrs.field(factory=dict[str, _Job])
    numbers: itertools.count[int] = attrs.field(factory=itertools.count)

    def _look(self, job: _Job) -> dict[str, object]:
        job.looks += 1
        if job.looks >= LOOKS:
            self.pending.pop(job.id, None)
        return job.row

    async def login(self, _: web.Request) -> web.Response:
        return web.json_response({"access_token": "bench", "expires_in": 3600, "token_type": "Bearer"})

    async def create(self, request: web.Request) -> web.Response:
        body = json.loads(await request.read())
        job = _Job(f"j{next(self.numbers)}", len(body["params"]["pubs"]), body.get("tags", []))
        self.jobs[job.id] = self.pending[job.id] = job
        return web.json_response({"id": job.id, "backend": "ibm_bench"})

    async def show(self, request: web.Request) -> web.Response:
        return web.json_response(self._look(self.jobs[request.match_info["id"]]))

    async def list(self, request: web.Request) -> web.Response:
        limit, offset = int(request.query.get("limit", "20")), int(request.query.get("offset", "0"))
        if request.query.get("pending") == "true":
            chosen = list(self.pending.values())
            rows = [self._look(job) for job in chosen[offset : offset + limit]]
        else:
            chosen = list(reversed(self.jobs.values()))
            rows = [job.row for job in chosen[offset : offset + limit]]
        return web.json_response({"jobs": rows, "limit": limit, "offset": offset, "count": len(chosen)})

    async def result(self, request: web.Request) -> web.Response:
        job = self.jobs[request.match_info["id"]]
        one = {"data": {"c": {"samples": ["0x1"], "num_bits": 2}}, "metadata": {}}
        return web.json_response({"results": [one] * job.pubs, "metadata": {}})


async def serve() -> None:
    """Serve until the process is ended; say the port first."""
    server = _Server()
    app = web.Application(client_max_size=2**26)
    app.router.add_post("/identity/token", server.login)
    app.router.add_post("/api/v1/jobs", server.create)
    app.router.add_get("/api/v1/jobs", server.list)
    app.router.add_get("/api/v1/jobs/{id}", server.show)
    app.router.add_get("/api/v1/jobs/{id}/results", server.result)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


@asynccontextmanager
async def instant_server() -> AsyncIterator[str]:
    """Run the server in a process of its own, and give its URL."""
    process = await asyncio.create_subprocess_exec(sys.executable, __file__, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(await process.stdout.readline())}"
    finally:
        process.terminate()
        await process.wait()


if __name__ == "__main__":
    asyncio.run(serve())
