"""SQLite in one thread, which commits in groups what was asked for meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import attrs

from qrt_async.errors import JournalError
from qrt_async.journal import sqlite_file
from qrt_async.journal.database import Row, Transaction, Value, Work

if TYPE_CHECKING:
    import sqlite3

T = TypeVar("T")

_LARGEST_GROUP = 1000


@attrs.frozen
class _SqliteTransaction:
    """Statements on a connection that is in a transaction."""

    connection: sqlite3.Connection

    def execute(self, sql: str, parameters: Sequence[Value] = ()) -> list[Row]:
        """Run one statement, and return its rows."""
        return self.connection.execute(sql, parameters).fetchall()

    def execute_many(self, sql: str, rows: Iterable[Sequence[Value]]) -> int:
        """Run a statement once for each of `rows`, and return how many rows of the table it changed."""
        return max(0, self.connection.executemany(sql, rows).rowcount)


@attrs.frozen
class _Failure:
    error: Exception


@attrs.frozen(eq=False)
class _Task(Generic[T]):
    """Work, and the future in its caller's loop that waits for it."""

    work: Work[T]
    writes: bool
    future: asyncio.Future[T]

    def settle(self, outcome: T | _Failure) -> None:
        """Hand over the outcome; a caller who has left, or whose loop has ended, does not want it."""
        with contextlib.suppress(RuntimeError):
            self.future.get_loop().call_soon_threadsafe(self._deliver, outcome)

    def _deliver(self, outcome: T | _Failure) -> None:
        if self.future.done():
            return
        if isinstance(outcome, _Failure):
            self.future.set_exception(outcome.error)
        else:
            self.future.set_result(outcome)


class SqliteDatabase:
    """
    A file of SQLite's behind :class:`~qrt_async.journal.database.Database`.

    The thread is a daemon: a database that nobody closes does not keep the interpreter from ending. What was awaited is
    on the disk itself (``synchronous=FULL``), so that neither ``kill -9`` nor a power cut loses it.
    """

    def __init__(self, path: Path, tables: Sequence[str]) -> None:
        self._path = path
        self._tables = tables
        self._tasks: queue.SimpleQueue[_Task[Any] | None] = queue.SimpleQueue()
        self._guard = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._ended: list[Callable[[], object]] = []

    async def run(self, work: Work[T], *, writes: bool = True) -> T:
        """Return what `work` returns, once what it wrote is on disk."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        with self._guard:
            if self._closed:
                raise JournalError(f"the journal {self._path} is closed: make a new one for the same file")
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name="qrt_async journal", daemon=True)
                self._thread.start()
            self._tasks.put(_Task(work, writes, future))
        return await future

    async def aclose(self) -> None:
        """Finish what was asked for, close the file and end the thread."""
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        with self._guard:
            thread, first, self._closed = self._thread, not self._closed, True
            if thread is None or not thread.is_alive():
                return
            self._ended.append(lambda: loop.call_soon_threadsafe(ended.set))
            if first:
                self._tasks.put(None)
        await ended.wait()

    def _serve(self) -> None:
        connection: sqlite3.Connection | None = None
        going_on = True
        while going_on:
            group, going_on = self._next_group()
            if not group:
                continue
            try:
                connection = connection or sqlite_file.connect(self._path, self._tables)
            except Exception as error:  # noqa: BLE001 - whatever it is, those who wait must hear of it
                outcomes: list[Any] = [_Failure(error)] * len(group)
            else:
                outcomes = self._committed(connection, group)
            for task, outcome in zip(group, outcomes, strict=True):
                task.settle(outcome)
        if connection is not None:
            connection.close()
        self._say_farewell()

    def _next_group(self) -> tuple[list[_Task[Any]], bool]:
        """Return all that waits, at least one task unless it is the end, and whether more may come."""
        group: list[_Task[Any]] = []
        task = self._tasks.get()
        while task is not None:
            group.append(task)
            if len(group) == _LARGEST_GROUP:
                return group, True
            try:
                task = self._tasks.get_nowait()
            except queue.Empty:
                return group, True
        return group, False

    def _say_farewell(self) -> None:
        with self._guard:
            waiters, self._ended = self._ended, []
            self._thread = None
        for wake in waiters:
            with contextlib.suppress(RuntimeError):
                wake()

    def _committed(self, connection: sqlite3.Connection, group: list[_Task[Any]]) -> list[Any]:
        """Return each task's outcome; where one takes the group's transaction along, each gets one of its own."""
        outcomes = self._together(connection, group)
        if outcomes is None:
            outcomes = [(self._together(connection, [task]) or [self._lost()])[0] for task in group]
        return outcomes

    def _together(self, connection: sqlite3.Connection, group: list[_Task[Any]]) -> list[Any] | None:
        """Do a group in one transaction; None where it was lost with more than one task in it."""
        import sqlite3

        writes = any(task.writes for task in group)
        try:
            connection.execute("BEGIN IMMEDIATE" if writes else "BEGIN")
        except sqlite3.Error as error:
            return [_Failure(sqlite_file.explained(error, self._path))] * len(group)
        try:
            outcomes = [self._done(connection, task) for task in group]
            connection.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - whatever it is, those who wait must hear of it
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            return [_Failure(sqlite_file.explained(error, self._path))] if len(group) == 1 else None
        return outcomes

    def _done(self, connection: sqlite3.Connection, task: _Task[Any]) -> Any:
        """Do one task; what it raises undoes that task alone, unless SQLite gave up the whole transaction."""
        import sqlite3

        transaction: Transaction = _SqliteTransaction(connection)
        connection.execute("SAVEPOINT task")
        try:
            outcome: Any = task.work(transaction)
        except Exception as error:
            if not connection.in_transaction:
                raise
            connection.execute("ROLLBACK TO task")
            is_ours = isinstance(error, sqlite3.Error)
            outcome = _Failure(sqlite_file.explained(error, self._path) if is_ours else error)
        connection.execute("RELEASE task")
        return outcome

    def _lost(self) -> _Failure:
        return _Failure(JournalError(f"the journal {self._path} lost a transaction: try again"))
