"""Circuits → programs in a backend's own instructions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from qrt_async.models.pubs import IsaCircuit
from qrt_async.models.typed import Qpy


class Transpiler(Protocol):
    """What turns circuits into :class:`IsaCircuit` values, in their order."""

    async def transpile(
        self, circuits: Sequence[str | Qpy], *, backend: str, optimization_level: int, ai: bool | None
    ) -> list[IsaCircuit]:
        """
        Return one program per circuit.

        Raises:
            TranspileError: one of the circuits could not be transpiled.

        """
        ...

    async def aclose(self) -> None:
        """Release what the transpiler holds."""
        ...
