"""How a client behaves: frozen values, checked when they are made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypedDict

import attrs

from qrt_async.errors import InvalidOption


def _at_least(low: float, *, none: bool = False) -> Callable[[Any, attrs.Attribute[Any], Any], None]:
    def check(instance: object, attribute: attrs.Attribute[Any], value: float | None) -> None:
        if value is None and none:
            return
        if isinstance(value, bool) or not isinstance(value, int | float) or not value >= low:
            or_none = " or None" if none else ""
            name = f"{type(instance).__name__}({attribute.name}=…)"
            raise InvalidOption(f"{name} must be a number of at least {low}{or_none}, not {value!r}")

    return check


@attrs.frozen(kw_only=True)
class Timeouts:
    """
    Seconds that one request, or one call with all its repetitions, may take.

    A submission is given long (the official client grants 900 s as well): a reply that comes late is not a failure,
    while giving up on it leaves open whether a job was created.
    """

    connect: float = attrs.field(default=10.0, validator=_at_least(0.001))
    request: float = attrs.field(default=60.0, validator=_at_least(0.001))
    submission: float = attrs.field(default=900.0, validator=_at_least(0.001))
    results: float = attrs.field(default=900.0, validator=_at_least(0.001))
    call: float = attrs.field(default=300.0, validator=_at_least(0.001))
    transpilation: float = attrs.field(default=600.0, validator=_at_least(0.001))
    closing: float = attrs.field(default=30.0, validator=_at_least(0.001))


@attrs.frozen(kw_only=True)
class RetryPolicy:
    """How often a request that may be repeated is repeated, and after how many seconds."""

    max_retries: int = attrs.field(default=5, validator=_at_least(0))
    initial: float = attrs.field(default=0.5, validator=_at_least(0))
    maximum: float = attrs.field(default=30.0, validator=_at_least(0))


@attrs.frozen(kw_only=True)
class SubmissionPolicy:
    """
    How the client finds out what became of a submission whose reply was lost.

    For `settle` seconds it looks for the job's tag, at first after `initial` seconds and then ever more rarely; only a
    tag that was not found by then is submitted again.
    """

    settle: float = attrs.field(default=15.0, validator=_at_least(0))
    initial: float = attrs.field(default=0.5, validator=_at_least(0.001))


OnCancel = Literal["detach", "cancel"]
"""What becomes of a remote job whose caller is cancelled: it goes on, or it is cancelled as well."""


SessionEnd = Literal["drain", "cancel"]
"""How a session ends: it takes no more jobs and closes once those it has are over, or it closes at once."""


class CallOptions(TypedDict, total=False):
    """
    What every call that speaks to the service takes.

    `timeout` bounds it in seconds, with all its repetitions; `max_retries` is how often it may be repeated.
    """

    timeout: float | None
    max_retries: int | None


def check_call(timeout: float | None, max_retries: int | None) -> None:
    """Refuse a bound that no call can have."""
    if timeout is not None and (isinstance(timeout, bool) or not timeout > 0):
        raise InvalidOption(f"timeout is a number of seconds above 0, not {timeout!r}")
    if max_retries is not None and (isinstance(max_retries, bool) or max_retries < 0):
        raise InvalidOption(f"max_retries is a whole number of at least 0, not {max_retries!r}")


class SubmitOptions(CallOptions, total=False):
    """
    What every submission takes besides.

    `key` is the caller's own name for it: the same key gives the same job, in this process or the next. `on_cancel`
    says what becomes of the job where the caller is cancelled, while it is submitted or waited for.
    """

    key: str | None
    on_cancel: OnCancel


@attrs.frozen(kw_only=True)
class PollPolicy:
    """
    How often a waiting job is looked at: `initial` seconds after its submission, then ever later up to `maximum`.

    `max_wait` ends a wait for which the caller gave no `timeout`; queues last hours, so it is counted in days. A job of
    a session is looked at every `session_maximum` seconds at least, since an idle session costs money.
    """

    initial: float = attrs.field(default=0.5, validator=_at_least(0))
    factor: float = attrs.field(default=1.5, validator=_at_least(1))
    maximum: float = attrs.field(default=15.0, validator=_at_least(0))
    max_wait: float = attrs.field(default=7 * 86_400.0, validator=_at_least(0.001))
    session_maximum: float = attrs.field(default=1.0, validator=_at_least(0))


@attrs.frozen(kw_only=True)
class Limits:
    """
    What one client allows itself.

    `concurrent_requests` bounds the requests under way at once. `submissions_per_minute` is the quota that IBM states
    for ``POST /jobs`` (5 a minute and user): a submission waits for its turn. None lifts a limit.
    """

    concurrent_requests: int | None = attrs.field(default=64, validator=_at_least(1, none=True))
    submissions_per_minute: int | None = attrs.field(default=5, validator=_at_least(1, none=True))
