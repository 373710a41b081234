"""Events → lines of a log."""

from __future__ import annotations

import inspect
import logging

import pytest

from qrt_async import LoggingHook, RateLimited, hooks
from qrt_async.errors import Disconnected
from qrt_async.hooks import Event, Hooks, line

LOST = Disconnected("the connection was lost", operation="jobs.create")

EVENTS: dict[Event, str] = {
    hooks.RequestStarted(operation="jobs.get", method="GET", host="api", path="/jobs/j", attempt=1): (
        "jobs.get: GET api/jobs/j, attempt 1"
    ),
    hooks.RequestEnded(
        operation="jobs.get", method="GET", host="api", path="/jobs/j?k=s3", attempt=2, seconds=0.25, status=200
    ): "jobs.get: GET api/jobs/j, attempt 2: 200 after 0.250 s",
    hooks.RequestEnded(operation="jobs.get", method="GET", host="api", path="/jobs/j", attempt=1, seconds=2): (
        "jobs.get: GET api/jobs/j, attempt 1: ended after 2.000 s"
    ),
    hooks.RequestEnded(
        operation="jobs.get", method="GET", host="api", path="/jobs/j", attempt=1, seconds=1, error=LOST
    ): f"jobs.get: GET api/jobs/j, attempt 1: no reply after 1.000 s: Disconnected: {LOST}",
    hooks.RetryPlanned(operation="jobs.get", attempt=1, delay=0.5, error=LOST): (
        f"jobs.get: attempt 1 failed, and is repeated in 0.50 s: Disconnected: {LOST}"
    ),
    hooks.QuotaWait(seconds=12.04): "a submission waits about 12.0 s for its turn under the quota",
    hooks.TokenRenewed(seconds=0.2, lifetime=None): "logged in, in 0.200 s",
    hooks.TokenRejected(operation="jobs.get"): "jobs.get: the token was refused, and is renewed",
    hooks.SubmissionAmbiguous(tag="qrt-1", error=LOST): (
        f"submission qrt-1: a job may exist or not, and is looked for: Disconnected: {LOST}"
    ),
    hooks.JobSubmitted(job_id="j", tag="qrt-1", backend="ibm_fez", program="sampler"): (
        "submission qrt-1: job j (sampler on ibm_fez)"
    ),
    hooks.DuplicateFound(tag="qrt-1", kept="a", given_up="b", cancelled=True): (
        "submission qrt-1: two jobs, a is kept and b given up"
    ),
    hooks.JobSeen(job_id="j", status="Running"): "job j: Running",
    hooks.SessionOpened(session_id="s", backend="ibm_fez", mode="batch"): "session s: open (batch on ibm_fez)",
    hooks.SessionEnded(session_id="s", how="drained"): "session s: drained",
    hooks.SessionLapsing(session_id="s", seconds=60): "session s: idle, and loses its place in about 60 s",
}


@pytest.mark.parametrize(("event", "text"), EVENTS.items(), ids=lambda value: type(value).__name__)
def test_an_event_is_one_readable_line(event: Event, text: str) -> None:
    """Every event has a line of its own, without the query of a path."""
    assert line(event) == text


def test_every_event_has_a_line() -> None:
    """An event that is added gets a line, too."""
    known = {kind for _, kind in inspect.getmembers(hooks, inspect.isclass) if issubclass(kind, Event)} - {Event}

    assert {type(event) for event in EVENTS} == known


def test_a_message_of_the_service_cannot_break_the_line() -> None:
    """What a service writes into an error stays on the line of the event."""
    error = RateLimited("no\nERROR forged", operation="x", status=429)

    assert "\n" not in line(hooks.RetryPlanned(operation="x", attempt=1, delay=1, error=error))


def test_each_event_is_written_at_its_level(caplog: pytest.LogCaptureFixture) -> None:
    """Chatter is DEBUG, trouble at least WARNING, the rest as told; the record keeps the event."""
    caplog.set_level(logging.DEBUG, logger="elsewhere")
    hook = LoggingHook(logging.getLogger("elsewhere"), logging.INFO)
    for event in (
        hooks.JobSeen(job_id="j", status="Running"),
        hooks.SubmissionAmbiguous(tag="t", error=LOST),
        hooks.SessionOpened(session_id="s", backend="b", mode="batch"),
        hooks.SessionEnded(session_id="s", how="close", error=LOST),
    ):
        hook(event)

    assert [record.levelname for record in caplog.records] == ["DEBUG", "WARNING", "INFO", "WARNING"]
    assert {record.name for record in caplog.records} == {"elsewhere"}
    assert all(isinstance(vars(record)["qrt_event"], Event) for record in caplog.records)


def test_the_default_logger_is_the_packages(caplog: pytest.LogCaptureFixture) -> None:
    """Without arguments `qrt_async` is written to, at INFO."""
    caplog.set_level(logging.INFO)
    Hooks.of([LoggingHook()]).emit(hooks.SessionEnded(session_id="s", how="drained"))

    assert caplog.record_tuples == [("qrt_async", logging.INFO, "session s: drained")]


def test_a_failing_hook_disturbs_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """A hook that raises is logged, and the next is told all the same."""
    told: list[Event] = []

    def broken(_: Event) -> None:
        raise ZeroDivisionError

    event = hooks.TokenRejected(operation="x")
    Hooks.of([broken, told.append]).emit(event)

    assert told == [event]
    assert "a hook failed on TokenRejected" in caplog.text
