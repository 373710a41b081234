"""Which page comes next, so that a list that changes meanwhile is neither cut nor repeated, and always ends."""

from __future__ import annotations

import datetime as dt
from urllib.parse import parse_qs, urlsplit

import attrs

from qrt_async.models.jobs import JobDetails, JobFilter, JobPage

_MARGIN = dt.timedelta(milliseconds=1)
"""How coarse a server's bounds may be; what lies in it comes twice and is recognised."""


@attrs.define
class JobPager:
    """
    Pages through jobs by their creation time, and by offsets where more than a page share one.

    Jobs that are deleted or created while one pages move the offsets of all others, but not their creation times.
    """

    wanted: JobFilter
    done: bool = attrs.field(default=False, init=False)
    _seen: dict[str, dt.datetime | None] = attrs.field(factory=dict[str, "dt.datetime | None"], init=False)
    _bound: dt.datetime | None = attrs.field(default=None, init=False)
    _offset: int = attrs.field(default=0, init=False)

    @property
    def next_page(self) -> JobFilter:
        """What to ask for now."""
        if self._bound is None:
            return attrs.evolve(self.wanted, offset=self.wanted.offset + self._offset)
        if self.wanted.oldest_first:
            return attrs.evolve(self.wanted, offset=self._offset, created_after=self._bound)
        return attrs.evolve(self.wanted, offset=self._offset, created_before=self._bound)

    def take(self, page: JobPage) -> list[JobDetails]:
        """Return the jobs of a page that are new, and decide whether and how to go on."""
        fresh = [job for job in page.jobs if job.id not in self._seen]
        missed = self._offset > 0 and bool(page.jobs) and page.jobs[0].id not in self._seen and self._bound is not None
        exhausted = not page.jobs or (not fresh and self._offset > len(self._seen))
        short = page.limit is not None and len(page.jobs) < min(page.limit, self.wanted.limit)
        self._seen |= {job.id: job.created for job in fresh}
        self.done = exhausted or (short and not missed)
        if not self.done:
            self._go_on(page, missed=missed)
        return fresh

    def _go_on(self, page: JobPage, *, missed: bool) -> None:
        if missed:
            # something before this page was deleted, so that others have moved up out of sight
            self._offset = max(0, self._offset - len(page.jobs))
            return
        bound = self._bound_after(page.jobs[-1])
        if bound is None or bound == self._bound:
            self._offset += max(1, len(page.jobs) - 1)
            return
        self._bound, self._offset = bound, 0
        self._seen = {id_: created for id_, created in self._seen.items() if self._may_come_again(created)}

    def _bound_after(self, last: JobDetails) -> dt.datetime | None:
        if last.created is None:
            return None
        bound = last.created - _MARGIN if self.wanted.oldest_first else last.created + _MARGIN
        if self._bound is None:
            return bound
        return max(bound, self._bound) if self.wanted.oldest_first else min(bound, self._bound)

    def _may_come_again(self, created: dt.datetime | None) -> bool:
        if created is None or self._bound is None:
            return True
        if self.wanted.oldest_first:
            return created >= self._bound - _MARGIN
        return created <= self._bound + _MARGIN


def next_cursor(href: str | None, before: set[str]) -> str | None:
    """Return the cursor in a link to the next page, None where there is no such link or it leads in a circle."""
    if not href:
        return None
    cursor = parse_qs(urlsplit(href).query).get("next", [""])[0]
    return cursor if cursor and cursor not in before else None
