"""Circuits and PUBs as frozen values; :mod:`qrt_async.pubs` makes and checks them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs

Numbers = float | Sequence["Numbers"]
ParameterValues = Mapping[str, Numbers] | Numbers | None
Observables = str | Mapping[str, float] | Sequence["Observables"]


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


@attrs.frozen
class SamplerPub:
    """A circuit, values for its parameters, and the number of shots (None: the job's)."""

    circuit: str | IsaCircuit
    parameters: ParameterValues = None
    shots: int | None = None


@attrs.frozen
class EstimatorPub:
    """
    A circuit, its observables, values for its parameters, and the precision (None: the job's).

    Observables are Pauli texts over I, X, Y, Z (the leftmost letter is the highest qubit), weighted sums of them
    (``{"ZZ": 1.0, "XX": 0.5}`` is one observable), or nested sequences of either. On an :class:`IsaCircuit` they are
    those of the original circuit, on raw text those of the program itself.
    """

    circuit: str | IsaCircuit
    observables: Observables
    parameters: ParameterValues = None
    precision: float | None = None
