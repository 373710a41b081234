"""The parameter values of a PUB, in every form that the service takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import attrs
import numpy as np

from qrt_async.emulator.execution.refusal import Refusal

if TYPE_CHECKING:
    import numpy.typing as npt


@attrs.frozen(eq=False)
class Bindings:
    """Values of a program's parameters, array shape (*sweep, number of parameters), names sorted."""

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

    A mapping goes by name, and its arrays are broadcast against each other; anything else is an array whose last
    axis runs over the names in alphabetical order. For a program of one parameter a flat list of several values
    is a sweep.
    """
    if given is None:
        given = []
    if isinstance(given, Mapping) and "__type__" in given:
        raise Refusal(
            "Typed parameter values are not supported by this emulator yet", _CODE, "Send plain numbers and lists."
        )
    try:
        if isinstance(given, Mapping):
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
    arrays = np.broadcast_arrays(*(np.asarray(given[name], dtype=float) for name in names))
    return np.stack(arrays, axis=-1) if arrays else np.empty((0,))


def _by_order(given: Sequence[Any], count: int) -> npt.NDArray[np.float64]:
    values = np.asarray(given, dtype=float)
    if count == 1 and (values.ndim == 0 or (values.ndim == 1 and values.size > 1)):
        values = values[..., np.newaxis]
    if values.ndim == 0 or values.shape[-1] != count:
        found = 1 if values.ndim == 0 else values.shape[-1]
        raise _misfit(f"the circuit has {count} parameters, the values given are {found}")
    return values


def _misfit(what: str) -> Refusal:
    return Refusal(
        f"The parameter values do not match the circuit: {what}",
        _CODE,
        "Give one value, or one array of values, for each parameter of the circuit.",
    )
