"""The sampler: PUBs to the bits of every shot."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from qrt_async.emulator.execution.bindings import Bindings, read_bindings
from qrt_async.emulator.execution.pubs import Loaded, Task, bind, load_for
from qrt_async.emulator.execution.refusal import Refusal, no_kerneled
from qrt_async.emulator.execution.simulation import Experiment, Noise, sample_all
from qrt_async.emulator.execution.typed_results import bit_array, data_bin, primitive_result, sampling_span
from qrt_async.emulator.execution.typed_values import typed
from qrt_async.emulator.work import Done

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from qrt_async.emulator.clock import Clock
    from qrt_async.emulator.execution.samples import Samples
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


@attrs.frozen(eq=False)
class _Sampled:
    """What came out of one PUB, binding by binding, and when it was sampled."""

    pub: _Pub
    samples: list[Samples]
    start: datetime
    stop: datetime


def run_sampler(work: PrimitiveWork, clock: Clock) -> Done:
    """Run a sampler job; raises Refusal for what the service would fail it for.

    The result is the service's plain form, per PUB and register a list of hexadecimal texts nested by the sweep, or
    with `support_qiskit` the typed one, where BitArrays hold them.
    """
    task = Task.of(work)
    if (meas_type := task.option("execution", "meas_type")) not in {None, "classified"}:
        raise no_kerneled(meas_type)
    noise = Noise(None if task.noiseless else task.machine, bool(task.option("twirling", "enable_measure")))
    twirled = noise.twirled_readout or task.twirls_gates
    pubs = [_read(pub, task, twirled=twirled) for pub in task.params["pubs"]]
    executions = sum(pub.executions for pub in pubs)
    if executions > MOST_SHOTS:
        raise Refusal(
            f"The number of executions {executions} exceeds the system limit {MOST_SHOTS}",
            1520,
            "Reduce the number of shots or split the job.",
        )
    results = [_run(pub, noise, task, clock) for pub in pubs]
    pause = task.repetition_delay
    return Done(
        body=(_typed if task.params.get("support_qiskit") else _plain)(results, task, twirled=twirled),
        quantum_seconds=sum(pub.executions * (pause + pub.loaded.prepared.duration) for pub in pubs),
        executions=executions,
    )


def _read(pub: Any, task: Task, *, twirled: bool) -> _Pub:
    parts = [pub] if isinstance(pub, str) else list(pub)
    source, values, shots = [*parts, None, None][:3]
    if shots is None:
        shots = task.params.get("shots")
    shots = _default_shots(task, twirled=twirled) if shots is None else int(shots)
    if shots > MOST_SHOTS:
        raise Refusal(
            f"The number of circuit shots {shots} exceeds the system limit {MOST_SHOTS}",
            1520,
            "Reduce the number of shots.",
        )
    if shots < 1:
        raise Refusal(f"The number of circuit shots {shots} is not positive", 1002, "Ask for at least one shot.")
    loaded = load_for(task, source)
    return _Pub(loaded, read_bindings(values, loaded.prepared.parameters), shots)


def _default_shots(task: Task, *, twirled: bool) -> int:
    """Give the shots of a PUB that asks for none: the two numbers of `options.twirling` come first if both are set."""
    asked = task.option("default_shots")
    shots = _DEFAULT_SHOTS if asked is None else int(asked)
    numbers = (task.option("twirling", name) for name in ("num_randomizations", "shots_per_randomization"))
    if twirled and all(isinstance(number, int) for number in numbers):
        count, each = task.randomizations(shots, binding=False)
        return count * each
    return shots


def _run(pub: _Pub, noise: Noise, task: Task, clock: Clock) -> _Sampled:
    start, prepared = clock.now(), pub.loaded.prepared
    experiments: list[Experiment] = []
    for position in np.ndindex(pub.bindings.shape):
        values = pub.bindings.at(position)
        circuit = bind(prepared, values)
        key = (pub.loaded.key, values)
        experiments.append(Experiment(circuit, prepared.qubits, prepared.readout, prepared.dynamic, key))
    samples = sample_all(experiments, pub.shots, noise, task.generator)
    return _Sampled(pub, samples, start, clock.now())


def _metadata(pub: _Pub, task: Task, *, twirled: bool) -> dict[str, Any]:
    randomizations = {"num_randomizations": task.randomizations(pub.shots)[0]} if twirled else {}
    return {"circuit_metadata": pub.loaded.prepared.metadata, **randomizations}


def _plain(results: Sequence[_Sampled], task: Task, *, twirled: bool) -> bytes:
    """Write the plain form, by hand: a million samples have no time to become Python objects."""
    texts: list[bytes] = []
    for result in results:
        registers = [
            b'%s:{"samples":%s,"num_bits":%d}'
            % (
                json.dumps(register.name).encode(),
                _nested([some.register(register) for some in result.samples], result.pub.bindings.shape),
                len(register.clbits),
            )
            for register in result.pub.loaded.prepared.registers
        ]
        metadata = json.dumps(_metadata(result.pub, task, twirled=twirled)).encode()
        texts.append(b'{"data":{%s},"metadata":%s}' % (b",".join(registers), metadata))
    return b'{"results":[' + b",".join(texts) + b'],"metadata":{"version":2}}'


def _typed(results: Sequence[_Sampled], task: Task, *, twirled: bool) -> bytes:
    pub_results: list[dict[str, Any]] = []
    spans: list[dict[str, Any]] = []
    for number, result in enumerate(results):
        pub, shape = result.pub, result.pub.bindings.shape
        fields = {
            register.name: bit_array(
                np.array([some.packed(register) for some in result.samples]).reshape(
                    (*shape, pub.shots, (len(register.clbits) + 7) // 8)
                ),
                len(register.clbits),
            )
            for register in pub.loaded.prepared.registers
        }
        data = data_bin(fields, "qiskit.primitives.containers.bit_array.BitArray", shape)
        value = {"data": data, "metadata": _metadata(pub, task, twirled=twirled)}
        pub_results.append(typed("SamplerPubResult", value))
        split = task.randomizations(pub.shots) if twirled else None
        spans.append(sampling_span(number, result.start, result.stop, (*shape, pub.shots), split))
    execution = {"execution_spans": typed("ExecutionSpans", {"spans": spans})}
    return primitive_result(pub_results, {"execution": execution, "version": 2})


def _nested(texts: Sequence[bytes], shape: tuple[int, ...]) -> bytes:
    """Nest JSON texts, in C order, into lists of the sweep's shape."""
    if not shape:
        return texts[0]
    size = len(texts) // shape[0] if shape[0] else 0
    inner = [_nested(texts[start * size : (start + 1) * size], shape[1:]) for start in range(shape[0])]
    return b"[" + b",".join(inner) + b"]"
