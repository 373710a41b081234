"""What finished jobs used: the one source of usage pages, limits and analytics."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING

import attrs

from qrt_async.emulator import lifecycle
from qrt_async.emulator.records import Platform

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from qrt_async.emulator.records import Job, Session, Tenant

PERIOD = timedelta(days=28)  # over which an allocation counts, rolling


@attrs.frozen
class Charge:
    """What one finished job used; `seconds` is 0 and `started` None for a job that never ran.

    `mode` is that of the job's session, None for a job of its own; `placement` is the LEGACY instance.
    """

    job_id: str
    tenant: Tenant
    backend: str
    seconds: int
    created: datetime
    started: datetime | None
    finished: datetime
    session_id: str | None = None
    mode: str | None = None
    placement: str | None = None

    @property
    def queue_seconds(self) -> float:
        """The time the job waited before it ran, or before it ended otherwise."""
        return ((self.started or self.finished) - self.created).total_seconds()


class Ledger:
    """All charges, in the order in which the jobs ended; deleting a job leaves its charge."""

    def __init__(self) -> None:
        self._by_tenant: dict[Tenant, list[Charge]] = defaultdict(list)

    def enter(self, charge: Charge) -> None:
        """Write one charge down."""
        self._by_tenant[charge.tenant].append(charge)

    def __iter__(self) -> Iterator[Charge]:
        for charges in self._by_tenant.values():
            yield from charges

    def of_tenant(self, tenant: Tenant) -> tuple[Charge, ...]:
        """Give one tenant's charges."""
        return tuple(self._by_tenant.get(tenant, ()))

    def instances_of(self, user_id: str) -> tuple[str, ...]:
        """Give the names of the IBM_QUANTUM instances that a user has had jobs in."""
        return tuple(t.instance for t in self._by_tenant if t.user_id == user_id and t.instance)

    def of_account(self, account: str) -> tuple[Charge, ...]:
        """Give the charges of all instances of an account, whoever caused them."""
        owner = f":a/{account}:"
        return tuple(charge for charge in self._cloud() if owner in charge.tenant.instance)

    def consumed(self, crn: str, now: datetime) -> int:
        """Give the seconds that all users of an instance used in the period that ends now."""
        start = now - PERIOD
        return sum(
            charge.seconds
            for tenant, charges in self._by_tenant.items()
            if tenant.instance == crn
            for charge in charges
            if charge.finished > start
        )

    def waits(self) -> dict[str, list[float]]:
        """Give the seconds that all jobs which ran had waited, by backend."""
        found: dict[str, list[float]] = defaultdict(list)
        for charge in self:
            if charge.started is not None:
                found[charge.backend].append(charge.queue_seconds)
        return found

    def _cloud(self) -> Iterable[Charge]:
        return (charge for charge in self if charge.tenant.platform is Platform.IBM_QUANTUM)


def charge_for(job: Job, session: Session | None) -> Charge:
    """Give the charge of a job that has ended."""
    assert job.finished is not None  # noqa: S101 - it has ended
    return Charge(
        job_id=job.id,
        tenant=job.tenant,
        backend=job.order.backend,
        seconds=lifecycle.charged_seconds(job),
        created=job.created.date,
        started=job.started.date if job.started else None,
        finished=job.finished.date,
        session_id=session.id if session else None,
        mode=session.order.mode if session else None,
        placement=str(job.order.placement) if job.order.placement else None,
    )
