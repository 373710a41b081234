"""Backend operations."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import attrs

from qrt_async.models.answer import Answer
from qrt_async.models.backends import (
    Backend,
    BackendConfiguration,
    BackendProperties,
    BackendStatus,
    WaitTimes,
)
from qrt_async.wire import codec
from qrt_async.wire.call import Call, Reply, buffered, path, query
from qrt_async.wire.dialect import Dialect
from qrt_async.wire.outcome import read_as, stamped


@attrs.frozen
class _Availability:
    name: str
    reason: str | None = None


@attrs.frozen
class _Figure:
    value: float | None = None


@attrs.frozen
class _Performance:
    two_q_error_best: _Figure | None = None
    two_q_error_layered: _Figure | None = None
    two_q_error_median: _Figure | None = None
    readout_error_median: _Figure | None = None


@attrs.frozen
class _Processor:
    family: str | None = None
    revision: str | float | None = None


@attrs.frozen(kw_only=True)
class _Device(Answer):
    name: str
    status: _Availability | None = None
    queue_length: int | None = None
    qubits: int | None = None
    is_simulator: bool | None = None
    clops: _Figure | None = None
    processor_type: _Processor | None = None
    performance_metrics: _Performance | None = None
    wait_time_seconds: WaitTimes | None = None


@attrs.frozen(kw_only=True)
class _Devices(Answer):
    devices: tuple[str | _Device, ...]


@attrs.frozen(kw_only=True)
class _Status(Answer):
    length_queue: int
    state: bool | None = None
    status: str | None = None
    message: str | None = None
    backend_version: str | None = None


codec.wire_form(str | float | None, lambda _: lambda value, _: value)
codec.wire_form(
    str | _Device,
    lambda converter: lambda value, _: value if isinstance(value, str) else converter.structure(value, _Device),
)
codec.wire_names(BackendConfiguration, name="backend_name", version="backend_version", qubits="n_qubits")
codec.wire_names(BackendProperties, name="backend_name", version="backend_version", updated="last_update_date")


def list_backends(dialect: Dialect, *, wait_times: bool = False) -> Call[tuple[Backend, ...]]:
    """``GET /backends``: names alone, or with status, queue and qubits, as the version of the API gives them."""

    def read(reply: Reply) -> tuple[Backend, ...]:
        found = read_as(_Devices, reply, operation="backends.list")
        return tuple(stamped(_backend(device), reply) for device in found.devices)

    provider = str(dialect.legacy) if dialect.legacy else None
    return Call(
        operation="backends.list",
        method="GET",
        path="/backends",
        query=query([("provider", provider), ("fields", "wait_time_seconds" if wait_times else None)]),
        read=buffered(read),
    )


def _backend(device: str | _Device) -> Backend:
    if isinstance(device, str):
        return Backend(name=device)
    figures = device.performance_metrics or _Performance()
    return Backend(
        name=device.name,
        status=device.status.name if device.status else None,
        status_reason=device.status.reason if device.status else None,
        queue_length=device.queue_length,
        qubits=device.qubits,
        simulator=device.is_simulator,
        clops=_value(device.clops),
        processor=_processor(device.processor_type),
        two_qubit_error_best=_value(figures.two_q_error_best),
        two_qubit_error_median=_value(figures.two_q_error_median),
        two_qubit_error_layered=_value(figures.two_q_error_layered),
        readout_error_median=_value(figures.readout_error_median),
        wait=device.wait_time_seconds,
        extra=device.extra,
    )


def _value(figure: _Figure | None) -> float | None:
    return figure.value if figure else None


def _processor(found: _Processor | None) -> str | None:
    parts = [] if found is None else [found.family, "" if found.revision is None else f"r{found.revision}"]
    return " ".join(part for part in parts if part) or None


def status(name: str) -> Call[BackendStatus]:
    """``GET /backends/{name}/status``."""

    def read(reply: Reply) -> BackendStatus:
        found = read_as(_Status, reply, operation="backends.status")
        return BackendStatus(
            pending_jobs=max(found.length_queue, 0),
            operational=bool(found.state) if found.state is not None else _sounds_operational(found.status),
            status=found.status or "",
            message=found.message or "",
            version=found.backend_version or "",
            extra=found.extra,
            request_id=found.request_id,
        )

    return Call(
        operation="backends.status",
        method="GET",
        path=path("backends", name, "status"),
        read=buffered(read),
    )


def _sounds_operational(text: str | None) -> bool:
    return text is None or text.lower() in {"active", "online"}


def configuration(name: str, *, calibration_id: str | None = None) -> Call[BackendConfiguration]:
    """``GET /backends/{name}/configuration``."""
    return Call(
        operation="backends.configuration",
        method="GET",
        path=path("backends", name, "configuration"),
        query=query([("calibration_id", calibration_id)]),
        read=buffered(lambda reply: _with_document(reply, BackendConfiguration, "backends.configuration")),
    )


def properties(
    name: str, *, updated_before: dt.datetime | None = None, calibration_id: str | None = None
) -> Call[BackendProperties]:
    """``GET /backends/{name}/properties``."""
    return Call(
        operation="backends.properties",
        method="GET",
        path=path("backends", name, "properties"),
        query=query(
            [
                ("updated_before", updated_before.isoformat() if updated_before else None),
                ("calibration_id", calibration_id),
            ]
        ),
        read=buffered(lambda reply: _with_document(reply, BackendProperties, "backends.properties")),
    )


def _with_document(reply: Reply, model: Any, operation: str) -> Any:
    document = codec.parse(reply.body, operation=operation)
    return stamped(attrs.evolve(codec.load(document, model, operation=operation), document=document), reply)


def defaults(name: str) -> Call[Mapping[str, Any] | None]:
    """``GET /backends/{name}/defaults``: free-form, and None on every device of today."""

    def read(reply: Reply) -> Mapping[str, Any] | None:
        document = codec.parse(reply.body, operation="backends.defaults")
        return codec.load(document, dict[str, Any], operation="backends.defaults") if document is not None else None

    return Call(
        operation="backends.defaults", method="GET", path=path("backends", name, "defaults"), read=buffered(read)
    )
