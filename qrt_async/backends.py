"""The backends of an instance."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, Unpack

import attrs

from qrt_async.engine import Engine
from qrt_async.errors import NoBackend, NotFound, UsageError
from qrt_async.models.backends import Backend, BackendConfiguration, BackendProperties, BackendStatus
from qrt_async.options import CallOptions
from qrt_async.wire import backends as wire


@attrs.frozen
class Backends:
    """Lists and describes the backends that the account's instance can use."""

    _engine: Engine

    async def list(self, *, wait_times: bool = False, **how: Unpack[CallOptions]) -> tuple[Backend, ...]:
        """Return the backends as the service lists them (``GET /backends``), with `wait_times` where it tells them."""
        return await self._engine.run(wire.list_backends(self._engine.account.dialect, wait_times=wait_times), **how)

    async def get(self, name: str) -> Backend:
        """
        Return one backend, with status, queue and qubits on either platform.

        Raises:
            NotFound: no such backend, for this instance.

        """
        status, configuration = await asyncio.gather(self.status(name), self.configuration(name))
        return _described(name, status, configuration)

    async def status(self, name: str, **how: Unpack[CallOptions]) -> BackendStatus:
        """Return how a backend is doing (``GET /backends/{name}/status``)."""
        return await self._engine.run(wire.status(name), **how)

    async def configuration(
        self, name: str, *, calibration_id: str | None = None, **how: Unpack[CallOptions]
    ) -> BackendConfiguration:
        """Return what a backend can do (``GET /backends/{name}/configuration``)."""
        return await self._engine.run(wire.configuration(name, calibration_id=calibration_id), **how)

    async def properties(
        self,
        name: str,
        *,
        updated_before: dt.datetime | None = None,
        calibration_id: str | None = None,
        **how: Unpack[CallOptions],
    ) -> BackendProperties:
        """Return a backend's calibration, the last one or an older one (``GET /backends/{name}/properties``)."""
        call = wire.properties(name, updated_before=updated_before, calibration_id=calibration_id)
        return await self._engine.run(call, **how)

    async def defaults(self, name: str, **how: Unpack[CallOptions]) -> Mapping[str, Any] | None:
        """Return a backend's default settings, None on every device of today (``GET /backends/{name}/defaults``)."""
        return await self._engine.run(wire.defaults(name), **how)

    async def least_busy(self, *, min_qubits: int = 1, simulators: bool = False) -> Backend:
        """
        Return the operational backend with the shortest queue; of equals the first by name.

        Raises:
            NoBackend: none has so many qubits and takes jobs.

        """
        if min_qubits < 1:
            raise UsageError(f"min_qubits is at least 1, not {min_qubits}")
        listed = await self._complete(await self.list())
        fitting = [
            backend
            for backend in listed
            if backend.operational and (backend.qubits or 0) >= min_qubits and (simulators or not backend.simulator)
        ]
        if not fitting:
            names = ", ".join(sorted(backend.name for backend in listed)) or "none"
            raise NoBackend(f"no operational backend has {min_qubits} qubits; the instance has: {names}")
        return min(fitting, key=lambda backend: (backend.queue_length or 0, backend.name))

    async def _complete(self, listed: Sequence[Backend]) -> Sequence[Backend]:
        """Return the backends with status and qubits, asked for one by one where the list holds names alone."""
        if all(backend.status is not None for backend in listed):
            return listed
        asked = await asyncio.gather(*(self._get_if_there(backend.name) for backend in listed))
        return [backend for backend in asked if backend is not None]

    async def _get_if_there(self, name: str) -> Backend | None:
        try:
            return await self.get(name)
        except NotFound:
            return None


def _described(name: str, status: BackendStatus, configuration: BackendConfiguration) -> Backend:
    return Backend(
        name=name,
        status="online" if status.operational else (status.status or "offline"),
        status_reason=status.message or None,
        queue_length=status.pending_jobs,
        qubits=configuration.qubits,
        simulator=configuration.simulator,
    )
