"""What the bill is made from: every job that ever was, and the latest requests."""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from typing import TYPE_CHECKING

import attrs

from qrt_async.emulator.bill import Bill, BilledJob, BilledSession, RecordedRequest, content_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qrt_async.emulator.ledger import Ledger
    from qrt_async.emulator.records import Job, Session

_MOST_REQUESTS = 100_000
_MOST_BYTES = 64 * 1024 * 1024  # of recorded requests


@attrs.define(eq=False)
class _Entry:
    job: Job
    digests: tuple[str, ...] | None = None

    def pubs(self) -> tuple[str, ...]:
        """Digest the job's PUBs, once."""
        if self.digests is None:
            order = self.job.order
            contents = content_of(order.program_id, order.params)
            self.digests = tuple(hashlib.sha256(each.encode()).hexdigest()[:32] for each in contents)
        return self.digests


class Books:
    """Remembers jobs beyond their deletion, and requests if `record` says so."""

    def __init__(self, *, record: bool, most_requests: int = _MOST_REQUESTS, most_bytes: int = _MOST_BYTES) -> None:
        self.records: bool = record
        self._most_requests = most_requests
        self._most_bytes = most_bytes
        self._entries: list[_Entry] = []
        self._requests: deque[RecordedRequest] = deque()
        self._bytes = 0
        self._forgotten = 0

    def enter(self, job: Job) -> None:
        """Write a new job down."""
        self._entries.append(_Entry(job))

    def record(self, request: RecordedRequest) -> None:
        """Write a request down; the oldest ones leave when there are too many."""
        self._requests.append(request)
        self._bytes += _size(request)
        while self._bytes > self._most_bytes or len(self._requests) > self._most_requests:
            self._bytes -= _size(self._requests.popleft())
            self._forgotten += 1

    async def bill(self, ledger: Ledger, sessions: Iterable[Session]) -> Bill:
        """Give the bill of this moment."""
        charged = {charge.job_id: charge.seconds for charge in ledger}
        now = [(entry, entry.job.status, entry.job.tags, charged.get(entry.job.id, 0)) for entry in self._entries]
        open_or_closed = tuple(
            BilledSession(session.id, session.order.mode, session.backend, session.state) for session in sessions
        )
        requests = tuple(self._requests) if self.records else None
        forgotten = self._forgotten
        await asyncio.to_thread(lambda: [entry.pubs() for entry in self._entries])
        jobs = tuple(
            BilledJob(
                id=entry.job.id,
                backend=entry.job.order.backend,
                status=status,
                tags=tags,
                session_id=entry.job.order.session_id,
                pubs=entry.pubs(),
                seconds=seconds,
            )
            for entry, status, tags, seconds in now
        )
        return Bill(jobs, open_or_closed, requests, forgotten)


def _size(request: RecordedRequest) -> int:
    headers = sum(len(name) + len(value) for name, value in request.headers)
    return len(request.path) + len(request.query) + headers + len(request.body)
