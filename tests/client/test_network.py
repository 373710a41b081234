"""TLS and proxies: the same for every host, never unverified, and never shown."""

from __future__ import annotations

import base64
import logging
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from qrt_async import (
    Account,
    Client,
    InvalidOption,
    Network,
    Proxy,
    ProxyRefused,
    RetryPolicy,
    UntrustedCertificate,
)
from qrt_async.wire.call import Call, Host
from qrt_async.wire.outcome import nothing
from tests.client import scripted
from tests.client.conftest import FakeClock
from tests.client.leaks import shown_by
from tests.client.scripted import CRN, KEY, Service, job, reply
from tests.client.wires import Authority, proxy

NAMES = ("api.test", "iam.test", "search.test", "catalog.test", "transpiler.test", "auth.test", "localhost")
PASSWORD = "pa:ss w0rd-5e2"
JOB = "GET /api/v1/jobs/j"
NEEDS_AUTHENTICATION = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """A certificate authority that nobody else trusts."""
    return Authority.at(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def server_context(authority: Authority) -> ssl.SSLContext:
    """The certificate of all hosts."""
    return authority.server(*NAMES)


@pytest.fixture
async def secure(server_context: ssl.SSLContext) -> AsyncIterator[Service]:
    """A scripted service that speaks TLS."""
    async with scripted.service(server_context) as found:
        found.on(JOB, job("Running"))
        yield found


@pytest.fixture
def nonsense(tmp_path: Path) -> Path:
    """A file that holds no certificate."""
    file = tmp_path / "nonsense.pem"
    file.write_text("not a certificate")
    return file


def port_of(service: Service) -> int:
    """Return the port a service listens on."""
    port = urlsplit(service.url).port
    assert port is not None
    return port


def named_account() -> Account:
    """Return an account of today's platform whose hosts only a proxy can find."""
    return Account.ibm_quantum(
        KEY,
        CRN,
        api_url="https://api.test/api/v1",
        iam_url="https://iam.test",
        search_url="https://search.test",
        catalog_url="https://catalog.test",
    )


def call(host: Host) -> Call[None]:
    """Return a call to a host that says nothing."""
    return Call(operation="probe", method="GET", path="/probe", host=host, read=nothing())


def quick(account: Account, network: Network, clock: FakeClock) -> Client:
    """Return a client that tries once."""
    return Client(account, network=network, clock=clock, retry=RetryPolicy(max_retries=0))


async def test_every_host_is_reached_through_the_proxy(secure: Service, authority: Authority, clock: FakeClock) -> None:
    """API, login, search and catalogue get a tunnel each, asked for with the credentials, which no host sees."""
    for base in ("/api/v1", ""):
        secure.on(f"GET {base}/probe", reply())
    async with proxy(port_of(secure)) as between:
        network = Network(
            proxy=Proxy(between.url, user="me", password=PASSWORD), ca_bundle=authority.bundle, trust_env=False
        )
        async with quick(named_account(), network, clock) as client:
            for host in (Host.API, Host.SEARCH, Host.CATALOG):
                await client.send(call(host))

    expected = base64.b64encode(f"me:{PASSWORD}".encode()).decode()
    assert between.asked_for == [f"CONNECT {name}.test:443" for name in ("iam", "api", "search", "catalog")]
    assert all(f"Proxy-Authorization: Basic {expected}" in head for head in between.heads)
    assert all("Bearer" not in head and KEY not in head for head in between.heads)
    assert len(secure.seen) == 4
    assert not any("Proxy-Authorization" in one.headers for one in secure.seen)


async def test_the_legacy_hosts_are_reached_through_the_proxy(
    secure: Service, authority: Authority, clock: FakeClock
) -> None:
    """Login, API, transpiler and logout of the legacy platform take the same way."""
    secure.on("GET /runtime/probe", reply())
    secure.on("GET /probe", reply())
    account = Account.legacy(
        KEY,
        "h/g/p",
        auth_url="https://auth.test/api",
        api_url="https://api.test/runtime",
        transpiler_url="https://transpiler.test",
    )
    async with proxy(port_of(secure)) as between:
        network = Network(proxy=between.url, ca_bundle=authority.bundle)
        async with quick(account, network, clock) as client:
            await client.send(call(Host.API))
            await client.send(call(Host.TRANSPILER))

    assert set(between.asked_for) == {f"CONNECT {name}.test:443" for name in ("auth", "api", "transpiler")}
    assert [one.path for one in secure.seen][-1] == "/api/users/logout"


async def test_a_fresh_call_takes_the_proxy_too(secure: Service, authority: Authority, clock: FakeClock) -> None:
    """A connection of one's own leads through a tunnel of one's own."""
    secure.on("GET /api/v1/probe", reply())
    fresh = Call(operation="probe", method="GET", path="/probe", fresh=True, read=nothing())
    async with (
        proxy(port_of(secure)) as between,
        quick(named_account(), Network(proxy=between.url, ca_bundle=authority.bundle), clock) as client,
    ):
        await client.send(fresh)
        await client.send(fresh)

    assert between.asked_for == [f"CONNECT {name}.test:443" for name in ("iam", "api", "api")]


async def test_the_environment_names_the_proxy(
    secure: Service, authority: Authority, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`HTTPS_PROXY` is used where nothing else was said, with the credentials in its URL."""
    async with proxy(port_of(secure)) as between:
        monkeypatch.setenv("HTTPS_PROXY", between.url.replace("//", "//me:p%40ss@"))
        monkeypatch.setenv("NO_PROXY", "elsewhere.test")
        async with quick(named_account(), Network(ca_bundle=authority.bundle), clock) as client:
            await client.login()

    assert between.asked_for == ["CONNECT iam.test:443"]
    assert base64.b64encode(b"me:p@ss").decode() in between.heads[0]


async def test_the_environment_is_left_alone_where_told(
    secure: Service, authority: Authority, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither `trust_env=False` nor an explicit proxy asks the environment, and loopback never takes its proxy."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    async with (
        proxy(port_of(secure)) as between,
        quick(named_account(), Network(proxy=between.url, ca_bundle=authority.bundle), clock) as client,
    ):
        await client.login()
    local = secure.url.replace("127.0.0.1", "localhost")
    account = Account.ibm_quantum(KEY, CRN, api_url=f"{local}/api/v1", iam_url=local)
    for network in (Network(ca_bundle=authority.bundle), Network(ca_bundle=authority.bundle, trust_env=False)):
        async with quick(account, network, clock) as client:
            await client.login()

    assert len(between.heads) == 1
    assert len(secure.asked("POST /identity/token")) == 3


async def test_an_unusable_proxy_of_the_environment_is_named(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """A SOCKS proxy is refused before anything is sent, and never bypassed, and its password is not repeated."""
    monkeypatch.delenv("HTTPS_PROXY", raising=False)
    monkeypatch.delenv("https_proxy", raising=False)
    monkeypatch.setenv("ALL_PROXY", "socks5://me:hunter2@127.0.0.1:9")
    async with quick(named_account(), Network(), clock) as client:
        with pytest.raises(InvalidOption, match=r"HTTPS_PROXY.*trust_env=False") as caught:
            await client.login()

    assert "hunter2" not in str(caught.value)


async def test_plain_requests_show_the_proxy_who_asks(service: Service, clock: FakeClock) -> None:
    """Without TLS there is no tunnel: the request itself carries the credentials for the proxy."""
    service.on(JOB, job("Running"))
    async with (
        proxy(port_of(service)) as between,
        quick(service.account(), Network(proxy=between.url.replace("//", "//me:pw@")), clock) as client,
    ):
        await client.job("j").status()

    assert between.asked_for[0] == f"POST {service.url}/identity/token"
    assert base64.b64encode(b"me:pw").decode() in between.heads[0]


async def test_a_proxy_that_refuses_says_what_to_do(
    secure: Service, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Its 407 is no answer of the service: nothing was sent, and no message, log or traceback has the password."""
    caplog.set_level(logging.DEBUG)
    async with proxy(port_of(secure), NEEDS_AUTHENTICATION) as between:
        network = Network(proxy=Proxy(between.url, user="me-4c", password=PASSWORD))
        async with quick(named_account(), network, clock) as client:
            with pytest.raises(ProxyRefused, match=r"HTTP 407 .*user and password") as caught:
                await client.login()

    shown = shown_by(caught.value) + caplog.text + repr(network) + repr(client)
    encoded = base64.b64encode(f"me-4c:{PASSWORD}".encode()).decode()
    assert caught.value.left is False
    assert secure.seen == []
    for secret in (PASSWORD, "me-4c:", encoded, KEY):
        assert secret not in shown


async def test_a_private_authority_is_trusted_by_its_bundle(
    secure: Service, authority: Authority, clock: FakeClock
) -> None:
    """A file of certificates and a context of one's own both serve."""
    local = secure.url.replace("127.0.0.1", "localhost")
    account = Account.ibm_quantum(KEY, CRN, api_url=f"{local}/api/v1", iam_url=local)
    for network in (Network(ca_bundle=str(authority.bundle)), Network(ssl=authority.client())):
        async with quick(account, network, clock) as client:
            assert (await client.job("j").status()).value == "Running"


@pytest.mark.parametrize("trusted", [False, True], ids=["unknown authority", "another host's name"])
async def test_an_untrusted_certificate_gets_no_credential(
    secure: Service, authority: Authority, clock: FakeClock, *, trusted: bool
) -> None:
    """Nothing is sent to whoever cannot prove to be the host, and the error says how to trust an authority."""
    url = secure.url if trusted else secure.url.replace("127.0.0.1", "localhost")
    account = Account.ibm_quantum(KEY, CRN, api_url=f"{url}/api/v1", iam_url=url)
    network = Network(ca_bundle=authority.bundle) if trusted else Network()
    async with quick(account, network, clock) as client:
        with pytest.raises(UntrustedCertificate, match="ca_bundle=") as caught:
            await client.login()

    assert caught.value.left is False
    assert secure.seen == []


async def test_an_unreadable_bundle_is_refused_before_anything_is_sent(
    service: Service, clock: FakeClock, nonsense: Path
) -> None:
    """A bundle that is missing, or no bundle, is an error that names it."""
    for bundle in (nonsense.with_name("missing.pem"), nonsense):
        async with quick(service.account(), Network(ca_bundle=bundle), clock) as client:
            with pytest.raises(InvalidOption, match=bundle.name):
                await client.login()

    assert service.seen == []


async def test_verification_turned_off_later_is_refused_too(
    secure: Service, authority: Authority, clock: FakeClock
) -> None:
    """A context that was sound when it was given, and is not when it is used, is not used."""
    context = authority.client()
    network = Network(ssl=context)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    async with quick(secure.account(), network, clock) as client:
        with pytest.raises(InvalidOption, match="verifies no certificates"):
            await client.login()

    assert secure.seen == []
