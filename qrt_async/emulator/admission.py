"""Whether the service takes one more job from somebody: its quota, and its limits on pending jobs and usage."""

from __future__ import annotations

from collections import defaultdict, deque
from typing import TYPE_CHECKING

from qrt_async.emulator.records import Platform, SessionState
from qrt_async.emulator.refusals import Refusal, bad_body

if TYPE_CHECKING:
    from collections.abc import Collection

    from qrt_async.emulator.clock import Clock
    from qrt_async.emulator.instances import Instances
    from qrt_async.emulator.records import Job, JobOrder, Session, Tenant
    from qrt_async.emulator.settings import Settings

WINDOW = 60.0  # seconds over which the quota counts


class Admission:
    """Refuses jobs beyond the limits of `settings`; what a limit refuses does not count for the quota."""

    def __init__(self, settings: Settings, instances: Instances, clock: Clock) -> None:
        self._settings = settings
        self._instances = instances
        self._clock = clock
        self._taken: dict[str, deque[float]] = defaultdict(deque)

    def count_submission(self, user: str) -> None:
        """Count a request of a user against the quota; raises Refusal (429, code 1202) beyond it."""
        quota = self._settings.quota
        if quota is None:
            return
        now, taken = self._clock.monotonic(), self._taken[user]
        while taken and taken[0] <= now - WINDOW:
            taken.popleft()
        if len(taken) >= quota:
            raise Refusal(
                429,
                1202,
                f"Too many job submission requests received: limit is {quota} per minute.",
                "Wait, and send the request again.",
            )
        taken.append(now)

    def refuse_beyond_limits(self, tenant: Tenant, jobs: Collection[Job]) -> None:
        """Refuse a job when too many of the tenant's `jobs` are pending, or its instance has no usage left."""
        legacy = tenant.platform is Platform.LEGACY
        most = self._settings.pending_jobs
        if most is None and legacy:
            most = self._settings.plan.pending_jobs
        if most is not None and sum(not job.status.final for job in jobs) >= most:
            said = f"There are {most} pending jobs already, the limit of the plan."
            raise Refusal(400, 3458 if legacy else 1012, said, "Wait for one to end.")
        if self._settings.refuse_beyond_usage and not legacy and self._instances.exhausted(tenant.instance):
            raise Refusal(409, None, "Usage exceeds instance limit.", "Raise the limit of the instance.")


def refuse_outsider(session: Session, order: JobOrder) -> None:
    """Refuse a job that its session does not take: it is closed, or on another backend."""
    if session.state is SessionState.CLOSED or not session.accepting_jobs:
        raise Refusal(
            400,
            1217,
            f"Session has been closed. Session ID: {session.id}",
            "Open a new session and submit the job there.",
        )
    if session.backend not in (None, order.backend):
        raise bad_body(f"backend must be {session.backend!r}, the backend of session {session.id}")
