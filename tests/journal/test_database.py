"""The file under fire: many writers, cancelled ones, a full disk, damage, and ends that nobody announced."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import signal
import sqlite3
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from qrt_async import Journal, JournalError, KeyMismatch
from qrt_async.journal.database import Transaction
from qrt_async.journal.sqlite import SqliteDatabase
from tests.journal.conftest import child, heard, intent


@contextlib.contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """Give the file as SQLite sees it."""
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        yield connection
    finally:
        connection.close()


def submissions(path: Path) -> dict[str, str | None]:
    """Return the job of every tag in the file."""

    async def read() -> dict[str, str | None]:
        async with Journal(path) as journal:
            return {one.tag: one.job_id for one in await journal.submissions("run")}

    return asyncio.run(read())


async def test_a_thousand_writers_at_once(journal: Journal) -> None:
    """Whatever is written at once is written, in the order in which it was asked for."""
    await asyncio.gather(*(journal.intend(intent(f"tag-{i}")) for i in range(1000)))

    assert [one.tag for one in await journal.submissions("run")] == [f"tag-{i}" for i in range(1000)]


async def test_one_that_fails_undoes_no_other(journal: Journal) -> None:
    """An error of one caller's in the middle of a group leaves what the others wrote."""
    await journal.intend(intent("first", key="order-42"))
    calls = [intent("good-1"), intent("bad", key="order-42", digest="other"), intent("good-2")]
    outcomes = await asyncio.gather(*map(journal.intend, calls), return_exceptions=True)

    assert [isinstance(outcome, KeyMismatch) for outcome in outcomes] == [False, True, False]
    assert [one.tag for one in await journal.submissions("run")] == ["first", "good-1", "good-2"]


async def test_what_raises_undoes_what_it_wrote(path: Path) -> None:
    """Work that wrote and then failed leaves nothing, while what shared its transaction stays."""
    database = SqliteDatabase(path, ("CREATE TABLE words (word text)",))

    def write(word: str, divisor: int, transaction: Transaction) -> float:
        transaction.execute("INSERT INTO words (word) VALUES (?)", (word,))
        return 1 / divisor

    words = {"one": 1, "two": 0, "three": 1}
    calls = [database.run(functools.partial(write, word, divisor)) for word, divisor in words.items()]
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    rows = await database.run(lambda transaction: transaction.execute("SELECT word FROM words"), writes=False)
    await database.aclose()

    assert [isinstance(outcome, ZeroDivisionError) for outcome in outcomes] == [False, True, False]
    assert rows == [("one",), ("three",)]


async def test_writers_that_leave_disturb_nobody(journal: Journal) -> None:
    """Cancelled in mid-queue, a call is carried out all the same, and so are all others."""
    await journal.open()
    tasks = [asyncio.create_task(journal.intend(intent(f"tag-{i}"))) for i in range(300)]
    await asyncio.sleep(0)
    leavers = tasks[::3]
    for task in leavers:
        task.cancel()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)

    assert sum(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes) == len(leavers)
    assert len(await journal.submissions("run")) == 300


async def test_the_loop_goes_on_while_the_disk_does_not(journal: Journal, path: Path) -> None:
    """A file that another program keeps locked holds up the caller alone."""
    await journal.open()
    with await asyncio.to_thread(_locked, path) as lock:
        task = asyncio.create_task(journal.intend(intent("tag")))
        for _ in range(1000):
            await asyncio.sleep(0)
        assert not task.done()
        await asyncio.to_thread(lock.execute, "ROLLBACK")
        assert not (await task).repeated
    await asyncio.to_thread(lock.close)


def _locked(path: Path) -> sqlite3.Connection:
    lock = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    lock.execute("BEGIN IMMEDIATE")
    return lock


def test_constructing_touches_nothing(path: Path) -> None:
    """A journal that was only made has no file."""
    Journal(path)

    assert not path.exists()


async def test_the_file_is_its_users_alone(journal: Journal, path: Path) -> None:
    """The file and what SQLite puts beside it can be read by the user alone."""
    await journal.intend(intent("tag"))

    files = await asyncio.to_thread(lambda: list(path.parent.iterdir()))
    assert {file.name for file in files} == {"journal.db", "journal.db-wal", "journal.db-shm"}
    modes = await asyncio.to_thread(lambda: {stat.S_IMODE(file.stat().st_mode) for file in files})
    assert modes == {0o600}


async def test_closing_writes_what_was_asked_for(path: Path) -> None:
    """What was on its way when the journal was closed is in the file, and closing again does nothing."""
    journal = Journal(path)
    await journal.open()
    tasks = [asyncio.create_task(journal.intend(intent(f"tag-{i}"))) for i in range(50)]
    await asyncio.sleep(0)
    await asyncio.gather(journal.aclose(), journal.aclose())
    await asyncio.gather(*tasks)
    await journal.aclose()

    async with Journal(path) as again:
        assert len(await again.submissions("run")) == 50
    with pytest.raises(JournalError, match="is closed: make a new one"):
        await journal.open()


def test_a_journal_outlives_its_event_loop(path: Path) -> None:
    """One journal serves one loop after another, also when a loop ended in the middle of a call."""
    journal = Journal(path)

    async def leave() -> None:
        await journal.open()
        asyncio.get_running_loop().call_soon(asyncio.current_task().cancel)  # type: ignore[union-attr]
        await journal.intend(intent("left"))

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(leave())

    async def come_back() -> list[str]:
        async with journal:
            return [one.tag for one in await journal.submissions("run")]

    assert asyncio.run(come_back()) == ["left"]


def test_a_forgotten_close_does_not_hang_the_interpreter(path: Path) -> None:
    """A process that never closes its journal ends by itself, and what it awaited is there."""
    heard("asyncio.run(Journal(path).intend(intent('tag')))", path)

    assert submissions(path) == {"tag": None}


_WRITER = """
async def main():
    journal = Journal(path)
    async def one(number):
        await journal.intend(intent(f"tag-{number}"))
        say(f"tag-{number}", "-")
        await journal.submitted(f"tag-{number}", f"job-{number}")
        say(f"tag-{number}", f"job-{number}")
    for start in range(0, 100_000, 8):
        await asyncio.gather(*(one(number) for number in range(start, start + 8)))
asyncio.run(main())
"""


@pytest.mark.parametrize("seed", range(6))
def test_kill_9_loses_nothing_that_was_awaited(path: Path, seed: int) -> None:
    """Killed at any point, a process leaves every write that it had awaited, and a sound file."""
    with child(_WRITER, path) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(Random(seed).randrange(1, 400))]
        process.send_signal(signal.SIGKILL)
        lines += [line for line in process.stdout if line.endswith("\n")]
    known = submissions(path)

    for line in lines:
        tag, job_id = line.split()
        assert tag in known
        assert job_id in {"-", known[tag]}


_SHARER = """
async def main():
    async with Journal(path) as journal:
        say("ready")
        sys.stdin.readline()
        for start in range(0, 400, 2):
            calls = [intent(f"{arguments[0]}-{i}", run_id=arguments[0], key=f"key-{i}") for i in (start, start + 1)]
            for standing in await asyncio.gather(*map(journal.intend, calls)):
                if not standing.repeated:
                    say(standing.key)
asyncio.run(main())
"""


def test_two_processes_share_a_file(path: Path) -> None:
    """Of the same keys in two processes at once, each becomes one submission, and neither process fails."""
    with child(_SHARER, path, "one") as one, child(_SHARER, path, "two") as two:
        assert [process.stdout.readline() for process in (one, two) if process.stdout] == ["ready\n"] * 2
        for process in (one, two):
            assert process.stdin is not None
            process.stdin.write("go\n")
        keys = [key for process in (one, two) for key in process.communicate(timeout=30)[0].split()]
        assert (one.returncode, two.returncode) == (0, 0)

    assert sorted(keys) == sorted(f"key-{i}" for i in range(400))


_FULL = """
import resource

async def main():
    async with Journal(path) as journal:
        await journal.intend(intent("before"))
        hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, hard))
        spool = await journal.spool("job")
        outcomes = await asyncio.gather(
            journal.intend(intent("small-1")), spool.feed(b"x" * 1_000_000), journal.intend(intent("small-2")),
            return_exceptions=True,
        )
        say([isinstance(outcome, JournalError) for outcome in outcomes])
        say(outcomes[1])
        try:
            for number in range(100_000):
                await journal.intend(intent(f"more-{number}"))
        except JournalError:
            say("full")
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        await journal.intend(intent("after"))
        try:
            await spool.finish()
        except JournalError:
            say(await journal.spooled("job"))
asyncio.run(main())
"""


def test_a_full_disk_is_said_and_survived(path: Path) -> None:
    """What does not fit is refused with advice, what fits beside it is written, and all works once there is room."""
    outcomes, advice, full, spooled = heard(_FULL, path)

    assert outcomes == "[False, True, False]"
    assert "full" in advice
    assert full == "full"
    assert spooled == "None"
    assert {"before", "small-1", "small-2", "after"} <= submissions(path).keys()


def _damage(path: Path) -> None:
    asyncio.run(_filled(path))
    data = bytearray(path.read_bytes())
    data[4096 * 3 : 4096 * 8] = b"\xa5" * (4096 * 5)
    path.write_bytes(data)


async def _filled(path: Path) -> None:
    async with Journal(path) as journal:
        await asyncio.gather(*(journal.intend(intent(f"tag-{i}")) for i in range(500)))


def _other_version(path: Path) -> None:
    asyncio.run(_filled(path))
    with opened(path) as connection:
        connection.execute("PRAGMA user_version = 99")


def _other_program(path: Path) -> None:
    with opened(path) as connection:
        connection.execute("CREATE TABLE cookies (name text)")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_damage, "is damaged, or no journal: move it away"),
        (lambda path: path.write_bytes(b"no database at all\n" * 100), "is damaged, or no journal: move it away"),
        (_other_version, "made by another version of qrt_async"),
        (_other_program, "the database of another program"),
        (lambda path: path.mkdir(), "Give the path of a file"),
    ],
)
def test_a_file_that_is_no_journal_is_refused(path: Path, spoil: object, message: str) -> None:
    """What cannot be a journal of ours is refused at once, with what to do, and is left as it is."""
    assert callable(spoil)
    spoil(path)
    before = path.read_bytes() if path.is_file() else b""

    with pytest.raises(JournalError, match=message):
        asyncio.run(Journal(path).open())
    assert (path.read_bytes() if path.is_file() else b"") == before


async def test_a_folder_that_is_missing_may_come(path: Path) -> None:
    """A path that cannot be opened is refused, and opened once it can be."""
    journal = Journal(path.parent / "later" / "journal.db")
    with pytest.raises(JournalError, match="in a folder that exists"):
        await journal.open()
    await asyncio.to_thread((path.parent / "later").mkdir)
    async with journal:
        assert not (await journal.intend(intent("tag"))).repeated


_NOBODY = """
import sqlite3

if os.geteuid() == 0:
    os.setuid(65534)
try:
    asyncio.run(Journal(path).open())
except JournalError as error:
    say(error)
"""


def test_a_folder_that_may_not_be_written_is_refused() -> None:
    """A folder without write permission is an error that says so, before anything is sent."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o500)
        [message] = heard(_NOBODY, Path(folder) / "journal.db")

    assert "in a folder that exists and that you may write to" in message
