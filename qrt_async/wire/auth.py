"""Login and logout."""

from __future__ import annotations

from typing import Any

from qrt_async.errors import ProtocolError
from qrt_async.models.tokens import Token
from qrt_async.secret import Secret, masked
from qrt_async.wire import codec
from qrt_async.wire.call import Body, Call, Host, Replay, Reply, buffered, form_body, json_body
from qrt_async.wire.outcome import nothing

_GRANT = "urn:ibm:params:oauth:grant-type:apikey"


def iam_token(api_key: Secret) -> Call[Token]:
    """Exchange an API key for a bearer token (``POST /identity/token`` of IBM Cloud IAM)."""
    return Call(
        operation="login",
        method="POST",
        host=Host.AUTH,
        path="/identity/token",
        body=_hidden(form_body({"grant_type": _GRANT, "apikey": api_key.reveal(), "response_type": "cloud_iam"})),
        read=buffered(lambda reply: _token(reply, key="access_token", lifetime="expires_in")),
    )


def legacy_login(api_token: Secret) -> Call[Token]:
    """Exchange an API token for an access token (``POST /users/loginWithToken`` of the legacy platform)."""
    return Call(
        operation="login",
        method="POST",
        host=Host.AUTH,
        path="/users/loginWithToken",
        body=_hidden(json_body({"apiToken": api_token.reveal()})),
        read=buffered(lambda reply: _token(reply, key="id", lifetime="ttl")),
    )


def legacy_logout() -> Call[None]:
    """End the access token that the request carries (``POST /users/logout`` of the legacy platform)."""
    return Call(
        operation="logout",
        method="POST",
        host=Host.AUTH,
        path="/users/logout",
        replay=Replay.NEVER,
        read=nothing(),
    )


def _hidden(body: Body) -> Body:
    return Body(body.content_type, tuple(map(masked, body.chunks)))


def _token(reply: Reply, *, key: str, lifetime: str) -> Token:
    """Raise where nothing in sight holds the reply's text, so that no traceback can show a token."""
    found = _read_token(reply.body, key, lifetime)
    if isinstance(found, str):
        raise ProtocolError(found, operation="login")
    return found


def _read_token(body: bytes, key: str, lifetime: str) -> Token | str:
    """Return the token, or what is wrong with the reply."""
    try:
        value: Any = codec.parse(body, operation="login", secret=True)
    except ProtocolError:
        return "the body is not JSON"
    text = value.get(key) if isinstance(value, dict) else None
    if not isinstance(text, str) or not text:
        return f"expected a token @ $.{key}"
    seconds: Any = value.get(lifetime)
    lives = isinstance(seconds, int | float) and not isinstance(seconds, bool) and seconds > 0
    return Token(Secret(text), float(seconds) if lives else None)
