"""A warning before an idle session loses its place on the backend."""

from __future__ import annotations

import asyncio
from typing import Any

import attrs

from qrt_async import hooks as events
from qrt_async.engine import Engine
from qrt_async.jobs import Job

_SHARE = 0.2
_MOST = 10.0


@attrs.define(eq=False)
class IdleWatch:
    """
    Warns, once each time, when a session has had no job for nearly its interactive time to live (seconds).

    It knows of the jobs that were submitted here, and of the end of those that were waited for here.
    """

    session_id: str
    ttl: float
    _engine: Engine
    _running: int = attrs.field(default=0, init=False)
    _timer: asyncio.Task[None] | None = attrs.field(default=None, init=False)
    _closed: bool = attrs.field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        self._start()

    def began(self, job: Job[Any]) -> None:
        """Take notice of a job of the session."""
        self._running += 1
        self._stop()
        job.on_end(self._ended)

    def _ended(self) -> None:
        self._running -= 1
        if self._running == 0 and not self._closed:
            self._start()

    def _start(self) -> None:
        self._stop()
        self._timer = asyncio.create_task(self._warn(), name=f"qrt_async idle session {self.session_id}")

    def _stop(self) -> None:
        if self._timer:
            self._timer.cancel()

    async def _warn(self) -> None:
        ahead = min(_SHARE * self.ttl, _MOST)
        await self._engine.clock.sleep(self.ttl - ahead)
        self._engine.hooks.emit(events.SessionLapsing(session_id=self.session_id, seconds=ahead))
        self._engine.notices.tell(
            f"session {self.session_id} has no job, and loses its place on the backend in {ahead:g} s: "
            "submit the next job, or leave its block",
            again=True,
        )

    async def aclose(self) -> None:
        """Warn no more, whatever ends from now on."""
        self._closed = True
        if self._timer:
            self._timer.cancel()
            await asyncio.wait([self._timer])
