"""Which process this is, and whether another one still lives."""

from __future__ import annotations

import enum
import json
import os
import secrets
from pathlib import Path

import attrs

from qrt_async.journal.records import Owner

_PROC = Path("/proc")


class Life(enum.Enum):
    """What can be known of an owner from here; `UNKNOWN` leaves it to the lease's time."""

    LIVING = "living"
    DEAD = "dead"
    UNKNOWN = "unknown"


def this_process() -> Owner:
    """Return the identity of this process, as far as the system tells (Linux: all of it)."""
    pid = os.getpid()
    return Owner(
        pid=pid,
        nonce=secrets.token_hex(8),
        boot=_read(_PROC / "sys/kernel/random/boot_id"),
        namespace=_namespace(),
        started=started(pid),
    )


def life(owner: Owner, here: Owner) -> Life:
    """Return whether `owner` lives, as seen from the process `here`."""
    if owner.nonce == here.nonce:
        return Life.LIVING
    if owner.boot is None or here.boot is None:
        return Life.UNKNOWN
    if owner.boot != here.boot:
        return Life.DEAD
    if owner.namespace is None or owner.namespace != here.namespace or owner.started is None:
        return Life.UNKNOWN
    return Life.LIVING if started(owner.pid) == owner.started else Life.DEAD


def started(pid: int) -> str | None:
    """Return the start of a running process, in ticks since the machine's; None for one that is gone (proc(5))."""
    line = _read(_PROC / str(pid) / "stat")
    if line is None:
        return None
    state, *fields = line.rpartition(")")[2].split()
    return None if state in {"Z", "X"} else fields[18]


def _namespace() -> str | None:
    try:
        return str((_PROC / "self/ns/pid").readlink())
    except OSError:
        return None


def _read(file: Path) -> str | None:
    try:
        return file.read_text().strip()
    except (OSError, ValueError):
        return None


def written(owner: Owner) -> str:
    """Return an owner as the journal holds it."""
    return json.dumps(attrs.astuple(owner))


def read(text: str) -> Owner:
    """Return the owner that the journal holds."""
    return Owner(*json.loads(text))
