"""The packages the emulator's workers need, which the core of the library does not bring."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

_NEEDED = ("qiskit", "qiskit_aer", "qiskit_ibm_runtime", "qiskit_qasm3_import")


class MissingExtraError(ImportError):
    """The extra `emulator` is not installed; the message says how to install it."""


def require() -> None:
    """Raise MissingExtraError unless everything the workers import is there; imports none of it."""
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise MissingExtraError(
            f"the emulator needs {', '.join(missing)}: install the extra with pip install 'qrt-async[emulator]'"
        )


def installed_version(package: str) -> str | None:
    """Give the numbers of an installed package's version, such as "2.1.0"; imports none of it."""
    try:
        found = re.match(r"\d+(\.\d+)*", version(package))
    except PackageNotFoundError:
        return None
    return found.group() if found else None
