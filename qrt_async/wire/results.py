"""Bodies of results → models."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

import attrs

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
from qrt_async.wire.arrays import Unpacking
from qrt_async.wire.call import ReplyHead
from qrt_async.wire.json_pieces import PIECE
from qrt_async.wire.samples import SampleArray
from qrt_async.wire.scanner import Scanned, Scanner

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

D = TypeVar("D", bound=PubData[Any])
R = TypeVar("R")

_OPERATION = "jobs.results"

_WIDEST = 65_536
"""Far beyond any device; a number above it is a mistake that would cost memory."""


@attrs.frozen
class BodyReader(Generic[R]):
    """
    A way to read the body of a result: call it with the whole, or feed the sink as the body arrives.

    Both give the same results and the same errors; the sink never holds the text of a sampler's shots.
    """

    _read: Callable[[Any], R]

    def __call__(self, body: bytes) -> R:
        """Return the result that a whole body holds."""
        if len(body) <= PIECE:
            return self._read(codec.parse(body, operation=_OPERATION))
        scanner = Scanner()
        scanner.feed(body)
        return self._read(_document(scanner.finish()))

    def sink(self, head: ReplyHead) -> ResultSink[R]:
        """Return a sink for a reply that begins so."""
        return ResultSink(head, self._read)


@attrs.define
class ResultSink(Generic[R]):
    """Reads a result while it arrives; None for the 204 that means that there is none yet."""

    _head: ReplyHead
    _read: Callable[[Any], R]
    _scanner: Scanner = attrs.field(factory=Scanner)

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes: less than two milliseconds for 64 KiB."""
        self._scanner.feed(chunk)

    def finish(self) -> R | None:
        """Return the result."""
        found = self._scanner.finish()
        if self._head.status == 204 or found.is_empty:
            return None
        return self._read(_document(found))


def _document(found: Scanned) -> Any:
    """Return a body's document; shots are packed where they are registers of a plain result, and texts elsewhere."""
    document = found.parse(operation=_OPERATION)
    wanted = len(found.arrays)
    if wanted and (not _is_primitive(document) or _packed_registers(document) != wanted):
        return found.parse_whole(operation=_OPERATION)
    return document


def _is_primitive(document: Any) -> bool:
    is_other = "quasi_dists" in _members(document) or typed.is_typed(document, "PrimitiveResult")
    return _is_plain(document) and not is_other


def _packed_registers(document: dict[str, Any]) -> int:
    fields = (field for pub in document["results"] for field in pub["data"].values())
    return sum(isinstance(_members(field).get("samples"), SampleArray) for field in fields)


def _any_program(document: Any) -> Any:
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


def _any_primitive(document: Any) -> PrimitiveResult[Any]:
    return _version_1(document) if "quasi_dists" in _members(document) else _primitive_of(document, None)


def _primitive_of(document: Any, kind: type[D] | None) -> PrimitiveResult[D]:
    if typed.is_typed(document, "PrimitiveResult"):
        return _typed(document, kind)
    found = _member(document, "results", list, "$")
    room = Unpacking(_OPERATION)
    pubs = tuple(_pub(pub, f"$.results[{i}]", kind, room) for i, pub in enumerate(cast(list[Any], found)))
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
        except (AttributeError, TypeError, ValueError, OverflowError) as error:
            raise ProtocolError(f"expected probabilities @ $.quasi_dists[{i}]", operation=_OPERATION) from error
        about = _members(described[i]) if i < len(described) else {}
        pubs.append(PubResult(QuasiData({"quasi_dist": values}), about))
    return PrimitiveResult(tuple(pubs), {"version": 1})


def _pub(pub: Any, place: str, kind: type[D] | None, room: Unpacking) -> PubResult[D]:
    data = cast(dict[str, Any], _member(pub, "data", dict, place))
    fields = {name: _field(value, f"{place}.data.{name}", room) for name, value in data.items()}
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


def _field(value: Any, place: str, room: Unpacking) -> Any:
    if isinstance(value, dict) and "samples" in value:
        return _register(cast(dict[str, Any], value), place, room)
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


def _register(value: dict[str, Any], place: str, room: Unpacking) -> BitArray:
    if isinstance(value["samples"], SampleArray):
        return _packed_register(value["samples"], value.get("num_bits"), place, room)
    import numpy as np

    samples = _member(value, "samples", list, place)
    shape = tuple(_lengths(samples))
    try:
        flat = _flat(samples, len(shape) - 1)
        values = {text: int(text, 16) for text in set(flat)}
        longest = max((number.bit_length() for number in values.values()), default=0)
        num_bits = _width(value.get("num_bits"), longest, place)
        size = (num_bits + 7) // 8
        room.take(len(flat) * size, f"{place}.samples")
        packed = {text: number.to_bytes(size, "big") for text, number in values.items()}
        array = np.frombuffer(b"".join(map(packed.__getitem__, flat)), dtype=np.uint8)
        return BitArray(array.reshape(*shape, size), num_bits)
    except (TypeError, ValueError, OverflowError) as error:
        raise _not_shots(place) from error


def _packed_register(samples: SampleArray, given: Any, place: str, room: Unpacking) -> BitArray:
    num_bits = _width(given, samples.longest, place)
    size = (num_bits + 7) // 8
    room.take(samples.count * size, f"{place}.samples")
    shape = samples.shape()
    if shape is None:
        raise _not_shots(place)
    return BitArray(samples.packed(size).reshape(*shape, size), num_bits)


def _not_shots(place: str) -> ProtocolError:
    return ProtocolError(f"expected shots as hexadecimal texts @ {place}.samples", operation=_OPERATION)


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


sampler: BodyReader[SamplerResult] = BodyReader(lambda document: _primitive_of(document, SamplerData))
"""A sampler's result: one register of shots per classical register of the program."""

estimator: BodyReader[EstimatorResult] = BodyReader(lambda document: _primitive_of(document, EstimatorData))
"""An estimator's result: arrays of expectation values and standard errors."""

primitive: BodyReader[PrimitiveResult[Any]] = BodyReader(_any_primitive)
"""The result of either primitive, known by what it holds."""

any_program: BodyReader[Any] = BodyReader(_any_program)
"""
The result of any program: the model of a known shape, else the body's JSON with typed values decoded.

A primitive's result is a :class:`PrimitiveResult`, whichever form it comes in (version 1 of the sampler included), the
noise learner's a :class:`NoiseLearnerResult`, and the executor's an :class:`ExecutorResult`.
"""
