"""A text that nobody prints by accident."""

from __future__ import annotations

from typing import TypeVar

import attrs

T = TypeVar("T", str, bytes)


class _MaskedText(str):
    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


class _MaskedBytes(bytes):
    __slots__ = ()

    def __repr__(self) -> str:
        return "b'***'"


def masked(value: T) -> T:
    """Return the same text or bytes for a request, which show as ``***`` where a traceback prints local variables."""
    return _MaskedText(value) if isinstance(value, str) else _MaskedBytes(value)


@attrs.frozen(repr=False)
class Secret:
    """A key or token that shows itself only to :meth:`reveal`."""

    _text: str

    def reveal(self) -> str:
        """Return the text itself, to be put into a request and nowhere else."""
        return masked(self._text)

    def __repr__(self) -> str:
        return "Secret('***')"

    __str__ = __repr__

    def __bool__(self) -> bool:
        return bool(self._text)

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a Secret is not pickled: hand the key over where it is used")
