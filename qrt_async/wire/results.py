"""Bodies of results → models."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

from qrt_async.errors import ProtocolError
from qrt_async.models.results import (
    BitArray,
    EstimatorData,
    EstimatorResult,
    PrimitiveResult,
    PubData,
    PubResult,
    QuasiData,
    SamplerData,
    SamplerResult,
)
from qrt_async.wire import codec, containers, typed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

D = TypeVar("D", bound=PubData[Any])

_OPERATION = "jobs.results"

_WIDEST = 65_536
"""Far beyond any device; a number above it is a mistake that would cost memory."""


def sampler(body: bytes) -> SamplerResult:
    """Return a sampler's result: one register of shots per classical register of the program."""
    return _primitive(body, SamplerData)


def estimator(body: bytes) -> EstimatorResult:
    """Return an estimator's result: arrays of expectation values and standard errors."""
    return _primitive(body, EstimatorData)


def primitive(body: bytes) -> PrimitiveResult[Any]:
    """Return the result of either primitive, known by what it holds."""
    return _primitive(body, None)


def any_program(body: bytes) -> Any:
    """
    Return the result of any program: the model of a known shape, else the body's JSON with typed values decoded.

    A primitive's result is a :class:`PrimitiveResult`, whichever form it comes in (version 1 of the sampler included),
    the noise learner's a :class:`NoiseLearnerResult`, and the executor's an :class:`ExecutorResult`.
    """
    document = codec.parse(body, operation=_OPERATION)
    if _is_plain(document) or typed.is_typed(document, "PrimitiveResult"):
        return _primitive_of(document, None)
    if "quasi_dists" in _members(document):
        return _version_1(document)
    return containers.decode(document, operation=_OPERATION)


def _is_plain(document: Any) -> bool:
    found = _members(document).get("results")
    pubs = found if isinstance(found, list) else [None]
    return all(isinstance(_members(pub).get("data"), dict) for pub in pubs)


def _members(value: Any) -> dict[str, Any]:
    return cast(dict[str, Any], value) if isinstance(value, dict) else {}


def _primitive(body: bytes, kind: type[D] | None) -> PrimitiveResult[D]:
    document = codec.parse(body, operation=_OPERATION)
    if kind is None and "quasi_dists" in _members(document):
        return cast(PrimitiveResult[D], _version_1(document))
    return _primitive_of(document, kind)


def _primitive_of(document: Any, kind: type[D] | None) -> PrimitiveResult[D]:
    if typed.is_typed(document, "PrimitiveResult"):
        return _typed(document, kind)
    found = _member(document, "results", list, "$")
    pubs = tuple(_pub(pub, f"$.results[{i}]", kind) for i, pub in enumerate(cast(list[Any], found)))
    return PrimitiveResult(pubs, _metadata(document, "$"))


def _typed(document: Any, kind: type[D] | None) -> PrimitiveResult[D]:
    result = cast(PrimitiveResult[Any], typed.decode(document, operation=_OPERATION))
    if kind is None or all(isinstance(pub.data, kind) for pub in result):
        return result
    return PrimitiveResult(tuple(_of_kind(pub, i, kind) for i, pub in enumerate(result)), result.metadata)


def _of_kind(pub: PubResult[Any], index: int, kind: type[D]) -> PubResult[D]:
    place = f"$.__value__.pub_results[{index}].__value__.data"
    try:
        return PubResult(cast(D, typed.primitive_data(pub.data, kind)), pub.metadata)
    except (TypeError, ValueError) as error:
        raise ProtocolError(f"expected the data of {kind.__name__} @ {place}", operation=_OPERATION) from error


def _version_1(document: dict[str, Any]) -> PrimitiveResult[QuasiData]:
    """Return what version 1 of the sampler gave, ended in 2024; old jobs still have it."""
    found, metadata = _member(document, "quasi_dists", list, "$"), document.get("metadata")
    described: list[Any] = metadata if isinstance(metadata, list) else []
    pubs: list[PubResult[QuasiData]] = []
    for i, distribution in enumerate(cast(list[Any], found)):
        try:
            values = {int(value): float(share) for value, share in distribution.items()}
        except (AttributeError, TypeError, ValueError) as error:
            raise ProtocolError(f"expected probabilities @ $.quasi_dists[{i}]", operation=_OPERATION) from error
        about = _members(described[i]) if i < len(described) else {}
        pubs.append(PubResult(QuasiData({"quasi_dist": values}), about))
    return PrimitiveResult(tuple(pubs), {"version": 1})


def _pub(pub: Any, place: str, kind: type[D] | None) -> PubResult[D]:
    data = cast(dict[str, Any], _member(pub, "data", dict, place))
    fields = {name: _field(value, f"{place}.data.{name}") for name, value in data.items()}
    is_sampled = all(isinstance(value, BitArray) for value in fields.values())
    chosen = kind or (SamplerData if is_sampled else EstimatorData)
    if is_sampled is not (chosen is SamplerData):
        raise ProtocolError(f"expected the data of {chosen.__name__} @ {place}.data", operation=_OPERATION)
    return PubResult(cast(D, chosen(cast(Any, fields))), _metadata(pub, place))


def _metadata(owner: Any, place: str) -> Mapping[str, Any]:
    found = owner.get("metadata")
    decoded = typed.decode(found, operation=_OPERATION, place=f"{place}.metadata")
    return cast(dict[str, Any], decoded) if isinstance(decoded, dict) else {}


def _member(owner: Any, name: str, kind: type, place: str) -> Any:
    value = owner.get(name) if isinstance(owner, dict) else None
    if not isinstance(value, kind):
        raise ProtocolError(f"expected {kind.__name__} @ {place}.{name}", operation=_OPERATION)
    return value


def _field(value: Any, place: str) -> Any:
    if isinstance(value, dict) and "samples" in value:
        return _register(cast(dict[str, Any], value), place)
    if isinstance(value, dict) and "__type__" in value:
        return _typed_field(value, place)
    return None if value is None else _numbers(value, place)


def _typed_field(value: Any, place: str) -> Any:
    """Return a typed value inside a body that is plain otherwise."""
    found = typed.decode(value, operation=_OPERATION, place=place)
    if not isinstance(found, BitArray) and getattr(getattr(found, "dtype", None), "kind", "") not in {*"biuf"}:
        raise ProtocolError(f"expected shots or an array of numbers @ {place}", operation=_OPERATION)
    return found


def _numbers(value: Any, place: str) -> NDArray[np.float64]:
    import numpy as np

    try:
        return np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ProtocolError(f"expected an array of numbers @ {place}", operation=_OPERATION) from error


def _register(value: dict[str, Any], place: str) -> BitArray:
    import numpy as np

    samples = _member(value, "samples", list, place)
    shape = tuple(_lengths(samples))
    try:
        flat = _flat(samples, len(shape) - 1)
        values = {text: int(text, 16) for text in set(flat)}
        longest = max((number.bit_length() for number in values.values()), default=0)
        num_bits = _width(value.get("num_bits"), longest, place)
        size = (num_bits + 7) // 8
        packed = {text: number.to_bytes(size, "big") for text, number in values.items()}
        array = np.frombuffer(b"".join(map(packed.__getitem__, flat)), dtype=np.uint8)
        return BitArray(array.reshape(*shape, size), num_bits)
    except (TypeError, ValueError, OverflowError) as error:
        raise ProtocolError(f"expected shots as hexadecimal texts @ {place}.samples", operation=_OPERATION) from error


def _width(given: Any, longest: int, place: str) -> int:
    """Return a register's number of bits: what the service says, else the least that fits."""
    if not isinstance(given, int) or isinstance(given, bool):
        return longest or 1
    if not longest <= given <= _WIDEST:
        raise ProtocolError(f"expected shots of {given} bits @ {place}.samples", operation=_OPERATION)
    return given


def _lengths(value: Any) -> Iterator[int]:
    while isinstance(value, list):
        yield len(value)
        value = value[0] if value else None


def _flat(value: list[Any], depth: int) -> list[Any]:
    for _ in range(depth):
        value = list(itertools.chain.from_iterable(value))
    return value
