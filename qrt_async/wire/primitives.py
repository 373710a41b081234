"""PUBs → the `params` of a primitive's job."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from qrt_async.models.jobs import Program
from qrt_async.models.primitive_options import EstimatorOptions, PrimitiveOptions, SamplerOptions
from qrt_async.models.pubs import EstimatorPub, IsaCircuit, Observables, SamplerPub
from qrt_async.models.results import EstimatorResult, SamplerResult
from qrt_async.models.typed import Npy, Qpy
from qrt_async.wire import observables, results, typed_encoding

SAMPLER: Program[SamplerResult] = Program("sampler", results.sampler)
ESTIMATOR: Program[EstimatorResult] = Program("estimator", results.estimator)


def sampler_params(pubs: Iterable[SamplerPub], options: SamplerOptions | Mapping[str, Any] | None) -> dict[str, Any]:
    """
    Return the `params` of a sampler job (``POST /jobs``, version 2).

    They are in the plain form, and answered in it, unless a PUB holds what only the typed form can carry: a circuit as
    QPY, or values as an array of NumPy's.
    """
    found = list(pubs)
    if any(map(_needs_types, found)):
        return _params([typed_encoding.sampler_pub(pub) for pub in found], options, typed=True)
    plain = [_without_tail([_text(pub.circuit), pub.parameters, pub.shots]) for pub in found]
    return _params(plain, options)


def estimator_params(
    pubs: Iterable[EstimatorPub], options: EstimatorOptions | Mapping[str, Any] | None
) -> dict[str, Any]:
    """
    Return the `params` of an estimator job (``POST /jobs``, version 2), in the form that :func:`sampler_params` takes.

    `resilience_level` stands beside the options there, not among them.
    """
    found = list(pubs)
    if any(map(_needs_types, found)):
        return _params([typed_encoding.estimator_pub(pub) for pub in found], options, typed=True)
    return _params([_estimator_pub(pub) for pub in found], options)


def _needs_types(pub: SamplerPub | EstimatorPub) -> bool:
    return isinstance(pub.circuit, Qpy) or isinstance(pub.parameters, Npy)


def _params(
    pubs: list[list[Any]], options: PrimitiveOptions | Mapping[str, Any] | None, *, typed: bool = False
) -> dict[str, Any]:
    chosen = options.chosen() if isinstance(options, PrimitiveOptions) else options or {}
    others = typed_encoding.encode(chosen)
    level = {"resilience_level": others.pop("resilience_level")} if "resilience_level" in others else {}
    form = {"support_qiskit": True} if typed else {}
    return {"pubs": pubs, "version": 2} | form | ({"options": others} if others else {}) | level


def _estimator_pub(pub: EstimatorPub) -> list[Any]:
    circuit, moved = pub.circuit, cast(Observables, pub.observables)
    if isinstance(circuit, IsaCircuit):
        circuit, moved = observables.on_program(circuit, moved)
    return _without_tail([circuit, moved, pub.parameters, pub.precision])


def _text(circuit: Any) -> Any:
    return circuit.text if isinstance(circuit, IsaCircuit) else circuit


def _without_tail(parts: list[Any]) -> list[Any]:
    while parts[-1] is None:
        parts = parts[:-1]
    return parts
