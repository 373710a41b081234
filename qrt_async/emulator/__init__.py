"""A local emulator of the Qiskit Runtime REST API, which really transpiles and really simulates.

It imports nothing of the rest of `qrt_async`: it is a second, independent reading of the same contract.
"""

from qrt_async.emulator.embedding import Emulator, EmulatorError
from qrt_async.emulator.extras import MissingExtraError

__all__ = ["Emulator", "EmulatorError", "MissingExtraError"]
