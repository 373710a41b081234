"""``qrt emulator``."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from qrt_async.emulator.__main__ import main


def emulator(*arguments: Annotated[str, Parameter(allow_leading_hyphen=True, show=False)]) -> int:
    """Start the emulator and serve until Ctrl-C; 'qrt emulator --help' lists its options."""
    return main(arguments)
