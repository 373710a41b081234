"""What a primitive returns: one result per PUB, with registers of shots or arrays of expectation values."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast, overload

import attrs

from qrt_async import threads
from qrt_async.errors import NoSuchRegister
from qrt_async.models import counts as tallies
from qrt_async.models.counts import Counts, IntCounts
from qrt_async.models.equality import BY_VALUE, same

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

V = TypeVar("V")
D = TypeVar("D", bound="PubData[Any]")
Index = int | slice | tuple[int | slice, ...]


@attrs.frozen(eq=False)
class BitArray:
    """
    The shots of one classical register, packed.

    `array` has the shape ``(*shape, shots, ceil(num_bits / 8))``: the bytes of a shot are big-endian and right-aligned,
    so that the last bit of the last byte is bit 0 of the register. `shape` is that of the parameter sweep, ``()`` where
    there was none.
    """

    array: NDArray[np.uint8] = attrs.field(repr=False)
    num_bits: int

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the parameter sweep."""
        return tuple(self.array.shape[:-2])

    @property
    def num_shots(self) -> int:
        """The shots of each set of parameter values."""
        return int(self.array.shape[-2])

    def __repr__(self) -> str:
        return f"BitArray(shape={self.shape}, num_shots={self.num_shots}, num_bits={self.num_bits})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, BitArray):
            return NotImplemented
        return (
            self.num_bits == other.num_bits
            and self.array.shape == other.array.shape
            and bool((self.array == other.array).all())
        )

    def __getitem__(self, index: Index) -> BitArray:
        """Return the part of a parameter sweep at `index`; shots are never split."""
        position = index if isinstance(index, tuple) else (index,)
        if len(position) > len(self.shape):
            raise IndexError(f"a register of shape {self.shape} takes at most {len(self.shape)} indices")
        return BitArray(self.array[position], self.num_bits)

    @property
    def samples(self) -> list[Any]:
        """The shots as the service writes them, ``'0x1f'``, in order; nested by the shape of the sweep."""
        flat = [hex(value) for value in self.ints()]
        return cast(list[Any], _nested(flat, (*self.shape, self.num_shots)))

    def ints(self) -> list[int]:
        """Return every shot as an integer, in order (all sets of a sweep one after the other)."""
        return tallies.integers(self._rows())

    def bitstrings(self) -> list[str]:
        """Return every shot as a text of `num_bits` characters, bit 0 rightmost, in order."""
        return tallies.bitstrings(self._rows(), self.num_bits)

    def counts(self) -> dict[str, int]:
        """
        Return how often each bitstring was seen, in ascending order of its value (over all sets of a sweep).

        Millions of shots take seconds: :meth:`counts_async` leaves the event loop free meanwhile.
        """
        return dict(self._counts().items())

    def int_counts(self) -> dict[int, int]:
        """Return how often each value was seen, in ascending order; see :meth:`counts`."""
        return dict(self._int_counts().items())

    async def counts_async(self) -> Counts:
        """
        Return :meth:`counts` as a mapping that keeps arrays, however many the distinct values.

        It is made in a thread where the shots are many, so that the event loop goes on.
        """
        return await threads.in_thread(self._counts, size=self.array.nbytes)

    async def int_counts_async(self) -> IntCounts:
        """Return :meth:`int_counts` as a mapping that keeps arrays; see :meth:`counts_async`."""
        return await threads.in_thread(self._int_counts, size=self.array.nbytes)

    def _counts(self) -> Counts:
        return Counts(*tallies.distinct(self._rows()), self.num_bits)

    def _int_counts(self) -> IntCounts:
        return IntCounts(*tallies.distinct(self._rows()), self.num_bits)

    def _rows(self) -> NDArray[np.uint8]:
        return self.array.reshape(math.prod(self.array.shape[:-1]), self.array.shape[-1])


def _nested(flat: Sequence[V], shape: tuple[int, ...]) -> Sequence[Any]:
    """Return `flat` cut into lists of lists of that shape."""
    if len(shape) <= 1:
        return flat
    step = len(flat) // shape[0] if shape[0] else 0
    return [_nested(flat[i * step : (i + 1) * step], shape[1:]) for i in range(shape[0])]


@attrs.frozen(eq=False)
class PubData(Mapping[str, V]):
    """
    The values of one PUB's result by name, in the order in which the service sent them.

    A name that is also a method of mappings (``data.keys``) is reached by ``data["keys"]``.
    """

    _fields: Mapping[str, V]
    _shape: tuple[int, ...] | None = None

    def __getitem__(self, name: str) -> V:
        try:
            return self._fields[name]
        except KeyError:
            raise self._missing(name) from None

    def __getattr__(self, name: str) -> V:
        if name.startswith("__") or name in {"_fields", "_shape"}:
            raise AttributeError(name)
        return self[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def __contains__(self, name: object) -> bool:
        return name in self._fields

    def __repr__(self) -> str:
        inner = ", ".join(f"{name}={value!r}" for name, value in self._fields.items())
        return f"{type(self).__name__}({inner})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PubData) or type(self) is not type(other):
            return NotImplemented
        theirs = cast(PubData[Any], other)
        return list(self) == list(theirs) and all(same(self[name], theirs[name]) for name in self)

    def _missing(self, name: str) -> NoSuchRegister:
        have = ", ".join(map(repr, self._fields)) or "none"
        return NoSuchRegister(f"this result has no {name!r}; it has {have}")


def stated_shape(data: PubData[Any]) -> tuple[int, ...] | None:
    """Return the shape that the service stated for all of a PUB's values, None where the body said nothing of it."""
    return data._shape  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - an attribute without underscore could not be told from a register


class SamplerData(PubData[BitArray]):
    """
    The classical registers of one PUB, each as a :class:`BitArray`.

    With the option ``execution.meas_type`` set to ``"kerneled"`` or ``"avg_kerneled"`` they are complex arrays instead,
    of shape ``(*sweep, shots, bits)`` and ``(*sweep, bits)``.
    """


class EstimatorData(PubData["NDArray[np.float64] | None"]):
    """
    The expectation values of one PUB, and what came with them.

    `evs`, `stds` and `ensemble_standard_error` have the broadcast shape of the observables and the parameter sets,
    ``()`` for one of each. Zero-noise extrapolation adds `evs_noise_factors`, `stds_noise_factors` and
    `ensemble_stds_noise_factors` of shape ``(*shape, noise factors)``, and `evs_extrapolated` and `stds_extrapolated`
    of shape ``(*shape, extrapolators, extrapolated noise factors)``. A value that the service left empty is None.
    """

    @property
    def evs(self) -> NDArray[np.float64]:
        """The expectation values."""
        return cast("NDArray[np.float64]", self["evs"])

    @property
    def stds(self) -> NDArray[np.float64]:
        """Their standard errors."""
        return cast("NDArray[np.float64]", self["stds"])


@attrs.frozen
class PubResult(Generic[D]):
    """The result of one PUB."""

    data: D
    metadata: Mapping[str, Any] = attrs.field(factory=dict[str, Any], eq=BY_VALUE)


@attrs.frozen
class PrimitiveResult(Sequence[PubResult[D]]):
    """The results of a job, one per PUB in the order of submission."""

    pubs: tuple[PubResult[D], ...]
    metadata: Mapping[str, Any] = attrs.field(factory=dict[str, Any], eq=BY_VALUE)

    @overload
    def __getitem__(self, index: int) -> PubResult[D]: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[PubResult[D], ...]: ...
    def __getitem__(self, index: int | slice) -> PubResult[D] | tuple[PubResult[D], ...]:
        return self.pubs[index]

    def __len__(self) -> int:
        return len(self.pubs)

    def to_qiskit(self) -> Any:
        """
        Return Qiskit's own ``PrimitiveResult``, as the official client decodes it from the same body.

        Execution spans and layer errors in the metadata become the official client's classes where it is installed, and
        stay those of this package where it is not.

        Raises:
            MissingExtra: Qiskit is not installed.

        """
        from qrt_async import qiskit_bridge

        return qiskit_bridge.primitive_result(self)


class QuasiData(PubData[Mapping[int, float]]):
    """What version 1 of the sampler gave: `quasi_dist`, the quasi-probability of each value."""


SamplerResult = PrimitiveResult[SamplerData]
EstimatorResult = PrimitiveResult[EstimatorData]
