"""What can be chosen about an emulator."""

from __future__ import annotations

from pathlib import Path

import attrs

from qrt_async.emulator.devices import DEFAULT_DEVICES
from qrt_async.emulator.plans import PREMIUM, REGIONS, Plan


@attrs.frozen
class Settings:
    """How an emulator behaves.

    `api_keys` are the good keys (none: all but those that begin with "bad"), `seed` makes ids and samples
    reproducible, `noiseless` leaves out the devices' noise, `backends` are names of device snapshots,
    `workers` is the number of worker processes. All instances are of one `plan` and `region`. `state` is the file
    that jobs, results and sessions are kept in; `known_500s` answers with an internal error where the service does.
    """

    api_keys: tuple[str, ...] = ()
    seed: int | None = None
    noiseless: bool = False
    backends: tuple[str, ...] = DEFAULT_DEVICES
    workers: int = attrs.field(default=2, validator=attrs.validators.ge(1))
    plan: Plan = PREMIUM
    region: str = attrs.field(default=REGIONS[0], validator=attrs.validators.in_(REGIONS))
    state: Path | None = None
    known_500s: bool = False
