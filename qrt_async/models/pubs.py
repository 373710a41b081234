"""Circuits and PUBs as frozen values; :mod:`qrt_async.pubs` makes and checks them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Union

import attrs

from qrt_async.models.typed import Npy, Qpy

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from qiskit.circuit import QuantumCircuit
    from qiskit.primitives.containers import BindingsArray, ObservablesArray
    from qiskit.quantum_info import Pauli, PauliList, SparsePauliOp

Numbers = float | Sequence["Numbers"]
ParameterValues = Union[Mapping[Any, Any], Numbers, "NDArray[Any]", "BindingsArray", Npy, None]
Observables = str | Mapping[str, float] | Sequence["Observables"]
ObservablesLike = Union[
    str,
    Mapping[str, float],
    "SparsePauliOp",
    "Pauli",
    "PauliList",
    "ObservablesArray",
    Sequence["ObservablesLike"],
]
"""Observables as one may write them; checked PUBs hold `Observables`."""


@attrs.frozen
class IsaCircuit:
    """
    A program in a backend's own instructions.

    `layout[i]` is the physical qubit that holds qubit i of the original circuit when the program ends; `width` is the
    program's own number of qubits, the highest ``$n`` plus one, which is how long its observables have to be.
    """

    text: str = attrs.field(repr=False)
    backend: str
    layout: tuple[int, ...]
    width: int

    @classmethod
    def from_qiskit(cls, circuit: QuantumCircuit, *, backend: str) -> IsaCircuit:
        """
        Return a circuit that Qiskit transpiled for `backend`, as OpenQASM 3.

        A PUB may also hold the ``QuantumCircuit`` itself, which is then sent as QPY and answered in the typed form.

        Raises:
            UsageError: a parameter's name would not survive in OpenQASM, or change the order of the parameters.
            MissingExtra: Qiskit is not installed.

        """
        from qrt_async import qiskit_bridge

        return qiskit_bridge.isa_circuit(circuit, backend)


@attrs.frozen
class SamplerPub:
    """A circuit, values for its parameters, and the number of shots (None: the job's)."""

    circuit: str | IsaCircuit | Qpy | QuantumCircuit
    parameters: ParameterValues = None
    shots: int | None = None


@attrs.frozen
class EstimatorPub:
    """
    A circuit, its observables, values for its parameters, and the precision (None: the job's).

    Observables are Pauli texts over I, X, Y, Z (the leftmost letter is the highest qubit), weighted sums of them
    (``{"ZZ": 1.0, "XX": 0.5}`` is one observable), Qiskit's own (``SparsePauliOp``, ``Pauli``, ``ObservablesArray``),
    or nested sequences of these. On an :class:`IsaCircuit` they are those of the original circuit, on a
    ``QuantumCircuit`` those of either the circuit itself or the one that it was transpiled from, whichever their width
    fits, on raw text those of the program itself.
    """

    circuit: str | IsaCircuit | Qpy | QuantumCircuit
    observables: ObservablesLike
    parameters: ParameterValues = None
    precision: float | None = None
