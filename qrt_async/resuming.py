"""What a dead process began, finished by this one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Any

import attrs

from qrt_async.clock import Deadline
from qrt_async.engine import Engine
from qrt_async.errors import JournalBusy, NeverSubmitted, QrtError, SessionNotEnded, UsageError
from qrt_async.journal import Journal, Submission, SubmissionState
from qrt_async.models.jobs import JobDetails, Program
from qrt_async.regardless import gone, regardless
from qrt_async.retrieval import Retrieval
from qrt_async.sessions import Sessions
from qrt_async.submission import Submissions, Ticket
from qrt_async.wire import results

_AT_ONCE = 64


@attrs.frozen(kw_only=True)
class Resumed:
    """
    A submission of a process that is gone, and how it came out: with a `result` or with an `error`.

    `key` is the caller's own name for it, `tag` the one that its job bears.
    """

    run_id: str
    tag: str
    key: str | None = None
    job_id: str | None = None
    result: Any = attrs.field(default=None, repr=False)
    error: QrtError | None = None


@attrs.frozen
class Resumption:
    """Takes up runs of the journal that nobody owns any more."""

    _engine: Engine
    _journal: Journal
    _submissions: Submissions
    _retrieval: Retrieval
    _sessions: Sessions

    async def run(self, run_id: str | None) -> AsyncGenerator[Resumed]:
        """Yield the submissions of a run, or of all that nobody owns, as their jobs end."""
        if run_id is not None and not isinstance(run_id, str):
            raise UsageError(f"run_id is a text, not {run_id!r}")
        for name in [run_id] if run_id is not None else await self._journal.abandoned_runs():
            try:
                await self._journal.claim(name)
            except JournalBusy:
                if run_id is not None:
                    raise
                continue
            except BaseException:
                await regardless(self._journal.release(name))  # a cancelled claim may have been carried out
                raise
            try:
                await self.drain_sessions(name)
                if not await self._journal.expected(name):
                    async with aclosing(self._jobs_of(name)) as jobs:
                        async for resumed in jobs:
                            yield resumed
            finally:
                await regardless(self._journal.release(name))

    async def drain_sessions(self, run_id: str) -> None:
        """Drain what the run left open: jobs that are queued there still run."""
        for entry in await self._journal.open_sessions(run_id):
            if entry.session_id is None:
                self._engine.notices.tell(
                    f"a {entry.mode} session on {entry.backend} may have been opened by a process that is gone, and "
                    "nobody knows its id: look with client.workloads, and end it with client.sessions.cancel"
                )
                await self._journal.session_refused(entry.token)
                continue
            with suppress(SessionNotEnded):  # the hooks are told, and it stays in the journal
                await self._sessions.end(entry.session_id, "drain", timeout=self._engine.timeouts.closing)

    async def found(self, submission: Submission) -> Submission | None:
        """Return a submission with its job, None where it was only meant and no job of its tag exists."""
        if submission.job_id is not None:
            return submission
        job_id = await self._submissions.find(submission.tag)
        if job_id is None:
            await self._journal.refused(submission.tag, "its process ended before it was submitted")
            return None
        return attrs.evolve(submission, job_id=job_id, state=SubmissionState.SUBMITTED)

    async def _jobs_of(self, run_id: str) -> AsyncGenerator[Resumed]:
        waiting = [
            submission
            for submission in await self._journal.submissions(run_id)
            if submission.state in {SubmissionState.MEANT, SubmissionState.SUBMITTED}
        ]
        turns = asyncio.Semaphore(_AT_ONCE)
        tasks = {asyncio.create_task(self._finish(submission, turns)) for submission in waiting}
        try:
            while tasks:
                done, tasks = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    ticket, details, resumed = task.result()
                    yield resumed
                    if ticket and details:
                        await self._retrieval.settled(ticket, details)
        finally:
            await gone(tasks)

    async def _finish(
        self, submission: Submission, turns: asyncio.Semaphore
    ) -> tuple[Ticket | None, JobDetails | None, Resumed]:
        about = Resumed(run_id=submission.run_id, tag=submission.tag, key=submission.key, job_id=submission.job_id)
        details: JobDetails | None = None
        try:
            async with turns:
                found = await self.found(submission)
            if found is None or (job_id := found.job_id) is None:
                raise NeverSubmitted(submission.tag, submission.key)
            about = attrs.evolve(about, job_id=job_id)
            ticket = Ticket(submission.tag, job_id)
            deadline = self._retrieval.deadline(None)
            details = await self._retrieval.wait(ticket, deadline, in_session=submission.session_id is not None)
            result = await self._fetch(submission, details, deadline, turns)
        except QrtError as error:
            return None, None, attrs.evolve(about, error=error)
        return ticket, details, attrs.evolve(about, result=result)

    async def _fetch(
        self, submission: Submission, details: JobDetails, deadline: Deadline, turns: asyncio.Semaphore
    ) -> Any:
        program: Program[Any] = Program(submission.program, results.any_program)
        async with turns:
            return await self._retrieval.fetch(details, program, deadline, private=submission.private)
