"""What ``qrt`` ends with."""

from __future__ import annotations

import enum

from qrt_async.emulator import EmulatorError, MissingExtraError
from qrt_async.errors import (
    ProtocolError,
    QuotaTimeout,
    SessionUncertain,
    SubmissionUncertain,
    TransportError,
    UnknownJobStatus,
    UsageError,
    WaitTimeout,
)


class ExitStatus(enum.IntEnum):
    """
    The exit statuses, the same for every command.

    `REFUSED`: the service or the job itself said no. `USAGE`: the command was wrong and nothing was sent.
    `NO_ANSWER`: no complete answer came, or none that can be understood, or that tells whether a job or session was
    made. `TIMEOUT`: `--timeout` ran out and the job goes on, or the quota left no turn in time. The last two follow a
    signal, as shells count them.
    """

    OK = 0
    REFUSED = 1
    USAGE = 2
    NO_ANSWER = 3
    TIMEOUT = 4
    INTERRUPTED = 130
    TERMINATED = 143


def status_of(error: Exception) -> ExitStatus:
    """Return the exit status that an error of this package means."""
    match error:
        case UsageError() | MissingExtraError():
            return ExitStatus.USAGE
        case TransportError() | ProtocolError() | UnknownJobStatus() | EmulatorError():
            return ExitStatus.NO_ANSWER
        case SubmissionUncertain() | SessionUncertain():
            return ExitStatus.NO_ANSWER
        case WaitTimeout() | QuotaTimeout():
            return ExitStatus.TIMEOUT
        case _:
            return ExitStatus.REFUSED
