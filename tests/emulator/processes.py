"""Processes as the operating system sees them, and a job that keeps one busy."""

from __future__ import annotations

import os
from typing import Any

_SLOW_PROGRAM = """OPENQASM 3.0; include "stdgates.inc"; bit[1] c;
for int i in [0:1] { sx $0; c[0] = measure $0; if (c[0]) { x $0; } } c[0] = measure $0;"""
SLOW_JOB: dict[str, Any] = {
    "program_id": "sampler",
    "backend": "ibm_hanoi",
    "hub": "h",
    "group": "g",
    "project": "p",
    "params": {"pubs": [[_SLOW_PROGRAM, None, 10_000_000]] * 20},
}


def children(pid: int) -> list[int]:
    """Give the ids of a process's children, grandchildren included."""
    return [each for child in _own(pid) for each in (child, *children(child))]


def workers(pid: int) -> list[int]:
    """Give the ids of the workers that a process itself has started."""
    return [child for child in _own(pid) if b"qrt_async.emulator.execution" in _command(child)]


def _own(pid: int) -> list[int]:
    found: list[int] = []
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/children") as file:
            found += map(int, file.read().split())
    return found


def _command(pid: int) -> bytes:
    with open(f"/proc/{pid}/cmdline", "rb") as file:
        return file.read()


def alive(pid: int) -> bool:
    """Tell whether a process runs; a zombie does not."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def gone(pids: list[int]) -> None:
    """Wait until none of the processes is alive; the test's own timeout is the limit."""
    for pid in pids:
        while alive(pid):
            os.sched_yield()
