"""What the service says beside its answers, passed on once."""

from __future__ import annotations

import warnings

import attrs


class ServiceWarning(UserWarning):
    """A remark of the service, or of this client on its behalf, that no answer carries."""


@attrs.define
class Notices:
    """Turns remarks into warnings, each text once for a client."""

    _told: set[str] = attrs.field(factory=set[str])

    def tell(self, text: str, *, again: bool = False) -> None:
        """Warn of `text`, unless that was done before and is not to be done `again`."""
        if again or text not in self._told:
            self._told.add(text)
            warnings.warn(text, ServiceWarning, stacklevel=3)
