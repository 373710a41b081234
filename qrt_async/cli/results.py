"""``qrt result``, and how results are shown."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, cast

from cyclopts import Parameter

from qrt_async.cli import plot as plots
from qrt_async.cli.documents import document
from qrt_async.cli.execution import execute
from qrt_async.cli.histogram import histogram
from qrt_async.cli.options import SERVICE, Service
from qrt_async.cli.output import Output, table
from qrt_async.cli.service import connected
from qrt_async.jobs import Job
from qrt_async.models.jobs import Program
from qrt_async.models.results import BitArray, PrimitiveResult, PubData
from qrt_async.wire.results import any_program

_ANY_PROGRAM: Program[Any] = Program("", any_program)
_MOST = 50  # values, or sets of parameter values, that are shown of one PUB

Timeout = Annotated[float | None, Parameter(help="Stop waiting after so many seconds; the job goes on.")]
Plot = Annotated[Path | None, Parameter(help="Draw the result into this .png or .svg file.")]


def result(
    job_id: Annotated[str, Parameter(help="The job's id.")],
    /,
    *,
    timeout: Timeout = None,
    plot: Plot = None,
    service: Service = SERVICE,
) -> int:
    """Wait for a job to end, and show its result."""

    async def command(output: Output) -> int:
        plots.check(plot)
        async with connected(service, output) as client:
            job = client.jobs.handle(job_id, _ANY_PROGRAM)
            found = await awaited(job, output, timeout)
        if output.json:
            output.document({"job": job_id, "result": document(found)})
        else:
            show(found, output)
        await draw(found, plot, output)
        return 0

    return execute(command, service)


async def awaited(job: Job[Any], output: Output, timeout: float | None) -> Any:
    """Return a job's result, showing meanwhile that it lasts; who interrupts that is told that the job goes on."""
    try:
        with output.progress(f"job {job.id}"):
            return await job.result(timeout)
    except asyncio.CancelledError as error:
        error.add_note(f"job {job.id} goes on: 'qrt result {job.id}' waits again, 'qrt cancel {job.id}' ends it")
        raise


async def draw(found: Any, plot: Path | None, output: Output) -> None:
    """Draw a result where that was asked for."""
    if plot is not None:
        await asyncio.to_thread(plots.draw, found, plot)
        output.note(f"drawn into {plot}")


def show(found: Any, output: Output) -> None:
    """Show a result: a histogram for each register, a table for expectation values, JSON for what is no primitive's."""
    if not isinstance(found, PrimitiveResult):
        output.text(json.dumps(document(found), indent=2, ensure_ascii=False))
        return
    for i, pub in enumerate(found):
        output.text(f"PUB {i}")
        _show_data(cast(PubData[Any], pub.data), output)


def _show_data(data: PubData[Any], output: Output) -> None:
    if "evs" in data:
        output.text(_values(data))
        return
    for name, value in data.items():
        match value:
            case BitArray():
                _show_register(name, value, output)
            case Mapping():
                output.text(table(("VALUE", "QUASI-PROBABILITY"), value.items()))
            case _:
                output.text(f"{name}: an array of shape {value.shape}; --json gives it whole")


def _show_register(name: str, bits: BitArray, output: Output) -> None:
    import numpy as np

    sets = np.ndindex(bits.shape)
    for index in islice(sets, _MOST):
        at = f"[{', '.join(map(str, index))}]" if index else ""
        output.text(f"{name}{at}: {bits.num_shots} shots")
        counts = (bits[index] if index else bits).counts()
        output.text("\n".join(f"  {line}" for line in histogram(counts).splitlines()))
    _say_what_is_left(sum(1 for _ in sets), output)


def _values(data: PubData[Any]) -> Any:
    import numpy as np

    evs = np.asarray(data["evs"])
    rows = list(islice(_rows(data), _MOST))
    left = evs.size - len(rows)
    if left:
        rows.append((f"and {left} more", None, None))
    return table(("INDEX", "VALUE", "± ERROR"), rows)


def _rows(data: PubData[Any]) -> Iterator[tuple[object, ...]]:
    import numpy as np

    evs = np.asarray(data["evs"])
    stds = data.get("stds")
    for index in np.ndindex(evs.shape):
        error = None if stds is None else float(np.asarray(stds)[index])
        yield ", ".join(map(str, index)) or "0", float(evs[index]), error


def _say_what_is_left(count: int, output: Output) -> None:
    if count:
        output.text(f"and {count} more sets of parameter values; --json gives them all")
