"""PUBs → jobs under the service's limits, as few as can be had; pure arithmetic on what each PUB takes."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence

import attrs

MOST_EXECUTIONS = 10_000_000
"""Executions of one sampler job (IBM's guide to job limits); the service splits estimator jobs itself."""
MOST_BYTES = 50_000_000
"""Input of one job (IBM's guide to execution times: 50 MB)."""
LONGEST_JOB = 10_800
"""Seconds that a job may be given (``cost`` of ``POST /jobs``)."""

_SHORTEST_JOB = 60
_MARGIN = 2.0
_PROBES = 8
_ROUNDING = 1e-9


@attrs.frozen
class Weight:
    """What one PUB takes of its job: executions, bytes of encoded input, and estimated seconds on the QPU."""

    executions: int
    size: int
    seconds: float


@attrs.frozen(kw_only=True)
class Ceilings:
    """
    What one job may hold.

    `size` is in bytes, `base` of which a job without PUBs takes; `seconds` is estimated time on the QPU. `executions`
    None means that they are not limited.
    """

    pubs: int = 100
    executions: int | None = MOST_EXECUTIONS
    size: int = MOST_BYTES
    seconds: float = 3600.0
    base: int = 0

    def share(self, weight: Weight) -> tuple[float, float, float, float]:
        """Return what a PUB takes of each limit, as fractions of a job, in the order of `LIMITS`."""
        executions = 0.0 if self.executions is None else weight.executions / self.executions
        return 1 / self.pubs, executions, weight.size / (self.size - self.base), weight.seconds / self.seconds


LIMITS = ("pubs", "executions", "bytes", "seconds")


def broken_limit(weight: Weight, ceilings: Ceilings) -> str | None:
    """Return what a PUB alone exceeds, as a sentence's end that says how to mend it, None where it fits a job."""
    if ceilings.executions is not None and weight.executions > ceilings.executions:
        return (
            f"{weight.executions:,} executions exceed the {ceilings.executions:,} that one job takes: "
            "give it fewer shots, or spread its bindings over several PUBs"
        )
    if weight.size > ceilings.size - ceilings.base:
        return (
            f"{weight.size:,} bytes of input exceed the {ceilings.size - ceilings.base:,} that one job takes: "
            "spread its bindings over several PUBs, or make its circuit shorter"
        )
    if weight.seconds > ceilings.seconds * (1 + _ROUNDING):
        return (
            f"an estimated {weight.seconds:,.0f} s on the QPU exceed the {ceilings.seconds:,.0f} s that a job is "
            "planned for: give it fewer shots, a larger precision or fewer bindings, or raise qpu_seconds"
        )
    return None


def time_limit(seconds: float) -> int:
    """Return the `max_time` of a job of so many estimated seconds: twice as much, from 60 up to 10,800."""
    return min(LONGEST_JOB, max(_SHORTEST_JOB, math.ceil(_MARGIN * seconds)))


def least_jobs(weights: Iterable[Weight], ceilings: Ceilings) -> tuple[int, str]:
    """Return a number of jobs that no packing can do without, and the limit (one of `LIMITS`) that says so."""
    sums = [0.0] * len(LIMITS)
    for weight in weights:
        for i, share in enumerate(ceilings.share(weight)):
            sums[i] += share
    return _least(sums)


def _least(sums: Sequence[float]) -> tuple[int, str]:
    most = max(sums)
    return math.ceil(most - _ROUNDING * max(1.0, most)), LIMITS[list(sums).index(most)]


def pack(weights: Iterable[Weight], ceilings: Ceilings) -> list[array[int]]:
    """
    Return jobs as ascending positions of the weights they hold, in the order of their first PUBs.

    Where PUBs in their order need no more jobs than there must be at least, they stay in it. Otherwise each job is
    begun with the largest PUB that is left and filled with the largest that fit (first fit, decreasing: with one limit
    in play at most 11/9 of the fewest jobs, plus one). Any two jobs in a row take more than a whole job's worth of
    their tightest limits. The same weights always give the same jobs. No weight may break a limit alone.
    """
    load = _Load.of(weights, ceilings)
    in_order = list(load.in_order())
    if len(in_order) <= _least(load.sums)[0]:
        return in_order
    filled = sorted(load.filled(), key=lambda job: job[0])
    return filled if len(filled) < len(in_order) else in_order


@attrs.define
class _Load:
    """Weights as columns, and the fractions of a job that they take."""

    ceilings: Ceilings
    executions: array[int] = attrs.field(factory=lambda: array("q"))
    sizes: array[int] = attrs.field(factory=lambda: array("q"))
    seconds: array[float] = attrs.field(factory=lambda: array("d"))
    sums: list[float] = attrs.field(factory=lambda: [0.0] * len(LIMITS))

    @classmethod
    def of(cls, weights: Iterable[Weight], ceilings: Ceilings) -> _Load:
        load = cls(ceilings)
        sums, share = load.sums, ceilings.share
        for weight in weights:
            load.executions.append(weight.executions)
            load.sizes.append(weight.size)
            load.seconds.append(weight.seconds)
            pubs, executions, size, seconds = share(weight)
            sums[0] += pubs
            sums[1] += executions
            sums[2] += size
            sums[3] += seconds
        return load

    def in_order(self) -> Iterator[array[int]]:
        """Yield jobs of PUBs in their order, each filled until the next one does not fit."""
        job, room = array("q"), _Room(self.ceilings)
        for i, weight in enumerate(zip(self.executions, self.sizes, self.seconds, strict=True)):
            if not room.take(*weight):
                yield job
                job, room = array("q"), _Room(self.ceilings)
                room.take(*weight)
            job.append(i)
        if job:
            yield job

    def filled(self) -> Iterator[array[int]]:
        """Yield jobs, each begun with the largest PUB left and filled with the largest that fit."""
        queues = self._queues()
        left = len(self.sizes)
        while left:
            job = self._job(queues)
            left -= len(job)
            yield array("q", sorted(job))

    def _queues(self) -> list[_Queue]:
        """Return the PUBs by the limit of which they take most, the largest first."""
        rows: list[list[tuple[float, int]]] = [[] for _ in LIMITS]
        for i, weight in enumerate(zip(self.executions, self.sizes, self.seconds, strict=True)):
            shares = self.ceilings.share(Weight(*weight))
            most = max(shares)
            rows[shares.index(most)].append((-most, i))
        return [_Queue.of(limit, sorted(row)) for limit, row in enumerate(rows) if row]

    def _job(self, queues: list[_Queue]) -> list[int]:
        job: list[int] = []
        room = _Room(self.ceilings)
        while True:
            shares = room.shares()
            found = self._candidate(queues, room, shares)
            if found is None:
                return job
            queue, place = found
            i = queue.take(place)
            room.take(self.executions[i], self.sizes[i], self.seconds[i])
            job.append(i)

    def _candidate(
        self, queues: list[_Queue], room: _Room, shares: tuple[float, float, float, float]
    ) -> tuple[_Queue, int] | None:
        """Return the largest PUB that fits of those that take most of the limit with the most room."""
        best: tuple[float, float, int] | None = None
        found: tuple[_Queue, int] | None = None
        for queue in queues:
            place = self._fitting(queue, room, shares)
            if place is not None:
                rank = (-shares[queue.limit], queue.keys[place], queue.items[place])
                if best is None or rank < best:
                    best, found = rank, (queue, place)
        return found

    def _fitting(self, queue: _Queue, room: _Room, shares: tuple[float, float, float, float]) -> int | None:
        """Return the place of the first PUB that fits: after some failures of the first that cannot fail to."""
        place = queue.first(shares[queue.limit])
        for probe in range(2 * _PROBES):
            if place >= len(queue.items):
                return None
            i = queue.items[place]
            if room.fits(self.executions[i], self.sizes[i], self.seconds[i]):
                return place
            place = queue.after(place)
            if probe == _PROBES - 1:
                place = max(place, queue.first(min(shares)))
        return None


@attrs.define
class _Room:
    """What is left of one job."""

    ceilings: Ceilings
    pubs: int = 0
    executions: int = 0
    size: int = 0
    seconds: float = 0.0

    def fits(self, executions: int, size: int, seconds: float) -> bool:
        most = self.ceilings
        return (
            self.pubs < most.pubs
            and self.size + size <= most.size - most.base
            and (most.executions is None or self.executions + executions <= most.executions)
            and self.seconds + seconds <= most.seconds * (1 + _ROUNDING)
        )

    def take(self, executions: int, size: int, seconds: float) -> bool:
        """Take a PUB if it fits, and tell whether it did."""
        if not self.fits(executions, size, seconds):
            return False
        self.pubs += 1
        self.executions += executions
        self.size += size
        self.seconds += seconds
        return True

    def shares(self) -> tuple[float, float, float, float]:
        most = self.ceilings
        executions = 1.0 if most.executions is None else 1 - self.executions / most.executions
        size = 1 - self.size / (most.size - most.base)
        return 1 - self.pubs / most.pubs, executions, size, 1 - self.seconds / most.seconds


@attrs.define
class _Queue:
    """PUBs from the largest to the smallest; `next` leads over those that are taken."""

    limit: int
    keys: list[float]
    items: list[int]
    next: list[int]

    @classmethod
    def of(cls, limit: int, rows: list[tuple[float, int]]) -> _Queue:
        return cls(limit, [key for key, _ in rows], [i for _, i in rows], list(range(len(rows) + 1)))

    def first(self, share: float) -> int:
        """Return the place of the first PUB left that takes at most this share of its limit."""
        return self._left(bisect_left(self.keys, -share - _ROUNDING))

    def after(self, place: int) -> int:
        return self._left(place + 1)

    def take(self, place: int) -> int:
        self.next[place] = place + 1
        return self.items[place]

    def _left(self, place: int) -> int:
        following = self.next
        end = place
        while following[end] != end:
            end = following[end]
        while following[place] != end and place != end:
            following[place], place = end, following[place]
        return end
