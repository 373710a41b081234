"""The typed form of results, as `support_qiskit` asks for it: what Qiskit's containers hold, under their names."""

from __future__ import annotations

import json
from math import prod
from typing import TYPE_CHECKING, Any

from qrt_async.emulator.execution.typed_values import typed, write_array, write_time

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from qrt_async.emulator.execution.samples import Bits


def primitive_result(pub_results: Sequence[Any], metadata: Mapping[str, Any]) -> bytes:
    """Write a job's whole result."""
    result = typed("PrimitiveResult", {"pub_results": pub_results, "metadata": metadata})
    return json.dumps(result, separators=(",", ":")).encode()


def bit_array(packed: Bits, num_bits: int) -> dict[str, Any]:
    """Write a register: `packed` has the shape (*sweep, shots, bytes), padding in the high bits of byte 0."""
    return typed("BitArray", {"array": write_array(packed), "num_bits": num_bits})


def data_bin(fields: Mapping[str, Any], kind: str, shape: Sequence[int]) -> dict[str, Any]:
    """Write the data of a PUB: fields of one kind over an array of `shape`."""
    held = {
        "field_names": list(fields),
        "field_types": [kind] * len(fields),
        "shape": list(shape),
        "fields": dict(fields),
    }
    return typed("DataBin", held)


def sampling_span(
    pub: int, start: datetime, stop: datetime, shape: Sequence[int], split: tuple[int, int] | None
) -> dict[str, Any]:
    """Write when all of a PUB was sampled: `shape` is (*sweep, shots).

    With readout or gates twirled, `split` says over how many randomizations, of how many shots each.
    """
    *sweep, shots = shape
    when = {"start": write_time(start), "stop": write_time(stop)}
    if split is None:
        everything: list[Any] = [list(shape), 0, prod(sweep), 0, shots]
        return typed("DoubleSliceSpan", when | {"data_slices": {str(pub): everything}})
    count, each = split
    everything = [[count, *sweep, each], True, 0, count * prod(sweep), 0, each, shots]
    return typed("TwirledSliceSpanV2", when | {"data_slices": {str(pub): everything}})
