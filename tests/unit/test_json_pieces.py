"""JSON made in pieces: the same text as the whole, and no piece that takes long."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qrt_async.wire.call import json_body
from qrt_async.wire.json_pieces import PIECE, pieces, weight

SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text()
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=8),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(st.text(max_size=5), inner, max_size=4),
    ),
    max_leaves=40,
)


def whole(value: Any, **how: Any) -> bytes:
    """Return a value's JSON as one call makes it."""
    return json.dumps(value, allow_nan=False, separators=(",", ":"), **how).encode()


@settings(deadline=None)
@given(VALUES, st.integers(1, 60), st.booleans())
def test_the_pieces_make_the_whole(value: Any, size: int, sort_keys: bool) -> None:
    """However small the pieces, together they are what one call makes."""
    assert b"".join(pieces(value, size=size, sort_keys=sort_keys)) == whole(value, sort_keys=sort_keys)


@settings(deadline=None, max_examples=30)
@given(st.text(alphabet='a"\\\n\u00e9\u2028😀\ud83d\ude00', min_size=20), st.integers(1, 9))
def test_a_text_may_be_cut_anywhere(text: str, size: int) -> None:
    """Escapes, characters beyond the first plane and lone surrogates survive the cuts of a long text."""
    assert b"".join(pieces([text, {"k": text}], size=size)) == whole([text, {"k": text}])


@pytest.mark.parametrize(
    "wrong", [float("nan"), [1.0] * 20_000 + [float("inf")], {"a": [["x" * 70_000, float("nan")]]}]
)
def test_what_json_has_not_is_refused(wrong: Any) -> None:
    """NaN and infinities never leave, wherever they stand."""
    with pytest.raises(ValueError, match="JSON compliant"):
        json_body(wrong)


@pytest.mark.parametrize(
    "value",
    [
        "é" * 2_000_000,
        ["x" * 100] * 30_000,
        [[0.1234567890123] * 10] * 20_000,
        {str(k): [k, "x" * 50] for k in range(30_000)},
        [["program " * 50_000, [[0.25] * 4] * 5000, 100]] * 6,
        [{"a": ["x"] * 200_000}],
    ],
    ids=["text", "texts", "rows", "members", "pubs", "short"],
)
def test_no_piece_is_long(value: Any) -> None:
    """Whatever a large value is made of, no piece of it is much longer than another, and together they are it."""
    found = list(pieces(value))

    assert b"".join(found) == whole(value)
    assert max(map(len, found)) < 10 * PIECE


def test_a_weight_says_what_is_large() -> None:
    """A value weighs about what its JSON does, and counting ends where it is large enough."""
    assert weight({"a": ["x" * 1000]}) == pytest.approx(1000, abs=50)
    assert weight([0.5] * 10**6) >= 4 * PIECE
    assert weight([["x" * 10**6] * 100]) >= 4 * PIECE
    assert weight(None) < 20
