"""The sampler: shots, registers, parameters, noise, and what fails a job."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import numpy as np
import pytest

from qrt_async.emulator.execution.jobs import run_work
from qrt_async.emulator.work import Done, Failed, PrimitiveWork

HEADER = 'OPENQASM 3.0; include "stdgates.inc"; '
BELL = HEADER + ("bit[2] c; rz(pi/2) $0; sx $0; rz(pi/2) $0; cx $0, $1; c[0] = measure $0; c[1] = measure $1;")
FLIP = HEADER + "bit[2] c; x $0; c[0] = measure $0; c[1] = measure $1;"
TURN = HEADER + (
    "input float theta; input float alpha; bit[1] c; rz(alpha) $0; sx $0; rz(theta) $0; sx $0; c[0] = measure $0;"
)


def job(*pubs: Any, backend: str = "ibm_hanoi", seed: int = 5, noiseless: bool = False, **params: Any) -> Done | Failed:
    """Run a sampler job."""
    return run_work(PrimitiveWork("sampler", backend, {"pubs": list(pubs), "version": 2, **params}, seed, noiseless))


def sampled(*pubs: Any, **settings: Any) -> list[dict[str, Any]]:
    """Run a job and give its results; it must not fail."""
    outcome = job(*pubs, **settings)
    assert isinstance(outcome, Done), outcome
    body = json.loads(outcome.body)
    assert body["metadata"] == {"version": 2}
    results: list[dict[str, Any]] = body["results"]
    return results


def counts(result: dict[str, Any], register: str = "c") -> Counter[str]:
    """Count the samples of a register."""
    return Counter(result["data"][register]["samples"])


def failure(*pubs: Any, **settings: Any) -> Failed:
    """Run a job that must fail."""
    outcome = job(*pubs, **settings)
    assert isinstance(outcome, Failed)
    assert outcome.traceback == ""
    return outcome


def test_noiseless_bell_pair() -> None:
    """Without noise a Bell pair gives 00 and 11 about evenly and nothing else."""
    found = counts(sampled([BELL, None, 4000], noiseless=True)[0])

    assert found.keys() == {"0x0", "0x3"}
    assert abs(found["0x0"] - 2000) < 5 * np.sqrt(1000)


def test_noise_shows() -> None:
    """With the device's noise a Bell pair also gives the other outcomes, rarely."""
    found = counts(sampled([BELL, None, 10_000])[0])

    assert 50 < found["0x1"] + found["0x2"] < 800


@pytest.mark.parametrize("noiseless", [True, False])
def test_seed(noiseless: bool) -> None:
    """The same seed gives the same bytes, another seed others."""
    first, again, other = (job([BELL, None, 500], seed=seed, noiseless=noiseless) for seed in (1, 1, 2))

    assert first == again
    assert first != other


def test_simulator_seed_rules() -> None:
    """options.simulator.seed_simulator takes the place of the job's own seed."""
    options = {"simulator": {"seed_simulator": 11}}

    assert job([BELL, None, 500], seed=1, options=options) == job([BELL, None, 500], seed=2, options=options)


def test_shots_by_precedence() -> None:
    """A PUB's shots rule over the job's, these over the option's, that over 4096."""
    options = {"default_shots": 30}

    sizes = [
        [result["data"]["c"]["samples"].__len__() for result in sampled(FLIP, [FLIP], [FLIP, None, 10], **extra)]
        for extra in ({}, {"options": options}, {"options": options, "shots": 20})
    ]

    assert sizes == [[4096, 4096, 10], [30, 30, 10], [20, 20, 10]]


def test_registers() -> None:
    """Each register stands alone in declared order; a register that nothing was measured into is all zero."""
    text = HEADER + "bit[3] late; bit[2] unused; bit first; x $4; late[2] = measure $4; first = measure $5;"

    [result] = sampled([text, None, 3], noiseless=True)

    assert list(result["data"].items()) == [
        ("late", {"samples": ["0x4"] * 3, "num_bits": 3}),
        ("unused", {"samples": ["0x0"] * 3, "num_bits": 2}),
        ("first", {"samples": ["0x0"] * 3, "num_bits": 1}),
    ]
    assert result["metadata"] == {"circuit_metadata": {}}


def test_wide_register() -> None:
    """A register wider than 64 bits keeps every bit in its place."""
    text = HEADER + "bit[127] c; x $126; x $3; " + "".join(f"c[{i}] = measure ${i};" for i in range(127))

    [result] = sampled([text, None, 2], backend="ibm_sherbrooke", noiseless=True)

    assert result["data"]["c"]["samples"] == [hex(1 << 126 | 1 << 3)] * 2


@pytest.mark.parametrize(
    ("values", "shape"),
    [
        ({"theta": 0.0, "alpha": 1.0}, ()),
        ([1.0, 0.0], ()),
        ({"theta": [0.0, np.pi], "alpha": 1.0}, (2,)),
        ({"theta": [[0.0], [np.pi]], "alpha": [1.0, 2.0, 3.0]}, (2, 3)),
        ([[1.0, 0.0], [1.0, np.pi]], (2,)),
        ([[[1.0, 0.0], [1.0, np.pi], [0.0, 0.0]]], (1, 3)),
        ([], None),
        ([1.0], None),
        ([1.0, 2.0, 3.0], None),
        ([[1.0, 2.0], [3.0]], None),
        ({"theta": 1.0}, None),
        ({"theta": 1.0, "alpha": 1.0, "beta": 1.0}, None),
        ({"theta": "x", "alpha": 1.0}, None),
        ([1.0, float("nan")], None),
        (None, None),
    ],
)
def test_parameters(values: Any, shape: tuple[int, ...] | None) -> None:
    """Values go by name or by alphabetical position, sweeps nest the shots, and what does not fit fails the job."""
    outcome = job([TURN, values, 7], noiseless=True)

    if shape is None:
        assert isinstance(outcome, Failed)
        assert outcome.code == 1002
    else:
        assert isinstance(outcome, Done)
        samples = json.loads(outcome.body)["results"][0]["data"]["c"]["samples"]
        assert np.shape(samples) == (*shape, 7)
        assert outcome.executions == 7 * int(np.prod(shape, dtype=int))


def test_positions_are_alphabetical() -> None:
    """A flat list binds alpha before theta, although theta is declared first."""
    by_position, by_name = sampled([TURN, [0.3, np.pi], 50], [TURN, {"theta": np.pi, "alpha": 0.3}, 50], noiseless=True)

    assert counts(by_position) == counts(by_name) == {"0x0": 50}


def test_sweep_over_one_parameter() -> None:
    """A flat list for a program of one parameter is a sweep."""
    text = HEADER + "input float theta; bit[1] c; sx $0; rz(theta) $0; sx $0; c[0] = measure $0;"

    [result] = sampled([text, [0.0, np.pi, 0.0], 4], noiseless=True)

    assert result["data"]["c"]["samples"] == [["0x1"] * 4, ["0x0"] * 4, ["0x1"] * 4]


def test_feed_forward() -> None:
    """A measured bit steers what follows, and several registers keep their shots aligned."""
    text = HEADER + (
        "bit[1] c; bit[1] d; rz(pi/2) $0; sx $0; rz(pi/2) $0; c[0] = measure $0; if (c[0]) { x $1; } d[0] = measure $1;"
    )

    [result] = sampled([text, None, 400], noiseless=True)

    assert result["data"]["c"]["samples"] == result["data"]["d"]["samples"]
    assert set(result["data"]["c"]["samples"]) == {"0x0", "0x1"}


def test_wide_feed_forward() -> None:
    """A dynamic circuit too wide for a state vector still runs if its gates are Clifford gates."""
    steps = "".join(f"c[{i}] = measure ${i}; if (c[{i}]) {{ x ${i + 1}; }} " for i in range(40))

    [result] = sampled([HEADER + "bit[40] c; x $0; " + steps, None, 5], backend="ibm_sherbrooke", noiseless=True)

    assert counts(result) == {hex(2**40 - 1): 5}


def test_reset_and_delay() -> None:
    """A reset empties a qubit; a delay of T1 leaves about 1/e of the excitation."""
    reset = HEADER + "bit[1] c; x $0; reset $0; c[0] = measure $0;"
    decay = HEADER + "bit[1] c; x $0; delay[198us] $0; c[0] = measure $0;"

    emptied, decayed = sampled([reset, None, 2000], [decay, None, 20_000])

    assert counts(emptied)["0x1"] < 100
    assert abs(counts(decayed)["0x1"] / 20_000 - np.exp(-1)) < 0.03


def test_high_qubits() -> None:
    """Qubits keep their own calibration, wherever they are: $24 and $25 misread as the snapshot says."""
    text = HEADER + "bit[2] c; x $24; c[0] = measure $24; c[1] = measure $25;"

    [result] = sampled([text, None, 20_000])

    assert abs(counts(result)["0x1"] / 20_000 - 0.977) < 0.02


def test_readout_twirling_is_said() -> None:
    """With readout twirling the metadata says over how many randomizations the shots went."""
    [result] = sampled([BELL, None, 100], options={"twirling": {"enable_gates": True, "enable_measure": True}})

    assert result["metadata"]["num_randomizations"] == 2
    assert len(result["data"]["c"]["samples"]) == 100


def test_quantum_seconds() -> None:
    """The time on the device is shots times repetition delay plus circuit time."""
    outcome = job([FLIP, None, 1000])
    slow = job([FLIP, None, 1000], options={"execution": {"rep_delay": 0.001}})

    assert isinstance(outcome, Done)
    assert isinstance(slow, Done)
    assert 0.25 < outcome.quantum_seconds < 0.26
    assert slow.quantum_seconds == pytest.approx(outcome.quantum_seconds + 0.75)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("h $0;", "The instruction h on qubits (0,) is not supported by the target system"),
        ("cx $0, $5;", "The instruction cx on qubits (0, 5) is not supported by the target system"),
        ("gate foo a { x a; } foo $3;", "The instruction foo on qubits (3,) is not supported by the target system"),
        ("bit[1] c; if (c[0]) { h $2; }", "The instruction h on qubits (2,) is not supported by the target system"),
        ("id $0;", "is not supported by the target system"),
        ("x $27;", "exceeds the number of qubits of the backend ibm_hanoi (27)"),
        ("qubit[28] q; x q[0];", "exceeds the number of qubits of the backend ibm_hanoi (27)"),
    ],
)
def test_not_isa(body: str, reason: str) -> None:
    """What the device's instruction set lacks fails the job with code 1517 and names the instruction."""
    failed = failure([HEADER + body])

    assert failed.code == 1517
    assert reason in failed.reason


def test_direction_counts() -> None:
    """An echoed cross-resonance gate runs in the device's direction only."""
    ecr = HEADER + "gate ecr a, b { s a; sx b; cx a, b; x a; } bit[1] c; "

    assert isinstance(job([ecr + "ecr $1, $0;"], backend="ibm_sherbrooke"), Done)
    assert failure([ecr + "ecr $0, $1;"], backend="ibm_sherbrooke").code == 1517


@pytest.mark.parametrize(("angle", "good"), [("pi/2", True), ("0", True), ("1.6", False), ("-0.1", False)])
def test_rzz_angles(angle: str, good: bool) -> None:
    """An rzz angle must lie in [0, pi/2], written down or bound."""
    gate = "gate rzz(a) p, q { cx p, q; rz(a) q; cx p, q; } bit[1] c; "
    free = HEADER + "input float phi; " + gate + "rzz(phi) $0, $1;"
    value = {"pi/2": np.pi / 2}.get(angle) or float(angle)

    for pub in ([HEADER + gate + f"rzz({angle}) $0, $1;"], [free, {"phi": value}]):
        outcome = job(pub, backend="ibm_fez")
        assert isinstance(outcome, Done) if good else outcome.code == 1517  # type: ignore[union-attr]


def test_gate_twirling_with_fractional_gates() -> None:
    """Twirling gates of a circuit with fractional gates fails the job with code 1519."""
    options = {"twirling": {"enable_gates": True}}

    assert failure([HEADER + "bit[1] c; rx(0.3) $0;"], backend="ibm_fez", options=options).code == 1519


@pytest.mark.parametrize("place", ["pub", "job", "option"])
def test_too_many_shots(place: str) -> None:
    """More than ten million shots fail the job with the service's words, wherever they were asked for."""
    pub: list[Any] = [BELL]
    params: dict[str, Any] = {}
    if place == "pub":
        pub = [BELL, None, 10_000_001]
    else:
        params = {"shots": 10_000_001} if place == "job" else {"options": {"default_shots": 10_000_001}}

    failed = failure(pub, **params)

    assert failed.reason == "The number of circuit shots 10000001 exceeds the system limit 10000000"


def test_too_many_executions() -> None:
    """A job whose PUBs together have more than ten million executions fails."""
    assert failure([BELL, None, 6_000_000], [BELL, None, 6_000_000]).code == 1520


def test_no_shots() -> None:
    """Shots of zero fail the job and nothing else."""
    assert failure([BELL, None, 0]).code == 1002


@pytest.mark.parametrize("value", ["eJw=", "!", 7, None])
def test_bad_typed_values_fail_the_job(value: Any) -> None:
    """A typed array that cannot be read fails the job with a reason, and is not misread."""
    assert failure([TURN, {"__type__": "ndarray", "__value__": value}]).reason


def test_one_bad_pub_fails_the_job() -> None:
    """A job fails as a whole when one of its PUBs is bad."""
    assert failure([BELL], [HEADER + "nonsense"]).code == 1603


def test_large_entangled_circuit() -> None:
    """A Greenberger-Horne-Zeilinger state over 127 qubits, with noise, is sampled and not yet pure noise."""
    order = list(range(127))
    text = HEADER + "bit[127] c; rz(pi/2) $0; sx $0; rz(pi/2) $0; " + _chain(order)

    [ideal] = sampled([text, None, 200], backend="ibm_washington", noiseless=True)
    [noisy] = sampled([text, None, 200], backend="ibm_washington")

    assert counts(ideal).keys() == {"0x0", hex(2**127 - 1)}
    ones = [int(sample, 16).bit_count() for sample in noisy["data"]["c"]["samples"]]
    assert np.mean(np.abs(np.array(ones) - 63.5)) > 20


def _chain(qubits: list[int]) -> str:
    """Grow a state from qubit 0 along the pairs of ibm_washington, then measure all."""
    from qrt_async.emulator import devices

    pairs = [tuple(pair) for pair in devices.load("ibm_washington").configuration["coupling_map"]]
    reached, gates = {0}, ""
    while len(reached) < len(qubits):
        source, goal = next((a, b) for a, b in pairs if a in reached and b not in reached)
        reached.add(goal)
        gates += f"cx ${source}, ${goal}; "
    return gates + "".join(f"c[{qubit}] = measure ${qubit}; " for qubit in qubits)
