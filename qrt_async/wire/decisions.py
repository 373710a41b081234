"""What to do next, as pure functions of what is known."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator

import backoff

from qrt_async.errors import (
    ApiError,
    ConnectionFailed,
    ProtocolError,
    QrtError,
    RateLimited,
    ServerError,
    TooManyPendingJobs,
    TransportError,
)
from qrt_async.models.tokens import Token
from qrt_async.options import PollPolicy, RetryPolicy, SubmissionPolicy
from qrt_async.wire.call import Replay

_FRESH_SHARE = 0.2
_LEAST_LIFE = 10.0


def exponential(initial: float, factor: float, maximum: float) -> Iterator[float]:
    """Yield `initial`, then `factor` times the delay before, never more than `maximum` (seconds, endless)."""
    waits = backoff.expo(base=factor, factor=initial, max_value=maximum)
    next(waits)  # backoff's generators begin with an empty step, made for send()
    yield from waits


def poll_delays(policy: PollPolicy, rng: random.Random) -> Iterator[float]:
    """Yield the seconds before each look at a waiting job, spread so that many jobs do not march in step."""
    for delay in exponential(policy.initial, policy.factor, policy.maximum):
        yield delay * rng.uniform(0.75, 1.0)


def poll_delay(policy: PollPolicy, age: float, rng: random.Random) -> float:
    """Return the seconds until the next look at a job that has been waited for `age` seconds."""
    return min(policy.initial + age * (policy.factor - 1), policy.maximum) * rng.uniform(0.75, 1.0)


def may_retry(replay: Replay, error: QrtError) -> bool:
    """
    Return whether a call that failed so may be sent again.

    A request that never left, or was turned away by the rate limit, did nothing and may always be; one that is safe to
    repeat may also be repeated after a lost reply or a failing server.
    """
    if isinstance(error, ConnectionFailed | RateLimited):
        return True
    if isinstance(error, TooManyPendingJobs):
        return error.retry_after is not None
    return replay is Replay.ALWAYS and isinstance(error, TransportError | ServerError)


def retry_delay(attempt: int, error: QrtError, replay: Replay, policy: RetryPolicy, rng: random.Random) -> float | None:
    """
    Return the seconds to wait before attempt `attempt + 1`, or None where the error is final.

    A delay that the service asked for is kept uncut; one of our own is drawn from the full range (full jitter).
    """
    if attempt > policy.max_retries or not may_retry(replay, error):
        return None
    if isinstance(error, ApiError) and error.retry_after is not None:
        return error.retry_after
    ceilings = exponential(policy.initial, 2.0, policy.maximum)
    return rng.uniform(0, next(itertools.islice(ceilings, attempt - 1, None)))


def is_ambiguous(error: QrtError) -> bool:
    """
    Return whether a submission that failed so may have created a job.

    A reply that was lost, cut or unreadable, and every 5xx: a gateway gives up on a service that goes on working.
    """
    if isinstance(error, TransportError):
        return error.left
    return isinstance(error, ServerError | ProtocolError)


def is_passing(error: QrtError) -> bool:
    """Return whether a read that failed so is worth repeating for as long as its caller has time."""
    return isinstance(error, TransportError | ServerError | RateLimited)


def settle_delays(policy: SubmissionPolicy) -> Iterator[float]:
    """Yield the seconds before each look for a lost submission; they add up to the policy's settle window."""
    left = policy.settle
    for delay in exponential(policy.initial, 2.0, policy.settle):
        if left <= 0:
            return
        yield min(delay, left)
        left -= delay


def token_is_fresh(token: Token, age: float) -> bool:
    """
    Return whether a token that is `age` seconds old is still to be used.

    IBM's own SDK renews at four fifths of a token's life, and at the latest ten seconds before its end.
    """
    if token.lifetime is None:
        return True
    return token.lifetime - age > min(max(_FRESH_SHARE * token.lifetime, _LEAST_LIFE), token.lifetime / 2)
