"""JSON replies with something wrong in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qrt_async.emulator.faults import Garble
from qrt_async.emulator.shapes import is_list, is_object

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator

    from qrt_async.emulator.faults import Edited

    Place = tuple[Any, Any]  # a list or an object, and an index or a key in it

_WRONG: tuple[Any, ...] = (None, True, -1, 2**63, 0.5, "", "nonsense", [], {}, [[]], {"id": None})


def edit(document: Any, edits: Edited) -> Any:
    """Replace and remove what `edits` says, in place; give the document."""
    for place, value in edits.replace.items():
        *path, last = place.split(".")
        for holder in _reached(document, path):
            _put(holder, last, value)
    for place in edits.remove:
        *path, last = place.split(".")
        for holder in _reached(document, path):
            _take(holder, last)
    return document


def garble(document: Any, how: Garble, source: random.Random) -> Any:
    """Make the document wrong, in place; give what it became."""
    if how is Garble.ANY:
        how = source.choice((Garble.TYPES, Garble.MISSING, Garble.IDS))
    if how is Garble.IDS:
        for holder, key in _places(document):
            if isinstance(key, str) and (key == "id" or key.endswith("_id")):
                holder[key] = f"{source.getrandbits(100):x}"[:20]
        return document
    return _MUTILATIONS[how](document, source)


def _with_wrong_type(document: Any, source: random.Random) -> Any:
    places = list(_places(document))
    if not places or source.random() < 0.05:
        return source.choice([each for each in _WRONG if type(each) is not type(document)])
    holder, key = source.choice(places)
    holder[key] = source.choice([each for each in _WRONG if type(each) is not type(holder[key])])
    return document


def _with_a_gap(document: Any, source: random.Random) -> Any:
    places = list(_places(document))
    if not places:
        return None
    holder, key = source.choice(places)
    del holder[key]
    return document


_MUTILATIONS: dict[Garble, Callable[[Any, random.Random], Any]] = {
    Garble.TYPES: _with_wrong_type,
    Garble.MISSING: _with_a_gap,
}


def _places(document: Any) -> Iterator[Place]:
    """Give every place below a document, outer ones first."""
    layer: list[Any] = [document]
    while layer:
        inner: list[Any] = []
        for holder in layer:
            keys: Any = range(len(holder)) if is_list(holder) else list(holder) if is_object(holder) else ()
            for key in keys:
                yield holder, key
                inner.append(holder[key])
        layer = inner


def _reached(document: Any, path: list[str]) -> list[Any]:
    found: list[Any] = [document]
    for name in path:
        found = [child for each in found for child in _children(each, name)]
    return found


def _children(value: Any, name: str) -> list[Any]:
    if name == "*":
        return value if is_list(value) else list(value.values()) if is_object(value) else []
    if is_list(value):
        return [value[int(name)]] if name.isdigit() and int(name) < len(value) else []
    return [value[name]] if is_object(value) and name in value else []


def _put(holder: Any, name: str, value: Any) -> None:
    if is_object(holder):
        for key in list(holder) if name == "*" else [name]:
            holder[key] = value
    elif is_list(holder):
        for index in range(len(holder)):
            if name in ("*", str(index)):
                holder[index] = value


def _take(holder: Any, name: str) -> None:
    if is_object(holder):
        for key in list(holder) if name == "*" else [name]:
            holder.pop(key, None)
    elif is_list(holder):
        holder[:] = [] if name == "*" else [each for index, each in enumerate(holder) if name != str(index)]
