"""Results of programs other than the primitives → models: the noise learner's and the executor's arrays."""

from __future__ import annotations

from typing import Any, cast

from qrt_async.errors import ProtocolError
from qrt_async.models.typed import ExecutorItem, ExecutorResult, LayerError, NoiseLearnerResult
from qrt_async.wire import noise_learner, typed


def decode(document: Any, *, operation: str) -> Any:
    """Return a parsed body as a model where its shape is known, else with its typed values decoded."""
    version = document.get("schema_version") if isinstance(document, dict) else None
    tensors = isinstance(version, str)
    compressed = tensors and not str(version).startswith(("v0.", "v1."))
    found = typed.decode(document, operation=operation, tensors=tensors, compressed=compressed)
    if not isinstance(found, dict):
        return found
    members = cast(dict[str, Any], found)
    data = members.get("data")
    if not isinstance(data, list) or not data:
        return members
    entries = data
    try:
        if tensors and all(_is_executed(entry) for entry in entries):
            return _executed(members)
        if not tensors and all(_is_layer(entry) for entry in entries):
            return _learnt(members)
    except (TypeError, ValueError, KeyError) as error:
        raise ProtocolError("expected the data of a known program @ $.data", operation=operation) from error
    return members


def _is_executed(entry: Any) -> bool:
    return isinstance(entry, dict) and isinstance(cast(dict[str, Any], entry).get("results"), dict)


def _executed(members: dict[str, Any]) -> ExecutorResult:
    items = tuple(ExecutorItem(entry["results"], entry.get("metadata") or {}) for entry in members["data"])
    return ExecutorResult(
        items,
        metadata=members.get("metadata") or {},
        schema_version=members["schema_version"],
        passthrough=members.get("passthrough_data"),
        semantic_role=members.get("semantic_role"),
    )


def _is_layer(entry: Any) -> bool:
    if isinstance(entry, LayerError):
        return True
    return isinstance(entry, list) and len(entry) == 2 and "circuit" in entry[0]


def _learnt(members: dict[str, Any]) -> NoiseLearnerResult:
    layers = (entry if isinstance(entry, LayerError) else _pair(entry) for entry in members["data"])
    return NoiseLearnerResult(tuple(layers), members.get("metadata") or {})


def _pair(entry: list[Any]) -> LayerError:
    """Return a layer as the noise learner wrote it before it had a class for it."""
    layer, error = entry
    return noise_learner.layer_error(layer | {"error": noise_learner.pauli_lindblad_error(error)})
