"""What an emulator saw, for assertions: jobs by their content, sessions, what was charged, and requests."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import attrs
from cattrs.preconf.json import make_converter

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_converter = make_converter()
_LOST = ("Cancelled", "Failed")


@attrs.frozen
class BilledJob:
    """One job, deleted ones and those that vanished (as Cancelled) among them.

    `pubs` are digests of the contents of its PUBs, in order; two jobs with the same ones ask for the same. `seconds`
    is what it was charged.
    """

    id: str
    backend: str
    status: str
    tags: tuple[str, ...]
    session_id: str | None
    pubs: tuple[str, ...]
    seconds: int

    @property
    def counts(self) -> bool:
        """Tell whether it gives, or may still give, results: it is neither cancelled nor failed."""
        return self.status not in _LOST


@attrs.frozen
class BilledSession:
    """One session or batch."""

    id: str
    mode: str
    backend: str | None
    state: str


@attrs.frozen
class RecordedRequest:
    """One request as it arrived; `status` is that of the reply, None where there was none."""

    method: str
    path: str
    query: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    status: int | None


@attrs.frozen
class Bill:
    """The ledger of an emulator at one moment, over all users: jobs and sessions in the order they were made.

    `recorded` is None unless requests are recorded; `forgotten_requests` counts those that no longer fitted.
    """

    jobs: tuple[BilledJob, ...]
    sessions: tuple[BilledSession, ...]
    recorded: tuple[RecordedRequest, ...] | None = None
    forgotten_requests: int = 0

    @property
    def requests(self) -> tuple[RecordedRequest, ...]:
        """The requests that arrived, the oldest first, those to the control endpoint left out."""
        if self.recorded is None:
            raise RuntimeError("no request was recorded: start the emulator with record=True (--record)")
        return self.recorded

    @property
    def duplicate_jobs(self) -> tuple[tuple[str, ...], ...]:
        """Ids of jobs that count and ask for the same PUBs, whatever their tags: a group for each content."""
        return _groups((job.pubs, job.id) for job in self.jobs if job.counts)

    @property
    def duplicate_pubs(self) -> tuple[tuple[str, ...], ...]:
        """Ids of jobs that count and have a PUB in common (a job twice: it has it twice): a group for each PUB."""
        return _groups((pub, job.id) for job in self.jobs if job.counts for pub in job.pubs)

    @property
    def distinct_pubs(self) -> int:
        """How many PUBs of different content the jobs that count have."""
        return len({pub for job in self.jobs if job.counts for pub in job.pubs})

    @property
    def unfinished_jobs(self) -> tuple[str, ...]:
        """Ids of the jobs that are queued or running."""
        return tuple(job.id for job in self.jobs if job.status in ("Queued", "Running"))

    @property
    def open_sessions(self) -> tuple[str, ...]:
        """Ids of the sessions that are not closed."""
        return tuple(session.id for session in self.sessions if session.state != "closed")

    @property
    def quantum_seconds(self) -> int:
        """The seconds that all jobs were charged."""
        return sum(job.seconds for job in self.jobs)


def write(bill: Bill) -> bytes:
    """Give a bill as JSON."""
    return _converter.dumps(bill).encode()


def read(raw: bytes) -> Bill:
    """Read what `write` gave."""
    return _converter.loads(raw, Bill)


def _groups(found: Iterable[tuple[Any, str]]) -> tuple[tuple[str, ...], ...]:
    groups: Mapping[Any, list[str]] = defaultdict(list)
    for content, job_id in found:
        groups[content].append(job_id)
    return tuple(tuple(ids) for ids in groups.values() if len(ids) > 1)


def content_of(program_id: str, params: Mapping[str, Any]) -> tuple[str, ...]:
    """Give the texts that stand for the PUBs of a job: equal ones ask the same program for the same.

    A text alone is a PUB of one element, and nulls at a PUB's end mean nothing. A job without PUBs is one itself.
    """
    pubs = params.get("pubs")
    contents = [_bare(pub) for pub in pubs] if isinstance(pubs, list) else [params]
    return tuple(json.dumps([program_id, each], sort_keys=True) for each in contents)


def _bare(pub: Any) -> Any:
    elements: list[Any] = list(pub) if isinstance(pub, list) else [pub]
    while elements and elements[-1] is None:
        elements.pop()
    return elements
