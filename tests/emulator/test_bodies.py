"""What request bodies must be: forms of PUBs, options, and every other field."""

from __future__ import annotations

import json
from typing import Any

import pytest

from qrt_async.emulator import bodies
from qrt_async.emulator.params import refuse_chunks
from qrt_async.emulator.plans import OPEN
from qrt_async.emulator.records import JobOrder, Platform
from qrt_async.emulator.refusals import Refusal
from qrt_async.emulator.shapes import Mismatch

LEGACY, CLOUD = Platform.LEGACY, Platform.IBM_QUANTUM
QASM = "OPENQASM 3.0;"
TYPED = {"__type__": "QuantumCircuit", "__value__": "eJw="}


def ordered(platform: Platform, params: Any = None, program: str = "sampler", **changes: Any) -> JobOrder:
    """Check the body of a good job that differs as told."""
    body = {
        "program_id": program,
        "backend": "ibm_fez",
        "params": {"pubs": [[QASM, "Z"] if program == "estimator" else [QASM]]} if params is None else params,
    }
    if platform is LEGACY:
        body |= {"hub": "h", "group": "g", "project": "p"}
    body |= changes
    return bodies.job_order(json.dumps(body).encode(), platform)


def refused(platform: Platform, params: Any = None, program: str = "sampler", **changes: Any) -> Refusal:
    """Check the body of a job that must be refused."""
    with pytest.raises(Refusal) as caught:
        ordered(platform, params, program, **changes)
    assert caught.value.status == 400
    return caught.value


both = pytest.mark.parametrize("platform", list(Platform))


@both
@pytest.mark.parametrize(
    "pub",
    [
        QASM,
        TYPED,
        [QASM],
        [TYPED, None, 100],
        [QASM, None],
        [QASM, None, None],
        [QASM, {"theta": 1.5}, 500],
        [QASM, {"theta": [1, 2, 3]}],
        [QASM, [1, 2]],
        [QASM, [[1, 2], [3, 4]], None],
    ],
)
def test_sampler_pub_forms(platform: Platform, pub: Any) -> None:
    """Every form of a sampler PUB in the contract is taken."""
    assert ordered(platform, {"pubs": [pub]}).params["pubs"] == [pub]


@both
@pytest.mark.parametrize(
    "pub",
    [
        [QASM, "ZZ"],
        [QASM, {"II": 1, "ZZ": 2.3}, None, 0.01],
        [QASM, ["ZI", "IZ"]],
        [QASM, [{"ZZ": 1}, {"XX": 0.5}], None, None],
        [QASM, [["Z"], ["X"]], [[[1]], [[2]]]],
        [TYPED, {"__type__": "ndarray", "__value__": ""}, {"__type__": "ndarray", "__value__": ""}, 1],
    ],
)
def test_estimator_pub_forms(platform: Platform, pub: Any) -> None:
    """Every form of an estimator PUB in the contract is taken."""
    assert ordered(platform, {"pubs": [pub]}, "estimator").params["pubs"] == [pub]


@both
@pytest.mark.parametrize(
    ("pubs", "path"),
    [
        (None, "params.pubs"),
        (QASM, "params.pubs"),
        ([], "params.pubs"),
        ([""], "params.pubs[0]"),
        ([3], "params.pubs[0]"),
        ([[QASM], []], "params.pubs[1]"),
        ([[QASM, None, 1, 1]], "params.pubs[0]"),
        ([[3]], "params.pubs[0][0]"),
        ([[QASM, 1.5]], "params.pubs[0][1]"),
        ([[QASM, None, 0]], "params.pubs[0][2]"),
        ([[QASM, None, -5]], "params.pubs[0][2]"),
        ([[QASM, None, 1.5]], "params.pubs[0][2]"),
        ([[QASM, None, True]], "params.pubs[0][2]"),
        ([[QASM, None, "100"]], "params.pubs[0][2]"),
    ],
)
def test_bad_sampler_pubs(platform: Platform, pubs: Any, path: str) -> None:
    """A sampler PUB of the wrong form is refused with code 1208, and the message has its path."""
    refusal = refused(platform, {"pubs": pubs})

    assert refusal.code == 1208
    assert f" {path} " in refusal.message


@both
@pytest.mark.parametrize(
    ("pubs", "path"),
    [
        ([QASM], "params.pubs[0]"),
        ([[QASM]], "params.pubs[0]"),
        ([[QASM, "Z", None, 0.1, 1]], "params.pubs[0]"),
        ([[QASM, 3]], "params.pubs[0][1]"),
        ([[QASM, []]], "params.pubs[0][1]"),
        ([[QASM, "Z", "theta"]], "params.pubs[0][2]"),
        ([[QASM, "Z", None, 0]], "params.pubs[0][3]"),
        ([[QASM, "Z", None, "0.1"]], "params.pubs[0][3]"),
    ],
)
def test_bad_estimator_pubs(platform: Platform, pubs: Any, path: str) -> None:
    """An estimator PUB of the wrong form is refused with code 1208, and the message has its path."""
    refusal = refused(platform, {"pubs": pubs}, "estimator")

    assert refusal.code == 1208
    assert f" {path} " in refusal.message


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({"transpilation": {"optimization_level": 1}}, "transpilation"),
        ({"default_precision": 0.1}, "default_precision"),
        ({"resilience": {}}, "resilience"),
        ({"twirling": {"enable_gate": True}}, "twirling.enable_gate"),
        ({"execution": {"shots": 5}}, "execution.shots"),
        ({"simulator": {"noise": None}}, "simulator.noise"),
    ],
)
def test_unknown_options(options: Any, path: str) -> None:
    """IBM_QUANTUM refuses a sampler option it does not know, naming it; LEGACY lets it pass."""
    params = {"pubs": [QASM], "options": options}

    refusal = refused(CLOUD, params)

    assert refusal.code == 1208
    assert f" params.options.{path} " in refusal.message
    assert ordered(LEGACY, params).params == params


def test_unknown_params() -> None:
    """IBM_QUANTUM refuses a param that the program does not have; LEGACY lets it pass."""
    for program, params in (
        ("sampler", {"pubs": [QASM], "precision": 0.1}),
        ("estimator", {"pubs": [[QASM, "Z"]], "shots": 100}),
    ):
        assert refused(CLOUD, params, program).code == 1208
        assert ordered(LEGACY, params, program).params == params


@both
@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({"default_shots": "many"}, "default_shots"),
        ({"default_shots": -1}, "default_shots"),
        ({"dynamical_decoupling": {"enable": 1}}, "dynamical_decoupling.enable"),
        ({"dynamical_decoupling": {"sequence_type": "YY"}}, "dynamical_decoupling.sequence_type"),
        ({"twirling": {"num_randomizations": 0}}, "twirling.num_randomizations"),
        ({"twirling": {"strategy": "none"}}, "twirling.strategy"),
        ({"twirling": []}, "twirling"),
        ({"execution": {"meas_type": "raw"}}, "execution.meas_type"),
        ({"execution": {"rep_delay": -1}}, "execution.rep_delay"),
        ({"simulator": {"seed_simulator": 1.5}}, "simulator.seed_simulator"),
        ([], ""),
    ],
)
def test_bad_sampler_options(platform: Platform, options: Any, path: str) -> None:
    """An option of the wrong type or out of its range is refused on both platforms, naming its path."""
    refusal = refused(platform, {"pubs": [QASM], "options": options})

    assert refusal.code == 1208
    assert f" {'.'.join(filter(None, ('params.options', path)))} " in refusal.message


@both
@pytest.mark.parametrize(
    "options",
    [
        {"resilience": {"zne": {"extrapolator": "quadratic"}}},
        {"resilience": {"zne": {"noise_factors": [0.5]}}},
        {"resilience": {"zne": {"amplifier": "fold"}}},
        {"resilience": {"pec": {"max_overhead": 0}}},
        {"resilience": {"measure_mitigation": "yes"}},
        {"resilience": {"layer_noise_learning": {"layer_pair_depths": [-1]}}},
        {"default_precision": 0},
        {"seed_estimator": -1},
    ],
)
def test_bad_estimator_options(platform: Platform, options: Any) -> None:
    """The estimator's own options are checked too."""
    assert refused(platform, {"pubs": [[QASM, "Z"]], "options": options}, "estimator").code == 1208


def test_all_options_together() -> None:
    """Every option of the contract is known, with its default as its value."""
    shared: dict[str, Any] = {
        "dynamical_decoupling": {
            "enable": False,
            "sequence_type": "XX",
            "extra_slack_distribution": "middle",
            "scheduling_method": "alap",
            "skip_reset_qubits": False,
        },
        "twirling": {
            "enable_gates": False,
            "enable_measure": False,
            "num_randomizations": "auto",
            "shots_per_randomization": 64,
            "strategy": "active-accum",
        },
        "simulator": {
            "noise_model": None,
            "seed_simulator": None,
            "coupling_map": None,
            "basis_gates": None,
        },
        "experimental": {"anything": [1]},
    }
    sampler = shared | {
        "default_shots": 4096,
        "execution": {"init_qubits": True, "rep_delay": 0.00025, "meas_type": "classified"},
    }
    estimator = shared | {
        "default_shots": None,
        "default_precision": 0.015625,
        "seed_estimator": None,
        "execution": {"init_qubits": True, "rep_delay": None},
        "resilience": {
            "measure_mitigation": None,
            "measure_noise_learning": {"num_randomizations": 32, "shots_per_randomization": "auto"},
            "zne_mitigation": None,
            "zne": {
                "amplifier": "gate_folding",
                "noise_factors": [1, 3, 5],
                "extrapolator": ["exponential", "linear"],
                "extrapolated_noise_factors": [0, 1, 3, 5],
            },
            "pec_mitigation": False,
            "pec": {"max_overhead": 100, "noise_gain": "auto"},
            "layer_noise_learning": {
                "max_layers_to_learn": 4,
                "shots_per_randomization": 128,
                "num_randomizations": 32,
                "layer_pair_depths": [0, 1, 2, 4, 16, 32],
            },
            "layer_noise_model": None,
        },
    }
    top = {"version": 2, "support_qiskit": False}

    for program, params in (
        ("sampler", top | {"pubs": [QASM], "shots": None, "options": sampler}),
        (
            "estimator",
            top | {"pubs": [[QASM, "Z"]], "precision": None, "resilience_level": 1, "options": estimator},
        ),
    ):
        assert ordered(CLOUD, params, program).params == params


@both
@pytest.mark.parametrize(
    ("params", "path"),
    [
        ({"pubs": [QASM], "version": 1}, "params.version"),
        ({"pubs": [QASM], "version": True}, "params.version"),
        ({"pubs": [QASM], "support_qiskit": "yes"}, "params.support_qiskit"),
        ({"pubs": [QASM], "shots": -1}, "params.shots"),
        ({"pubs": [QASM], "shots": 2**31}, "params.shots"),
        ({}, "params.pubs"),
        ([], "params"),
    ],
)
def test_bad_params(platform: Platform, params: Any, path: str) -> None:
    """Params that break the schema are refused with their path."""
    assert f" {path} " in refused(platform, params).message


@both
@pytest.mark.parametrize("version", [2, "2"])
def test_versions_of_params(platform: Platform, version: Any) -> None:
    """Version 2 is taken as a number, as text, or unsaid."""
    for params in ({"pubs": [QASM], "version": version}, {"pubs": [QASM]}):
        assert ordered(platform, params).params == params


@both
@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"backend": ""}, "backend"),
        ({"backend": 3}, "backend"),
        ({"program_id": ""}, "program_id"),
        ({"program_id": "hello-world"}, "program_id"),
        ({"session_id": "s" * 37}, "session_id"),
        ({"session_id": ""}, "session_id"),
        ({"cost": -1}, "cost"),
        ({"cost": 1.5}, "cost"),
        ({"cost": True}, "cost"),
        ({"private": "yes"}, "private"),
        ({"log_level": "loud"}, "log_level"),
        ({"tags": [1]}, "tags[0]"),
        ({"tags": {}}, "tags"),
        ({"runtime": ""}, "runtime"),
        ({"calibration_id": "c" * 101}, "calibration_id"),
        ({"start_session": True}, "start_session"),
        ({"start_session": "True"}, "start_session"),
    ],
)
def test_bad_job_fields(platform: Platform, changes: dict[str, Any], path: str) -> None:
    """Every other field of a job is checked, and the message has its path."""
    refusal = refused(platform, **changes)

    assert refusal.code == 1208
    assert f" {path} " in refusal.message


@both
@pytest.mark.parametrize("value", ["False", "false", False])
def test_start_session_false(platform: Platform, value: Any) -> None:
    """`start_session` is taken when it is false, as the text "False" too."""
    assert ordered(platform, start_session=value).backend == "ibm_fez"


@both
def test_order(platform: Platform) -> None:
    """What a good body says arrives, and a cost over the limit is capped silently."""
    order = ordered(platform, tags=["a", "b"], cost=10_801, private=True, session_id="s" * 36, runtime="i:t")

    assert (order.program_id, order.backend) == ("sampler", "ibm_fez")
    assert order.tags == ("a", "b")
    assert order.cost == 10_800
    assert order.private
    assert order.session_id == "s" * 36
    assert order.runtime == "i:t"


def test_default_cost() -> None:
    """Without a cost, IBM_QUANTUM takes the plan's most and LEGACY says 0."""
    assert ordered(CLOUD).cost == 10_800
    body = {"program_id": "sampler", "backend": "ibm_fez", "params": {"pubs": [QASM]}}
    assert bodies.job_order(json.dumps(body).encode(), CLOUD, OPEN).cost == 600
    assert ordered(LEGACY).cost == 0


@pytest.mark.parametrize("missing", ["hub", "group", "project"])
def test_legacy_needs_placement(missing: str) -> None:
    """LEGACY demands hub, group and project; IBM_QUANTUM has no use for them."""
    body = {"program_id": "sampler", "backend": "b", "params": {"pubs": [QASM]}}
    body |= {"hub": "h", "group": "g", "project": "p"}
    del body[missing]

    with pytest.raises(Refusal, match=f" {missing} is required"):
        bodies.job_order(json.dumps(body).encode(), LEGACY)
    assert bodies.job_order(json.dumps(body).encode(), CLOUD).placement is None


@both
@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"text"',
        b"\xff\xfe",
        b'{"cost": NaN}',
        b'{"cost": Infinity}',
        b'{"cost": 1' + b"0" * 5000 + b"}",
        b"[" * 100_000,
        b'{"params": ' + b"[" * 500 + b"]" * 500 + b"}",
        b'{"a":' * 300 + b"1" + b"}" * 300,
    ],
)
def test_not_a_json_object(platform: Platform, raw: bytes) -> None:
    """A body that is no JSON, no object, or absurdly deep is refused with code 1208."""
    with pytest.raises(Refusal) as caught:
        bodies.job_order(raw, platform)

    assert (caught.value.status, caught.value.code) == (400, 1208)


@both
def test_wide_is_not_deep(platform: Platform) -> None:
    """Many brackets side by side are no nesting: a large sweep passes."""
    sweep = [[float(row), 1.0] for row in range(5000)]

    assert ordered(platform, {"pubs": [[QASM, sweep]]}).params["pubs"][0][1] == sweep


PART = {"region": "us-east", "region_type": "regional", "bucket_crn": "crn:x", "object_name": "o"}


@both
def test_typed_pubs(platform: Platform) -> None:
    """PUBs as the official client sends them are taken: typed circuits, arrays, observables."""
    array = {"__type__": "ndarray", "__value__": "eJw="}
    observables = {"__type__": "ObservablesArray", "__value__": ["ZZ"]}
    bindings = {"__type__": "BindingsArray", "__value__": {"shape": [], "data": {}}}

    for params, program in (
        ({"pubs": [[TYPED, array, 100]], "support_qiskit": True, "version": 2}, "sampler"),
        ({"pubs": [[TYPED, bindings]]}, "sampler"),
        ({"pubs": [[TYPED, observables, array, 0.01]], "support_qiskit": True}, "estimator"),
        ({"pubs": [[QASM, [{"ZZ": 1.0}], bindings, None]]}, "estimator"),
    ):
        assert ordered(platform, params, program).params == params


def test_remote_storage() -> None:
    """Places for params and results are taken; what is missing, or names an object for all, is not."""
    assert ordered(CLOUD, remote_storage={"job_params": PART, "results": PART}).remote_storage
    for wrong in (
        {"job_params": PART},
        {"job_params": PART, "results": PART | {"region_type": "galactic"}},
        {"job_params": PART, "results": PART, "object_name": "o"},
        {"job_params": PART, "results": []},
    ):
        assert refused(CLOUD, remote_storage=wrong).code == 1208


def test_chunk_sizes() -> None:
    """Chunk sizes of an executor's items are "auto" all or numbers all, and numbers in sessions only."""

    def items(*sizes: Any) -> dict[str, Any]:
        return {"quantum_program": {"items": [{"chunk_size": size} for size in sizes]}}

    refuse_chunks(items("auto", "auto"), in_session=False)
    refuse_chunks(items(3, 4), in_session=True)
    refuse_chunks({}, in_session=False)
    for params, in_session in ((items(3, "auto"), True), (items(3), False)):
        with pytest.raises(Mismatch, match="chunk_size"):
            refuse_chunks(params, in_session=in_session)
