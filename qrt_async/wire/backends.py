"""Backend operations."""

from __future__ import annotations

from typing import Any

import attrs

from qrt_async.models.backends import (
    Backend,
    BackendConfiguration,
    BackendProperties,
    BackendStatus,
    Calibration,
    GateCalibration,
)
from qrt_async.wire import codec
from qrt_async.wire.call import Call, Reply, buffered, path, query
from qrt_async.wire.dialect import Dialect


@attrs.frozen
class _Availability:
    name: str
    reason: str | None = None


@attrs.frozen
class _Device:
    name: str
    status: _Availability | None = None
    queue_length: int | None = None
    qubits: int | None = None
    is_simulator: bool | None = None


@attrs.frozen
class _Devices:
    devices: tuple[str | _Device, ...]


@attrs.frozen
class _Status:
    length_queue: int
    state: bool | None = None
    status: str | None = None
    message: str | None = None
    backend_version: str | None = None


codec.wire_form(
    str | _Device,
    lambda converter: lambda value, _: value if isinstance(value, str) else converter.structure(value, _Device),
)
codec.wire_names(BackendConfiguration, name="backend_name", version="backend_version", qubits="n_qubits")
codec.wire_names(Calibration)
codec.wire_names(GateCalibration)
codec.wire_names(BackendProperties, name="backend_name", version="backend_version", updated="last_update_date")


def list_backends(dialect: Dialect) -> Call[tuple[Backend, ...]]:
    """``GET /backends``: names alone, or with status, queue and qubits, as the version of the API gives them."""

    def read(reply: Reply) -> tuple[Backend, ...]:
        found = codec.load(codec.parse(reply.body, operation="backends.list"), _Devices, operation="backends.list")
        return tuple(_backend(device) for device in found.devices)

    provider = str(dialect.legacy) if dialect.legacy else None
    return Call(
        operation="backends.list",
        method="GET",
        path="/backends",
        query=query([("provider", provider)]),
        read=buffered(read),
    )


def _backend(device: str | _Device) -> Backend:
    if isinstance(device, str):
        return Backend(name=device)
    return Backend(
        name=device.name,
        status=device.status.name if device.status else None,
        status_reason=device.status.reason if device.status else None,
        queue_length=device.queue_length,
        qubits=device.qubits,
        simulator=device.is_simulator,
    )


def status(name: str) -> Call[BackendStatus]:
    """``GET /backends/{name}/status``."""

    def read(reply: Reply) -> BackendStatus:
        found = codec.load(codec.parse(reply.body, operation="backends.status"), _Status, operation="backends.status")
        return BackendStatus(
            pending_jobs=max(found.length_queue, 0),
            operational=bool(found.state) if found.state is not None else _sounds_operational(found.status),
            status=found.status or "",
            message=found.message or "",
            version=found.backend_version or "",
        )

    return Call(
        operation="backends.status",
        method="GET",
        path=path("backends", name, "status"),
        read=buffered(read),
    )


def _sounds_operational(text: str | None) -> bool:
    return text is None or text.lower() in {"active", "online"}


def configuration(name: str) -> Call[BackendConfiguration]:
    """``GET /backends/{name}/configuration``."""
    return Call(
        operation="backends.configuration",
        method="GET",
        path=path("backends", name, "configuration"),
        read=buffered(lambda reply: _with_document(reply, BackendConfiguration, "backends.configuration")),
    )


def properties(name: str) -> Call[BackendProperties]:
    """``GET /backends/{name}/properties``."""
    return Call(
        operation="backends.properties",
        method="GET",
        path=path("backends", name, "properties"),
        read=buffered(lambda reply: _with_document(reply, BackendProperties, "backends.properties")),
    )


def _with_document(reply: Reply, model: Any, operation: str) -> Any:
    document = codec.parse(reply.body, operation=operation)
    return attrs.evolve(codec.load(document, model, operation=operation), document=document)
