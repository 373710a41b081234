"""What every model of a reply keeps besides its own fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NewType

import attrs

Remark = NewType("Remark", str)
"""A remark that the service adds to an answer."""


@attrs.frozen(kw_only=True)
class Answer:
    """
    A model that was read from a reply.

    `extra` holds the fields that this version does not know, as the service sent them; `request_id` names the reply in
    the service's own logs, where it sent such a name. Neither counts when models are compared.
    """

    extra: Mapping[str, Any] = attrs.field(factory=dict[str, Any], repr=False, eq=False)
    request_id: str | None = attrs.field(default=None, repr=False, eq=False)
