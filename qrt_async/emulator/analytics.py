"""Sums over charges: what `/analytics/…` tells, in milliseconds."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import attrs

from qrt_async.emulator.plans import Crn

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from qrt_async.emulator.ledger import Charge
    from qrt_async.emulator.plans import Plan

DAY = timedelta(days=1)
GROUPS = ("instance", "backend", "user_id", "plan", "subscription_id")


@attrs.frozen
class Selection:
    """Which charges count: those whose jobs ended in [start, end), and that match every list that is not empty."""

    start: datetime | None = None
    end: datetime | None = None
    values: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict[str, tuple[str, ...]])

    def of(self, charges: Iterable[Charge], plan: Plan) -> list[Charge]:
        """Give the charges that count."""
        asked = {group: frozenset(wanted) for group, wanted in self.values.items() if wanted}
        return [
            charge
            for charge in charges
            if (self.start is None or charge.finished >= self.start)
            and (self.end is None or charge.finished < self.end)
            and all(key_of(charge, group, plan) in wanted for group, wanted in asked.items())
        ]


def key_of(charge: Charge, group: str, plan: Plan) -> str:
    """Give what a charge is grouped under."""
    if group == "subscription_id":
        crn = Crn.parse(charge.tenant.instance)
        return crn.subscription if crn else ""
    keys = {
        "instance": charge.tenant.instance,
        "backend": charge.backend,
        "user_id": charge.tenant.user_id,
        "plan": plan.name,
    }
    return keys[group]


def totals(charges: Iterable[Charge]) -> dict[str, float]:
    """Add up charges the way every analytics page shows them; averages over nothing are 0."""
    rows = list(charges)
    sessions = _by_session(row for row in rows if row.session_id is not None)
    batches = _by_session(row for row in rows if row.mode == "batch")
    dedicated = _by_session(row for row in rows if row.mode == "dedicated")
    alone = [row.seconds for row in rows if row.session_id is None]
    waits = [row.queue_seconds for row in rows]
    return {
        "usage": _milliseconds(sum(row.seconds for row in rows)),
        "jobs": len(rows),
        **_figures("sessions", sessions),
        **_figures("batch_sessions", batches),
        **_figures("dedicated_sessions", dedicated),
        **_figures("individual_jobs", alone),
        "queue_time": _milliseconds(sum(waits)),
        "avg_queue_time": _milliseconds(_mean(waits)),
        "max_queue_time": _milliseconds(max(waits, default=0)),
    }


def grouped(charges: Iterable[Charge], group: str, plan: Plan) -> dict[str, list[Charge]]:
    """Sort charges into groups, in the order of their first ones."""
    groups: dict[str, list[Charge]] = defaultdict(list)
    for charge in charges:
        groups[key_of(charge, group, plan)].append(charge)
    return groups


def daily(charges: Iterable[Charge]) -> dict[datetime, list[Charge]]:
    """Sort charges by the day (UTC) on which their jobs ended, the first day first."""
    days: dict[datetime, list[Charge]] = defaultdict(list)
    for charge in charges:
        days[charge.finished.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)].append(charge)
    return dict(sorted(days.items()))


def _by_session(charges: Iterable[Charge]) -> list[int]:
    sums: dict[str | None, int] = defaultdict(int)
    for charge in charges:
        sums[charge.session_id] += charge.seconds
    return list(sums.values())


def _figures(name: str, seconds: list[int]) -> dict[str, float]:
    return {
        name: len(seconds),
        f"{name}_usage": _milliseconds(sum(seconds)),
        f"avg_{name}_usage": _milliseconds(_mean(seconds)),
        f"max_{name}_usage": _milliseconds(max(seconds, default=0)),
    }


def _mean(values: list[int] | list[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 3)
