"""One piece of work, from its description to its outcome: what a worker process does all its life."""

from __future__ import annotations

import traceback

from qrt_async.emulator.execution.estimator import run_estimator
from qrt_async.emulator.execution.refusal import Refusal
from qrt_async.emulator.execution.sampler import run_sampler
from qrt_async.emulator.execution.transpiling import run_transpile
from qrt_async.emulator.work import Done, Failed, PrimitiveWork, TranspileWork

_PRIMITIVES = {"sampler": run_sampler, "estimator": run_estimator}


def run_work(work: PrimitiveWork | TranspileWork) -> Done | Failed:
    """Do the work; whatever goes wrong comes back as Failed, with a traceback if it is the emulator's own fault."""
    try:
        return _run(work)
    except Refusal as refusal:
        return refusal.failed
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a panic of Qiskit's Rust part is no Exception  # noqa: BLE001
        return Failed(
            reason=f"Internal error of the emulator: {type(error).__name__}: {error}",
            code=1500,
            solution="Report the traceback in the job's log to the emulator's maintainers.",
            traceback=traceback.format_exc(),
        )


def _run(work: PrimitiveWork | TranspileWork) -> Done:
    if isinstance(work, TranspileWork):
        return run_transpile(work)
    primitive = _PRIMITIVES.get(work.program_id)
    if primitive is None:
        raise Refusal(f"Program {work.program_id!r} does not run on this emulator", 1500, "Use sampler or estimator.")
    return primitive(work)
