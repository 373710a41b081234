"""Jobs as a scripted service keeps them, with failures at chosen submissions."""

from __future__ import annotations

import datetime as dt
import json
from collections import deque
from typing import Any, Literal

import attrs
from aiohttp import web

from tests.client.scripted import RESULT, Service

_BEGINNING = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
Fault = Literal["", "lost", "failed", "late", "cut", "hang", "429", "nonsense"]


@attrs.define
class Ledger:
    """
    Jobs that were submitted to a scripted service, and what befalls each submission in turn.

    ``lost``: the job is made and the reply is a 504; ``failed``: no job, 503; ``late``: no job before somebody has
    looked for it `lateness` times, 504; ``cut``, ``hang``: the job is made and the reply is cut or the connection
    closed; ``nonsense``: the job is made and the reply is no JSON. After `end_at` looks every job completes. Jobs in
    `unlisted` are in no list, and those whose state is one of `pending` are listed as pending.
    """

    service: Service
    faults: deque[Fault] = attrs.field(factory=deque[Fault])
    jobs: dict[str, dict[str, Any]] = attrs.field(factory=dict[str, dict[str, Any]])
    lateness: int = 1
    tagless: bool = False
    ignores_filters: bool = False
    status: str = "Completed"
    late_status: str = "Completed"
    end_at: int | None = None
    unlisted: set[str] = attrs.field(factory=set[str])
    pending: set[str] = attrs.field(factory=lambda: {"Queued", "Running"})
    looks: int = 0
    _late: list[dict[str, Any]] = attrs.field(factory=list[dict[str, Any]])

    def __attrs_post_init__(self) -> None:
        self.service.on("POST /api/v1/jobs", self.create)
        self.service.on("GET /api/v1/jobs", self.list_jobs)

    async def create(self, request: web.Request) -> web.StreamResponse:
        """Answer a submission."""
        body = await request.json()
        fault = self.faults.popleft() if self.faults else ""
        if fault == "429":
            return web.json_response({}, status=429, headers={"Retry-After": "7"})
        if fault == "failed":
            return web.Response(status=503)
        if fault == "late":
            self._late.append(body)
            return web.Response(status=504, text="<html><title>Gateway time-out</title></html>")
        job_id = self.add(body)
        if fault == "lost":
            return web.Response(status=504, text="<html><title>Gateway time-out</title></html>")
        if fault in {"hang", "cut"}:
            assert request.transport is not None
            if fault == "cut":
                response = web.StreamResponse(headers={"Content-Length": "50"})
                await response.prepare(request)
                await response.write(b"{")
            request.transport.abort()
            return web.Response()
        return web.Response(text="so be it") if fault == "nonsense" else web.json_response({"id": job_id})

    def add(self, body: dict[str, Any], status: str | None = None) -> str:
        """Make a job."""
        job_id = f"j{len(self.jobs)}"
        state = status or self.status
        self.jobs[job_id] = {
            "id": job_id,
            "created": (_BEGINNING + dt.timedelta(seconds=len(self.jobs))).isoformat(),
            "backend": body["backend"],
            "program": {"id": body["program_id"]},
            "status": state,
            "state": {"status": state},
            "tags": body.get("tags", []),
        }
        self.service.on(f"GET /api/v1/jobs/{job_id}", self.get)
        self.service.on(f"POST /api/v1/jobs/{job_id}/cancel", self.cancel)
        self.service.on(f"GET /api/v1/jobs/{job_id}/results", self.results)
        return job_id

    def end(self, job_id: str, status: str) -> None:
        """Put a job into a state."""
        self.jobs[job_id] |= {"status": status, "state": {"status": status}}

    async def get(self, request: web.Request) -> web.StreamResponse:
        """Answer how a job stands."""
        return web.json_response(self.jobs[request.path.rsplit("/", 1)[1]])

    async def cancel(self, request: web.Request) -> web.StreamResponse:
        """Cancel a job."""
        job_id = request.path.split("/")[-2]
        if self.jobs[job_id]["status"] not in {"Queued", "Running"}:
            return web.Response(status=409)
        self.end(job_id, "Cancelled")
        return web.Response(status=204)

    async def results(self, _: web.Request) -> web.StreamResponse:
        """Give the same result for every job."""
        return web.json_response(RESULT)

    async def list_jobs(self, request: web.Request) -> web.StreamResponse:
        """Answer the list of jobs, the newest first, filtered by tags and pending."""
        self.looks += 1
        if self._late and self.looks > self.lateness:
            for body in self._late:
                self.add(body, self.late_status)
            self._late.clear()
        if self.looks == self.end_at:
            for job_id, job in self.jobs.items():
                if job["status"] in self.pending:
                    self.end(job_id, "Completed")
        rows = [row for job_id, row in reversed(self.jobs.items()) if job_id not in self.unlisted]
        if not self.ignores_filters:
            rows = self._filtered(rows, request)
        if self.tagless:
            rows = [{**row, "tags": []} for row in rows]
        limit, offset = (int(request.query.get(name, default)) for name, default in (("limit", 200), ("offset", 0)))
        shown = {"jobs": rows[offset : offset + limit], "limit": limit, "offset": offset, "count": len(rows)}
        return web.Response(text=json.dumps(shown))

    def _filtered(self, rows: list[dict[str, Any]], request: web.Request) -> list[dict[str, Any]]:
        query = request.query
        if tags := set(query.getall("tags", [])):
            rows = [row for row in rows if tags <= set(row["tags"])]
        if pending := query.get("pending"):
            rows = [row for row in rows if (row["status"] in self.pending) is (pending == "true")]
        if after := query.get("created_after"):
            rows = [row for row in rows if _moment(row["created"]) >= _moment(after)]
        if before := query.get("created_before"):
            rows = [row for row in rows if _moment(row["created"]) <= _moment(before)]
        return rows

    @property
    def running(self) -> list[str]:
        """The ids of the jobs that nobody cancelled."""
        return [job_id for job_id, job in self.jobs.items() if job["status"] != "Cancelled"]


def _moment(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)
