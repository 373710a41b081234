"""A text that nobody prints by accident."""

from __future__ import annotations

import attrs


@attrs.frozen(repr=False)
class Secret:
    """A key or token that shows itself only to :meth:`reveal`."""

    _text: str

    def reveal(self) -> str:
        """Return the text itself, to be put into a request and nowhere else."""
        return self._text

    def __repr__(self) -> str:
        return "Secret('***')"

    __str__ = __repr__

    def __bool__(self) -> bool:
        return bool(self._text)

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a Secret is not pickled: hand the key over where it is used")
