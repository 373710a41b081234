"""Scripted misbehaviour: which requests are struck, and what happens to them.

The same faults, seed and order of requests give the same misbehaviour.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any

import attrs

from qrt_async.emulator.fates import Fate

if TYPE_CHECKING:
    from qrt_async.emulator.clock import Clock
    from qrt_async.emulator.records import Job

_PREFIXES = ("/runtime", "/api/v1")
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "*")


class Work(StrEnum):
    """When what was asked for is really done: before the reply, never, or some time after it."""

    DONE = "done"
    UNDONE = "undone"
    LATE = "late"


class Garble(StrEnum):
    """What is wrong with garbled JSON, at one random place (IDS: with every id)."""

    TYPES = "types"
    MISSING = "missing"
    IDS = "ids"
    ANY = "any"


@attrs.frozen
class Truth:
    """The reply as it would have been."""


@attrs.frozen
class Answer:
    """Another reply; without a `body` an error in the shape of the host, with `code` and `message`.

    A `body` that is text is HTML, unless `content_type` says otherwise; all others are sent as JSON. `retry_after`
    is a number of seconds, sent as a date with `retry_after_as_date`, or a text, sent as it is.
    """

    status: int = attrs.field(validator=[attrs.validators.ge(200), attrs.validators.le(599)])
    body: Any = None
    content_type: str | None = None
    retry_after: float | str | None = None
    retry_after_as_date: bool = False
    code: int | str | None = None
    message: str = "The service is out of order."


@attrs.frozen
class HangUp:
    """No reply: the connection is closed, with `reset` abruptly (RST)."""

    reset: bool = False


@attrs.frozen
class Cut:
    """The first `size` bytes of the reply's body, then the end of the connection."""

    size: int = attrs.field(validator=attrs.validators.ge(0))


@attrs.frozen
class WrongLength:
    """The reply with a Content-Length that is `by` too large or, negative, too small; then the connection ends."""

    by: int


@attrs.frozen
class Edited:
    """The reply's JSON with some values replaced and others removed.

    Places are names joined by dots, `*` stands for every element or field: `jobs.*.tags`. A place that is not there is
    made by `replace`, as long as what it is in is there.
    """

    replace: Mapping[str, Any] = attrs.field(factory=dict[str, Any])
    remove: tuple[str, ...] = ()


@attrs.frozen
class Garbled:
    """The reply's JSON, wrong at random."""

    how: Garble = Garble.ANY


Reply = Truth | Answer | HangUp | Cut | WrongLength | Edited | Garbled


def _is_method_and_path(_fault: Fault, _field: object, value: str) -> None:
    method, _, path = value.partition(" ")
    if method not in _METHODS or not path.startswith("/"):
        raise ValueError(f"on must be a method and a path, such as 'POST /jobs', not {value!r}")


def _suits_the_reply(fault: Fault, _field: object, value: Work | None) -> None:
    if value in (Work.UNDONE, Work.LATE) and not isinstance(fault.reply, Answer | HangUp):
        raise ValueError("only an Answer or a HangUp can be given before the work is done")


@attrs.frozen
class Fault:
    """One kind of misbehaviour.

    `on` is a method and a path, with or without the platform's prefix: `POST /jobs`, `GET /runtime/jobs/*/results`,
    `* /**`; `*` stands for one segment, `**` for any number. Of the requests that match, it strikes those numbered
    in `nth` (from 1; empty: all), each with the probability `share`, `times` times at most, and for `seconds` after it
    was injected.

    What happens: the work is done (`work`; None: not at all for an `Answer` or a `HangUp`, otherwise before the reply;
    LATE means `late` seconds after it), `delay` seconds pass, and `reply` is given. `ignore` names query parameters
    that are treated as if they were not there, in requests without a body. `lag_seconds` keeps jobs that are younger
    out of lists, `lag_looks` keeps each job out of that many lists. `fate` is that of the job which the request
    submits. Seconds are those of the emulator's clock.
    """

    on: str = attrs.field(validator=_is_method_and_path)
    reply: Reply = attrs.field(factory=Truth)
    share: float = attrs.field(default=1.0, validator=[attrs.validators.ge(0), attrs.validators.le(1)])
    nth: tuple[int, ...] = ()
    times: int | None = attrs.field(default=None, validator=attrs.validators.optional(attrs.validators.ge(1)))
    seconds: float | None = None
    work: Work | None = attrs.field(default=None, validator=_suits_the_reply)
    late: float = attrs.field(default=0.0, validator=attrs.validators.ge(0))
    delay: float = attrs.field(default=0.0, validator=attrs.validators.ge(0))
    ignore: tuple[str, ...] = ()
    lag_seconds: float = attrs.field(default=0.0, validator=attrs.validators.ge(0))
    lag_looks: int = attrs.field(default=0, validator=attrs.validators.ge(0))
    fate: Fate | None = None

    @property
    def when(self) -> Work:
        """When the work is done."""
        if self.work is not None:
            return self.work
        return Work.UNDONE if isinstance(self.reply, Answer | HangUp) else Work.DONE


@attrs.define(eq=False)
class Injected:
    """A fault at work: how many requests matched, how many it struck, and what it must remember for that."""

    fault: Fault
    random: random.Random
    until: float | None
    matched: int = 0
    struck: int = 0
    _looks: dict[str, int] = attrs.field(factory=dict[str, int])

    def strikes(self) -> bool:
        """Count one matching request, and tell whether it is struck."""
        self.matched += 1
        if self.fault.times is not None and self.struck >= self.fault.times:
            return False
        if self.fault.nth and self.matched not in self.fault.nth:
            return False
        if self.random.random() >= self.fault.share:
            return False
        self.struck += 1
        return True

    def hides(self, job: Job, now: float) -> bool:
        """Tell whether a job does not show in this look at a list yet; `now` in monotonic seconds."""
        if now - job.created.monotonic < self.fault.lag_seconds:
            return True
        looks = self._looks.get(job.id, 0)
        if looks >= self.fault.lag_looks:
            return False
        self._looks[job.id] = looks + 1
        return True

    @property
    def lags(self) -> bool:
        """Tell whether it hides anything at all."""
        return bool(self.fault.lag_seconds or self.fault.lag_looks)


class Faults:
    """All faults at work; of those that match a request, the first that strikes has it alone."""

    def __init__(self, seed: int, clock: Clock) -> None:
        self._seed = seed
        self._clock = clock
        self._injected: list[Injected] = []
        self._number = 0

    def inject(self, fault: Fault) -> None:
        """Put a fault to work, after those that are."""
        until = None if fault.seconds is None else self._clock.monotonic() + fault.seconds
        source = random.Random(f"{self._seed}:fault:{self._number}")  # noqa: S311 - reproducible on purpose
        self._number += 1
        self._injected.append(Injected(fault, source, until))

    def clear(self) -> None:
        """Take all faults back."""
        self._injected.clear()

    @property
    def injected(self) -> tuple[Injected, ...]:
        """All faults, in the order of their injection."""
        return tuple(self._injected)

    def strike(self, method: str, path: str) -> Injected | None:
        """Give the fault that strikes this request, if there is one."""
        for each in self._injected:
            if each.until is not None and self._clock.monotonic() >= each.until:
                continue
            if matches(each.fault.on, method, path) and each.strikes():
                return each
        return None


def matches(on: str, method: str, path: str) -> bool:
    """Tell whether a request is one of those that `on` speaks of."""
    wanted, _, pattern = on.partition(" ")
    if wanted not in ("*", method):
        return False
    compiled = _compiled(pattern)
    bare = (path.removeprefix(prefix) for prefix in _PREFIXES if path.startswith(prefix + "/"))
    return any(compiled.fullmatch(each) for each in (path, *bare))


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"(\*\*|\*)", pattern)
    return re.compile("".join({"**": ".*", "*": "[^/]*"}.get(part) or re.escape(part) for part in parts), re.DOTALL)
