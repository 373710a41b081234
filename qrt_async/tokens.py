"""One login, however many coroutines need it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import attrs

from qrt_async.clock import Clock, Deadline
from qrt_async.errors import QrtError, RequestTimeout
from qrt_async.models.tokens import Token
from qrt_async.wire.decisions import is_passing, token_is_fresh


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
    _accepted: bool = False
    _renewal: asyncio.Task[Token] | None = None

    @property
    def current(self) -> Token | None:
        """The token in hand, None before the first login."""
        return self._current

    async def fresh(self, deadline: Deadline, *, rejected: Token | None = None) -> Token:
        """
        Return a token that is neither about to end nor the `rejected` one.

        While the token service fails for a moment, an ageing token is used until its end.
        """
        token = self._current
        if token is not None and token is not rejected and token_is_fresh(token, self._age()):
            return token
        try:
            return await self._within(deadline)
        except QrtError as error:
            if token is None or token is rejected or self._over(token) or not is_passing(error):
                raise
            return token

    async def _within(self, deadline: Deadline) -> Token:
        left = deadline.remaining()
        try:
            async with asyncio.timeout(left):
                return await self.renew()
        except TimeoutError as error:
            if isinstance(error, QrtError):
                raise
            late = RequestTimeout(f"no token within {left:g} s: nothing was sent", operation="auth.login")
            late.left = False
            raise late from error

    async def renew(self) -> Token:
        """Log in, or join the login that is under way."""
        if self._renewal is None:
            self._renewal = asyncio.create_task(self._renew(), name="qrt_async login")
            self._renewal.add_done_callback(self._forget)
        return await asyncio.shield(self._renewal)

    def accept(self, token: Token) -> None:
        """Note that the service took the token."""
        if token is self._current:
            self._accepted = True

    def is_hopeless(self, rejected: Token) -> bool:
        """Return whether a refused token had life left and was never taken: then another one would fare no better."""
        return rejected is self._current and not self._accepted and not self._over(rejected)

    def _over(self, token: Token) -> bool:
        return token.lifetime is not None and self._age() >= token.lifetime

    def _age(self) -> float:
        return self._clock.monotonic() - self._issued

    async def _renew(self) -> Token:
        began = self._clock.monotonic()
        token = await self._login()
        self._current, self._issued, self._accepted = token, began, False
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
