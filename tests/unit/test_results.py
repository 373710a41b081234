"""Bodies of results → models, and what the models say."""

from __future__ import annotations

import copy
import json
import pickle
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qrt_async.errors import NoSuchRegister, ProtocolError
from qrt_async.models.results import BitArray, EstimatorData, SamplerData
from qrt_async.wire import results


def body(*pubs: dict[str, Any]) -> bytes:
    """Return a body of results with such data."""
    return json.dumps(
        {"results": [{"data": data, "metadata": {"m": 1}} for data in pubs], "metadata": {"version": 2}}
    ).encode()


def register(samples: Any, num_bits: int | None = None) -> BitArray:
    """Return the register that such samples become."""
    value = {"samples": samples} | ({} if num_bits is None else {"num_bits": num_bits})
    return results.sampler(body({"c": value}))[0].data.c


def test_a_sampler_result_is_reached_by_register() -> None:
    """Registers come in the service's order, by attribute and by any name."""
    found = results.sampler(
        body({"c": {"samples": ["0x1"], "num_bits": 2}, "keys": {"samples": ["0x0"], "num_bits": 1}})
    )

    assert list(found[0].data) == ["c", "keys"]
    assert found[0].data.c.counts() == {"01": 1}
    assert found[0].data["keys"].counts() == {"0": 1}
    assert (len(found), found.metadata, found[0].metadata) == (1, {"version": 2}, {"m": 1})


def test_a_missing_register_names_those_there_are() -> None:
    """The error is an AttributeError or KeyError as Python expects, and lists the registers."""
    data = results.sampler(body({"c": {"samples": ["0x1"]}, "meas": {"samples": ["0x1"]}}))[0].data

    with pytest.raises(NoSuchRegister, match=r"no 'd'; it has 'c', 'meas'"):
        _ = data.d
    with pytest.raises(KeyError):
        _ = data["d"]
    assert not hasattr(data, "d")


@settings(deadline=None)
@given(st.integers(1, 200).flatmap(lambda n: st.tuples(st.just(n), st.lists(st.integers(0, 2**n - 1), min_size=1))))
def test_every_view_of_a_register_tells_the_same_shots(bits_and_values: tuple[int, list[int]]) -> None:
    """Integers, bitstrings, counts and samples of any register agree with the shots that were sent."""
    num_bits, values = bits_and_values
    found = register([hex(value) for value in values], num_bits)

    assert found.ints() == values
    assert found.samples == [hex(value) for value in values]
    assert found.bitstrings() == [format(value, f"0{num_bits}b") for value in values]
    assert found.counts() == Counter(found.bitstrings())
    assert found.int_counts() == Counter(values)
    assert (found.shape, found.num_shots, found.num_bits) == ((), len(values), num_bits)


def test_the_packing_is_big_endian_and_right_aligned() -> None:
    """Nine bits take two bytes, the padding being the high bits of the first."""
    assert register(["0x1ff", "0x100", "0x1"], 9).array.tolist() == [[1, 255], [1, 0], [0, 1]]


def test_a_sweep_keeps_its_shape() -> None:
    """Nested samples give a register of that shape; parts and all of it can be counted."""
    found = register([[["0x0", "0x1"]], [["0x3", "0x3"]], [["0x2", "0x1"]]], 2)

    assert (found.shape, found.num_shots) == ((3, 1), 2)
    assert found[1].shape == (1,)
    assert found[1, 0].counts() == {"11": 2}
    assert found.counts() == {"00": 1, "01": 2, "10": 1, "11": 2}
    assert found[0:2].samples == [[["0x0", "0x1"]], [["0x3", "0x3"]]]
    with pytest.raises(IndexError):
        _ = found[0, 0, 0]


def test_a_register_without_its_width_gets_the_least_that_fits() -> None:
    """A body without `num_bits` is read as well."""
    assert (register(["0x0", "0x5"]).num_bits, register(["0x0"]).num_bits) == (3, 1)


def test_no_shots_and_no_pubs_are_results_too() -> None:
    """Empty registers and empty lists are not errors."""
    assert register([], 2).counts() == {}
    assert len(results.sampler(body())) == 0


def test_an_estimator_result_holds_arrays() -> None:
    """Scalars become arrays without dimensions, lists keep their shape, null stays None, the rest is there by name."""
    found = results.estimator(
        body(
            {"evs": -1.3, "stds": 0.02, "ensemble_standard_error": None}, {"evs": [[1, 2]], "stds": [[float("inf"), 0]]}
        )
    )

    assert (float(found[0].data.evs), found[0].data.evs.shape) == (-1.3, ())
    assert found[0].data.ensemble_standard_error is None
    assert found[1].data.evs.shape == (1, 2)
    assert found[1].data.stds[0, 0] == np.inf
    with pytest.raises(NoSuchRegister, match="it has 'evs', 'stds'"):
        _ = found[1].data.ensemble_standard_error


def test_a_result_of_unknown_kind_is_known_by_what_it_holds() -> None:
    """Shots make a sampler's data, numbers an estimator's."""
    assert isinstance(results.primitive(body({"c": {"samples": ["0x1"]}}))[0].data, SamplerData)
    assert isinstance(results.primitive(body({"evs": 1}))[0].data, EstimatorData)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (b"[]", r"\$\.results"),
        (b"{}", r"\$\.results"),
        (b'{"results": {}}', r"\$\.results"),
        (b'{"results": [3]}', r"\$\.results\[0\]\.data"),
        (b'{"results": [{"data": []}]}', r"\$\.results\[0\]\.data"),
        (body({"c": {"samples": "0x1"}}), r"data\.c\.samples"),
        (body({"c": {"samples": ["0xg"], "num_bits": 1}}), r"data\.c\.samples"),
        (body({"c": {"samples": [1], "num_bits": 1}}), r"data\.c\.samples"),
        (body({"c": {"samples": [None], "num_bits": 1}}), r"data\.c\.samples"),
        (body({"c": {"samples": ["0x2"], "num_bits": 1}}), r"shots of 1 bits"),
        (body({"c": {"samples": ["0x100"], "num_bits": 1}}), r"data\.c\.samples"),
        (body({"c": {"samples": ["0x1"], "num_bits": 10**12}}), r"shots of 1000000000000 bits"),
        (body({"c": {"samples": [], "num_bits": -1}}), r"shots of -1 bits"),
        (body({"c": {"samples": ["-0x1"], "num_bits": 1}}), r"data\.c\.samples"),
        (body({"c": {"samples": [["0x1"], ["0x1", "0x0"]], "num_bits": 1}}), r"data\.c\.samples"),
        (body({"c": {"samples": [["0x1"], 7], "num_bits": 1}}), r"data\.c\.samples"),
        (body({"evs": 1.0}), r"SamplerData @ \$\.results\[0\]\.data"),
        (body({"c": {"samples": ["0x1"]}, "evs": 1.0}), r"SamplerData"),
        (body({"c": "text"}), r"data\.c"),
    ],
)
def test_a_wrong_body_names_its_place(text: bytes, place: str) -> None:
    """Whatever a body holds, the error is ours and says where it is wrong."""
    with pytest.raises(ProtocolError, match=place):
        results.sampler(text)


@pytest.mark.parametrize("value", ["x", [[1], [1, 2]], {"a": 1}, [None, "y"]])
def test_an_array_that_is_none_names_its_place(value: Any) -> None:
    """An estimator's values are arrays of numbers."""
    with pytest.raises(ProtocolError, match=r"results\[0\]\.data\.evs"):
        results.estimator(body({"evs": value}))


def test_results_are_values() -> None:
    """Equal bodies give equal results, which can be copied and pickled."""
    text = body({"c": {"samples": ["0x1", "0x0"], "num_bits": 1}})
    one, other = results.sampler(text), results.sampler(text)

    assert one == other
    assert pickle.loads(pickle.dumps(one)) == one
    assert copy.deepcopy(one) == one
    assert one != results.sampler(body({"c": {"samples": ["0x1", "0x1"], "num_bits": 1}}))
    assert repr(one[0].data) == "SamplerData(c=BitArray(shape=(), num_shots=2, num_bits=1))"
