"""Paging through a list that changes meanwhile."""

from __future__ import annotations

import datetime as dt
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qrt_async.errors import InvalidOption
from qrt_async.models.jobs import JobDetails, JobFilter, JobPage, JobStatus
from qrt_async.wire.paging import JobPager, next_cursor

NOON = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)


def job(number: int, second: int) -> JobDetails:
    """Return a job created at that second."""
    return JobDetails(
        id=f"j{number}", status=JobStatus.QUEUED, program="sampler", created=NOON + dt.timedelta(seconds=second)
    )


def answer(jobs: list[JobDetails], wanted: JobFilter, largest: int = 200) -> JobPage:
    """Answer as the service does: filter, sort, cut."""
    limit = min(wanted.limit, largest)
    found = [
        one
        for one in jobs
        if one.created is not None
        and (wanted.created_before is None or one.created <= wanted.created_before)
        and (wanted.created_after is None or one.created >= wanted.created_after)
    ]
    found.sort(key=lambda one: (one.created or NOON, one.id), reverse=not wanted.oldest_first)
    return JobPage(jobs=tuple(found[wanted.offset : wanted.offset + limit]), limit=limit, offset=wanted.offset)


@given(
    st.lists(st.integers(0, 6), max_size=40),
    st.integers(2, 6),
    st.integers(1, 200),
    st.booleans(),
    st.randoms(use_true_random=False),
    st.booleans(),
)
def test_a_changing_list_is_read_once_and_whole(
    seconds: list[int], limit: int, largest: int, oldest_first: bool, rng: random.Random, changing: bool
) -> None:
    """Whatever is created and deleted between two pages, every job that stays comes exactly once, and paging ends."""
    jobs = [job(number, second) for number, second in enumerate(seconds)]
    staying = {one.id for one in jobs}
    pager = JobPager(JobFilter(limit=limit, oldest_first=oldest_first))
    got: list[str] = []
    requests = 0
    while not pager.done:
        got += [one.id for one in pager.take(answer(jobs, pager.next_page, max(2, largest)))]
        requests += 1
        assert requests < 20 + 4 * len(seconds)
        if changing and jobs and rng.random() < 0.5:
            staying.discard(jobs.pop(rng.randrange(len(jobs))).id)
        if changing and not oldest_first and rng.random() < 0.5:
            jobs.append(job(1000 + requests, 10))

    assert len(set(got)) == len(got)
    assert staying <= set(got)


@given(st.integers(1, 50), st.booleans())
def test_a_server_that_ignores_everything_does_not_hold_us(length: int, with_times: bool) -> None:
    """The same page again and again, whatever is asked for, ends the list."""
    page = JobPage(
        jobs=tuple(
            job(n, n) if with_times else JobDetails(id=f"j{n}", status=JobStatus.QUEUED, program="x")
            for n in range(length)
        )
    )
    pager = JobPager(JobFilter())
    got: list[str] = []
    requests = 0
    while not pager.done:
        got += [one.id for one in pager.take(page)]
        requests += 1
        assert requests < 10 + length
    assert sorted(got) == sorted(one.id for one in page.jobs)


@pytest.mark.parametrize("limit", [0, 201, -1, 1.5, True])
def test_a_page_has_one_to_two_hundred_jobs(limit: object) -> None:
    """The service would silently take its default for anything else."""
    with pytest.raises(InvalidOption, match="limit"):
        JobFilter(limit=limit)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("href", "cursor"),
    [
        (None, None),
        ("", None),
        ("https://x/v1/workloads?limit=10&next=MjAy%3D", "MjAy="),
        ("https://x/v1/workloads?limit=10", None),
        ("?next=seen", None),
        ("not a link", None),
    ],
)
def test_the_cursor_is_taken_from_the_link(href: str | None, cursor: str | None) -> None:
    """A link without a cursor, or back to where one was, ends the list."""
    assert next_cursor(href, {"seen"}) == cursor
