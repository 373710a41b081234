"""One look for many waiting jobs."""

from __future__ import annotations

import asyncio
import datetime as dt
import math
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress

import attrs

from qrt_async import hooks as events
from qrt_async.clock import Deadline
from qrt_async.engine import Engine
from qrt_async.errors import (
    ApiError,
    ClientClosed,
    Forbidden,
    LoginUnavailable,
    NotFound,
    ProtocolError,
    QrtError,
    RateLimited,
    Unauthorized,
    UnknownJobStatus,
    WaitTimeout,
)
from qrt_async.models.jobs import JobDetails, JobFilter, JobStatus
from qrt_async.options import PollPolicy
from qrt_async.wire import decisions
from qrt_async.wire import jobs as wire
from qrt_async.wire.paging import JobPager

_FEW = 2
_LAG = 30.0
"""Seconds for which a job of our own that the service does not know yet may only be lagging."""
_UNSEEN_LOOKS = 3
_BACK = dt.timedelta(seconds=1)
_LONG_BACK = dt.timedelta(hours=1)
_MOST_PAGES = 10

Row = Callable[[JobDetails], None]
End = JobDetails | QrtError
"""How waiting for a job came out."""


@attrs.define(eq=False)
class Waiter:
    """Who waits for a job until the clock shows `until`, and is told once how that came out."""

    tell: Callable[[End], None]
    until: float
    told: bool = False

    def end(self, how: End) -> None:
        """Tell, unless that was done; what the told one raises is his own affair, and no other waiter's."""
        if self.told:
            return
        self.told = True
        try:
            self.tell(how)
        except Exception as error:  # noqa: BLE001 - a callback is the user's code: the loop reports it
            context = {"message": "a callback for a job's end failed", "exception": error}
            asyncio.get_running_loop().call_exception_handler(context)


@attrs.define(eq=False)
class _Listener:
    """Who is told of each state of a job, and the last one that he was told of."""

    queue: asyncio.Queue[End] = attrs.field(factory=asyncio.Queue[End])
    status: JobStatus | None = None

    def see(self, details: JobDetails) -> None:
        if details.status != self.status:
            self.status = details.status
            self.queue.put_nowait(details)


@attrs.define(eq=False)
class _Entry:
    """A waiting job: who waits for it, when it is due, and of how it stands no more than what is needed."""

    job_id: str
    ours: bool
    in_session: bool
    since: float
    due: float
    looks: int = 0
    wanted_now: bool = False
    status: JobStatus | None = None
    created: dt.datetime | None = None
    ends: float | None = None
    waiters: list[Waiter] = attrs.field(factory=list[Waiter])
    listeners: tuple[_Listener, ...] = ()

    @property
    def wanted(self) -> bool:
        return bool(self.waiters or self.listeners)


@attrs.define(eq=False)
class Watcher:
    """
    Waits for any number of jobs with one task, which runs while anything waits.

    Few jobs are asked for one by one, many by the list of pending ones (200 a request); jobs that have left it are
    looked for in the list of finished ones. The interval grows with a job's age, with jitter, and shrinks where the
    service's estimate says that it is about to end. Failures that pass are outlived until each waiter's own deadline.
    """

    _engine: Engine
    _poll: PollPolicy
    _entries: dict[str, _Entry] = attrs.field(factory=dict[str, _Entry], init=False)
    _rows: dict[str, Row] = attrs.field(factory=dict[str, Row], init=False)
    _task: asyncio.Task[None] | None = attrs.field(default=None, init=False)
    _woken: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)
    _held_until: float = attrs.field(default=-math.inf, init=False)
    _closed: bool = attrs.field(default=False, init=False)

    async def wait(
        self, job_id: str, deadline: Deadline, *, ours: bool = False, in_session: bool = False
    ) -> JobDetails:
        """
        Return a job's details once it is over.

        `ours` says that this client made the job, so that the service may not know it yet.

        Raises:
            WaitTimeout: the deadline has passed; the job goes on.
            UnknownJobStatus: the service used a word that this version does not know, and does not list the job as
                pending.

        """
        future: asyncio.Future[JobDetails] = asyncio.get_running_loop().create_future()

        def tell(how: End) -> None:
            if not future.done():
                future.set_exception(how) if isinstance(how, QrtError) else future.set_result(how)

        waiter = self.notify(job_id, tell, deadline, ours=ours, in_session=in_session)
        try:
            return await future
        finally:
            self.leave(job_id, waiter)

    def notify(
        self,
        job_id: str,
        tell: Callable[[End], None],
        deadline: Deadline,
        *,
        ours: bool = False,
        in_session: bool = False,
    ) -> Waiter:
        """Have `tell` called once, with the job's details at its end or with the error that :meth:`wait` raises."""
        entry = self._entry(job_id, ours=ours, in_session=in_session)
        waiter = Waiter(tell, deadline.at)
        entry.waiters.append(waiter)
        self._wake()
        return waiter

    def leave(self, job_id: str, waiter: Waiter) -> None:
        """Wait no more; nobody else who waits is disturbed."""
        if entry := self._entries.get(job_id):
            if waiter in entry.waiters:
                entry.waiters.remove(waiter)
            self._forget_unwanted(entry)

    async def events(self, job_id: str, *, ours: bool = False, in_session: bool = False) -> AsyncGenerator[JobDetails]:
        """Yield a job's details with each change of status that was seen, its end as the last."""
        entry = self._entry(job_id, ours=ours, in_session=in_session)
        listener = _Listener()
        entry.listeners = (*entry.listeners, listener)
        entry.due, entry.wanted_now = self._engine.clock.monotonic(), True
        self._wake()
        try:
            while True:
                seen = await listener.queue.get()
                if isinstance(seen, QrtError):
                    raise seen
                yield seen
                if seen.status.final:
                    return
        finally:
            entry.listeners = tuple(one for one in entry.listeners if one is not listener)
            self._forget_unwanted(entry)

    def on_row(self, tag: str, tell: Row) -> None:
        """Have every listed job that bears `tag` told of; while there is such a tag, jobs are looked at by lists."""
        self._rows[tag] = tell

    def off_row(self, tag: str) -> None:
        """Tell of that tag no more."""
        self._rows.pop(tag, None)

    async def aclose(self) -> None:
        """Stop looking; whoever still waits is told that the client was closed."""
        self._closed = True
        for entry in list(self._entries.values()):
            self._fail(entry, _closed())
        self._entries.clear()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def _entry(self, job_id: str, *, ours: bool, in_session: bool) -> _Entry:
        if self._closed:
            raise _closed()
        entry = self._entries.get(job_id)
        if entry is None:
            now = self._engine.clock.monotonic()
            entry = self._entries[job_id] = _Entry(job_id, ours, in_session, now, due=now)
        return entry

    def _forget_unwanted(self, entry: _Entry) -> None:
        if not entry.wanted and self._entries.get(entry.job_id) is entry:
            del self._entries[entry.job_id]
        if not self._entries and self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()

    def _wake(self) -> None:
        if self._task is None or self._task.done() or self._task.cancelling():
            self._task = asyncio.create_task(self._run(), name="qrt_async watcher")
        self._woken.set()

    async def _run(self) -> None:
        try:
            await self._watch()
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody may wait for ever
            broken = QrtError(f"waiting for jobs broke down ({error!r}); the jobs go on: please report this")
            broken.__cause__ = error
            for entry in list(self._entries.values()):
                self._fail(entry, broken)
            self._entries.clear()

    async def _watch(self) -> None:
        while self._entries:
            self._woken.clear()
            now = self._engine.clock.monotonic()
            self._expire(now)
            due = [entry for entry in self._entries.values() if entry.due <= now]
            if due and now >= self._held_until:
                await self._look(due)
            elif self._entries:
                await self._rest(self._next_moment() - now)

    def _expire(self, now: float) -> None:
        for entry in self._entries.values():
            for waiter in entry.waiters:
                if waiter.until <= now and (entry.looks or now < self._held_until):
                    waiter.end(_timed_out(entry.job_id))
        self._drop_answered()

    def _next_moment(self) -> float:
        due = min(entry.due for entry in self._entries.values())
        ends = (waiter.until for entry in self._entries.values() for waiter in entry.waiters)
        return min(max(due, self._held_until), min(ends, default=math.inf))

    async def _rest(self, seconds: float) -> None:
        """Sleep, unless a new job is to be looked at."""
        sleep = asyncio.ensure_future(self._engine.clock.sleep(max(seconds, 0.0)))
        wake = asyncio.ensure_future(self._woken.wait())
        try:
            await asyncio.wait([sleep, wake], return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleep.cancel()
            wake.cancel()

    async def _look(self, due: list[_Entry]) -> None:
        """Look at those that are due; a list shows all who wait, and is the next look for each of them."""
        by_list = bool(self._rows) or len(self._entries) > _FEW
        looked = list(self._entries.values()) if by_list else due
        for entry in looked:
            entry.wanted_now = False
        try:
            if by_list:
                if not await self._look_by_list():
                    looked = due
                    await self._look_one_by_one(due)
            else:
                await self._look_one_by_one(due)
        except QrtError as error:
            self._suffer(looked, error)
        now = self._engine.clock.monotonic()
        for entry in looked:
            entry.looks += 1
            entry.due = now if entry.wanted_now else now + self._delay(entry)
        self._drop_answered()

    def _suffer(self, due: list[_Entry], error: QrtError) -> None:
        """Outlive a failure that passes; hand any other to those who wait."""
        if decisions.is_passing(error):
            if isinstance(error, ApiError | LoginUnavailable) and error.retry_after is not None:
                self._held_until = max(self._held_until, self._engine.clock.monotonic() + error.retry_after)
            return
        for entry in due:
            self._fail(entry, error)

    async def _look_one_by_one(self, due: list[_Entry]) -> None:
        await asyncio.gather(*(self._ask(entry) for entry in due))

    async def _ask(self, entry: _Entry) -> None:
        try:
            details = await self._engine.run(wire.get(entry.job_id), max_retries=0)
        except NotFound as error:
            if not self._may_lag(entry):
                self._fail(entry, error)
        except QrtError as error:
            self._suffer([entry], error)
        else:
            if details.id != entry.job_id:
                self._fail(entry, ProtocolError(f"the service answered with job {details.id!r}", operation="jobs.get"))
                return
            if not details.status.known and not await self._is_pending(entry, details):
                self._fail(entry, UnknownJobStatus(entry.job_id, details.status))
                return
            self._saw(entry, details)

    def _may_lag(self, entry: _Entry) -> bool:
        age = self._engine.clock.monotonic() - entry.since
        return entry.ours and entry.status is None and age < _LAG

    async def _is_pending(self, entry: _Entry, details: JobDetails) -> bool:
        """Return whether the service lists a job of unknown status as pending."""
        after = details.created - _BACK if details.created else None
        wanted = JobFilter(pending=True, created_after=after)
        with suppress(QrtError):
            return entry.job_id in [job.id async for job in self._listed(wanted, {entry.job_id})]
        return False

    async def _look_by_list(self) -> bool:
        """Look at all who wait by lists, at those that no list shows one by one; False where no list can be read."""
        waiting = dict(self._entries)
        try:
            missing = await self._look_at(waiting, *self._list_of(waiting))
            left = {job_id: entry for job_id, entry in missing.items() if not self._may_be_new(entry)}
            if left:
                ended = JobFilter(pending=False, created_after=self._oldest(left))
                missing = await self._look_at(left, ended, pages=_pages(left))
        except (Unauthorized, Forbidden, RateLimited):
            raise
        except (ApiError, ProtocolError) as error:
            if decisions.is_passing(error):
                raise
            return False  # a service without such a list, or one row that nobody can read
        await asyncio.gather(*(self._ask(entry) for entry in missing.values() if self._is_lost(entry)))
        return True

    def _may_be_new(self, entry: _Entry) -> bool:
        """Return whether a job may not be listed yet, so that it need not be sought among those that are over."""
        return entry.ours and entry.status is None and not entry.looks

    def _list_of(self, waiting: dict[str, _Entry]) -> tuple[JobFilter, int | None]:
        """Return the list that shows the waiting jobs and, where tags are looked for, jobs of every state."""
        oldest = self._oldest(waiting)
        if not self._rows:
            return JobFilter(pending=True, created_after=oldest), None
        return JobFilter(created_after=oldest - _LONG_BACK if oldest else None), _MOST_PAGES

    async def _look_at(
        self, wanted: dict[str, _Entry], filter_: JobFilter, pages: int | None = None
    ) -> dict[str, _Entry]:
        """Note how the wanted jobs stand that a list shows, and return those that it does not."""
        missing = dict(wanted)
        async for details in self._listed(filter_, set(wanted), pages):
            if (entry := missing.pop(details.id, None)) is None:
                continue
            if filter_.pending is None and not details.status.known:
                missing[details.id] = entry  # this list does not say whether it is pending
            elif filter_.pending is False and not details.status.known:
                self._fail(entry, UnknownJobStatus(entry.job_id, details.status))
            else:
                self._saw(entry, details)
        return missing

    async def _listed(self, wanted: JobFilter, ids: set[str], pages: int | None = None) -> AsyncGenerator[JobDetails]:
        """Yield the listed jobs, page by page until all `ids` were seen."""
        pager, left = JobPager(wanted), set(ids)
        while not pager.done and left and (pages is None or pages > 0):
            page = await self._engine.run(wire.list_jobs(self._engine.account.dialect, pager.next_page), max_retries=0)
            fresh = pager.take(page)
            left -= {details.id for details in fresh}
            pages = None if pages is None else pages - 1
            for details in fresh:
                self._tell(details)
                yield details

    def _tell(self, details: JobDetails) -> None:
        for tag in details.tags:
            if tell := self._rows.get(tag):
                tell(details)

    def _oldest(self, entries: dict[str, _Entry]) -> dt.datetime | None:
        """Return the creation time of the oldest job, None while that of any is unknown."""
        oldest: dt.datetime | None = None
        for entry in entries.values():
            if entry.created is None:
                return None
            oldest = min(oldest or entry.created, entry.created)
        return oldest - _BACK if oldest else None

    def _is_lost(self, entry: _Entry) -> bool:
        """Return whether a job that no list shows is to be asked for by itself."""
        if entry.status is None:
            return not entry.ours or entry.looks >= _UNSEEN_LOOKS
        return not entry.status.final

    def _saw(self, entry: _Entry, details: JobDetails) -> None:
        changed = entry.status != details.status
        entry.status, entry.created = details.status, details.created
        if changed and details.status is JobStatus.RUNNING and details.estimated_seconds:
            entry.ends = self._engine.clock.monotonic() + details.estimated_seconds
        if changed:
            self._engine.hooks.emit(events.JobSeen(job_id=entry.job_id, status=details.status.value))
        for listener in entry.listeners:
            listener.see(details)
        if details.status.final:
            for waiter in entry.waiters:
                waiter.end(details)

    def _fail(self, entry: _Entry, error: QrtError) -> None:
        for listener in entry.listeners:
            listener.queue.put_nowait(error)
        entry.listeners = ()
        for waiter in entry.waiters:
            waiter.end(error)

    def _delay(self, entry: _Entry) -> float:
        now = self._engine.clock.monotonic()
        delay = decisions.poll_delay(self._poll, now - entry.since, self._engine.rng)
        if entry.ends is not None and entry.ends > now:
            delay = min(delay, max(entry.ends - now, self._poll.initial))
        return min(delay, self._poll.session_maximum) if entry.in_session else delay

    def _drop_answered(self) -> None:
        """Forget the jobs nobody waits for any more, before those who waited had their turn to say so."""
        for job_id, entry in list(self._entries.items()):
            waited_for = any(not waiter.told for waiter in entry.waiters)
            ended = entry.status is not None and entry.status.final
            if not waited_for and (ended or not entry.listeners):
                del self._entries[job_id]


def _pages(entries: dict[str, _Entry]) -> int:
    return math.ceil(len(entries) / 200) + 1


def _closed() -> ClientClosed:
    return ClientClosed("the client was closed while the job was waited for; the job goes on")


def _timed_out(job_id: str) -> WaitTimeout:
    return WaitTimeout(f"job {job_id} is not over yet; it goes on, and waiting can be taken up again")
