"""Small checks of JSON values that name the path that is wrong."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, TypeGuard

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    Check = Callable[[Any, str], None]

INT32 = 2_147_483_647
_DEPTH = 64


class Mismatch(Exception):
    """A value that is not what a check demands; the message begins with its path."""


def parse(raw: bytes) -> Any:
    """Read JSON from a request; text that is no JSON, or nested deeper than 64, raises Mismatch."""
    try:
        value = json.loads(raw, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise Mismatch(f"it is not JSON ({type(error).__name__}: {error})") from None
    if raw.count(b"[") + raw.count(b"{") > _DEPTH and _deeper(value, _DEPTH):
        raise Mismatch(f"it is nested deeper than {_DEPTH} levels")
    return value


def is_list(value: Any) -> TypeGuard[list[Any]]:
    """Tell whether a JSON value is a list."""
    return isinstance(value, list)


def is_object(value: Any) -> TypeGuard[dict[str, Any]]:
    """Tell whether a JSON value is an object."""
    return isinstance(value, dict)


def anything(_value: Any, _path: str) -> None:
    """Take every value."""


def flag(value: Any, path: str) -> None:
    """Take true and false."""
    if not isinstance(value, bool):
        raise Mismatch(f"{path} must be true or false")


def mapping(value: Any, path: str) -> None:
    """Take any object."""
    if not is_object(value):
        raise Mismatch(f"{path} must be an object")


def text(least: int = 0, most: int | None = None) -> Check:
    """Take text of `least` to `most` characters."""

    def check(value: Any, path: str) -> None:
        if not isinstance(value, str):
            raise Mismatch(f"{path} must be text")
        if len(value) < least or (most is not None and len(value) > most):
            raise Mismatch(f"{path} must have {least} to {most} characters")

    return check


def integer(least: int, most: int = INT32) -> Check:
    """Take whole numbers from `least` to `most`; a bool is none."""

    def check(value: Any, path: str) -> None:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise Mismatch(f"{path} must be a whole number from {least} to {most}")

    return check


def number(*, above: float = -math.inf, least: float = -math.inf) -> Check:
    """Take finite numbers greater than `above` and not less than `least`; a bool is none."""

    def check(value: Any, path: str) -> None:
        if not isinstance(value, int | float) or isinstance(value, bool) or not above < value < math.inf:
            bound = f" above {above:g}" if above > -math.inf else ""
            raise Mismatch(f"{path} must be a finite number{bound}")
        if value < least:
            raise Mismatch(f"{path} must be at least {least:g}")

    return check


def one_of(*allowed: Any) -> Check:
    """Take the listed values, their types included: 1 is not true."""

    def check(value: Any, path: str) -> None:
        if not any(value == each and type(value) is type(each) for each in allowed):
            raise Mismatch(f"{path} must be one of {', '.join(json.dumps(each) for each in allowed)}")

    return check


def nullable(check: Check) -> Check:
    """Take null as well."""

    def check_or_null(value: Any, path: str) -> None:
        if value is not None:
            check(value, path)

    return check_or_null


def either(description: str, *checks: Check) -> Check:
    """Take what any of `checks` takes; `description` completes "must be …"."""

    def check(value: Any, path: str) -> None:
        for each in checks:
            try:
                return each(value, path)
            except Mismatch:
                continue
        raise Mismatch(f"{path} must be {description}")

    return check


def array(item: Check, least: int = 0, most: int | None = None) -> Check:
    """Take lists of `least` to `most` values that `item` takes."""

    def check(value: Any, path: str) -> None:
        if not is_list(value):
            raise Mismatch(f"{path} must be a list")
        if len(value) < least or (most is not None and len(value) > most):
            bounds = f"at least {least}" if most is None else f"{least} to {most}"
            raise Mismatch(f"{path} must have {bounds} elements")
        for position, each in enumerate(value):
            item(each, f"{path}[{position}]")

    return check


def places(*checks: Check, least: int) -> Check:
    """Take lists whose first value suits the first check, and so on; values after `least` may be left out."""

    def check(value: Any, path: str) -> None:
        if not is_list(value):
            raise Mismatch(f"{path} must be a list")
        if not least <= len(value) <= len(checks):
            raise Mismatch(f"{path} must have {least} to {len(checks)} elements")
        for position, (each, suits) in enumerate(zip(value, checks, strict=False)):
            suits(each, f"{path}[{position}]")

    return check


def record(fields: Mapping[str, Check], *, required: Collection[str] = (), closed: bool = False) -> Check:
    """Take objects with these fields; a `closed` one has no others."""

    def check(value: Any, path: str) -> None:
        mapping(value, path or "the body")
        for key in required:
            if key not in value:
                raise Mismatch(f"{_join(path, key)} is required")
        for key, each in value.items():
            if known := fields.get(key):
                known(each, _join(path, key))
            elif closed:
                raise Mismatch(f"{_join(path, key)} is not a known property")

    return check


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def _deeper(value: Any, levels: int) -> bool:
    layer: list[Any] = [value]
    for _ in range(levels + 1):
        layer = [child for each in layer for child in _children(each)]
        if not layer:
            return False
    return True


def _children(value: Any) -> Iterable[Any]:
    if is_list(value):
        return value
    return value.values() if is_object(value) else ()
