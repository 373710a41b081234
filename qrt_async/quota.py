"""Submissions a minute: one quota for a user, shared by all who submit for them."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import attrs

from qrt_async.clock import Clock, SystemClock
from qrt_async.errors import InvalidOption, JournalError
from qrt_async.journal import Journal

_MINUTE = 60.0
_LEAST_SLEEP = 0.001
"""Less would be lost in the clock's rounding, and waiting would never end."""


@attrs.frozen
class _Share:
    """The place in a journal where several processes count the submissions of one user."""

    journal: Journal
    user: str = attrs.field(repr=False)


def _clock(given: Clock | None) -> Clock:
    return given or SystemClock()


def _is_a_quota(instance: object, attribute: attrs.Attribute[Any], value: int | None) -> None:
    if value is not None and (isinstance(value, bool) or value < 1):
        raise InvalidOption(f"per_minute is a whole number of at least 1, or None, not {value!r}")


@attrs.define(eq=False)
class Quota:
    """
    At most `per_minute` submissions in any sixty seconds (a sliding log), in the order in which they were asked for.

    The quota is the user's, not the instance's (``POST /jobs``: 5 a minute): hand one `Quota` to all clients of a
    user. A submission counts from its start until a minute after its reply, since nobody here knows when in between it
    reached the service. None lifts the limit.
    """

    per_minute: int | None = attrs.field(default=5, validator=_is_a_quota, on_setattr=attrs.setters.frozen)
    _clock: Clock = attrs.field(default=None, converter=_clock, kw_only=True, alias="clock")
    _finished: deque[float] = attrs.field(factory=deque[float], init=False)
    _under_way: int = attrs.field(default=0, init=False)
    _waiting: int = attrs.field(default=0, init=False)
    _not_before: float = attrs.field(default=0.0, init=False)
    _lowered: int | None = attrs.field(default=None, init=False)
    _lowered_until: float = attrs.field(default=0.0, init=False)
    _share: _Share | None = attrs.field(default=None, init=False)
    _turn: asyncio.Lock = attrs.field(factory=asyncio.Lock, init=False)
    _change: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)

    @property
    def believed(self) -> int | None:
        """The submissions a minute that the service seems to grant: fewer than `per_minute` after it refused some."""
        if self._lowered is not None and self._clock.monotonic() >= self._lowered_until:
            self._lowered = None
        return self.per_minute if self._lowered is None else self._lowered

    @property
    def wait(self) -> float:
        """The seconds until the next submission may start, as far as is known now; 0 where it may at once."""
        return max(0.0, self._not_before - self._clock.monotonic(), self._until_free())

    def share(self, journal: Journal, user: str) -> None:
        """Count the submissions of all processes that share this journal for `user`, whose digest alone is stored."""
        self._share = _Share(journal, user)

    @asynccontextmanager
    async def submission(self, *, on_wait: Callable[[float], None] | None = None) -> AsyncGenerator[float]:
        """
        Wait for a turn, and give the seconds that this took; the block is the submission.

        `on_wait` is told about how many seconds the wait will take, before it begins and whenever it grows.
        """
        began = self._clock.monotonic()
        notice = _Notice(self._clock, on_wait)
        notice.tell(self.outlook())
        self._waiting += 1
        try:
            async with self._turn:
                ticket = await self._free(notice)
                self._under_way += 1
        finally:
            self._waiting -= 1
        try:
            yield self._clock.monotonic() - began
        finally:
            self._under_way -= 1
            self._finished.append(self._clock.monotonic())
            self._change.set()
            await self._count(ticket)

    def hold(self, seconds: float) -> None:
        """Start no submission for that long, as the service asked."""
        self._not_before = max(self._not_before, self._clock.monotonic() + seconds)

    async def refused(self, retry_after: float | None) -> float:
        """
        Take in that the service refused a submission (429), and return the seconds for which nobody starts another.

        They are those that the service asked for, or else what is left of the minute of our oldest submission. Until
        another minute has passed without a refusal, one submission a minute fewer is believed to be granted.

        Raises:
            JournalError: the other processes could not be told.

        """
        now = self._clock.monotonic()
        seconds = self._until_oldest_leaves() if retry_after is None else max(0.0, retry_after)
        if (believed := self.believed) is not None:
            self._lowered = max(1, believed - 1)
        self._lowered_until = now + seconds + _MINUTE
        self.hold(seconds)
        if self._share is not None:
            await self._share.journal.quota_hold(self._share.user, seconds)
        return seconds

    async def _free(self, notice: _Notice) -> str | None:
        """Return once a submission may start, with its ticket in the journal."""
        while True:
            self._change.clear()
            if (wait := self.wait) > 0:
                notice.tell(wait)
                await self._clock.sleep(max(wait, _LEAST_SLEEP))
            elif self._is_full():
                await self._change.wait()
            elif self._share is None:
                return None
            else:
                ticket = secrets.token_hex(16)
                wait = await self._take(self._share, ticket)
                if wait <= 0:
                    return ticket
                notice.tell(wait)
                await self._clock.sleep(max(wait, _LEAST_SLEEP))

    async def _take(self, share: _Share, ticket: str) -> float:
        """Ask the journal for a place; who is cancelled meanwhile gives back what they may have got."""
        try:
            return await share.journal.quota_take(share.user, ticket, self.believed)
        except asyncio.CancelledError:
            await share.journal.quota_return(ticket)
            raise

    async def _count(self, ticket: str | None) -> None:
        """Tell the journal that a submission is over; where it cannot be told, the place frees itself in time."""
        if self._share is not None and ticket is not None:
            with contextlib.suppress(JournalError):
                await self._share.journal.quota_done(ticket)

    def _is_full(self) -> bool:
        most = self.believed
        return most is not None and self._under_way + len(self._finished) >= most

    def _until_free(self) -> float:
        """Return the seconds until enough submissions leave the log, 0 where nothing is to be waited for."""
        now = self._clock.monotonic()
        while self._finished and self._finished[0] + _MINUTE <= now:
            self._finished.popleft()
        most = self.believed
        if most is None or not self._is_full():
            return 0.0
        surplus = self._under_way + len(self._finished) - most
        return self._finished[surplus] + _MINUTE - now if surplus < len(self._finished) else 0.0

    def _until_oldest_leaves(self) -> float:
        now = self._clock.monotonic()
        oldest = self._finished[0] if self._finished else now
        return max(1.0, oldest + _MINUTE - now)

    def outlook(self, ahead: int = 0) -> float:
        """
        Return the seconds that one will wait who comes now, if what is under way ended now.

        Before them are all who wait here already, and no fewer than `ahead`.
        """
        ahead = max(ahead, self._waiting)
        now, most = self._clock.monotonic(), self.believed
        held = max(0.0, self._not_before - now)
        self._until_free()
        if most is None:
            return held
        free = max(0, most - self._under_way - len(self._finished))
        leaving = [*self._finished, *[now] * (self._under_way + free)][-most:]
        if ahead < free:
            return held
        rounds, place = divmod(ahead - free, most)
        return max(held, leaving[place] + _MINUTE * (rounds + 1) - now)


@attrs.define
class _Notice:
    """Tells one waiter how long it will take, and again where that was too little."""

    clock: Clock
    on_wait: Callable[[float], None] | None
    until: float = 0.0

    def tell(self, seconds: float) -> None:
        """Tell of a wait that goes beyond what was told before."""
        end = self.clock.monotonic() + seconds
        if self.on_wait is not None and seconds > 0 and end > self.until + 1:
            self.until = end
            self.on_wait(seconds)
