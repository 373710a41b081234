"""What a network setting may say."""

from __future__ import annotations

import ast
import base64
import ssl
from pathlib import Path
from typing import Any

import pytest

import qrt_async
from qrt_async import Account, InvalidAccount, InvalidOption, Network, Proxy, environment
from qrt_async.network import is_loopback

CRN = "crn:v1:bluemix:public:quantum-computing:us-east:a/abc:def::"


def unverified(*, names_only: bool) -> ssl.SSLContext:
    """Return a context that takes any certificate, or any name."""
    context = ssl.create_default_context()
    context.check_hostname = False
    if not names_only:
        context.verify_mode = ssl.CERT_NONE
    return context


@pytest.mark.parametrize("value", [False, True, 0, "ca.pem"])
def test_only_a_context_is_a_context(value: Any) -> None:
    """`ssl=False`, which other libraries take for "do not verify", is refused with what to do instead."""
    with pytest.raises(InvalidOption, match=r"always verified.*ca_bundle="):
        Network(ssl=value)


@pytest.mark.parametrize("names_only", [False, True])
def test_a_context_without_verification_is_refused(*, names_only: bool) -> None:
    """A context that verifies no certificates, or no names, cannot be given."""
    with pytest.raises(InvalidOption, match="ca_bundle="):
        Network(ssl=unverified(names_only=names_only))


def test_two_trusts_are_one_too_many() -> None:
    """A context and a bundle cannot both decide."""
    with pytest.raises(InvalidOption, match="not both"):
        Network(ssl=ssl.create_default_context(), ca_bundle=Path("ca.pem"))


@pytest.mark.parametrize(
    ("text", "url", "credentials"),
    [
        ("http://proxy:3128", "http://proxy:3128", None),
        ("https://proxy:3128/", "https://proxy:3128/", None),
        ("proxy:3128", "http://proxy:3128", None),
        (" http://me:pw@proxy:3128 ", "http://proxy:3128", "me:pw"),
        ("http://me@proxy:3128", "http://proxy:3128", "me:"),
        ("me:p%40s%3As@[::1]:3128", "http://[::1]:3128", "me:p@s:s"),
    ],
)
def test_a_url_describes_a_proxy(text: str, url: str, credentials: str | None) -> None:
    """Credentials in a URL are taken out of it, percent-decoded."""
    found = Proxy.parse(text)
    shown = found.authorization()

    assert found.url == url
    assert (shown and base64.b64decode(shown.removeprefix("Basic ")).decode()) == credentials


@pytest.mark.parametrize(
    "text", ["", "socks5://me:hunter2@p:1", "http://", "http://me:hunter2@", "http://hunter2@p:x", "http://p/?hunter2"]
)
def test_an_unusable_proxy_is_refused(text: str) -> None:
    """A proxy is an HTTP proxy at a host, and the error repeats nothing of it."""
    with pytest.raises(InvalidOption) as caught:
        Network(proxy=text)

    assert "hunter2" not in str(caught.value)


def test_credentials_belong_into_their_own_arguments() -> None:
    """A `Proxy` with credentials in its URL would show them, and a colon would end the user's name."""
    with pytest.raises(InvalidOption):
        Proxy("http://me:pw@proxy:1")
    with pytest.raises(InvalidOption):
        Proxy("http://proxy:1", user="m:e")


def test_nothing_shows_the_credentials_of_a_proxy() -> None:
    """Neither the proxy nor the network around it shows user or password."""
    network = Network(proxy="http://user-3f:hunter2@proxy:1")
    shown = f"{network!r} {network} {network.proxy and network.proxy.authorization()!r}"

    assert "proxy:1" in shown
    assert "hunter2" not in shown
    assert "user-3f" not in shown
    assert base64.b64encode(b"user-3f:hunter2").decode() not in shown


@pytest.mark.parametrize(
    ("no_proxy", "host", "exempt"),
    [
        ("", "api.test", False),
        ("*", "api.test", True),
        ("api.test", "api.test", True),
        ("other.test, TEST", "api.test", True),
        (".test", "api.test", True),
        ("*.test", "api.test", True),
        ("pi.test", "api.test", False),
        ("10.0.0.1", "10.0.0.1", True),
        (",", "api.test", False),
    ],
)
def test_no_proxy_exempts_names_and_their_subdomains(
    no_proxy: str, host: str, monkeypatch: pytest.MonkeyPatch, *, exempt: bool
) -> None:
    """A name of the list stands for itself and what lies below it."""
    monkeypatch.setenv("https_proxy", "http://p:1")
    monkeypatch.setenv("no_proxy", no_proxy)

    assert environment.proxy_url("https", host) == (None if exempt else "http://p:1")


@pytest.mark.parametrize("host", ["localhost", "a.localhost", "127.0.0.1", "127.8.8.8", "::1", "[::1]", "LOCALHOST"])
def test_loopback_is_this_machine(host: str) -> None:
    """Names and addresses that can only be this machine are."""
    assert is_loopback(host)
    url = f"http://{'[::1]' if host == '::1' else host}:1/x"
    assert Account.ibm_quantum("k", CRN, api_url=url).hosts.api == url


@pytest.mark.parametrize("host", ["example.com", "10.0.0.1", "localhost.example.com", "192.168.0.1", "notlocalhost"])
def test_no_credential_travels_unencrypted(host: str) -> None:
    """An http URL that leads away from this machine is refused, for whichever host."""
    assert not is_loopback(host)
    for name in ("api_url", "iam_url", "search_url", "catalog_url"):
        with pytest.raises(InvalidAccount, match="unencrypted"):
            Account.ibm_quantum("k", CRN, **{name: f"http://{host}/x"})


def test_the_environment_is_read_in_one_place() -> None:
    """Outside the emulator, which is a program of its own, one module reads the process's environment."""
    package = Path(qrt_async.__file__).parent
    names = {"environ", "environb", "getenv", "getproxies", "getproxies_environment"}
    readers = {
        str(file.relative_to(package))
        for file in package.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if (isinstance(node, ast.Attribute) and node.attr in names)
        or (isinstance(node, ast.ImportFrom) and names & {alias.name for alias in node.names})
        if file.relative_to(package).parts[0] != "emulator"
    }

    assert readers == {"environment.py"}
