"""How the service's hosts are reached: TLS and proxies, for every host alike."""

from __future__ import annotations

import base64
import ipaddress
import os
import ssl as tls
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import attrs

from qrt_async.errors import InvalidOption
from qrt_async.secret import Secret, masked

_FORM = "a proxy is http://host:port or https://host:port, with user:password@ before the host where it asks for them"


def is_loopback(host: str) -> bool:
    """Return whether a host can only be this machine."""
    name = host.strip("[]").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _proxy_base(proxy: object, attribute: attrs.Attribute[str], url: str) -> None:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        usable = usable and not (parts.username or parts.password or parts.query or parts.fragment)
        usable = usable and parts.path in {"", "/"}
    except ValueError:
        usable = False
    if not usable:
        raise InvalidOption(f"{_FORM}; SOCKS is not spoken")


def _user_name(proxy: object, attribute: attrs.Attribute[str | None], user: str | None) -> None:
    if user is not None and ":" in user:
        raise InvalidOption("the user name for a proxy holds no colon (RFC 7617)")


def _as_secret(password: str | Secret) -> Secret:
    return password if isinstance(password, Secret) else Secret(password)


@attrs.frozen
class Proxy:
    """
    An HTTP proxy, and what it wants to know of who uses it; neither user nor password is ever shown.

    Requests to ``https`` hosts go through a tunnel (``CONNECT``): the proxy sees the host's name and no more.

    Raises:
        InvalidOption: another form of URL, credentials within it (see :meth:`parse`), or a colon in the user's name.

    """

    url: str = attrs.field(validator=_proxy_base)
    user: str | None = attrs.field(default=None, kw_only=True, repr=False, validator=_user_name)
    password: Secret = attrs.field(default=Secret(""), kw_only=True, repr=False, converter=_as_secret)

    @classmethod
    def parse(cls, text: str) -> Proxy:
        """Return the proxy that a URL describes, ``http://user:password@host:port`` (both percent-encoded)."""
        before, found, after = text.strip().partition("://")
        scheme, rest = (before, after) if found else ("http", before)
        credentials, has_user, host = rest.rpartition("@")
        url = f"{scheme}://{host}"
        if not has_user:
            return cls(url)
        user, _, password = credentials.partition(":")
        return cls(url, user=unquote(user), password=Secret(unquote(password)))

    def authorization(self) -> str | None:
        """Return the value of ``Proxy-Authorization``, None where the proxy asks for nothing."""
        if self.user is None:
            return None
        return masked("Basic " + base64.b64encode(f"{self.user}:{self.password.reveal()}".encode()).decode())


def _as_proxy(given: str | Proxy | None) -> Proxy | None:
    return Proxy.parse(given) if isinstance(given, str) else given


def _verifies(network: Network, attribute: attrs.Attribute[Any], context: object) -> None:
    if context is None:
        return
    if not isinstance(context, tls.SSLContext):
        raise InvalidOption(
            "Network(ssl=…) takes an ssl.SSLContext, and certificates are always verified: where one comes from a "
            "private authority, give that authority's file, Network(ca_bundle='ca.pem')"
        )
    if context.verify_mode is tls.CERT_NONE or not context.check_hostname:
        raise InvalidOption(
            "this ssl.SSLContext verifies no certificates or no host names, so that anybody in between could read the "
            "API key; trust the private authority instead: Network(ca_bundle='ca.pem')"
        )


def _one_trust(network: Network, attribute: attrs.Attribute[Any], bundle: Path | None) -> None:
    if bundle is not None and network.ssl is not None:
        raise InvalidOption("Network takes ssl= or ca_bundle=, not both: load the bundle into the context")


def _as_path(given: str | os.PathLike[str] | None) -> Path | None:
    return None if given is None else Path(given)


@attrs.frozen(kw_only=True)
class Network:
    """
    TLS and proxies for every host alike: API, login, transpiler, search and catalogue.

    Certificates are always verified: against the system's authorities, or those of `ca_bundle` (a PEM file, or a
    directory as OpenSSL hashes it) and no others, or as the `ssl` context says. Without a `proxy`, those of the
    environment are used (``HTTPS_PROXY``, ``HTTP_PROXY``, ``ALL_PROXY``, ``NO_PROXY``), unless `trust_env` is False;
    they are never used for this machine's own loopback addresses. An explicit `proxy` (a :class:`Proxy`, or its URL)
    serves every request.

    Raises:
        InvalidOption: what cannot be meant, and what would leave certificates unverified.

    """

    ssl: tls.SSLContext | None = attrs.field(default=None, validator=_verifies)
    ca_bundle: Path | None = attrs.field(default=None, converter=_as_path, validator=_one_trust)
    proxy: Proxy | None = attrs.field(default=None, converter=_as_proxy)
    trust_env: bool = True

    def context(self) -> tls.SSLContext | None:
        """
        Return the TLS context to use, None for the default one; reads the bundle, so call it in a thread.

        Raises:
            InvalidOption: the bundle cannot be read, or verification has been turned off since.

        """
        if self.ca_bundle is None:
            attrs.validate(self)
            return self.ssl
        directory = self.ca_bundle.is_dir()
        try:
            found = tls.create_default_context(
                cafile=None if directory else str(self.ca_bundle), capath=str(self.ca_bundle) if directory else None
            )
        except OSError as error:  # ssl.SSLError is one
            raise InvalidOption(
                f"the CA bundle {str(self.ca_bundle)!r} cannot be read ({error}): give a PEM file of certificates"
            ) from error
        found.set_alpn_protocols(["http/1.1"])
        return found
