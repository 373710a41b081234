"""The parameter values of a PUB, in every form that the service takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

import attrs
import numpy as np

from qrt_async.emulator.execution.refusal import Refusal
from qrt_async.emulator.execution.typed_values import content, read_bindings_array, read_numbers, type_of

if TYPE_CHECKING:
    import numpy.typing as npt


@attrs.frozen(eq=False)
class Bindings:
    """Values of a program's parameters, array shape (*sweep, number of parameters), in the program's order."""

    names: tuple[str, ...]
    values: npt.NDArray[np.float64]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the sweep; () for a single binding."""
        return self.values.shape[:-1]

    def at(self, position: tuple[int, ...]) -> tuple[float, ...]:
        """Give the values at one position of the sweep, in the order of the names."""
        return tuple(self.values[position].tolist())


def read_bindings(given: Any, names: tuple[str, ...]) -> Bindings:
    """Read the parameter values of a PUB for the program's parameters; raises Refusal (1002) if they do not fit.

    A mapping or a typed BindingsArray goes by name, and a mapping's arrays are broadcast against each other;
    anything else is an array, plain or typed, whose last axis runs over the names in the program's order. For a
    program of one parameter a flat list of several values is a sweep.
    """
    if given is None:
        given = []
    try:
        if type_of(given) == "BindingsArray":
            values = _by_binding(*read_bindings_array(content(given, "BindingsArray")), names)
        elif isinstance(given, Mapping) and type_of(given) is None:
            values = _by_name(cast("Mapping[str, Any]", given), names)
        else:
            values = _by_order(given, len(names))
    except (TypeError, ValueError) as error:
        raise _misfit(f"parameter values are no rectangular array of numbers: {error}") from error
    if not np.isfinite(values).all():
        raise _misfit("parameter values must be finite numbers")
    return Bindings(names, values)


_CODE = 1002  # "job validation failed"; the service's own code for this was never seen


def _by_name(given: Mapping[str, Any], names: tuple[str, ...]) -> npt.NDArray[np.float64]:
    if set(given) != set(names):
        raise _misfit(f"the circuit's parameters are {list(names)}, the values are for {sorted(given)}")
    arrays = np.broadcast_arrays(*(_real(given[name]) for name in names))
    return np.stack(arrays, axis=-1) if arrays else np.empty((0,))


def _by_binding(given: list[str], values: npt.NDArray[Any], names: tuple[str, ...]) -> npt.NDArray[np.float64]:
    if sorted(given) != sorted(names):
        raise _misfit(f"the circuit's parameters are {list(names)}, the values are for {sorted(given)}")
    return np.asarray(values[..., [given.index(name) for name in names]], dtype=float)


def _by_order(given: Any, count: int) -> npt.NDArray[np.float64]:
    values = _real(given)
    if count == 1 and (values.ndim == 0 or (values.ndim == 1 and values.size > 1)):
        values = values[..., np.newaxis]
    if values.ndim == 0 or values.shape[-1] != count:
        found = 1 if values.ndim == 0 else values.shape[-1]
        raise _misfit(f"the circuit has {count} parameters, the values given are {found}")
    return values


def _real(given: Any) -> npt.NDArray[np.float64]:
    numbers = read_numbers(given)
    if numbers.dtype.kind == "c":
        raise _misfit("parameter values must be real numbers")
    return np.asarray(numbers, dtype=float)


def _misfit(what: str) -> Refusal:
    return Refusal(
        f"The parameter values do not match the circuit: {what}",
        _CODE,
        "Give one value, or one array of values, for each parameter of the circuit.",
    )
