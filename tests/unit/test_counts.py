"""Counts as arrays: the same as a dict of them, whatever the width, and made beside the event loop."""

from __future__ import annotations

import copy
import pickle
import threading
from collections import Counter
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qrt_async import threads
from qrt_async.models.counts import Counts, IntCounts
from qrt_async.models.results import BitArray


def register(values: list[int], num_bits: int) -> BitArray:
    """Return a register of these shots."""
    size = (num_bits + 7) // 8
    data = b"".join(value.to_bytes(size, "big") for value in values)
    return BitArray(np.frombuffer(data, dtype=np.uint8).reshape(len(values), size), num_bits)


@st.composite
def shots(draw: st.DrawFn) -> tuple[list[int], int]:
    """Draw shots of up to 200 bits, some of them often, and their number of bits."""
    num_bits = draw(st.sampled_from([1, 3, 8, 9, 16, 17, 31, 63, 64, 65, 72, 127, 200]))
    some = draw(st.lists(st.integers(0, 2**num_bits - 1), max_size=8))
    often = st.sampled_from([0, 1, 2**num_bits - 1, 1 << (num_bits // 2), 255 % 2**num_bits, *some])
    return draw(st.lists(often, max_size=60)), num_bits


@settings(deadline=None)
@given(shots())
async def test_counts_are_those_of_a_counter(drawn: tuple[list[int], int]) -> None:
    """As a dict and as a mapping of arrays, by bitstring and by integer: equal to a Counter's, in ascending order."""
    values, num_bits = drawn
    found = register(values, num_bits)
    by_int = dict(sorted(Counter(values).items()))
    by_text = {format(value, f"0{num_bits}b"): number for value, number in by_int.items()}

    counts, int_counts = await found.counts_async(), await found.int_counts_async()

    assert (type(found.counts()), type(found.int_counts())) == (dict, dict)
    assert list(found.counts().items()) == list(by_text.items()) == list(counts.items())
    assert list(found.int_counts().items()) == list(by_int.items()) == list(int_counts.items())
    assert {key: counts[key] for key in counts} == by_text == counts
    assert {key: int_counts[key] for key in int_counts} == by_int == int_counts
    assert (list(counts.values()), counts.total()) == (list(by_int.values()), len(values))
    assert int_counts.most_common(2) == Counter(by_int).most_common(2)


async def test_what_was_not_seen_is_missing() -> None:
    """A value that was not seen, that the register cannot hold, or of another type, is no key."""
    found = register([1, 5, 5], 3)
    counts, int_counts = await found.counts_async(), await found.int_counts_async()

    assert ("101" in counts, "000" in counts, counts.get("111"), counts.get("101")) == (True, False, None, 2)
    assert (5 in int_counts, 0 in int_counts, int_counts.get(7), int_counts.get(5)) == (True, False, None, 2)
    for wrong in ("0101", "1", "1x1", "", 5, None):
        assert wrong not in counts
        with pytest.raises(KeyError):
            _ = counts[wrong]  # type: ignore[index]
    for wrong in (-1, 8, 2**70, "101", None):
        assert wrong not in int_counts


async def test_counts_are_values() -> None:
    """They compare, show themselves, and travel as a dict would."""
    found = register([1, 5, 5], 3)
    counts = await found.counts_async()

    assert isinstance(counts, Mapping)
    assert repr(counts) == "{'001': 1, '101': 2}"
    assert counts == await register([5, 1, 5], 3).counts_async()
    assert counts != await register([5, 1, 1], 3).counts_async()
    assert counts != await found.int_counts_async()
    assert pickle.loads(pickle.dumps(counts)) == counts == copy.deepcopy(counts)
    assert repr(await register(list(range(200)), 8).counts_async()).endswith("'00111111': 1, …}")


@pytest.mark.parametrize("num_bits", [5, 12, 40, 127])
async def test_many_shots_are_counted_in_a_thread(num_bits: int) -> None:
    """Hundreds of thousands of shots are counted as a few are."""
    rng = np.random.default_rng(num_bits)
    size = (num_bits + 7) // 8
    array = rng.integers(0, 256, (300_000, size), dtype=np.uint8)
    array[:, 0] &= 2 ** (num_bits - 8 * (size - 1)) - 1
    array[:100_000] = array[100_000:200_000]
    found = BitArray(array.reshape(3, 100_000, size), num_bits)

    counts = await found.int_counts_async()

    assert isinstance(counts, IntCounts)
    assert counts == Counter(found.ints())
    assert isinstance(await found.counts_async(), Counts)


async def test_only_long_work_leaves_the_loop() -> None:
    """What is small is not worth the way to a thread, what is large goes there."""
    here = threading.get_ident()

    assert await threads.in_thread(threading.get_ident, size=1000) == here
    assert await threads.in_thread(threading.get_ident, size=10**6) != here


def test_a_register_without_bits_has_one_value() -> None:
    """Shots of no bits are all the same."""
    found = BitArray(np.zeros((4, 0), dtype=np.uint8), 0)

    assert (found.counts(), found.int_counts(), found.ints(), found.bitstrings()) == (
        {"": 4},
        {0: 4},
        [0] * 4,
        [""] * 4,
    )
