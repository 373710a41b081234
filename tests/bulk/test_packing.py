"""Packing: no limit broken, no PUB lost, few jobs."""

from __future__ import annotations

import itertools
import math
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qrt_async.bulk.packing import Ceilings, Weight, broken_limit, least_jobs, pack, time_limit

CEILINGS = Ceilings(pubs=10, executions=1000, size=2000, base=100, seconds=50.0)
WEIGHTS = st.lists(
    st.builds(Weight, st.integers(1, 1000), st.integers(1, 1900), st.floats(0.001, 50.0)), min_size=1, max_size=120
)


def tightest(job: array[int], weights: list[Weight], ceilings: Ceilings) -> float:
    """Return how full a job is, by the limit that it has least room under."""
    return max(math.fsum(column) for column in zip(*(ceilings.share(weights[i]) for i in job), strict=True))


@given(WEIGHTS)
def test_no_limit_is_broken_and_no_pub_is_lost(weights: list[Weight]) -> None:
    """Every PUB is in one job, no job breaks a limit, places ascend in jobs, and jobs by their first PUBs."""
    jobs = pack(weights, CEILINGS)

    assert sorted(itertools.chain(*jobs)) == list(range(len(weights)))
    for job in jobs:
        assert list(job) == sorted(job)
        assert len(job) <= CEILINGS.pubs
        assert sum(weights[i].executions for i in job) <= 1000
        assert sum(weights[i].size for i in job) <= CEILINGS.size - CEILINGS.base
        assert sum(weights[i].seconds for i in job) <= 50.0 * (1 + 1e-6)
    assert [job[0] for job in jobs] == sorted(job[0] for job in jobs)


@given(WEIGHTS)
def test_the_same_pubs_give_the_same_jobs(weights: list[Weight]) -> None:
    """Packing is a function of its arguments."""
    assert pack(weights, CEILINGS) == pack(iter(weights), CEILINGS)


@given(WEIGHTS)
def test_the_number_of_jobs_is_bounded(weights: list[Weight]) -> None:
    """Jobs are at least the lower bound, and less than twice what all their tightest limits add up to, plus one."""
    jobs = pack(weights, CEILINGS)
    least, _ = least_jobs(weights, CEILINGS)

    assert least <= len(jobs)
    assert len(jobs) < 2 * math.fsum(max(CEILINGS.share(weight)) for weight in weights) + 1 + 1e-6


@given(WEIGHTS)
def test_at_most_every_other_job_is_half_empty(weights: list[Weight]) -> None:
    """A job is begun only by a PUB that did not fit the one before."""
    jobs = pack(weights, CEILINGS)
    loads = [tightest(job, weights, CEILINGS) for job in jobs]

    assert sum(load <= 0.5 - 1e-9 for load in loads) <= math.ceil(len(jobs) / 2)


@given(st.data())
def test_one_limit_keeps_the_bound_of_first_fit_decreasing(data: st.DataObject) -> None:
    """PUBs that were cut out of k full jobs are packed into at most 11/9 k + 6/9 jobs, when one limit is in play."""
    k = data.draw(st.integers(1, 12))
    limit = data.draw(st.sampled_from(["executions", "size"]))
    pieces: list[int] = []
    for _ in range(k):
        cuts = data.draw(st.lists(st.integers(1, 999), max_size=6, unique=True))
        pieces += [b - a for a, b in itertools.pairwise([0, *sorted(cuts), 1000])]
    shuffled = data.draw(st.permutations(pieces))
    weights = [Weight(n, 1, 0.0) if limit == "executions" else Weight(0, n, 0.0) for n in shuffled]
    ceilings = Ceilings(pubs=10_000, executions=1000, size=1000 if limit == "size" else 10**9)

    assert k <= len(pack(weights, ceilings)) <= (11 * k + 6) // 9


@given(st.integers(1, 400), st.builds(Weight, st.integers(1, 1000), st.integers(1, 1900), st.floats(0.001, 50.0)))
def test_equal_pubs_take_the_fewest_jobs(count: int, weight: Weight) -> None:
    """Equal PUBs, however many, take exactly as many jobs as the tightest limit says, and stay in order."""
    each = min(10, 1000 // weight.executions, 1900 // weight.size, int(50.0 * (1 + 1e-9) / weight.seconds))
    jobs = pack([weight] * count, CEILINGS)

    assert len(jobs) == math.ceil(count / each)


def test_order_is_kept_where_that_costs_no_job() -> None:
    """PUBs that fit in their order are not moved about."""
    weights = [Weight(n, 1, 0.0) for n in (400, 600, 1000, 1, 999)]

    assert [list(job) for job in pack(weights, CEILINGS)] == [[0, 1], [2], [3, 4]]


def test_large_pubs_are_filled_up_with_small_ones() -> None:
    """Where in turn would take four jobs, two are enough."""
    weights = [Weight(n, 1, 0.0) for n in (600, 600, 400, 400)]

    assert [list(job) for job in pack(weights, CEILINGS)] == [[0, 2], [1, 3]]


def test_pubs_that_need_different_things_share_jobs() -> None:
    """PUBs heavy in executions are packed with those heavy in bytes."""
    weights = [Weight(900, 1, 0.0)] * 3 + [Weight(1, 1800, 0.0)] * 3

    assert len(pack(weights, CEILINGS)) == 3


def test_without_a_limit_on_executions_they_do_not_count() -> None:
    """The service splits estimator jobs itself."""
    ceilings = Ceilings(executions=None)

    assert len(pack([Weight(10**9, 1, 1.0)] * 100, ceilings)) == 1


@pytest.mark.parametrize(
    ("weight", "words"),
    [
        (Weight(1001, 1, 0.0), "executions exceed the 1,000"),
        (Weight(1, 1901, 0.0), "bytes of input exceed the 1,900"),
        (Weight(1, 1, 51.0), "51 s on the QPU exceed the 50 s"),
        (Weight(1000, 1900, 50.0), None),
    ],
)
def test_a_pub_that_breaks_a_limit_alone_is_told_apart(weight: Weight, words: str | None) -> None:
    """The limit is named; a PUB that fills a job exactly breaks none."""
    found = broken_limit(weight, CEILINGS)

    assert (found is None) if words is None else (found is not None and words in found)


@pytest.mark.parametrize(("seconds", "limit"), [(0.0, 60), (29.9, 60), (100.2, 201), (3600.0, 7200), (9000.0, 10_800)])
def test_a_jobs_limit_has_a_margin(seconds: float, limit: int) -> None:
    """A job may run twice as long as it was estimated, a minute at least and three hours at most."""
    assert time_limit(seconds) == limit
