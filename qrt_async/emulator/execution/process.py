"""The life of a worker process: `python -m qrt_async.emulator.execution.process`, see `workers`."""

from __future__ import annotations

import ctypes
import gc
import os
import pickle
import signal
import sys
from typing import TYPE_CHECKING

import attrs

from qrt_async.emulator.execution.jobs import run_work
from qrt_async.emulator.work import Done, PrimitiveWork

if TYPE_CHECKING:
    from typing import BinaryIO

    from qrt_async.emulator.work import Outcome, Work

_PR_SET_PDEATHSIG = 1

# The first circuit costs 0.3 s of late imports and set-up in Qiskit and Aer: better before the first job.
_FLIP = 'OPENQASM 3.0; include "stdgates.inc"; bit[1] c; x $0; c[0] = measure $0;'
_REHEARSAL = PrimitiveWork("sampler", "ibm_hanoi", {"pubs": [[_FLIP, None, 1]]}, seed=0)


def main() -> None:
    """Do one work after another until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _die_with_parent()
    works = sys.stdin.buffer
    outcomes = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever else is printed must not get between the outcomes
    run_work(_REHEARSAL)
    gc.freeze()
    outcomes.write(b"H")
    outcomes.flush()
    while (work := _next(works)) is not None:
        outcomes.write(b"S")
        outcomes.flush()
        _write(outcomes, run_work(work))


def _next(works: BinaryIO) -> Work | None:
    try:
        work: Work = pickle.load(works)  # noqa: S301 - from our own server, through our own pipe
    except EOFError:
        return None
    return work


def _write(outcomes: BinaryIO, outcome: Outcome) -> None:
    body = b""
    if isinstance(outcome, Done):
        body, outcome = outcome.body, attrs.evolve(outcome, body=b"")
    head = pickle.dumps(outcome, protocol=5)
    outcomes.write(b"R" + len(head).to_bytes(8, "big") + len(body).to_bytes(8, "big") + head)
    outcomes.write(body)
    outcomes.flush()


def _die_with_parent() -> None:
    """Have Linux kill this process with its parent: while Aer computes, nobody here reads that the input ended."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    main()
