"""Submitting once: a tag of our own tells whether a job was created, where the reply does not."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import math
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import attrs

from qrt_async import hooks as events
from qrt_async.clock import Deadline
from qrt_async.engine import Engine
from qrt_async.errors import (
    KeyMismatch,
    QrtError,
    QuotaTimeout,
    RateLimited,
    SubmissionUncertain,
    UsageError,
)
from qrt_async.journal import Journal
from qrt_async.journal.records import Intent, Submission, SubmissionState
from qrt_async.models.jobs import JobDetails, JobFilter, JobPage, JobRequest, JobStatus, Submitted
from qrt_async.options import OnCancel, SubmissionPolicy, check_call
from qrt_async.quota import Quota
from qrt_async.regardless import regardless
from qrt_async.threads import in_thread
from qrt_async.wire import decisions, json_pieces
from qrt_async.wire import jobs as wire
from qrt_async.wire.call import Call, Replay
from qrt_async.wire.digest import params_digest
from qrt_async.wire.paging import JobPager

_SHARED_FROM = 4
_MOST_PAGES = 10
_RANK = {JobStatus.COMPLETED: 0, JobStatus.RUNNING: 1, JobStatus.QUEUED: 2, JobStatus.FAILED: 3}


@attrs.define(eq=False)
class Ticket:
    """
    One submission: the tag it bears and the job that it led to.

    `doubtful` means that it was sent again after a failure that left open whether a job was created, so that a second
    job may still appear; `rival` is set when one was seen.
    """

    tag: str
    job_id: str
    doubtful: bool = False
    rival: asyncio.Event | None = None
    on_end: Callable[[], None] | None = None

    def has_ended(self) -> None:
        """Tell who wants to know that the job is over."""
        if self.on_end:
            self.on_end()
            self.on_end = None

    def told_of(self, row: JobDetails) -> None:
        """Take notice of a listed job that bears the tag."""
        beaten = row.status.final and row.status is not JobStatus.COMPLETED
        if self.rival and row.id != self.job_id and not beaten:
            self.rival.set()


@attrs.define(eq=False)
class _Known:
    """What one client knows of its submissions: by tag those that are uncertain or doubtful, and those with a key."""

    uncertain: set[str] = attrs.field(factory=set[str])
    doubtful: dict[str, Ticket] = attrs.field(factory=dict[str, Ticket])
    keys: dict[str, tuple[str, Ticket]] = attrs.field(factory=dict[str, "tuple[str, Ticket]"])
    key_turns: dict[str, asyncio.Lock] = attrs.field(factory=dict[str, asyncio.Lock])


@attrs.define(eq=False)
class Submissions:
    """
    Submits jobs so that one logical submission leaves at most one job running.

    Failures that prove that nothing was created (no connection, 429) are sent again. After every other failure, 5xx
    included, the job is looked for by its tag over a settle window: found, it is adopted; not found, it is sent again
    with the same tag. Two jobs with one tag are reduced to the better one.
    """

    _engine: Engine
    _quota: Quota
    _policy: SubmissionPolicy
    _journal: Journal | None
    run_id: str
    _known: _Known = attrs.field(factory=_Known)
    _sweep: asyncio.Task[list[JobDetails]] | None = attrs.field(default=None, init=False)
    _sweeping: asyncio.Lock = attrs.field(factory=asyncio.Lock, init=False)

    async def submit(
        self,
        request: JobRequest[Any],
        *,
        key: str | None = None,
        on_cancel: OnCancel = "detach",
        timeout: float | None = None,
        max_retries: int | None = None,
        run_id: str | None = None,
        positions: Sequence[int] = (),
    ) -> Ticket:
        """
        Submit one job and return the ticket for it.

        With a `key`, the job that the same key led to before, in this process or another, is the answer. `run_id` and
        `positions` say in the journal which PUBs of which campaign the job holds.

        Raises:
            SubmissionUncertain: nobody can tell whether a job was created.
            KeyMismatch: the key was used before, for something else.
            QuotaTimeout: the quota leaves no turn before `timeout` has passed; nothing was sent.

        """
        if on_cancel not in {"detach", "cancel"}:
            raise UsageError(f"on_cancel is 'detach' or 'cancel', not {on_cancel!r}")
        check_call(timeout, max_retries)
        size = json_pieces.weight(request.params)
        digest = await in_thread(lambda: _digest(request), size=size)
        tag = self._tag(key)
        intent = Intent(
            tag=tag,
            run_id=run_id or self.run_id,
            digest=digest,
            program=request.program.id,
            backend=request.backend,
            tenant=str(self._engine.account.instance),
            key=key,
            private=request.private,
            session_id=request.session_id,
            positions=tuple(positions),
        )
        attempt = _Attempt(
            attrs.evolve(request, tags=(tag, *request.tags)),
            intent,
            self._engine.clock.monotonic(),
            Deadline.after(self._engine.clock, math.inf if timeout is None else timeout),
            self._engine.retry.max_retries if max_retries is None else max_retries,
            size,
        )
        work = self._once(attempt) if key is None else self._by_key(key, attempt)
        return await (work if on_cancel == "detach" else self._or_cancel(work, attempt))

    def _tag(self, key: str | None) -> str:
        if key is None:
            return f"qrt-{self._engine.rng.getrandbits(128):032x}"
        if not isinstance(key, str) or not key:
            raise UsageError(f"key is a text, such as 'order-42', not {key!r}")
        named = f"{self._engine.account.instance}\0{key}"
        return f"qrt-key-{hashlib.sha256(named.encode()).hexdigest()[:40]}"

    async def _by_key(self, key: str, attempt: _Attempt) -> Ticket:
        turn = self._known.key_turns.setdefault(key, asyncio.Lock())
        async with turn:
            if key in self._known.keys:
                digest, ticket = self._known.keys[key]
                if digest != attempt.intent.digest:
                    raise KeyMismatch(key, ticket.job_id)
                return ticket
            ticket = await self._once(attempt, look_first=True)
            self._known.keys[key] = (attempt.intent.digest, ticket)
            return ticket

    async def _once(self, attempt: _Attempt, *, look_first: bool = False) -> Ticket:
        known = await self._journal.intend(attempt.intent) if self._journal else None
        if known and known.repeated:
            known = await self._made_elsewhere(attempt, known)
        if known and known.repeated and known.job_id:
            return Ticket(known.tag, known.job_id)
        if known and known.repeated:
            attempt.doubtful = True
        if look_first and (found := await self._found_before(attempt, known)):
            return await self._exists(attempt, found.id, adopted=True)
        try:
            return await self._send(attempt)
        except SubmissionUncertain:
            raise
        except QrtError as error:
            if self._journal and not attempt.doubtful:
                await self._journal.refused(attempt.intent.tag, str(error))
            raise

    async def _found_before(self, attempt: _Attempt, known: Submission | None) -> JobDetails | None:
        """Look for the job of a key, over the settle window where the journal knows that it was meant."""
        if known and known.repeated and known.state is SubmissionState.MEANT:
            return await self._find(known.tag, attempt.deadline, "its process ended before the reply")
        tag = attempt.intent.tag
        rows = [row for row in await self._tagged(tag) if tag in row.tags]
        if any((row.program, row.backend) != (attempt.intent.program, attempt.intent.backend) for row in rows):
            raise KeyMismatch(str(attempt.intent.key), rows[0].id)
        return _best(rows) if rows else None

    async def _made_elsewhere(self, attempt: _Attempt, known: Submission) -> Submission:
        """Wait until the living process that submits under the same key knows its job."""
        deadline = Deadline.after(self._engine.clock, self._engine.timeouts.submission)
        delays = decisions.exponential(self._policy.initial, 2.0, 15.0)
        while known.state is SubmissionState.MEANT and known.run_id != attempt.intent.run_id:
            delay = next(delays)
            if self._journal is None or min(deadline.remaining(), attempt.deadline.remaining()) < delay:
                raise SubmissionUncertain(known.tag, "another process is submitting it under the same key")
            await self._engine.clock.sleep(delay)
            known = await self._journal.intend(attempt.intent)
        return known

    async def _send(self, attempt: _Attempt) -> Ticket:
        for number in itertools.count(1):
            try:
                submitted = await self._post(attempt)
            except QrtError as error:
                if decisions.is_ambiguous(error) and attempt.sent:
                    self._engine.hooks.emit(events.SubmissionAmbiguous(tag=attempt.intent.tag, error=error))
                    attempt.doubtful = True
                    if found := await self._find(attempt.intent.tag, attempt.deadline, str(error)):
                        return await self._exists(attempt, found.id, adopted=True)
                    if number > attempt.max_retries:
                        raise SubmissionUncertain(attempt.intent.tag, str(error)) from error
                else:
                    await self._pause(number, attempt, error)
            else:
                for message in submitted.messages:
                    self._engine.notices.tell(message)
                return await self._exists(attempt, submitted.id, adopted=False)
        raise AssertionError("unreachable")

    async def _post(self, attempt: _Attempt) -> Submitted:
        """Wait for a turn under the quota, and send the submission once."""

        def on_wait(seconds: float) -> None:
            self._engine.hooks.emit(events.QuotaWait(seconds=seconds))
            if seconds > attempt.deadline.remaining():
                raise QuotaTimeout(seconds, attempt.deadline.remaining())

        attempt.sent = False
        call = await in_thread(
            lambda: wire.create(self._engine.account.dialect, attempt.request),
            size=attempt.size,
        )
        async with self._quota.submission(on_wait=on_wait):
            attempt.sent = True
            left = attempt.deadline.remaining()
            return await self._engine.run(call, timeout=left if math.isfinite(left) else None, max_retries=0)

    async def _pause(self, number: int, attempt: _Attempt, error: QrtError) -> None:
        """Wait before a submission that certainly created nothing is sent again, or raise its error."""
        retry = attrs.evolve(self._engine.retry, max_retries=attempt.max_retries)
        delay = decisions.retry_delay(number, error, Replay.RECONCILE, retry, self._engine.rng)
        if delay is None:
            raise error
        if isinstance(error, RateLimited):
            delay = max(delay, await self._quota.refused(error.retry_after))
        if delay >= (left := attempt.deadline.remaining()):
            error.explain(f"(not submitted again: the next attempt is due in {delay:g} s, the deadline in {left:g} s)")
            raise error
        self._engine.hooks.emit(events.RetryPlanned(operation="jobs.create", attempt=number, delay=delay, error=error))
        await self._engine.clock.sleep(delay)

    async def _exists(self, attempt: _Attempt, job_id: str, *, adopted: bool) -> Ticket:
        """Note that the job exists."""
        tag = attempt.intent.tag
        if self._journal:
            await self._journal.submitted(tag, job_id)
        self._engine.hooks.emit(
            events.JobSubmitted(
                job_id=job_id,
                tag=tag,
                backend=attempt.intent.backend,
                program=attempt.intent.program,
                adopted=adopted,
                seconds=self._engine.clock.monotonic() - attempt.began,
            )
        )
        if not attempt.doubtful or adopted:
            return Ticket(tag, job_id)
        ticket = self._known.doubtful[tag] = Ticket(tag, job_id, doubtful=True, rival=asyncio.Event())
        return ticket

    async def find(self, tag: str) -> str | None:
        """
        Return the job of a submission that a dead process meant, None where there is none after the settle window.

        Raises:
            SubmissionUncertain: nobody can tell.

        """
        left = Deadline.after(self._engine.clock, math.inf)
        if (found := await self._find(tag, left, "its process ended before the reply")) is None:
            return None
        if self._journal:
            await self._journal.submitted(tag, found.id)
        return found.id

    async def _find(self, tag: str, deadline: Deadline, why: str) -> JobDetails | None:
        """
        Look for the job of an uncertain submission over the settle window; None where it is not there by then.

        The last look is always one for this tag alone, and must succeed.
        """
        self._known.uncertain.add(tag)
        try:
            for delay in decisions.settle_delays(self._policy):
                await self._engine.clock.sleep(delay)
                if rows := await self._seek(tag, why):
                    return _best(rows)
            rows = await self._last_look(tag, deadline, why)
            return _best(rows) if rows else None
        finally:
            self._known.uncertain.discard(tag)

    async def _seek(self, tag: str, why: str) -> list[JobDetails]:
        """Return the jobs with the tag; many who ask at once share one list. A failure that passes is no answer."""
        try:
            rows = await (self._tagged(tag) if len(self._known.uncertain) < _SHARED_FROM else self._swept())
        except QrtError as error:
            if decisions.is_passing(error):
                return []
            raise SubmissionUncertain(tag, f"{why}; and then: {error}") from error
        _check_tags(rows, tag, why)
        return [row for row in rows if tag in row.tags]

    async def _last_look(self, tag: str, deadline: Deadline, why: str) -> list[JobDetails]:
        left = min(deadline.remaining(), self._engine.timeouts.submission)
        try:
            rows = await self._engine.run(self._list(JobFilter(tags=(tag,))), timeout=max(left, 0.001))
        except QrtError as error:
            raise SubmissionUncertain(tag, f"{why}; and then: {error}") from error
        _check_tags(rows.jobs, tag, why)
        return [row for row in rows.jobs if tag in row.tags]

    async def _tagged(self, tag: str) -> list[JobDetails]:
        return list((await self._engine.run(self._list(JobFilter(tags=(tag,))))).jobs)

    def _list(self, wanted: JobFilter) -> Call[JobPage]:
        return wire.list_jobs(self._engine.account.dialect, wanted)

    async def _swept(self) -> list[JobDetails]:
        """Return the newest jobs, by a list that was begun after this call."""
        if self._sweep is None:
            self._sweep = asyncio.create_task(self._list_newest(), name="qrt_async look for lost submissions")
        return await asyncio.shield(self._sweep)

    async def _list_newest(self) -> list[JobDetails]:
        async with self._sweeping:
            self._sweep = None  # whoever asks from now on gets a later list
            pager, found = JobPager(JobFilter()), list[JobDetails]()
            wanted = set(self._known.uncertain) | set(self._known.doubtful)
            for _ in range(_MOST_PAGES):
                found += pager.take(await self._engine.run(self._list(pager.next_page)))
                wanted -= {tag for row in found for tag in row.tags}
                if pager.done or not wanted:
                    break
            return found

    async def keep_best(self, ticket: Ticket) -> None:
        """
        Look whether a doubtful submission has led to more than one job, and leave one.

        A completed job is kept over a running over a queued one, of equals the older; the others are cancelled.
        """
        tag = ticket.tag
        if ticket.rival:
            ticket.rival.clear()
        rows = [row for row in await self._tagged(tag) if tag in row.tags]
        if not any(row.id == ticket.job_id for row in rows) or len(rows) < 2:
            return
        best = _best(rows)
        if best.id != ticket.job_id:
            ticket.job_id = best.id
            if self._journal:
                await self._journal.submitted(tag, best.id)
        await asyncio.gather(*(self._give_up(ticket, row) for row in rows if row.id != best.id))

    async def _give_up(self, ticket: Ticket, row: JobDetails) -> None:
        if row.status.final and row.status is not JobStatus.COMPLETED:
            return
        cancelled = row.status is not JobStatus.COMPLETED and await self._cancelled(row.id)
        self._engine.hooks.emit(
            events.DuplicateFound(tag=ticket.tag, kept=ticket.job_id, given_up=row.id, cancelled=cancelled)
        )
        became = "was cancelled" if cancelled else "had ended already, and is charged"
        self._engine.notices.tell(
            f"a submission whose reply was lost led to two jobs: {ticket.job_id} is kept, {row.id} {became}"
        )

    async def _cancelled(self, job_id: str) -> bool:
        try:
            await self._engine.run(wire.cancel(job_id))
        except QrtError:
            return False
        return True

    async def _or_cancel(self, work: Coroutine[Any, Any, Ticket], attempt: _Attempt) -> Ticket:
        """Do the work; where the caller is cancelled, leave no job behind."""
        task = asyncio.create_task(work)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if not attempt.sent:
                task.cancel()
            await regardless(self._undo(task, attempt.intent.tag))
            raise

    async def _undo(self, task: asyncio.Task[Ticket], tag: str) -> None:
        """Cancel what a submission made or is about to make, for as long as closing may take."""
        await asyncio.wait([task], timeout=self._engine.timeouts.closing)
        if not task.done():
            task.cancel()
            await asyncio.wait([task])
        if not task.cancelled() and task.exception() is None:
            await self._cancelled(task.result().job_id)
            return
        try:
            rows = await self._engine.run(self._list(JobFilter(tags=(tag,))), timeout=self._engine.timeouts.closing)
        except QrtError:
            return
        for row in rows.jobs:
            if tag in row.tags and not row.status.final:
                await self._cancelled(row.id)

    def view(self, engine: Engine) -> Submissions:
        """Return submissions with the settings of another engine, which share everything else."""
        return attrs.evolve(self, engine=engine)

    async def aclose(self) -> None:
        """Look once more whether a submission that was sent again has led to a second job."""
        if self._sweep is not None:
            self._sweep.cancel()
            await asyncio.wait([self._sweep])
        doubtful, self._known.doubtful = list(self._known.doubtful.values()), {}
        for ticket in doubtful:
            try:
                await self.keep_best(ticket)
            except QrtError as error:
                self._engine.notices.tell(
                    f"could not look whether the submission {ticket.tag} led to a second job beside {ticket.job_id}: "
                    f"{error}"
                )


@attrs.define(eq=False)
class _Attempt:
    """A submission under way of about `size` bytes: `sent` while a request is, `doubtful` once there may be a job."""

    request: JobRequest[Any]
    intent: Intent
    began: float
    deadline: Deadline
    max_retries: int
    size: int
    sent: bool = False
    doubtful: bool = False


def _digest(request: JobRequest[Any]) -> str:
    content = {
        "program": request.program.id,
        "backend": request.backend,
        "private": request.private,
        "params": request.params,
    }
    return params_digest(content)


def _best(rows: Sequence[JobDetails]) -> JobDetails:
    return min(rows, key=lambda row: (_RANK.get(row.status, 4), row.created.timestamp() if row.created else 0.0))


def _check_tags(rows: Sequence[JobDetails], tag: str, why: str) -> None:
    """Refuse to conclude anything from a list whose jobs bear no tags at all."""
    if rows and not any(row.tags for row in rows):
        raise SubmissionUncertain(
            tag, f"{why}; and the service lists jobs without tags", tuple(row.id for row in rows[:10])
        )
