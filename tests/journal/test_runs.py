"""Who owns a run, and what it expects."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import attrs
import pytest

from qrt_async import InvalidOption, Journal, JournalBusy, Owner, ResumeMismatch
from qrt_async.journal.owners import this_process
from tests.journal.conftest import Wall, child, intent


@pytest.fixture
def wall() -> Wall:
    """A wall clock that is set by hand."""
    return Wall()


class Open(Protocol):
    """Opens the file as some owner, who has a run."""

    def __call__(self, owner: Owner | None) -> AbstractAsyncContextManager[Journal]: ...  # noqa: D102


@pytest.fixture
def owned(path: Path, wall: Wall) -> Open:
    """Open the file as some owner, who has a run."""

    @asynccontextmanager
    async def claimed(owner: Owner | None) -> AsyncIterator[Journal]:
        async with Journal(path, wall=wall, owner=owner) as journal:
            await journal.claim("run")
            await journal.intend(intent("tag"))
            yield journal

    return claimed


async def us() -> Owner:
    """Return the identity of this process."""
    return await asyncio.to_thread(this_process)


_CLAIMER = """
async def main():
    journal = Journal(path)
    await journal.claim("run")
    await journal.intend(intent("tag"))
    say("claimed")
    sys.stdin.readline()
asyncio.run(main())
"""


def test_a_living_process_keeps_its_run_and_a_killed_one_loses_it(path: Path) -> None:
    """While a process lives its run is busy, by its number; once killed, even unburied, anybody may go on at once."""

    async def claim() -> tuple[str, ...]:
        async with Journal(path) as journal:
            abandoned = await journal.abandoned_runs()
            await journal.claim("run")
            return abandoned

    with child(_CLAIMER, path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "claimed\n"
        with pytest.raises(JournalBusy) as busy:
            asyncio.run(claim())
        process.send_signal(signal.SIGKILL)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        abandoned = asyncio.run(claim())

    assert busy.value.pid == process.pid
    assert busy.value.run_id == "run"
    assert abandoned == ("run",)


async def test_a_living_owner_that_forgot_to_renew_keeps_its_run(owned: Open, path: Path, wall: Wall) -> None:
    """A process that certainly lives is never robbed, however late it is."""
    async with owned(None), Journal(path, wall=wall) as other:
        wall.now += 10 * Journal.LEASE

        with pytest.raises(JournalBusy):
            await other.claim("run")
        with pytest.raises(JournalBusy):
            await other.intend(intent("tag-2"))
        assert await other.abandoned_runs() == ()


@pytest.mark.parametrize(
    "changes",
    [{"boot": "before the reboot"}, {"started": "1"}, {"pid": 2**22 + 1}],
    ids=["another boot", "the number of a later process", "no such process"],
)
async def test_a_dead_owner_loses_its_run_at_once(owned: Open, path: Path, wall: Wall, changes: dict[str, Any]) -> None:
    """An owner that certainly is dead need not be waited for."""
    dead = attrs.evolve(await us(), nonce="dead", **changes)
    async with owned(dead), Journal(path, wall=wall) as ours:
        assert await ours.abandoned_runs() == ("run",)
        lease = await ours.claim("run")
        assert lease.expires == wall.now + Journal.LEASE
        assert await ours.abandoned_runs() == ()
        assert [one.tag for one in await ours.submissions("run")] == ["tag"]


@pytest.mark.parametrize(
    "changes", [{"namespace": "pid:[1]"}, {"boot": None}], ids=["another container", "a system that does not say"]
)
async def test_where_nobody_knows_time_decides(owned: Open, path: Path, wall: Wall, changes: dict[str, Any]) -> None:
    """An owner of whom nothing can be known keeps its run as long as it renews it in time."""
    far = attrs.evolve(await us(), nonce="far", pid=1, **changes)
    async with owned(far) as theirs, Journal(path, wall=wall) as ours:
        wall.now += 0.9 * Journal.LEASE
        assert (await theirs.renew("run")).expires == wall.now + Journal.LEASE
        wall.now += 0.9 * Journal.LEASE
        with pytest.raises(JournalBusy):
            await ours.claim("run")
        wall.now += 0.2 * Journal.LEASE
        assert await ours.abandoned_runs() == ("run",)
        await ours.claim("run")
        with pytest.raises(JournalBusy):
            await theirs.renew("run")


async def test_what_is_given_up_is_free(owned: Open, path: Path, wall: Wall) -> None:
    """A released run, and the runs of a closed journal, can be claimed at once; a foreign one cannot be released."""
    async with Journal(path, wall=wall) as other:
        async with owned(None) as journal:
            await other.release("run")
            with pytest.raises(JournalBusy):
                await other.claim("run")
            await journal.release("run")
            await other.claim("run")
            await other.release("run")
            await journal.intend(intent("tag-2"))
            with pytest.raises(JournalBusy):
                await other.claim("run")
        await other.claim("run")


async def test_abandoned_is_what_has_something_left(path: Path) -> None:
    """Only runs with an open submission, an open session or an undelivered PUB are worth resuming."""
    async with Journal(path) as journal:
        await journal.claim("idle")
        for run_id in ("refused", "finished", "submitted"):
            await journal.intend(intent(f"tag-{run_id}", run_id=run_id))
        await journal.refused("tag-refused", "no such backend")
        await journal.submitted("tag-finished", "job-1")
        await journal.finished("job-1", "Completed")
        await journal.submitted("tag-submitted", "job-2")
        await journal.session_meant("token-1", "session", "ibm_x", "batch")
        await journal.session_meant("token-2", "ended", "ibm_x", "batch")
        await journal.session_opened("token-2", "id-2")
        await journal.session_ended("id-2")
        await journal.expect_many("campaign", 0, ["aa" * 32, "bb" * 32])
        await journal.expect_many("delivered", 0, ["aa" * 32])
        await journal.delivered("delivered", [0])

    async with Journal(path) as journal:
        assert await journal.abandoned_runs() == ("submitted", "session", "campaign")


def digests(count: int) -> list[str]:
    """Return that many different digests."""
    return [f"{i:032x}" * 2 for i in range(count)]


async def test_a_resumed_run_expects_the_same_pubs(journal: Journal) -> None:
    """The first PUB that differs is named; what agrees, or is new at the end, is taken."""
    wanted = digests(25_000)
    await journal.expect_many("run", 0, wanted[:20_000])
    await journal.expect_many("run", 0, wanted)
    assert await journal.expected("run") == 25_000

    changed = [*wanted[:12_345], "ff" * 32, *wanted[12_346:]]
    with pytest.raises(ResumeMismatch, match="PUB 12345 is not the one") as mismatch:
        await journal.expect_many("run", 0, changed)
    assert mismatch.value.index == 12_345
    with pytest.raises(ResumeMismatch):
        await journal.expect_many("run", 12_345, ["ff" * 32])
    assert await journal.expected("run") == 25_000


async def test_a_digest_is_a_digest(journal: Journal) -> None:
    """What is no SHA-256 is refused."""
    for wrong in ("", "abc", "zz" * 32):
        with pytest.raises(InvalidOption):
            await journal.expect_many("run", 0, [wrong])


async def test_a_result_is_undelivered_until_it_is_acknowledged(journal: Journal) -> None:
    """Delivering is noted once, for PUBs that are expected."""
    await journal.expect_many("run", 0, digests(100))
    await journal.delivered("run", range(1, 90))
    await journal.delivered("run", [1, 2, 3, 5_000])
    await journal.delivered("nobody's", [1])

    assert await journal.undelivered("run") == (0, *range(90, 100))
    assert await journal.undelivered("run", 95, 3) == (95, 96, 97)


async def test_a_hundred_thousand_pubs_are_cheap(journal: Journal, path: Path) -> None:
    """A PUB takes less than fifty bytes of the file."""
    await journal.expect_many("run", 0, digests(100_000))
    await journal.aclose()

    assert await asyncio.to_thread(lambda: path.stat().st_size) < 50 * 100_000
