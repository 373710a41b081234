"""JSON ↔ models: one converter, strict about scalars, with errors that name their place."""

from __future__ import annotations

import datetime as dt
import functools
import json
from collections.abc import Callable
from typing import Any, TypeVar

import attrs
import cattrs
import cattrs.gen

from qrt_async.errors import ProtocolError
from qrt_async.models.answer import Answer, Remark

T = TypeVar("T")


class _Mismatch(Exception):
    """A JSON value of another type than the model's."""


def _strict(kind: type, *accepted: type) -> Any:
    allowed = (kind, *accepted)

    def structure(value: Any, _: Any) -> Any:
        if isinstance(value, allowed) and not (isinstance(value, bool) and bool not in allowed):
            return kind(value) if accepted else value
        raise _Mismatch(f"expected {kind.__name__}, not {_name(value)}")

    return structure


def _name(value: Any) -> str:
    return "null" if value is None else type(value).__name__


def _remark(value: Any, kind: Any) -> Any:
    """Read a remark: a text, or an object with its text under ``data``."""
    return _strict(str)(value.get("data") if isinstance(value, dict) else value, kind)


def _moment(value: Any, _: Any) -> dt.datetime:
    if not isinstance(value, str):
        raise _Mismatch(f"expected a time, not {_name(value)}")
    return parse_time(value)


def parse_time(text: str) -> dt.datetime:
    """
    Return an RFC 3339 text as an aware time; a time without a zone is UTC.

    The service's precision varies from whole seconds to nanoseconds; what exceeds microseconds is cut.
    """
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise _Mismatch(f"expected a time, not {text!r}") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


def _converter(*, detailed: bool) -> cattrs.Converter:
    converter = cattrs.Converter(detailed_validation=detailed)
    converter.register_structure_hook(str, _strict(str))
    converter.register_structure_hook(bool, _strict(bool))
    converter.register_structure_hook(int, _strict(int))
    converter.register_structure_hook(float, _strict(float, int))
    converter.register_structure_hook(dt.datetime, _moment)
    converter.register_structure_hook_func(lambda kind: kind is Remark, _remark)
    converter.register_structure_hook_factory(_is_ours, functools.partial(_object_reader, converter))
    return converter


_NAMES: dict[type, dict[str, str]] = {}


def wire_names(model: type, **names: str) -> None:
    """Declare under which key the wire holds a field of `model`, where the two differ."""
    _NAMES[model] = names


def wire_form(model: Any, hook: Callable[[cattrs.Converter], Callable[[Any, Any], Any]]) -> None:
    """Declare how a model is read; `hook` makes the reader at first use, so that importing costs nothing."""

    def concerns(kind: Any) -> bool:
        return bool(kind == model)

    for converter in (_fast, _detailed):
        converter.register_structure_hook_factory(concerns, functools.partial(_made, hook, converter))


def _made(hook: Callable[[cattrs.Converter], Callable[[Any, Any], Any]], converter: cattrs.Converter, _: Any) -> Any:
    return hook(converter)


def _is_ours(kind: Any) -> bool:
    return isinstance(kind, type) and (kind in _NAMES or issubclass(kind, Answer))


def _object_reader(converter: cattrs.Converter, model: Any) -> Callable[[Any, Any], Any]:
    """Return the reader of a JSON object; an answer keeps the keys that it does not know."""
    names = _NAMES.get(model, {})
    aside: dict[str, Any] = dict.fromkeys(_ASIDE, cattrs.gen.override(omit=True)) if issubclass(model, Answer) else {}
    renamed: dict[str, Any] = {field: cattrs.gen.override(rename=key) for field, key in names.items()}
    read = cattrs.gen.make_dict_structure_fn(model, converter, **renamed, **aside)
    if not aside:
        return read
    known = {names.get(field.name, field.name) for field in attrs.fields(model) if field.name not in _ASIDE}

    def structure(value: Any, kind: Any) -> Any:
        found = read(value, kind)
        extra = {key: item for key, item in value.items() if key not in known}
        return attrs.evolve(found, extra=extra) if extra else found

    return structure


_ASIDE = ("extra", "request_id")
_fast = _converter(detailed=False)
_detailed = _converter(detailed=True)


def load(value: Any, model: type[T], *, operation: str) -> T:
    """Return parsed JSON as a model, or raise a :class:`ProtocolError` such as ``expected str @ $.jobs[3].id``."""
    try:
        return _fast.structure(value, model)
    except Exception:  # noqa: BLE001 - whatever the fast converter stumbles over, the detailed one names its place
        return _load_detailed(value, model, operation)


def _load_detailed(value: Any, model: type[T], operation: str) -> T:
    try:
        return _detailed.structure(value, model)
    except Exception as error:
        problems = "; ".join(cattrs.transform_error(error, format_exception=_describe))
        raise ProtocolError(problems, operation=operation) from error


def _describe(error: BaseException, expected: type | None) -> str:
    if isinstance(error, KeyError):
        return f"required field {error.args[0]} is missing"
    if isinstance(error, _Mismatch):
        return str(error)
    wanted = f"expected {getattr(expected, '__name__', expected)}" if expected else "unreadable"
    return f"{wanted} ({type(error).__name__})"


def parse(
    body: bytes,
    *,
    operation: str,
    secret: bool = False,
    start: bytes | None = None,
    read_float: Callable[[str], Any] | None = None,
) -> Any:
    """
    Return the JSON of a body; bare NaN and Infinity are read, since the service sends them.

    The error for anything else quotes the beginning of the body (`start`, where the body is not as it came), unless the
    body is `secret`. `read_float` is given the text of every number that is not whole.
    """
    try:
        return json.loads(body, parse_float=read_float)
    except (ValueError, RecursionError) as error:
        if secret:
            raise ProtocolError("the body is not JSON", operation=operation) from None
        raise not_json(body if start is None else start, operation=operation) from error


def not_json(start: bytes, *, operation: str) -> ProtocolError:
    """Return the error to raise for a body that is not JSON and begins so."""
    shown = start[:40].decode("utf-8", "replace")
    return ProtocolError(f"the body is not JSON: it begins with {shown!r}", operation=operation)
