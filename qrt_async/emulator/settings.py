"""What can be chosen about an emulator."""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

import attrs
from attrs.validators import ge, gt, in_, optional

from qrt_async.emulator.devices import DEFAULT_DEVICES
from qrt_async.emulator.plans import PREMIUM, REGIONS, Plan


class ClockKind(StrEnum):
    """Whose time the emulator lives by.

    REAL is the machine's; VIRTUAL moves when told; AUTO, moreover, whenever everything waits for it.
    """

    REAL = "real"
    VIRTUAL = "virtual"
    AUTO = "auto"


def _times_by_backend(
    settings: Settings, field: attrs.Attribute[Mapping[str, float]], value: Mapping[str, float]
) -> None:
    for name, seconds in value.items():
        if name not in settings.backends:
            raise ValueError(f"{field.name}: {name!r} is not one of the backends {', '.join(settings.backends)}")
        if not 0 <= seconds < math.inf:
            raise ValueError(f"{field.name} must be numbers of seconds, not {seconds}")


@attrs.frozen
class Settings:
    """How an emulator behaves.

    `api_keys` are the good keys (none: all but those that begin with "bad"), `seed` makes ids and samples
    reproducible, `noiseless` leaves out the devices' noise, `backends` are names of device snapshots,
    `workers` is the number of worker processes. All instances are of one `plan` and `region`. `state` is the file
    that jobs, results and sessions are kept in; `known_500s` answers with an internal error where the service does.

    `clock` is the time it lives by. By backend, `queue_seconds` is how long each job waits at least, `run_seconds` how
    long it then takes the device. Access and bearer tokens live `token_lifetime` seconds (None: as long as the
    service's). `quota` is how many jobs a user may submit in a minute, `pending_jobs` how many may be unfinished
    (None: what the plan says); with `refuse_beyond_usage` jobs beyond an instance's limit are refused rather than kept
    waiting. `record` keeps the requests that arrive.
    """

    api_keys: tuple[str, ...] = ()
    seed: int | None = None
    noiseless: bool = False
    backends: tuple[str, ...] = DEFAULT_DEVICES
    workers: int = attrs.field(default=2, validator=ge(1))
    plan: Plan = PREMIUM
    region: str = attrs.field(default=REGIONS[0], validator=in_(REGIONS))
    state: Path | None = None
    known_500s: bool = False
    clock: ClockKind = ClockKind.REAL
    queue_seconds: Mapping[str, float] = attrs.field(factory=dict[str, float], validator=_times_by_backend)
    run_seconds: Mapping[str, float] = attrs.field(factory=dict[str, float], validator=_times_by_backend)
    token_lifetime: float | None = attrs.field(default=None, validator=optional(gt(0)))
    quota: int | None = attrs.field(default=None, validator=optional(ge(1)))
    pending_jobs: int | None = attrs.field(default=None, validator=optional(ge(0)))
    refuse_beyond_usage: bool = False
    record: bool = False
