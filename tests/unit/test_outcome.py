"""Replies → values or typed errors."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from qrt_async import errors
from qrt_async.wire.call import Call, Reply, ReplyHead
from qrt_async.wire.outcome import error_of, nothing, open_sink, retry_after

NOW = dt.datetime(2026, 11, 22, 12, 0, 0, tzinfo=dt.UTC)


def refused(
    status: int, body: bytes | dict[str, Any], *, operation: str = "jobs.get", **headers: str
) -> errors.ApiError:
    """Return the error of such a reply."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return error_of(Reply(ReplyHead(status, headers), data), operation=operation, now=NOW)


def coded(code: int | str) -> dict[str, Any]:
    """Return a body with this code and nothing that helps."""
    return {"errors": [{"code": code, "message": "No."}]}


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.BadRequest),
        (401, errors.Unauthorized),
        (403, errors.Forbidden),
        (404, errors.NotFound),
        (407, errors.Blocked),
        (409, errors.Conflict),
        (413, errors.PayloadTooLarge),
        (422, errors.BadRequest),
        (423, errors.BackendReserved),
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


PAGE = b"<!DOCTYPE html><html><head><title>Attention Required! | Cloudflare</title></head></html>"


@pytest.mark.parametrize("operation", ["jobs.create", "jobs.get", "login"])
def test_a_page_of_a_firewall_is_no_answer_of_the_service(operation: str) -> None:
    """A 403 with an HTML page blames no credentials, says what to try, and keeps the firewall's own number."""
    error = refused(403, PAGE, operation=operation, **{"cf-ray": "8f0c-FRA"})

    assert type(error) is errors.Blocked
    assert not isinstance(error, errors.Forbidden)
    assert error.trace == "8f0c-FRA"
    assert "another network" in str(error)
    assert "fewer PUBs" in str(error)


def test_the_services_own_403_is_about_the_account() -> None:
    """A 403 in the service's words is the account's matter, and a plain text is taken for the service's."""
    assert type(refused(403, coded(1200))) is errors.Forbidden
    assert type(refused(403, b"forbidden")) is errors.Forbidden


@pytest.mark.parametrize("status", [500, 502, 503, 504, 520, 521, 522, 523, 524, 530])
@pytest.mark.parametrize("body", [PAGE, b"", coded(1012), coded(1001), coded(4001)])
def test_a_failing_server_says_nothing_about_the_request(status: int, body: Any) -> None:
    """A 5xx is a failure of the server whatever its body claims: whether a job was created stays open."""
    assert type(refused(status, body, operation="jobs.create")) is errors.ServerError


@pytest.mark.parametrize("status", [413, 429])
def test_pages_of_the_edge_keep_the_class_of_their_status(status: int) -> None:
    """An HTML page changes nothing about a size or a rate."""
    assert type(refused(status, PAGE)) is {413: errors.PayloadTooLarge, 429: errors.RateLimited}[status]


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (409, None, errors.UsageLimitReached),
        (409, 1303, errors.UsageLimitReached),
        (409, 1217, errors.SessionNotOpen),
        (409, 1012, errors.TooManyPendingJobs),
        (400, 3458, errors.TooManyPendingJobs),
        (400, "3458", errors.TooManyPendingJobs),
        (429, 1012, errors.TooManyPendingJobs),
        (403, 4317, errors.UsageLimitReached),
        (400, 4317, errors.UsageLimitReached),
        (423, 1233, errors.BackendReserved),
        (400, 1233, errors.BackendReserved),
        (400, 1217, errors.SessionNotOpen),
        (404, 4001, errors.SessionNotOpen),
        (400, 1001, errors.PayloadTooLarge),
        (400, 1208, errors.BadRequest),
        (429, 1202, errors.RateLimited),
    ],
)
def test_the_code_of_a_refused_submission_says_more_than_its_status(
    status: int, code: int | str | None, kind: type[errors.ApiError]
) -> None:
    """Limits, reservations and closed sessions have classes of their own, by the code that IBM gives them."""
    body = b"" if code is None else coded(code)

    assert type(refused(status, body, operation="jobs.create")) is kind


def test_a_conflict_elsewhere_is_no_usage_limit() -> None:
    """Only a submission runs into the instance's limit with a 409, and only there a session is found closed."""
    assert type(refused(409, coded(1400), operation="jobs.cancel")) is errors.Conflict
    assert type(refused(404, coded(4001), operation="jobs.get")) is errors.NotFound


def below(kind: type[Exception]) -> Iterator[type[Exception]]:
    """Yield a class and all that are derived from it."""
    yield kind
    for child in kind.__subclasses__():
        yield from below(child)


@pytest.mark.parametrize(
    "kind",
    sorted({*below(errors.ApiError), *below(errors.TransportError), *below(errors.JobError)}, key=str),
    ids=lambda kind: str(kind.__name__),
)
def test_every_error_of_the_service_ends_with_what_to_do(kind: Any) -> None:
    """Where the service has no advice, the message ends with a sentence of ours."""
    if issubclass(kind, errors.ApiError):
        error: Exception = kind("No", operation="x", status=400)
    elif issubclass(kind, errors.JobError):
        error = kind("j", "Failed")
    else:
        error = kind("no", operation="x")

    assert str(error).endswith(kind.advice)
    assert re.fullmatch(r"[A-Z].{20,}\.", kind.advice)


def test_the_tree_is_drawn_as_it_is() -> None:
    """The docstring's drawing names every class once, under its parent."""
    drawn: dict[str, int] = {}
    for line in (errors.__doc__ or "").splitlines():
        if names := re.match(r"([ │]*)[├└]── (\w+)", line):
            drawn[names[2]] = len(names[1])
    kinds = [
        kind for kind in below(errors.QrtError) if kind is not errors.QrtError and kind.__module__ == errors.__name__
    ]
    listed = re.findall(r"\w+", errors.__doc__ or "")

    assert [kind.__name__ for kind in kinds if kind.__name__ not in listed] == []
    for kind in kinds:
        parent = next(base for base in kind.__bases__ if issubclass(base, errors.QrtError))
        if kind.__name__ in drawn and parent.__name__ in drawn:
            assert drawn[parent.__name__] < drawn[kind.__name__]


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
