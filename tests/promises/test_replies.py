"""Damaged replies: only errors of ours come out of them, in bounded time and memory."""

from __future__ import annotations

import itertools

import pytest

from qrt_async import Client, ProtocolError
from qrt_async.wire import usage
from qrt_async.wire.call import MOST, ReplyHead
from tests.client import scripted
from tests.client.conftest import FakeClock
from tests.promises import corpus, replies
from tests.promises.damage import Change, changed


def test_every_operation_has_replies_to_damage() -> None:
    """No call of the wire is missing in the corpus, and each good reply is read."""
    assert set(corpus.operations()) <= set(corpus.CASES)
    for case in corpus.CASES.values():
        for body in case.bodies:
            case.use(replies.read(case.call, ReplyHead(200), body, 4096))


def test_a_change_changes() -> None:
    """The damage is real: a document is not what it was."""
    assert changed({"a": [1]}, Change("drop", 1, 0)) == {}
    assert changed({"a": [1]}, Change("replace", 2, 0)) == {"a": [None]}
    assert changed({"a": [1]}, Change("wrap", 1, 0)) == {"a": [[1]]}


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_damaged_replies_become_errors_of_ours() -> None:
    """Whatever is wrong with a reply, it is read or raises a `QrtError`, on every operation and on real sockets."""
    tally = replies.fuzz(2000, 20261124)

    print(f"\n{tally}")
    assert tally.replies >= 2000
    assert tally.talks >= 40
    assert len(tally.operations) == len(corpus.CASES)
    assert tally.outcomes["a value"] < tally.replies


def test_an_answer_without_end_is_refused() -> None:
    """A body that goes on for ever costs no more memory than the longest answer may."""
    sink = usage.versions().read(ReplyHead(200))
    piece = bytes(16 * 2**20)
    with pytest.raises(ProtocolError, match="longer than"):
        for _ in itertools.repeat(None, MOST // len(piece) + 1):
            sink.feed(piece)


async def test_the_details_of_another_job_are_refused() -> None:
    """A reply about job j to a question about job k is an error with its place, and no wait for ever."""
    async with scripted.service() as service:
        service.on("GET /api/v1/jobs/k", scripted.job("Completed"))
        async with Client(service.account(), clock=FakeClock()) as client:
            with pytest.raises(ProtocolError, match=r"'k', not job 'j' @ \$\.id"):
                await client.job("k").result()
