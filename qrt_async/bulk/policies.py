"""Which backend a pack of PUBs goes to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import attrs

from qrt_async.models.backends import Backend
from qrt_async.models.pubs import EstimatorPub, SamplerPub


@attrs.frozen
class Candidate:
    """
    A backend that could take a PUB.

    `backend` is how the service lists it (qubits, errors, speed; None where it was not asked), `queue_length` the jobs
    that waited there when it was last looked at, and `in_flight` the run's own jobs there.
    """

    name: str
    backend: Backend | None = attrs.field(default=None, repr=False)
    queue_length: int | None = None
    in_flight: int = 0


Policy = Literal["round-robin", "least-busy"] | Callable[[SamplerPub | EstimatorPub, Sequence[Candidate]], str]


@attrs.define
class Turns:
    """Chooses among free backends, in turn or by the length of their queues."""

    policy: Policy
    _last: dict[str, int] = attrs.field(factory=dict[str, int], init=False)
    _count: int = attrs.field(default=0, init=False)

    def choose(self, free: Sequence[Candidate]) -> str:
        """Return the backend that gets the next pack."""
        if self.policy == "least-busy":
            chosen = min(free, key=lambda one: (one.queue_length or 0, one.in_flight, one.name))
        else:
            chosen = min(free, key=lambda one: self._last.get(one.name, 0))
        self._count += 1
        self._last[chosen.name] = self._count
        return chosen.name
