"""Doing the work for real, inside worker processes: the only rooms of the emulator that load Qiskit and Aer."""
