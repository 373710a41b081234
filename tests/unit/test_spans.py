"""Execution spans: which shots were taken when."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit_ibm_runtime import RuntimeDecoder, RuntimeEncoder
from qiskit_ibm_runtime import execution_span as official

from qrt_async.models.spans import DoubleSliceSpan, ExecutionSpan, ExecutionSpans, SliceSpan, SpanPart
from qrt_async.wire import results

T0 = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
TIMES = st.integers(0, 10**6).map(lambda n: T0 + dt.timedelta(milliseconds=n))


@st.composite
def ranges(draw: st.DrawFn, length: int) -> slice:
    """Draw a range of positions."""
    start = draw(st.integers(0, length))
    return slice(start, draw(st.integers(start, length)))


@st.composite
def parts(draw: st.DrawFn, kind: type[Any]) -> tuple[Any, ...]:
    """Draw what a span of the official client's holds of one PUB."""
    twirled = issubclass(kind, official.TwirledSliceSpan)
    axes = st.lists(st.integers(1, 3), min_size=2 if twirled else 1, max_size=5 if twirled else 4)
    shape = tuple(draw(axes))
    if kind is official.SliceSpan:
        return shape, draw(ranges(int(np.prod(shape))))
    front = (draw(st.booleans()),) if twirled else ()
    sets, shots = draw(ranges(int(np.prod(shape[:-1])))), draw(ranges(shape[-1]))
    kept = (draw(st.integers(1, 12)),) if kind is official.TwirledSliceSpanV2 else ()
    return (shape, *front, sets, shots, *kept)


@st.composite
def spans(draw: st.DrawFn) -> Any:
    """Draw spans of the official client's, of all kinds."""
    kinds = [
        official.SliceSpan,
        official.DoubleSliceSpan,
        official.TwirledSliceSpan,
        official.TwirledSliceSpanV2,
    ]
    found: list[Any] = []
    for kind in draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=3)):
        slices = draw(st.dictionaries(st.integers(0, 30), parts(kind), max_size=3))
        found.append(kind(draw(TIMES), draw(TIMES), slices))
    return official.ExecutionSpans(found)


def ours(value: Any) -> ExecutionSpans:
    """Return what such spans are after the way through the wire."""
    found = results.any_program(json.dumps(value, cls=RuntimeEncoder).encode())
    assert isinstance(found, ExecutionSpans)
    return found


@settings(deadline=None)
@given(spans())
def test_spans_say_what_the_official_clients_say(theirs: Any) -> None:
    """Times, PUBs, sizes and masks of generated spans of every kind are those of the official client."""
    found = ours(theirs)

    assert len(found) == len(theirs)
    assert (found.start, found.stop, list(found.pub_indices)) == (theirs.start, theirs.stop, theirs.pub_idxs)
    for mine, other in zip(found, theirs, strict=True):
        assert type(mine).__name__ == type(other).__name__
        assert (mine.start, mine.stop, mine.duration, mine.size) == (
            other.start,
            other.stop,
            other.duration,
            other.size,
        )
        assert list(mine.pub_indices) == other.pub_idxs
        for index in mine.pub_indices:
            assert np.array_equal(mine.mask(index), other.mask(index))


@settings(deadline=None)
@given(spans())
def test_spans_go_back_to_the_official_client(theirs: Any) -> None:
    """Converted spans equal what the official client decodes from the same text."""
    from qrt_async import qiskit_bridge

    text = json.dumps(theirs, cls=RuntimeEncoder)

    assert qiskit_bridge.foreign(ours(theirs)) == json.loads(text, cls=RuntimeDecoder)


def test_a_pub_that_a_span_does_not_hold_is_named() -> None:
    """Asking for another PUB's mask says which PUBs there are."""
    span = SliceSpan(T0, T0, {3: SpanPart((2,), (0, 1))})

    assert span.mask(3).tolist() == [True, False]
    with pytest.raises(KeyError, match=r"no shots of PUB 0, only of \(3,\)"):
        span.mask(0)


def test_spans_can_be_narrowed_and_sorted() -> None:
    """A selection of PUBs keeps the spans, sorting goes by the start, slices are spans again."""
    late = DoubleSliceSpan(T0 + dt.timedelta(1), T0 + dt.timedelta(2), {0: SpanPart((3, 4), (0, 2), (1, 3))})
    early = SliceSpan(T0, T0, {0: SpanPart((2,), (0, 1)), 1: SpanPart((2,), (1, 2))})
    both = ExecutionSpans((late, early))

    assert both.by_start().spans == (early, late)
    assert both[1:] == ExecutionSpans((early,))
    narrowed = both.for_pubs(1)
    assert [span.pub_indices for span in narrowed] == [(), (1,)]
    assert isinstance(narrowed[0], ExecutionSpan)
    assert isinstance(narrowed[1], SliceSpan)
    assert (both.pub_indices, both[0].size) == ((0, 1), 4)
