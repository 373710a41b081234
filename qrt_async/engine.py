"""Every call goes through here: credential, turn, time-out, repetition."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
from collections.abc import Mapping
from typing import Any, TypeVar

import attrs

from qrt_async import platforms
from qrt_async.account import Account
from qrt_async.clock import Clock, Deadline
from qrt_async.discovery import choose, find_instances
from qrt_async.errors import (
    ApiError,
    BadRequest,
    ClientClosed,
    Forbidden,
    LoginError,
    QrtError,
    Unauthorized,
    UsageError,
)
from qrt_async.models.tokens import Token
from qrt_async.network import Network
from qrt_async.notices import Notices
from qrt_async.options import Limits, RetryPolicy, Timeouts
from qrt_async.tokens import TokenSource
from qrt_async.transport import Transport
from qrt_async.wire import decisions
from qrt_async.wire.call import Call, Host, Patience

T = TypeVar("T")

_APPLICATION = "qiskit-version-2/0.39.2/qrt_async"
"""The service attributes jobs by this header and wants its first part so (IBM's integration guidance)."""


@attrs.define(init=False)
class Engine:
    """Sends calls for one account, at most so many at once, each until it is answered or its deadline has passed."""

    account: Account
    timeouts: Timeouts
    clock: Clock
    rng: random.Random
    notices: Notices
    _finding: asyncio.Lock
    _retry: RetryPolicy
    _turns: contextlib.AbstractAsyncContextManager[Any]
    _transport: Transport
    _tokens: TokenSource
    _closed: bool

    def __init__(
        self,
        account: Account,
        *,
        timeouts: Timeouts,
        retry: RetryPolicy,
        limits: Limits,
        clock: Clock,
        rng: random.Random,
        network: Network | None = None,
    ) -> None:
        self.account = account
        self.timeouts = timeouts
        self.clock = clock
        self.rng = rng
        self.notices = Notices()
        self._finding = asyncio.Lock()
        self._retry = retry
        bound = limits.concurrent_requests
        self._turns = contextlib.nullcontext() if bound is None else asyncio.Semaphore(bound)
        self._transport = Transport(timeouts.connect, network or Network())
        self._tokens = TokenSource(self._log_in, clock)
        self._closed = False

    async def run(self, call: Call[T], *, timeout: float | None = None) -> T:
        """
        Send a call, repeat it where that is safe, and return what the reply means.

        A token that is refused is renewed once: a 401 proves that nothing was done. `timeout` bounds the call with all
        its repetitions (seconds).
        """
        if self._closed:
            raise ClientClosed("this client is closed: make a new one")
        deadline = Deadline.after(self.clock, timeout or self._patience(call))
        if call.host is Host.TRANSPILER:
            return await self._repeat(call, platforms.transpiler_headers(self.account.secret), deadline)
        if call.host is Host.API and self.account.dialect.instance is None:
            await self._find_instance()
        token = await self._tokens.fresh()
        try:
            return await self._repeat(call, self._headers(call.host, token), deadline)
        except Unauthorized:
            renewed = await self._tokens.fresh(rejected=token)
        return await self._repeat(call, self._headers(call.host, renewed), deadline)

    async def send(self, call: Call[T]) -> T:
        """Send a call with the default deadline."""
        return await self.run(call)

    async def _find_instance(self) -> None:
        """Find the instance that the account names not, once for all who wait for it."""
        async with self._finding:
            if self.account.dialect.instance is None:
                chosen = choose(self.account, await find_instances(self))
                self.account = self.account.at(chosen.crn)
                self.notices.tell(
                    f"the account names no instance: {chosen.name or chosen.crn} was taken ({chosen.crn})"
                )

    async def _repeat(self, call: Call[T], headers: Mapping[str, str], deadline: Deadline) -> T:
        """Send a call until it succeeds, its error is final, or the deadline leaves no time for another attempt."""
        for attempt in itertools.count(1):
            try:
                return await self._send(call, headers, deadline)
            except QrtError as error:
                delay = decisions.retry_delay(attempt, error, call.replay, self._retry, self.rng)
                if delay is None or delay >= deadline.remaining():
                    raise
            await self.clock.sleep(delay)
        raise AssertionError("unreachable")

    def _patience(self, call: Call[Any]) -> float:
        return max(self.timeouts.call, self._request_timeout(call))

    def _request_timeout(self, call: Call[Any]) -> float:
        match call.patience:
            case Patience.SUBMISSION:
                return self.timeouts.submission
            case Patience.RESULTS:
                return self.timeouts.results
            case Patience.REQUEST:
                return self.timeouts.request

    def _headers(self, host: Host, token: Token) -> Mapping[str, str]:
        if host in {Host.SEARCH, Host.CATALOG}:
            return platforms.cloud_headers(token)
        shown = platforms.token_headers(self.account.dialect, token)
        return {**shown, "X-Qx-Client-Application": _APPLICATION}

    async def _send(self, call: Call[T], headers: Mapping[str, str], deadline: Deadline) -> T:
        base = self.account.hosts.base(call.host)
        if base is None:
            raise UsageError(f"{call.operation}: this platform has no {call.host.value} service")
        async with self._turns:
            timeout = min(self._request_timeout(call), max(deadline.remaining(), 0.001))
            return await self._transport.send(call, base=base, headers=headers, timeout=timeout)

    async def log_in(self) -> None:
        """Log in now, whether or not a token is in hand."""
        if self._closed:
            raise ClientClosed("this client is closed: make a new one")
        await self._tokens.renew()

    async def _log_in(self) -> Token:
        call = platforms.login(self.account.platform, self.account.secret)
        try:
            return await self._repeat(call, {}, Deadline.after(self.clock, self.timeouts.call))
        except (BadRequest, Unauthorized, Forbidden) as error:
            raise _refused(error) from error

    async def log_out(self) -> None:
        """End the token in hand, where the platform can; one that has ended already is no error."""
        call, token = platforms.logout(self.account.platform), self._tokens.current
        if call is None or token is None:
            return
        deadline = Deadline.after(self.clock, self.timeouts.closing)
        with contextlib.suppress(Unauthorized):
            await self._send(call, self._headers(call.host, token), deadline)

    async def aclose(self) -> None:
        """Stop what is under way and close every connection; nothing can be sent afterwards."""
        self._closed = True
        await self._tokens.aclose()
        await self._transport.aclose()


def _refused(error: ApiError) -> LoginError:
    return LoginError(
        f"the token service refused the credentials: {error.message} (HTTP {error.status}, code {error.code}); "
        "check the key, and that it belongs to this platform"
    )
