"""No key, token or password in anything that is logged, raised, shown or warned, whatever goes wrong."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import gc
import logging
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from urllib.parse import quote_plus

import attrs
import pytest
from aiohttp import web

from qrt_async import (
    Account,
    Client,
    Event,
    LoggingHook,
    Network,
    Platform,
    Proxy,
    QrtError,
    RetryPolicy,
    Timeouts,
    platforms,
)
from qrt_async.models.tokens import Token
from qrt_async.secret import Secret, masked
from tests.client import scripted
from tests.client.conftest import FakeClock
from tests.client.leaks import shown_by
from tests.client.scripted import CRN, Answer, Service, cut, hang_up, job, never, reply, token
from tests.client.wires import listening, proxy

KEY = "api+key/5d1e=7f"
TOKEN = "bearer-9c1d/e7+a="
USER, PASSWORD = "proxy-user-41", "proxy:pass word-88"
SECRETS = {
    KEY,
    quote_plus(KEY),
    TOKEN,
    quote_plus(TOKEN),
    PASSWORD,
    USER,
    base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode(),
}

JOB = "GET /api/v1/jobs/j"
LOGIN = "POST /identity/token"
LEGACY_LOGIN = "POST /api/users/loginWithToken"


def found_in(text: str) -> set[str]:
    """Return the secrets that a text holds."""
    return {secret for secret in SECRETS if secret in text}


def garbled() -> Answer:
    """Answer with what is not HTTP."""

    async def answer(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.write(b"SMTP ready\r\n\r\n")
        request.transport.close()
        return web.Response()

    return answer


LOGIN_BODY = {"access_token": TOKEN, "id": TOKEN, "expires_in": 3600, "refresh_token": TOKEN}

FAULTS: dict[str, Callable[[str], Answer]] = {
    "500": lambda _: reply(500, "broken"),
    "403 of a firewall": lambda _: reply(403, "<html><title>Attention</title></html>"),
    "407": lambda _: reply(407),
    "400": lambda _: reply(400, {"errors": [{"code": 1208, "message": "no"}]}),
    "401": lambda _: reply(401),
    "redirect": lambda _: reply(307, Location="http://127.0.0.1:9/elsewhere"),
    "hang-up": lambda _: hang_up(),
    "no HTTP": lambda _: garbled(),
    "never": lambda _: never(),
    "not JSON": lambda held: reply(200, f"not JSON, and yet: {held}"),
    "wrong shape": lambda held: reply(body={"access_token": 7, "id": 7, "other": held}),
    "a list": lambda held: reply(body=[held]),
    "cut": lambda held: cut(f'{{"access_token": "{held}", "id": "{held}'.encode(), 5000),
}
"""What can go wrong, with a reply that holds a given text."""


@attrs.define
class Run:
    """A client behind a proxy, and everything that came out of its run."""

    client: Client
    events: list[Event]
    errors: list[BaseException] = attrs.field(factory=list[BaseException])

    async def attempt(self) -> None:
        """Ask for a job, and keep what that raised."""
        try:
            await self.client.job("j").status()
        except QrtError as error:
            self.errors.append(error)

    def shown(self) -> str:
        """Return what the objects in sight and the errors show."""
        client = self.client
        parts = [client, client.backends, client.jobs, client.sessions, client.job("j"), client.session("b")]
        engine = vars(client)["_engine"]
        inner = [getattr(engine, field.name) for field in attrs.fields(type(engine))]
        return "\n".join([*map(repr, parts), *map(repr, inner), *map(repr, self.events), *map(shown_by, self.errors)])


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Iterator[Callable[[], str]]:
    """Everything that any library logs at any level, and every warning."""
    caplog.set_level(logging.DEBUG)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")

        def text() -> str:
            gc.collect()
            records = [repr(vars(record)) for record in caplog.records]
            return "\n".join([caplog.text, *records, *(str(one.message) for one in caught)])

        yield text


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """Where a journal is to lie."""
    return tmp_path / "campaign.journal"


@pytest.fixture
def contents(tmp_path: Path) -> Callable[[], bytes]:
    """Read every file that lies there."""
    return lambda: b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())


@contextlib.asynccontextmanager
async def run(service: Service, clock: FakeClock, *, legacy: bool) -> AsyncIterator[Run]:
    """Give a run through a proxy with a password, in asyncio's debug mode, which logs every step."""
    loop = asyncio.get_running_loop()
    loop.set_debug(True)
    loop.slow_callback_duration = 0
    port = int(service.url.rpartition(":")[2])
    account = (
        Account.legacy(
            KEY, "h/g/p", auth_url=f"{service.url}/api", api_url=f"{service.url}/runtime", transpiler_url=service.url
        )
        if legacy
        else Account.ibm_quantum(KEY, CRN, api_url=f"{service.url}/api/v1", iam_url=service.url)
    )
    async with proxy(port) as between:
        events: list[Event] = []
        client = Client(
            account,
            hooks=[events.append, LoggingHook(logging.getLogger("hooked"))],
            network=Network(proxy=Proxy(between.url, user=USER, password=PASSWORD)),
            clock=clock,
            retry=RetryPolicy(max_retries=1),
            timeouts=Timeouts(request=0.1, closing=0.1),
        )
        async with client:
            yield Run(client, events)
    loop.set_debug(False)


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_failing_call_shows_no_secret(
    fault: str, service: Service, clock: FakeClock, logged: Callable[[], str]
) -> None:
    """After each kind of failure of a call with a token, a search for every secret finds none."""
    service.on(LOGIN, reply(body=LOGIN_BODY))
    service.on(JOB, FAULTS[fault]("nothing secret"))
    async with run(service, clock, legacy=False) as tried:
        await tried.attempt()
        shown = tried.shown()

    assert tried.errors
    assert found_in(shown + logged()) == set()


@pytest.mark.parametrize("legacy", [False, True], ids=["today", "legacy"])
@pytest.mark.parametrize("fault", FAULTS)
async def test_a_failing_login_shows_no_secret(
    fault: str, service: Service, clock: FakeClock, logged: Callable[[], str], *, legacy: bool
) -> None:
    """After each kind of failure of a login, whose request and reply are secrets themselves, none is found."""
    service.on(LEGACY_LOGIN if legacy else LOGIN, FAULTS[fault](TOKEN))
    async with run(service, clock, legacy=legacy) as tried:
        await tried.attempt()
        shown = tried.shown()

    assert tried.errors
    assert found_in(shown + logged()) == set()


async def test_a_run_without_failures_shows_no_secret(
    service: Service, clock: FakeClock, logged: Callable[[], str]
) -> None:
    """What all goes well with asyncio's and aiohttp's debug logs on is no leak either, and the run did use them."""
    service.on(LOGIN, token(TOKEN))
    service.on(JOB, job("Running"))
    async with run(service, clock, legacy=False) as tried:
        await tried.attempt()
        shown = tried.shown()

    assert tried.errors == []
    assert service.asked(JOB)[0].headers["Authorization"] == f"Bearer {TOKEN}"
    assert found_in(service.asked(LOGIN)[0].body) == {quote_plus(KEY)}
    assert "asyncio" in logged()
    assert "hooked" in logged()
    assert tried.events
    assert found_in(shown + logged()) == set()


async def test_a_journal_holds_no_secret(
    service: Service, clock: FakeClock, journal: Path, contents: Callable[[], bytes]
) -> None:
    """What a journal keeps of submissions, refused and accepted, is neither key nor token."""
    service.on(LOGIN, token(TOKEN))
    service.on("POST /api/v1/jobs", reply(400, {"errors": [{"code": 1208, "message": "no"}]}), reply(body={"id": "j"}))
    account = Account.ibm_quantum(KEY, CRN, api_url=f"{service.url}/api/v1", iam_url=service.url)
    async with Client(account, journal=journal, clock=clock, retry=RetryPolicy(max_retries=0)) as client:
        with pytest.raises(QrtError):
            await client.submit("sampler", {}, backend="ibm_fez", private=True)
        await client.submit("sampler", {}, backend="ibm_fez", private=True)
    kept = await asyncio.to_thread(contents)

    assert b"ibm_fez" in kept
    assert [secret for secret in SECRETS if secret.encode() in kept] == []


async def test_a_server_that_takes_half_a_request_shows_no_secret(clock: FakeClock, logged: Callable[[], str]) -> None:
    """A connection that breaks while the request is written leaves its bytes in no frame of the error."""

    async def impatient(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.transport.abort()

    async with listening(impatient) as port:
        url = f"http://127.0.0.1:{port}"
        account = Account.ibm_quantum(KEY, CRN, api_url=url, iam_url=url)
        async with Client(account, clock=clock, retry=RetryPolicy(max_retries=0)) as client:
            with pytest.raises(QrtError) as caught:
                await client.login()

    assert found_in(shown_by(caught.value) + logged()) == set()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_redirect_carries_a_credential_to_another_host(
    status: int, service: Service, clock: FakeClock
) -> None:
    """Neither a login nor a call follows to the host that a redirect names, with whatever status."""
    async with scripted.service() as other:
        service.on(LOGIN, reply(status, Location=f"{other.url}/identity/token"), token(TOKEN))
        service.on(JOB, reply(status, Location=f"{other.url}/api/v1/jobs/j"))
        async with Client(service.account(), clock=clock) as client:
            with pytest.raises(QrtError, match="redirect"):
                await client.login()
            with pytest.raises(QrtError, match="redirect"):
                await client.job("j").status()

        assert other.seen == []
        assert len(service.seen) == 3


def test_values_for_requests_are_masked_where_they_are_shown() -> None:
    """Headers and bodies with a credential are what they are on the wire, and ``***`` in a traceback."""
    token_ = Token(Secret(TOKEN))
    account = Account.ibm_quantum(KEY, CRN)
    for headers in (
        platforms.token_headers(account.dialect, token_),
        platforms.token_headers(Account.legacy(KEY, "h/g/p").dialect, token_),
        platforms.cloud_headers(token_),
        platforms.transpiler_headers(account.secret),
    ):
        assert found_in(repr(headers)) == set()
        assert found_in(" ".join(headers.values())) != set()
    for platform in (account.platform, Platform.LEGACY):
        login = platforms.login(platform, account.secret)
        assert login.body is not None
        assert found_in(f"{login!r} {login.body!r} {login.body.data!r}") == set()
        assert found_in(login.body.data.decode()) != set()
    assert repr(account.secret.reveal()) == "'***'"
    assert (masked("a") == "a", masked(b"a") == b"a", f"{masked('a')}") == (True, True, "a")
