"""Replies → values or typed errors."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest

from qrt_async import errors
from qrt_async.wire.call import Call, Reply, ReplyHead
from qrt_async.wire.outcome import error_of, nothing, open_sink, retry_after

NOW = dt.datetime(2026, 11, 22, 12, 0, 0, tzinfo=dt.UTC)


def refused(status: int, body: bytes | dict[str, Any], **headers: str) -> errors.ApiError:
    """Return the error of such a reply."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return error_of(Reply(ReplyHead(status, headers), data), operation="jobs.get", now=NOW)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.BadRequest),
        (401, errors.Unauthorized),
        (403, errors.Forbidden),
        (404, errors.NotFound),
        (409, errors.Conflict),
        (422, errors.BadRequest),
        (429, errors.RateLimited),
        (418, errors.ApiError),
        (302, errors.ApiError),
        (500, errors.ServerError),
        (520, errors.ServerError),
    ],
)
def test_the_status_decides_the_class(status: int, kind: type[errors.ApiError]) -> None:
    """Each status has its class, and an unforeseen one the nearest."""
    assert type(refused(status, b"")) is kind


def test_the_error_container_is_read_whole() -> None:
    """Code, message, solution and trace of IBM's container are the error's."""
    error = refused(
        404,
        {
            "errors": [{"code": 1291, "message": "Job not found.", "solution": "Verify the ID.", "more_info": "…"}],
            "trace": "3f0c",
        },
    )

    assert (
        error.code,
        error.message,
        error.solution,
        error.trace,
        error.status,
    ) == (1291, "Job not found.", "Verify the ID.", "3f0c", 404)
    assert str(error) == "jobs.get: HTTP 404 (code 1291): Job not found. Verify the ID. [trace 3f0c]"


@pytest.mark.parametrize(
    ("body", "message", "code"),
    [
        ({"error": {"statusCode": 401, "message": "Login failed.", "code": "3446"}}, "Login failed.", 3446),
        ({"error": {"message": "no", "code": "ACCEPT_LICENSE"}}, "no", "ACCEPT_LICENSE"),
        ({"errorCode": "BXNIM0415E", "errorMessage": "not found"}, "not found", "BXNIM0415E"),
        ({"detail": "Invalid authentication credentials"}, "Invalid authentication credentials", None),
        ({"detail": [{"loc": ["query", "ai"], "msg": "bad", "type": "x"}]}, "query.ai: bad", None),
        ({"errors": [{"message": "device not found"}]}, "device not found", None),
        (b"", "no explanation", None),
        (b"Internal server error", "Internal server error", None),
        (b'{"errors": []}', '{"errors": []}', None),
        (b'{"errors": [7]}', '{"errors": [7]}', None),
        (b"[" * 100_000, "[" * 300, None),
        (
            b"<!DOCTYPE html><html><head><title>Just a\n moment</title>",
            "an HTML page ('Just a moment') from something in front of the service",
            None,
        ),
    ],
)
def test_every_form_of_error_body_is_understood(body: Any, message: str, code: int | str | None) -> None:
    """Whatever the body is, the error has a message, and a code where there is one."""
    error = refused(400, body)

    assert (message, code) == (error.message, error.code)


def test_the_trace_header_stands_in_for_the_trace() -> None:
    """A reply without a trace in its body takes that of the header."""
    assert refused(500, b"", **{"uber-trace-id": "abc"}).trace == "abc"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("0", 0.0),
        ("7", 7.0),
        ("1.5", 1.5),
        ("-1", None),
        ("nan", None),
        ("inf", None),
        ("soon", None),
        ("", None),
        ("1e400", None),
        ("Sun, 22 Nov 2026 12:00:30 GMT", 30.0),
        ("Sun, 22 Nov 2026 11:00:00 GMT", 0.0),
        ("Sunday, 22-Nov-26 12:00:30 GMT", 30.0),
        ("Sun Nov 22 12:00:30 2026", 30.0),
        ("Xyz, 22 Nov 2026 12:00:30 GMT", 30.0),
        ("Sun, 99 Nov 2026 12:00:30 GMT", None),
        ("Sun, 22 Nov 99999 12:00:30 GMT", None),
        ("5, 6", None),
        ("５", 5.0),
    ],
)
def test_retry_after_is_read_or_ignored(header: str | None, seconds: float | None) -> None:
    """Seconds and dates count, and nonsense is as if nothing had been said."""
    assert retry_after(header, NOW) == seconds


def test_a_success_goes_to_the_calls_own_sink() -> None:
    """A reply of the 200s is read by the call."""
    call = Call(operation="x", method="GET", path="/x", read=nothing())

    assert open_sink(call, ReplyHead(204), lambda: NOW).finish() is None
