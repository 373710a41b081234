"""How far a run has come."""

from __future__ import annotations

import attrs

from qrt_async.bulk.signals import Signal


@attrs.define(eq=False)
class Progress:
    """
    How far a run has come; its figures change while the run goes on.

    All but the last four count PUBs: `total` (None where the source does not tell its length), `taken` from the source,
    `submitted` with a job, and of these `queued` and `running` at the service, `done` with a result and `failed` with
    an error (also those that never were submitted). `moved` counts those that were taken from a backend before they
    were submitted, `jobs` the jobs that were submitted, `jobs_left` those that are still to be, as far as that is
    known, `seconds_billed` what the service charged for those that are over, and `seconds_left` how long the quota
    will take to let the rest through.
    """

    total: int | None = None
    taken: int = 0
    submitted: int = 0
    queued: int = 0
    running: int = 0
    done: int = 0
    failed: int = 0
    moved: int = 0
    jobs: int = 0
    jobs_left: int = 0
    seconds_billed: float = 0.0
    seconds_left: float = 0.0
    _change: Signal = attrs.field(factory=Signal, init=False, repr=False)

    async def changed(self) -> None:
        """Wait for the next change, to show it."""
        await self._change.next().wait()

    def tell(self) -> None:
        """Wake whoever waits for a change."""
        self._change.give()

    def __str__(self) -> str:
        whole = "?" if self.total is None else f"{self.total:,}"
        parts = [f"{self.done:,} of {whole} PUBs done"]
        parts += [f"{self.failed:,} failed"] if self.failed else []
        parts += [f"{self.running:,} running, {self.queued:,} queued, {self.jobs:,} jobs submitted"]
        parts += [f"{self.moved:,} moved"] if self.moved else []
        parts += [f"{self.seconds_billed:,.0f} s billed"]
        parts += [f"{self.seconds_left:,.0f} s to go under the quota"] if self.seconds_left else []
        return ", ".join(parts)
