"""The process's environment: this is the only place of the package that reads it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from urllib.request import getproxies_environment


def variables() -> Mapping[str, str]:
    """Return the variables of this process."""
    return os.environ


def inherited(changes: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for a process that this one starts."""
    return {**os.environ, **changes}


def proxy_url(scheme: str, host: str) -> str | None:
    """
    Return the proxy that the environment names for a host, None where it names none.

    ``HTTPS_PROXY``, ``HTTP_PROXY`` and ``ALL_PROXY`` are read in either case (``HTTP_PROXY`` not in upper case under
    CGI, where a client could set it). ``NO_PROXY`` lists names, which stand for their subdomains as well, or is ``*``.
    """
    proxies = getproxies_environment()
    if _exempt(host.lower(), proxies.get("no", "")):
        return None
    return proxies.get(scheme) or proxies.get("all") or None


def _exempt(host: str, no_proxy: str) -> bool:
    names = (name.strip().lower().removeprefix("*").removeprefix(".") for name in no_proxy.split(","))
    return no_proxy.strip() == "*" or any(name and (host == name or host.endswith(f".{name}")) for name in names)
