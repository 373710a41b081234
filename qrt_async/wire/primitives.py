"""PUBs → the `params` of a primitive's job."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from qrt_async.models.jobs import Program
from qrt_async.models.pubs import EstimatorPub, IsaCircuit, SamplerPub
from qrt_async.models.results import EstimatorResult, SamplerResult
from qrt_async.wire import observables, results

SAMPLER: Program[SamplerResult] = Program("sampler", results.sampler)
ESTIMATOR: Program[EstimatorResult] = Program("estimator", results.estimator)


def sampler_params(pubs: Iterable[SamplerPub], options: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the `params` of a sampler job, in the plain form (``POST /jobs``, version 2)."""
    return _params([_without_tail([_text(pub.circuit), pub.parameters, pub.shots]) for pub in pubs], options)


def estimator_params(pubs: Iterable[EstimatorPub], options: Mapping[str, Any] | None) -> dict[str, Any]:
    """
    Return the `params` of an estimator job, in the plain form (``POST /jobs``, version 2).

    `resilience_level` stands beside the options there, not among them.
    """
    others = dict(options or {})
    level = {"resilience_level": others.pop("resilience_level")} if "resilience_level" in others else {}
    return _params([_estimator_pub(pub) for pub in pubs], others) | level


def _params(pubs: list[list[Any]], options: Mapping[str, Any] | None) -> dict[str, Any]:
    return {"pubs": pubs, "version": 2} | ({"options": dict(options)} if options else {})


def _estimator_pub(pub: EstimatorPub) -> list[Any]:
    if isinstance(pub.circuit, IsaCircuit):
        text, moved = observables.on_program(pub.circuit, pub.observables)
    else:
        text, moved = pub.circuit, pub.observables
    return _without_tail([text, moved, pub.parameters, pub.precision])


def _text(circuit: str | IsaCircuit) -> str:
    return circuit.text if isinstance(circuit, IsaCircuit) else circuit


def _without_tail(parts: list[Any]) -> list[Any]:
    while parts[-1] is None:
        parts = parts[:-1]
    return parts
