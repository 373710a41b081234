"""Spans and metrics of OpenTelemetry from a client's events; needs the extra ``otel``."""

from __future__ import annotations

import time
from collections.abc import Callable

import attrs

from qrt_async import hooks
from qrt_async.errors import MissingExtra

try:
    from opentelemetry import metrics, trace
    from opentelemetry.util.types import AttributeValue
except ImportError as _missing:
    raise MissingExtra("this needs OpenTelemetry's API: pip install 'qrt-async[otel]'") from _missing

_NAME = "qrt_async"
_NANOSECONDS = 1_000_000_000

Attributes = dict[str, AttributeValue]


@attrs.define(init=False, eq=False)
class OpenTelemetryHook:
    """
    A hook that turns events into spans and metrics: ``Client(hooks=[OpenTelemetryHook()])``.

    Each sending of a request is a client span named by its operation, each submission a span ``submission``; both lie
    below the span in which the client was called, which gets all other events as its own. Metrics: ``qrt.requests`` and
    ``qrt.request.duration``, ``qrt.retries``, ``qrt.quota.wait``, ``qrt.jobs.submitted``, ``qrt.jobs.duplicates``,
    ``qrt.submissions.ambiguous``, ``qrt.tokens.renewed`` and ``qrt.sessions.open``, durations in seconds. The global
    providers are used unless others are given; `now` tells nanoseconds since 1970.
    """

    _tracer: trace.Tracer
    _now: Callable[[], int]
    _requests: metrics.Counter
    _duration: metrics.Histogram
    _retries: metrics.Counter
    _quota_wait: metrics.Histogram
    _submitted: metrics.Counter
    _duplicates: metrics.Counter
    _ambiguous: metrics.Counter
    _renewed: metrics.Counter
    _sessions: metrics.UpDownCounter

    def __init__(
        self,
        *,
        tracer_provider: trace.TracerProvider | None = None,
        meter_provider: metrics.MeterProvider | None = None,
        now: Callable[[], int] = time.time_ns,
    ) -> None:
        meter = metrics.get_meter(_NAME, meter_provider=meter_provider)
        self._tracer = trace.get_tracer(_NAME, tracer_provider=tracer_provider)
        self._now = now
        self._requests = meter.create_counter("qrt.requests", "{request}", "Requests that were sent")
        self._duration = meter.create_histogram("qrt.request.duration", "s", "How long one sending took")
        self._retries = meter.create_counter("qrt.retries", "{retry}", "Requests that were to be sent again")
        self._quota_wait = meter.create_histogram("qrt.quota.wait", "s", "How long submissions waited for the quota")
        self._submitted = meter.create_counter("qrt.jobs.submitted", "{job}", "Jobs that were submitted")
        self._duplicates = meter.create_counter("qrt.jobs.duplicates", "{job}", "Second jobs of one submission")
        self._ambiguous = meter.create_counter("qrt.submissions.ambiguous", "{submission}", "Outcomes nobody knew")
        self._renewed = meter.create_counter("qrt.tokens.renewed", "{token}", "Logins")
        self._sessions = meter.create_up_down_counter("qrt.sessions.open", "{session}", "Sessions that are open")

    def __call__(self, event: hooks.Event) -> None:
        """Record an event."""
        match event:
            case hooks.RequestStarted() | hooks.JobSeen():
                pass
            case hooks.RequestEnded():
                self._request(event)
            case hooks.JobSubmitted():
                self._submission(event)
            case _:
                self._count(event)
                trace.get_current_span().add_event(type(event).__name__, _fields(event))

    def _request(self, event: hooks.RequestEnded) -> None:
        outcome: Attributes = {"qrt.operation": event.operation, "qrt.host": event.host}
        if event.status is not None:
            outcome["http.response.status_code"] = event.status
        if event.error is not None:
            outcome["error.type"] = type(event.error).__name__
        self._requests.add(1, outcome)
        self._duration.record(event.seconds, outcome)
        place: Attributes = {
            "http.request.method": event.method,
            "url.path": event.path.partition("?")[0],
            "http.request.resend_count": event.attempt - 1,
        }
        self._span(event.operation, trace.SpanKind.CLIENT, event.seconds, {**outcome, **place}, event.error)

    def _submission(self, event: hooks.JobSubmitted) -> None:
        what: Attributes = {"qrt.backend": event.backend, "qrt.program": event.program, "qrt.adopted": event.adopted}
        self._submitted.add(1, what)
        named: Attributes = {**what, "qrt.job_id": event.job_id, "qrt.tag": event.tag}
        self._span("submission", trace.SpanKind.INTERNAL, event.seconds or 0.0, named, None)

    def _span(
        self, name: str, kind: trace.SpanKind, seconds: float, attributes: Attributes, error: Exception | None
    ) -> None:
        end = self._now()
        start = end - round(seconds * _NANOSECONDS)
        span = self._tracer.start_span(name, kind=kind, attributes=attributes, start_time=start)
        if error is not None:
            span.set_status(trace.StatusCode.ERROR, str(error))
        span.end(end_time=end)

    def _count(self, event: hooks.Event) -> None:
        match event:
            case hooks.RetryPlanned():
                self._retries.add(1, {"qrt.operation": event.operation, "error.type": type(event.error).__name__})
            case hooks.QuotaWait():
                self._quota_wait.record(event.seconds)
            case hooks.DuplicateFound():
                self._duplicates.add(1)
            case hooks.SubmissionAmbiguous():
                self._ambiguous.add(1, {"error.type": type(event.error).__name__})
            case hooks.TokenRenewed():
                self._renewed.add(1)
            case hooks.SessionOpened():
                self._sessions.add(1)
            case hooks.SessionEnded(error=None):
                self._sessions.add(-1)
            case _:
                pass


def _fields(event: hooks.Event) -> Attributes:
    values = {field.name: getattr(event, field.name) for field in attrs.fields(type(event))}
    return {
        f"qrt.{name}": value if isinstance(value, bool | int | float) else str(value)
        for name, value in values.items()
        if value is not None
    }
