"""The observables of a PUB, in every form that the service takes, and which of their terms share a measurement."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import attrs
import numpy as np

from qrt_async.emulator.execution.refusal import Refusal
from qrt_async.emulator.execution.typed_values import content, type_of

if TYPE_CHECKING:
    from collections.abc import Iterable

_LETTERS = re.compile("[XYZ]")

Term = tuple[tuple[int, str], ...]  # (program qubit, letter), ascending qubits; identities left out
Observable = Mapping[Term, float]  # a weighted sum


@attrs.frozen(eq=False)
class Observables:
    """An array of observables in C order; `shape` is () for a single one."""

    shape: tuple[int, ...]
    items: tuple[Observable, ...]


def read_observables(given: Any, width: int) -> Observables:
    """Read the observables of a PUB for a program of `width` qubits; raises Refusal (1501) if they do not fit.

    A text is one Pauli string, a mapping one weighted sum of them, and lists nest to an array, as does what a typed
    ObservablesArray holds; the leftmost letter stands for the highest qubit.
    """
    if (name := type_of(given)) is not None:
        given = content(given, "ObservablesArray")
        if given is None:
            raise _misfit(f"a {name} is no array of observables")
    items: list[Observable] = []
    shape = _collect(given, width, items)
    return Observables(shape, tuple(items))


def grouped(terms: Iterable[Term]) -> list[list[Term]]:
    """Group terms that can be read from one measurement of every qubit (qubit-wise commuting), greedily."""
    groups: list[tuple[dict[int, str], list[Term]]] = []
    for term in sorted(set(terms), key=lambda term: (-len(term), term)):
        for basis, members in groups:
            if all(basis.get(qubit, letter) == letter for qubit, letter in term):
                basis.update(term)
                members.append(term)
                break
        else:
            groups.append((dict(term), [term]))
    return [members for _, members in groups]


def joint_shape(observables: tuple[int, ...], sweep: tuple[int, ...]) -> tuple[int, ...]:
    """Broadcast the two shapes of a PUB by NumPy's rules; raises Refusal (1002) if they do not go together."""
    try:
        return np.broadcast_shapes(observables, sweep)
    except ValueError as error:
        raise Refusal(
            f"Observables of shape {observables} cannot be broadcast with parameter values of shape {sweep}",
            1002,
            "Give the observables and the parameter values shapes that broadcast against each other.",
        ) from error


def _collect(given: Any, width: int, items: list[Observable]) -> tuple[int, ...]:
    if isinstance(given, str):
        items.append({_term(given, width): 1.0})
        return ()
    if isinstance(given, Mapping):
        items.append(_weighted(cast("Mapping[str, Any]", given), width))
        return ()
    if not isinstance(given, Sequence):
        raise _misfit(f"{given!r} is no observable")
    shapes = {_collect(member, width, items) for member in given}
    if len(shapes) > 1:
        raise _misfit("the observables are no rectangular array")
    return (len(given), *(shapes.pop() if shapes else ()))


def _weighted(given: Mapping[str, Any], width: int) -> Observable:
    sum_of: dict[Term, float] = {}
    for letters, weight in given.items():
        term = _term(letters, width)
        try:
            sum_of[term] = sum_of.get(term, 0.0) + float(weight)
        except (TypeError, ValueError) as error:
            raise _misfit(f"the weight {weight!r} of {letters!r} is no real number") from error
    return sum_of


def _term(letters: str, width: int) -> Term:
    if len(letters) != width:
        raise _misfit(f"the observable has {len(letters)} qubits, the circuit has {width}")
    if foreign := set(letters) - set("IXYZ"):
        raise _misfit(f"{min(foreign)!r} is none of the letters I, X, Y and Z")
    upwards = letters[::-1]
    return tuple((found.start(), found[0]) for found in _LETTERS.finditer(upwards))


def _misfit(what: str) -> Refusal:
    return Refusal(
        f"The observables do not match the circuit: {what}",
        1501,
        "Give observables over as many qubits as the transpiled circuit has.",
    )
