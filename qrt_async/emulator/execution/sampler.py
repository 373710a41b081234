"""The sampler: PUBs to the bits of every shot."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from qrt_async.emulator.execution.bindings import Bindings, read_bindings
from qrt_async.emulator.execution.pubs import Loaded, Task, bind, load
from qrt_async.emulator.execution.refusal import Refusal
from qrt_async.emulator.execution.simulation import Experiment, Noise, sample_all
from qrt_async.emulator.work import Done

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qrt_async.emulator.work import PrimitiveWork

MOST_SHOTS = 10_000_000
_DEFAULT_SHOTS = 4096


@attrs.frozen(eq=False)
class _Pub:
    loaded: Loaded
    bindings: Bindings
    shots: int

    @property
    def executions(self) -> int:
        """Shots over all bindings."""
        return self.shots * int(np.prod(self.bindings.shape, dtype=int))


def run_sampler(work: PrimitiveWork) -> Done:
    """Run a sampler job; raises Refusal for what the service would fail it for.

    The result is the service's plain form: per PUB and register a list of hexadecimal texts, nested by the sweep.
    """
    task = Task.of(work)
    noise = Noise(None if task.noiseless else task.machine, bool(task.option("twirling", "enable_measure")))
    pubs = [_read(pub, task) for pub in task.params["pubs"]]
    executions = sum(pub.executions for pub in pubs)
    if executions > MOST_SHOTS:
        raise Refusal(
            f"The number of executions {executions} exceeds the system limit {MOST_SHOTS}",
            1520,
            "Reduce the number of shots or split the job.",
        )
    results = [_run(pub, noise, task) for pub in pubs]
    pause = task.repetition_delay
    return Done(
        body=b'{"results":[' + b",".join(results) + b'],"metadata":{"version":2}}',
        quantum_seconds=sum(pub.executions * (pause + pub.loaded.prepared.duration) for pub in pubs),
        executions=executions,
    )


def _read(pub: Any, task: Task) -> _Pub:
    parts = [pub] if isinstance(pub, str) else list(pub)
    source, values, shots = [*parts, None, None][:3]
    if shots is None:
        shots = task.params.get("shots")
    if shots is None:
        shots = task.option("default_shots")
    shots = _DEFAULT_SHOTS if shots is None else int(shots)
    if shots > MOST_SHOTS:
        raise Refusal(
            f"The number of circuit shots {shots} exceeds the system limit {MOST_SHOTS}",
            1520,
            "Reduce the number of shots.",
        )
    if shots < 1:
        raise Refusal(f"The number of circuit shots {shots} is not positive", 1002, "Ask for at least one shot.")
    loaded = load(source, task.machine)
    return _Pub(loaded, read_bindings(values, loaded.prepared.parameters), shots)


def _run(pub: _Pub, noise: Noise, task: Task) -> bytes:
    prepared, shape = pub.loaded.prepared, pub.bindings.shape
    experiments: list[Experiment] = []
    for position in np.ndindex(shape):
        values = pub.bindings.at(position)
        circuit = bind(prepared, values)
        key = (pub.loaded.key, values)
        experiments.append(Experiment(circuit, prepared.qubits, prepared.readout, prepared.dynamic, key))
    samples = sample_all(experiments, pub.shots, noise, task.generator)
    registers = [
        b'%s:{"samples":%s,"num_bits":%d}'
        % (
            json.dumps(register.name).encode(),
            _nested([some.register(register) for some in samples], shape),
            len(register.clbits),
        )
        for register in prepared.registers
    ]
    metadata: dict[str, Any] = {"circuit_metadata": {}}
    return b'{"data":{%s},"metadata":%s}' % (b",".join(registers), json.dumps(metadata).encode())


def _nested(texts: Sequence[bytes], shape: tuple[int, ...]) -> bytes:
    """Nest JSON texts, in C order, into lists of the sweep's shape."""
    if not shape:
        return texts[0]
    size = len(texts) // shape[0] if shape[0] else 0
    inner = [_nested(texts[start * size : (start + 1) * size], shape[1:]) for start in range(shape[0])]
    return b"[" + b",".join(inner) + b"]"
