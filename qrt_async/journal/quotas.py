"""Submissions a minute, counted over all processes that share a journal."""

from __future__ import annotations

from collections.abc import Sequence

from qrt_async.journal import owners
from qrt_async.journal.ledger import Ledger
from qrt_async.journal.owners import Life

MINUTE = 60.0
LONGEST_SUBMISSION = 900.0
"""Seconds after which a submission of whose end nothing is known counts as ended (`Timeouts.submission`)."""

ASK_AGAIN = 1.0
"""Seconds to wait where only submissions of other processes that are still under way fill the quota."""


def wait(ends: Sequence[float | None], per_minute: int, now: float) -> float:
    """
    Return the seconds until a submission may start, 0 where it may at once.

    `ends` are the ends of those submissions that may still count, None while one is under way.
    """
    counting = [end for end in ends if end is None or end + MINUTE > now]
    if len(counting) < per_minute:
        return 0.0
    over = sorted(end for end in counting if end is not None)
    surplus = len(counting) - per_minute
    return over[surplus] + MINUTE - now if surplus < len(over) else ASK_AGAIN


def take(ledger: Ledger, user: str, ticket: str, per_minute: int | None) -> float:
    """Note the start of a submission and return 0, or the seconds after which to ask again."""
    tenant = ledger.pseudonym(user)
    held = _held(ledger, tenant)
    if held > 0:
        return held
    if per_minute is not None:
        _settle(ledger, tenant)
        rows = ledger.transaction.execute(
            "SELECT ended FROM quota_starts WHERE tenant = ? AND ticket <> ?", (tenant, ticket)
        )
        seconds = wait([end for (end,) in rows], per_minute, ledger.now)
        if seconds > 0:
            return seconds
    ledger.transaction.execute(
        "INSERT INTO quota_starts (ticket, tenant, owner, begun) VALUES (?, ?, ?, ?) ON CONFLICT (ticket) DO NOTHING",
        (ticket, tenant, owners.written(ledger.owner), ledger.now),
    )
    return 0.0


def done(ledger: Ledger, ticket: str) -> None:
    """Note the end of a submission; it counts for a minute more."""
    ledger.transaction.execute(
        "UPDATE quota_starts SET ended = ? WHERE ticket = ? AND ended IS NULL", (ledger.now, ticket)
    )


def give_back(ledger: Ledger, ticket: str) -> None:
    """Forget a submission that did not begin."""
    ledger.transaction.execute("DELETE FROM quota_starts WHERE ticket = ? AND ended IS NULL", (ticket,))


def hold(ledger: Ledger, user: str, seconds: float) -> None:
    """Let nobody start for that long; a longer hold stays."""
    ledger.transaction.execute(
        """
        INSERT INTO quota_holds (tenant, until) VALUES (?, ?) ON CONFLICT (tenant) DO UPDATE
        SET until = CASE WHEN excluded.until > quota_holds.until THEN excluded.until ELSE quota_holds.until END
        """,
        (ledger.pseudonym(user), ledger.now + seconds),
    )


def _held(ledger: Ledger, tenant: str) -> float:
    rows = ledger.transaction.execute("SELECT until FROM quota_holds WHERE tenant = ?", (tenant,))
    return float(rows[0][0]) - ledger.now if rows else 0.0


def _settle(ledger: Ledger, tenant: str) -> None:
    """
    Bring the log up to date: dead processes have ended what they had begun, and what no longer counts goes.

    Nothing ends in the future, whatever a clock that was set back says.
    """
    run = ledger.transaction.execute
    run("UPDATE quota_starts SET ended = ? WHERE tenant = ? AND ended > ?", (ledger.now, tenant, ledger.now))
    run("DELETE FROM quota_starts WHERE tenant = ? AND ended <= ?", (tenant, ledger.now - MINUTE))
    under_way = "SELECT ticket, owner, begun FROM quota_starts WHERE tenant = ? AND ended IS NULL"
    for ticket, owner, begun in run(under_way, (tenant,)):
        latest = begun + LONGEST_SUBMISSION
        if latest <= ledger.now or ledger.life(owner) is Life.DEAD:
            run("UPDATE quota_starts SET ended = ? WHERE ticket = ?", (min(latest, ledger.now), ticket))
