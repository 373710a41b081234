"""Runs and their leases, and the PUBs that a run expects."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from qrt_async.errors import InvalidOption, JournalBusy, ResumeMismatch
from qrt_async.journal import owners
from qrt_async.journal.ledger import Ledger
from qrt_async.journal.owners import Life
from qrt_async.journal.records import Lease

LEASE = 60.0
"""Seconds that a lease lasts where nobody can say whether its owner lives."""

_DIGEST_BYTES = 16
"""Of the 32 of a SHA-256: enough to tell PUBs apart, and half of what a million of them take on disk."""


def hold(ledger: Ledger, run_id: str) -> int:
    """Return the number of a run that is ours, or becomes ours since nobody owns it; else raise JournalBusy."""
    found = ledger.transaction.execute("SELECT number, owner, expires FROM runs WHERE id = ?", (run_id,))
    if not found:
        return _begin(ledger, run_id)
    number, owner, expires = found[0]
    if _is_free(ledger, owner, expires):
        _take(ledger, number)
    elif not ledger.owned_by_us(owner):
        raise JournalBusy(run_id, owners.read(owner).pid)
    return int(number)


def claim(ledger: Ledger, run_id: str) -> Lease:
    """Own the run from now on, or longer if it is ours."""
    _take(ledger, hold(ledger, run_id))
    return Lease(run_id, ledger.now + LEASE)


def release(ledger: Ledger, run_id: str) -> None:
    """End our lease, if it is ours."""
    ledger.transaction.execute(
        "UPDATE runs SET expires = 0 WHERE id = ? AND owner = ?", (run_id, owners.written(ledger.owner))
    )


def release_all(ledger: Ledger) -> None:
    """End all our leases, and with them our submissions under way."""
    ours = owners.written(ledger.owner)
    ledger.transaction.execute("UPDATE runs SET expires = 0 WHERE owner = ?", (ours,))
    ledger.transaction.execute(
        "UPDATE quota_starts SET ended = ? WHERE owner = ? AND ended IS NULL", (ledger.now, ours)
    )


def abandoned(ledger: Ledger) -> tuple[str, ...]:
    """Return the runs that nobody owns and that have something left to do, in the order in which they began."""
    found = ledger.transaction.execute(
        """
        SELECT id, owner, expires FROM runs
        WHERE delivered < expected
            OR EXISTS (SELECT 1 FROM submissions WHERE run = runs.number AND state IN ('meant', 'submitted'))
            OR EXISTS (SELECT 1 FROM sessions WHERE run = runs.number AND ended = 0)
        ORDER BY number
        """
    )
    return tuple(run_id for run_id, owner, expires in found if _is_free(ledger, owner, expires))


def _begin(ledger: Ledger, run_id: str) -> int:
    rows = ledger.transaction.execute(
        """
        INSERT INTO runs (number, id, owner, expires, expected, delivered)
        SELECT coalesce(max(number), 0) + 1, ?, ?, ?, 0, 0 FROM runs
        RETURNING number
        """,
        (run_id, owners.written(ledger.owner), ledger.now + LEASE),
    )
    return int(rows[0][0])


def _take(ledger: Ledger, number: int) -> None:
    ledger.transaction.execute(
        "UPDATE runs SET owner = ?, expires = ? WHERE number = ?",
        (owners.written(ledger.owner), ledger.now + LEASE, number),
    )


def _is_free(ledger: Ledger, owner: str, expires: float) -> bool:
    """Return whether a lease has ended; that of a process that certainly lives ends only when it says so."""
    if expires == 0:
        return True
    life = ledger.life(owner)
    return life is Life.DEAD or (life is Life.UNKNOWN and expires <= ledger.now)


def is_living(ledger: Ledger, run: int) -> bool:
    """Return whether somebody, we ourselves included, owns that run."""
    owner, expires = ledger.transaction.execute("SELECT owner, expires FROM runs WHERE number = ?", (run,))[0]
    return not _is_free(ledger, owner, expires)


def expect(ledger: Ledger, run_id: str, first: int, digests: Sequence[str]) -> None:
    """Hold the PUBs `first`, `first` + 1, … to what the run began with, or begin it with them."""
    run, wanted = hold(ledger, run_id), [_short(digest) for digest in digests]
    known = ledger.transaction.execute(
        "SELECT position, digest FROM pubs WHERE run = ? AND position >= ? AND position < ? ORDER BY position",
        (run, first, first + len(wanted)),
    )
    for position, digest in known:
        if digest != wanted[position - first]:
            raise ResumeMismatch(run_id, position)
    if len(known) < len(wanted):
        added = ledger.transaction.execute_many(
            "INSERT INTO pubs (run, position, digest, delivered) VALUES (?, ?, ?, 0) ON CONFLICT DO NOTHING",
            ((run, position, digest) for position, digest in enumerate(wanted, first)),
        )
        ledger.transaction.execute("UPDATE runs SET expected = expected + ? WHERE number = ?", (added, run))


def _short(digest: str) -> bytes:
    try:
        found = bytes.fromhex(digest)
    except ValueError:
        found = b""
    if len(found) < _DIGEST_BYTES:
        raise InvalidOption("a digest is a SHA-256 in hexadecimal, as wire.digest gives it")
    return found[:_DIGEST_BYTES]


def deliver(ledger: Ledger, run_id: str, positions: Iterable[int]) -> None:
    """Note that the caller has these results."""
    found = ledger.transaction.execute("SELECT number FROM runs WHERE id = ?", (run_id,))
    for (run,) in found:
        changed = ledger.transaction.execute_many(
            "UPDATE pubs SET delivered = 1 WHERE run = ? AND position = ? AND delivered = 0",
            ((run, position) for position in positions),
        )
        ledger.transaction.execute("UPDATE runs SET delivered = delivered + ? WHERE number = ?", (changed, run))


def undelivered(ledger: Ledger, run_id: str, first: int, count: int) -> tuple[int, ...]:
    """Return which of those PUBs are expected and not delivered."""
    rows = ledger.transaction.execute(
        """
        SELECT position FROM pubs WHERE run = (SELECT number FROM runs WHERE id = ?)
            AND position >= ? AND position < ? AND delivered = 0
        ORDER BY position
        """,
        (run_id, first, first + count),
    )
    return tuple(position for (position,) in rows)


def expected(ledger: Ledger, run_id: str) -> int:
    """Return how many PUBs the run expects."""
    rows = ledger.transaction.execute("SELECT expected FROM runs WHERE id = ?", (run_id,))
    return int(rows[0][0]) if rows else 0
