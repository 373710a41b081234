"""Every call goes through here: credential, turn, time-out, repetition."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import itertools
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping
from typing import Any, Generic, TypeVar

import attrs

from qrt_async import hooks as events
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
    LoginUnavailable,
    ProtocolError,
    QrtError,
    RequestTimeout,
    TransportError,
    Unauthorized,
    UsageError,
)
from qrt_async.hooks import Hooks
from qrt_async.models.tokens import Token
from qrt_async.network import Network
from qrt_async.notices import Notices
from qrt_async.options import Limits, RetryPolicy, Timeouts, check_call
from qrt_async.tokens import TokenSource
from qrt_async.transport import Transport
from qrt_async.wire import decisions
from qrt_async.wire.call import Call, Host, Patience

T = TypeVar("T")
OnChunk = Callable[[bytes], Awaitable[None]]

_APPLICATION = "qiskit-version-2/0.39.2/qrt_async"
"""The service attributes jobs by this header and wants its first part so (IBM's integration guidance)."""


@attrs.define
class _State:
    """What the views of one engine share and change."""

    account: Account
    closed: bool = False


@attrs.frozen
class _Errand(Generic[T]):
    """A call under way: until when, how often, and who gets the reply's bytes besides."""

    call: Call[T]
    deadline: Deadline
    retry: RetryPolicy
    on_chunk: OnChunk | None = None


@attrs.define(init=False)
class Engine:
    """Sends calls for one account, at most so many at once, each until it is answered or its deadline has passed."""

    timeouts: Timeouts
    retry: RetryPolicy
    clock: Clock
    rng: random.Random
    notices: Notices
    hooks: Hooks
    _state: _State
    _finding: asyncio.Lock
    _turns: asyncio.Semaphore | None
    _transport: Transport
    _tokens: TokenSource

    def __init__(
        self,
        account: Account,
        *,
        timeouts: Timeouts,
        retry: RetryPolicy,
        limits: Limits,
        clock: Clock,
        rng: random.Random,
        hooks: Hooks,
        network: Network | None = None,
    ) -> None:
        self.timeouts = timeouts
        self.retry = retry
        self.clock = clock
        self.rng = rng
        self.notices = Notices()
        self.hooks = hooks
        self._state = _State(account)
        self._finding = asyncio.Lock()
        bound = limits.concurrent_requests
        self._turns = None if bound is None else asyncio.Semaphore(bound)
        self._transport = Transport(timeouts.connect, network or Network())
        self._tokens = TokenSource(self._log_in, clock)

    @property
    def account(self) -> Account:
        """The account, with its instance once that was found."""
        return self._state.account

    def view(self, timeouts: Timeouts | None, retry: RetryPolicy | None) -> Engine:
        """Return an engine with other settings, which shares token, connections and turns with this one."""
        other = copy.copy(self)
        other.timeouts = timeouts or self.timeouts
        other.retry = retry or self.retry
        return other

    async def run(
        self,
        call: Call[T],
        *,
        timeout: float | None = None,
        max_retries: int | None = None,
        on_chunk: OnChunk | None = None,
    ) -> T:
        """
        Send a call, repeat it where that is safe, and return what the reply means.

        A token that is refused is renewed, once for all who used it: a 401 proves that nothing was done. `timeout`
        bounds the call with all its repetitions (seconds), `max_retries` their number. `on_chunk` is given the
        bytes of a success as they arrive, before they are read.
        """
        self._check_open()
        check_call(timeout, max_retries)
        deadline = Deadline.after(self.clock, self._patience(call) if timeout is None else timeout)
        retry = self.retry if max_retries is None else attrs.evolve(self.retry, max_retries=max_retries)
        errand = _Errand(call, deadline, retry, on_chunk)
        if call.host is Host.TRANSPILER:
            return await self._repeat(errand, platforms.transpiler_headers(self.account.secret))
        if call.host is Host.API and self.account.dialect.instance is None:
            with _before(call):
                await self._find_instance()
        return await self._with_token(errand)

    async def _with_token(self, errand: _Errand[T]) -> T:
        """Send a call with a token, and with the next one where that is refused, until the deadline."""
        call, deadline = errand.call, errand.deadline
        rejected: Token | None = None
        hopeless = False
        while True:
            with _before(call):
                token = await self._tokens.fresh(deadline, rejected=rejected)
            try:
                found = await self._repeat(errand, self._headers(call.host, token))
            except Unauthorized:
                was_hopeless, hopeless = hopeless, self._tokens.is_hopeless(token)
                if (hopeless and was_hopeless) or deadline.remaining() <= 0:
                    raise
                self.hooks.emit(events.TokenRejected(operation=call.operation))
                rejected = token
            else:
                self._tokens.accept(token)
                return found

    async def send(self, call: Call[T]) -> T:
        """Send a call with the default deadline."""
        return await self.run(call)

    async def _find_instance(self) -> None:
        """Find the instance that the account names not, once for all who wait for it."""
        async with self._finding:
            if self.account.dialect.instance is None:
                chosen = choose(self.account, await find_instances(self))
                self._state.account = self.account.at(chosen.crn)
                self.notices.tell(
                    f"the account names no instance: {chosen.name or chosen.crn} was taken ({chosen.crn})"
                )

    async def _repeat(self, errand: _Errand[T], headers: Mapping[str, str]) -> T:
        """Send a call until it succeeds, its error is final, or the deadline leaves no time for another attempt."""
        call = errand.call
        for attempt in itertools.count(1):
            try:
                return await self._send(errand, headers, attempt)
            except QrtError as error:
                delay = decisions.retry_delay(attempt, error, call.replay, errand.retry, self.rng)
                if delay is None:
                    raise
                if delay >= (left := errand.deadline.remaining()):
                    error.explain(f"(not repeated: the next attempt is due in {delay:g} s, the deadline in {left:g} s)")
                    raise
                self.hooks.emit(
                    events.RetryPlanned(operation=call.operation, attempt=attempt, delay=delay, error=error)
                )
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

    async def _send(self, errand: _Errand[T], headers: Mapping[str, str], attempt: int = 1) -> T:
        call, deadline = errand.call, errand.deadline
        base = self.account.hosts.base(call.host)
        if base is None:
            raise UsageError(f"{call.operation}: this platform has no {call.host.value} service")
        async with self._turn(call, deadline):
            timeout = min(self._request_timeout(call), max(deadline.remaining(), 0.001))
            send = self._transport.send(call, base=base, headers=headers, timeout=timeout, on_chunk=errand.on_chunk)
            return await (self._watched(call, attempt, send) if self.hooks else send)

    async def _watched(self, call: Call[T], attempt: int, sending: Awaitable[T]) -> T:
        """Send, and tell the hooks of it."""
        started = events.RequestStarted(
            operation=call.operation, method=call.method, host=call.host.value, path=call.path, attempt=attempt
        )
        began = self.clock.monotonic()
        failure: QrtError | None = None
        self.hooks.emit(started)
        try:
            return await sending
        except QrtError as error:
            failure = error
            raise
        finally:
            self.hooks.emit(started.ended(self.clock.monotonic() - began, failure))

    @contextlib.asynccontextmanager
    async def _turn(self, call: Call[Any], deadline: Deadline) -> AsyncGenerator[None]:
        """Wait until so few requests are under way that one more may start."""
        if self._turns is None:
            yield
            return
        if self._turns.locked():
            try:
                async with asyncio.timeout(deadline.remaining()):
                    await self._turns.acquire()
            except TimeoutError:
                error = RequestTimeout("the deadline passed before its turn came", operation=call.operation)
                error.left = False
                raise error from None
        else:
            await self._turns.acquire()
        try:
            yield
        finally:
            self._turns.release()

    async def log_in(self) -> None:
        """Log in now, whether or not a token is in hand."""
        self._check_open()
        await self._tokens.renew()

    async def _log_in(self) -> Token:
        call = platforms.login(self.account.platform, self.account.secret)
        began = self.clock.monotonic()
        deadline = Deadline.after(self.clock, self.timeouts.call)
        try:
            token = await self._repeat(_Errand(call, deadline, self.retry), {})
        except (BadRequest, Unauthorized, Forbidden) as error:
            raise _refused(error) from error
        self.hooks.emit(events.TokenRenewed(seconds=self.clock.monotonic() - began, lifetime=token.lifetime))
        return token

    async def log_out(self) -> None:
        """End the token in hand, where the platform can; one that has ended already is no error."""
        call, token = platforms.logout(self.account.platform), self._tokens.current
        if call is None or token is None or self._state.closed:
            return
        deadline = Deadline.after(self.clock, self.timeouts.closing)
        with contextlib.suppress(Unauthorized):
            await self._send(_Errand(call, deadline, self.retry), self._headers(call.host, token))

    def _check_open(self) -> None:
        if self._state.closed:
            raise ClientClosed("this client is closed: make a new one")

    async def aclose(self) -> None:
        """Stop what is under way and close every connection; nothing can be sent afterwards."""
        self._state.closed = True
        await self._tokens.aclose()
        await self._transport.aclose()


@contextlib.contextmanager
def _before(call: Call[Any]) -> Generator[None]:
    """
    Tell failures of what comes before a call from the call's own.

    Else a token service that fails would look like a submission that may have been acted on.
    """
    try:
        yield
    except ProtocolError as error:
        raise LoginError(f"{call.operation}: nothing was sent, since logging in failed: {error}") from error
    except QrtError as error:
        says_so = isinstance(error, TransportError) and not error.left
        if says_so or not decisions.is_passing(error):
            raise
        raise LoginUnavailable(error, operation=call.operation) from error


def _refused(error: ApiError) -> LoginError:
    return LoginError(
        f"the token service refused the credentials: {error.message} (HTTP {error.status}, code {error.code}); "
        "check the key, and that it belongs to this platform"
    )
