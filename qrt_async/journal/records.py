"""What the journal keeps, as frozen values."""

from __future__ import annotations

import enum

import attrs


@attrs.frozen
class Owner:
    """
    A process that owns runs.

    `boot` tells one start of a machine from the next, `namespace` one container's process numbers from another's, and
    `started` one process from a later one of the same `pid`; None where the system does not say, and then a lease ends
    by time alone. `nonce` tells the journals of one process apart.
    """

    pid: int
    nonce: str
    boot: str | None = None
    namespace: str | None = None
    started: str | None = None


@attrs.frozen
class Lease:
    """The right to go on with a run until `expires`, in seconds of the wall clock; renew it well before."""

    run_id: str
    expires: float


class SubmissionState(enum.StrEnum):
    """How far a submission came: `MEANT` is all that is known between the intent and the reply."""

    MEANT = "meant"
    SUBMITTED = "submitted"
    FINISHED = "finished"
    REFUSED = "refused"


@attrs.frozen(kw_only=True)
class Intent:
    """
    A job that is about to be submitted.

    `tag` is the unique one that the job will bear, `digest` that of its params. `tenant` says who pays (an instance, a
    user) and is stored as a salted digest only; a `key` is unique within it. `positions` are those PUBs of the run that
    the job holds, in its order, counted from 0 as in :meth:`Journal.expect_many`.
    """

    tag: str
    run_id: str
    digest: str
    program: str
    backend: str
    tenant: str = attrs.field(default="", repr=False)
    key: str | None = None
    private: bool = False
    session_id: str | None = None
    positions: tuple[int, ...] = ()


@attrs.frozen(kw_only=True)
class Submission:
    """
    A submission as the journal knows it.

    `status` is the job's last one once it has finished, `reason` why it was refused, `created` the wall clock's seconds
    of the intent. `repeated` says of what :meth:`Journal.intend` returns that it stood there before.
    """

    tag: str
    run_id: str
    digest: str
    program: str
    backend: str
    state: SubmissionState
    created: float
    key: str | None = None
    private: bool = False
    session_id: str | None = None
    positions: tuple[int, ...] = ()
    job_id: str | None = None
    status: str | None = None
    reason: str | None = None
    repeated: bool = False


@attrs.frozen(kw_only=True)
class SessionEntry:
    """A session that was meant or opened and has not ended; `session_id` is None while nobody knows it."""

    token: str
    run_id: str
    backend: str
    mode: str
    created: float
    session_id: str | None = None


@attrs.frozen
class BudgetState:
    """Quantum seconds of a budget: `reserved` by what is under way, `spent` by what has been settled."""

    reserved: float
    spent: float

    @property
    def used(self) -> float:
        """What the budget's ceiling is held against."""
        return self.reserved + self.spent
