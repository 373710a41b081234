"""A private job's result on its way to the disk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import attrs

from qrt_async.errors import JournalError
from qrt_async.journal.ledger import Ledger

_BLOCK = 256 * 1024
"""Bytes that are kept until they are worth a write of their own."""


class _Do(Protocol):
    async def __call__(self, work: Callable[[Ledger], None]) -> None: ...


@attrs.define(eq=False)
class Spool:
    """
    The raw bytes of one result, written as they arrive.

    What an earlier reading left is replaced by the first bytes of this one, and not before.
    """

    _job_id: str
    _do: _Do
    _written: int = 0
    _waiting: bytearray = attrs.field(factory=bytearray)

    async def feed(self, chunk: bytes) -> None:
        """Take the next bytes; the last quarter of a megabyte may still be in memory."""
        self._waiting += chunk
        if len(self._waiting) >= _BLOCK:
            await self._write(whole=False)

    async def finish(self) -> None:
        """Mark the result as whole; all of it is on disk then."""
        await self._write(whole=True)

    async def _write(self, *, whole: bool) -> None:
        data, number, job_id = bytes(self._waiting), self._written, self._job_id
        self._waiting.clear()
        self._written += 1
        await self._do(lambda ledger: append(ledger, job_id, number, data, whole=whole))


def begin(ledger: Ledger, job_id: str) -> None:
    """Refuse to read a result again that is here already."""
    if ledger.transaction.execute("SELECT 1 FROM spools WHERE job_id = ? AND whole = 1", (job_id,)):
        raise JournalError(f"the result of job {job_id} is in the journal already: take it from there")


def append(ledger: Ledger, job_id: str, number: int, data: bytes, *, whole: bool) -> None:
    """Write a block; the first one replaces what an earlier reading left, and none follows one that was not written."""
    run = ledger.transaction.execute
    if number == 0:
        begin(ledger, job_id)
        run("DELETE FROM chunks WHERE job_id = ?", (job_id,))
    elif not run("SELECT 1 FROM chunks WHERE job_id = ? AND number = ?", (job_id, number - 1)):
        raise JournalError(
            f"a part of the result of job {job_id} could not be written: what there is of it is not whole"
        )
    run("INSERT INTO chunks (job_id, number, data) VALUES (?, ?, ?)", (job_id, number, data))
    run(
        "INSERT INTO spools (job_id, whole) VALUES (?, ?) ON CONFLICT (job_id) DO UPDATE SET whole = excluded.whole",
        (job_id, int(whole)),
    )


def stored(ledger: Ledger, job_id: str, *, whole: bool) -> bytes | None:
    """Return a result that is whole, or what there is of one that is not."""
    run = ledger.transaction.execute
    rows: list[tuple[Any, ...]] = run("SELECT whole FROM spools WHERE job_id = ?", (job_id,))
    if not rows or bool(rows[0][0]) is not whole:
        return None
    chunks = run("SELECT data FROM chunks WHERE job_id = ? ORDER BY number", (job_id,))
    return b"".join(data for (data,) in chunks)
