"""Instances: who has them, what limits their use, and how much of that is left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from qrt_async.emulator.ledger import PERIOD
from qrt_async.emulator.plans import own_crn
from qrt_async.emulator.refusals import Refusal

if TYPE_CHECKING:
    from datetime import datetime

    from qrt_async.emulator.clock import Clock
    from qrt_async.emulator.ledger import Ledger
    from qrt_async.emulator.plans import Plan


@attrs.frozen
class Consumption:
    """An instance's use in the period from `start` to `end`, in seconds; `limit` is its own, None if it has none."""

    seconds: int
    limit: int | None
    allocation: int | None
    start: datetime
    end: datetime

    @property
    def bound(self) -> int | None:
        """The seconds after which jobs wait: the lower of limit and allocation."""
        return min((each for each in (self.limit, self.allocation) if each is not None), default=None)

    @property
    def exhausted(self) -> bool:
        """Tell whether new jobs have to wait."""
        return self.bound is not None and self.seconds >= self.bound


class Instances:
    """All instances are of one plan and one region.

    `limits` holds what `PUT /instances/configuration` set, `parameters` what the resource controller was last sent.
    """

    def __init__(self, plan: Plan, region: str, ledger: Ledger, clock: Clock) -> None:
        self.plan: Plan = plan
        self.region: str = region
        self.limits: dict[str, int] = {}
        self.parameters: dict[str, dict[str, Any]] = {}
        self._ledger = ledger
        self._clock = clock

    def consumption(self, crn: str) -> Consumption:
        """Give what an instance has used of what it may use."""
        now = self._clock.now()
        return Consumption(
            self._ledger.consumed(crn, now), self.limits.get(crn), self.plan.allocation, now - PERIOD, now
        )

    def exhausted(self, crn: str) -> bool:
        """Tell whether an instance has used all it may."""
        if self.plan.allocation is None and crn not in self.limits:
            return False
        return self.consumption(crn).exhausted

    def set_limit(self, crn: str, limit: int | None) -> None:
        """Set or remove (None) an instance's limit in seconds; one that is used up already is refused."""
        if limit is None:
            self.limits.pop(crn, None)
            return
        used = self.consumption(crn).seconds
        if used >= limit:
            raise Refusal(
                409,
                None,
                f"The usage of the instance, {used} seconds, exceeds the limit of {limit} seconds.",
                "Choose a higher limit.",
            )
        self.limits[crn] = limit

    def new_parameters(self, crn: str, parameters: dict[str, Any]) -> bool:
        """Note what the resource controller was sent for an instance; False if it was just the same before."""
        fresh = self.parameters.get(crn) != parameters
        self.parameters[crn] = parameters
        return fresh

    def of_user(self, user_id: str) -> list[str]:
        """Give the names of a user's instances: their own, and those they have used."""
        own = own_crn(user_id, self.region)
        return list(dict.fromkeys([own, *self._ledger.instances_of(user_id)]))
