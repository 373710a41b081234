"""Quantum seconds, reserved before a submission and settled after it."""

from __future__ import annotations

from qrt_async.journal.ledger import Ledger
from qrt_async.journal.records import BudgetState


def reserve(ledger: Ledger, name: str, ceiling: float, seconds: float, tag: str) -> bool:
    """Reserve the seconds and return True, or False where they would exceed the ceiling."""
    if ledger.transaction.execute("SELECT 1 FROM budgets WHERE name = ? AND tag = ?", (name, tag)):
        return True
    if state(ledger, name).used + seconds > ceiling:
        return False
    ledger.transaction.execute(
        "INSERT INTO budgets (name, tag, reserved) VALUES (?, ?, ?)", (name, tag, float(seconds))
    )
    return True


def settle(ledger: Ledger, tag: str, seconds: float) -> None:
    """Replace what was reserved, in every budget that the tag counts in, by what was used."""
    ledger.transaction.execute("UPDATE budgets SET spent = ? WHERE tag = ?", (float(seconds), tag))


def state(ledger: Ledger, name: str) -> BudgetState:
    """Return what is reserved and what is spent."""
    rows = ledger.transaction.execute(
        """
        SELECT coalesce(sum(CASE WHEN spent IS NULL THEN reserved ELSE 0.0 END), 0.0), coalesce(sum(spent), 0.0)
        FROM budgets WHERE name = ?
        """,
        (name,),
    )
    return BudgetState(*rows[0])
