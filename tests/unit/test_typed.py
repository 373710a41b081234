"""Typed bodies → the same models as plain ones, without Qiskit, whatever the network sends."""

from __future__ import annotations

import base64
import datetime as dt
import json
import pickle
import random
import subprocess
import sys
import tracemalloc
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from qrt_async.errors import ProtocolError
from qrt_async.models.results import BitArray, EstimatorData, SamplerData
from qrt_async.models.spans import ExecutionSpans, SliceSpan
from qrt_async.models.typed import (
    Bindings,
    ExecutorResult,
    LayerError,
    NoiseLearnerResult,
    Opaque,
    PauliLindbladError,
    PauliLindbladMap,
    Qpy,
)
from qrt_async.wire import results
from qrt_async.wire.arrays import Unpacking
from tests.unit import typed_bodies as make
from tests.unit.typed_bodies import ndarray, wrapped

START = wrapped("datetime", "2026-03-01T12:00:00.5Z")
STOP = wrapped("datetime", "2026-03-01T12:00:02Z")


def decoded(value: Any) -> Any:
    """Return what any program's result of this value means."""
    return results.any_program(json.dumps(value).encode())


SHAPES = arrays.array_shapes(min_dims=0, max_dims=3, min_side=1, max_side=3)


@st.composite
def registers(draw: st.DrawFn) -> dict[str, tuple[Any, int]]:
    """Draw one or two registers of 1 to 200 bits over one sweep."""
    shape = (*draw(SHAPES), draw(st.integers(1, 5)))
    found: dict[str, tuple[Any, int]] = {}
    for name in draw(st.sampled_from([["c"], ["c", "meas"], ["keys", "m_1"]])):
        bits = draw(st.integers(1, 200))
        values = draw(st.lists(st.integers(0, 2**bits - 1), min_size=int(np.prod(shape)), max_size=int(np.prod(shape))))
        found[name] = (np.array(values, dtype=object).reshape(shape), bits)
    return found


@settings(deadline=None)
@given(registers())
def test_a_samplers_typed_and_plain_bodies_are_one(data: dict[str, tuple[Any, int]]) -> None:
    """Registers of 1 to 200 bits, over sweeps of up to three dimensions, come out equal from either form."""
    typed, plain = results.sampler(make.typed_sampler(data)), results.sampler(make.plain_sampler(data))

    assert (
        typed == plain == results.primitive(make.typed_sampler(data)) == results.any_program(make.plain_sampler(data))
    )
    for name, (values, bits) in data.items():
        register = typed[0].data[name]
        assert (register.shape, register.num_bits) == (values.shape[:-1], bits)
        assert register.ints() == values.ravel().tolist()


@st.composite
def estimates(draw: st.DrawFn) -> tuple[dict[str, Any], tuple[int, ...]]:
    """Draw an estimator's arrays, with or without those of zero-noise extrapolation."""
    shape = draw(SHAPES)
    numbers = st.floats(width=64, allow_nan=True, allow_infinity=True)

    def of(*extra: int) -> Any:
        return draw(arrays.arrays(np.float64, (*shape, *extra), elements=numbers))

    fields: dict[str, Any] = {"evs": of(), "stds": of()}
    if draw(st.booleans()):
        fields |= {name: of(3) for name in ("evs_noise_factors", "stds_noise_factors", "ensemble_stds_noise_factors")}
        fields |= {name: of(2, 4) for name in ("evs_extrapolated", "stds_extrapolated")}
        fields["ensemble_standard_error"] = None
    else:
        fields["ensemble_standard_error"] = of()
    return fields, shape


@settings(deadline=None)
@given(estimates())
def test_an_estimators_typed_and_plain_bodies_are_one(data: tuple[dict[str, Any], tuple[int, ...]]) -> None:
    """Arrays of any shape, NaN and infinities among them, come out equal from either form, and null is None."""
    fields, shape = data
    typed, plain = (
        results.estimator(make.typed_estimator(fields, shape)),
        results.estimator(make.plain_estimator(fields)),
    )

    assert typed == plain == results.primitive(make.typed_estimator(fields, shape))
    assert typed[0].data.evs.shape == shape
    assert list(typed[0].data) == list(fields)
    assert (typed[0].data["ensemble_standard_error"] is None) == ("evs_extrapolated" in fields)


VECTORS = [
    (
        "eJyb7BfqGxDJyFDGUK2eklqcXKRupaBuk2ahrqOgnpZfVFKUmBefX5SSChJ3S8wpTgWKF2ckFqQC+RqaOgq1ChQBLgYweGAPAClVHF4=",
        np.float64(0.5),
    ),
    (
        "eJyb7BfqGxDJyFDGUK2eklqcXKRupaBuk2ahrqOgnpZfVFKUmBefX5SSChJ3S8wpTgWKF2ckFqQC+RpGOpo6CrUKFAAuBjB4YA+hP+wHABe9His=",
        np.array([0.5, -1.0]),
    ),
    (
        "eJyb7BfqGxDJyFDGUK2eklqcXKRupaBeU2qorqOgnpZfVFKUmBefX5SSChJ3S8wpTgWKF2ckFqQC+RrGOgqGmjoKtQpkAy5GZgYAyR0buw==",
        np.array([[1], [3], [0]], dtype=np.uint8),
    ),
]


@pytest.mark.parametrize(("text", "expected"), VECTORS)
def test_arrays_of_the_official_encoder_are_read(text: str, expected: Any) -> None:
    """Payloads that the official client made come out with their values, shape and type."""
    found = decoded(wrapped("ndarray", text))

    assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("version", [(1, 0), (2, 0)])
@pytest.mark.parametrize(
    "array",
    [
        np.arange(6, dtype=">i4").reshape(2, 3),
        np.asfortranarray(np.arange(12.0).reshape(3, 4)),
        np.array([[True, False]]),
        np.array([1 + 2j, np.inf]),
        np.zeros((0, 3)),
        np.float32(1.5),
    ],
    ids=lambda array: f"{array.dtype}-{array.shape}",
)
def test_arrays_of_any_number_are_read(array: Any, version: tuple[int, int]) -> None:
    """Any byte order, either memory order, empty arrays and arrays without dimensions."""
    found = decoded(wrapped("ndarray", make.text_of(make.npy(np.asarray(array), version))))

    assert (found.dtype, found.shape) == (array.dtype, array.shape)
    assert np.array_equal(found, array)


LAYER = wrapped(
    "_json",
    {
        "circuit": wrapped("QuantumCircuit", make.text_of(b"QISKIT layer")),
        "qubits": [4, 5],
        "error": wrapped(
            "_json",
            {
                "generators": wrapped(
                    "settings",
                    {"data": ["IX", "ZZ"]},
                    __module__="qiskit.quantum_info.operators.symplectic.pauli_list",
                    __class__="PauliList",
                ),
                "rates": ndarray([0.1, 0.2]),
            },
            __module__="qiskit_ibm_runtime.utils.noise_learner_result",
            __class__="PauliLindbladError",
        ),
    },
    __module__="qiskit_ibm_runtime.results.noise_learner",
    __class__="LayerError",
)
LAYER_MODEL = LayerError(Qpy(b"QISKIT layer"), (4, 5), PauliLindbladError(("IX", "ZZ"), np.array([0.1, 0.2])))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (wrapped("complex", [1, -2.5]), 1 - 2.5j),
        (wrapped("datetime", "2026-03-01T12:00:00+01:00"), dt.datetime.fromisoformat("2026-03-01T12:00:00+01:00")),
        (wrapped("set", [1, "a"]), {1, "a"}),
        (wrapped("QuantumCircuit", make.text_of(b"QISKIT...")), Qpy(b"QISKIT...")),
        (wrapped("Instruction", make.text_of(b"QISKIT...")), Qpy(b"QISKIT...", "Instruction")),
        (wrapped("Parameter", base64.b64encode(b"raw").decode()), Qpy(b"raw", "Parameter")),
        (wrapped("spmatrix", base64.b64encode(b"npz").decode()), Opaque("spmatrix", b"npz")),
        (wrapped("ndarray", "polynomial_degree_3"), "polynomial_degree_3"),
        (wrapped("ObservablesArray", [{"ZZ": 1.0}, "XX"]), [{"ZZ": 1.0}, "XX"]),
        (
            wrapped("PauliLindbladMap", {"paulis": [["XZ", [0, 3], 0.5]], "num_qubits": 5}),
            PauliLindbladMap((("XZ", (0, 3), 0.5),), 5),
        ),
        (wrapped("NoiseModel", {"errors": []}), Opaque("NoiseModel", {"errors": []})),
        (wrapped("Result", {"success": True}), Opaque("Result", {"success": True})),
        (wrapped("to_json", {"a": wrapped("complex", [0, 1])}), Opaque("to_json", {"a": 1j})),
        (
            wrapped("settings", {"x": {"1": "a", "__int_keys__": True}}, __module__="os", __class__="system"),
            Opaque("settings", {"x": {1: "a"}}, "os", "system"),
        ),
        (LAYER, LAYER_MODEL),
        (
            wrapped("NoiseLearnerResult", {"data": [LAYER], "metadata": {"backend": "ibm_fez"}}),
            NoiseLearnerResult((LAYER_MODEL,), {"backend": "ibm_fez"}),
        ),
        ({"data": [LAYER], "metadata": {"b": 1}}, NoiseLearnerResult((LAYER_MODEL,), {"b": 1})),
        (wrapped("of tomorrow", [wrapped("complex", [0, 1])]), wrapped("of tomorrow", [1j])),
        ({"__type__": "no value"}, {"__type__": "no value"}),
        ([1, {"a": [None, wrapped("set", [])]}], [1, {"a": [None, set()]}]),
        ("a text", "a text"),
    ],
)
def test_typed_values_become_models(value: Any, expected: Any) -> None:
    """Every type of the API has its Python value; what is not known stays as it is."""
    assert decoded(value) == expected


def test_arrays_in_json_are_arrays_too() -> None:
    """An array may come as plain numbers, typed ones among them."""
    found = decoded(
        [wrapped("ndarray", 3), wrapped("ndarray", [[1, 2]]), wrapped("ndarray", [wrapped("complex", [0, 1])])]
    )

    assert [array.tolist() for array in found] == [3, [[1, 2]], [1j]]


def test_bindings_keep_their_names_and_shape() -> None:
    """The keys are tuples of names, the shape may be left to the arrays."""
    data = {'["a", "b"]': ndarray(np.zeros((2, 3, 2))), '["c"]': ndarray(np.ones((2, 3, 1)))}
    expected = Bindings((2, 3), {("a", "b"): np.zeros((2, 3, 2)), ("c",): np.ones((2, 3, 1))})

    assert decoded(wrapped("BindingsArray", {"shape": [2, 3], "data": data})) == expected
    assert decoded(wrapped("BindingsArray", {"shape": None, "data": data})) == expected


def test_spans_stand_in_a_samplers_metadata() -> None:
    """Execution spans are found where IBM's guide has them, under their old name as well."""
    span = wrapped("ExecutionSpan", {"start": START, "stop": STOP, "data_slices": {"0": [[3], 1, 3]}})
    for name in ("ExecutionSpans", "ExecutionSpanCollection"):
        metadata = {"execution": {"execution_spans": wrapped(name, {"spans": [span]})}, "version": 2}
        values = np.array([0, 1, 3], dtype=object)
        typed = results.sampler(make.typed_sampler({"c": (values, 2)}, metadata))
        spans = typed.metadata["execution"]["execution_spans"]

        assert isinstance(spans, ExecutionSpans)
        assert isinstance(spans[0], SliceSpan)
        assert (spans[0].duration, spans[0].mask(0).tolist()) == (1.5, [False, True, True])
        assert typed == results.sampler(make.plain_sampler({"c": (values, 2)}, metadata))


def test_kerneled_measurements_are_complex_arrays() -> None:
    """Where a sampler was asked for undiscriminated data, its registers are the complex arrays that came."""
    points = np.array([[1 + 1j, 2], [3, 4j]])
    found = results.sampler(make.typed_result("SamplerPubResult", {"c": ndarray(points)}, ()))

    assert isinstance(found[0].data, SamplerData)
    assert np.array_equal(np.asarray(found[0].data["c"]), points)


def test_the_primitive_is_known_by_what_a_pub_holds() -> None:
    """`PubResult` stands for either primitive."""
    values = np.array([1], dtype=object)
    [register] = json.loads(make.typed_sampler({"c": (values, 1)}))["__value__"]["pub_results"]
    fields = register["__value__"]["data"]["__value__"]["fields"]

    assert isinstance(results.primitive(make.typed_result("PubResult", fields, ()))[0].data, SamplerData)
    evs = {"evs": ndarray(1.0), "stds": ndarray(0.1)}
    assert isinstance(results.primitive(make.typed_result("PubResult", evs, ()))[0].data, EstimatorData)
    with pytest.raises(ProtocolError, match=r"EstimatorData @ \$\.__value__\.pub_results\[0\]"):
        results.estimator(make.typed_result("PubResult", fields, ()))


@pytest.mark.parametrize("version", ["v0.1", "v0.2", "v1.0", "v1.1", "v2.0"])
def test_an_executors_result_holds_arrays(version: str) -> None:
    """Tensors are read in the form of their version: compressed from 2.0 on."""

    def tensor(array: Any, dtype: str) -> dict[str, Any]:
        flat = np.packbits(array.ravel(), bitorder="little") if dtype == "bool" else array
        data = flat.tobytes()
        return {
            "data": base64.b64encode(zlib.compress(data) if version == "v2.0" else data).decode(),
            "shape": list(array.shape),
            "dtype": dtype,
        }

    shots = np.array([[[True, False, True]] * 7])
    points, angles = np.array([[1j, 2]]), np.array([0.5])
    item = {"c": tensor(shots, "bool"), "k": tensor(points, "c128"), "a": tensor(angles, "f64")}
    body = {
        "schema_version": version,
        "data": [{"results": item, "metadata": {"scheduler_timing": None}}],
        "metadata": {"chunk_timing": [{"start": "2026-01-01T00:00:00Z", "parts": [{"idx_item": 0, "size": 7}]}]},
        "passthrough_data": {"mine": tensor(angles, "f64")},
    }
    found = decoded(body)

    assert isinstance(found, ExecutorResult)
    assert (found.schema_version, len(found), list(found[0].results)) == (version, 1, ["c", "k", "a"])
    for name, array in (("c", shots), ("k", points), ("a", angles)):
        assert found[0].results[name].dtype == array.dtype
        assert np.array_equal(found[0].results[name], array)
    assert np.array_equal(found.passthrough["mine"], angles)
    assert found.metadata == body["metadata"]


def test_a_tensor_that_is_too_short_is_refused() -> None:
    """Data that do not fill the shape are an error with its place."""
    tensor = {"data": base64.b64encode(b"12345678").decode(), "shape": [2], "dtype": "f64"}
    with pytest.raises(ProtocolError, match=r"16 bytes .* @ \$\.data\[0\]\.results\.c\.data"):
        decoded({"schema_version": "v0.2", "data": [{"results": {"c": tensor}}]})


def test_the_noise_learners_old_pairs_are_layers() -> None:
    """Before there was a class for it, a layer came as a pair of circuit and noise."""
    circuit = {"circuit": wrapped("QuantumCircuit", make.text_of(b"q")), "qubits": [0]}
    noise = {"generators": LAYER["__value__"]["error"]["__value__"]["generators"], "rates": ndarray([1.0, 2.0])}
    found = decoded({"data": [[circuit, noise]], "metadata": {}})

    assert found == NoiseLearnerResult(
        (LayerError(Qpy(b"q"), (0,), PauliLindbladError(("IX", "ZZ"), np.array([1.0, 2.0]))),), {}
    )


def test_version_1_of_the_sampler_is_read() -> None:
    """Quasi-probabilities of old jobs are there by value."""
    body = b'{"quasi_dists": [{"0": 0.25, "3": 0.75}], "metadata": [{"shots": 4000}]}'

    for found in (results.primitive(body), results.any_program(body)):
        assert (found[0].data.quasi_dist, found[0].metadata) == ({0: 0.25, 3: 0.75}, {"shots": 4000})
    with pytest.raises(ProtocolError, match="results"):
        results.sampler(body)
    with pytest.raises(ProtocolError, match=r"quasi_dists\[0\]"):
        results.primitive(b'{"quasi_dists": [{"x": 1}]}')


def of_header(text: str, data: bytes = b"\0" * 8) -> str:
    """Return the payload of an array with this header."""
    head = text.encode() + b"\n"
    return make.text_of(b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head + data)


BAD_ARRAYS: dict[str, Any] = {
    "pickle": make.text_of(pickle.dumps(np.array([1.0]))),
    "objects": of_header("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", pickle.dumps([1])),
    "records": of_header("{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (1,), }"),
    "texts": of_header("{'descr': '<U2', 'fortran_order': False, 'shape': (1,), }"),
    "code": of_header("__import__('os').system('true')"),
    "deep": of_header("(" * 500),
    "negative": of_header("{'descr': '<f8', 'fortran_order': False, 'shape': (-1,), }"),
    "true": of_header("{'descr': '<f8', 'fortran_order': False, 'shape': (True,), }"),
    "huge": of_header("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000, 1000000), }"),
    "huge and empty": of_header("{'descr': '<f8', 'fortran_order': False, 'shape': (0, 9223372036854775807), }"),
    "too short": of_header("{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }"),
    "too long": of_header("{'descr': '<f8', 'fortran_order': False, 'shape': (), }", b"\0" * 9),
    "no such type": of_header("{'descr': '<f7', 'fortran_order': False, 'shape': (1,), }"),
    "no header": make.text_of(b"\x93NUMPY\x01\x00"),
    "long header": make.text_of(b"\x93NUMPY\x02\x00" + (10**9).to_bytes(4, "little") + b" " * 100),
    "version 3": make.text_of(b"\x93NUMPY\x03\x00" + b"\x02\x00\x00\x00{}"),
    "not compressed": base64.b64encode(make.npy(np.zeros(1))).decode(),
    "cut": base64.b64encode(zlib.compress(make.npy(np.random.default_rng(1).random(99)))[:-9]).decode(),
    "not base64": "!!!!",
    "not ASCII": "ä",
    "null": None,
    "object": {},
}


@pytest.mark.parametrize("payload", BAD_ARRAYS.values(), ids=BAD_ARRAYS)
def test_a_wrong_array_is_refused_by_place(payload: Any) -> None:
    """Objects, pickles, code, lies about sizes and cut payloads are errors that name their place."""
    with pytest.raises(ProtocolError, match=r"@ \$\.deep\[1\]\.__value__"):
        decoded({"deep": [0, wrapped("ndarray", payload)]})


def test_a_bomb_eats_no_memory() -> None:
    """A payload that inflates a thousandfold is given up as soon as it exceeds what it said, or what is reasonable."""
    stream = zlib.compressobj(9)
    head = b"{'descr': '|u1', 'fortran_order': False, 'shape': (9,), }\n"
    packed = [stream.compress(b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head)]
    packed += [stream.compress(bytes(2**20)) for _ in range(100)]
    bomb = base64.b64encode(b"".join([*packed, stream.flush()])).decode()
    values = [wrapped(kind, bomb) for kind in ("ndarray", "QuantumCircuit", "Instruction")]
    values.append(wrapped("ndarray", of_header("{'descr': '|u1', 'fortran_order': False, 'shape': (1073741823,), }")))
    bodies = [json.dumps(value).encode() for value in values]
    tracemalloc.start()
    for body in [*bodies[:1], *bodies[3:]]:
        with pytest.raises(ProtocolError, match=r"expected an? (array|payload) of"):
            results.any_program(body)
    most_of_arrays = tracemalloc.get_traced_memory()[1]
    for body in bodies[1:3]:
        with pytest.raises(ProtocolError, match="expected a payload of at most"):
            results.any_program(body)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert most_of_arrays < 4 * 2**20
    assert most < 2**28


def test_the_payloads_of_a_body_share_one_bound() -> None:
    """Payloads that each are reasonable are refused once all of them together are not."""
    array, circuit = make.text_of(make.npy(np.zeros(8))), make.text_of(b"QISKIT" + bytes(58))
    tensor = {"data": base64.b64encode(bytes(8)).decode(), "shape": [64], "dtype": "bool"}
    reads: list[Callable[[Unpacking], Any]] = [
        lambda unpacking: unpacking.npy(array, "$"),
        lambda unpacking: unpacking.payload(circuit, "$", compressed=True),
        lambda unpacking: unpacking.payload(base64.b64encode(bytes(64)).decode(), "$", compressed=False),
        lambda unpacking: unpacking.tensor(tensor, "$", compressed=False),
    ]
    for read in reads:
        unpacking = Unpacking("reply", left=100)
        read(unpacking)
        with pytest.raises(ProtocolError, match=r"at most \d+ bytes"):
            read(unpacking)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("complex", [1]),
        ("complex", ["1", "2"]),
        ("datetime", "yesterday"),
        ("datetime", 5),
        ("set", "abc"),
        ("set", [[1]]),
        ("BitArray", {"array": [1], "num_bits": 1}),
        ("BitArray", {"array": ndarray(np.zeros((2, 1))), "num_bits": 1}),
        ("BitArray", {"array": ndarray(np.zeros((2, 1), np.uint8)), "num_bits": 9}),
        ("BitArray", {"array": ndarray(np.zeros((2, 0), np.uint8)), "num_bits": -1}),
        ("BitArray", {"array": ndarray(np.full((2, 1), 8, np.uint8)), "num_bits": 3}),
        ("BitArray", {"num_bits": 3}),
        ("DataBin", {"shape": [], "fields": []}),
        ("DataBin", {"shape": [-1], "fields": {}}),
        ("PubResult", {"data": {}}),
        ("SamplerPubResult", {"data": wrapped("DataBin", {"shape": [], "fields": {"c": "x"}})}),
        ("SamplerPubResult", {"data": wrapped("DataBin", {"shape": [], "fields": {"c": None}})}),
        ("PubResult", {"data": wrapped("DataBin", {"shape": [4], "fields": {"evs": ndarray([1.0])}})}),
        ("PrimitiveResult", {"pub_results": [1]}),
        ("PrimitiveResult", [1]),
        ("NoiseLearnerResult", {"data": [1]}),
        ("ExecutionSpans", {"spans": [1]}),
        ("ExecutionSpan", {"start": START, "stop": STOP, "data_slices": {"0": [[3], 1]}}),
        ("ExecutionSpan", {"start": START, "stop": STOP, "data_slices": {"a": [[3], 1, 2]}}),
        ("ExecutionSpan", {"start": START, "stop": STOP, "data_slices": {"0": [[3], 1, -2]}}),
        ("ExecutionSpan", {"start": START, "stop": STOP, "data_slices": {"0": [[2**20, 2**20], 1, 2]}}),
        ("ExecutionSpan", {"start": "now", "stop": STOP, "data_slices": {}}),
        ("TwirledSliceSpan", {"start": START, "stop": STOP, "data_slices": {"0": [[3, 2], 1, 0, 1, 0, 1]}}),
        ("TwirledSliceSpan", {"start": START, "stop": STOP, "data_slices": {"0": [[3], True, 0, 1, 0, 1]}}),
        ("BindingsArray", {"shape": [1], "data": {"not json": ndarray([1.0])}}),
        ("ObservablesArray", 5),
        ("PauliLindbladMap", {"paulis": [["XX", [0], 1]], "num_qubits": 2}),
    ],
)
def test_a_wrong_value_is_refused_by_place(kind: str, value: Any) -> None:
    """Whatever a typed value lacks, the error says where it stands and what it claims to be."""
    with pytest.raises(ProtocolError, match=rf"expected a value of type {kind} @ \$\.a"):
        decoded({"a": wrapped(kind, value)})


SEEDS = [
    make.typed_sampler({"c": (np.array([[1, 2], [3, 0]], dtype=object), 2)}),
    make.typed_estimator({"evs": np.array([0.5]), "stds": np.array([0.1])}, (1,)),
    json.dumps(
        [
            LAYER,
            wrapped("ExecutionSpan", {"start": START, "stop": STOP, "data_slices": {"0": [[3], 1, 3]}}),
            *(wrapped("ndarray", text) for text, _ in VECTORS),
            wrapped("complex", [1, 2]),
            wrapped("PauliLindbladMap", {"paulis": [["XZ", [0, 3], 0.5]], "num_qubits": 5}),
            wrapped("BindingsArray", {"shape": [1], "data": {'["a"]': ndarray([[1.0]])}}),
        ]
    ).encode(),
]


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(SEEDS), st.integers(0, 2**32), st.integers(1, 6))
def test_a_mutated_body_raises_nothing_else(body: bytes, seed: int, changes: int) -> None:
    """However a body is damaged, it is read or refused as a breach of protocol."""
    rng, text = random.Random(seed), bytearray(body)
    for _ in range(changes):
        place = rng.randrange(len(text))
        text[place : place + rng.choice([0, 1, 1, 3])] = rng.choice(
            [b"", b"0", b"9", b"null", b"[]", b"{}", b'"', b"-", b"A"]
        )
    for read in (results.any_program, results.sampler, results.estimator, results.primitive):
        try:
            read(bytes(text))
        except ProtocolError:
            continue


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 2**70)
    | st.floats()
    | st.sampled_from(["", "IX", "eJwDAAAAAAE=", VECTORS[0][0]]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["data", "shape", "fields", "array", "num_bits", "metadata", "spans", "start", "stop", "0"]
            ),
            inner,
            max_size=4,
        )
        | st.builds(
            wrapped,
            st.sampled_from(
                [
                    *("ndarray", "complex", "datetime", "set", "QuantumCircuit", "Parameter", "ObservablesArray"),
                    *("BindingsArray", "BitArray", "DataBin", "SamplerPubResult", "PubResult", "PrimitiveResult"),
                    *("NoiseLearnerResult", "ExecutionSpans", "DoubleSliceSpan", "TwirledSliceSpanV2", "settings"),
                    *("PauliLindbladMap", "_json", "spmatrix", "NoiseModel"),
                ]
            ),
            inner,
        )
    ),
    max_leaves=12,
)


@settings(deadline=None, max_examples=300)
@given(JSON)
def test_a_made_up_body_raises_nothing_else(value: Any) -> None:
    """Typed values around any JSON are read or refused as a breach of protocol."""
    body = json.dumps(value).encode()
    for read in (results.any_program, results.primitive):
        try:
            read(body)
        except ProtocolError:
            continue


def test_deep_nesting_is_refused() -> None:
    """A body of nothing but brackets is an error, not the end of the process."""
    for depth in (900, 100_000):
        with pytest.raises(ProtocolError):
            results.sampler(b"[" * depth + b"]" * depth)
    body = b'{"__type__": "set", "__value__": [' * 400 + b"]}" * 400
    with pytest.raises(ProtocolError):
        results.any_program(body)


def test_decoding_needs_no_qiskit() -> None:
    """Typed bodies are read where Qiskit is not installed, and nothing they name is imported."""
    body = make.typed_sampler({"c": (np.array([2], dtype=object), 2)}, {"layers": [LAYER]})
    script = (
        "import sys; sys.modules['qiskit'] = None\n"
        "from qrt_async.wire import results\n"
        "result = results.sampler(sys.stdin.buffer.read())\n"
        "print(result[0].data.c.counts(), type(result.metadata['layers'][0]).__name__)\n"
        "print([name for name in sys.modules if name.startswith('qiskit') and sys.modules[name]])\n"
    )
    printed = subprocess.run(
        [sys.executable, "-c", script], input=body, capture_output=True, check=True
    ).stdout.decode()

    assert printed.splitlines() == ["{'10': 1} LayerError", "[]"]


def test_a_register_is_a_bit_array() -> None:
    """Registers of a typed body have every view of those of a plain one."""
    found = results.sampler(make.typed_sampler({"c": (np.array([5, 1, 5], dtype=object), 3)}))[0].data.c

    assert isinstance(found, BitArray)
    assert (found.counts(), found.samples) == ({"001": 1, "101": 2}, ["0x5", "0x1", "0x5"])
