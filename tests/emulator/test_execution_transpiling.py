"""The transpiler's work: ISA programs that load again, do the same, and say where the qubits went."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from qiskit.quantum_info import Statevector

from qrt_async.emulator.execution.jobs import run_work
from qrt_async.emulator.execution.machine import machine
from qrt_async.emulator.execution.preparation import prepare
from qrt_async.emulator.execution.targets import target
from qrt_async.emulator.programs import load_circuit, load_program
from qrt_async.emulator.work import Done, Failed, PrimitiveWork, TranspileWork

HEADER = 'OPENQASM 3.0; include "stdgates.inc"; '
FIVE = HEADER + (
    "qubit[5] q; bit[5] c; h q[0]; cx q[0], q[1]; cx q[0], q[4]; ry(0.3) q[2]; cp(0.4) q[2], q[3]; "
    "swap q[3], q[0]; cx q[3], q[4]; c = measure q;"
)
STEERED = HEADER + (
    "input float theta; qubit[3] q; bit[2] c; bit[1] d; rx(theta) q[0]; cx q[0], q[1]; c[0] = measure q[0]; "
    "if (c == 1) { x q[1]; } else { h q[1]; } d[0] = measure q[1];"
)
DEVICES = ["ibm_hanoi", "ibm_sherbrooke", "ibm_fez", "ibm_marrakesh"]


def transpiled(*texts: str, backend: str | None = "ibm_fez", level: int = 1, **settings: Any) -> list[dict[str, Any]]:
    """Transpile and give the items; it must not fail."""
    coupling = settings.pop("coupling_map", None)
    outcome = run_work(TranspileWork(texts, backend, coupling, level, settings.pop("options", {}), **settings))
    assert isinstance(outcome, Done), outcome
    assert (outcome.quantum_seconds, outcome.executions) == (0, 0)
    items: list[dict[str, Any]] = json.loads(outcome.body)
    return items


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("level", range(4))
def test_round_trip(device: str, level: int) -> None:
    """What comes out is one line of ISA text for the device, with parameters and branches still in it."""
    items = transpiled(FIVE, STEERED, backend=device, level=level)

    for item, parameters in zip(items, [(), ("theta",)], strict=True):
        assert "\n" not in item["qasm"]
        assert item["success"] is True
        assert item["qpy"] is None
        assert parameters == prepare(load_program(item["qasm"]), machine(device)).parameters
    assert "if (" in items[1]["qasm"]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("level", range(4))
def test_layout(device: str, level: int) -> None:
    """Through `layout.final` an ISA program ends in the same state as the program it was made from."""
    body = FIVE.removesuffix("c = measure q;")
    [item] = transpiled(body, backend=device, level=level)
    initial, final = item["layout"]["initial"], item["layout"]["final"]
    isa = load_circuit(item["qasm"])
    used = sorted({isa.find_bit(qubit).index for step in isa.data for qubit in step.qubits} | set(final))
    small = _only(item["qasm"], used)

    assert sorted(initial) == list(range(machine(device).num_qubits))
    assert len(final) == 5
    expected = Statevector(load_circuit(body)).probabilities_dict()
    found = Statevector(small).probabilities_dict([used.index(place) for place in final])
    for key in expected.keys() | found.keys():
        assert found.get(key, 0) == pytest.approx(expected.get(key, 0), abs=1e-9)


def _only(text: str, used: list[int]) -> Any:
    """Load an ISA text on the qubits it uses, numbered from 0."""
    for small, place in enumerate(used):
        text = text.replace(f"${place};", f"%{small};").replace(f"${place},", f"%{small},")
    everything = ", ".join(f"${small}" for small in range(len(used)))
    return load_circuit(text.replace("%", "$") + f" barrier {everything};")


def test_samples_survive_transpiling() -> None:
    """A transpiled program gives the distribution of its source, register for register."""
    [item] = transpiled(FIVE, backend="ibm_sherbrooke", level=3)
    work = PrimitiveWork("sampler", "ibm_sherbrooke", {"pubs": [[item["qasm"], None, 40_000]]}, 3, noiseless=True)
    outcome = run_work(work)
    assert isinstance(outcome, Done)
    samples = json.loads(outcome.body)["results"][0]["data"]["c"]["samples"]
    found = np.bincount([int(sample, 16) for sample in samples], minlength=32) / len(samples)

    source = load_circuit(FIVE.removesuffix("c = measure q;"))
    assert np.abs(found - Statevector(source).probabilities()).max() < 6 * np.sqrt(0.25 / len(samples))


def test_seed() -> None:
    """The same seed gives the same program."""
    assert transpiled(FIVE, seed=4) == transpiled(FIVE, seed=4)


def test_coupling_map() -> None:
    """Without a backend the circuit keeps to the given coupling map."""
    [item] = transpiled(FIVE, backend=None, coupling_map=((0, 1), (1, 2), (2, 3), (3, 4), (4, 5)))
    pairs = {
        tuple(sorted(circuit.find_bit(qubit).index for qubit in step.qubits))
        for circuit in [load_circuit(item["qasm"])]
        for step in circuit.data
        if step.operation.name == "cx"
    }

    assert pairs <= {(0, 1), (1, 2), (2, 3), (3, 4), (4, 5)}
    assert len(item["layout"]["initial"]) == 6


def test_options() -> None:
    """`qiskit_transpile_options` reach Qiskit."""
    [item] = transpiled(FIVE, options={"initial_layout": [5, 4, 3, 2, 1]})

    assert item["layout"]["initial"][:5] == [5, 4, 3, 2, 1]


def test_openqasm_2() -> None:
    """An OpenQASM 2 text is transpiled too."""
    [item] = transpiled('OPENQASM 2.0; include "qelib1.inc"; qreg q[2]; creg c[2]; h q[0]; measure q -> c;')

    assert item["qasm"].startswith('OPENQASM 3.0; include "stdgates.inc"; bit[2] c;')


@pytest.mark.parametrize(
    ("text", "options", "reason"),
    [
        (
            FIVE,
            {"foo": 1},
            "and qiskit_transpile_options: transpile() got an unexpected keyword argument 'foo'",
        ),
        ("nonsense", {}, "The QASM program could not be loaded"),
        (HEADER + "qubit[157] q; h q[156];", {}, "Error transpiling with Qiskit"),
        (FIVE, {"initial_layout": [0, 0, 1, 2, 3]}, "Error transpiling with Qiskit"),
        (FIVE, {"layout_method": "nonsense"}, "Error transpiling with Qiskit"),
    ],
)
def test_failures(text: str, options: dict[str, Any], reason: str) -> None:
    """A bad circuit or option fails the task with a reason."""
    outcome = run_work(TranspileWork((text,), "ibm_fez", None, 1, options))

    assert isinstance(outcome, Failed)
    assert reason in outcome.reason
    assert outcome.traceback == ""


@pytest.mark.parametrize("device", [*DEVICES, "ibm_athens", "ibm_almaden", "ibm_miami", "ibm_washington"])
def test_targets(device: str) -> None:
    """The target of a device has its basis gates, its size and its measurement errors."""
    of = machine(device)
    found = target(device)

    assert found.num_qubits == of.num_qubits
    assert {"measure", "delay"} | (set(of.device.basis_gates) - {"reset"}) <= set(found.operation_names)
    facts = of.qubits[0]
    assert found["measure"][(0,)].error == pytest.approx((facts.read_0_as_1 + facts.read_1_as_0) / 2)
