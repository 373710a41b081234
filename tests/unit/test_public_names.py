"""The public names are pinned."""

from __future__ import annotations

import inspect

import qrt_async
from qrt_async import errors


def test_all_is_sorted_and_complete() -> None:
    """`__all__` is sorted, and lists exactly what the package shows."""
    shown = {
        name for name, value in vars(qrt_async).items() if not name.startswith("_") and not inspect.ismodule(value)
    }

    assert sorted(qrt_async.__all__) == list(qrt_async.__all__)
    assert shown == set(qrt_async.__all__)


def test_every_error_is_public() -> None:
    """Every error that may be raised can be caught by its public name, and has the one root."""
    tree = {name for name, value in vars(errors).items() if inspect.isclass(value) and issubclass(value, Exception)}

    assert tree <= set(qrt_async.__all__)
    assert all(issubclass(getattr(errors, name), errors.QrtError) for name in tree)
