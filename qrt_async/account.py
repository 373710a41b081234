"""Who pays, and where the credentials come from."""

from __future__ import annotations

import os
from collections.abc import Mapping
from urllib.parse import urlsplit

import attrs

from qrt_async.errors import InvalidAccount
from qrt_async.platforms import LEGACY_HOSTS, Hosts, ibm_quantum_hosts
from qrt_async.secret import Secret
from qrt_async.wire.dialect import API_VERSION, Dialect, HubGroupProject, Platform


@attrs.frozen(kw_only=True)
class Account:
    """
    Credentials for one instance on one platform; made by :meth:`ibm_quantum`, :meth:`legacy` or :meth:`from_env`.

    Making one sends nothing.
    """

    dialect: Dialect
    secret: Secret
    hosts: Hosts

    @property
    def platform(self) -> Platform:
        """The platform this account belongs to."""
        return self.dialect.platform

    @property
    def instance(self) -> str:
        """The instance, as the platform writes it."""
        return str(self.dialect.instance)

    @classmethod
    def ibm_quantum(
        cls,
        api_key: str,
        instance: str,
        *,
        api_url: str | None = None,
        iam_url: str | None = None,
        api_version: str = API_VERSION,
    ) -> Account:
        """
        Return an account on today's IBM Quantum platform.

        `instance` is a CRN, ``crn:v1:bluemix:public:quantum-computing:us-east:a/…:…::``; its region picks the API's
        host. `api_url` and `iam_url` replace ``https://quantum.cloud.ibm.com/api/v1`` and
        ``https://iam.cloud.ibm.com``.

        Raises:
            InvalidAccount: an empty key, an instance that is no CRN, or an unusable URL.

        """
        hosts = ibm_quantum_hosts(instance)
        return cls(
            dialect=Dialect(Platform.IBM_QUANTUM, instance, api_version),
            secret=_secret(api_key, "api_key"),
            hosts=Hosts(api=_url(api_url, hosts.api), auth=_url(iam_url, hosts.auth), transpiler=None),
        )

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
        env = os.environ if environ is None else environ
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
        iam_url = env.get("QRT_AUTH_URL") or env.get("IAM_URL")
        return cls.ibm_quantum(token, instance, api_url=env.get("QRT_API_URL"), iam_url=iam_url)


def _required(env: Mapping[str, str], name: str) -> str:
    value = env.get(name, "").strip()
    if not value:
        raise InvalidAccount(f"the environment variable {name} is not set")
    return value


def _secret(text: str, name: str) -> Secret:
    if not text or not text.isascii() or not text.isprintable() or text != text.strip():
        raise InvalidAccount(f"{name} must be a text of printable characters without spaces around it")
    return Secret(text)


def _url(given: str | None, default: str) -> str:
    if given is None:
        return default
    try:
        parts = urlsplit(given)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and not parts.query
        usable = usable and not parts.username and not parts.fragment
    except ValueError:
        usable = False
    if not usable:
        raise InvalidAccount("a URL of an account is http(s)://host/path, without credentials, query or fragment")
    return given.rstrip("/")
