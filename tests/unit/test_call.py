"""The vocabulary of calls."""

from __future__ import annotations

import pytest

from qrt_async.secret import Secret
from qrt_async.wire import auth
from qrt_async.wire.call import json_body, path, query


@pytest.mark.parametrize(
    ("segment", "encoded"),
    [
        ("d8u34pst", "/jobs/d8u34pst"),
        ("../backends", "/jobs/..%2Fbackends"),
        ("..", "/jobs/%2E%2E"),
        (".", "/jobs/%2E"),
        ("a b?c#d", "/jobs/a%20b%3Fc%23d"),
        ("ü", "/jobs/%C3%BC"),
    ],
)
def test_an_id_can_never_name_another_resource(segment: str, encoded: str) -> None:
    """Every segment of a path is encoded whole."""
    assert path("jobs", segment) == encoded


def test_a_query_is_spelled_as_the_service_does() -> None:
    """Booleans are lower case, keys may repeat, and None is left out."""
    assert query([("a", True), ("tags", "x"), ("tags", "y"), ("n", 3), ("z", None)]) == (
        ("a", "true"),
        ("tags", "x"),
        ("tags", "y"),
        ("n", "3"),
    )


def test_json_bodies_refuse_what_json_has_not() -> None:
    """NaN never leaves."""
    with pytest.raises(ValueError, match="JSON compliant"):
        json_body({"a": float("nan")})


def test_a_login_does_not_show_its_key() -> None:
    """The representation of a call that carries a key is without it."""
    for call in (auth.iam_token(Secret("hunter2")), auth.legacy_login(Secret("hunter2"))):
        assert "hunter2" not in repr(call)
        assert call.body is not None
        assert b"hunter2" in call.body.data
