"""Transpiling with Qiskit on this machine, in processes of its own."""

from __future__ import annotations

import asyncio
import concurrent.futures
import importlib.util
import math
import os
import random
from collections.abc import Sequence

import attrs

from qrt_async.backends import Backends
from qrt_async.errors import MissingExtra, TranspileError, UsageError
from qrt_async.models.pubs import IsaCircuit
from qrt_async.models.typed import Qpy
from qrt_async.regardless import gone
from qrt_async.transpiler.processes import WorkerProcesses
from qrt_async.transpiler.worker import Device, Transpiled, UnknownDevice, transpile
from qrt_async.wire.transpiler import width

_BATCHES_PER_WORKER = 2


@attrs.define
class LocalTranspiler:
    """
    Transpiles with Qiskit's preset passes, never in the event loop's process.

    `executor` is any :class:`concurrent.futures.Executor`; without one, worker processes are started at first use and
    ended by :meth:`aclose`. A backend's description is asked for once.
    """

    _backends: Backends
    _rng: random.Random
    _executor: concurrent.futures.Executor | None = None
    _own: WorkerProcesses | None = attrs.field(default=None, init=False)
    _devices: dict[str, asyncio.Task[Device]] = attrs.field(factory=dict[str, asyncio.Task[Device]], init=False)

    async def transpile(
        self, circuits: Sequence[str | Qpy], *, backend: str, optimization_level: int, ai: bool | None
    ) -> list[IsaCircuit]:
        """
        Return one program per circuit.

        Raises:
            TranspileError: a circuit is not valid OpenQASM or does not fit the backend.
            MissingExtra: Qiskit is not installed.

        """
        if ai:
            raise UsageError("ai=True is for the transpiler service of the legacy platform; local passes have no AI")
        if importlib.util.find_spec("qiskit") is None:
            raise MissingExtra("transpiling needs Qiskit: pip install 'qrt-async[transpile]'")
        device = await self._device(backend)
        size = max(1, math.ceil(len(circuits) / (_BATCHES_PER_WORKER * _workers())))
        starts = range(0, len(circuits), size)
        seed = self._rng.getrandbits(31)
        batches = await asyncio.gather(
            *(
                self._batch(device, start, tuple(circuits[start : start + size]), optimization_level, seed)
                for start in starts
            )
        )
        return [
            IsaCircuit(found.text, backend, found.layout, width(found.text)) for batch in batches for found in batch
        ]

    async def _batch(
        self, device: Device, start: int, circuits: tuple[str | Qpy, ...], level: int, seed: int
    ) -> tuple[Transpiled, ...]:
        loop = asyncio.get_running_loop()
        try:
            answer = await loop.run_in_executor(self._workers(), transpile, device.key, start, circuits, level, seed)
            if isinstance(answer, UnknownDevice):
                answer = await loop.run_in_executor(
                    self._workers(), transpile, device.key, start, circuits, level, seed, device
                )
        except concurrent.futures.BrokenExecutor as error:
            raise TranspileError(f"a worker process died while transpiling: {error}") from error
        if isinstance(answer, UnknownDevice):
            raise TranspileError(f"the executor's workers do not keep what they are told about {device.key}")
        return answer

    def _workers(self) -> concurrent.futures.Executor:
        if self._executor is not None:
            return self._executor
        if self._own is None:
            self._own = WorkerProcesses(_workers())
        return self._own

    async def _device(self, backend: str) -> Device:
        task = self._devices.get(backend)
        if task is None or (task.done() and (task.cancelled() or task.exception())):
            task = self._devices[backend] = asyncio.create_task(self._describe(backend))
        return await asyncio.shield(task)

    async def _describe(self, backend: str) -> Device:
        configuration, properties = await asyncio.gather(
            self._backends.configuration(backend), self._backends.properties(backend)
        )
        key = f"{backend} {configuration.version} {properties.updated}"
        return Device(key, configuration.document, properties.document)

    async def aclose(self) -> None:
        """End the worker processes that were started here."""
        await gone(self._devices.values())
        if self._own is not None:
            own, self._own = self._own, None
            await asyncio.to_thread(own.shutdown, cancel_futures=True)


def _workers() -> int:
    return os.cpu_count() or 1
