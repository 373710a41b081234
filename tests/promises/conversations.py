"""Damaged replies on a real socket, in the middle of what a client does with several requests."""

from __future__ import annotations

import asyncio
import re
import warnings
from collections.abc import Awaitable, Callable
from typing import Any

import attrs
from hypothesis import strategies as st

from qrt_async import Account, Client, Limits, PollPolicy, QrtError, Timeouts
from qrt_async.models.jobs import Program
from qrt_async.wire import results
from tests.client.wires import listening
from tests.promises.corpus import CASES, CRN
from tests.promises.damage import Damage, damages

ROUTES: tuple[tuple[str, str], ...] = (
    (r"POST /identity/token", "auth.iam_token"),
    (r"POST /api/users/loginWithToken", "auth.legacy_login"),
    (r"POST /api/users/logout", "auth.legacy_logout"),
    (r"POST /v3/resources/search", "discovery.search"),
    (r"GET /api/v1/p", "discovery.plan"),
    (r"POST /transpile", "transpiler.submit"),
    (r"GET /transpile/\w+", "transpiler.progress"),
    (r"GET /\w+(/v1)?/backends", "backends.list_backends"),
    (r"GET /\w+(/v1)?/backends/\w+/status", "backends.status"),
    (r"GET /\w+(/v1)?/backends/\w+/configuration", "backends.configuration"),
    (r"GET /\w+(/v1)?/jobs", "jobs.list_jobs"),
    (r"POST /\w+(/v1)?/jobs", "jobs.create"),
    (r"GET /\w+(/v1)?/jobs/\w+", "jobs.get"),
    (r"GET /\w+(/v1)?/jobs/\w+/results", "jobs.results"),
    (r"GET /\w+(/v1)?/jobs/\w+/logs", "jobs.logs"),
    (r"POST /\w+(/v1)?/jobs/\w+/cancel", "jobs.cancel"),
    (r"POST /\w+(/v1)?/sessions", "sessions.create"),
    (r"PATCH /\w+(/v1)?/sessions/\w+", "sessions.drain"),
    (r"DELETE /\w+(/v1)?/sessions/\w+/close", "sessions.close"),
    (r"GET /\w+(/v1)?/workloads", "usage.workloads"),
    (r"GET /\w+(/v1)?/instances/usage", "usage.instance_usage"),
)

FRAMES: dict[str, Callable[[bytes], tuple[str, bytes]]] = {
    "right": lambda body: (f"Content-Length: {len(body)}\r\n", body),
    "chunked": lambda body: ("Transfer-Encoding: chunked\r\n", b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)),
    "until closed": lambda body: ("Connection: close\r\n", body),
    "too long": lambda body: (f"Content-Length: {len(body) + 7}\r\n", body),
    "too short": lambda body: (f"Content-Length: {len(body) // 2}\r\n", body),
    "no number": lambda body: ("Content-Length: many\r\n", body),
    "two lengths": lambda body: (f"Content-Length: {len(body)}\r\nContent-Length: 1\r\n", body),
    "bad chunks": lambda body: ("Transfer-Encoding: chunked\r\n", b"zz\r\n" + body),
    "no gzip": lambda body: (f"Content-Encoding: gzip\r\nContent-Length: {len(body)}\r\n", body),
    "no header": lambda body: ("no header at all\r\n", body),
    "endless header": lambda body: (f"X: {'a' * 200_000}\r\nContent-Length: {len(body)}\r\n", body),
}
"""How a body is announced; whatever lies is followed by the connection's end."""


async def _sampled(client: Client) -> None:
    await (await client.sampler(["x"], backend="b")).result()


async def _listed(client: Client) -> None:
    async for _ in client.jobs.list():
        pass


async def _in_session(client: Client) -> None:
    async with client.session("b") as session:
        await session.estimator([("x", "Z")])


async def _workloads(client: Client) -> None:
    async for _ in client.workloads.list():
        pass


async def _waited_for_many(client: Client) -> None:
    await asyncio.gather(*(client.job(name).wait(60) for name in ("j", "k", "l", "m")))


_SAMPLER = Program("sampler", results.sampler)

FLOWS: dict[str, tuple[Callable[[Client], Awaitable[Any]], bool]] = {
    "result": (lambda c: c.job("j").result(), False),
    "private result": (lambda c: c.jobs.handle("j", _SAMPLER, private=True).result(), False),
    "wait for many": (_waited_for_many, False),
    "sample": (_sampled, False),
    "sample, legacy": (_sampled, True),
    "logs": (lambda c: c.job("j").logs(), False),
    "list": (_listed, False),
    "cancel all": (lambda c: c.jobs.cancel_all(tags=["a"]), False),
    "session": (_in_session, False),
    "close all": (lambda c: c.sessions.close_all(), False),
    "least busy": (lambda c: c.backends.least_busy(), False),
    "instances": (lambda c: c.instances(), False),
    "workloads": (_workloads, False),
    "usage": (lambda c: c.instance.usage(), False),
    "transpile": (lambda c: c.transpile(["x"], backend="b"), True),
}
"""What the client is asked, and whether on the legacy platform."""


@attrs.frozen
class Talk:
    """One run of a flow: the reply to `operation` is damaged, so many times, and framed so."""

    flow: str
    operation: str
    damage: Damage
    frame: str
    times: int


def talks() -> st.SearchStrategy[Talk]:
    """Return the strategy for talks."""
    return st.builds(
        Talk,
        st.sampled_from(sorted(FLOWS)),
        st.sampled_from([name for _, name in ROUTES]),
        damages(),
        st.sampled_from(["right"] * 10 + sorted(FRAMES)),
        st.sampled_from([1, 1, 2, 8]),
    )


@attrs.define
class _Clock:
    """Moves by what anybody sleeps, and lets the others have their turn."""

    now: float = 1000.0

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)


@attrs.define
class _Server:
    """Answers each operation well, but for the one that is damaged."""

    talk: Talk
    damaged: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take request after request from a connection, as long as it lasts."""
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            if length := re.search(r"content-length: (\d+)", head, re.IGNORECASE):
                await reader.readexactly(int(length[1]))
            method, target = head.split(" ")[:2]
            name = self._named(f"{method} {target.partition('?')[0]}")
            frame = "right"
            status, extra, body = 404, "", b""
            if name is not None:
                status, body = 200, CASES[name].bodies[0]
            if name == self.talk.operation and self.damaged < self.talk.times:
                self.damaged += 1
                frame, damage = self.talk.frame, self.talk.damage
                status, body = damage.head.status, damage.body(body)
                again = damage.retry_after
                extra = "" if again is None else f"Retry-After: {again}\r\n"
            announced, sent = FRAMES[frame](body)
            text = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n{extra}{announced}\r\n"
            writer.write(text.encode("utf-8") + sent)
            await writer.drain()
            if frame not in {"right", "chunked"} or status in {204, 304}:
                return

    def _named(self, request: str) -> str | None:
        return next((name for pattern, name in ROUTES if re.fullmatch(pattern, request)), None)


async def outcome_of(talk: Talk) -> str:
    """Run a talk, and name what came out: a value, or the class of a `QrtError`."""
    act, legacy = FLOWS[talk.flow]
    async with listening(_Server(talk).serve) as port, asyncio.timeout(30):
        url = f"http://127.0.0.1:{port}"
        hosts = {"api_url": f"{url}/api/v1", "iam_url": url, "search_url": url, "catalog_url": url}
        account = (
            Account.legacy("key", "h/g/p", auth_url=f"{url}/api", api_url=f"{url}/runtime", transpiler_url=url)
            if legacy
            else Account.ibm_quantum("key", CRN, **hosts)
        )
        client = Client(
            account,
            clock=_Clock(),
            limits=Limits(submissions_per_minute=None),
            poll=PollPolicy(max_wait=120),
            timeouts=Timeouts(request=5, results=5, submission=60, call=60),
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            async with client:
                try:
                    await act(client)
                except QrtError as error:
                    repr(error)
                    return type(error).__name__
    return "a value"
