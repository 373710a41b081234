"""What a run over many PUBs will take, told before anything is sent."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Iterator

import attrs

from qrt_async.bulk.intake import Intake
from qrt_async.bulk.packing import Ceilings, Weight, least_jobs, pack, time_limit
from qrt_async.bulk.settings import PackingOptions, backend_names
from qrt_async.errors import UsageError


@attrs.frozen(kw_only=True)
class PlannedJob:
    """
    One job of a plan: the PUBs it holds, by their places, and what they take.

    `backend` is None for PUBs that are transpiled once their backend is known; their bytes and seconds are estimates.
    `max_time` (seconds) is the limit that the job will be sent with.
    """

    backend: str | None
    pubs: array[int] = attrs.field(repr=False)
    size: int
    executions: int
    qpu_seconds: float
    max_time: int


@attrs.frozen(kw_only=True)
class Plan:
    """
    Jobs for many PUBs, and what they take together.

    `limit` is what the number of jobs comes from: ``"pubs"``, ``"executions"``, ``"bytes"`` or ``"seconds"`` of a job,
    None where one job is enough for each backend. `exact` tells whether all bytes are those that will be sent.
    """

    jobs: tuple[PlannedJob, ...] = attrs.field(repr=False)
    primitive: str
    submissions_per_minute: int | None
    limit: str | None
    exact: bool

    @property
    def pubs(self) -> int:
        """The number of PUBs."""
        return sum(len(job.pubs) for job in self.jobs)

    @property
    def size(self) -> int:
        """Bytes of encoded input, over all jobs."""
        return sum(job.size for job in self.jobs)

    @property
    def executions(self) -> int:
        """Executions of circuits, over all jobs."""
        return sum(job.executions for job in self.jobs)

    @property
    def qpu_seconds(self) -> float:
        """Estimated seconds on QPUs, over all jobs."""
        return math.fsum(job.qpu_seconds for job in self.jobs)

    @property
    def max_cost(self) -> int:
        """Quantum seconds that the jobs can cost at most: the sum of their limits, which a budget has to cover."""
        return sum(job.max_time for job in self.jobs)

    @property
    def minutes(self) -> float:
        """The minutes between the first submission and the last one under the quota."""
        if self.submissions_per_minute is None or not self.jobs:
            return 0.0
        return float((len(self.jobs) - 1) // self.submissions_per_minute)

    def __str__(self) -> str:
        about = "" if self.exact else "about "
        by_backend: dict[str, int] = {}
        for job in self.jobs:
            name = job.backend or "any backend"
            by_backend[name] = by_backend.get(name, 0) + 1
        places = ", ".join(f"{name} {count:,}" for name, count in by_backend.items()) or "none"
        because = f", bound by the {self.limit} of a job" if self.limit else ""
        quota = (
            "without a quota"
            if self.submissions_per_minute is None
            else f"{self.minutes:,.0f} min under the quota of {self.submissions_per_minute} a minute"
        )
        return "\n".join(
            [
                f"{self.pubs:,} PUBs in {len(self.jobs):,} {self.primitive} jobs{because}",
                f"  jobs         {places}",
                f"  input        {about}{self.size:,} bytes",
                f"  executions   {self.executions:,}",
                f"  QPU time     about {self.qpu_seconds:,.1f} s, {self.max_cost:,} s at most",
                f"  submitting   {quota}",
            ]
        )


def plan(
    pubs: Iterable[object], *, backends: Iterable[str], options: PackingOptions, submissions_per_minute: int | None
) -> Plan:
    """
    Return the plan for these PUBs; nothing is sent.

    Raises:
        InvalidPub: a PUB that no service would accept.
        PubTooLarge: a PUB that breaks a limit of a job alone.

    """
    if isinstance(pubs, str | bytes) or not isinstance(pubs, Iterable):
        raise UsageError(f"pubs is a list or another iterable of PUBs, not {type(pubs).__name__}")
    intake = Intake(options, backend_names(backends))
    groups = _groups(pubs, intake)
    jobs: list[PlannedJob] = []
    tightest: tuple[int, str | None] = (1, None)
    for group in groups:
        ceilings = intake.ceilings(typed=group.typed)
        jobs += group.jobs(ceilings)
        tightest = max(tightest, least_jobs(group.weights(), ceilings), key=lambda found: found[0])
    jobs.sort(key=lambda job: job.pubs[0])
    return Plan(
        jobs=tuple(jobs),
        primitive=options.primitive,
        submissions_per_minute=submissions_per_minute,
        limit=tightest[1],
        exact=all(job.backend is not None for job in jobs),
    )


@attrs.define
class _Group:
    """PUBs that may share jobs, as columns."""

    backend: str | None
    typed: bool
    places: array[int] = attrs.field(factory=lambda: array("q"))
    executions: array[int] = attrs.field(factory=lambda: array("q"))
    sizes: array[int] = attrs.field(factory=lambda: array("q"))
    seconds: array[float] = attrs.field(factory=lambda: array("d"))

    def add(self, place: int, weight: Weight) -> None:
        self.places.append(place)
        self.executions.append(weight.executions)
        self.sizes.append(weight.size)
        self.seconds.append(weight.seconds)

    def weights(self) -> Iterator[Weight]:
        return map(Weight, self.executions, self.sizes, self.seconds)

    def jobs(self, ceilings: Ceilings) -> Iterator[PlannedJob]:
        for found in pack(self.weights(), ceilings):
            seconds = math.fsum(self.seconds[i] for i in found)
            yield PlannedJob(
                backend=self.backend,
                pubs=array("q", (self.places[i] for i in found)),
                size=ceilings.base + sum(self.sizes[i] for i in found),
                executions=sum(self.executions[i] for i in found),
                qpu_seconds=seconds,
                max_time=time_limit(seconds),
            )


def _groups(pubs: Iterable[object], intake: Intake) -> list[_Group]:
    groups: dict[tuple[str | None, bool], _Group] = {}
    for place, value in enumerate(pubs):
        item = intake.item(value, place)
        key = (item.home, item.typed)
        group = groups.get(key)
        if group is None:
            group = groups[key] = _Group(item.home, item.typed)
        group.add(place, item.weight)
    return list(groups.values())
