"""What a samplex draws: for each randomization the values of a template circuit, and what to undo afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from qiskit.quantum_info import PauliLindbladMap

from qrt_async.emulator.execution.refusal import beyond_us
from qrt_async.emulator.execution.tensors import is_tensor, read_tensor
from qrt_async.emulator.execution.typed_values import MalformedError

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]


def randomized(
    samplex_json: str,
    arguments: Mapping[str, Any],
    shape: tuple[int, ...],
    generator: np.random.Generator,
    *,
    compressed: bool,
) -> dict[str, Array]:
    """Draw from a samplex over an array of `shape`; its arguments broadcast to it, the axes they leave are drawn.

    Gives arrays of shape (*shape, …) by name. Raises MalformedError, or Refusal where samplomatic is not installed.
    """
    try:  # it comes with qiskit-ibm-runtime, not with the older ones
        from samplomatic.serialization import samplex_from_json
    except ImportError as error:
        raise beyond_us("Samplex items without samplomatic are", "Install samplomatic beside the emulator.") from error
    try:
        samplex: Any = samplex_from_json(samplex_json).finalize()
        inputs = samplex.inputs().make_broadcastable()
        for name, value in arguments.items():
            inputs[name] = _argument(value, compressed=compressed)
        return _drawn(samplex, inputs, shape, generator)
    except MalformedError:
        raise
    except Exception as error:  # whatever samplomatic finds wrong with what the caller sent
        raise MalformedError(f"the samplex cannot be sampled: {error}") from error


def _drawn(samplex: Any, inputs: Any, shape: tuple[int, ...], generator: np.random.Generator) -> dict[str, Array]:
    aligned = (1,) * (len(shape) - inputs.ndim) + tuple(inputs.shape)
    if np.broadcast_shapes(aligned, shape) != shape:
        raise MalformedError(f"arguments of the shape {inputs.shape} do not broadcast to {shape}")
    found: dict[str, Array] = {}
    for position in np.ndindex(aligned):
        place = tuple(slice(None) if size == 1 else at for size, at in zip(aligned, position, strict=True))
        free = tuple(size for size, given in zip(shape, aligned, strict=True) if given == 1)
        one = samplex.sample(inputs[position[len(shape) - inputs.ndim :]], num_randomizations=prod(free), rng=generator)
        for name, values in dict(one).items():
            each = values.shape[1:]
            whole = found.setdefault(name, np.empty((*shape, *each), dtype=values.dtype))
            whole[place] = values.reshape((*free, *each))
    return found


def _argument(value: Any, *, compressed: bool) -> Any:
    if is_tensor(value):
        return read_tensor(value, compressed=compressed)
    if isinstance(value, Mapping):
        return PauliLindbladMap.from_sparse_list([tuple(term) for term in value["sparse_terms"]], value["num_qubits"])
    return value
