"""JSON → models, strictly."""

from __future__ import annotations

import datetime as dt

import attrs
import pytest

from qrt_async.errors import ProtocolError
from qrt_async.wire import codec


@attrs.frozen
class Inner:
    """A model within a model."""

    id: str
    cost: int
    share: float = 0.0
    private: bool = False
    created: dt.datetime | None = None


@attrs.frozen
class Outer:
    """A model with a list of models."""

    jobs: tuple[Inner, ...]


def test_a_matching_document_becomes_a_model() -> None:
    """Values of the right types are taken, a whole number is a good float, and unknown keys do no harm."""
    found = codec.load({"jobs": [{"id": "a", "cost": 1, "share": 2, "new": []}]}, Outer, operation="x")

    assert found == Outer((Inner("a", 1, 2.0),))


@pytest.mark.parametrize(
    ("item", "problem"),
    [
        ({"id": None, "cost": 1}, "expected str, not null @ $.jobs[1].id"),
        ({"id": "a", "cost": "5"}, "expected int, not str @ $.jobs[1].cost"),
        ({"id": "a", "cost": True}, "expected int, not bool @ $.jobs[1].cost"),
        ({"id": "a", "cost": 1, "private": "false"}, "expected bool, not str @ $.jobs[1].private"),
        ({"id": "a", "cost": 1, "share": "1"}, "expected float, not str @ $.jobs[1].share"),
        ({"id": "a", "cost": 1, "share": True}, "expected float, not bool @ $.jobs[1].share"),
        ({"id": "a"}, "required field cost is missing @ $.jobs[1]"),
        ({"id": "a", "cost": 1, "created": "yesterday"}, "expected a time, not 'yesterday' @ $.jobs[1].created"),
        (7, "@ $.jobs[1]"),
    ],
)
def test_a_wrong_type_names_its_place(item: object, problem: str) -> None:
    """Nothing is coerced, and the error says what was expected where."""
    with pytest.raises(ProtocolError) as caught:
        codec.load({"jobs": [{"id": "z", "cost": 0}, item]}, Outer, operation="jobs.list")

    assert problem in str(caught.value)


@pytest.mark.parametrize("document", [None, [], "x", {"jobs": 5}, {"jobs": None}, {}])
def test_a_document_of_another_shape_is_a_protocol_error(document: object) -> None:
    """Whatever the document is, the error is ours."""
    with pytest.raises(ProtocolError):
        codec.load(document, Outer, operation="x")


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-09-10T18:44:00Z", dt.datetime(2026, 9, 10, 18, 44, tzinfo=dt.UTC)),
        ("2024-09-30T12:00:00.000Z", dt.datetime(2024, 9, 30, 12, tzinfo=dt.UTC)),
        ("2024-09-30T12:00:00.123456789Z", dt.datetime(2024, 9, 30, 12, 0, 0, 123456, tzinfo=dt.UTC)),
        ("2024-09-30T14:00:00+02:00", dt.datetime(2024, 9, 30, 12, tzinfo=dt.UTC)),
        ("2024-09-30T12:00:00", dt.datetime(2024, 9, 30, 12, tzinfo=dt.UTC)),
    ],
)
def test_times_of_every_precision_are_read(text: str, moment: dt.datetime) -> None:
    """Any RFC 3339 text is an aware time."""
    assert codec.parse_time(text) == moment


def test_json_may_hold_nan_and_infinity() -> None:
    """Bare NaN and Infinity, which the service sends, are read."""
    assert codec.parse(b'{"a": Infinity}', operation="x") == {"a": float("inf")}


def test_a_body_that_is_no_json_says_so() -> None:
    """The error shows how the body begins, unless it may hold a secret."""
    with pytest.raises(ProtocolError, match="begins with '<html>'"):
        codec.parse(b"<html>", operation="x")
    with pytest.raises(ProtocolError) as caught:
        codec.parse(b"hunter2", operation="login", secret=True)
    assert "hunter2" not in repr(caught.value)
    assert caught.value.__cause__ is None
