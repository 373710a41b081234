"""What requests and replies look like on each platform and in each dated version."""

from __future__ import annotations

import enum

import attrs

API_VERSION = "2026-04-15"
"""The only version that ``GET /versions`` calls live (September 2026)."""


class Platform(enum.Enum):
    """The two services that speak this API."""

    LEGACY = "legacy"
    IBM_QUANTUM = "ibm_quantum"


@attrs.frozen
class HubGroupProject:
    """An instance of the legacy platform, written ``hub/group/project``."""

    hub: str
    group: str
    project: str

    def __str__(self) -> str:
        return f"{self.hub}/{self.group}/{self.project}"


@attrs.frozen
class Dialect:
    """
    Platform, version and instance: all that a body or a header depends on besides the operation itself.

    `instance` is None while it is still to be found among those that the key can use.
    """

    platform: Platform
    instance: str | HubGroupProject | None
    api_version: str = API_VERSION

    @property
    def legacy(self) -> HubGroupProject | None:
        """The instance to name in bodies, on the legacy platform alone."""
        return self.instance if isinstance(self.instance, HubGroupProject) else None
