"""What users write → PUBs, checked at the edge, and as they leave."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qrt_async import EstimatorPub, InvalidPub, IsaCircuit, SamplerPub, UsageError
from qrt_async.pubs import estimator_pubs, sampler_pubs, tags
from qrt_async.wire.primitives import estimator_params, sampler_params

TEXT = "OPENQASM 3.0; x $0;"
ISA = IsaCircuit(TEXT, "ibm_fez", (3, 1), 4)


def sampled(*pubs: Any, shots: Any = None) -> list[Any]:
    """Return the PUBs of a sampler job as they leave."""
    params = sampler_params(sampler_pubs(pubs, backend="ibm_fez", shots=shots), None)
    assert params["version"] == 2
    found: list[Any] = params["pubs"]
    return found


def estimated(*pubs: Any, precision: Any = None) -> list[Any]:
    """Return the PUBs of an estimator job as they leave."""
    found: list[Any] = estimator_params(estimator_pubs(pubs, backend="ibm_fez", precision=precision), None)["pubs"]
    return found


@pytest.mark.parametrize(
    ("pub", "sent"),
    [
        (TEXT, [TEXT]),
        (ISA, [TEXT]),
        ((TEXT,), [TEXT]),
        ([TEXT, None, 500], [TEXT, None, 500]),
        ((ISA, {"theta": 1}), [TEXT, {"theta": 1.0}]),
        ((ISA, {"theta": [1, 2]}, np.int64(7)), [TEXT, {"theta": (1.0, 2.0)}, 7]),
        ((ISA, np.array([[1.0, 2.0], [3.0, 4.0]])), [TEXT, ((1.0, 2.0), (3.0, 4.0))]),
        ((ISA, []), [TEXT, ()]),
        (SamplerPub(ISA, None, 3), [TEXT, None, 3]),
    ],
)
def test_a_sampler_pub_may_be_written_in_many_ways(pub: Any, sent: list[Any]) -> None:
    """A text, a tuple, a list or the class itself come to the same, and the end that is not needed is left out."""
    assert sampled(pub) == [sent]


def test_the_jobs_shots_are_for_pubs_without_their_own() -> None:
    """`shots` of the call fills in, and never overrides."""
    assert sampled(TEXT, (TEXT, None, 5), shots=100) == [[TEXT, None, 100], [TEXT, None, 5]]


def test_the_jobs_precision_is_for_pubs_without_their_own() -> None:
    """`precision` of the call fills in, and never overrides."""
    assert estimated((TEXT, "Z"), (TEXT, "Z", None, 0.5), precision=0.1) == [
        [TEXT, "Z", None, 0.1],
        [TEXT, "Z", None, 0.5],
    ]


@pytest.mark.parametrize(
    ("pubs", "problem"),
    [
        ([], "at least one PUB"),
        ("OPENQASM", r"write \[pub\]"),
        (ISA, r"write \[pub\]"),
        (7, "not int"),
        ([""], "PUB 0: the circuit is an empty text"),
        ([TEXT, ()], "PUB 1: expected 1 to 3 parts"),
        ([(TEXT, None, 1, 1)], "PUB 0: expected 1 to 3 parts"),
        ([{"circuit": TEXT}], "PUB 0: expected"),
        ([(TEXT, None, 0)], "PUB 0: shots: expected a whole number of at least 1, not 0"),
        ([(TEXT, None, -5)], "shots"),
        ([(TEXT, None, True)], "shots"),
        ([(TEXT, None, 1.5)], "shots"),
        ([(TEXT, None, "100")], "shots"),
        ([(TEXT, "theta")], "parameters: expected finite numbers"),
        ([(TEXT, {"theta": float("nan")})], "parameter 'theta': expected finite numbers"),
        ([(TEXT, {"theta": [1, "x"]})], r"parameter 'theta'\[1\]"),
        ([(TEXT, {3: 1})], "a parameter's name is a text"),
        ([(TEXT, [[1, 2], [3]])], "equal lengths"),
        ([(TEXT, [float("inf")])], r"parameters\[0\]"),
        ([(TEXT, [True])], r"parameters\[0\]"),
        ([b"OPENQASM"], "PUB 0: expected"),
        ([(3,)], "a circuit is OpenQASM text, an IsaCircuit or a QuantumCircuit, not int"),
        ([(IsaCircuit(TEXT, "ibm_miami", (0,), 1),)], "transpiled for ibm_miami, but the job is for ibm_fez"),
    ],
)
def test_a_bad_sampler_pub_is_refused_by_name(pubs: Any, problem: str) -> None:
    """The error says which PUB, and what is wrong with it."""
    with pytest.raises(InvalidPub, match=problem):
        sampler_pubs(pubs, backend="ibm_fez")


def test_shots_of_zero_for_the_whole_job_are_refused() -> None:
    """The job's own default is checked as well."""
    with pytest.raises(InvalidPub, match="shots: expected a whole number of at least 1, not 0"):
        sampled(TEXT, shots=0)


@pytest.mark.parametrize(
    ("pub", "problem"),
    [
        (TEXT, "needs observables"),
        ((TEXT,), "expected 2 to 4 parts"),
        ((TEXT, "ZQ"), "'ZQ' has the letter 'Q'"),
        ((TEXT, "zz"), "letter 'z'"),
        ((TEXT, ""), "expected a text over I, X, Y, Z"),
        ((TEXT, []), "at least one observable"),
        ((TEXT, {}), "at least one term"),
        ((TEXT, ["ZZ", "Z"]), "one width, not 1, 2"),
        ((TEXT, [{"ZZ": 1}, ["IIZ"]]), "one width, not 2, 3"),
        ((TEXT, {"ZZ": float("nan")}), "finite number"),
        ((TEXT, {"ZZ": "1"}), "finite number"),
        ((TEXT, {"ZZ": True}), "finite number"),
        ((TEXT, {"ZZ": 1j}), "finite number"),
        ((TEXT, {5: 1}), "expected a text"),
        ((TEXT, 5), "not int"),
        ((TEXT, "ZZ", None, 0), "precision: expected a finite number above 0"),
        ((TEXT, "ZZ", None, -0.1), "precision"),
        ((TEXT, "ZZ", None, float("inf")), "precision"),
        ((ISA, "ZZZ"), "have 3 letters, but the original circuit has 2 qubits"),
    ],
)
def test_a_bad_estimator_pub_is_refused_by_name(pub: Any, problem: str) -> None:
    """The error says which PUB, and what is wrong with it."""
    with pytest.raises(InvalidPub, match=f"PUB 0.*{problem}"):
        estimator_pubs([pub], backend="ibm_fez")


@pytest.mark.parametrize(
    ("observables", "sent"),
    [
        ("ZX", "ZIXI"[::1]),
        ({"II": 1, "ZZ": 2.3}, {"IIII": 1.0, "ZIZI": 2.3}),
        (["IZ", "ZI"], ("ZIII", "IIZI")),
        ([[{"XY": 2}]], (({"YIXI"[::1]: 2.0},),)),
    ],
)
def test_observables_of_an_isa_circuit_are_moved_by_its_layout(observables: Any, sent: Any) -> None:
    """Qubit i of the circuit is letter `layout[i]` of the program, counted from the right, and I elsewhere."""
    moved = {"ZX": "XIZI", "XY": "YIXI"}
    expected = moved.get(observables, sent) if isinstance(observables, str) else sent
    assert estimated((ISA, observables)) == [[TEXT, expected]]


def test_observables_of_raw_text_go_out_untouched() -> None:
    """What only the service can know of a text is left to it."""
    assert estimated((TEXT, ["ZIIIIIII", {"XIIIIIII": 2}])) == [[TEXT, ("ZIIIIIII", {"XIIIIIII": 2.0})]]


def test_an_observable_on_an_idle_qubit_widens_the_program() -> None:
    """A qubit that the program never names is made part of it by a barrier, where an observable asks for it."""
    idle = IsaCircuit("x $1;", "ibm_fez", (1, 7), 2)

    assert estimated((idle, "IZ")) == [["x $1;", "ZI"]]
    assert estimated((idle, "ZI")) == [["x $1;\nbarrier $7;\n", "ZIIIIIII"]]


@given(st.permutations(range(6)), st.text("IXYZ", min_size=3, max_size=3))
def test_moving_keeps_every_letter(places: list[int], term: str) -> None:
    """Each letter of a logical observable stands at its qubit's place, and nothing else is added."""
    layout = tuple(places[:3])
    [[_, moved]] = estimated((IsaCircuit("x $0;", "ibm_fez", layout, 6), term))

    assert [moved[5 - place] for place in layout] == list(reversed(term))
    assert moved.count("I") == 3 + term.count("I")


def test_the_resilience_level_stands_beside_the_options() -> None:
    """The API wants it outside the options, where users look for it."""
    options = {"resilience_level": 0, "twirling": {"enable_gates": True}}
    params = estimator_params([EstimatorPub(TEXT, "Z")], options)

    assert (params["resilience_level"], params["options"]) == (0, {"twirling": {"enable_gates": True}})
    assert "resilience_level" in options


@pytest.mark.parametrize("values", ["one", ["x"] * 9, [""], ["x" * 87], [5]])
def test_bad_tags_are_refused(values: Any) -> None:
    """Eight tags of 86 characters are the service's limit."""
    with pytest.raises(UsageError):
        tags(values)


def test_good_tags_are_kept() -> None:
    """Characters are counted, not bytes."""
    assert tags(["ü" * 86] * 8) == ("ü" * 86,) * 8
