"""One login, however many coroutines need it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import attrs

from qrt_async.clock import Clock
from qrt_async.models.tokens import Token
from qrt_async.wire.decisions import token_is_fresh


@attrs.define
class TokenSource:
    """
    Holds the current token, and renews it once for all who need a new one.

    The login runs as a task of its own: a caller that is cancelled while it waits leaves the login to the others.
    """

    _login: Callable[[], Awaitable[Token]]
    _clock: Clock
    _current: Token | None = None
    _issued: float = 0.0
    _renewal: asyncio.Task[Token] | None = None

    @property
    def current(self) -> Token | None:
        """The token in hand, None before the first login."""
        return self._current

    async def fresh(self, *, rejected: Token | None = None) -> Token:
        """Return a token that is neither about to end nor the `rejected` one."""
        token = self._current
        if token is not None and token is not rejected and token_is_fresh(token, self._age()):
            return token
        return await self.renew()

    async def renew(self) -> Token:
        """Log in, or join the login that is under way."""
        if self._renewal is None:
            self._renewal = asyncio.create_task(self._renew(), name="qrt_async login")
            self._renewal.add_done_callback(self._forget)
        return await asyncio.shield(self._renewal)

    def _age(self) -> float:
        return self._clock.monotonic() - self._issued

    async def _renew(self) -> Token:
        began = self._clock.monotonic()
        token = await self._login()
        self._current, self._issued = token, began
        return token

    def _forget(self, task: asyncio.Task[Token]) -> None:
        self._renewal = None
        if not task.cancelled():
            task.exception()  # whoever still waits has it; nobody else is to hear of it at exit

    async def aclose(self) -> None:
        """Stop a login that is under way."""
        if self._renewal is not None:
            self._renewal.cancel()
            await asyncio.wait([self._renewal])
