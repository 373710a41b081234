"""What was meant and what became of it: submissions, private results, sessions, budgets."""

from __future__ import annotations

import asyncio
from pathlib import Path

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qrt_async import BudgetState, Intent, Journal, JournalError, KeyMismatch, SubmissionState
from qrt_async.journal.owners import this_process
from qrt_async.journal.submissions import _ranges, _unfolded
from tests.journal.conftest import heard, intent


async def test_a_submission_keeps_what_was_meant(path: Path) -> None:
    """Everything that an intent says comes back, from a later process as well."""
    meant = Intent(
        tag="tag",
        run_id="run",
        digest="d",
        program="estimator",
        backend="ibm_x",
        tenant="crn:mine",
        key="order-42",
        private=True,
        session_id="session-1",
        positions=(5, 6, 7, 2, 9),
    )
    async with Journal(path, wall=lambda: 123.5) as journal:
        standing = await journal.intend(meant)
    async with Journal(path) as journal:
        [found] = await journal.submissions("run")

    assert found == attrs.evolve(standing, repeated=True)
    assert not standing.repeated
    names = [field.name for field in attrs.fields(Intent) if field.name != "tenant"]
    assert {name: getattr(found, name) for name in names} == {name: getattr(meant, name) for name in names}
    assert (found.state, found.created, found.job_id) == (SubmissionState.MEANT, 123.5, None)


async def test_a_submission_goes_its_way(journal: Journal) -> None:
    """Meant, submitted, finished; a kept job replaces another, and what exists cannot be refused."""
    await journal.intend(intent("tag"))
    await journal.submitted("tag", "job-1")
    await journal.submitted("tag", "job-2")
    await journal.refused("tag", "too late")
    [found] = await journal.submissions("run")
    assert (found.state, found.job_id, found.reason) == (SubmissionState.SUBMITTED, "job-2", None)

    await journal.finished("job-1", "Cancelled")
    await journal.finished("job-2", "Completed")
    await journal.submitted("tag", "job-2")
    [found] = await journal.submissions("run")
    assert (found.state, found.status) == (SubmissionState.FINISHED, "Completed")

    await journal.submitted("tag", "job-3")
    [found] = await journal.submissions("run")
    assert (found.state, found.status, found.job_id) == (SubmissionState.SUBMITTED, None, "job-3")


async def test_what_was_never_meant_cannot_be_submitted(journal: Journal) -> None:
    """A tag without an intent is an error of the caller's."""
    with pytest.raises(JournalError, match="knows no submission with the tag 'tag'"):
        await journal.submitted("tag", "job-1")
    with pytest.raises(JournalError):
        await journal.refused("tag", "why")


async def test_a_key_gives_the_same_submission_again(journal: Journal) -> None:
    """The same key of the same tenant gives what stands, with its job; another tenant's is another one."""
    first = await journal.intend(intent("tag-1", key="order-42", tenant="mine"))
    await journal.submitted("tag-1", "job-1")
    again = await journal.intend(intent("tag-2", key="order-42", tenant="mine"))
    other = await journal.intend(intent("tag-3", key="order-42", tenant="theirs"))

    assert (first.repeated, again.repeated, other.repeated) == (False, True, False)
    assert (again.tag, again.job_id) == ("tag-1", "job-1")
    assert await journal.by_key("order-42", tenant="mine") == again
    assert await journal.by_key("order-42", tenant="nobody") is None
    with pytest.raises(KeyMismatch, match=r"'order-42' was used .* job-1") as mismatch:
        await journal.intend(intent("tag-4", key="order-42", tenant="mine", digest="other"))
    assert mismatch.value.job_id == "job-1"


async def test_a_refused_submission_binds_nobody(journal: Journal) -> None:
    """After a refusal the same key and the same tag may be used for what was put right."""
    await journal.intend(intent("tag-1", key="order-42"))
    await journal.refused("tag-1", "no such backend")
    [refused] = await journal.submissions("run")
    assert (refused.state, refused.reason) == (SubmissionState.REFUSED, "no such backend")
    standing = await journal.intend(intent("tag-1", key="order-42", digest="better"))

    assert (standing.repeated, standing.digest, standing.reason) == (False, "better", None)


async def test_a_tag_stands_once(journal: Journal) -> None:
    """The same tag again is the same submission, and never one of other content."""
    await journal.intend(intent("tag"))
    assert (await journal.intend(intent("tag"))).repeated
    with pytest.raises(KeyMismatch):
        await journal.intend(intent("tag", digest="other"))


async def test_what_a_dead_process_meant_is_inherited_and_a_living_ones_is_not(path: Path) -> None:
    """Under a key that a dead process left at its intent, the next one settles it; a living one is left alone."""
    here = await asyncio.to_thread(this_process)
    dead = attrs.evolve(here, nonce="dead", boot="before the reboot")
    async with Journal(path, owner=dead) as theirs, Journal(path) as ours:
        await theirs.intend(intent("tag-1", run_id="theirs", key="order-42"))
        standing = await ours.intend(intent("tag-2", run_id="ours", key="order-42"))
        assert (standing.tag, standing.run_id, standing.repeated) == ("tag-1", "ours", True)
        assert await ours.abandoned_runs() == ()

        async with Journal(path) as living:
            standing = await living.intend(intent("tag-3", run_id="third", key="order-42"))
            assert (standing.tag, standing.run_id) == ("tag-1", "ours")


@given(st.lists(st.integers(0, 50)))
def test_positions_survive_folding(positions: list[int]) -> None:
    """Any positions in any order come back as they were."""
    assert _unfolded(_ranges(positions)) == tuple(positions)


async def test_a_result_is_spooled_whole_or_not_at_all(path: Path) -> None:
    """Only a finished result counts; what was cut can be looked at, and is replaced by a later reading."""
    blocks = [bytes([i]) * 100_000 for i in range(7)]
    async with Journal(path) as journal:
        cut = await journal.spool("job")
        for block in blocks:
            await cut.feed(block)
        assert await journal.spooled("job") is None
    async with Journal(path) as journal:
        assert await journal.partial("job") == b"".join(blocks[:6])
        again = await journal.spool("job")
        assert await journal.partial("job") is not None
        await again.feed(b"whole ")
        await again.feed(b"result")
        await again.finish()
        assert await journal.spooled("job") == b"whole result"
        assert await journal.partial("job") is None
        with pytest.raises(JournalError, match="is in the journal already"):
            await journal.spool("job")
        empty = await journal.spool("empty")
        await empty.finish()
        assert await journal.spooled("empty") == b""
        assert await journal.spooled("other") is None


async def test_sessions_are_open_until_they_end(path: Path) -> None:
    """A run's sessions are listed from the intent on, and nobody else's."""
    async with Journal(path) as journal:
        for number in range(4):
            await journal.session_meant(f"token-{number}", "run", "ibm_x", "dedicated")
        await journal.session_meant("other", "another run", "ibm_x", "batch")
        await journal.session_opened("token-1", "id-1")
        await journal.session_opened("token-2", "id-2")
        await journal.session_ended("id-2")
        await journal.session_refused("token-3")
    async with Journal(path) as journal:
        found = await journal.open_sessions("run")

    assert [(one.token, one.session_id, one.mode) for one in found] == [
        ("token-0", None, "dedicated"),
        ("token-1", "id-1", "dedicated"),
    ]


async def test_a_budget_is_never_exceeded(journal: Journal) -> None:
    """Reserved and spent seconds stay under the ceiling, and what was not used is free again."""
    assert await journal.budget_reserve("mine", 10, 6, "tag-1")
    assert not await journal.budget_reserve("mine", 10, 5, "tag-2")
    assert await journal.budget_reserve("mine", 10, 6, "tag-1")
    assert await journal.budget_reserve("theirs", 10, 10, "tag-1")
    await journal.budget_settle("tag-1", 2)
    assert await journal.budget_reserve("mine", 10, 8, "tag-3")

    assert await journal.budget_state("mine") == BudgetState(reserved=8.0, spent=2.0)
    assert (await journal.budget_state("mine")).used == 10
    assert (await journal.budget_state("nobody's")).used == 0


_SPENDER = """
async def main():
    async with Journal(path) as journal:
        calls = [journal.budget_reserve("shared", 100, 1, f"{arguments[0]}-{i}") for i in range(80)]
        say(sum(await asyncio.gather(*calls)))
asyncio.run(main())
"""


def test_two_processes_share_a_budget(path: Path) -> None:
    """A ceiling holds for all processes together."""
    [one] = heard(_SPENDER, path, "one")
    [two] = heard(_SPENDER, path, "two")

    assert (int(one), int(two)) == (80, 20)


async def test_no_secret_reaches_the_file(path: Path) -> None:
    """Neither a tenant nor a user of a quota can be found in the files, nor in what an intent shows."""
    tenant, user = "crn:v1:bluemix:secret-tenant", "api-key-of-somebody"
    meant = intent("tag", tenant=tenant, key="order-42")
    async with Journal(path) as journal:
        await journal.intend(meant)
        await journal.by_key("order-42", tenant=tenant)
        await journal.quota_take(user, "ticket", 5)
        await journal.quota_hold(user, 10)
        written = await asyncio.to_thread(lambda: b"".join(file.read_bytes() for file in path.parent.iterdir()))

    assert b"order-42" in written
    for secret in (tenant, user):
        assert secret.encode() not in written
        assert secret not in repr(meant)
