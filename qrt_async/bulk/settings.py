"""What can be chosen about planning and running many PUBs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, TypedDict

import attrs

from qrt_async import pubs as pub_rules
from qrt_async.budget import Budget
from qrt_async.bulk.packing import LONGEST_JOB, MOST_EXECUTIONS, Ceilings
from qrt_async.bulk.policies import Policy
from qrt_async.bulk.weighing import base_size
from qrt_async.errors import InvalidOption, UsageError
from qrt_async.models.primitive_options import EstimatorOptions, SamplerOptions

Primitive = Literal["sampler", "estimator"]
Options = SamplerOptions | EstimatorOptions | Mapping[str, Any] | None


class PackingSettings(TypedDict, total=False):
    """How PUBs become jobs; see :class:`FanOutOptions`."""

    primitive: Primitive
    transpile: int | None
    shots: int | None
    precision: float | None
    options: Options
    pubs_per_job: int
    qpu_seconds: float


class FanOutSettings(PackingSettings, total=False):
    """How a run behaves; see :class:`FanOutOptions`."""

    policy: Policy
    mode: Literal["job", "batch", "dedicated"]
    session_time: int | None
    in_flight: int
    tags: Iterable[str]
    private: bool
    budget: Budget | None
    isolate: bool
    on_error: Literal["cancel", "detach"]
    detach: bool
    run: str | None
    look_every: float
    stall_after: float


def _one_of(*words: str) -> Callable[[Any, attrs.Attribute[Any], Any], None]:
    def check(_: object, field: attrs.Attribute[Any], value: object) -> None:
        if value not in words:
            raise InvalidOption(f"{field.name} is {' or '.join(map(repr, words))}, not {value!r}")

    return check


def _whole(least: int, *, none: bool = False) -> Callable[[Any, attrs.Attribute[Any], Any], None]:
    def check(_: object, field: attrs.Attribute[Any], value: object) -> None:
        if value is None and none:
            return
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise InvalidOption(f"{field.name} is a whole number of at least {least}, not {value!r}")

    return check


def _seconds(most: float) -> Callable[[Any, attrs.Attribute[Any], Any], None]:
    def check(_: object, field: attrs.Attribute[Any], value: object) -> None:
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= most:
            raise InvalidOption(f"{field.name} is a number of seconds above 0, up to {most:g}, not {value!r}")

    return check


def _a_policy(_: object, __: object, value: object) -> None:
    if not callable(value) and value not in {"round-robin", "least-busy"}:
        raise InvalidOption(f"policy is 'round-robin', 'least-busy' or a function, not {value!r}")


def _a_level(_: object, __: object, value: int | None) -> None:
    if value is not None and (isinstance(value, bool) or value not in range(4)):
        raise InvalidOption(f"transpile is the optimization level 0, 1, 2 or 3, or None, not {value!r}")


@attrs.frozen(kw_only=True)
class PackingOptions:
    """
    How PUBs become jobs.

    `primitive` is ``"sampler"`` or ``"estimator"``; `shots`, `precision` and `options` are as for one job. OpenQASM
    text is transpiled at level `transpile` for the backend that it goes to; where that is None text is sent as it is,
    and only a ``QuantumCircuit`` is transpiled (level 2). An `IsaCircuit` stays with its backend. `pubs_per_job` bounds
    the PUBs of a job, `qpu_seconds` their estimated time on the QPU (the job is given twice as long before it is
    stopped).
    """

    primitive: Primitive = attrs.field(default="sampler", validator=_one_of("sampler", "estimator"))
    transpile: int | None = attrs.field(default=None, validator=_a_level)
    shots: int | None = None
    precision: float | None = None
    options: Options = None
    pubs_per_job: int = attrs.field(default=100, validator=_whole(1))
    qpu_seconds: float = attrs.field(default=3600.0, validator=_seconds(LONGEST_JOB))

    def __attrs_post_init__(self) -> None:
        sampler = self.primitive == "sampler"
        if (self.precision if sampler else self.shots) is not None:
            raise InvalidOption(f"{'precision' if sampler else 'shots'} is not for the {self.primitive}")
        kind = SamplerOptions if sampler else EstimatorOptions
        if self.options is not None and not isinstance(self.options, kind | Mapping):
            raise InvalidOption(f"options is a {kind.__name__} or a mapping, not {type(self.options).__name__}")

    @property
    def level(self) -> int:
        """The optimization level for circuits that are transpiled."""
        return 2 if self.transpile is None else self.transpile

    def ceilings(self, *, typed: bool) -> Ceilings:
        """Return what one job may hold, its PUBs in the plain or the typed form."""
        return Ceilings(
            pubs=self.pubs_per_job,
            executions=MOST_EXECUTIONS if self.primitive == "sampler" else None,
            seconds=self.qpu_seconds,
            base=base_size(self.primitive, self.options, typed=typed),
        )


@attrs.frozen(kw_only=True)
class FanOutOptions(PackingOptions):
    """
    How a run over many PUBs behaves, beside what :class:`PackingOptions` says.

    `policy` distributes PUBs that are not bound to a backend: ``"round-robin"`` (in turn, those that are full left
    out), ``"least-busy"`` (the shortest queue, asked for every `look_every` seconds), or a function of a PUB and the
    :class:`Candidate` backends that are wide enough, which returns the name of one. `in_flight` bounds the jobs of the
    run that a backend has at a time. `mode` ``"batch"`` or ``"dedicated"`` opens a session on each backend that is
    used, for `session_time` seconds at most. `tags` (six at most) and `private` are as for one job.

    A backend on which no job began or ended for `stall_after` seconds while some were there, or that takes no jobs,
    gets no unbound PUBs while another can. A job that failed is split and submitted again with `isolate`, until its bad
    PUBs are alone, or twice as many jobs were added as halving takes for one. `budget` bounds the quantum seconds.

    `run` names the run in the client's journal: begun again with the same PUBs, by this process or a later one, it goes
    on where it was, and no PUB is submitted twice. Asking for the next result acknowledges the one before; what was not
    acknowledged comes again.

    Leaving the block ends all submitting. Jobs that are still there are cancelled: after an error unless `on_error` is
    ``"detach"``, after a ``break`` unless `detach` is True.
    """

    policy: Policy = attrs.field(default="round-robin", validator=_a_policy)
    mode: Literal["job", "batch", "dedicated"] = attrs.field(
        default="job", validator=_one_of("job", "batch", "dedicated")
    )
    session_time: int | None = attrs.field(default=None, validator=_whole(1, none=True))
    in_flight: int = attrs.field(default=5, validator=_whole(1))
    tags: tuple[str, ...] = attrs.field(default=(), converter=pub_rules.tags)
    private: bool = False
    budget: Budget | None = None
    isolate: bool = False
    on_error: Literal["cancel", "detach"] = attrs.field(default="cancel", validator=_one_of("cancel", "detach"))
    detach: bool = False
    run: str | None = None
    look_every: float = attrs.field(default=30.0, validator=_seconds(86_400))
    stall_after: float = attrs.field(default=900.0, validator=_seconds(86_400))

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        if len(self.tags) > 6:
            raise UsageError(f"a run's jobs take at most 6 tags of yours, not {len(self.tags)}")
        if self.session_time is not None and self.mode == "job":
            raise InvalidOption("session_time is for mode='batch' or mode='dedicated'")


class CoalescingSettings(TypedDict, total=False):
    """How concurrent callers come to share jobs; see :class:`CoalescingOptions`."""

    window: float
    max_pubs: int
    max_waiting: int
    qpu_seconds: float
    when_abandoned: Literal["finish", "cancel"]
    isolate: bool
    on_close: Literal["flush", "refuse"]


@attrs.frozen(kw_only=True)
class CoalescingOptions:
    """
    How PUBs of concurrent callers come to share jobs.

    A job goes out `window` seconds after its first PUB came, or once it is full: by `max_pubs`, executions, bytes, or
    `qpu_seconds` of estimated time on the QPU. Beyond `max_waiting` PUBs that wait to be submitted, callers are refused
    (`Overloaded`).

    A job whose callers have all left goes on, or is cancelled with `when_abandoned` ``"cancel"``. A job that one of its
    PUBs failed, or for which it was refused as a bad request, is halved and submitted again with `isolate`, until the
    bad PUB is alone or twice as many jobs were added as halving takes for one; otherwise all its callers get the error.

    When the block is left, `on_close` ``"flush"`` submits what waits, ``"refuse"`` refuses it (`CoalescerClosed`); both
    then wait for the jobs that are under way.
    """

    window: float = attrs.field(default=0.05, validator=_seconds(3600))
    max_pubs: int = attrs.field(default=100, validator=_whole(1))
    max_waiting: int = attrs.field(default=1000, validator=_whole(1))
    qpu_seconds: float = attrs.field(default=3600.0, validator=_seconds(LONGEST_JOB))
    when_abandoned: Literal["finish", "cancel"] = attrs.field(default="finish", validator=_one_of("finish", "cancel"))
    isolate: bool = False
    on_close: Literal["flush", "refuse"] = attrs.field(default="flush", validator=_one_of("flush", "refuse"))

    def packing(
        self,
        primitive: Primitive,
        *,
        options: Options,
        shots: int | None = None,
        precision: float | None = None,
    ) -> PackingOptions:
        """Return how PUBs of a primitive become jobs."""
        return PackingOptions(
            primitive=primitive,
            options=options,
            shots=shots,
            precision=precision,
            pubs_per_job=self.max_pubs,
            qpu_seconds=self.qpu_seconds,
        )


def backend_names(backends: Iterable[str]) -> tuple[str, ...]:
    """Return checked names of backends, each once."""
    if isinstance(backends, str):
        raise UsageError(f"backends is a list of names, not one name: write [{backends!r}]")
    names = tuple(dict.fromkeys(backends))
    if not names or not all(isinstance(name, str) and name for name in names):
        raise UsageError(f"backends is a list of at least one backend's name, not {names!r}")
    return names
