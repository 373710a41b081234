"""What can be chosen about an emulator."""

from __future__ import annotations

import attrs

from qrt_async.emulator.devices import DEFAULT_DEVICES


@attrs.frozen
class Settings:
    """How an emulator behaves.

    `api_keys` are the good keys (none: all but those that begin with "bad"), `seed` makes ids and samples
    reproducible, `noiseless` leaves out the devices' noise, `backends` are names of device snapshots,
    `workers` is the number of worker processes.
    """

    api_keys: tuple[str, ...] = ()
    seed: int | None = None
    noiseless: bool = False
    backends: tuple[str, ...] = DEFAULT_DEVICES
    workers: int = attrs.field(default=2, validator=attrs.validators.ge(1))
