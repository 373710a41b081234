"""
What the journal asks of a database.

Everything above is written against these two protocols, in SQL that SQLite and PostgreSQL share: text, integer, double
precision and blob, ``ON CONFLICT``, ``RETURNING``, ``?`` for a parameter. What a database has of its own (opening,
locking, tuning) stays in its driver.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, TypeVar

T = TypeVar("T")

Value = str | int | float | bytes | None
Row = tuple[Any, ...]


class Transaction(Protocol):
    """Statements that take effect together or not at all, and that no other process can come between."""

    def execute(self, sql: str, parameters: Sequence[Value] = ()) -> list[Row]:
        """Run one statement, and return its rows."""
        ...

    def execute_many(self, sql: str, rows: Iterable[Sequence[Value]]) -> int:
        """Run a statement once for each of `rows`, and return how many rows of the table it changed."""
        ...


Work = Callable[[Transaction], T]
"""What is done in a transaction; it may be done again where the transaction was lost, and touches nothing else."""


class Database(Protocol):
    """Does work in transactions, off the event loop."""

    async def run(self, work: Work[T], *, writes: bool = True) -> T:
        """
        Return what `work` returns, once what it wrote is on disk; whatever it raises undoes what it wrote.

        A call that is cancelled is carried out all the same.

        Raises:
            JournalError: the database cannot be opened, read or written.

        """
        ...

    async def aclose(self) -> None:
        """Finish what was asked for, and let go of the database."""
        ...
