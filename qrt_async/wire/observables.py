"""Observables: checked, and moved from the qubits of a circuit to those of the transpiled program."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from qrt_async.errors import InvalidPub
from qrt_async.models.pubs import IsaCircuit, Observables

_LETTERS = frozenset("IXYZ")


def checked(value: object, place: str) -> tuple[Observables, int]:
    """
    Return observables as nested tuples of texts and mappings, and the width that all of them share.

    Raises:
        InvalidPub: a foreign letter, a weight that is not a finite number, nothing at all, or unequal widths.

    """
    found = _checked(value, place)
    widths = sorted({len(term) for term in _terms(found)})
    if len(widths) > 1:
        raise InvalidPub(f"{place}: observables of one PUB need one width, not {', '.join(map(str, widths))}")
    return found, widths[0]


def _checked(value: object, place: str) -> Observables:
    if isinstance(value, str):
        return _pauli(value, place)
    if isinstance(value, Mapping):
        weights = cast(Mapping[object, object], value)
        if not weights:
            raise InvalidPub(f"{place}: a weighted sum needs at least one term")
        return {_pauli(term, place): _weight(weight, place) for term, weight in weights.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        items = cast(Sequence[object], value)
        if not items:
            raise InvalidPub(f"{place}: at least one observable is needed")
        return tuple(_checked(item, f"{place}[{i}]") for i, item in enumerate(items))
    raise InvalidPub(
        f"{place}: an observable is a text such as 'ZZ' or a weighted sum such as {{'ZZ': 1.0}}, "
        f"not {type(value).__name__}"
    )


def _pauli(term: object, place: str) -> str:
    if not isinstance(term, str) or not term:
        raise InvalidPub(f"{place}: expected a text over I, X, Y, Z, not {term!r}")
    foreign = next((letter for letter in term if letter not in _LETTERS), None)
    if foreign is not None:
        raise InvalidPub(f"{place}: {term!r} has the letter {foreign!r}; observables are written with I, X, Y, Z")
    return term


def _weight(weight: object, place: str) -> float:
    try:
        number = float(cast(Any, weight))
    except (TypeError, ValueError):
        number = math.nan
    if isinstance(weight, bool | str) or not math.isfinite(number):
        raise InvalidPub(f"{place}: the weight of a term is a finite number, not {weight!r}")
    return number


def _terms(observables: Observables) -> Iterator[str]:
    if isinstance(observables, str):
        yield observables
    elif isinstance(observables, Mapping):
        yield from observables
    else:
        for item in observables:
            yield from _terms(item)


def on_program(circuit: IsaCircuit, observables: Observables) -> tuple[str, Observables]:
    """
    Return the program's text and the observables on the program's own qubits.

    A qubit of the circuit that the program never touches may lie beyond the program's width. Where an observable asks
    for it, a barrier on that qubit is added: it does nothing, and makes the program wide enough.
    """
    reached = max((circuit.layout[i] for term in _terms(observables) for i in _support(term)), default=-1)
    width = max(circuit.width, reached + 1)
    text = circuit.text
    if width > circuit.width:
        text = f"{text.rstrip()}\nbarrier ${width - 1};\n"
    return text, moved(observables, circuit.layout, width)


def _support(term: str) -> Iterator[int]:
    return (i for i, letter in enumerate(reversed(term)) if letter != "I")


def moved(observables: Observables, layout: tuple[int, ...], width: int) -> Observables:
    """Return observables on a program of `width` qubits, the letter of qubit i at qubit ``layout[i]``, I elsewhere."""
    if isinstance(observables, str):
        return _moved_term(observables, layout, width)
    if isinstance(observables, Mapping):
        return {_moved_term(term, layout, width): weight for term, weight in observables.items()}
    return tuple(moved(item, layout, width) for item in observables)


def _moved_term(term: str, layout: tuple[int, ...], width: int) -> str:
    letters = ["I"] * width
    for i in _support(term):
        letters[layout[i]] = term[-1 - i]
    return "".join(reversed(letters))
