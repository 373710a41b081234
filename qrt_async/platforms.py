"""The two platforms: their hosts, how one logs in, and which credential each host gets."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from qrt_async.errors import InvalidAccount
from qrt_async.models.tokens import Token
from qrt_async.secret import Secret, masked
from qrt_async.wire import auth
from qrt_async.wire.call import Call, Host
from qrt_async.wire.dialect import Dialect, Platform


@attrs.frozen(kw_only=True)
class Hosts:
    """The bases of a platform's URLs; None where a platform has no such host."""

    api: str
    auth: str
    transpiler: str | None = None
    search: str | None = None
    catalog: str | None = None

    def base(self, host: Host) -> str | None:
        """Return the base for the calls to a host."""
        return {
            Host.API: self.api,
            Host.AUTH: self.auth,
            Host.TRANSPILER: self.transpiler,
            Host.SEARCH: self.search,
            Host.CATALOG: self.catalog,
        }[host]


LEGACY_HOSTS = Hosts(
    api="https://api.quantum-computing.ibm.com/runtime",
    auth="https://auth.quantum-computing.ibm.com/api",
    transpiler="https://cloud-transpiler.quantum.ibm.com",
)


@attrs.frozen
class Cloud:
    """Which IBM Cloud an account belongs to: its domain, and whether it is reached over its private network."""

    domain: str = "cloud.ibm.com"
    private: bool = False


PUBLIC_CLOUD = Cloud()


def ibm_quantum_hosts(crn: str, cloud: Cloud = PUBLIC_CLOUD) -> Hosts:
    """
    Return the hosts that serve the instance of that CRN.

    The sixth field of a CRN is the region; ``us-east`` has no prefix of its own on the public network. The third tells
    IBM's staging from its production, which have token services of their own.

    Raises:
        InvalidAccount: the text is no CRN of a quantum instance.

    """
    fields = crn.split(":")
    if len(fields) < 8 or fields[0] != "crn" or not fields[5] or crn != crn.strip() or not crn.isprintable():
        raise InvalidAccount(
            "an instance of the IBM Quantum platform is a CRN, "
            f"'crn:v1:bluemix:public:quantum-computing:us-east:a/…:…::', not {crn!r}"
        )
    region = f"private.{fields[5]}." if cloud.private else "" if fields[5] == "us-east" else f"{fields[5]}."
    staging = "test." if fields[2] == "staging" else ""
    domain = f"{staging}cloud.ibm.com" if cloud.domain == PUBLIC_CLOUD.domain else cloud.domain
    return Hosts(
        api=f"https://{region}quantum.{cloud.domain}/api/v1",
        auth=f"https://{'private.' if cloud.private else ''}iam.{staging}cloud.ibm.com",
        search=f"https://api.global-search-tagging.{domain}",
        catalog=f"https://globalcatalog.{domain}",
    )


def unplaced_hosts(cloud: Cloud = PUBLIC_CLOUD) -> Hosts:
    """Return the hosts for an account whose instance is still to be found."""
    return ibm_quantum_hosts("crn:v1:bluemix:public:quantum-computing:us-east:::", cloud)


def login(platform: Platform, secret: Secret) -> Call[Token]:
    """Return the call that exchanges the long-lived key for a token."""
    return auth.iam_token(secret) if platform is Platform.IBM_QUANTUM else auth.legacy_login(secret)


def logout(platform: Platform) -> Call[None] | None:
    """Return the call that ends a token; today's platform has none, its tokens end by themselves."""
    return auth.legacy_logout() if platform is Platform.LEGACY else None


def token_headers(dialect: Dialect, token: Token) -> Mapping[str, str]:
    """Return the headers that show a token to the API (and, on the legacy platform, to its logout)."""
    if dialect.platform is Platform.LEGACY:
        return {"x-access-token": token.secret.reveal()}
    return {
        "Authorization": masked(f"Bearer {token.secret.reveal()}"),
        "Service-CRN": str(dialect.instance),
        "IBM-API-Version": dialect.api_version,
    }


def cloud_headers(token: Token) -> Mapping[str, str]:
    """Return the headers that show a token to IBM Cloud's own services, which know nothing of instances."""
    return {"Authorization": masked(f"Bearer {token.secret.reveal()}")}


def transpiler_headers(secret: Secret) -> Mapping[str, str]:
    """Return the headers for the transpiler service, which takes the long-lived token and no other."""
    return {"Authorization": masked(f"Bearer {secret.reveal()}")}
