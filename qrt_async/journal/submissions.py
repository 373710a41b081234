"""Submissions: meant, submitted, finished or refused."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

import attrs

from qrt_async.errors import JournalError, KeyMismatch
from qrt_async.journal import runs
from qrt_async.journal.database import Row
from qrt_async.journal.ledger import Ledger
from qrt_async.journal.records import Intent, Submission, SubmissionState

_SELECT = """
    SELECT tag, (SELECT id FROM runs WHERE number = run), digest, program, backend, state, created, key, private,
        session_id, positions, job_id, status, reason
    FROM submissions
"""


def intend(ledger: Ledger, intent: Intent) -> Submission:
    """Note the intent unless its tag or key is known, and return what now stands."""
    run = runs.hold(ledger, intent.run_id)
    standing = _standing(ledger, intent)
    if standing is None:
        _insert(ledger, intent, run)
        return attrs.evolve(_only(ledger, intent.tag), repeated=False)
    if standing.digest != intent.digest:
        raise KeyMismatch(intent.key or intent.tag, standing.job_id)
    if standing.state is SubmissionState.MEANT and standing.run_id != intent.run_id:
        _inherit(ledger, standing.tag, run)
    return _only(ledger, standing.tag)


def _standing(ledger: Ledger, intent: Intent) -> Submission | None:
    """Return what stands under the intent's tag or key; what was refused stands no more."""
    where = " WHERE tag = ? OR (tenant = ? AND key = ?)"
    parameters = (intent.tag, ledger.pseudonym(intent.tenant), intent.key)
    found = [_read(row) for row in ledger.transaction.execute(f"{_SELECT}{where} ORDER BY number", parameters)]
    for refused in [one for one in found if one.state is SubmissionState.REFUSED]:
        ledger.transaction.execute("DELETE FROM submissions WHERE tag = ?", (refused.tag,))
    return next((one for one in found if one.state is not SubmissionState.REFUSED), None)


def _inherit(ledger: Ledger, tag: str, run: int) -> None:
    """Take over what a dead process meant, so that only one process settles it."""
    [(theirs,)] = ledger.transaction.execute("SELECT run FROM submissions WHERE tag = ?", (tag,))
    if not runs.is_living(ledger, theirs):
        ledger.transaction.execute("UPDATE submissions SET run = ? WHERE tag = ?", (run, tag))


def _insert(ledger: Ledger, intent: Intent, run: int) -> None:
    ledger.transaction.execute(
        """
        INSERT INTO submissions (number, tag, run, tenant, key, digest, program, backend, private, session_id,
            positions, state, created)
        SELECT coalesce(max(number), 0) + 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'meant', ? FROM submissions
        """,
        (
            intent.tag,
            run,
            ledger.pseudonym(intent.tenant),
            intent.key,
            intent.digest,
            intent.program,
            intent.backend,
            int(intent.private),
            intent.session_id,
            _ranges(intent.positions),
            ledger.now,
        ),
    )


def _only(ledger: Ledger, tag: str) -> Submission:
    return _read(ledger.transaction.execute(f"{_SELECT} WHERE tag = ?", (tag,))[0])


def submitted(ledger: Ledger, tag: str, job_id: str) -> None:
    """Note the job that a submission made; another one replaces it, and only then is it unfinished again."""
    _change(
        ledger,
        tag,
        """
        UPDATE submissions SET job_id = ?, reason = NULL,
            state = CASE WHEN state = 'finished' AND job_id = ? THEN state ELSE 'submitted' END,
            status = CASE WHEN job_id = ? THEN status ELSE NULL END
        WHERE tag = ? RETURNING tag
        """,
        (job_id, job_id, job_id, tag),
    )


def refused(ledger: Ledger, tag: str, reason: str) -> None:
    """Note that a submission made no job."""
    _change(
        ledger,
        tag,
        """
        UPDATE submissions SET state = CASE WHEN state = 'meant' THEN 'refused' ELSE state END,
            reason = CASE WHEN state = 'meant' THEN ? ELSE reason END
        WHERE tag = ? RETURNING tag
        """,
        (reason, tag),
    )


def _change(ledger: Ledger, tag: str, sql: str, parameters: tuple[str, ...]) -> None:
    if not ledger.transaction.execute(sql, parameters):
        raise JournalError(f"the journal knows no submission with the tag {tag!r}: note its intent first")


def finished(ledger: Ledger, job_id: str, status: str) -> None:
    """Note how a job ended; one that the journal does not know is none of its business."""
    ledger.transaction.execute(
        "UPDATE submissions SET state = 'finished', status = ? WHERE job_id = ?", (status, job_id)
    )


def of_run(ledger: Ledger, run_id: str) -> tuple[Submission, ...]:
    """Return a run's submissions in the order of their intents."""
    where = " WHERE run = (SELECT number FROM runs WHERE id = ?) ORDER BY number"
    return tuple(_read(row) for row in ledger.transaction.execute(f"{_SELECT}{where}", (run_id,)))


def by_key(ledger: Ledger, key: str, tenant: str) -> Submission | None:
    """Return the tenant's submission with that key."""
    where = " WHERE tenant = ? AND key = ?"
    rows = ledger.transaction.execute(f"{_SELECT}{where}", (ledger.pseudonym(tenant), key))
    return _read(rows[0]) if rows else None


def _read(row: Row) -> Submission:
    tag, run_id, digest, program, backend, state, created, key, private, session, positions, job, status, reason = row
    return Submission(
        tag=tag,
        run_id=run_id,
        digest=digest,
        program=program,
        backend=backend,
        state=SubmissionState(state),
        created=created,
        key=key,
        private=bool(private),
        session_id=session,
        positions=_unfolded(positions),
        job_id=job,
        status=status,
        reason=reason,
        repeated=True,
    )


def _ranges(positions: Iterable[int]) -> str:
    """Return positions in their order with runs of neighbours folded, as in ``0-99,205``."""
    stretches = (
        [position for _, position in stretch]
        for _, stretch in groupby(enumerate(positions), lambda pair: pair[1] - pair[0])
    )
    return ",".join(f"{one[0]}-{one[-1]}" if len(one) > 1 else str(one[0]) for one in stretches)


def _unfolded(text: str) -> tuple[int, ...]:
    """Return the positions that :func:`_ranges` folded."""
    found: list[int] = []
    for stretch in filter(None, text.split(",")):
        low, _, high = stretch.partition("-")
        found.extend(range(int(low), int(high or low) + 1))
    return tuple(found)
