"""The device's noise, one channel per gate, in the three forms that the simulations need.

A gate's channel is thermal relaxation over the gate's duration (T1, T2 of each qubit), then as much depolarization
as brings the average error to the calibrated one (none where relaxation alone is worse than that). Idle qubits do
not decay unless a delay says so.
"""

from __future__ import annotations

from functools import cache, cached_property
from math import exp
from typing import TYPE_CHECKING

import attrs
import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from qrt_async.emulator.execution.machine import Machine

    Array = npt.NDArray[np.float64]


@attrs.frozen(slots=False)
class Channel:
    """Relaxation of each qubit, as (population, coherence) that are left, then depolarization (0 to 1)."""

    left: tuple[tuple[float, float], ...]
    depolarization: float

    @cached_property
    def superoperator(self) -> Array:
        """The channel on column-stacked density matrices; the first qubit is the least significant."""
        parts = [_relaxation(population, coherence) for population, coherence in self.left]
        whole = parts[0] if len(parts) == 1 else _join(parts[1], parts[0])
        size = 2 ** len(parts)
        flat = np.eye(size).reshape(-1)
        mixed: Array = (1 - self.depolarization) * whole + self.depolarization * np.outer(flat, flat) / size
        return mixed

    @cached_property
    def kraus(self) -> tuple[Array, ...]:
        """The channel's Kraus operators, the likeliest first."""
        size = 2 ** len(self.left)
        choi = self.superoperator.reshape((size,) * 4).transpose(3, 1, 2, 0).reshape(size**2, size**2)
        weights, vectors = np.linalg.eigh(choi)
        kept = [i for i in reversed(range(size**2)) if weights[i] > 1e-12]
        return tuple(np.sqrt(weights[i]) * vectors[:, i].reshape(size, size).T for i in kept)

    @cached_property
    def paulis(self) -> Array:
        """The channel's Pauli twirl: probabilities of I, X, Y, Z, the first qubit running fastest."""
        twirled: Array = np.ones(1)
        for a, b in self.left:
            single: Array = np.array([1 + a + 2 * b, 1 - a, 1 - a, 1 + a - 2 * b]).clip(0) / 4
            twirled = np.outer(single, twirled).reshape(-1)
        return (1 - self.depolarization) * twirled + self.depolarization / len(twirled)


@cache
def gate_channel(machine: Machine, name: str, qubits: tuple[int, ...]) -> Channel | None:
    """Give the channel that follows a gate on these qubits of the device; None for a gate without error."""
    facts = machine.facts(name, qubits)
    if facts.error == 0 or len(qubits) > 2:
        return None
    left = tuple(_left(machine, qubit, facts.duration) for qubit in qubits)
    size = 2 ** len(qubits)
    wanted = ((size + 1) * (1 - facts.error) - 1) / size  # process fidelity of the calibrated average error
    relaxed = float(np.prod([(1 + a + 2 * b) / 4 for a, b in left]))
    floor = 1 / size**2
    return Channel(left, min(max((relaxed - wanted) / (relaxed - floor), 0.0), 1.0))


def idle_channel(machine: Machine, qubit: int, seconds: float) -> Channel:
    """Give the relaxation of one qubit over a delay."""
    return Channel((_left(machine, qubit, seconds),), 0.0)


def _left(machine: Machine, qubit: int, seconds: float) -> tuple[float, float]:
    facts = machine.qubits[qubit]
    return exp(-seconds / facts.t1), exp(-seconds / facts.t2)


def _relaxation(population: float, coherence: float) -> Array:
    return np.array(
        [[1, 0, 0, 1 - population], [0, coherence, 0, 0], [0, 0, coherence, 0], [0, 0, 0, population]], dtype=float
    )


def _join(second: Array, first: Array) -> Array:
    """Tensor two one-qubit superoperators, keeping columns stacked."""
    # index order of one: (column', row', column, row)
    joined: Array = np.einsum("abcd,efgh->aebfcgdh", second.reshape((2,) * 4), first.reshape((2,) * 4))
    return joined.reshape(16, 16)
