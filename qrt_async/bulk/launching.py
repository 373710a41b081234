"""A pack of PUBs → a job's request for one backend: transpiled, weighed again, checked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, cast

import attrs

from qrt_async.budget import Reservation
from qrt_async.bulk.intake import Intake, Item
from qrt_async.bulk.packing import pack, time_limit
from qrt_async.bulk.pools import Pack
from qrt_async.bulk.settings import FanOutOptions
from qrt_async.bulk.sites import Site
from qrt_async.errors import ClientClosed, InvalidPub, MissingExtra, QrtError, TranspileError, UsageError
from qrt_async.jobs import Job
from qrt_async.models.jobs import JobRequest
from qrt_async.models.primitive_options import EstimatorOptions, SamplerOptions
from qrt_async.models.pubs import IsaCircuit
from qrt_async.primitives import estimator_job, sampler_job
from qrt_async.wire.dialect import Platform

Transpile = Callable[..., Coroutine[Any, Any, list[IsaCircuit]]]

_REMEMBERED = 512


@attrs.define(eq=False)
class Launch:
    """A pack on its way to a backend: `sending` while a job may come into being, `job` once there is one."""

    pack: Pack
    site: Site
    sending: bool = False
    running: bool = False
    job: Job[Any] | None = None
    indices: tuple[int, ...] = ()
    size: int = 0
    reservation: Reservation | None = None


@attrs.frozen(kw_only=True)
class JobIntent:
    """
    A job that is about to be submitted: which PUBs it will hold, and by which tags it can be found.

    `indices` are the places of its PUBs, in the order of its results; `digests()` says what they were when they were
    given, the same in every process. This is all that a journal needs before the submission.
    """

    backend: str
    indices: tuple[int, ...]
    tags: tuple[str, ...]
    max_time: int
    items: tuple[Item, ...] = attrs.field(repr=False)

    def digests(self) -> tuple[str, ...]:
        """Return the digest of every PUB, in the order of `indices`."""
        return tuple(item.digest() for item in self.items)


@attrs.define
class Prepared:
    """What became of a pack: the PUBs that go, in a request, those that do not fit any more, and the bad ones."""

    items: list[Item]
    request: JobRequest[Any] | None
    left_over: list[Item]
    bad: list[tuple[Item, QrtError]]


@attrs.define(eq=False)
class Launcher:
    """Makes requests of packs."""

    options: FanOutOptions
    intake: Intake
    platform: Platform
    tags: tuple[str, ...]
    _transpile: Transpile
    _known: dict[tuple[str, str | int], tuple[object, IsaCircuit]] = attrs.field(init=False, factory=dict)
    _turns: dict[str, asyncio.Lock] = attrs.field(init=False, factory=dict[str, asyncio.Lock])

    async def prepare(self, items: Sequence[Item], backend: str) -> Prepared:
        """Return the request for these PUBs on a backend, where anything of them is left to go."""
        circuits, bad = await self._transpiled(items, backend)
        good, more_bad = await asyncio.to_thread(self._bound, items, circuits)
        bad += more_bad
        if not good:
            return Prepared([], None, [], bad)
        kept = set(pack((item.weight for item in good), self.intake.ceilings(typed=good[0].typed))[0])
        going = [item for i, item in enumerate(good) if i in kept]
        left_over = [item.origin or item for i, item in enumerate(good) if i not in kept]
        return Prepared(going, await self._request(going, backend), left_over, bad)

    def intent(self, prepared: Prepared) -> JobIntent:
        """Return what is about to be submitted."""
        request = cast("JobRequest[Any]", prepared.request)
        return JobIntent(
            backend=request.backend,
            indices=tuple(item.index for item in prepared.items),
            tags=request.tags,
            max_time=request.max_time or 0,
            items=tuple(prepared.items),
        )

    def _bound(
        self, items: Sequence[Item], circuits: Mapping[int, IsaCircuit]
    ) -> tuple[list[Item], list[tuple[Item, QrtError]]]:
        good: list[Item] = []
        bad: list[tuple[Item, QrtError]] = []
        for item in items:
            if item.home is not None:
                good.append(item)
            elif item.index in circuits:
                try:
                    good.append(self.intake.bound(item, circuits[item.index]))
                except InvalidPub as error:
                    bad.append((item, error))
        return good, bad

    async def _request(self, items: Sequence[Item], backend: str) -> JobRequest[Any]:
        chosen = self.options
        pubs: list[Any] = [item.pub for item in items]
        max_time = time_limit(sum(item.weight.seconds for item in items))
        if chosen.primitive == "sampler":
            return await sampler_job(
                pubs,
                platform=self.platform,
                backend=backend,
                shots=None,
                options=cast("SamplerOptions | None", chosen.options),
                tags=self.tags,
                private=chosen.private,
                max_time=max_time,
            )
        return await estimator_job(
            pubs,
            platform=self.platform,
            backend=backend,
            precision=None,
            options=cast("EstimatorOptions | None", chosen.options),
            tags=self.tags,
            private=chosen.private,
            max_time=max_time,
        )

    async def _transpiled(
        self, items: Sequence[Item], backend: str
    ) -> tuple[dict[int, IsaCircuit], list[tuple[Item, QrtError]]]:
        """Return the programs of the PUBs that need one, equal circuits transpiled once, and those that have none."""
        async with self._turns.setdefault(backend, asyncio.Lock()):
            wanted = {_key(item): item.pub.circuit for item in items if item.home is None}
            new = [key for key in wanted if (backend, key) not in self._known]
            known = {key: self._known[backend, key][1] for key in wanted if (backend, key) in self._known}
            found = dict(zip(new, await self._each([wanted[key] for key in new], backend), strict=True))
            for key, program in found.items():
                if isinstance(program, IsaCircuit):
                    self._remember((backend, key), wanted[key], program)
        programs: dict[int, IsaCircuit] = {}
        bad: list[tuple[Item, QrtError]] = []
        for item in items:
            if item.home is None:
                program = known.get(_key(item)) or found[_key(item)]
                if isinstance(program, IsaCircuit):
                    programs[item.index] = program
                else:
                    bad.append((item, TranspileError(f"PUB {item.index} for {backend}: {program}")))
        return programs, bad

    def _remember(self, key: tuple[str, str | int], circuit: object, program: IsaCircuit) -> None:
        # the circuit itself is kept as well: its identity is its key
        while len(self._known) >= _REMEMBERED:
            self._known.pop(next(iter(self._known)))
        self._known[key] = (circuit, program)

    async def _each(self, circuits: list[Any], backend: str) -> list[IsaCircuit | QrtError]:
        """Return the program of each circuit, or why there is none: a batch that fails is halved."""
        if not circuits:
            return []
        try:
            return [*await self._transpile(circuits, backend=backend, optimization_level=self.options.level)]
        except (MissingExtra, ClientClosed):
            raise
        except (TranspileError, UsageError) as error:
            if len(circuits) == 1:
                return [error]
        half = len(circuits) // 2
        first = await self._each(circuits[:half], backend)
        return first + await self._each(circuits[half:], backend)


def _key(item: Item) -> str | int:
    circuit = item.pub.circuit
    return circuit if isinstance(circuit, str) else id(circuit)
