"""Many PUBs over many backends, as they complete or gathered in order."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Iterable
from types import TracebackType
from typing import Any, Self

import attrs

from qrt_async.bulk.campaign import Campaign
from qrt_async.bulk.flight import Done, Service
from qrt_async.bulk.progress import Progress
from qrt_async.bulk.running import Run
from qrt_async.bulk.settings import FanOutOptions, backend_names
from qrt_async.errors import UsageError
from qrt_async.models.results import PubResult

Pubs = Iterable[Any] | AsyncIterable[Any]


@attrs.define(eq=False)
class FanOut:
    """
    A run of many PUBs over many backends; use it as ``async with client.fan_out(…) as run: async for done in run``.

    Every PUB comes once, as its job completes, as a :class:`Done` with its result or its error. PUBs are taken from
    their source, which may be endless, only as fast as results are consumed: at most so many wait, are at the service
    or are finished as fill the jobs that may be in flight, a few times over. An error of the source itself is raised
    once all that was taken has come.

    Leaving the block ends all submitting at once and waits for nothing; what becomes of jobs that are not over yet, and
    everything else that can be chosen, says :class:`FanOutOptions`. Sessions that the run opened are ended.
    """

    _service: Service = attrs.field(repr=False)
    _pubs: Pubs = attrs.field(repr=False)
    _backends: tuple[str, ...]
    _options: FanOutOptions
    _campaign: Campaign | None = attrs.field(default=None, repr=False)
    _run: Run | None = attrs.field(default=None, init=False, repr=False)

    @classmethod
    def of(
        cls,
        service: Service,
        pubs: Pubs,
        backends: Iterable[str],
        options: FanOutOptions,
        campaign: Campaign | None = None,
    ) -> FanOut:
        """Return a run that has not begun; nothing is sent."""
        if isinstance(pubs, str | bytes) or not isinstance(pubs, Iterable | AsyncIterable):
            raise UsageError(f"pubs is a list, a generator or an async generator of PUBs, not {type(pubs).__name__}")
        return cls(service, pubs, backend_names(backends), options, campaign)

    @property
    def progress(self) -> Progress:
        """How far the run has come: an object whose figures go on changing, for a terminal or a page to show."""
        return self._begun.progress

    @property
    def tag(self) -> str:
        """The tag that all jobs of the run bear, by which they can be listed and cancelled."""
        return self._begun.tag

    @property
    def _begun(self) -> Run:
        if self._run is None:
            raise UsageError("the run has not begun: enter it with 'async with'")
        return self._run

    async def __aenter__(self) -> Self:
        if self._run is not None:
            raise UsageError("a run is entered once: make another one with client.fan_out(…)")
        run = Run(self._service, self._pubs, self._backends, self._options, self._campaign)
        await run.start()
        self._run = run
        return self

    def __aiter__(self) -> Self:
        self._begun  # noqa: B018 - raises outside the block
        return self

    async def __anext__(self) -> Done:
        """Return the next PUB that is done."""
        return await self._begun.next()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._begun.leave(error)
        finally:
            if isinstance(self._pubs, AsyncGenerator):
                await self._pubs.aclose()


async def gathered(run: FanOut, *, return_exceptions: bool) -> list[PubResult[Any] | BaseException]:
    """Return the result of every PUB in their order; the first error is raised, or stands in its result's place."""
    found: dict[int, PubResult[Any] | BaseException] = {}
    async with run:
        async for done in run:
            if done.error is not None and not return_exceptions:
                raise done.error
            found[done.index] = done.outcome
    return [found[i] for i in range(len(found))]
