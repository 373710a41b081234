"""What PUBs take: bytes exact, executions by the documented rules, seconds in proportion."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from qiskit.circuit import Parameter, QuantumCircuit

from qrt_async import IsaCircuit, Qpy, SamplerOptions, SamplerPub
from qrt_async.bulk.intake import Intake
from qrt_async.bulk.planning import plan
from qrt_async.bulk.settings import PackingOptions
from qrt_async.bulk.weighing import bases, circuit_seconds, sweep_shape
from qrt_async.errors import InvalidPub, PubTooLarge
from qrt_async.models.jobs import JobRequest
from qrt_async.models.typed import Npy
from qrt_async.primitives import estimator_job, sampler_job
from qrt_async.wire.arrays import npy_of
from qrt_async.wire.dialect import Platform

ISA = IsaCircuit('OPENQASM 3.0; // "é"\nbit[1] c; x $3; c[0] = measure $3;', "ibm_fez", (3,), 4)


def quantum_circuit() -> QuantumCircuit:
    """Return a circuit with one parameter."""
    circuit = QuantumCircuit(1, 1)
    circuit.rz(Parameter("a"), 0)
    circuit.measure(0, 0)
    return circuit


def weight_of(pub: object, **settings: Any) -> Any:
    """Return what one PUB takes."""
    return Intake(PackingOptions(**settings), ["ibm_fez"]).item(pub, 0).weight


async def request(primitive: str, pubs: list[Any], options: Any, default: Any) -> JobRequest[Any]:
    """Return the request that a job of these PUBs is sent as."""
    others: dict[str, Any] = {"tags": (), "private": False, "max_time": None}
    if primitive == "sampler":
        return await sampler_job(
            pubs, platform=Platform.IBM_QUANTUM, backend="ibm_fez", shots=default, options=options, **others
        )
    return await estimator_job(
        pubs, platform=Platform.IBM_QUANTUM, backend="ibm_fez", precision=default, options=options, **others
    )


@pytest.mark.parametrize(
    ("primitive", "pubs", "options", "default"),
    [
        ("sampler", [ISA, (ISA, {"a": [0.1, 2.0]}, 7), (ISA, [1, 2.5])], None, 100),
        ("sampler", [ISA], {"twirling": {"enable_gates": True}}, None),
        ("sampler", [Qpy(b"1234567"), (Qpy(b"x" * 300), Npy(npy_of(np.zeros((4, 2)))), 9)], None, 10),
        ("estimator", [(ISA, "Z"), (ISA, [{"Z": 1.5}, {"X": 1}], [[0.1], [0.2]], 0.5)], {"resilience_level": 2}, 0.01),
    ],
)
async def test_the_bytes_of_bound_pubs_are_those_that_are_sent(
    primitive: str, pubs: list[Any], options: Any, default: Any
) -> None:
    """A plan's bytes are the length of the job's encoded params, in either form."""
    key = "shots" if primitive == "sampler" else "precision"
    settings = {"primitive": primitive, "options": options, key: default}
    found = plan(pubs, backends=["ibm_fez"], options=PackingOptions(**settings), submissions_per_minute=5)
    [job] = found.jobs
    sent = (await request(primitive, pubs, options, default)).params

    assert found.exact
    assert job.size == len(json.dumps(sent, separators=(",", ":")))


@pytest.mark.parametrize(
    ("parameters", "shape"),
    [
        (None, ()),
        (0.5, ()),
        ((0.1, 0.2), ()),
        (((0.1, 0.2), (0.3, 0.4), (0.5, 0.6)), (3,)),
        ((((0.1,), (0.2,)), ((0.3,), (0.4,))), (2, 2)),
        ({"a": 1.0, "b": (1.0, 2.0)}, (2,)),
        ({"a": ((1.0,), (2.0,)), "b": (1.0, 2.0, 3.0)}, (2, 3)),
        (Npy(npy_of(np.zeros((5, 4, 2)))), (5, 4)),
    ],
)
def test_a_sweeps_shape(parameters: object, shape: tuple[int, ...]) -> None:
    """Values by name broadcast; by position the last axis counts the parameters."""
    assert sweep_shape(parameters) == shape


@pytest.mark.parametrize(
    ("pub", "settings", "executions"),
    [
        ((ISA, None, 300), {}, 300),
        (ISA, {"shots": 20}, 20),
        (ISA, {}, 4096),
        (ISA, {"options": SamplerOptions(default_shots=50)}, 50),
        ((ISA, {"a": [0.1, 0.2, 0.3]}, 100), {}, 300),
        ((ISA, None, 1000), {"options": {"twirling": {"enable_gates": True}}}, 1024),
        ((ISA, None, 100), {"options": {"twirling": {"enable_measure": True, "num_randomizations": 3}}}, 102),
        ((ISA, "Z", None, 0.1), {"primitive": "estimator"}, 100),
        ((ISA, "Z"), {"primitive": "estimator"}, 4096),
        ((ISA, ["X", "Z"], None, 0.1), {"primitive": "estimator"}, 200),
        ((ISA, ["X", "Z"], [[0.1], [0.2]], 0.1), {"primitive": "estimator"}, 200),
        ((ISA, {"X": 1, "Y": 1}, [[0.1], [0.2], [0.3]], 0.1), {"primitive": "estimator"}, 600),
        ((ISA, "Z", None, 0.1), {"primitive": "estimator", "options": {"resilience_level": 2}}, 300),
        (
            (ISA, "Z", None, 0.1),
            {"primitive": "estimator", "options": {"resilience": {"pec_mitigation": True}}},
            10_000,
        ),
        ((ISA, "Z"), {"primitive": "estimator", "options": {"default_shots": 70}}, 70),
    ],
)
def test_executions(pub: object, settings: dict[str, Any], executions: int) -> None:
    """Bindings and shots, bases of measurement, whole randomizations, and what mitigation adds, are counted."""
    assert weight_of(pub, **settings).executions == executions


def test_terms_that_agree_share_a_basis() -> None:
    """A hundred ZZ terms need one setting, XX one more, and a term that conflicts with both another."""
    chain = ["I" * i + "ZZ" + "I" * (98 - i) for i in range(99)]

    assert bases([dict.fromkeys(chain, 1.0)]) == 1
    assert bases([*chain, "X" * 100]) == 2
    assert bases(["XZ", "ZX", "IX"]) == 2


def test_seconds_follow_the_repetition_delay_and_the_circuit() -> None:
    """A job's estimate is executions times delay and circuit; the circuit's is its longest chain, with its delays."""
    quick = weight_of((ISA, None, 1000), options={"execution": {"rep_delay": 0.001}})
    chain = "".join(f"x $0; x ${i};" for i in range(1, 400))
    waits = "delay[3ms] $0; delay[2ms] $1; barrier $0, $1; delay[1ms] $1;"

    assert 1.0 < quick.seconds < 1.01
    assert 39e-6 < circuit_seconds(chain) < 41e-6
    assert 4e-3 < circuit_seconds(waits) < 4.01e-3


def test_what_is_not_transpiled_yet_is_estimated() -> None:
    """A circuit that will be transpiled is taken to grow, and its plan says that it is an estimate."""
    text = 'OPENQASM 3.0; include "stdgates.inc"; qubit[2] q; bit[2] c; h q[0]; cx q[0], q[1]; c = measure q;'
    found = plan(
        [text, quantum_circuit()],
        backends=["ibm_fez", "ibm_sherbrooke"],
        options=PackingOptions(transpile=1),
        submissions_per_minute=5,
    )

    assert not found.exact
    assert [job.backend for job in found.jobs] == [None]
    assert found.size > 2 * len(text)


def test_a_pub_that_is_too_large_is_named() -> None:
    """The error tells which PUB, by how much, and what to do."""
    with pytest.raises(PubTooLarge, match="PUB 1: 20,000,000 executions exceed the 10,000,000") as caught:
        plan(
            [ISA, (ISA, {"a": [0.1] * 2000}, 10_000)],
            backends=["ibm_fez"],
            options=PackingOptions(),
            submissions_per_minute=5,
        )

    assert caught.value.index == 1


@pytest.mark.parametrize(
    ("pub", "words"),
    [
        (IsaCircuit("x", "ibm_brisbane", (0,), 1), "transpiled for ibm_brisbane, which is not among"),
        ("OPENQASM 3.0;", "sent as it is fits one backend"),
        ((ISA, None, 0), "PUB 7: shots"),
        (5, "PUB 7: expected"),
        (SamplerPub(ISA, {"a": float("nan")}), "PUB 7: parameter 'a'"),
    ],
)
def test_a_pub_that_cannot_be_meant_is_named(pub: object, words: str) -> None:
    """Backends, shots and values are checked where a PUB enters, under its own number."""
    with pytest.raises(InvalidPub, match=words):
        Intake(PackingOptions(), ["ibm_fez", "ibm_torino"]).item(pub, 7)


def test_a_circuits_qubits_are_told_from_its_text() -> None:
    """Registers of both versions of OpenQASM are added up; a circuit that declares none tells nothing."""
    intake = Intake(PackingOptions(transpile=1), ["ibm_fez", "ibm_hanoi"])

    assert intake.item("OPENQASM 3.0; qubit[3] a; qubit b; x b;", 0).qubits == 4
    assert intake.item("OPENQASM 2.0; qreg q[5]; creg c[9];", 0).qubits == 5
    assert intake.item("OPENQASM 3.0; x $4;", 0).qubits is None
    assert intake.item(quantum_circuit(), 0).qubits == 1


def test_digests_tell_pubs_apart() -> None:
    """Equal PUBs have equal digests however they are written; another circuit, value or number of shots has another."""
    intake = Intake(PackingOptions(), ["ibm_fez"])
    pubs = [(ISA, [0.5], 10), SamplerPub(ISA, (0.5,), 10), (ISA, [0.5], 11), (ISA, [0.6], 10), (ISA.text, [0.5], 10)]
    digests = [intake.item(pub, i).digest() for i, pub in enumerate(pubs)]

    assert digests[0] == digests[1] == digests[4]
    assert len(set(digests)) == 3
    assert intake.item(quantum_circuit(), 0).digest() == intake.item(quantum_circuit(), 5).digest()
