"""A service that answers as it is told, over a real socket, and remembers what it was asked."""

from __future__ import annotations

import asyncio
import json
import ssl as ssl_module
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import attrs
from aiohttp import web
from aiohttp.test_utils import TestServer

from qrt_async import Account

CRN = "crn:v1:bluemix:public:quantum-computing:us-east:a/abc:def::"
KEY = "key-7f3a"

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def reply(status: int = 200, body: Any = None, **headers: str) -> Answer:
    """Answer with this status and body (JSON unless it is text)."""

    async def answer(_: web.Request) -> web.StreamResponse:
        text = body if isinstance(body, str) else "" if body is None else json.dumps(body)
        return web.Response(status=status, text=text, headers={k.replace("_", "-"): v for k, v in headers.items()})

    return answer


def hang_up() -> Answer:
    """Close the connection without an answer."""

    async def answer(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    return answer


def cut(body: bytes, length: int) -> Answer:
    """Promise `length` bytes and close after `body`."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": str(length)})
        await response.prepare(request)
        await response.write(body)
        assert request.transport is not None
        request.transport.abort()
        return response

    return answer


def never() -> Answer:
    """Take the request and never answer."""

    async def answer(_: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    return answer


def after(gate: asyncio.Event, then: Answer) -> Answer:
    """Answer once the gate is open."""

    async def answer(request: web.Request) -> web.StreamResponse:
        await gate.wait()
        return await then(request)

    return answer


@attrs.frozen
class Seen:
    """A request as the service saw it."""

    method: str
    path: str
    headers: dict[str, str]
    body: str
    query: str = ""

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@attrs.define
class Service:
    """Answers each route from its script; the last answer of a script is given for ever."""

    url: str = ""
    scripts: dict[str, deque[Answer]] = attrs.field(factory=lambda: defaultdict(deque))
    seen: list[Seen] = attrs.field(factory=list[Seen])

    def on(self, route: str, *answers: Answer) -> None:
        """Script a route, such as ``"GET /api/v1/jobs/j"``."""
        self.scripts[route] = deque(answers)

    def asked(self, route: str) -> list[Seen]:
        """Return the requests to a route, in order."""
        return [one for one in self.seen if f"{one.method} {one.path}" == route]

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        body = await request.text()
        url = request.rel_url
        self.seen.append(Seen(request.method, url.raw_path, dict(request.headers), body, url.raw_query_string))
        script = self.scripts[f"{request.method} {request.rel_url.raw_path}"]
        if not script:
            return web.Response(status=404, text="not scripted")
        return await (script.popleft() if len(script) > 1 else script[0])(request)

    def account(self, **changes: Any) -> Account:
        """Return an account of today's platform at this service."""
        urls = {"api_url": f"{self.url}/api/v1", "iam_url": self.url, "search_url": self.url, "catalog_url": self.url}
        return Account.ibm_quantum(KEY, CRN, **urls | changes)

    def legacy_account(self) -> Account:
        """Return an account of the legacy platform at this service."""
        return Account.legacy(
            KEY, "h/g/p", auth_url=f"{self.url}/api", api_url=f"{self.url}/runtime", transpiler_url=self.url
        )


def token(name: str = "t1", expires_in: float = 3600) -> Answer:
    """Answer a login with this token."""
    return reply(body={"access_token": name, "expires_in": expires_in, "token_type": "Bearer"})


def job(status: str, **fields: Any) -> Answer:
    """Answer with a job in this state."""
    state = {"status": status} | fields
    return reply(body={"id": "j", "program": {"id": "sampler"}, "cost": 0, "status": status, "state": state})


RESULT = {"results": [{"data": {"c": {"samples": ["0x1", "0x0"], "num_bits": 1}}, "metadata": {}}], "metadata": {}}


@asynccontextmanager
async def service(ssl: ssl_module.SSLContext | None = None) -> AsyncIterator[Service]:
    """Run a service whose login works, with TLS where a context is given."""
    found = Service()
    app = web.Application(client_max_size=2**26)
    app.router.add_route("*", "/{tail:.*}", found.answer)
    server = TestServer(app)
    await server.start_server(ssl=ssl)
    async with server:
        found.url = str(server.make_url("")).rstrip("/")
        found.on("POST /identity/token", token())
        found.on("POST /api/users/loginWithToken", reply(body={"id": "t1", "ttl": 1209600}))
        found.on("POST /api/users/logout", reply())
        yield found
