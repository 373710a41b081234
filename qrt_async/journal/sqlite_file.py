"""The journal's file: made, recognised, opened, and what is wrong with it in a sentence."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from qrt_async.errors import JournalError

if TYPE_CHECKING:
    import sqlite3

APPLICATION = 0x5152_544A
"""``QRTJ``, in the place where SQLite's files say which program they belong to."""

VERSION = 1

_PATIENCE = 30.0
"""Seconds to wait for another process that writes."""


def connect(path: Path, tables: Sequence[str]) -> sqlite3.Connection:
    """
    Return a connection to the journal at `path`, which is made where there is none.

    Raises:
        JournalError: the file is damaged, another program's or another version's, or cannot be written.

    """
    try:
        import sqlite3
    except ImportError as error:
        raise JournalError("this Python was built without sqlite3: use one that has it to keep a journal") from error
    _make(path)
    try:
        connection = sqlite3.connect(path.absolute(), timeout=_PATIENCE, isolation_level=None)
    except sqlite3.Error as error:
        raise explained(error, path) from error
    try:
        _prepare(connection, path, tables)
    except sqlite3.Error as error:
        connection.close()
        raise explained(error, path) from error
    except JournalError:
        connection.close()
        raise
    return connection


def _make(path: Path) -> None:
    """Make the file readable for its user alone, before SQLite would make it readable for all."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except (OSError, ValueError) as error:
        raise JournalError(
            f"the journal {path} cannot be opened: {error}. "
            "Give the path of a file in a folder that exists and that you may write to"
        ) from error


def _prepare(connection: sqlite3.Connection, path: Path, tables: Sequence[str]) -> None:
    if _is_new(connection, path):
        _switch_to_wal(connection, path)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("BEGIN IMMEDIATE")
    if _is_new(connection, path):
        for table in tables:
            connection.execute(table)
        connection.execute(f"PRAGMA application_id = {APPLICATION}")
        connection.execute(f"PRAGMA user_version = {VERSION}")
    connection.execute("COMMIT")
    [(verdict,)] = connection.execute("PRAGMA quick_check(1)").fetchall()
    if verdict != "ok":
        raise JournalError(_damaged(path))


def _is_new(connection: sqlite3.Connection, path: Path) -> bool:
    """
    Return whether the file is empty still; raise where it is no journal of this version.

    The tables are looked for first: whoever sees them sees all that was written with them.
    """
    [(tables,)] = connection.execute("SELECT count(*) FROM sqlite_master").fetchall()
    [(application,)] = connection.execute("PRAGMA application_id").fetchall()
    if application == tables == 0:
        return True
    [(version,)] = connection.execute("PRAGMA user_version").fetchall()
    if application != APPLICATION:
        raise JournalError(f"{path} is the database of another program: give the journal a file of its own")
    if version != VERSION:
        raise JournalError(
            f"the journal {path} was made by another version of qrt_async (form {version}, this one reads {VERSION}): "
            "finish its runs with that version, or give the path of a new file"
        )
    return False


def _switch_to_wal(connection: sqlite3.Connection, path: Path) -> None:
    """Turn on the write-ahead log; SQLite does not wait by itself for others that do the same at the same time."""
    import sqlite3

    until = time.monotonic() + _PATIENCE
    while True:
        try:
            [(mode,)] = connection.execute("PRAGMA journal_mode = WAL").fetchall()
        except sqlite3.OperationalError as error:
            if _code(error) != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.01)
            continue
        if mode != "wal":
            raise JournalError(f"the file system of {path} cannot hold a journal: put it on a local disk")
        return


def explained(error: Exception, path: Path) -> JournalError:
    """Return what SQLite says as an error that says what to do."""
    import sqlite3

    advice = {
        sqlite3.SQLITE_FULL: "the disk is full: free some space and try again; what was noted before is safe",
        sqlite3.SQLITE_IOERR: "the disk did not take or give the data: it may be full or failing",
        sqlite3.SQLITE_BUSY: "another process keeps it locked: let that one go on or end it, and try again",
        sqlite3.SQLITE_READONLY: "it cannot be written: give the path of a file in a folder that you may write to",
        sqlite3.SQLITE_CANTOPEN: "it cannot be opened: give the path of a file in a folder that you may write to",
    }
    code = _code(error)
    if code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
        return JournalError(_damaged(path))
    return JournalError(f"the journal {path} failed ({error}): {advice.get(code, 'what was noted before is safe')}")


def _code(error: Exception) -> int:
    """Return the primary one of SQLite's result codes."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def _damaged(path: Path) -> str:
    return (
        f"the journal {path} is damaged, or no journal: move it away and keep it, look for jobs that it may have known "
        "in the list of your jobs, and begin with a new file"
    )
