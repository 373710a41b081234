"""A client's own run, as logging and OpenTelemetry see it."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator

import pytest

from qrt_async import Client, LoggingHook
from tests.client.conftest import FakeClock
from tests.client.scripted import Service, job, reply
from tests.telemetry import Telemetry

JOB = "GET /api/v1/jobs/j"


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    """An SDK of its own for each test."""
    found = Telemetry()
    yield found
    found.shutdown()


async def test_a_run_is_a_tree_of_spans(service: Service, clock: FakeClock, telemetry: Telemetry) -> None:
    """Login, failure and repetition lie below the caller's span, although the login is a task of its own."""
    service.on(JOB, reply(503), job("Running"))
    tracer = telemetry.tracers.get_tracer("app")
    async with Client(service.account(), hooks=[telemetry.hook], clock=clock, rng=random.Random(1)) as client:
        with tracer.start_as_current_span("campaign") as campaign:
            await client.job("j").status()
    *requests, outer = telemetry.exporter.get_finished_spans()

    assert outer.name == "campaign"
    assert [
        (span.name, span.status.status_code.name, (span.attributes or {})["http.request.resend_count"])
        for span in requests
    ] == [("login", "UNSET", 0), ("jobs.get", "ERROR", 0), ("jobs.get", "UNSET", 1)]
    assert {span.parent and span.parent.span_id for span in requests} == {campaign.get_span_context().span_id}
    assert [event.name for event in outer.events] == ["TokenRenewed", "RetryPlanned"]
    assert set(telemetry.points) == {"qrt.requests", "qrt.request.duration", "qrt.retries", "qrt.tokens.renewed"}


async def test_a_run_is_a_readable_log(service: Service, clock: FakeClock, caplog: pytest.LogCaptureFixture) -> None:
    """Each step is one line at its level."""
    caplog.set_level(logging.DEBUG, logger="campaign")
    service.on(JOB, reply(503), job("Running"))
    hook = LoggingHook(logging.getLogger("campaign"))
    async with Client(service.account(), hooks=[hook], clock=clock, rng=random.Random(1)) as client:
        await client.job("j").status()
    lines = [(record.levelname, record.getMessage()) for record in caplog.records if record.name == "campaign"]

    assert [level for level, _ in lines] == ["DEBUG", "DEBUG", "INFO", "DEBUG", "DEBUG", "WARNING", "DEBUG", "DEBUG"]
    assert lines[3] == ("DEBUG", "jobs.get: GET api/jobs/j, attempt 1")
    assert "attempt 1: 503 after 0.000 s: ServerError: jobs.get: HTTP 503: no explanation." in lines[4][1]
    assert lines[5][1].startswith("jobs.get: attempt 1 failed, and is repeated in ")
