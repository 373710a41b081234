"""What to do next, as pure functions."""

from __future__ import annotations

import itertools
import random

import pytest

from qrt_async import errors
from qrt_async.models.tokens import Token
from qrt_async.options import PollPolicy, RetryPolicy, SubmissionPolicy
from qrt_async.secret import Secret
from qrt_async.wire.call import Replay
from qrt_async.wire.decisions import (
    exponential,
    is_ambiguous,
    is_passing,
    poll_delay,
    poll_delays,
    retry_delay,
    settle_delays,
    token_is_fresh,
)

LOST = errors.Disconnected("lost", operation="x")
NEVER_LEFT = errors.ConnectionFailed("refused", operation="x")


def api_error(status: int, retry_after: float | None = None) -> errors.ApiError:
    """Return the error of that status."""
    kind = {429: errors.RateLimited, 404: errors.NotFound, 503: errors.ServerError}[status]
    return kind("no", operation="x", status=status, retry_after=retry_after)


def delay(error: errors.QrtError, replay: Replay = Replay.ALWAYS, attempt: int = 1) -> float | None:
    """Return the decision under the default policy."""
    return retry_delay(attempt, error, replay, RetryPolicy(), random.Random(1))


@pytest.mark.parametrize(
    ("error", "replay", "again"),
    [
        (LOST, Replay.ALWAYS, True),
        (LOST, Replay.NEVER, False),
        (NEVER_LEFT, Replay.ALWAYS, True),
        (NEVER_LEFT, Replay.NEVER, True),
        (api_error(429), Replay.ALWAYS, True),
        (api_error(429), Replay.NEVER, True),
        (api_error(503), Replay.ALWAYS, True),
        (api_error(503), Replay.NEVER, False),
        (api_error(404), Replay.ALWAYS, False),
        (errors.ProtocolError("?"), Replay.ALWAYS, False),
    ],
)
def test_only_what_is_safe_is_sent_again(error: errors.QrtError, replay: Replay, again: bool) -> None:
    """A call that must not run twice is repeated only after failures that prove that nothing was done."""
    assert (delay(error, replay) is not None) is again


def test_retries_end() -> None:
    """After the last retry the error is final."""
    assert delay(LOST, attempt=RetryPolicy().max_retries) is not None
    assert delay(LOST, attempt=RetryPolicy().max_retries + 1) is None


def too_many_pending(retry_after: float | None) -> errors.TooManyPendingJobs:
    """Return the error of an account with as many waiting jobs as it may have."""
    return errors.TooManyPendingJobs("full", operation="x", status=400, code=3458, retry_after=retry_after)


@pytest.mark.parametrize("replay", list(Replay))
def test_a_full_queue_is_waited_for_where_the_service_says_how_long(replay: Replay) -> None:
    """Too many pending jobs are final, unless the service says when to come again; nothing was created either way."""
    assert delay(too_many_pending(None), replay) is None
    assert delay(too_many_pending(90.0), replay) == 90.0


def never_left(error: errors.TransportError) -> errors.TransportError:
    """Return the error of a request that certainly did not leave."""
    error.left = False
    return error


@pytest.mark.parametrize(
    ("error", "ambiguous", "passing"),
    [
        (LOST, True, True),
        (errors.TruncatedReply("cut", operation="x"), True, True),
        (errors.RequestTimeout("late", operation="x"), True, True),
        (never_left(errors.RequestTimeout("no turn", operation="x")), False, True),
        (NEVER_LEFT, False, True),
        (errors.ProxyRefused("407", operation="x"), False, True),
        (errors.UntrustedCertificate("?", operation="x"), False, True),
        (errors.ProtocolError("?"), True, False),
        (api_error(503), True, True),
        (api_error(503, 5.0), True, True),
        (api_error(429), False, True),
        (api_error(404), False, False),
        (too_many_pending(90.0), False, False),
        (errors.Unauthorized("no", operation="x", status=401), False, False),
        (errors.Forbidden("no", operation="x", status=403), False, False),
        (errors.Blocked("no", operation="x", status=403), False, False),
        (errors.Conflict("no", operation="x", status=409), False, False),
        (errors.LoginError("no"), False, False),
        (errors.ClientClosed("closed"), False, False),
    ],
)
def test_what_a_failure_leaves_open(error: errors.QrtError, ambiguous: bool, passing: bool) -> None:
    """Only what may have reached the service leaves a submission open, and only what may pass is read again."""
    assert (is_ambiguous(error), is_passing(error)) == (ambiguous, passing)


@pytest.mark.parametrize(
    ("settle", "initial", "delays"),
    [
        (15.0, 0.5, [0.5, 1.0, 2.0, 4.0, 7.5]),
        (4.0, 1.0, [1.0, 2.0, 1.0]),
        (1.0, 5.0, [1.0]),
        (0.0, 0.5, []),
    ],
)
def test_looks_for_a_lost_submission_fill_the_settle_window(settle: float, initial: float, delays: list[float]) -> None:
    """They become rarer, and add up to the window exactly, whatever the first of them was to be."""
    assert list(settle_delays(SubmissionPolicy(settle=settle, initial=initial))) == delays


@pytest.mark.parametrize(
    ("age", "nominal"), [(0.0, 0.5), (1.0, 1.0), (10.0, 5.5), (29.0, 15.0), (86_400.0, 15.0), (7 * 86_400.0, 15.0)]
)
def test_a_jobs_looks_depend_on_its_age(age: float, nominal: float) -> None:
    """The next look comes after half the age, spread to a quarter less, and never later than the maximum."""
    rng = random.Random(7)
    seen = [poll_delay(PollPolicy(), age, rng) for _ in range(400)]

    assert 0.75 * nominal <= min(seen) < 0.77 * nominal
    assert 0.98 * nominal < max(seen) <= nominal


@pytest.mark.parametrize("seconds", [0.0, 1.0, 3600.0])
def test_a_delay_that_the_service_asks_for_is_kept_uncut(seconds: float) -> None:
    """`Retry-After` is neither shortened nor stretched by our own policy."""
    assert delay(api_error(429, seconds)) == seconds


def test_delays_of_our_own_grow_and_stay_bounded() -> None:
    """Each attempt's delay is drawn from zero to a ceiling that doubles up to the maximum."""
    policy = RetryPolicy(max_retries=100, initial=1.0, maximum=8.0)
    rng = random.Random(3)
    longest = [max(retry_delay(n, LOST, Replay.ALWAYS, policy, rng) or 0 for _ in range(500)) for n in (1, 2, 3, 4, 90)]

    assert all(0.9 * top < seen <= top for seen, top in zip(longest, (1, 2, 4, 8, 8), strict=True))


def test_exponential_waits_begin_at_the_first() -> None:
    """The waits are the initial one, then multiples, then the maximum for ever."""
    assert list(itertools.islice(exponential(0.5, 2.0, 3.0), 5)) == [0.5, 1.0, 2.0, 3.0, 3.0]


def test_polls_are_spread_below_their_nominal_delay() -> None:
    """A poll comes at its time or up to a quarter earlier."""
    seen = list(itertools.islice(poll_delays(PollPolicy(initial=1, factor=2, maximum=4), random.Random(5)), 50))

    assert all(3.0 <= value <= 4.0 for value in seen[2:])
    assert len(set(seen)) == 50


@pytest.mark.parametrize(
    ("lifetime", "age", "fresh"),
    [
        (3600, 0, True),
        (3600, 2800, True),
        (3600, 2900, False),
        (None, 10**9, True),
        (20, 9, True),
        (20, 11, False),
        (2, 0.5, True),
        (2, 1.5, False),
    ],
)
def test_a_token_is_renewed_before_it_ends(lifetime: float | None, age: float, fresh: bool) -> None:
    """A token is fresh for four fifths of its life, a short one for half of it, one without an end for ever."""
    assert token_is_fresh(Token(Secret("t"), lifetime), age) is fresh
