"""What a login gives."""

from __future__ import annotations

import attrs

from qrt_async.secret import Secret


@attrs.frozen
class Token:
    """An access token, and the seconds it lives from its issue on (None where the service did not say)."""

    secret: Secret
    lifetime: float | None = None
