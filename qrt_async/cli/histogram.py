"""Counts as bars of text."""

from __future__ import annotations

from collections.abc import Mapping

_BAR = "█"
_WIDEST = 24  # bits; wider registers are shown in hexadecimal


def histogram(counts: Mapping[str, int], *, width: int = 32, most: int = 16) -> str:
    """
    Return one line per bitstring, with a bar in proportion to the largest count.

    Up to `most` bitstrings come in the given order; of more, the most frequent ones, and a last line counts the rest.
    A bitstring of more than 24 bits is written in hexadecimal.
    """
    shown = dict(counts)
    if len(counts) > most:
        shown = dict(sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:most])
    highest = max(shown.values(), default=0)
    digits = len(str(highest))
    lines = [
        f"{label(bits)}  {count:>{digits}}  {_BAR * max(1, round(width * count / highest))}"
        for bits, count in shown.items()
    ]
    rest = len(counts) - len(shown)
    return "\n".join([*lines, *([f"and {rest} more"] if rest else [])])


def label(bits: str) -> str:
    """Return a bitstring as it is shown: in hexadecimal where it is wider than 24 bits."""
    return bits if len(bits) <= _WIDEST else f"0x{int(bits, 2):0{-(-len(bits) // 4)}x}"
