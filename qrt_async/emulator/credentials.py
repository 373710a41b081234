"""API keys, access tokens and bearer tokens: who may speak, and who is speaking."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import math
from typing import TYPE_CHECKING, Any

import attrs

from qrt_async.emulator.clock import Instant
from qrt_async.emulator.identifiers import is_access_token
from qrt_async.emulator.plans import account_of
from qrt_async.emulator.refusals import Refusal, invalid_credentials

if TYPE_CHECKING:
    from collections.abc import Collection

    from qrt_async.emulator.clock import Clock
    from qrt_async.emulator.identifiers import Identifiers

ACCESS_TOKEN_SECONDS = 1_209_600
BEARER_SECONDS = 3600
_ISSUER = "https://iam.cloud.ibm.com/identity"


@attrs.frozen
class AccessToken:
    """What a LEGACY login gives: the token, its user, and when it was made."""

    id: str
    user_id: str
    created: Instant


@attrs.frozen
class Bearer:
    """What IAM gives for an API key: a JWT, its user, and its first and last second (epoch)."""

    token: str
    user_id: str
    issued: int
    expires: int
    deadline: float


class Credentials:
    """Knows which API keys are good and which tokens live.

    Without `keys` every API key is good but the empty one and those that begin with "bad". Tokens live `lifetime`
    seconds, None: as long as the service's.
    """

    def __init__(
        self, keys: Collection[str], identifiers: Identifiers, clock: Clock, lifetime: float | None = None
    ) -> None:
        self._keys = frozenset(keys)
        self._identifiers = identifiers
        self._clock = clock
        self.access_token_seconds: float = ACCESS_TOKEN_SECONDS if lifetime is None else lifetime
        self._bearer_seconds = BEARER_SECONDS if lifetime is None else lifetime
        self._access_tokens: dict[str, AccessToken] = {}
        self._bearers: dict[str, Bearer] = {}
        self._signing_key = identifiers.nonce().encode()

    def accepts(self, key: str) -> bool:
        """Tell whether `key` is a good API key."""
        if self._keys:
            return key in self._keys
        return bool(key.strip()) and not key.startswith("bad")

    def log_in(self, key: str) -> AccessToken:
        """Give a LEGACY access token for an API key (`POST /users/loginWithToken`)."""
        if not self.accepts(key):
            raise Refusal(401, "3446", "Login failed.")
        now = Instant.of(self._clock)
        self._forget_expired(now.monotonic)
        token = AccessToken(self._identifiers.access_token(), legacy_user(key), now)
        self._access_tokens[token.id] = token
        return token

    def log_out(self, token: str) -> None:
        """End an access token (`POST /users/logout`); one that does not live is refused, as is an API key."""
        if self._access_token(token) is None:
            raise Refusal(401, "3407", "Invalid token.")
        del self._access_tokens[token]

    def legacy_user(self, secret: str) -> str:
        """Give the user of a LEGACY credential: an access token, or an API key itself."""
        token = self._access_token(secret)
        if token is not None:
            return token.user_id
        return self.key_user(secret)

    def key_user(self, key: str) -> str:
        """Give the LEGACY user of an API key; the transpiler service takes nothing else."""
        if is_access_token(key) or not self.accepts(key):
            raise invalid_credentials()
        return legacy_user(key)

    def issue(self, key: str) -> Bearer:
        """Give a bearer token for an API key (`POST /identity/token`)."""
        if not self.accepts(key):
            raise Refusal(400, "BXNIM0415E", "Provided API key could not be found.")
        now = Instant.of(self._clock)
        self._forget_expired(now.monotonic)
        issued = int(now.date.timestamp())
        token = self._jwt(key, issued)
        deadline = now.monotonic + self._bearer_seconds
        bearer = Bearer(token, cloud_user(key), issued, issued + math.ceil(self._bearer_seconds), deadline)
        self._bearers[token] = bearer
        return bearer

    def cloud_user(self, authorization: str) -> str:
        """Give the IBM_QUANTUM user of an `Authorization` value: `Bearer <JWT>` or `apikey <key>`."""
        scheme, _, secret = authorization.partition(" ")
        secret = secret.strip()
        if scheme.lower() == "apikey" and self.accepts(secret):
            return cloud_user(secret)
        bearer = self._bearers.get(secret)
        if scheme.lower() != "bearer" or bearer is None or bearer.deadline <= self._clock.monotonic():
            raise invalid_credentials()
        return bearer.user_id

    def revoke(self) -> None:
        """End all tokens before their time."""
        self._access_tokens.clear()
        self._bearers.clear()

    def _access_token(self, secret: str) -> AccessToken | None:
        token = self._access_tokens.get(secret)
        if token is None or self._clock.monotonic() - token.created.monotonic >= self.access_token_seconds:
            return None
        return token

    def _forget_expired(self, now: float) -> None:
        for secret, bearer in list(self._bearers.items()):
            if bearer.deadline > now:
                break  # in the order they were issued, all with the same lifetime
            del self._bearers[secret]

    def _jwt(self, key: str, issued: int) -> str:
        user = cloud_user(key)
        head = {"kid": "emulator", "typ": "JWT", "alg": "HS256"}
        claims = {
            "iam_id": user,
            "id": user,
            "jti": self._identifiers.nonce(),
            "sub": user,
            "account": {"valid": True, "bss": account_of(user)},
            "iat": issued,
            "exp": issued + math.ceil(self._bearer_seconds),
            "iss": _ISSUER,
            "grant_type": "urn:ibm:params:oauth:grant-type:apikey",
            "scope": "ibm openid",
        }
        signed = f"{_segment(head)}.{_segment(claims)}"
        signature = hmac.digest(self._signing_key, signed.encode(), "sha256")
        return f"{signed}.{_base64url(signature)}"


def legacy_user(key: str) -> str:
    """Give the LEGACY user id that goes with an API key: 24 hexadecimal digits."""
    return _digest(key)[:24]


def cloud_user(key: str) -> str:
    """Give the IBM_QUANTUM user id that goes with an API key."""
    return f"IBMid-{_digest(key)[:10].upper()}"


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest()


def _segment(content: dict[str, Any]) -> str:
    return _base64url(json.dumps(content, separators=(",", ":")).encode())


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
