"""A run: PUBs in, packs out to backends, results back."""

from __future__ import annotations

import asyncio
import contextlib
import math
import uuid
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Coroutine, Iterable, Sized
from typing import Any

import attrs

from qrt_async import pubs as pub_rules
from qrt_async.bulk.campaign import Campaign
from qrt_async.bulk.flight import REFUSALS, Done, Flight, Service
from qrt_async.bulk.intake import Intake, Item
from qrt_async.bulk.launching import Launch, Launcher
from qrt_async.bulk.packing import MOST_BYTES
from qrt_async.bulk.policies import Turns
from qrt_async.bulk.pools import Pack, Pool, Pools
from qrt_async.bulk.progress import Progress
from qrt_async.bulk.settings import FanOutOptions
from qrt_async.bulk.signals import Signal
from qrt_async.bulk.sites import Site, described, looked_at
from qrt_async.errors import InvalidPub, QrtError, UsageError
from qrt_async.models.jobs import JobFilter, JobStatus

_SILENCE = 5.0
"""Seconds after which a source that gives nothing is not waited for any more: what it gave goes out."""
_BREATH = 32
"""PUBs that are taken from a source in one go before others in the event loop have their turn."""


@attrs.define(eq=False)
class Run:
    """One run over many PUBs: a reader, a dispatcher, a look at the service now and then, and one task for each job."""

    service: Service
    pubs: Iterable[Any] | AsyncIterable[Any]
    backends: tuple[str, ...]
    options: FanOutOptions
    campaign: Campaign | None = None
    progress: Progress = attrs.field(factory=Progress, init=False)
    tag: str = attrs.field(init=False)
    _sites: dict[str, Site] = attrs.field(init=False)
    _intake: Intake = attrs.field(init=False)
    _pools: Pools = attrs.field(init=False)
    _flight: Flight = attrs.field(init=False)
    _turns: Turns = attrs.field(init=False)
    _signal: Signal = attrs.field(factory=Signal, init=False)
    _ready: deque[Done] = attrs.field(factory=deque[Done], init=False)
    _tasks: list[asyncio.Task[None]] = attrs.field(factory=list[asyncio.Task[None]], init=False)
    _broken: BaseException | None = attrs.field(default=None, init=False)
    _asking: bool = attrs.field(default=False, init=False)
    _silent: bool = attrs.field(default=False, init=False)
    _exhausted: bool = attrs.field(default=False, init=False)
    _over: bool = attrs.field(default=False, init=False)
    _described: bool = attrs.field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        clock = self.service.engine.clock
        self.tag = f"qrt-run:{uuid.UUID(int=self.service.engine.rng.getrandbits(128)).hex}"
        self._sites = {name: Site(name, clock, clock.monotonic()) for name in self.backends}
        self._intake = Intake(self.options, self.backends)
        self._pools = Pools(lambda typed: self._intake.ceilings(typed=typed))
        self._turns = Turns(self.options.policy)
        launcher = Launcher(
            self.options,
            self._intake,
            self.service.engine.account.platform,
            (*self.options.tags, self.tag),
            self.service.transpile,
        )
        self._flight = Flight(self.service, self.options, launcher, self.progress, self)
        if isinstance(self.pubs, Sized):
            self.progress.total = len(self.pubs)

    @property
    def run_id(self) -> str | None:
        """The name by which the journal knows the run."""
        return self.campaign.run_id if self.campaign else None

    async def note(self) -> None:
        """Let the journal know every PUB that was taken."""
        if self.campaign:
            await self.campaign.note()

    async def start(self) -> None:
        """Take up what an earlier process began, then begin to take PUBs and to submit them."""
        if self.campaign:
            await self.campaign.begin(self.deliver, self.wake)
        self._begin(self._read())
        self._begin(self._dispatch())
        self._begin(self._look())
        if isinstance(self.pubs, AsyncIterable):
            self._begin(self._listen())

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.create_task(self._guarded(work)))

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        """Do some work of the run, whose failure ends the run."""
        try:
            await work
        except Exception as error:  # noqa: BLE001 - it is raised where results are asked for
            self.crash(error)

    async def next(self) -> Done:
        """Return the next PUB that is done (`StopAsyncIteration` after the last)."""
        while not self._ready:
            if self.campaign:
                await self.campaign.acknowledge()
            change = self._signal.next()
            if self._ready:
                break
            if self._over:
                if self._broken is not None:
                    raise self._broken
                raise StopAsyncIteration
            await change.wait()
        done = self._ready.popleft()
        if self.campaign:
            self.campaign.was_taken(done)
        self.wake()
        return done

    async def leave(self, error: BaseException | None) -> None:
        """End all that goes on, and treat jobs that are not over as the options say."""
        finished = self._over and self._broken is None and not self._flight.launches
        for task in self._tasks:
            task.cancel()
        try:
            await self._flight.leave(error, list(self._sites.values()), finished=finished)
        finally:
            await asyncio.gather(*self._tasks, return_exceptions=True)
            if self.campaign:
                await self.campaign.leave()
            self._over = True
            self.wake()

    def wake(self) -> None:
        """Let everyone look at what changed, and bring the progress up to date."""
        self._signal.give()
        progress = self.progress
        unread = 0 if progress.total is None or self._exhausted else progress.total - progress.taken
        jobs = self._pools.jobs + unread / self.options.pubs_per_job
        progress.jobs_left = math.ceil(jobs - 1e-9) + self._flight.unsent
        progress.seconds_left = self.service.quota_seconds(progress.jobs_left)
        progress.tell()

    def crash(self, error: BaseException) -> None:
        """End with an error that is nobody's PUB's."""
        self._broken, self._over = error, True
        self.wake()

    def deliver(self, done: Done) -> None:
        """Hand out one PUB that is done."""
        self._ready.append(done)
        if done.error is None:
            self.progress.done += 1
        else:
            self.progress.failed += 1

    def again(self, pack: Pack) -> None:
        """Let a pack be tried once more where it was."""
        self._pools.repeat.append(pack)

    def give_back(self, items: Iterable[Item]) -> None:
        """Let PUBs wait for a job again that did not become part of one."""
        for item in items:
            try:
                self._wait_for_job(item)
            except QrtError as error:
                self.deliver(Done(index=item.index, error=error))

    def well_elsewhere(self, launch: Launch) -> bool:
        """Tell whether a pack's backend has trouble that another one, which could take it, has not."""
        if launch.pack.bound or launch.site.well(self.options.stall_after):
            return False
        others = self._fitting(launch.pack.items) if callable(self.options.policy) else self._named(launch.pack.places)
        return any(site.well(self.options.stall_after) for site in others)

    # from the source to the pools

    async def _read(self) -> None:
        try:
            await self._read_all()
        except Exception as error:  # noqa: BLE001 - the source's own, raised once all that it gave has come
            self._broken = error
        finally:
            self._exhausted = True
            self.wake()

    async def _read_all(self) -> None:
        source = aiter(self.pubs) if isinstance(self.pubs, AsyncIterable) else _stepwise(self.pubs)
        index = 0
        while True:
            change = self._signal.next()
            while not self._room:
                await change.wait()
                change = self._signal.next()
            self._asking = True
            try:
                value = await anext(source)
            except StopAsyncIteration:
                await self.note()  # PUBs whose results were taken before are compared as well
                return
            finally:
                self._asking = False
            self._silent = False
            self.progress.taken += 1
            await self._accept(value, index)
            index += 1
            self.wake()
            if index % _BREATH == 0:
                await asyncio.sleep(0)

    @property
    def _room(self) -> bool:
        """Whether more PUBs may be taken: a few jobs' worth may wait, and as many results as jobs may be in flight."""
        most = 2 * self.options.pubs_per_job * (len(self._sites) + 1)
        few = self._pools.waiting < most and self._pools.size < 2 * MOST_BYTES
        return few and len(self._ready) < self._window

    @property
    def _window(self) -> int:
        return len(self._sites) * self.options.in_flight * self.options.pubs_per_job

    async def _accept(self, value: object, index: int) -> None:
        try:
            large = pub_rules.is_large(value)
            item = (
                await asyncio.to_thread(self._intake.item, value, index) if large else self._intake.item(value, index)
            )
            if self.campaign and not await self.campaign.wants(item):
                return
            if self._flight.refusal is not None:
                raise self._flight.refusal
            if item.home is None and len(self._sites) > 1 and not self._described:
                await described(self.service.backends, list(self._sites.values()))
                self._described = True
            self._wait_for_job(item)
        except (InvalidPub, *REFUSALS) as error:
            self.deliver(Done(index=index, error=error))

    def _wait_for_job(self, item: Item) -> None:
        self._pools.add(item, self._places(item))

    def _places(self, item: Item) -> list[str]:
        """Return the backends that an item may go to; a policy of the user's leaves one of them."""
        if item.home is not None:
            return [item.home]
        fitting = self._fitting([item])
        if not fitting:
            raise InvalidPub(f"PUB {item.index}: the circuit has {item.qubits} qubits, more than any of the backends")
        if not callable(self.options.policy):
            return [site.name for site in fitting]
        well = [site for site in fitting if site.well(self.options.stall_after)]
        chosen = self.options.policy(item.pub, [site.candidate() for site in well or fitting])
        if chosen not in {site.name for site in fitting}:
            names = ", ".join(site.name for site in fitting)
            raise UsageError(f"the policy chose {chosen!r} for PUB {item.index}; it has to be one of {names}")
        return [chosen]

    def _fitting(self, items: Iterable[Item]) -> list[Site]:
        qubits = max((item.qubits or 0 for item in items), default=0) or None
        return [site for site in self._sites.values() if site.fits(qubits)]

    def _named(self, places: Iterable[str]) -> list[Site]:
        wanted = set(places)
        return [site for name, site in self._sites.items() if name in wanted]

    async def _listen(self) -> None:
        """Note when the source has been silent for a while, so that what it gave is not kept waiting."""
        while not self._exhausted:
            taken = self.progress.taken
            await self.service.engine.clock.sleep(_SILENCE)
            self._silent = self._asking and self.progress.taken == taken
            if self._silent:
                self.wake()
            while self._silent or not (self._pools.waiting or self._exhausted):
                await self._signal.next().wait()

    # from the pools to the backends

    async def _dispatch(self) -> None:
        while True:
            change = self._signal.next()
            if self._flight.refusal is not None:
                self._refuse(self._flight.refusal)
            found = self._next_pack()
            if found is not None:
                self._flight.begin(*found)
            elif self._all_is_done:
                break
            else:
                await change.wait()
        self._over = True
        self.wake()

    @property
    def _all_is_done(self) -> bool:
        waiting = self._pools.waiting or self._pools.repeat or self._flight.launches
        return self._exhausted and not waiting and not (self.campaign and self.campaign.busy)

    def _refuse(self, error: QrtError) -> None:
        items = self._pools.clear() + [item for pack in self._pools.repeat for item in pack.items]
        self._pools.repeat.clear()
        for item in items:
            self.deliver(Done(index=item.index, error=error))
        if items:
            self.wake()

    def _next_pack(self) -> tuple[Pack, Site] | None:
        """Return the next pack with a backend that has room for it, None where nothing can go now."""
        if len(self._ready) >= self._window:
            return None
        for i, pack in enumerate(self._pools.repeat):
            site = self._free(pack.places, bound=True)
            if site is not None:
                return self._pools.repeat.pop(i), site
        for pool in self._pools.oldest_first():
            if pool.full or self._exhausted or self._silent or not self._room:
                site = self._free(pool.places, bound=pool.bound)
                if site is not None:
                    return self._pools.take(pool), site
        return None

    def _free(self, places: frozenset[str], *, bound: bool) -> Site | None:
        sites = self._named(places)
        if not bound and len(sites) > 1:
            sites = [site for site in sites if site.well(self.options.stall_after)]
        free = [site for site in sites if site.in_flight < self.options.in_flight]
        return self._sites[self._turns.choose([site.candidate() for site in free])] if free else None

    # a look at the service now and then

    async def _look(self) -> None:
        while True:
            await self.service.engine.clock.sleep(self.options.look_every)
            await asyncio.sleep(0)
            if self._described:
                await looked_at(self.service.backends, list(self._sites.values()))
            with contextlib.suppress(QrtError):
                await self._see_jobs()
            if callable(self.options.policy):
                self._choose_again()
            self.wake()

    async def _see_jobs(self) -> None:
        """Note which of the run's jobs have begun: one request tells of them all."""
        waiting = {launch.job.id: launch for launch in self._flight.launches if launch.job and not launch.running}
        if not waiting:
            return
        page = await self.service.jobs.list(JobFilter(pending=True, tags=(self.tag,)))
        for details in page.jobs:
            launch = waiting.get(details.id)
            if launch is not None and details.status is JobStatus.RUNNING:
                self._flight.began(launch)

    def _choose_again(self) -> None:
        """Ask the user's policy again for PUBs that wait for a backend which has trouble."""
        if not any(site.well(self.options.stall_after) for site in self._sites.values()):
            return

        def in_trouble(pool: Pool) -> bool:
            return not pool.bound and not any(site.well(self.options.stall_after) for site in self._named(pool.places))

        items = self._pools.clear(in_trouble)
        self.progress.moved += len(items)
        self.give_back(items)


async def _stepwise(pubs: Iterable[Any]) -> AsyncIterator[Any]:
    for pub in pubs:
        yield pub
