"""The journal, as the rest of the package uses it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self, TypeVar

from qrt_async.journal import budgets, owners, quotas, runs, sessions, spool, submissions
from qrt_async.journal.database import Database, Transaction
from qrt_async.journal.ledger import Ledger, salt
from qrt_async.journal.records import BudgetState, Intent, Lease, Owner, SessionEntry, Submission
from qrt_async.journal.schema import TABLES
from qrt_async.journal.spool import Spool
from qrt_async.journal.sqlite import SqliteDatabase

T = TypeVar("T")

_PUBS_AT_ONCE = 10_000
"""PUBs of one transaction: others get their turn in between."""


class Journal:
    """
    What was meant, submitted, finished and delivered, in a file that survives the process.

    Several clients may share one journal, and several processes one file (on a local disk). Once an awaited call
    returns, what it wrote outlives ``kill -9``; a call that is cancelled is carried out all the same. The file is
    readable for its user alone, and holds no credential: users and tenants stand in it as salted digests.

    `wall` gives the seconds of the wall clock, the only one that processes share; `owner` says who writes, this process
    unless given. Every method raises :class:`JournalError` where the file cannot be read or written; those that begin
    something for a run raise :class:`JournalBusy` where another living process owns it.
    """

    LEASE: ClassVar[float] = runs.LEASE
    """Seconds that a lease lasts: call :meth:`renew` three times as often."""

    def __init__(
        self, path: str | PathLike[str], *, wall: Callable[[], float] = time.time, owner: Owner | None = None
    ) -> None:
        self._path = Path(path)
        self._wall = wall
        self._owner = owner
        self._salt: str | None = None
        self._closing = False
        self._database: Database = SqliteDatabase(self._path, TABLES)

    def __repr__(self) -> str:
        return f"Journal({str(self._path)!r})"

    async def open(self) -> None:
        """Open the file, or make it, as the first call of any other method does; raise what is wrong with it."""
        if self._salt is None or self._closing:
            self._salt = await self._database.run(salt)

    async def aclose(self) -> None:
        """Write what was asked for, end this journal's leases, and close the file."""
        first, self._closing = not self._closing, True
        try:
            if first and self._salt is not None:
                await self._do(runs.release_all)
        finally:
            await self._database.aclose()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _do(self, work: Callable[[Ledger], T], *, writes: bool = True) -> T:
        if self._salt is None:
            await self.open()
        return await self._database.run(lambda transaction: work(self._ledger(transaction)), writes=writes)

    def _ledger(self, transaction: Transaction) -> Ledger:
        """Return the ledger of a transaction; this runs in the database's thread, as all reading of the system does."""
        self._owner = self._owner or owners.this_process()
        return Ledger(transaction, self._owner, self._salt or salt(transaction), self._wall())

    # runs

    async def claim(self, run_id: str) -> Lease:
        """
        Own a run from now on; a run of one's own is renewed.

        Raises:
            JournalBusy: a living process owns it.

        """
        return await self._do(lambda ledger: runs.claim(ledger, run_id))

    async def renew(self, run_id: str) -> Lease:
        """Own a run of one's own for longer; JournalBusy where another process has taken it over."""
        return await self.claim(run_id)

    async def release(self, run_id: str) -> None:
        """Let anybody claim the run."""
        await self._do(lambda ledger: runs.release(ledger, run_id))

    async def abandoned_runs(self) -> tuple[str, ...]:
        """
        Return the runs that nobody owns and that have a submission, a session or an undelivered PUB left.

        A lease ends when its owner gives it up or is certainly dead (its process is gone, or the machine was started
        again), and where neither can be known, when it was not renewed in time.
        """
        return await self._do(runs.abandoned, writes=False)

    # submissions

    async def intend(self, intent: Intent) -> Submission:
        """
        Note a submission before it is sent, and return what now stands.

        `repeated` is False where this intent is new: send it. Otherwise it, or another one with the same key of the
        same tenant, stood there before. One that is only meant in another run than the intent's is just being
        submitted by a living owner; what a dead one left so has been moved to the intent's run. What was refused does
        not stand in the way.

        Raises:
            KeyMismatch: the key or tag was used for other content.
            JournalBusy: another living process owns the run.

        """
        return await self._do(lambda ledger: submissions.intend(ledger, intent))

    async def submitted(self, tag: str, job_id: str) -> None:
        """Note the job that a submission made; when a better one is kept instead, note that one."""
        await self._do(lambda ledger: submissions.submitted(ledger, tag, job_id))

    async def refused(self, tag: str, reason: str) -> None:
        """Note that a submission certainly made no job."""
        await self._do(lambda ledger: submissions.refused(ledger, tag, reason))

    async def finished(self, job_id: str, status: str) -> None:
        """Note the status with which a job ended."""
        await self._do(lambda ledger: submissions.finished(ledger, job_id, status))

    async def submissions(self, run_id: str) -> tuple[Submission, ...]:
        """Return a run's submissions in the order of their intents."""
        return await self._do(lambda ledger: submissions.of_run(ledger, run_id), writes=False)

    async def by_key(self, key: str, *, tenant: str = "") -> Submission | None:
        """Return the submission that has this key."""
        return await self._do(lambda ledger: submissions.by_key(ledger, key, tenant), writes=False)

    # the PUBs of a run

    async def expect_many(self, run_id: str, first: int, digests: Sequence[str]) -> None:
        """
        Note the digests of the PUBs `first`, `first` + 1, … of a run; when it is resumed, compare them.

        Raises:
            ResumeMismatch: a PUB is not the one that the run began with.
            JournalBusy: another living process owns the run.

        """
        for start in range(0, len(digests), _PUBS_AT_ONCE):
            await self._expect(run_id, first + start, digests[start : start + _PUBS_AT_ONCE])

    async def _expect(self, run_id: str, first: int, digests: Sequence[str]) -> None:
        await self._do(lambda ledger: runs.expect(ledger, run_id, first, digests))

    async def expected(self, run_id: str) -> int:
        """Return how many PUBs the run expects."""
        return await self._do(lambda ledger: runs.expected(ledger, run_id), writes=False)

    async def delivered(self, run_id: str, positions: Iterable[int]) -> None:
        """Note that the caller has the results of these PUBs; until then they are delivered again when it resumes."""
        having = tuple(positions)
        await self._do(lambda ledger: runs.deliver(ledger, run_id, having))

    async def undelivered(self, run_id: str, first: int = 0, count: int = _PUBS_AT_ONCE) -> tuple[int, ...]:
        """Return which of `count` PUBs from `first` on are expected and not delivered."""
        return await self._do(lambda ledger: runs.undelivered(ledger, run_id, first, count), writes=False)

    # private results

    async def spool(self, job_id: str) -> Spool:
        """Return where to put the raw result of a job as it arrives; JournalError where it is here already."""
        await self._do(lambda ledger: spool.begin(ledger, job_id), writes=False)
        return Spool(job_id, self._do)

    async def spooled(self, job_id: str) -> bytes | None:
        """Return the raw result of a job, None unless it is here as a whole."""
        return await self._do(lambda ledger: spool.stored(ledger, job_id, whole=True), writes=False)

    async def partial(self, job_id: str) -> bytes | None:
        """Return what there is of a result that was cut, None where there is nothing or all of it."""
        return await self._do(lambda ledger: spool.stored(ledger, job_id, whole=False), writes=False)

    # sessions

    async def session_meant(self, token: str, run_id: str, backend: str, mode: str) -> None:
        """Note a session before it is created, under a unique `token`."""
        await self._do(lambda ledger: sessions.meant(ledger, token, run_id, backend, mode))

    async def session_opened(self, token: str, session_id: str) -> None:
        """Note the session that was created."""
        await self._do(lambda ledger: sessions.opened(ledger, token, session_id))

    async def session_refused(self, token: str) -> None:
        """Note that certainly no session was created."""
        await self._do(lambda ledger: sessions.refused(ledger, token))

    async def session_ended(self, session_id: str) -> None:
        """Note that a session was drained or closed."""
        await self._do(lambda ledger: sessions.ended(ledger, session_id))

    async def open_sessions(self, run_id: str) -> tuple[SessionEntry, ...]:
        """Return a run's sessions that were meant or opened and have not ended."""
        return await self._do(lambda ledger: sessions.left_open(ledger, run_id), writes=False)

    # the quota of a user

    async def quota_take(self, user: str, ticket: str, per_minute: int | None) -> float:
        """
        Take a place for one submission and return 0, or the seconds after which to ask again.

        A submission counts from its start until a minute after its end (:meth:`quota_done` with the same `ticket`);
        that of a process that has died has ended with it.
        """
        return await self._do(lambda ledger: quotas.take(ledger, user, ticket, per_minute))

    async def quota_done(self, ticket: str) -> None:
        """Note the end of a submission."""
        await self._do(lambda ledger: quotas.done(ledger, ticket))

    async def quota_return(self, ticket: str) -> None:
        """Give back a place that was taken, since nothing was sent."""
        await self._do(lambda ledger: quotas.give_back(ledger, ticket))

    async def quota_hold(self, user: str, seconds: float) -> None:
        """Let no process start a submission for that long, as the service asked."""
        await self._do(lambda ledger: quotas.hold(ledger, user, seconds))

    # budgets

    async def budget_reserve(self, name: str, ceiling: float, seconds: float, tag: str) -> bool:
        """Reserve quantum seconds for a submission, or return False where they would exceed the ceiling."""
        return await self._do(lambda ledger: budgets.reserve(ledger, name, ceiling, seconds, tag))

    async def budget_settle(self, tag: str, seconds: float) -> None:
        """Replace what was reserved for a submission by the seconds that it used, 0 where it did not run."""
        await self._do(lambda ledger: budgets.settle(ledger, tag, seconds))

    async def budget_state(self, name: str) -> BudgetState:
        """Return what is reserved and what is spent."""
        return await self._do(lambda ledger: budgets.state(ledger, name), writes=False)
