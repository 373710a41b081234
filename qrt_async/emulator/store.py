"""The state file: SQLite, written by a thread of its own so that the event loop never waits for a disk."""

from __future__ import annotations

import logging
import sqlite3
import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Self

import attrs

from qrt_async.emulator import saved

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from qrt_async.emulator.clock import Instant
    from qrt_async.emulator.ledger import Charge
    from qrt_async.emulator.records import Job, Session

    Write = Callable[[], tuple[str, tuple[Any, ...]]]

_log = logging.getLogger(__name__)

_TABLES = (
    "CREATE TABLE IF NOT EXISTS jobs (id TEXT PRIMARY KEY, number INTEGER, fixed TEXT, state TEXT, body BLOB)",
    "CREATE TABLE IF NOT EXISTS sessions (id TEXT PRIMARY KEY, document TEXT)",
    "CREATE TABLE IF NOT EXISTS charges (number INTEGER PRIMARY KEY, document TEXT)",
    "CREATE TABLE IF NOT EXISTS limits (crn TEXT PRIMARY KEY, seconds INTEGER)",
    "CREATE TABLE IF NOT EXISTS works (one INTEGER PRIMARY KEY, number INTEGER)",
)
_FORMAT = 1  # of the tables and of what stands in them
_BATCH = 500  # writes per transaction at most


class StateFileError(Exception):
    """The state file cannot be used; the message says why."""


@attrs.frozen
class Remembered:
    """What a state file held: jobs in the order they were submitted, sessions, charges, limits by CRN.

    `works` counts the works that had got a seed.
    """

    jobs: tuple[Job, ...]
    sessions: tuple[Session, ...]
    charges: tuple[Charge, ...]
    limits: dict[str, int]
    works: int


class Store:
    """One state file, owned by one emulator at a time; what is written lasts once `close` has returned.

    A kill in between loses the last moments at most, never the file.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._writes: SimpleQueue[Write | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._write_all, name="state file", daemon=True)
        self._thread.start()

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open or make the file; blocks. Raises StateFileError for one in use, or one that is something else."""
        try:
            connection = sqlite3.connect(path, timeout=0.5, check_same_thread=False, isolation_level=None)
        except sqlite3.Error as error:
            raise StateFileError(f"cannot open the state file {path}: {error}") from error
        try:
            for setting in ("locking_mode=EXCLUSIVE", "journal_mode=WAL", "synchronous=NORMAL"):
                connection.execute(f"PRAGMA {setting}")
            _prepare(connection)
        except (sqlite3.Error, StateFileError) as error:
            connection.close()
            raise StateFileError(f"cannot use the state file {path}: {error}") from error
        return cls(connection)

    def read(self, now: Instant) -> Remembered:
        """Give what the file held when it was opened; blocks, and comes before anything is written."""
        ask = self._connection.execute
        jobs = ask("SELECT id, fixed, state, body FROM jobs ORDER BY number").fetchall()
        return Remembered(
            tuple(saved.read_job(name, fixed, state, body, now) for name, fixed, state, body in jobs),
            tuple(saved.read_session(name, text, now) for name, text in ask("SELECT id, document FROM sessions")),
            tuple(saved.read_charge(text) for (text,) in ask("SELECT document FROM charges ORDER BY number")),
            dict(ask("SELECT crn, seconds FROM limits").fetchall()),
            sum(number for (number,) in ask("SELECT number FROM works")),
        )

    def add_job(self, job: Job, number: int) -> None:
        """Write a new job, the `number`th work of this emulator."""
        state = saved.job_state(job)
        self._writes.put(
            lambda: ("INSERT INTO jobs VALUES (?, ?, ?, ?, NULL)", (job.id, number, saved.job_order(job), state))
        )
        self._put("INSERT OR REPLACE INTO works VALUES (1, ?)", number)

    def change_job(self, job: Job) -> None:
        """Write a job's new state, and its results if it has any."""
        self._put("UPDATE jobs SET state = ?, body = ? WHERE id = ?", saved.job_state(job), job.body, job.id)

    def forget_job(self, job_id: str) -> None:
        """Take a deleted job out."""
        self._put("DELETE FROM jobs WHERE id = ?", job_id)

    def forget_params(self, job: Job) -> None:
        """Write a finished private job again, without its inputs."""
        bare = attrs.evolve(job, order=attrs.evolve(job.order, params={}))
        self._put("UPDATE jobs SET fixed = ? WHERE id = ?", saved.job_order(bare), job.id)

    def put_session(self, session: Session) -> None:
        """Write a new session, or a session's new state."""
        self._put("INSERT OR REPLACE INTO sessions VALUES (?, ?)", session.id, saved.session(session))

    def add_charge(self, charge: Charge) -> None:
        """Write a new charge."""
        self._put("INSERT INTO charges (document) VALUES (?)", saved.charge(charge))

    def put_limit(self, crn: str, seconds: int | None) -> None:
        """Write an instance's limit, or take it out (None)."""
        if seconds is None:
            self._put("DELETE FROM limits WHERE crn = ?", crn)
        else:
            self._put("INSERT OR REPLACE INTO limits VALUES (?, ?)", crn, seconds)

    def close(self) -> None:
        """Write what is left and close the file; blocks."""
        self._writes.put(None)
        self._thread.join()
        self._connection.close()

    def _put(self, statement: str, *values: Any) -> None:
        self._writes.put(lambda: (statement, values))

    def _write_all(self) -> None:
        going_on = True
        while going_on:
            batch = [self._writes.get()]
            while not self._writes.empty() and len(batch) < _BATCH:
                batch.append(self._writes.get())
            going_on = batch[-1] is not None
            try:
                self._write([write for write in batch if write is not None])
            except sqlite3.Error:
                _log.exception("the state file could not be written")

    def _write(self, batch: list[Write]) -> None:
        self._connection.execute("BEGIN")
        try:
            for write in batch:
                self._connection.execute(*write())
        except sqlite3.Error:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")


def _prepare(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    (found,) = connection.execute("PRAGMA user_version").fetchone()
    if found not in (0, _FORMAT):
        raise StateFileError(f"its format is {found}, and this emulator reads {_FORMAT}")
    for table in _TABLES:
        connection.execute(table)
    connection.execute(f"PRAGMA user_version = {_FORMAT}")
    connection.execute("COMMIT")
