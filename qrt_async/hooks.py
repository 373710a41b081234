"""
What a client does, told as it happens: frozen events for logs, metrics and traces.

Hand functions to ``Client(hooks=[…])``; each is called, in the event loop, with every event, and must not block. No
event holds a credential, a body or a header. ::

    Event
    ├── RequestStarted · RequestEnded          one sending of a request
    ├── RetryPlanned                           a request will be sent again
    ├── QuotaWait                              a submission had to wait for its turn
    ├── TokenRenewed · TokenRejected
    ├── SubmissionAmbiguous                    nobody knows whether a job was created; it is being looked for
    ├── JobSubmitted · DuplicateFound
    ├── JobSeen                                how a waiting job stood when it was looked at
    └── SessionOpened · SessionEnded · SessionLapsing
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

import attrs

_log = logging.getLogger("qrt_async")


@attrs.frozen(kw_only=True)
class Event:
    """The root of everything that hooks are told."""


@attrs.frozen(kw_only=True)
class RequestEnded(Event):
    """
    A request was answered or failed, after `seconds`.

    `error` is what the sending raised, None after a success or where the caller was cancelled; `status` is the reply's
    where it was an error.
    """

    operation: str
    method: str
    host: str
    path: str
    attempt: int
    seconds: float
    status: int | None = None
    error: Exception | None = None


@attrs.frozen(kw_only=True)
class RequestStarted(Event):
    """A request is about to be sent; `attempt` counts from 1."""

    operation: str
    method: str
    host: str
    path: str
    attempt: int

    def ended(self, seconds: float, error: Exception | None) -> RequestEnded:
        """Return the event of its end."""
        return RequestEnded(
            operation=self.operation,
            method=self.method,
            host=self.host,
            path=self.path,
            attempt=self.attempt,
            seconds=seconds,
            status=getattr(error, "status", None),
            error=error,
        )


@attrs.frozen(kw_only=True)
class RetryPlanned(Event):
    """A request that failed with `error` will be sent again after `delay` seconds."""

    operation: str
    attempt: int
    delay: float
    error: Exception


@attrs.frozen(kw_only=True)
class QuotaWait(Event):
    """A submission will wait about so many seconds for its turn under the quota."""

    seconds: float


@attrs.frozen(kw_only=True)
class TokenRenewed(Event):
    """A login gave a new token, after `seconds`; `lifetime` is how long it lives (None: nobody said)."""

    seconds: float
    lifetime: float | None


@attrs.frozen(kw_only=True)
class TokenRejected(Event):
    """The service refused the token, which is being renewed."""

    operation: str


@attrs.frozen(kw_only=True)
class SubmissionAmbiguous(Event):
    """A submission failed so that a job may or may not exist; the service is asked for its tag."""

    tag: str
    error: Exception


@attrs.frozen(kw_only=True)
class JobSubmitted(Event):
    """A job exists; `adopted` where its reply was lost and it was found by its tag."""

    job_id: str
    tag: str
    backend: str
    program: str
    adopted: bool = False


@attrs.frozen(kw_only=True)
class DuplicateFound(Event):
    """One submission had led to two jobs; `given_up` was cancelled unless it was over already."""

    tag: str
    kept: str
    given_up: str
    cancelled: bool


@attrs.frozen(kw_only=True)
class JobSeen(Event):
    """How a job stood when it was looked at."""

    job_id: str
    status: str


@attrs.frozen(kw_only=True)
class SessionOpened(Event):
    """A session is open and, where it is dedicated, billed."""

    session_id: str
    backend: str
    mode: str


@attrs.frozen(kw_only=True)
class SessionEnded(Event):
    """A session was drained or closed; `error` where that did not succeed."""

    session_id: str
    how: str
    error: Exception | None = None


@attrs.frozen(kw_only=True)
class SessionLapsing(Event):
    """An idle session will lose its place on the backend in about so many seconds."""

    session_id: str
    seconds: float


Hook = Callable[[Event], None]


@attrs.frozen
class Hooks:
    """The functions that are told of events."""

    _hooks: tuple[Hook, ...] = ()

    @classmethod
    def of(cls, hooks: Iterable[Hook]) -> Hooks:
        """Return the hooks as one."""
        return cls(tuple(hooks))

    def __bool__(self) -> bool:
        return bool(self._hooks)

    def emit(self, event: Event) -> None:
        """Tell every hook; one that fails is logged, and disturbs neither the call nor the other hooks."""
        for hook in self._hooks:
            try:
                hook(event)
            except Exception:  # noqa: BLE001 - a hook is the user's code: its failure must not cost a job
                _log.exception("a hook failed on %s", type(event).__name__)
