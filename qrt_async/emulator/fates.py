"""How jobs end: as their programs make them, or against their will."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import attrs

from qrt_async.emulator import lifecycle
from qrt_async.emulator.records import Reason
from qrt_async.emulator.work import Failed

if TYPE_CHECKING:
    from qrt_async.emulator.clock import Instant
    from qrt_async.emulator.records import Job, Session
    from qrt_async.emulator.work import Outcome


class End(StrEnum):
    """How a job ends.

    TOO_LONG is Cancelled with code 1305 (charged what it was allowed), SESSION_CLOSED is Failed with code 1217 out of
    the queue, CANCELLED is as if somebody had cancelled it there, VANISHED is as if it had never been.
    """

    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TOO_LONG = "too_long"
    SESSION_CLOSED = "session_closed"
    VANISHED = "vanished"


@attrs.frozen
class Fate:
    """How a job ends, `after` so many seconds at its turn (VANISHED: after its submission).

    `code` and `reason` are those of FAILED. With `readable_once` the results are given once and then gone, as those
    of a private job are.
    """

    end: End = End.COMPLETED
    after: float = attrs.field(default=0.0, validator=attrs.validators.ge(0))
    code: int = 1500
    reason: str = "Internal error"
    readable_once: bool = False


def meet(fate: Fate, job: Job, session: Session | None, at: Instant) -> None:
    """Bring a queued job to the end that its fate is, without running it."""
    match fate.end:
        case End.SESSION_CLOSED:
            lifecycle.fail(job, session, at, lifecycle.SESSION_CLOSED)
        case End.TOO_LONG:
            lifecycle.begin(job, session, at)
            lifecycle.stop(job, session, at)
        case End.FAILED:
            lifecycle.begin(job, session, at)
            lifecycle.fail(job, session, at, Reason(fate.reason, fate.code, "Submit the job again."))
        case _:
            lifecycle.cancel(job, session, at)


def conclude(outcome: Outcome, job: Job, session: Session | None, at: Instant) -> None:
    """Bring a job that has been run to the end its outcome is, or stop it for the time that took."""
    lifecycle.begin(job, session, at)  # it did run, even if its start was never announced
    if isinstance(outcome, Failed):
        lifecycle.fail(job, session, at, Reason(outcome.reason, outcome.code, outcome.solution, outcome.traceback))
    elif outcome.quantum_seconds > job.order.time_limit:
        lifecycle.stop(job, session, at)
    else:
        lifecycle.complete(job, session, at, outcome.body, outcome.quantum_seconds)
