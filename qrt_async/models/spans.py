"""When which shots were taken: the execution spans of a sampler's result."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Self, overload

import attrs

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LARGEST_MASK = 2**30
"""More elements than any job's data has; a span that claims more is refused where it is read."""


@attrs.frozen
class SpanPart:
    """
    What a span holds of one PUB's data.

    `shape` is that of the data as they were taken, shots last. `sets` is a range over the parameter sets (all axes of
    `shape` but the last, flattened), `shots` one over the last axis; where `shots` is None, `sets` is a range over the
    whole of the flattened `shape`. With twirling one axis counts the randomizations: the first one if `at_front`, else
    the last one before the shots; `pub_shots` is then how many shots the PUB keeps in all.
    """

    shape: tuple[int, ...]
    sets: tuple[int, int]
    shots: tuple[int, int] | None = None
    at_front: bool | None = None
    pub_shots: int | None = None

    @property
    def size(self) -> int:
        """How many shots the part holds."""
        if self.shots is None:
            return _length(self.sets, math.prod(self.shape))
        return _length(self.sets, math.prod(self.shape[:-1])) * _length(self.shots, self.shape[-1])

    def mask(self) -> NDArray[np.bool_]:
        """Return which of `shape` belongs to the part, before randomizations are merged into shots."""
        import numpy as np

        found = np.zeros(self.shape, dtype=np.bool_)
        if self.shots is None:
            found.reshape(-1)[slice(*self.sets)] = True
        else:
            found.reshape(math.prod(self.shape[:-1]), self.shape[-1])[slice(*self.sets), slice(*self.shots)] = True
        return found


def _length(bounds: tuple[int, int], whole: int) -> int:
    return len(range(whole)[slice(*bounds)])


@attrs.frozen
class ExecutionSpan:
    """
    A stretch of time, and which shots of which PUBs were taken in it.

    The times are as the service wrote them, UTC where they name no zone.
    """

    start: dt.datetime
    stop: dt.datetime
    parts: Mapping[int, SpanPart] = attrs.field(repr=False)

    @property
    def pub_indices(self) -> tuple[int, ...]:
        """The PUBs of which the span holds shots, by their position in the job."""
        return tuple(sorted(self.parts))

    @property
    def duration(self) -> float:
        """The length of the span in seconds."""
        return (self.stop - self.start).total_seconds()

    @property
    def size(self) -> int:
        """How many shots the span holds, over all PUBs."""
        return sum(part.size for part in self.parts.values())

    def mask(self, pub_index: int) -> NDArray[np.bool_]:
        """Return which shots of that PUB belong to the span, in the shape ``(*sweep, shots)`` of its result."""
        return self._part(pub_index).mask()

    def for_pubs(self, *pub_indices: int) -> Self:
        """Return the span with what it holds of these PUBs alone."""
        return attrs.evolve(self, parts={i: part for i, part in self.parts.items() if i in pub_indices})

    def _part(self, pub_index: int) -> SpanPart:
        try:
            return self.parts[pub_index]
        except KeyError:
            raise KeyError(f"the span holds no shots of PUB {pub_index}, only of {self.pub_indices}") from None


class SliceSpan(ExecutionSpan):
    """A span over one range of the flattened data."""


class DoubleSliceSpan(ExecutionSpan):
    """A span over a range of parameter sets and a range of shots."""


class TwirledSliceSpan(ExecutionSpan):
    """A span of twirled data, whose randomizations count as shots in the result."""

    def mask(self, pub_index: int) -> NDArray[np.bool_]:
        """Return which shots of that PUB belong to the span, in the shape ``(*sweep, shots)`` of its result."""
        part = self._part(pub_index)
        found = part.mask()
        if part.at_front:
            last = found.ndim - 1
            found = found.transpose((*range(1, last), 0, last))
        merged = found.reshape((*found.shape[:-2], found.shape[-2] * found.shape[-1]))
        return merged if part.pub_shots is None else merged[..., : part.pub_shots]


class TwirledSliceSpanV2(TwirledSliceSpan):
    """A span of twirled data of which the result keeps no more shots than the PUB asked for."""


@attrs.frozen
class ExecutionSpans(Sequence[ExecutionSpan]):
    """The spans of a job, ``result.metadata["execution"]["execution_spans"]``, in the service's order."""

    spans: tuple[ExecutionSpan, ...]

    @overload
    def __getitem__(self, index: int) -> ExecutionSpan: ...
    @overload
    def __getitem__(self, index: slice) -> ExecutionSpans: ...
    def __getitem__(self, index: int | slice) -> ExecutionSpan | ExecutionSpans:
        return ExecutionSpans(self.spans[index]) if isinstance(index, slice) else self.spans[index]

    def __len__(self) -> int:
        return len(self.spans)

    @property
    def pub_indices(self) -> tuple[int, ...]:
        """The PUBs of which any span holds shots."""
        return tuple(sorted({i for span in self.spans for i in span.parts}))

    @property
    def start(self) -> dt.datetime:
        """When the first span began."""
        return min(span.start for span in self.spans)

    @property
    def stop(self) -> dt.datetime:
        """When the last span ended."""
        return max(span.stop for span in self.spans)

    def for_pubs(self, *pub_indices: int) -> ExecutionSpans:
        """Return every span with what it holds of these PUBs alone."""
        return ExecutionSpans(tuple(span.for_pubs(*pub_indices) for span in self.spans))

    def by_start(self) -> ExecutionSpans:
        """Return the spans in the order in which they began."""
        return ExecutionSpans(_sorted(self.spans))


def _sorted(spans: Iterable[ExecutionSpan]) -> tuple[ExecutionSpan, ...]:
    return tuple(sorted(spans, key=lambda span: (span.start, span.stop)))
