"""Who pays, and where the credentials come from."""

from __future__ import annotations

import hashlib
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

import attrs

from qrt_async import environment
from qrt_async.errors import InvalidAccount
from qrt_async.network import is_loopback
from qrt_async.notices import ServiceWarning
from qrt_async.platforms import LEGACY_HOSTS, PUBLIC_CLOUD, Cloud, Hosts, ibm_quantum_hosts, unplaced_hosts
from qrt_async.saved import (
    SavedAccount,
    choose_saved,
    default_name,
    default_path,
    read_saved,
    remove_account,
    save_account,
)
from qrt_async.secret import Secret
from qrt_async.wire.dialect import API_VERSION, Dialect, HubGroupProject, Platform

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


@attrs.frozen(kw_only=True)
class Preferences:
    """
    Which instance to take where an account has no CRN: `plans` in the order of preference, all `tags` needed.

    With a `name` it is the instance of that name, whatever the rest says.
    """

    name: str | None = None
    region: str | None = None
    plans: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class Account:
    """
    Credentials for one instance on one platform.

    Made by :meth:`ibm_quantum`, :meth:`legacy`, :meth:`from_env` or :meth:`from_saved`; making one sends nothing.
    """

    dialect: Dialect
    secret: Secret
    hosts: Hosts
    preferences: Preferences = Preferences()
    cloud: Cloud = PUBLIC_CLOUD

    @property
    def platform(self) -> Platform:
        """The platform this account belongs to."""
        return self.dialect.platform

    @property
    def instance(self) -> str:
        """The instance, as the platform writes it; empty while it is still to be found."""
        return "" if self.dialect.instance is None else str(self.dialect.instance)

    @property
    def user(self) -> str:
        """A name for whoever holds the credentials, from which these cannot be told: the quota is counted by it."""
        return hashlib.sha256(f"{self.platform.name}\0{self.secret.reveal()}".encode()).hexdigest()

    def at(self, crn: str) -> Account:
        """Return the same account at that instance; a host that is IBM's own becomes that of the instance's region."""
        hosts = ibm_quantum_hosts(crn, self.cloud)
        api = hosts.api if self.hosts.api == unplaced_hosts(self.cloud).api else self.hosts.api
        return attrs.evolve(
            self, dialect=attrs.evolve(self.dialect, instance=crn), hosts=attrs.evolve(self.hosts, api=api)
        )

    @classmethod
    def ibm_quantum(
        cls,
        api_key: str,
        instance: str,
        *,
        api_url: str | None = None,
        iam_url: str | None = None,
        search_url: str | None = None,
        catalog_url: str | None = None,
        api_version: str = API_VERSION,
    ) -> Account:
        """
        Return an account on today's IBM Quantum platform.

        `instance` is a CRN, ``crn:v1:bluemix:public:quantum-computing:us-east:a/…:…::``; its region picks the API's
        host. `api_url` and `iam_url` replace ``https://quantum.cloud.ibm.com/api/v1`` and
        ``https://iam.cloud.ibm.com``; `search_url` and `catalog_url` those of IBM Cloud's search and catalogue, which
        are asked only for the instances that a key can use. `api_version` is the dated version of the API to ask for.

        Raises:
            InvalidAccount: an empty key, an instance that is no CRN, a version that is no date, or an unusable URL.

        """
        hosts = ibm_quantum_hosts(instance)
        return cls(
            dialect=Dialect(Platform.IBM_QUANTUM, instance, _version(api_version)),
            secret=_secret(api_key, "api_key"),
            hosts=_hosts(hosts, api_url, iam_url, search_url, catalog_url),
        )

    @classmethod
    def from_saved(
        cls,
        name: str | None = None,
        *,
        path: Path | None = None,
        api_url: str | None = None,
        iam_url: str | None = None,
        search_url: str | None = None,
        catalog_url: str | None = None,
    ) -> Account:
        """
        Return an account that the official client saved (``~/.qiskit/qiskit-ibm.json``).

        Without a `name` it is the one marked as default, else one with a default name, else the first of today's
        platform. An account with the name of an instance instead of a CRN, or with neither, finds its instance with
        the first call, by that name or its saved preferences, and says in a warning which it took. Another warning
        concerns what is not followed: proxies, and a certificate that is not to be verified.

        Raises:
            InvalidAccount: no such file or account, or one that cannot be meant.

        """
        saved = choose_saved(read_saved(path or default_path()), name)
        if saved.proxies is not None or not saved.verify:
            warnings.warn(
                "the saved account's proxies and verify=False are not followed: name a proxy in "
                "Client(network=Network(proxy=…)) or HTTPS_PROXY, and a CA bundle in Network instead of verify=False",
                ServiceWarning,
                stacklevel=2,
            )
        cloud, crn, instance_name = _cloud(saved), *_crn_or_name(saved.instance)
        hosts = ibm_quantum_hosts(crn, cloud) if crn else unplaced_hosts(cloud)
        return cls(
            dialect=Dialect(Platform.IBM_QUANTUM, crn),
            secret=_secret(saved.token.reveal(), "the saved token"),
            hosts=_hosts(hosts, api_url, iam_url, search_url, catalog_url),
            preferences=Preferences(name=instance_name, region=saved.region, plans=saved.plans, tags=saved.tags),
            cloud=cloud,
        )

    def save(
        self, name: str | None = None, *, path: Path | None = None, default: bool = False, overwrite: bool = False
    ) -> None:
        """
        Save the account where the official client keeps its own, and in its form; :meth:`from_saved` reads it again.

        Without a `name` it is the official client's default one. With `default` it becomes the account that is taken
        where none is named. The file is its owner's alone (0600), and changes in one step; this blocks for its disk.

        Raises:
            InvalidAccount: the name is taken and `overwrite` is False, the account is one of the legacy platform or has
                hosts of its own, for which the file has no place, or the file cannot be written.

        """
        if self.platform is Platform.LEGACY or self.hosts != self._standard_hosts():
            raise InvalidAccount("only accounts of today's platform, at its own hosts, can be saved")
        wanted = self.preferences
        saved = SavedAccount(
            token=self.secret,
            instance=self.instance or wanted.name,
            url=f"https://{self.cloud.domain}",
            private_endpoint=self.cloud.private,
            region=wanted.region,
            plans=wanted.plans,
            tags=wanted.tags,
            default=default,
        )
        save_account(path or default_path(), name or default_name(saved.channel), saved, overwrite=overwrite)

    def _standard_hosts(self) -> Hosts:
        return ibm_quantum_hosts(self.instance, self.cloud) if self.instance else unplaced_hosts(self.cloud)

    @staticmethod
    def saved(path: Path | None = None) -> Mapping[str, SavedAccount]:
        """Return what is saved, by name (`InvalidAccount` where there is no such file, or it cannot be read)."""
        return read_saved(path or default_path())

    @staticmethod
    def remove_saved(name: str, *, path: Path | None = None) -> None:
        """Remove a saved account (`InvalidAccount` where there is none of that name)."""
        remove_account(path or default_path(), name)

    @classmethod
    def legacy(
        cls,
        api_token: str,
        instance: str,
        *,
        auth_url: str | None = None,
        api_url: str | None = None,
        transpiler_url: str | None = None,
    ) -> Account:
        """
        Return an account on the legacy platform, which private installations and the emulator still speak.

        `instance` is ``hub/group/project``. The URLs replace ``https://auth.quantum-computing.ibm.com/api``,
        ``https://api.quantum-computing.ibm.com/runtime`` and ``https://cloud-transpiler.quantum.ibm.com``.

        Raises:
            InvalidAccount: an empty token, an instance of another form, or an unusable URL.

        """
        parts = instance.split("/")
        if len(parts) != 3 or not all(parts):
            raise InvalidAccount(f"a legacy instance is written hub/group/project, not {instance!r}")
        return cls(
            dialect=Dialect(Platform.LEGACY, HubGroupProject(*parts)),
            secret=_secret(api_token, "api_token"),
            hosts=Hosts(
                api=_url(api_url, LEGACY_HOSTS.api),
                auth=_url(auth_url, LEGACY_HOSTS.auth),
                transpiler=_url(transpiler_url, LEGACY_HOSTS.transpiler or ""),
            ),
        )

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Account:
        """
        Return the account that the environment describes.

        ``QISKIT_IBM_TOKEN`` and ``QISKIT_IBM_INSTANCE`` are needed; ``QISKIT_IBM_CHANNEL`` says ``ibm_quantum`` for the
        legacy platform and anything else for today's, and the form of the instance decides where it is not set.
        ``QRT_API_URL``, ``QRT_AUTH_URL`` (``IAM_URL`` as well on today's platform) and ``QRT_TRANSPILER_URL`` replace
        the hosts. The process's own environment is read unless `environ` is given.

        Raises:
            InvalidAccount: a variable is missing or cannot be meant.

        """
        env = environment.variables() if environ is None else environ
        token, instance = _required(env, "QISKIT_IBM_TOKEN"), _required(env, "QISKIT_IBM_INSTANCE")
        channel = env.get("QISKIT_IBM_CHANNEL") or ("ibm_cloud" if instance.startswith("crn:") else "ibm_quantum")
        if channel == "ibm_quantum":
            return cls.legacy(
                token,
                instance,
                auth_url=env.get("QRT_AUTH_URL"),
                api_url=env.get("QRT_API_URL"),
                transpiler_url=env.get("QRT_TRANSPILER_URL"),
            )
        return cls.ibm_quantum(
            token,
            instance,
            api_url=env.get("QRT_API_URL"),
            iam_url=env.get("QRT_AUTH_URL") or env.get("IAM_URL"),
            search_url=env.get("GLOBAL_SEARCH_URL"),
            catalog_url=env.get("GLOBAL_CATALOG_URL"),
        )


def _crn_or_name(instance: str | None) -> tuple[str | None, str | None]:
    """Return the CRN or the name that a saved instance is; "auto" is how the official client spells neither."""
    if instance is None or instance == "auto":
        return None, None
    return (instance, None) if instance.startswith("crn:") else (None, instance)


def _cloud(saved: SavedAccount) -> Cloud:
    try:
        parts = urlsplit(saved.url)
        host, scheme = parts.hostname, parts.scheme
    except ValueError:
        host, scheme = None, ""
    if not host or scheme != "https":
        raise InvalidAccount(f"the saved url is IBM Cloud's own address, https://cloud.ibm.com, not {saved.url!r}")
    return Cloud(host, saved.private_endpoint)


def _required(env: Mapping[str, str], name: str) -> str:
    value = env.get(name, "").strip()
    if not value:
        raise InvalidAccount(f"the environment variable {name} is not set")
    return value


def _version(text: str) -> str:
    if not _DATE.fullmatch(text):
        raise InvalidAccount(f"api_version is a date such as '{API_VERSION}', not {text!r}")
    return text


def _hosts(hosts: Hosts, api: str | None, auth: str | None, search: str | None, catalog: str | None) -> Hosts:
    return Hosts(
        api=_url(api, hosts.api),
        auth=_url(auth, hosts.auth),
        search=_url(search, hosts.search or ""),
        catalog=_url(catalog, hosts.catalog or ""),
    )


def _secret(text: str, name: str) -> Secret:
    if not text or not text.isascii() or not text.isprintable() or text != text.strip():
        raise InvalidAccount(f"{name} must be a text of printable characters without spaces around it")
    return Secret(text)


def _url(given: str | None, default: str) -> str:
    if given is None:
        return default
    parts = _split(given)
    if parts is None:
        raise InvalidAccount("a URL of an account is https://host/path, without credentials, query or fragment")
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise InvalidAccount(
            f"http://{parts.hostname} would carry the credentials unencrypted: give an https URL, "
            "or a tunnel to this machine (http://localhost:…)"
        )
    return given.rstrip("/")


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and not parts.query
        usable = usable and not parts.username and not parts.fragment
    except ValueError:
        return None
    return parts if usable else None
