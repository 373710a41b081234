"""Events → OpenTelemetry's spans and metrics, as its SDK exports them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import trace

from qrt_async import hooks
from qrt_async.errors import Disconnected
from tests.telemetry import SECOND, Telemetry

LOST = Disconnected("the connection was lost", operation="jobs.get")


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    """An SDK of its own for each test."""
    found = Telemetry()
    yield found
    found.shutdown()


def ended(**changes: Any) -> hooks.RequestEnded:
    """Return the end of a request."""
    fields: dict[str, Any] = {
        "operation": "jobs.get",
        "method": "GET",
        "host": "api",
        "path": "/jobs/j?secret=1",
        "attempt": 2,
        "seconds": 1.5,
    }
    return hooks.RequestEnded(**fields | changes)


def test_a_request_is_a_client_span_of_its_duration(telemetry: Telemetry) -> None:
    """The span ends now, began when the request did, and says what it was without the query."""
    telemetry.hook(ended(status=200))
    span = telemetry.spans["jobs.get"]

    assert (span.start_time, span.end_time) == (round(998.5 * SECOND), 1_000 * SECOND)
    assert span.kind is trace.SpanKind.CLIENT
    assert span.status.status_code is trace.StatusCode.UNSET
    assert dict(span.attributes or {}) == {
        "qrt.operation": "jobs.get",
        "qrt.host": "api",
        "http.response.status_code": 200,
        "http.request.method": "GET",
        "url.path": "/jobs/j",
        "http.request.resend_count": 1,
    }


def test_a_failed_request_is_a_failed_span(telemetry: Telemetry) -> None:
    """Span and metrics name the class of the error."""
    telemetry.hook(ended(error=LOST))
    span = telemetry.spans["jobs.get"]
    [counted] = telemetry.points["qrt.requests"]

    assert span.status.status_code is trace.StatusCode.ERROR
    assert counted.attributes["error.type"] == "Disconnected"


def test_spans_lie_below_the_callers(telemetry: Telemetry) -> None:
    """What happens in a caller's span belongs to it, and what is no span of its own is its event."""
    tracer = telemetry.tracers.get_tracer("app")
    with tracer.start_as_current_span("campaign"):
        telemetry.hook(ended(status=200))
        telemetry.hook(hooks.QuotaWait(seconds=3.5))
        telemetry.hook(hooks.SubmissionAmbiguous(tag="qrt-1", error=LOST))
    outer, inner = telemetry.spans["campaign"], telemetry.spans["jobs.get"]

    assert inner.parent is not None
    assert outer.context is not None
    assert inner.parent.span_id == outer.context.span_id
    assert [(event.name, dict(event.attributes or {})) for event in outer.events] == [
        ("QuotaWait", {"qrt.seconds": 3.5}),
        ("SubmissionAmbiguous", {"qrt.tag": "qrt-1", "qrt.error": str(LOST)}),
    ]


def test_a_submission_is_a_span(telemetry: Telemetry) -> None:
    """A submission's span lasts as long as it took, and names the job."""
    telemetry.hook(
        hooks.JobSubmitted(job_id="j", tag="qrt-1", backend="ibm_fez", program="sampler", adopted=True, seconds=4)
    )
    span = telemetry.spans["submission"]
    [counted] = telemetry.points["qrt.jobs.submitted"]

    assert span.start_time == 996 * SECOND
    assert (span.attributes or {})["qrt.job_id"] == "j"
    assert (counted.value, counted.attributes["qrt.adopted"]) == (1, True)


def test_metrics_add_up(telemetry: Telemetry) -> None:
    """Requests, retries, waits, logins, duplicates and sessions are counted; an unended session stays open."""
    for event in (
        ended(status=200),
        ended(status=200, seconds=0.5),
        hooks.RetryPlanned(operation="jobs.get", attempt=1, delay=1, error=LOST),
        hooks.QuotaWait(seconds=2),
        hooks.TokenRenewed(seconds=1, lifetime=None),
        hooks.TokenRejected(operation="jobs.get"),
        hooks.DuplicateFound(tag="t", kept="a", given_up="b", cancelled=True),
        hooks.SubmissionAmbiguous(tag="t", error=LOST),
        hooks.SessionOpened(session_id="s", backend="b", mode="batch"),
        hooks.SessionOpened(session_id="t", backend="b", mode="batch"),
        hooks.SessionEnded(session_id="s", how="drained"),
        hooks.SessionEnded(session_id="t", how="close", error=LOST),
    ):
        telemetry.hook(event)
    points = telemetry.points

    assert {name: [point.value for point in found] for name, found in points.items() if hasattr(found[0], "value")} == {
        "qrt.requests": [2],
        "qrt.retries": [1],
        "qrt.tokens.renewed": [1],
        "qrt.jobs.duplicates": [1],
        "qrt.submissions.ambiguous": [1],
        "qrt.sessions.open": [1],
    }
    assert [(point.count, point.sum) for point in points["qrt.request.duration"]] == [(2, 2.0)]
    assert [(point.count, point.sum) for point in points["qrt.quota.wait"]] == [(1, 2.0)]


def test_the_missing_package_is_named() -> None:
    """Without OpenTelemetry the import says what to install."""
    script = "import sys; sys.modules['opentelemetry'] = None; import qrt_async.otel"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)

    assert "MissingExtra: this needs OpenTelemetry's API: pip install 'qrt-async[otel]'" in done.stderr
