"""
What a client does, told as it happens: frozen events for logs, metrics and traces.

Hand functions to ``Client(hooks=[…])``; each is called, in the event loop, with every event, and must not block. No
event holds a credential, a body or a header. :class:`LoggingHook` is such a function for :mod:`logging`, and
:class:`qrt_async.otel.OpenTelemetryHook` one for OpenTelemetry. ::

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
    """
    A job exists; `adopted` where its reply was lost and it was found by its tag.

    `seconds` is what the submission took, with its waits and repetitions (None: not measured).
    """

    job_id: str
    tag: str
    backend: str
    program: str
    adopted: bool = False
    seconds: float | None = None


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


_LINES: dict[type[Event], str] = {
    RequestStarted: "{e.operation}: {e.method} {e.host}{path}, attempt {e.attempt}",
    RequestEnded: "{e.operation}: {e.method} {e.host}{path}, attempt {e.attempt}: {status} after {e.seconds:.3f} s",
    RetryPlanned: "{e.operation}: attempt {e.attempt} failed, and is repeated in {e.delay:.2f} s",
    QuotaWait: "a submission waits about {e.seconds:.1f} s for its turn under the quota",
    TokenRenewed: "logged in, in {e.seconds:.3f} s",
    TokenRejected: "{e.operation}: the token was refused, and is renewed",
    SubmissionAmbiguous: "submission {e.tag}: a job may exist or not, and is looked for",
    JobSubmitted: "submission {e.tag}: job {e.job_id} ({e.program} on {e.backend})",
    DuplicateFound: "submission {e.tag}: two jobs, {e.kept} is kept and {e.given_up} given up",
    JobSeen: "job {e.job_id}: {e.status}",
    SessionOpened: "session {e.session_id}: open ({e.mode} on {e.backend})",
    SessionEnded: "session {e.session_id}: {e.how}",
    SessionLapsing: "session {e.session_id}: idle, and loses its place in about {e.seconds:.0f} s",
}

_CHATTER = (RequestStarted, RequestEnded, JobSeen)
_TROUBLE = (RetryPlanned, TokenRejected, SubmissionAmbiguous, DuplicateFound, SessionLapsing)


def line(event: Event) -> str:
    """Return an event as one line of text; a path's query is left out."""
    path = str(getattr(event, "path", "")).partition("?")[0]
    error = getattr(event, "error", None)
    status = getattr(event, "status", None) or ("ended" if error is None else "no reply")
    text = _LINES.get(type(event), "{e}").format(e=event, path=path, status=status)
    return " ".join((text if error is None else f"{text}: {type(error).__name__}: {error}").split())


@attrs.frozen
class LoggingHook:
    """
    Writes each event as one line to a logger, ``qrt_async`` unless another is given.

    Requests and looks at jobs are written at DEBUG, trouble at WARNING, all else at `level`; a record has the event
    itself as its attribute ``qrt_event``, for formatters that write fields.
    """

    logger: logging.Logger = _log
    level: int = logging.INFO

    def __call__(self, event: Event) -> None:
        """Write the event."""
        level = self._level(event)
        if self.logger.isEnabledFor(level):
            self.logger.log(level, "%s", line(event), extra={"qrt_event": event})

    def _level(self, event: Event) -> int:
        if isinstance(event, _TROUBLE) or (isinstance(event, SessionEnded) and event.error is not None):
            return max(self.level, logging.WARNING)
        return logging.DEBUG if isinstance(event, _CHATTER) else self.level
