"""What sampler and estimator share: a PUB's program on its device, bound to the values of its parameters."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from qrt_async.emulator.execution.machine import Machine, machine
from qrt_async.emulator.execution.preparation import Prepared, check_angles, prepare
from qrt_async.emulator.execution.recent import Recent
from qrt_async.emulator.programs import load_program

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from qiskit.circuit import QuantumCircuit

    from qrt_async.emulator.work import PrimitiveWork

_CACHED_INSTRUCTIONS = 1_000_000

_prepared: Recent[Prepared] = Recent(_CACHED_INSTRUCTIONS)


@attrs.frozen(eq=False)
class Task:
    """The parts of a job that all its PUBs share."""

    machine: Machine
    params: Mapping[str, Any]
    noiseless: bool
    generator: np.random.Generator

    @classmethod
    def of(cls, work: PrimitiveWork) -> Task:
        """Read what PUBs share; `options.simulator.seed_simulator` and `options.seed_estimator` join the seed."""
        options = work.params.get("options") or {}
        chosen = (options.get("simulator") or {}).get("seed_simulator")
        chosen = options.get("seed_estimator") if chosen is None else chosen
        seed = work.seed if chosen is None else int(chosen)
        return cls(machine(work.backend), work.params, work.noiseless, np.random.default_rng(seed))

    def option(self, *path: str) -> Any:
        """Give an option by its path, or None."""
        found: Any = self.params.get("options")
        for name in path:
            found = found.get(name) if found else None
        return found

    @property
    def repetition_delay(self) -> float:
        """The pause between shots, in seconds: `options.execution.rep_delay` or the device's own."""
        asked = self.option("execution", "rep_delay")
        return self.machine.device.default_rep_delay if asked is None else float(asked)


@attrs.frozen(eq=False)
class Loaded:
    """A prepared program and a key that stands for it and its device."""

    prepared: Prepared
    key: Hashable


def load(source: Any, on: Machine) -> Loaded:
    """Load and prepare the program of a PUB, or find it among the recent ones; raises Refusal."""
    if not isinstance(source, str):
        return Loaded(prepare(load_program(source), on), object())
    key = (on.device.name, hashlib.sha256(source.encode()).digest())
    prepared = _prepared.get(key)
    if prepared is None:
        prepared = prepare(load_program(source), on)
        _prepared.put(key, prepared, 20 + len(prepared.circuit.data))
    return Loaded(prepared, key)


def bind(prepared: Prepared, values: tuple[float, ...]) -> QuantumCircuit:
    """Give the program's circuit with its parameters, sorted by name, set; raises Refusal for a bad rzz angle."""
    if not values:
        return prepared.circuit
    parameters = sorted(prepared.circuit.parameters, key=lambda parameter: parameter.name)
    bound: QuantumCircuit = prepared.circuit.assign_parameters(dict(zip(parameters, values, strict=True)))
    check_angles(bound, prepared.qubits)
    return bound
