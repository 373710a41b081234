"""The estimator: expectation values against exact ones, the forms of observables, errors, and what fails a job."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from qiskit.quantum_info import SparsePauliOp, Statevector

from qrt_async.emulator.execution.jobs import run_work
from qrt_async.emulator.execution.observables import grouped
from qrt_async.emulator.programs import load_circuit
from qrt_async.emulator.work import Done, Failed, PrimitiveWork

HEADER = 'OPENQASM 3.0; include "stdgates.inc"; '
FLIP = HEADER + "bit[2] c; x $0; c[0] = measure $0; c[1] = measure $1;"
TURN = HEADER + "input float theta; sx $0; rz(theta) $0; sx $0;"


def job(*pubs: Any, backend: str = "ibm_hanoi", seed: int = 5, noiseless: bool = True, **params: Any) -> Done | Failed:
    """Run an estimator job."""
    return run_work(PrimitiveWork("estimator", backend, {"pubs": list(pubs), **params}, seed, noiseless))


def estimated(*pubs: Any, **settings: Any) -> list[dict[str, Any]]:
    """Run a job and give its results; it must not fail."""
    outcome = job(*pubs, **settings)
    assert isinstance(outcome, Done), outcome
    body = json.loads(outcome.body)
    assert body["metadata"] == {}
    results: list[dict[str, Any]] = body["results"]
    return results


def random_program(generator: np.random.Generator, qubits: int) -> str:
    """Write a random program for ibm_fez on neighbouring qubits, which stand in a row from $0."""
    body = ""
    for _ in range(12):
        qubit, angle = generator.integers(qubits), generator.uniform(-4, 4)
        body += f"rz({angle}) ${qubit}; sx ${qubit}; "
        if qubits > 1:
            pair = generator.integers(qubits - 1)
            body += f"cz ${pair}, ${pair + 1}; "
    return HEADER + body + f"rz(0) ${qubits - 1};"


@pytest.mark.parametrize("seed", range(20))
def test_agrees_with_exact_values(seed: int) -> None:
    """Without noise, values of random circuits and observables lie within five standard errors of the exact ones."""
    generator = np.random.default_rng(seed)
    qubits = int(generator.integers(1, 6))
    text = random_program(generator, qubits)
    letters = ["".join(generator.choice(list("IXYZ"), qubits)) for _ in range(6)]
    observable = {term: float(generator.normal()) for term in letters}
    exact = Statevector(load_circuit(text)).expectation_value(
        SparsePauliOp(list(observable), list(observable.values()))
    )

    [result] = estimated([text, observable, None, 0.02], backend="ibm_fez", seed=seed)

    assert abs(result["data"]["evs"] - exact.real) <= 5 * result["data"]["stds"] + 1e-9
    assert result["data"]["stds"] <= 0.02 * sum(map(abs, observable.values())) + 1e-9


def test_seed_notebook() -> None:
    """The notebook's observable on |01> comes out near -1.3 on a noisy ibm_hanoi, with its shots and metadata."""
    [result] = estimated([FLIP, {"II": 1, "ZZ": 2.3}, None, 0.01], noiseless=False)

    assert result["data"]["evs"] == pytest.approx(-1.3, abs=0.05)
    assert 0.001 < result["data"]["stds"] < 0.05
    assert 0.001 < result["data"]["ensemble_standard_error"] < 0.05
    assert result["metadata"] == {
        "shots": 10016,
        "target_precision": 0.01,
        "circuit_metadata": {},
        "resilience": {},
        "num_randomizations": 32,
    }


def test_mitigation_undoes_misreadings() -> None:
    """Level 1 divides the readout error out; level 0, or mitigation switched off, leaves it in."""
    raw, off, mitigated = (
        estimated([FLIP, "ZZ", None, 0.004], noiseless=False, **params)[0]["data"]["evs"]
        for params in (
            {"resilience_level": 0},
            {"options": {"resilience": {"measure_mitigation": False}}},
            {"resilience_level": 0, "options": {"resilience": {"measure_mitigation": True}}},
        )
    )

    assert mitigated == pytest.approx(-1, abs=0.02)
    assert raw == pytest.approx(off, abs=0.02)
    assert -0.98 < raw < -0.9


@pytest.mark.parametrize(
    ("observables", "values"),
    [
        ("ZI", 1.0),
        ("IZ", -1.0),
        ({"IZ": 2.0, "ZI": 0.5, "II": 3}, 1.5),
        (["ZI", "IZ", "II"], [1.0, -1.0, 1.0]),
        ([{"ZZ": 1}, {"IZ": 0.5}], [-1.0, -0.5]),
        ([["ZI"], [{"IZ": 4}]], [[1.0], [-4.0]]),
        ({}, 0.0),
        ([], []),
    ],
)
def test_forms_of_observables(observables: Any, values: Any) -> None:
    """Every form of observables gives values of its own shape, identities exactly."""
    [result] = estimated([FLIP, observables])

    assert result["data"]["evs"] == values
    assert np.shape(result["data"]["stds"]) == np.shape(values)


@pytest.mark.parametrize(
    ("observables", "sweep", "shape"),
    [
        ("Z", [[0.0], [1.0], [2.0]], (3,)),
        (["Z", "X", "Y"], [[0.0], [1.0], [2.0]], (3,)),
        ([["Z"], ["X"]], [[0.0], [1.0], [2.0]], (2, 3)),
        ([["Z"], ["X"]], {"theta": [0.0, 1.0, 2.0]}, (2, 3)),
        (["Z", "X"], [0.5], (2,)),
        ("Z", {"theta": [[0.0, 1.0]]}, (1, 2)),
    ],
)
def test_broadcasting(observables: Any, sweep: Any, shape: tuple[int, ...]) -> None:
    """Observables and sweep broadcast by NumPy's rules, and each value is that of its own pair."""
    circuit = load_circuit(TURN)
    names = np.broadcast_to(np.array(observables), shape)
    angles = sweep["theta"] if isinstance(sweep, dict) else np.array(sweep)[..., 0]
    bound = np.broadcast_to(np.array(angles), shape)
    exact = [
        Statevector(circuit.assign_parameters([angle])).expectation_value(SparsePauliOp(name)).real
        for name, angle in zip(names.reshape(-1), bound.reshape(-1), strict=True)
    ]

    [result] = estimated([TURN, observables, sweep, 0.01])

    assert np.shape(result["data"]["evs"]) == shape
    assert np.reshape(result["data"]["evs"], -1) == pytest.approx(exact, abs=0.06)


def test_precision_by_precedence() -> None:
    """A PUB's precision rules over the job's, this over default_shots, that over default_precision and 1/64."""
    options = {"default_precision": 0.1}

    found = [
        [result["metadata"]["target_precision"] for result in estimated([FLIP, "ZZ"], [FLIP, "ZZ", None, 0.5], **extra)]
        for extra in (
            {},
            {"options": options},
            {"options": options | {"default_shots": 400}},
            {"options": options | {"default_shots": 400}, "precision": 0.2},
        )
    ]

    assert found == [[0.015625, 0.5], [0.1, 0.5], [0.05, 0.5], [0.2, 0.5]]


@pytest.mark.parametrize(
    ("precision", "twirling", "shots", "randomizations"),
    [
        (0.015625, {}, 4096, 32),
        (0.01, {}, 10016, 32),
        (0.1, {}, 128, 2),
        (0.01, {"num_randomizations": 10}, 10000, 10),
        (0.01, {"shots_per_randomization": 300}, 10200, 34),
        (0.01, {"num_randomizations": 7, "shots_per_randomization": 11}, 10003, 7),
    ],
)
def test_shots(precision: float, twirling: dict[str, Any], shots: int, randomizations: int) -> None:
    """Shots are 1/precision² rounded up to whole randomizations; a PUB's precision is kept whatever the options."""
    [result] = estimated([FLIP, "ZZ", None, precision], options={"twirling": twirling})

    assert (result["metadata"]["shots"], result["metadata"]["num_randomizations"]) == (shots, randomizations)


def test_untwirled_shots() -> None:
    """At resilience level 0 nothing is twirled, and the shots are not rounded."""
    [result] = estimated([FLIP, "ZZ", None, 0.01], resilience_level=0)

    assert (result["metadata"]["shots"], result["metadata"]["num_randomizations"]) == (10000, 1)


def test_wide_observable() -> None:
    """An observable over a whole device costs only its own qubits; idle ones rest in |0>."""
    text = HEADER + "x $126;"

    [result] = estimated([text, ["Z" + 126 * "I", 126 * "I" + "Z", "Z" + 125 * "I" + "Z"]], backend="ibm_sherbrooke")

    assert result["data"]["evs"] == [-1.0, 1.0, -1.0]


def test_grouping() -> None:
    """Terms share a measurement exactly if they ask for the same letters where they meet."""

    def term(letters: str) -> tuple[tuple[int, str], ...]:
        return tuple((place, letter) for place, letter in enumerate(letters) if letter != "I")

    groups = grouped(map(term, ["ZZI", "IZZ", "XXI", "IIX", "ZIZ"]))

    assert sorted(map(sorted, groups)) == sorted(
        map(sorted, [[term("ZZI"), term("IZZ"), term("ZIZ")], [term("XXI"), term("IIX")]])
    )


@pytest.mark.parametrize(
    ("pub", "code"),
    [
        ([FLIP, "ZZZ"], 1501),
        ([FLIP, "Z"], 1501),
        ([FLIP, {"ZZ": 1, "Z": 1}], 1501),
        ([FLIP, "Z0"], 1501),
        ([FLIP, "zz"], 1501),
        ([FLIP, {"ZZ": "a"}], 1501),
        ([FLIP, [["ZZ"], "ZZ"]], 1501),
        ([FLIP, 5], 1501),
        ([FLIP, {"__type__": "ObservablesArray", "__value__": ["ZZZ"]}], 1501),
        ([TURN, ["Z", "X"], [[0.0], [1.0], [2.0]]], 1002),
        ([TURN, "Z"], 1002),
        ([FLIP, "ZZ", [1.0]], 1002),
        ([FLIP, "ZZ", None, 1e-6], 1520),
        ([HEADER + "h $0;", "Z"], 1517),
        ([HEADER + "nonsense", "Z"], 1603),
        ([HEADER + "bit[1] c; c[0] = measure $0; x $0;", "Z"], 1522),
        ([HEADER + "bit[1] c; if (c[0]) { x $0; }", "Z"], 1522),
    ],
)
def test_failures(pub: list[Any], code: int) -> None:
    """What the service would fail a job for fails it here, with the service's code where it is known."""
    outcome = job(pub)

    assert isinstance(outcome, Failed)
    assert (outcome.code, outcome.traceback) == (code, "")


def test_time_counts_every_basis() -> None:
    """Executions count each basis of each binding once."""
    outcome = job([TURN, [["Z"], ["X"]], [[0.0], [1.0], [2.0]], 0.1])

    assert isinstance(outcome, Done)
    assert outcome.executions == 128 * 2 * 3
    assert outcome.quantum_seconds == pytest.approx(outcome.executions * 250e-6, rel=0.1)
