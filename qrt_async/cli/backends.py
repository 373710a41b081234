"""``qrt backends``."""

from __future__ import annotations

import asyncio

from qrt_async.cli.documents import document
from qrt_async.cli.execution import execute
from qrt_async.cli.options import SERVICE, Service
from qrt_async.cli.output import Output
from qrt_async.cli.service import connected
from qrt_async.client import Client
from qrt_async.models.backends import Backend

_HEADS = ("NAME", "QUBITS", "QUEUE", "STATUS", "2Q ERROR", "READOUT", "CLOPS")


def backends(*, service: Service = SERVICE) -> int:
    """
    List the backends of the instance.

    The errors are medians: of the two-qubit gates, and of reading a qubit out.
    """

    async def command(output: Output) -> int:
        async with connected(service, output) as client:
            found = sorted(await _described(client), key=lambda backend: backend.name)
        if output.json:
            output.document({"backends": document(found)})
        else:
            output.table(_HEADS, map(_row, found), otherwise="The instance has no backends.")
        return 0

    return execute(command, service)


async def _described(client: Client) -> list[Backend]:
    """Return the backends with status and qubits, asked for one by one where the list holds names alone."""
    listed = await client.backends.list()
    if all(backend.status is not None for backend in listed):
        return list(listed)
    return list(await asyncio.gather(*(client.backends.get(backend.name) for backend in listed)))


def _row(backend: Backend) -> tuple[object, ...]:
    status = backend.status if not backend.status_reason else f"{backend.status} ({backend.status_reason})"
    return (
        backend.name,
        backend.qubits,
        backend.queue_length,
        status,
        backend.two_qubit_error_median,
        backend.readout_error_median,
        backend.clops,
    )
