"""Packs under way: prepared, submitted, waited for, and brought down when the run is left."""

from __future__ import annotations

import asyncio
import contextlib
import warnings
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import attrs

from qrt_async.backends import Backends
from qrt_async.budget import Reservation
from qrt_async.bulk.intake import Item
from qrt_async.bulk.launching import JobIntent, Launch, Launcher, Prepared, Transpile
from qrt_async.bulk.pools import Pack, Trials
from qrt_async.bulk.progress import Progress
from qrt_async.bulk.settings import FanOutOptions
from qrt_async.bulk.sites import Site, certainly_nothing
from qrt_async.engine import Engine
from qrt_async.errors import (
    ApiError,
    BudgetExceeded,
    ClientClosed,
    Conflict,
    Forbidden,
    JobFailed,
    LoginError,
    MissingExtra,
    ProtocolError,
    QrtError,
    SessionClosed,
    SessionNotEnded,
    Unauthorized,
)
from qrt_async.jobs import Job, Jobs
from qrt_async.models.jobs import JobDetails
from qrt_async.models.results import PubResult
from qrt_async.quota import Quota
from qrt_async.regardless import regardless
from qrt_async.sessions import Session, Sessions, session

REFUSALS = (BudgetExceeded, ClientClosed, Conflict, Forbidden, LoginError, MissingExtra, Unauthorized)
"""What would meet every further submission as well."""
_LATE_USAGE = (2.0, 5.0, 15.0)
"""Seconds before each further look at what a job was charged, where the service does not know it yet."""
_TRIES = 3


@attrs.frozen(kw_only=True)
class Done:
    """
    PUB `index` of a run, over: with its `result`, or with the `error` that it met.

    `backend` and `job_id` tell where, None where it did not come to a backend or to a job.
    """

    index: int
    backend: str | None = None
    job_id: str | None = None
    result: PubResult[Any] | None = None
    error: QrtError | None = None

    @property
    def outcome(self) -> PubResult[Any] | QrtError:
        """The result, or the error in its place."""
        if self.result is not None:
            return self.result
        if self.error is not None:
            return self.error
        raise AssertionError("a PUB that is done has a result or an error")


@attrs.frozen(kw_only=True)
class Service:
    """What a run needs of its client."""

    engine: Engine
    jobs: Jobs
    sessions: Sessions
    backends: Backends
    transpile: Transpile
    per_minute: int | None
    quota: Quota | None = None

    def quota_seconds(self, jobs: int) -> float:
        """Return the seconds until so many jobs are submitted under the quota, as far as is known."""
        if self.per_minute is None or jobs == 0:
            return 0.0
        return 60.0 * ((jobs - 1) // self.per_minute) + (self.quota.wait if self.quota else 0.0)

    async def turn(self) -> None:
        """Wait until the quota lets the next submission through, so that its backend is chosen as late as can be."""
        while self.quota is not None and (wait := self.quota.wait) > 0:
            await self.engine.clock.sleep(wait)


class Ground(Protocol):
    """What packs under way tell the run."""

    @property
    def run_id(self) -> str | None:
        """The name by which the journal knows the run."""
        ...

    async def note(self) -> None:
        """Let the journal know every PUB that was taken."""
        ...

    def deliver(self, done: Done) -> None:
        """Hand out a PUB that is done."""
        ...

    def again(self, pack: Pack) -> None:
        """Take a pack that is to be tried once more."""
        ...

    def give_back(self, items: Iterable[Item]) -> None:
        """Take PUBs back that are still to be submitted."""
        ...

    def well_elsewhere(self, launch: Launch) -> bool:
        """Tell whether a pack should go to another backend now."""
        ...

    def wake(self) -> None:
        """Look at what changed."""
        ...

    def crash(self, error: BaseException) -> None:
        """End with an error that is nobody's PUB's."""
        ...


@attrs.define(eq=False)
class Flight:
    """All packs of a run that are under way, one task for each; submissions go one after the other."""

    service: Service
    options: FanOutOptions
    launcher: Launcher
    progress: Progress
    ground: Ground
    launches: dict[Launch, asyncio.Task[None]] = attrs.field(factory=dict, init=False)
    refusal: QrtError | None = attrs.field(default=None, init=False)
    _gate: asyncio.Lock = attrs.field(factory=asyncio.Lock, init=False)
    _leaving: bool = attrs.field(default=False, init=False)
    _uncertain: bool = attrs.field(default=False, init=False)

    @property
    def unsent(self) -> int:
        """How many packs have no job yet."""
        return sum(launch.job is None for launch in self.launches)

    def begin(self, pack: Pack, site: Site) -> None:
        """Send a pack to a backend."""
        launch = Launch(pack, site)
        if site.in_flight == 0:
            site.touch()
        site.in_flight += 1
        site.submitted_since += 1
        self.launches[launch] = asyncio.create_task(self._fly(launch))

    def began(self, launch: Launch) -> None:
        """Note that a job runs."""
        launch.running = True
        launch.site.touch()
        self.progress.queued -= launch.size
        self.progress.running += launch.size

    async def _fly(self, launch: Launch) -> None:
        pack = launch.pack
        try:
            prepared = await self.launcher.prepare(pack.items, launch.site.name)
            for item, error in prepared.bad:
                self._fail([item.index], launch, error)
            self.ground.give_back(prepared.left_over)
            pack.items = prepared.items
            if prepared.items:
                await self._submit_and_follow(launch, prepared)
        except QrtError as error:
            self._refuse_all(error)
            self._fail(_indices(pack.items), launch, error)
        except Exception as error:  # noqa: BLE001 - raised where results are asked for
            self.ground.crash(error)
        finally:
            del self.launches[launch]
            launch.site.in_flight -= 1
            self.ground.wake()

    def _refuse_all(self, error: QrtError) -> None:
        if isinstance(error, REFUSALS):
            self.refusal = self.refusal or error

    def _fail(self, indices: Iterable[int], launch: Launch, error: QrtError) -> None:
        job_id = launch.job.id if launch.job else None
        for index in indices:
            self.ground.deliver(Done(index=index, backend=launch.site.name, job_id=job_id, error=error))

    async def _submit_and_follow(self, launch: Launch, prepared: Prepared) -> None:
        async with self._gate:
            if self.refusal is not None:
                raise self.refusal
            await self.service.turn()
            if self.ground.well_elsewhere(launch):
                launch.pack.items = []
                self.progress.moved += len(prepared.items)
                self.ground.give_back(item.origin or item for item in prepared.items)
                return
            intent = self.launcher.intent(prepared)
            await self.ground.note()
            session_id = await self._session_id(launch.site)
            launch.reservation = await self._reserved(intent)
            launch.job = await self._submit(launch, prepared, session_id, intent.indices)
        launch.indices, launch.size = intent.indices, len(intent.indices)
        self.progress.jobs += 1
        self.progress.submitted += launch.size
        self.progress.queued += launch.size
        if not self.options.isolate and self.options.mode == "job":
            launch.pack.items = []  # what is submitted for good need not be kept
        prepared.items, prepared.request = [], None
        del intent
        self.ground.wake()
        await self._follow(launch, launch.job, session_id)

    async def _session_id(self, site: Site) -> str | None:
        if self.options.mode == "job":
            return None
        try:
            return await site.session_id(self._new_session, self.options.budget)
        except ApiError as error:
            self.refusal = self.refusal or error
            raise

    def _new_session(self, backend: str) -> Session:
        chosen = self.options
        return session(
            self.service.engine,
            self.service.jobs,
            self.service.sessions,
            backend=backend,
            mode=chosen.mode,
            max_time=chosen.session_time,
            on_error=None,
        )

    async def _reserved(self, intent: JobIntent) -> Reservation | None:
        """Reserve what a job may cost; jobs in a dedicated session are paid with it."""
        if self.options.budget is None or self.options.mode == "dedicated":
            return None
        return await self.options.budget.reserve_in_time(intent.max_time)

    async def _submit(
        self, launch: Launch, prepared: Prepared, session_id: str | None, indices: tuple[int, ...]
    ) -> Job[Any]:
        if prepared.request is None:
            raise AssertionError("only what is left to go is submitted")
        launch.sending = True
        try:
            request = attrs.evolve(prepared.request, session_id=session_id)
            return await self.service.jobs.submit(request, run_id=self.ground.run_id, positions=indices)
        except BaseException as error:
            nothing = certainly_nothing(error)
            self._uncertain = self._uncertain or not nothing
            if launch.reservation is not None:
                await launch.reservation.settle(0 if nothing else None)
            raise
        finally:
            launch.sending = False

    async def _follow(self, launch: Launch, job: Job[Any], session_id: str | None) -> None:
        details: JobDetails | None = None
        try:
            details = await job.wait()
            self._land(launch)
            result = await job.result()
            if len(result) != len(launch.indices):
                raise ProtocolError(f"{len(result)} results for {len(launch.indices)} PUBs", operation=f"job {job.id}")
            for index, found in zip(launch.indices, result, strict=True):
                self.ground.deliver(Done(index=index, backend=launch.site.name, job_id=job.id, result=found))
        except QrtError as error:
            self._land(launch)
            await self._failed(launch, error, session_id)
        finally:
            self.ground.wake()
            if not self._leaving:
                await self._charge(job, details, launch.reservation)

    def _land(self, launch: Launch) -> None:
        """Note that a job is over, once."""
        if launch.running:
            self.progress.running -= launch.size
        else:
            self.progress.queued -= launch.size
        launch.size = 0
        launch.site.touch()

    async def _failed(self, launch: Launch, error: QrtError, session_id: str | None) -> None:
        """Treat a job that failed: split it, send it again in a new session, or report it for each of its PUBs."""
        pack = launch.pack
        if isinstance(error, SessionClosed) and session_id is not None and pack.tries + 1 < _TRIES:
            await self._forget(launch.site, session_id)
            pack.tries += 1
            self.ground.again(self._home_bound(pack, pack.items, launch.site))
            return
        trials = pack.trials or Trials.of(len(launch.indices))
        splits = self.options.isolate and isinstance(error, JobFailed) and not isinstance(error, SessionClosed)
        if not splits or len(launch.indices) == 1 or trials.left < 2:
            self._fail(launch.indices, launch, error)
            return
        trials.left -= 2
        pack.trials = trials
        half = len(pack.items) // 2
        for part in (pack.items[:half], pack.items[half:]):
            self.ground.again(self._home_bound(pack, part, launch.site))

    def _home_bound(self, pack: Pack, items: Sequence[Item], site: Site) -> Pack:
        return Pack(list(items), frozenset({site.name}), bound=True, trials=pack.trials, tries=pack.tries)

    async def _forget(self, site: Site, session_id: str) -> None:
        """Let the next job open another session."""
        if site.session is not None and site.session.id == session_id:
            with contextlib.suppress(SessionNotEnded):
                await site.end(None, gently=True)

    async def _charge(self, job: Job[Any], details: JobDetails | None, reservation: Reservation | None) -> None:
        """Add up what a job was charged, and settle its reservation with it."""
        charged = details.qpu_seconds if details is not None else None
        if reservation is not None and details is not None:
            for delay in _LATE_USAGE:
                if charged is not None:
                    break
                await self.service.engine.clock.sleep(delay)
                with contextlib.suppress(QrtError):
                    charged = (await job.details()).qpu_seconds
        self.progress.seconds_billed += charged or 0.0
        if reservation is not None:
            await reservation.settle(charged)

    # leaving

    async def leave(self, error: BaseException | None, sites: Sequence[Site], *, finished: bool) -> None:
        """Submit nothing more, cancel or leave the jobs that are not over, and end the sessions; never cut short."""
        keep = finished or (self.options.on_error == "detach" if error is not None else self.options.detach)
        await regardless(self._bring_down(error, sites, keep=keep))

    async def _bring_down(self, error: BaseException | None, sites: Sequence[Site], *, keep: bool) -> None:
        self._leaving = True
        flying = dict(self.launches)
        for launch, task in flying.items():
            if not launch.sending:
                task.cancel()
        sending = [task for launch, task in flying.items() if launch.sending]
        if sending:
            await self._sent([launch for launch in flying if launch.sending])
        for task in sending:
            task.cancel()
        await asyncio.gather(*flying.values(), return_exceptions=True)
        jobs = [launch.job for launch in flying if launch.job is not None]
        uncancelled = [] if keep else await self._cancel(jobs)
        for launch in flying:
            if launch.reservation is not None:
                await launch.reservation.settle(None if keep else await self._last_charge(launch.job))
        ends = await asyncio.gather(*(site.end(error, gently=keep) for site in sites), return_exceptions=True)
        failures = [failure for failure in ends if isinstance(failure, BaseException)]
        for failure in failures[1:]:
            failures[0].add_note(str(failure))
        for message in uncancelled:
            warnings.warn(message, ResourceWarning, stacklevel=2)
        if failures:
            raise failures[0]

    async def _sent(self, launches: Sequence[Launch]) -> None:
        """Wait a while for submissions that may have left, so that their jobs are known."""
        limit = asyncio.create_task(self.service.engine.clock.sleep(self.service.engine.timeouts.closing))
        everyone = asyncio.create_task(self._until_sent(launches))
        await asyncio.wait([everyone, limit], return_when=asyncio.FIRST_COMPLETED)
        for task in (limit, everyone):
            task.cancel()
        await asyncio.gather(limit, everyone, return_exceptions=True)

    async def _until_sent(self, launches: Sequence[Launch]) -> None:
        while any(launch.sending for launch in launches):
            await self.progress.changed()

    async def _cancel(self, jobs: Sequence[Job[Any]]) -> list[str]:
        """Cancel the jobs, and say which could not be."""
        found = await asyncio.gather(*(job.cancel() for job in jobs), return_exceptions=True)
        if self._uncertain:
            # a submission that failed or was cut short may still have led to a job, which its tag would betray
            with contextlib.suppress(QrtError):
                await self.service.jobs.cancel_all(tags=self.launcher.tags[-1:])
        return [
            f"job {job.id} could not be cancelled, and goes on: {outcome}"
            for job, outcome in zip(jobs, found, strict=True)
            if isinstance(outcome, BaseException)
        ]

    async def _last_charge(self, job: Job[Any] | None) -> float | None:
        """Return what a cancelled job was charged, None where nobody can say."""
        if job is None:
            return None
        with contextlib.suppress(QrtError):
            details = await job.details()
            return details.qpu_seconds if details.status.final else None
        return None


def _indices(items: Iterable[Item]) -> list[int]:
    return [item.index for item in items]
