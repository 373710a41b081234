"""To and from Qiskit's own types: what the official client would send and would decode."""

from __future__ import annotations

import base64
import io
import json
import subprocess
import sys
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from qiskit import QuantumCircuit, qpy, transpile
from qiskit.circuit import Parameter, ParameterVector
from qiskit.circuit.library import RZZGate
from qiskit.primitives.containers import (
    BindingsArray,
    DataBin,
    ObservablesArray,
    PrimitiveResult,
    PubResult,
    SamplerPubResult,
)
from qiskit.primitives.containers import BitArray as QiskitBitArray
from qiskit.primitives.containers.estimator_pub import EstimatorPub as QiskitEstimatorPub
from qiskit.primitives.containers.sampler_pub import SamplerPub as QiskitSamplerPub
from qiskit.quantum_info import Pauli, PauliList, SparsePauliOp
from qiskit.quantum_info import PauliLindbladMap as QiskitPauliLindbladMap
from qiskit_ibm_runtime import RuntimeDecoder, RuntimeEncoder
from qiskit_ibm_runtime.results import LayerError as OfficialLayerError
from qiskit_ibm_runtime.results import NoiseLearnerResult as OfficialNoiseLearnerResult
from qiskit_ibm_runtime.results import PauliLindbladError as OfficialPauliLindbladError

from qrt_async import EstimatorPub, InvalidPub, IsaCircuit, SamplerPub, UsageError
from qrt_async.errors import ProtocolError
from qrt_async.models.typed import Bindings, NoiseLearnerResult, Opaque, Qpy
from qrt_async.pubs import estimator_pubs, sampler_pubs
from qrt_async.wire import results
from qrt_async.wire.primitives import estimator_params, sampler_params
from qrt_async.wire.typed_encoding import encode


def officially(value: Any) -> Any:
    """Return the JSON that the official client makes of a value."""
    return json.loads(json.dumps(value, cls=RuntimeEncoder))


def as_sent(value: Any) -> Any:
    """Return JSON as a server parses it."""
    return json.loads(json.dumps(value, allow_nan=False))


def inflated(value: Any) -> Any:
    """Return JSON with its payloads inflated, so that neither the compressor nor its level matters."""
    if isinstance(value, list):
        return [inflated(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get("__type__") in {"ndarray", "QuantumCircuit"} and isinstance(value["__value__"], str):
        return value["__type__"], zlib.decompress(base64.b64decode(value["__value__"]))
    return {key: inflated(item) for key, item in value.items()}


def sampled(*pubs: Any) -> dict[str, Any]:
    """Return the params of a sampler job."""
    found: dict[str, Any] = as_sent(sampler_params(sampler_pubs(pubs, backend="ibm_fez"), None))
    return found


def estimated(*pubs: Any) -> dict[str, Any]:
    """Return the params of an estimator job."""
    found: dict[str, Any] = as_sent(estimator_params(estimator_pubs(pubs, backend="ibm_fez"), None))
    return found


def circuit(parameters: int = 0, *, name: str = "t") -> QuantumCircuit:
    """Return a circuit of two qubits whose order of parameters is not that of their texts."""
    made = QuantumCircuit(2, 2, metadata={"mine": 1})
    for parameter in ParameterVector(name, parameters):
        made.ry(parameter, 0)
    made.cx(0, 1)
    made.measure([0, 1], [0, 1])
    return made


PLAIN = circuit()
SWEPT = circuit(12)
SPREAD = transpile(
    circuit(), coupling_map=[[0, 1], [1, 2], [2, 3], [3, 4]], basis_gates=["rz", "sx", "x", "cz"], initial_layout=[3, 2]
)


@pytest.mark.parametrize(
    ("program", "values", "shots"),
    [
        (PLAIN, None, None),
        (PLAIN, [], 5),
        (SWEPT, np.arange(12), 1),
        (SWEPT, np.arange(24).reshape(2, 12), 10),
        (SWEPT, np.asfortranarray(np.arange(24.0).reshape(2, 12)), 10),
        (SWEPT, np.zeros((2, 3, 12), dtype=np.float32), 10),
        (SWEPT, np.zeros((0, 12)), 10),
        (SWEPT, [[float(i) for i in range(12)]], 10),
        (SWEPT, {f"t[{i}]": [i, 2 * i] for i in range(12)}, 10),
        (SWEPT, {tuple(SWEPT.parameters): np.arange(36).reshape(3, 12)}, 10),
        (SWEPT, {parameter: i for i, parameter in enumerate(SWEPT.parameters)}, 10),
        (SWEPT, BindingsArray({tuple(f"t[{i}]" for i in range(12)): np.ones((2, 2, 12))}), 10),
    ],
)
def test_a_sampler_pub_leaves_as_the_official_client_sends_it(program: Any, values: Any, shots: Any) -> None:
    """Three elements, the same parsed JSON, the same circuit and array once inflated."""
    theirs = officially(QiskitSamplerPub.coerce((program, values, shots)))
    params = sampled((program, values, shots))

    assert inflated(params["pubs"]) == [inflated(theirs)]
    assert len(params["pubs"][0]) == 3
    assert (params["support_qiskit"], params["version"]) == (True, 2)


OBSERVABLES = [
    "ZX",
    {"ZZ": 1, "XX": 0.5},
    SparsePauliOp(["ZZ", "XX", "ZZ"], [1.0, 2.0, 3.0]),
    Pauli("-YX"),
    PauliList(["XX", "ZZ"]),
    ObservablesArray([["ZZ"], ["XX"]]),
    ["ZZ", SparsePauliOp("XX"), Pauli("YY"), {"II": 2}],
    [[["ZZ", "XX"]], [[SparsePauliOp(["IZ"], [0.5]), "II"]]],
]


@pytest.mark.parametrize("observables", OBSERVABLES, ids=repr)
@pytest.mark.parametrize("precision", [None, 0.25])
def test_an_estimator_pub_leaves_as_the_official_client_sends_it(observables: Any, precision: Any) -> None:
    """Four elements, every observable as a weighted sum, the same circuit and array once inflated."""
    theirs = officially(QiskitEstimatorPub.coerce((SWEPT, observables, np.zeros(12), precision)))
    params = estimated((SWEPT, observables, np.zeros(12), precision))

    assert inflated(params["pubs"]) == [inflated(theirs)]
    assert (len(params["pubs"][0]), params["support_qiskit"]) == (4, True)


@settings(deadline=None, max_examples=40)
@given(st.data())
def test_generated_pubs_leave_as_the_official_client_sends_them(data: st.DataObject) -> None:
    """Values of any shape and observables that broadcast with them, for any number of parameters."""
    count = data.draw(st.integers(0, 13))
    program = circuit(count, name=data.draw(st.sampled_from(["t", "ϕ", "a b"])))
    shape = data.draw(arrays.array_shapes(min_dims=0, max_dims=3, max_side=3)) if count else ()
    numbers = st.floats(-1e3, 1e3)
    values = data.draw(arrays.arrays(np.float64, (*shape, count), elements=numbers))
    terms = st.dictionaries(st.text("IXYZ", min_size=2, max_size=2), st.floats(0.1, 9), min_size=1)
    observable = data.draw(terms)
    sampler = officially(QiskitSamplerPub.coerce((program, values, 7)))
    estimator = officially(QiskitEstimatorPub.coerce((program, observable, values, 0.5)))

    assert inflated(sampled((program, values, 7))["pubs"]) == [inflated(sampler)]
    assert inflated(estimated((program, observable, values, 0.5))["pubs"]) == [inflated(estimator)]


@pytest.mark.parametrize("observables", OBSERVABLES, ids=repr)
def test_observables_of_the_original_circuit_are_moved_by_the_layout(observables: Any) -> None:
    """On a transpiled circuit, observables of the original width are moved as Qiskit's `apply_layout` moves them."""
    moved = ObservablesArray.coerce(observables).apply_layout(SPREAD.layout)
    [sent] = estimated((SPREAD, observables))["pubs"]

    assert sent[1] == moved.tolist()
    assert estimated((SPREAD, moved))["pubs"][0][1] == sent[1]
    loaded = qpy.load(io.BytesIO(inflated(sent)[0][1]))[0]
    assert loaded == SPREAD
    assert loaded.layout.final_index_layout() == SPREAD.layout.final_index_layout()


def test_one_quantum_circuit_makes_the_whole_job_typed() -> None:
    """Texts beside it are sent in the typed form as well: values as arrays in alphabetical order, sums as mappings."""
    text = "OPENQASM 3.0; input float a; input float b; qubit[2] q;"
    isa = IsaCircuit("cz $4, $3;", "ibm_fez", (4, 3), 5)
    by_name = {"b": [1, 2, 3], "a": 7}
    sampler = sampled(PLAIN, (text, by_name), (text, [5, 6], 9), isa)
    estimator = estimated((PLAIN, "ZZ"), (text, ["ZZ", {"XX": 2}], by_name), (isa, "ZX"))

    arrays_sent = [results.any_program(json.dumps(pub[1]).encode()).tolist() for pub in sampler["pubs"]]
    assert arrays_sent == [[], [[7, 1], [7, 2], [7, 3]], [5, 6], []]
    assert [pub[2] for pub in sampler["pubs"]] == [None, None, 9, None]
    sums = [{"ZZ": 1.0}, [{"ZZ": 1.0}, {"XX": 2.0}], {"XZIII": 1.0}]
    assert [pub[1] for pub in estimator["pubs"]] == sums
    assert estimator["pubs"][2][0] == isa.text
    assert sampled(text)["pubs"] == [[text]]


def test_qiskits_observables_and_bindings_go_with_texts_too() -> None:
    """On OpenQASM, what is Qiskit's around it is sent in the plain form."""
    text = "OPENQASM 3.0; input float a; qubit[2] q;"
    bindings = BindingsArray({"a": [1.0, 2.0]})
    params = estimated((text, [SparsePauliOp(["ZZ", "XX"], [1, 2]), Pauli("YY")], bindings))

    assert params["pubs"] == [[text, [{"ZZ": 1.0, "XX": 2.0}, {"YY": 1.0}], {"a": [1.0, 2.0]}]]
    assert "support_qiskit" not in params


def test_a_qpy_payload_is_a_circuit_without_qiskit() -> None:
    """A circuit that exists as QPY goes out as it is, its values by position."""
    [[sent, *_]] = sampled((SWEPT, np.zeros(12)))["pubs"]
    payload = Qpy(inflated(sent)[1])
    [pub] = sampled((payload, [[0.5] * 12], 3))["pubs"]

    assert inflated(pub[0]) == inflated(sent)
    assert (pub[2], results.any_program(json.dumps(pub[1]).encode()).shape) == (3, (1, 12))
    assert sampled(payload)["support_qiskit"] is True
    assert payload.to_qiskit() == SWEPT
    with pytest.raises(InvalidPub, match="by position"):
        sampled((payload, {"t": [1]}))
    with pytest.raises(InvalidPub, match="not Qpy"):
        sampled(Qpy(b"", "Parameter"))


@pytest.mark.parametrize(
    ("pub", "problem"),
    [
        ((SWEPT,), "PUB 0: "),
        ((SWEPT, [1, 2]), "PUB 0: "),
        ((SWEPT, {"t": ["x"] * 12}), "PUB 0: "),
        ((SWEPT, [float("nan")] * 12), "PUB 0: parameters: expected finite numbers"),
        ((PLAIN, None, 0), "PUB 0: shots"),
        ((Parameter("a"),), "not Parameter"),
    ],
)
def test_a_bad_sampler_pub_of_qiskits_is_refused(pub: Any, problem: str) -> None:
    """Qiskit's own objections name the PUB."""
    with pytest.raises(InvalidPub, match=problem):
        sampled(pub)


@pytest.mark.parametrize(
    ("pub", "problem"),
    [
        (PLAIN, "needs observables"),
        ((PLAIN, "ZZZ"), "3 letters, but the circuit has 2 qubits$"),
        ((SPREAD, "ZZZ"), "3 letters, but the circuit has 5 qubits and the original one 2"),
        ((PLAIN, SparsePauliOp(["ZZ"], [1j])), "PUB 0: observables: "),
        ((PLAIN, [["ZZ", SparsePauliOp(["XX"], [1j])]]), r"PUB 0: observables\[0\]\[1\]: "),
        ((SWEPT, ["ZZ", "XX"], np.zeros((3, 12))), "PUB 0: "),
        ((PLAIN, "ZZ", None, 0), "precision"),
    ],
)
def test_a_bad_estimator_pub_of_qiskits_is_refused(pub: Any, problem: str) -> None:
    """Widths, coefficients and shapes that do not fit are named."""
    with pytest.raises(InvalidPub, match=problem):
        estimated(pub)


def test_pubs_that_were_checked_are_values() -> None:
    """A checked PUB holds bytes alone: it can be compared, hashed and checked again."""
    [one] = sampler_pubs([(SWEPT, np.zeros(12))], backend="ibm_fez")
    [again] = sampler_pubs([one], backend="ibm_fez")
    [estimate] = estimator_pubs([(SWEPT, "ZZ", np.zeros(12))], backend="ibm_fez")

    assert one == again
    assert hash(one) == hash(again)
    assert estimator_pubs([estimate], backend="ibm_fez") == (estimate,)
    assert sampler_pubs([SamplerPub(SWEPT, np.zeros(12))], backend="ibm_fez") == (one,)
    assert estimator_pubs([EstimatorPub(SWEPT, "ZZ", np.zeros(12))], backend="ibm_fez") == (estimate,)


def test_a_transpiled_circuit_can_travel_as_openqasm() -> None:
    """`IsaCircuit.from_qiskit` gives the text in physical qubits, with the layout for its observables."""
    isa = IsaCircuit.from_qiskit(SPREAD, backend="ibm_fez")

    assert (isa.layout, isa.width, isa.backend) == ((3, 2), 4, "ibm_fez")
    assert "cz $" in isa.text
    assert estimated((isa, "IZ"))["pubs"] == [[isa.text, "ZIII"]]
    assert IsaCircuit.from_qiskit(PLAIN, backend="b").layout == (0, 1)


def test_parameters_that_openqasm_would_mix_up_are_refused() -> None:
    """Twelve elements of a vector would come back in another order, so they are not exported."""
    with pytest.raises(UsageError, match="alphabetical order"):
        IsaCircuit.from_qiskit(SWEPT, backend="b")
    with pytest.raises(UsageError, match="not str"):
        IsaCircuit.from_qiskit("text", backend="b")
    named = QuantumCircuit(1)
    named.rz(Parameter("a"), 0)
    assert "input float[64] a;" in IsaCircuit.from_qiskit(named, backend="b").text


def both(result: Any) -> tuple[Any, Any]:
    """Return what the official client and this package, by way of Qiskit, make of the body of a result."""
    body = json.dumps(result, cls=RuntimeEncoder)
    return json.loads(body, cls=RuntimeDecoder), results.primitive(body.encode()).to_qiskit()


def assert_same(theirs: Any, ours: Any) -> None:
    """Compare Qiskit's results field by field."""
    assert type(ours) is type(theirs)
    assert len(ours) == len(theirs)
    assert_same_values(theirs.metadata, ours.metadata)
    for their_pub, our_pub in zip(theirs, ours, strict=True):
        assert type(our_pub) is type(their_pub)
        assert_same_values(their_pub.metadata, our_pub.metadata)
        assert (list(our_pub.data), our_pub.data.shape) == (list(their_pub.data), their_pub.data.shape)
        for name in their_pub.data:
            assert_same_values(their_pub.data[name], our_pub.data[name])


def assert_same_values(theirs: Any, ours: Any) -> None:
    """Compare decoded values, arrays with their types."""
    assert type(ours) is type(theirs)
    if isinstance(theirs, dict):
        assert list(ours) == list(theirs)
        for key in theirs:
            assert_same_values(theirs[key], ours[key])
    elif isinstance(theirs, list):
        assert len(ours) == len(theirs)
        for one, other in zip(theirs, ours, strict=True):
            assert_same_values(one, other)
    elif isinstance(theirs, np.ndarray):
        assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape)
        assert np.array_equal(ours, theirs, equal_nan=theirs.dtype.kind in "fc")
    elif isinstance(theirs, OfficialLayerError):
        assert (ours.circuit, ours.qubits) == (theirs.circuit, theirs.qubits)
        assert ours.error.generators == theirs.error.generators
        assert np.array_equal(ours.error.rates, theirs.error.rates)
    else:
        assert ours == theirs


@settings(deadline=None, max_examples=40)
@given(st.data())
def test_a_samplers_result_is_the_official_clients(data: st.DataObject) -> None:
    """Registers of any width over any sweep equal, field by field, what the official client decodes."""
    shape = data.draw(arrays.array_shapes(min_dims=0, max_dims=3, max_side=3))
    shots = data.draw(st.integers(1, 4))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    fields: dict[str, Any] = {}
    for name in ("c", "meas"):
        bits = data.draw(st.integers(1, 200))
        values = rng.integers(0, 2, (*shape, shots, bits), dtype=np.uint8)
        fields[name] = QiskitBitArray.from_bool_array(values.astype(bool))
    pub = SamplerPubResult(DataBin(shape=shape, **fields), {"circuit_metadata": {"a": 1j}, "num_randomizations": 3})

    assert_same(*both(PrimitiveResult([pub, pub], {"version": 2})))


def layer_error() -> OfficialLayerError:
    """Return a layer's noise as the official client has it."""
    noise = OfficialPauliLindbladError(PauliList(["XI", "ZZ"]), [0.1, 0.2])
    return OfficialLayerError(PLAIN, [3, 4], noise)


def test_an_estimators_result_is_the_official_clients() -> None:
    """Arrays of zero-noise extrapolation, nulls and metadata with layer errors equal the official client's."""
    fields = {
        "evs": np.zeros((2, 3)),
        "stds": np.ones((2, 3)),
        "evs_noise_factors": np.ones((2, 3, 5)),
        "evs_extrapolated": np.full((2, 3, 2, 6), np.nan),
    }
    metadata = {
        "resilience": {
            "zne": {"noise_factors": np.array([1, 3]), "extrapolator": np.array(["linear"], dtype=object)},
            "layer_noise_model": [layer_error()],
            "map": QiskitPauliLindbladMap.from_sparse_list([("XZ", [0, 2], 0.5)], num_qubits=4),
        }
    }
    pub = PubResult(DataBin(shape=(2, 3), **fields), {"shots": 4096, "when": [1, 2.5, None, "x"]})

    assert_same(*both(PrimitiveResult([pub], metadata)))


def test_kerneled_data_keep_the_stated_shape() -> None:
    """A shape that the arrays alone do not tell is the one that the service stated."""
    pub = SamplerPubResult(DataBin(shape=(2,), c=np.ones((2, 5, 3), dtype=complex)), {})

    assert_same(*both(PrimitiveResult([pub], {})))


def test_a_plain_body_becomes_qiskits_result_too() -> None:
    """What came in the plain form has the shapes of its registers and expectation values."""
    sampler = results.sampler(b'{"results": [{"data": {"c": {"samples": [["0x1"], ["0x3"]], "num_bits": 2}}}]}')
    estimator = results.estimator(b'{"results": [{"data": {"evs": [1, 2], "stds": [0, 0], "x": null}}]}')

    found = sampler.to_qiskit()[0]
    assert isinstance(found, SamplerPubResult)
    assert (found.data.shape, found.data.c.get_counts(1)) == ((2,), {"11": 1})
    assert (estimator.to_qiskit()[0].data.shape, estimator.to_qiskit()[0].data.x) == ((2,), None)


def test_the_noise_learners_result_is_the_official_clients() -> None:
    """What the noise learner found goes to the official client's class and back to the wire as it came."""
    theirs = OfficialNoiseLearnerResult([layer_error()], {"backend": "ibm_fez"})
    sent = officially(theirs)
    found = results.any_program(json.dumps(sent).encode())

    assert isinstance(found, NoiseLearnerResult)
    assert inflated(as_sent(encode(found))) == inflated(sent)


@pytest.mark.parametrize("instruction", [RZZGate(0.5), QuantumCircuit(2, name="box").to_gate()])
def test_instructions_and_parameters_are_read_when_asked_for(instruction: Any) -> None:
    """A payload stays bytes until `to_qiskit()`."""
    parameter = Parameter("θ")
    found = results.any_program(json.dumps([instruction, parameter], cls=RuntimeEncoder).encode())

    assert [payload.kind for payload in found] == ["Instruction", "Parameter"]
    assert found[0].to_qiskit() == instruction
    assert found[1].to_qiskit() == parameter


@pytest.mark.parametrize("kind", ["QuantumCircuit", "Instruction", "Parameter"])
def test_a_payload_that_is_no_qpy_is_a_breach_of_protocol(kind: str) -> None:
    """Qiskit's many ways to fail become one error."""
    with pytest.raises(ProtocolError, match=f"cannot read this {kind}"):
        Qpy(b"nonsense", kind).to_qiskit()


@pytest.mark.parametrize(
    "value",
    [
        [1j, {1, 2}, np.int64(3), np.float64(0.5), np.arange(3), {"a": np.array([[True]])}, "x", None],
        BindingsArray({("a", "b"): np.zeros((2, 2))}),
        QiskitPauliLindbladMap.from_sparse_list([("XZ", [0, 2], 0.5)], num_qubits=4),
        SparsePauliOp(["XX"], [2.0]),
        PLAIN,
        Parameter("θ"),
        layer_error(),
        np.array([1.0, None], dtype=object),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_was_decoded_is_encoded_as_it_came(value: Any) -> None:
    """Decoding and encoding again gives the JSON of the official encoder."""
    sent = officially(value)

    assert inflated(as_sent(encode(results.any_program(json.dumps(sent).encode())))) == inflated(sent)


def test_opaque_values_keep_their_integer_keys() -> None:
    """Keys that were integers are flagged as the official encoder flags them."""
    value = Opaque("settings", {"levels": {1: "a", 2: {"b": [{3: 4}]}}}, "m", "C")
    sent = as_sent(encode(value))

    assert sent["__value__"]["levels"]["__int_keys__"] is True
    assert results.any_program(json.dumps(sent).encode()) == value
    assert encode(Bindings((), {}))["__value__"] == {"shape": [], "data": {}}


def test_what_has_no_form_on_the_wire_is_refused() -> None:
    """An object of an unknown class, bytes and keys that JSON does not have are errors before anything is sent."""
    for value in (object(), b"bytes", {1.5: 2}, {(1,): 2}):
        with pytest.raises(UsageError):
            encode(value)


def test_without_qiskit_the_error_says_how_to_get_it() -> None:
    """Asking for Qiskit's classes where it is missing names the extra."""
    script = (
        "import sys; sys.modules['qiskit'] = None\n"
        "import qrt_async as qrt\n"
        "from qrt_async.models.typed import Qpy\n"
        "try:\n"
        "    Qpy(b'').to_qiskit()\n"
        "except qrt.MissingExtra as error:\n"
        "    print(error)\n"
    )
    printed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout

    assert "pip install 'qrt-async[transpile]'" in printed


def test_without_the_official_client_its_classes_stay_ours() -> None:
    """Spans become the official client's classes only where it is installed."""
    script = (
        "import sys; sys.modules['qiskit_ibm_runtime'] = None\n"
        "import datetime as dt\n"
        "from qrt_async import PrimitiveResult\n"
        "from qrt_async.models.spans import ExecutionSpans\n"
        "print(type(PrimitiveResult((), {'spans': ExecutionSpans(())}).to_qiskit().metadata['spans']).__module__)\n"
    )
    printed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout

    assert printed.strip() == "qrt_async.models.spans"
