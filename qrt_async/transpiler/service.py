"""The transpiler service of the legacy platform."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import attrs

from qrt_async.clock import Deadline
from qrt_async.engine import Engine
from qrt_async.errors import TranspileError, UsageError, WaitTimeout
from qrt_async.models.pubs import IsaCircuit
from qrt_async.models.typed import Qpy
from qrt_async.options import PollPolicy
from qrt_async.wire import decisions
from qrt_async.wire import transpiler as wire

_POLL = PollPolicy(initial=0.25, factor=1.5, maximum=5.0)
"""Close together: the service keeps a result for twenty minutes only."""


@attrs.frozen
class ServiceTranspiler:
    """Submits circuits to the service and polls the task until it is done."""

    _engine: Engine

    async def transpile(
        self, circuits: Sequence[str | Qpy], *, backend: str, optimization_level: int, ai: bool | None
    ) -> list[IsaCircuit]:
        """Return one program per circuit, made by the service (``POST /transpile``)."""
        if optimization_level == 0:
            raise UsageError("the transpiler service knows the optimization levels 1 to 3")
        texts = await asyncio.to_thread(lambda: [_text(circuit) for circuit in circuits])
        deadline = Deadline.after(self._engine.clock, self._engine.timeouts.transpilation)
        task_id = await self._engine.run(
            wire.submit(texts, backend=backend, optimization_level=optimization_level, ai=ai)
        )
        found = await self._poll(task_id, backend, deadline)
        if len(found) != len(circuits):
            raise TranspileError(f"task {task_id} gave {len(found)} programs for {len(circuits)} circuits")
        return list(found)

    async def _poll(self, task_id: str, backend: str, deadline: Deadline) -> tuple[IsaCircuit, ...]:
        delays = decisions.poll_delays(_POLL, self._engine.rng)
        while True:
            progress = await self._engine.run(wire.progress(task_id, backend=backend))
            if progress.failed:
                raise TranspileError(
                    f"task {task_id} failed; the service gives no reason: check that every circuit is valid OpenQASM "
                    f"and fits {backend}"
                )
            if progress.circuits is not None:
                return progress.circuits
            remaining = deadline.remaining()
            if remaining <= 0:
                raise WaitTimeout(f"transpiler task {task_id} is not done yet")
            await self._engine.clock.sleep(min(next(delays), remaining))

    async def aclose(self) -> None:
        """Release nothing: the service keeps its own tasks."""


def _text(circuit: str | Qpy) -> str:
    if isinstance(circuit, str):
        return circuit
    from qrt_async import qiskit_bridge

    return qiskit_bridge.openqasm(circuit)
