"""Counts as bars of text."""

from __future__ import annotations

from collections.abc import Mapping

_BAR = "█"


def histogram(counts: Mapping[str, int], *, width: int = 32) -> str:
    """Return one line per bitstring, in the given order, with a bar in proportion to the largest count."""
    most = max(counts.values(), default=0)
    digits = len(str(most))
    return "\n".join(
        f"{bits}  {count:>{digits}}  {_BAR * max(1, round(width * count / most))}" for bits, count in counts.items()
    )
