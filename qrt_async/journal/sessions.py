"""Sessions: meant, opened, ended."""

from __future__ import annotations

from qrt_async.journal import runs
from qrt_async.journal.ledger import Ledger
from qrt_async.journal.records import SessionEntry


def meant(ledger: Ledger, token: str, run_id: str, backend: str, mode: str) -> None:
    """Note a session that is about to be created."""
    run = runs.hold(ledger, run_id)
    ledger.transaction.execute(
        """
        INSERT INTO sessions (token, run, backend, mode, ended, created) VALUES (?, ?, ?, ?, 0, ?)
        ON CONFLICT (token) DO NOTHING
        """,
        (token, run, backend, mode, ledger.now),
    )


def opened(ledger: Ledger, token: str, session_id: str) -> None:
    """Note the session that was created."""
    ledger.transaction.execute("UPDATE sessions SET session_id = ? WHERE token = ?", (session_id, token))


def refused(ledger: Ledger, token: str) -> None:
    """Note that no session was created."""
    ledger.transaction.execute("UPDATE sessions SET ended = 1 WHERE token = ?", (token,))


def ended(ledger: Ledger, session_id: str) -> None:
    """Note that a session was drained or closed."""
    ledger.transaction.execute("UPDATE sessions SET ended = 1 WHERE session_id = ?", (session_id,))


def left_open(ledger: Ledger, run_id: str) -> tuple[SessionEntry, ...]:
    """Return a run's sessions that have not ended, in the order in which they were meant."""
    rows = ledger.transaction.execute(
        """
        SELECT token, backend, mode, created, session_id FROM sessions
        WHERE run = (SELECT number FROM runs WHERE id = ?) AND ended = 0 ORDER BY created, token
        """,
        (run_id,),
    )
    return tuple(
        SessionEntry(token=token, run_id=run_id, backend=backend, mode=mode, created=created, session_id=session_id)
        for token, backend, mode, created, session_id in rows
    )
