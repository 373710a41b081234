"""What sampler and estimator share: a PUB's program on its device, bound to the values of its parameters."""

from __future__ import annotations

import hashlib
from math import ceil
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from qrt_async.emulator.execution import typed_values
from qrt_async.emulator.execution.machine import Machine, machine
from qrt_async.emulator.execution.preparation import Prepared, check_angles, prepare
from qrt_async.emulator.execution.recent import Recent
from qrt_async.emulator.execution.refusal import Refusal
from qrt_async.emulator.programs import load_program

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from qiskit.circuit import QuantumCircuit

    from qrt_async.emulator.work import PrimitiveWork

_CACHED_INSTRUCTIONS = 1_000_000
_FRACTIONAL = frozenset({"rx", "rzz"})

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

    def randomizations(self, shots: int, *, binding: bool = True) -> tuple[int, int]:
        """Split shots over a twirled circuit's randomizations: (how many, shots of each), the product rounded up.

        Where `options.twirling` says "auto", it is the rule of IBM's guide "Error mitigation and suppression". Where
        it gives both numbers, they rule, unless more shots were asked for with the PUB or the job (`binding`).
        """
        asked_count = self.option("twirling", "num_randomizations")
        asked_each = self.option("twirling", "shots_per_randomization")
        count = None if asked_count in {None, "auto"} else int(asked_count)
        each = None if asked_each in {None, "auto"} else int(asked_each)
        if each is None:
            each = max(64, ceil(shots / 32)) if count is None else ceil(shots / count)
        if count is not None and binding:
            each = max(each, ceil(shots / count))
        return (ceil(shots / each) if count is None else count), each

    @property
    def twirls_gates(self) -> bool:
        """Whether gates are twirled: if asked for, and for what needs it (resilience level 2, PEC)."""
        asked = self.option("twirling", "enable_gates")
        needed = self.params.get("resilience_level") == 2 or bool(self.option("resilience", "pec_mitigation"))
        return needed or bool(asked)

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


def load_for(task: Task, source: Any) -> Loaded:
    """Load the program of a PUB for its job; raises Refusal, with 1519 for fractional gates under gate twirling."""
    loaded = load(source, task.machine)
    if task.twirls_gates and _FRACTIONAL & loaded.prepared.circuit.count_ops().keys():
        raise Refusal("Gate twirling does not support fractional gates (rx, rzz)", 1519, "Turn gate twirling off.")
    return loaded


def load(source: Any, on: Machine) -> Loaded:
    """Load and prepare the program of a PUB, or find it among the recent ones; raises Refusal."""
    text = source if isinstance(source, str) else str(typed_values.content(source, "QuantumCircuit"))
    key = (on.device.name, isinstance(source, str), hashlib.sha256(text.encode()).digest())
    prepared = _prepared.get(key)
    if prepared is None:
        prepared = prepare(load_program(source), on)
        _prepared.put(key, prepared, 20 + len(prepared.circuit.data))
    return Loaded(prepared, key)


def bind(prepared: Prepared, values: tuple[float, ...]) -> QuantumCircuit:
    """Give the program's circuit with its parameters, in their order, set; raises Refusal for a bad rzz angle."""
    if not values:
        return prepared.circuit
    given = dict(zip(prepared.parameters, values, strict=True))
    # a parameter may stand on qubits that have been reduced away
    bound: QuantumCircuit = prepared.circuit.assign_parameters(given, strict=False)
    check_angles(bound, prepared.qubits)
    return bound
