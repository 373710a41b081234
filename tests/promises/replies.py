"""
Damaged replies to every operation: whatever comes, what comes out is a value or a `QrtError`.

``python -m tests.promises.replies 100000 [SEED]`` reads so many, one in fifty of them through a client and a socket,
and says what it did.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import math
import random
import resource
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any, TypeVar

import attrs
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from qrt_async.errors import QrtError
from qrt_async.options import RetryPolicy
from qrt_async.wire import decisions
from qrt_async.wire.call import Call, ReplyHead
from qrt_async.wire.outcome import open_sink
from tests.promises.conversations import Talk, outcome_of, talks
from tests.promises.corpus import CASES, REFUSALS, Case
from tests.promises.damage import Damage, damages

NOON = dt.datetime(2026, 9, 10, 12, tzinfo=dt.UTC)
MOST_GROWTH = 600 * 2**20
"""Bytes by which the process may grow: bodies are below a megabyte, what they unpack to is bounded by the client."""
_BATCH = 10_000
_ON_SOCKET = 50
"""One of so many replies travels."""

Test = TypeVar("Test", bound=Callable[..., None])


@attrs.define
class Tally:
    """What was read, and how it came out."""

    replies: int = 0
    talks: int = 0
    outcomes: Counter[str] = attrs.field(factory=Counter[str])
    operations: set[str] = attrs.field(factory=set[str])

    def __str__(self) -> str:
        most = ", ".join(f"{count} {name}" for name, count in self.outcomes.most_common())
        where = f"{self.replies} replies to {len(self.operations)} operations, {self.talks} of them on a socket"
        return f"{where}: {most}"


def read(call: Call[Any], head: ReplyHead, body: bytes, chunk: int) -> Any:
    """Read a reply as the transport does."""
    sink = open_sink(call, head, lambda: NOON)
    step = max(chunk, len(body) // 500)
    for start in range(0, len(body), step):
        sink.feed(body[start : start + step])
    return sink.finish()


def outcome(case: Case, damage: Damage, which: int) -> str:
    """Read one damaged reply, do with it what the client would, and name what came out."""
    good = REFUSALS if damage.status >= 300 and which % 2 else case.bodies
    try:
        case.use(read(case.call, damage.head, damage.body(good[which % len(good)]), damage.chunk))
    except QrtError as error:
        repr(error)
        str(error)
        decisions.retry_delay(1, error, case.call.replay, RetryPolicy(), random.Random(0))
        return type(error).__name__
    return "a value"


def _chosen(count: int, number: int) -> Callable[[Test], Test]:
    """Return the decorator that has hypothesis choose so many examples from this seed."""
    chosen = settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    return lambda test: seed(number)(chosen(test))


def converse(count: int, number: int, tally: Tally) -> None:
    """Let clients take so many damaged replies from a socket."""
    with asyncio.Runner() as runner:

        @_chosen(count, number)
        @given(talks())
        def attempt(talk: Talk) -> None:
            tally.outcomes[runner.run(outcome_of(talk))] += 1
            tally.operations.add(talk.operation)
            tally.replies += 1
            tally.talks += 1

        attempt()


def run(count: int, number: int, tally: Tally) -> None:
    """Read so many damaged replies, chosen by hypothesis from this seed."""

    @_chosen(count, number)
    @given(st.sampled_from(sorted(CASES)), damages(), st.integers(0, 1000))
    def attempt(name: str, damage: Damage, which: int) -> None:
        tally.outcomes[outcome(CASES[name], damage, which)] += 1
        tally.operations.add(name)
        tally.replies += 1

    attempt()


def peak() -> int:
    """Return the most memory that the process has had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def fuzz(count: int, number: int) -> Tally:
    """Read so many damaged replies, in batches so that hypothesis forgets what it tried."""
    tally, before, batch = Tally(), peak(), 0
    while tally.replies < count:
        left = min(_BATCH, count - tally.replies)
        on_socket = math.ceil(left / _ON_SOCKET)
        converse(on_socket, number + batch, tally)
        if left > on_socket:
            run(left - on_socket, number + batch, tally)
        batch += 1
    grown = peak() - before
    assert grown < MOST_GROWTH, f"{grown} bytes of memory"
    return tally


if __name__ == "__main__":
    print(fuzz(int(sys.argv[1]), int(sys.argv[2]) if sys.argv[2:] else 0))
