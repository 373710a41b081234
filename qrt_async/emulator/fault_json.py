"""Faults as JSON and back: what travels over the control endpoint."""

from __future__ import annotations

from typing import Any

from cattrs.errors import BaseValidationError, ForbiddenExtraKeysError, StructureHandlerNotFoundError
from cattrs.preconf.json import make_converter
from cattrs.strategies import configure_tagged_union
from cattrs.v import format_exception, transform_error

from qrt_async.emulator.faults import Fault, Reply

_converter = make_converter(forbid_extra_keys=True)
configure_tagged_union(Reply, _converter, tag_name="kind")


class BadFaultError(Exception):
    """A JSON value that is no fault; the message says where."""


def write(fault: Fault) -> dict[str, Any]:
    """Give a fault as JSON: its fields by name, its reply with a `kind`."""
    document: dict[str, Any] = _converter.unstructure(fault)
    return document


def read(document: Any) -> Fault:
    """Read a fault; fields may be left out. Raises BadFaultError."""
    try:
        return _converter.structure(document, Fault)
    except BaseValidationError as error:
        raise BadFaultError("; ".join(transform_error(error, format_exception=_say))) from None
    except (KeyError, TypeError, ValueError, ForbiddenExtraKeysError, StructureHandlerNotFoundError) as error:
        raise BadFaultError(repr(error)) from None


def _say(error: BaseException, kind: type | None) -> str:
    return str(error) if type(error) is ValueError else format_exception(error, kind)
