"""A reply → the value it carries, or the error it stands for."""

from __future__ import annotations

import datetime as dt
import email.utils
import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import attrs

from qrt_async import errors
from qrt_async.models.answer import Answer
from qrt_async.wire import codec
from qrt_async.wire.call import BufferedSink, Call, Reply, ReplyHead, Sink, buffered

T = TypeVar("T")

_LONGEST_EXPLANATION = 2**20

_BY_STATUS: dict[int, type[errors.ApiError]] = {
    400: errors.BadRequest,
    401: errors.Unauthorized,
    403: errors.Forbidden,
    404: errors.NotFound,
    407: errors.Blocked,
    409: errors.Conflict,
    413: errors.PayloadTooLarge,
    422: errors.BadRequest,
    423: errors.BackendReserved,
    429: errors.RateLimited,
}

_BY_CODE: dict[int | str | None, type[errors.ApiError]] = {
    1001: errors.PayloadTooLarge,
    1012: errors.TooManyPendingJobs,
    1233: errors.BackendReserved,
    3458: errors.TooManyPendingJobs,
    4317: errors.UsageLimitReached,
}
"""What a code says more than its status; IBM's list of error codes."""

_ON_SUBMISSION: dict[int | str | None, type[errors.ApiError]] = {
    1217: errors.SessionNotOpen,
    4001: errors.SessionNotOpen,
}
"""Codes that mean this of a new job alone: of one that exists they are the reason for its end."""


def open_sink(call: Call[T], head: ReplyHead, now: Callable[[], dt.datetime]) -> Sink[T]:
    """Return the sink for a reply that begins so: the call's own for a success, one that raises for all else."""
    if 200 <= head.status < 300:
        return call.read(head)

    def refuse(reply: Reply) -> T:
        raise error_of(reply, operation=call.operation, now=now())

    return _BeginningSink(head, refuse)


class _BeginningSink(BufferedSink[T]):
    """A sink that keeps no more of the body than an explanation needs."""

    def feed(self, chunk: bytes) -> None:
        """Keep the bytes, unless there are enough of them."""
        if self._size < _LONGEST_EXPLANATION:
            super().feed(chunk)


def reading(model: type[T], *, operation: str) -> Callable[[ReplyHead], Sink[T]]:
    """Return the way to read a JSON body as `model`."""
    return buffered(lambda reply: read_as(model, reply, operation=operation))


def read_as(model: type[T], reply: Reply, *, operation: str) -> T:
    """Return a JSON body as `model`, an answer with the id of its request."""
    return stamped(codec.load(codec.parse(reply.body, operation=operation), model, operation=operation), reply)


def stamped(found: T, reply: Reply) -> T:
    """Return a model with the id of the request that it answers."""
    request_id = request_id_of(reply.head)
    if not isinstance(found, Answer) or request_id is None:
        return found
    return attrs.evolve(found, request_id=request_id)


def request_id_of(head: ReplyHead) -> str | None:
    """Return the name under which the service logged the request, where it says one."""
    return head.headers.get("x-request-id") or head.headers.get("uber-trace-id")


def nothing() -> Callable[[ReplyHead], Sink[None]]:
    """Return the way to read a reply whose body, if any, says nothing."""
    return buffered(lambda _: None)


@attrs.frozen
class _Complaint:
    message: str
    code: int | str | None = None
    solution: str | None = None
    trace: str | None = None


def error_of(reply: Reply, *, operation: str, now: dt.datetime) -> errors.ApiError:
    """Return the typed error of a reply that is not a success, whatever form its body has."""
    status = reply.head.status
    complaint = _complaint(reply)
    return _kind(reply, operation, complaint.code)(
        complaint.message,
        operation=operation,
        status=status,
        code=complaint.code,
        solution=complaint.solution,
        trace=complaint.trace or request_id_of(reply.head) or reply.head.headers.get("cf-ray"),
        retry_after=retry_after(reply.head.headers.get("retry-after"), now),
    )


def _kind(reply: Reply, operation: str, code: int | str | None) -> type[errors.ApiError]:
    status = reply.head.status
    if status >= 500:
        return errors.ServerError
    if status == 403 and _is_html(_beginning(reply)):
        return errors.Blocked
    if operation == "jobs.create" and status == 409:
        return _BY_CODE.get(code) or _ON_SUBMISSION.get(code) or errors.UsageLimitReached
    by_code = _BY_CODE.get(code) or (_ON_SUBMISSION.get(code) if operation == "jobs.create" else None)
    return by_code or _BY_STATUS.get(status, errors.ApiError)


def _complaint(reply: Reply) -> _Complaint:
    status = reply.head.status
    if 300 <= status < 400:
        return _Complaint(
            "the service answered with a redirect, which is never followed, since it could carry the credentials "
            "to another host; check the URLs of the account"
        )
    try:
        value = json.loads(reply.body)
    except (ValueError, RecursionError):
        return _Complaint(_plain_text(reply))
    return _structured(value) or _Complaint(_plain_text(reply))


def _structured(value: Any) -> _Complaint | None:
    match value:
        case {"errors": [{"message": str(message)} as first, *_]}:
            return _described(message, first, value)
        case {"error": {"message": str(message)} as first}:
            return _described(message, first, value)
        case {"errorMessage": str(message)}:
            return _Complaint(message, _code(value.get("errorCode")))
        case {"detail": str(message)}:
            return _Complaint(message)
        case {"detail": [{"msg": str(message)} as first, *_]}:
            loc = first.get("loc")
            place = ".".join(map(str, loc)) if isinstance(loc, list) else ""
            return _Complaint(f"{place}: {message}" if place else message)
        case _:
            return None


def _described(message: str, first: Mapping[str, Any], whole: Mapping[str, Any]) -> _Complaint:
    solution, trace = first.get("solution"), whole.get("trace")
    return _Complaint(
        message,
        _code(first.get("code")),
        solution if isinstance(solution, str) and solution else None,
        trace if isinstance(trace, str) else None,
    )


def _code(value: Any) -> int | str | None:
    if isinstance(value, str):
        return int(value) if value.isascii() and value.isdigit() and len(value) <= 9 else value[:100]
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _plain_text(reply: Reply) -> str:
    text = _beginning(reply)
    if not text:
        return "no explanation"
    if _is_html(text):
        title = re.search(r"<title>(.*?)</title>", text, re.IGNORECASE | re.DOTALL)
        name = " ".join(title[1].split()) if title else "untitled"
        return f"an HTML page ({name[:100]!r}) from something in front of the service"
    return text[:300]


def _beginning(reply: Reply) -> str:
    return reply.body[:2000].decode("utf-8", "replace").strip()


def _is_html(text: str) -> bool:
    return "<html" in text.lower() or "<!doctype" in text.lower()


def retry_after(header: str | None, now: dt.datetime) -> float | None:
    """
    Return the seconds that a ``Retry-After`` header asks for (seconds or a date, RFC 9110), None where it is nonsense.

    A date in the past is 0.
    """
    if header is None:
        return None
    try:
        seconds = float(header)
    except ValueError:
        return _seconds_until(header, now)
    return seconds if seconds >= 0 and math.isfinite(seconds) else None


def _seconds_until(header: str, now: dt.datetime) -> float | None:
    try:
        moment = email.utils.parsedate_to_datetime(header)
    except (ValueError, OverflowError):
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    return max(0.0, (aware - now).total_seconds())
