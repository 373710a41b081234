"""A plan says what a run will take, offline and free."""

from __future__ import annotations

import pytest

from qrt_async import Client, InvalidOption, IsaCircuit, UsageError
from tests.client.scripted import Service

FEZ = IsaCircuit("OPENQASM 3.0; bit[1] c; c[0] = measure $0;", "ibm_fez", (0,), 1)
HANOI = IsaCircuit("OPENQASM 3.0; bit[1] c; c[0] = measure $0;", "ibm_hanoi", (0,), 1)


async def test_a_plan_is_offline(service: Service) -> None:
    """Nothing is sent, and everything is told."""
    async with Client(service.account()) as client:
        plan = client.plan([FEZ] * 1000, backends=["ibm_fez"], shots=100)

    assert service.seen == []
    assert (plan.pubs, len(plan.jobs), plan.executions, plan.limit) == (1000, 10, 100_000, "pubs")
    assert plan.minutes == 1
    assert plan.max_cost == 600
    assert 25 < plan.qpu_seconds < 26
    assert str(plan).splitlines()[0] == "1,000 PUBs in 10 sampler jobs, bound by the pubs of a job"
    assert "1 min under the quota of 5 a minute" in str(plan)


async def test_each_backend_has_its_own_jobs(service: Service) -> None:
    """PUBs stay with the backend that they are bound to, in their order."""
    async with Client(service.account()) as client:
        plan = client.plan([FEZ, HANOI] * 3, backends=["ibm_fez", "ibm_hanoi"], shots=5)

    assert [(job.backend, list(job.pubs)) for job in plan.jobs] == [("ibm_fez", [0, 2, 4]), ("ibm_hanoi", [1, 3, 5])]
    assert plan.limit is None


@pytest.mark.parametrize(
    ("shots", "settings", "limit", "jobs"),
    [
        (4_000_000, {}, "executions", 4),
        (4_000_000, {"qpu_seconds": 1100.0}, "seconds", 8),
        (1, {"pubs_per_job": 2}, "pubs", 4),
    ],
)
async def test_the_limit_that_binds_is_named(
    service: Service, shots: int, settings: dict[str, int], limit: str, jobs: int
) -> None:
    """The plan tells which limit of a job its number of jobs comes from."""
    async with Client(service.account()) as client:
        plan = client.plan([FEZ] * 8, backends=["ibm_fez"], shots=shots, **settings)  # type: ignore[arg-type]

    assert (plan.limit, len(plan.jobs)) == (limit, jobs)
    assert all(job.max_time <= 10_800 for job in plan.jobs)


async def test_what_cannot_be_meant_is_refused(service: Service) -> None:
    """Options, backends and PUBs are checked, and the error names them."""
    async with Client(service.account()) as client:
        with pytest.raises(InvalidOption, match="pubs_per_job"):
            client.plan([FEZ], backends=["ibm_fez"], pubs_per_job=0)
        with pytest.raises(InvalidOption, match="precision is not for the sampler"):
            client.plan([FEZ], backends=["ibm_fez"], precision=0.1)
        with pytest.raises(UsageError, match="write \\['ibm_fez'\\]"):
            client.plan([FEZ], backends="ibm_fez")
        with pytest.raises(UsageError, match="at least one backend"):
            client.plan([FEZ], backends=[])
        with pytest.raises(UsageError, match="iterable of PUBs"):
            client.plan("OPENQASM 3.0;", backends=["ibm_fez"])


async def test_no_pubs_need_no_jobs(service: Service) -> None:
    """The plan for nothing is empty."""
    async with Client(service.account()) as client:
        plan = client.plan([], backends=["ibm_fez"])

    assert (plan.pubs, plan.jobs, plan.minutes, plan.size) == (0, (), 0.0, 0)
    assert "0 PUBs in 0 sampler jobs" in str(plan)
