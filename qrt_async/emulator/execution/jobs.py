"""One piece of work, from its description to its outcome: what a worker process does all its life."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

from qrt_async.emulator.clock import RealClock
from qrt_async.emulator.execution.estimator import run_estimator
from qrt_async.emulator.execution.executor import run_executor
from qrt_async.emulator.execution.refusal import Refusal
from qrt_async.emulator.execution.sampler import run_sampler
from qrt_async.emulator.execution.transpiling import run_transpile
from qrt_async.emulator.work import Done, Failed, PrimitiveWork, TranspileWork

if TYPE_CHECKING:
    from collections.abc import Callable

    from qrt_async.emulator.clock import Clock

_PROGRAMS: dict[str, Callable[[PrimitiveWork, Clock], Done]] = {
    "sampler": run_sampler,
    "estimator": run_estimator,
    "executor": run_executor,
}
_REAL_CLOCK = RealClock()


def run_work(work: PrimitiveWork | TranspileWork, clock: Clock = _REAL_CLOCK) -> Done | Failed:
    """Do the work; whatever goes wrong comes back as Failed, with a traceback if it is the emulator's own fault.

    `clock` dates the execution spans of typed results.
    """
    try:
        return _run(work, clock)
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


def _run(work: PrimitiveWork | TranspileWork, clock: Clock) -> Done:
    if isinstance(work, TranspileWork):
        return run_transpile(work)
    program = _PROGRAMS.get(work.program_id)
    if program is None:
        known = ", ".join(_PROGRAMS)
        raise Refusal(f"Program {work.program_id!r} does not run on this emulator", 1500, f"Use one of {known}.")
    return program(work, clock)
