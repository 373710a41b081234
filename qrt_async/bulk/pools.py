"""PUBs that wait for a job, and the packs that are made of them."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterable, Iterator

import attrs

from qrt_async.bulk.intake import Item
from qrt_async.bulk.packing import Ceilings, pack

_AHEAD = 2
"""Jobs' worth of PUBs that a pool looks at before it gives one away: what makes packing better than in turn."""


@attrs.define
class Trials:
    """How many more jobs may be made of a pack whose jobs failed."""

    left: int

    @classmethod
    def of(cls, pubs: int) -> Trials:
        """Return twice as many as it takes to find one bad PUB by halving."""
        return cls(4 * max(1, (pubs - 1).bit_length()))


@attrs.define(eq=False)
class Pack:
    """PUBs that are to be one job on one of these backends; `bound` where they can go nowhere else."""

    items: list[Item]
    places: frozenset[str]
    bound: bool
    trials: Trials | None = None
    tries: int = 0


Places = tuple[frozenset[str], bool, bool]
"""Where PUBs may go, whether they are bound to it, and whether they need the typed form."""


@attrs.define(eq=False)
class Pool:
    """PUBs that may share jobs, in their order."""

    places: frozenset[str]
    bound: bool
    ceilings: Ceilings
    items: list[Item] = attrs.field(factory=list[Item])
    _load: list[float] = attrs.field(factory=lambda: [0.0] * 4)

    def add(self, item: Item) -> None:
        """Let an item wait, in its place."""
        if self.items and item.index < self.items[-1].index:
            bisect.insort(self.items, item, key=lambda one: one.index)
        else:
            self.items.append(item)
        for i, share in enumerate(self.ceilings.share(item.weight)):
            self._load[i] += share

    @property
    def full(self) -> bool:
        """Whether the next job would not become any better by waiting for more PUBs."""
        return max(self._load) >= _AHEAD

    @property
    def jobs(self) -> float:
        """How many jobs the PUBs will take, about."""
        return max(self._load)

    def take(self) -> list[Item]:
        """Take the job out that holds the first PUB."""
        chosen = set(pack((item.weight for item in self.items), self.ceilings)[0])
        taken = [item for i, item in enumerate(self.items) if i in chosen]
        rest = [item for i, item in enumerate(self.items) if i not in chosen]
        self.items, self._load = [], [0.0] * 4
        for item in rest:
            self.add(item)
        return taken


@attrs.define(eq=False)
class Pools:
    """All PUBs that wait; `repeat` are packs whose job failed and that are to be tried again where they were."""

    _ceilings: Callable[[bool], Ceilings]
    _pools: dict[Places, Pool] = attrs.field(factory=dict[Places, Pool], init=False)
    repeat: list[Pack] = attrs.field(factory=list[Pack], init=False)
    waiting: int = attrs.field(default=0, init=False)
    size: int = attrs.field(default=0, init=False)

    def add(self, item: Item, places: Iterable[str]) -> None:
        """Let an item wait for a job on one of these backends."""
        key = (frozenset(places), item.home is not None, item.typed)
        if key not in self._pools:
            self._pools[key] = Pool(key[0], key[1], self._ceilings(item.typed))
        self._pools[key].add(item)
        self.waiting += 1
        self.size += item.weight.size

    def take(self, pool: Pool) -> Pack:
        """Take the next pack of a pool."""
        items = pool.take()
        self._taken(items)
        return Pack(items, pool.places, pool.bound)

    def oldest_first(self) -> Iterator[Pool]:
        """Yield the pools that hold something, that of the first PUB first."""
        yield from sorted((pool for pool in self._pools.values() if pool.items), key=lambda pool: pool.items[0].index)

    @property
    def any_full(self) -> bool:
        """Whether a pool holds so much that it need not wait for more."""
        return any(pool.full for pool in self._pools.values())

    @property
    def jobs(self) -> float:
        """How many jobs the waiting PUBs will take, about."""
        return sum(pool.jobs for pool in self._pools.values()) + len(self.repeat)

    def clear(self, unwanted: Callable[[Pool], bool] = lambda _: True) -> list[Item]:
        """Take everything out of the pools that are not wanted any more."""
        found: list[Item] = []
        for key, pool in list(self._pools.items()):
            if unwanted(pool):
                del self._pools[key]
                found += pool.items
        self._taken(found)
        return found

    def _taken(self, items: Iterable[Item]) -> None:
        for item in items:
            self.waiting -= 1
            self.size -= item.weight.size
