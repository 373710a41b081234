"""Ways to simulate: they must agree with each other and with the calibration."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit.quantum_info import Kraus, SuperOp, average_gate_fidelity
from qiskit_aer.noise import thermal_relaxation_error

from qrt_async.emulator.execution.distribution import (
    ChannelForm,
    distribution,
    misread,
    outcome_probabilities,
    with_channels,
)
from qrt_async.emulator.execution.frames import is_clifford, sample_clifford
from qrt_async.emulator.execution.machine import Machine, machine
from qrt_async.emulator.execution.noise import Channel, gate_channel
from qrt_async.emulator.execution.preparation import Prepared, prepare
from qrt_async.emulator.execution.recent import Recent
from qrt_async.emulator.execution.refusal import Refusal
from qrt_async.emulator.execution.samples import Samples
from qrt_async.emulator.execution.trajectories import sample_trajectories
from qrt_async.emulator.programs import Register, load_program

HEADER = 'OPENQASM 3.0; include "stdgates.inc"; '
CLIFFORD = "sx $0; cz $0, $1; x $2; sx $1; rz(pi/2) $1; cz $1, $2; sx $2; cz $2, $3; reset $3; sx $3; sx $0; "
GENERAL = CLIFFORD.replace("reset $3; ", "") + "rz(0.4) $2; sx $2; cz $2, $1; rz(1.1) $1; sx $1; "


def four_qubits(body: str, device: Machine) -> Prepared:
    """Prepare a program that repeats `body` and reads four qubits."""
    measurements = "".join(f"c[{i}] = measure ${i}; " for i in range(4))
    return prepare(load_program(HEADER + "bit[4] c; " + 6 * body + measurements), device)


def frequencies(
    bits: np.ndarray[tuple[int, ...], np.dtype[np.uint8]],
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Give the share of each outcome."""
    numbers = bits @ (1 << np.arange(bits.shape[1]))
    return np.bincount(numbers, minlength=2 ** bits.shape[1]) / len(bits)


@pytest.mark.parametrize("noisy", [True, False])
@pytest.mark.parametrize(("body", "clifford"), [(CLIFFORD, True), (GENERAL, False)])
def test_ways_agree(body: str, *, clifford: bool, noisy: bool) -> None:
    """Pauli frames and trajectories have the outcome frequencies of the density matrix."""
    fez = machine("ibm_fez")
    prepared = four_qubits(body, fez)
    device = fez if noisy else None
    measured = [qubit for qubit, _ in prepared.readout]
    circuit = prepared.circuit
    if noisy:
        circuit = with_channels(circuit, prepared.qubits, fez, ChannelForm.SUPEROPERATOR)
    [exact] = outcome_probabilities([circuit], [measured], density=True)
    shots = 60_000 if clifford else 20_000

    draw = sample_clifford if clifford else sample_trajectories
    bits = draw(prepared.circuit, prepared.qubits, measured, shots, device, np.random.default_rng(3))

    assert is_clifford(prepared.circuit) is clifford
    assert np.abs(frequencies(bits) - exact).max() < 6 * np.sqrt(0.25 / shots)


def test_noise_matters() -> None:
    """The noise that the ways agree on is not nothing: purity is visibly lost."""
    fez = machine("ibm_fez")
    prepared = four_qubits(GENERAL, fez)
    measured = [qubit for qubit, _ in prepared.readout]
    noisy = with_channels(prepared.circuit, prepared.qubits, fez, ChannelForm.SUPEROPERATOR)

    ideal, real = outcome_probabilities([prepared.circuit, noisy], [measured, measured], density=True)

    assert 0.05 < np.abs(ideal - real).sum() < 1


@pytest.mark.parametrize(
    ("device", "gate", "qubits"),
    [
        ("ibm_hanoi", "cx", (14, 16)),
        ("ibm_hanoi", "sx", (0,)),
        ("ibm_fez", "cz", (0, 1)),
        ("ibm_sherbrooke", "ecr", (1, 0)),
    ],
)
def test_channel_has_the_calibrated_error(device: str, gate: str, qubits: tuple[int, ...]) -> None:
    """A gate's channel is physical, and its average error is the calibrated one; its forms are the same channel."""
    of = machine(device)
    channel = gate_channel(of, gate, qubits)
    assert channel is not None
    whole = SuperOp(channel.superoperator)

    assert whole.is_cptp()
    assert 1 - average_gate_fidelity(whole) == pytest.approx(of.facts(gate, qubits).error)
    assert np.allclose(SuperOp(Kraus(list(channel.kraus))).data, whole.data)
    assert channel.paulis.sum() == pytest.approx(1)
    assert channel.paulis[0] == pytest.approx(np.trace(whole.data).real / len(whole.data))


def test_relaxation_is_thermal() -> None:
    """Relaxation of two qubits is what Aer calls thermal relaxation, qubits in the same order."""
    (t1, t2, time), (other_t1, other_t2) = (1e-4, 1.2e-4, 4e-5), (5e-5, 3e-5)
    left = tuple((np.exp(-time / a), np.exp(-time / b)) for a, b in ((t1, t2), (other_t1, other_t2)))
    expected = thermal_relaxation_error(t1, t2, time).expand(thermal_relaxation_error(other_t1, other_t2, time))

    assert np.allclose(SuperOp(expected).data, Channel(left, 0.0).superoperator)


def test_gate_without_error() -> None:
    """Virtual gates bring no noise."""
    assert gate_channel(machine("ibm_fez"), "rz", (0,)) is None


def test_misreading() -> None:
    """Readout errors move probability as the two chances of each qubit say, the first qubit running fastest."""
    read = misread(np.array([0.0, 1.0, 0.0, 0.0]), [(0.1, 0.3), (0.2, 0.05)])

    assert read == pytest.approx([0.1 * 0.95, 0.9 * 0.95, 0.1 * 0.05, 0.9 * 0.05])


def test_distribution_places_bits() -> None:
    """Outcomes appear in the classical bits that took them, and impossible ones not at all."""
    found = distribution(np.array([0.0, 0.5, 0.0, 0.5]), [69, 2], 70)

    assert sorted(found.values) == [1 << 69, 1 << 69 | 1 << 2]


def test_register_text() -> None:
    """A register's samples are written as the service does: lower-case hexadecimal without padding."""
    samples = Samples([0, 0b1101_0100, 1 << 80], np.array([1, 0, 1, 2]))

    assert samples.register(Register("c", tuple(range(2, 9)))) == b'["0x35","0x0","0x35","0x0"]'
    assert samples.register(Register("c", tuple(range(16, 81)))) == b'["0x0","0x0","0x0","0x10000000000000000"]'


def test_too_entangled() -> None:
    """A wide, deep circuit of general gates is refused at once instead of filling the memory."""
    fez = machine("ibm_fez")
    pairs = [qubits for qubits in fez.gates["cz"] if qubits[0] < qubits[1]]
    layer = "".join(f"rz(0.3) ${qubit}; sx ${qubit}; " for qubit in range(156))
    body = 10 * (layer + "".join(f"cz ${a}, ${b}; " for a, b in pairs))
    prepared = prepare(load_program(HEADER + "bit[1] c; " + body + "c[0] = measure $0;"), fez)

    with pytest.raises(Refusal, match="156 active qubits"):
        sample_trajectories(prepared.circuit, prepared.qubits, [0], 10, None, np.random.default_rng())


def test_long_shallow_circuit() -> None:
    """A wide circuit of general gates with little entanglement runs: each qubit of a line turned by the same angle."""
    fez = machine("ibm_fez")
    body = "".join(f"sx ${qubit}; rz(1) ${qubit}; sx ${qubit}; " for qubit in range(40))
    readout = "".join(f"c[{qubit}] = measure ${qubit}; " for qubit in range(40))
    prepared = prepare(load_program(HEADER + "bit[40] c; " + body + readout), fez)

    bits = sample_trajectories(prepared.circuit, prepared.qubits, range(40), 500, None, np.random.default_rng(1))

    assert bits.mean() == pytest.approx(np.cos(0.5) ** 2, abs=0.02)


def test_only_active_qubits_remain() -> None:
    """A program on $150 and $151 is reduced to the two qubits that it touches."""
    text = HEADER + "bit[2] c; barrier $3, $4; reset $7; x $150; cz $150, $151; c[0] = measure $151; delay[1us] $151;"
    prepared = prepare(load_program(text), machine("ibm_fez"))

    assert prepared.qubits == (150, 151)
    assert prepared.circuit.num_qubits == 2
    assert prepared.readout == ((1, 0),)
    assert prepared.width == 152


@pytest.mark.parametrize("device", ["ibm_hanoi", "ibm_sherbrooke", "ibm_fez", "ibm_athens", "ibm_almaden", "ibm_miami"])
def test_machines(device: str) -> None:
    """Machines of every generation know gates for all qubits, and times that are physical."""
    of = machine(device)

    assert {qubits for gate in of.gates.values() for qubits in gate if len(qubits) == 1} == {
        (qubit,) for qubit in range(of.num_qubits)
    }
    assert all(0 < qubit.t2 <= 2 * qubit.t1 < 1 for qubit in of.qubits)
    assert all(0 <= fact.duration < 1e-5 for gate in of.gates.values() for fact in gate.values())
    assert of.allows("measure", (0,))
    assert not of.allows("measure", (of.num_qubits,))


def test_recent_forgets_the_oldest() -> None:
    """The cache keeps its weight by dropping what was used longest ago, and never takes what is too heavy."""
    recent: Recent[str] = Recent(10)
    for key in "abc":
        recent.put(key, key.upper(), 3)
    recent.get("a")
    recent.put("d", "D", 4)
    recent.put("e", "E", 11)

    assert [recent.get(key) for key in "abcde"] == ["A", None, "C", "D", None]
