"""A local emulator of the Qiskit Runtime REST API, which really transpiles and really simulates.

It imports nothing of the rest of `qrt_async`: it is a second, independent reading of the same contract.
"""

from qrt_async.emulator.bill import Bill, BilledJob, BilledSession, RecordedRequest
from qrt_async.emulator.controls import ControlError, Controls, Strikes
from qrt_async.emulator.embedding import Emulator, EmulatorError
from qrt_async.emulator.extras import MissingExtraError
from qrt_async.emulator.fates import End, Fate
from qrt_async.emulator.faults import (
    Answer,
    Cut,
    Edited,
    Fault,
    Garble,
    Garbled,
    HangUp,
    Truth,
    Work,
    WrongLength,
)
from qrt_async.emulator.records import Availability
from qrt_async.emulator.virtual_clock import VirtualClock

__all__ = [
    "Answer",
    "Availability",
    "Bill",
    "BilledJob",
    "BilledSession",
    "ControlError",
    "Controls",
    "Cut",
    "Edited",
    "Emulator",
    "EmulatorError",
    "End",
    "Fate",
    "Fault",
    "Garble",
    "Garbled",
    "HangUp",
    "MissingExtraError",
    "RecordedRequest",
    "Strikes",
    "Truth",
    "VirtualClock",
    "Work",
    "WrongLength",
]
