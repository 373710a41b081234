"""The executor: circuits as they are, bound to arrays of values or to a samplex's randomizations, to bits.

IBM's newer client runs its sampler and estimator on this program and does the rest on its own side. Versions v0.1 to
v2.0 of the schema are taken.
"""

from __future__ import annotations

import hashlib
import json
from math import prod
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
from qiskit.qpy import QPY_VERSION

from qrt_async.emulator.execution.preparation import prepare
from qrt_async.emulator.execution.pubs import Loaded, Task, bind
from qrt_async.emulator.execution.randomizing import randomized
from qrt_async.emulator.execution.refusal import Refusal, no_kerneled
from qrt_async.emulator.execution.simulation import Experiment, Noise, sample_all
from qrt_async.emulator.execution.tensors import read_shape, read_tensor, write_tensor
from qrt_async.emulator.execution.typed_values import inflated, unbase64
from qrt_async.emulator.programs import load_program, load_qpy, program_of
from qrt_async.emulator.work import Done

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    import numpy.typing as npt

    from qrt_async.emulator.clock import Clock
    from qrt_async.emulator.programs import Program
    from qrt_async.emulator.work import PrimitiveWork

    Array = npt.NDArray[Any]

MOST_SHOTS = 10_000_000
_VERSIONS = ("v0.1", "v0.2", "v1.0", "v1.1", "v2.0")


@attrs.frozen
class _Schema:
    """What a version of the schema does its own way."""

    version: str

    @property
    def compressed(self) -> bool:
        """Whether circuits and arrays are deflated."""
        return self.version == "v2.0"

    @property
    def circuits_apart(self) -> bool:
        """Whether all circuits stand in one stream beside the items."""
        return self.version >= "v1"

    @property
    def passes_through(self) -> bool:
        """Whether the result repeats `passthrough_data`."""
        return self.version > "v0.1"


@attrs.frozen(eq=False)
class _Item:
    """One circuit, its values over an array of bindings, shape (*shape, parameters), and what else is returned."""

    loaded: Loaded
    values: Array
    beside: Mapping[str, Array]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the bindings."""
        return self.values.shape[:-1]


@attrs.frozen(eq=False)
class _Ran:
    """What came out of one item, and when it ran."""

    item: _Item
    results: Mapping[str, Array]
    start: datetime
    stop: datetime


def run_executor(work: PrimitiveWork, clock: Clock) -> Done:
    """Run an executor job; raises Refusal, with 1002 for params that are not of the schema."""
    task = Task.of(work)
    program: Any = task.params.get("quantum_program")
    version = task.params.get("schema_version")
    if version not in _VERSIONS:
        raise _malformed(f"schema_version is {version!r}, not one of {', '.join(_VERSIONS)}")
    schema = _Schema(version)
    try:
        shots = program["shots"]
        if type(shots) is not int or shots < 1:
            raise _malformed(f"shots is {shots!r}")
        if (level := program.get("meas_level", "classified")) != "classified":
            raise no_kerneled(level)
        items = _items(program, schema, task)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise _malformed(f"{type(error).__name__}: {error}") from error
    executions = sum(prod(item.shape) for item in items) * shots
    if executions > MOST_SHOTS:
        raise Refusal(
            f"The number of executions {executions} exceeds the system limit {MOST_SHOTS}",
            1520,
            "Reduce the number of shots or split the job.",
        )
    ran = [_run(item, shots, task, clock) for item in items]
    lengths = (prod(item.shape) * shots * (_pause(task) + item.loaded.prepared.duration) for item in items)
    return Done(_body(ran, program, schema), quantum_seconds=sum(lengths), executions=executions)


def _items(program: Any, schema: _Schema, task: Task) -> list[_Item]:
    given: list[Any] = program["items"]
    circuits = _circuits(program["circuits"] if schema.circuits_apart else [each["circuit"] for each in given], schema)
    if len(circuits) != len(given):
        raise _malformed(f"there are {len(circuits)} circuits for {len(given)} items")
    digest = hashlib.sha256(json.dumps(program.get("circuits", given)).encode()).digest()
    return [
        _item(each, Loaded(prepare(circuit, task.machine), (task.machine.device.name, digest, number)), schema, task)
        for number, (each, circuit) in enumerate(zip(given, circuits, strict=True))
    ]


def _circuits(given: Any, schema: _Schema) -> list[Program]:
    if isinstance(given, list):
        streams = [unbase64(each["circuit_b64"]) for each in given]
        return [program_of(circuit) for stream in streams for circuit in load_qpy(stream)]
    if "data" in given:
        return [load_program(text) for text in given["data"]]
    stream = unbase64(given["b64_data"])
    if schema.compressed:
        return [program_of(circuit) for circuit in load_qpy(inflated(stream), QPY_VERSION)]
    return [program_of(circuit) for circuit in load_qpy(stream)]


def _item(given: Mapping[str, Any], loaded: Loaded, schema: _Schema, task: Task) -> _Item:
    count = len(loaded.prepared.parameters)
    beside: dict[str, Array] = {}
    if given["item_type"] == "samplex":
        samplex, arguments = given["samplex"]["samplex_json"], given["samplex_arguments"]
        shape = read_shape(given["shape"])
        beside = randomized(samplex, arguments, shape, task.generator, compressed=schema.compressed)
        values = beside.pop("parameter_values", np.empty((*shape, 0)))
    else:
        values = read_tensor(given["circuit_arguments"], compressed=schema.compressed)
        shape = np.broadcast_shapes(values.shape[:-1], read_shape(given.get("shape") or []))
        values = np.broadcast_to(values, (*shape, *values.shape[-1:])) if values.ndim else np.empty((*shape, 0))
    if values.shape[-1] != count:
        raise _malformed(f"the circuit has {count} parameters, the values given are {values.shape[-1]}")
    return _Item(loaded, np.asarray(values, dtype=float), beside)


def _run(item: _Item, shots: int, task: Task, clock: Clock) -> _Ran:
    start, prepared = clock.now(), item.loaded.prepared
    noise = Noise(None if task.noiseless else task.machine)
    experiments: list[Experiment] = []
    for position in np.ndindex(item.shape):
        values = tuple(item.values[position].tolist())
        circuit = bind(prepared, values)
        key = (item.loaded.key, values)
        experiments.append(Experiment(circuit, prepared.qubits, prepared.readout, prepared.dynamic, key))
    samples = sample_all(experiments, shots, noise, task.generator)
    results: dict[str, Array] = dict(item.beside)
    for register in prepared.registers:
        bits = np.array([some.truths(register) for some in samples], dtype=np.bool_)
        results[register.name] = bits.reshape((*item.shape, shots, len(register.clbits)))
    return _Ran(item, results, start, clock.now())


def _body(ran: Sequence[_Ran], program: Mapping[str, Any], schema: _Schema) -> bytes:
    metadata = {"scheduler_timing": None, "stretch_values": None} if schema.passes_through else None
    data = [
        {
            "results": {
                name: write_tensor(array, compressed=schema.compressed) for name, array in each.results.items()
            },
            "metadata": metadata,
        }
        for each in ran
    ]
    body: dict[str, Any] = {
        "schema_version": schema.version,
        "data": data,
        "metadata": {"chunk_timing": [_chunk(number, each, schema) for number, each in enumerate(ran)]},
    }
    if schema.passes_through:
        body["passthrough_data"] = program.get("passthrough_data")
    if schema.circuits_apart:
        body["semantic_role"] = program.get("semantic_role")
    return json.dumps(body, separators=(",", ":")).encode()


def _chunk(number: int, ran: _Ran, schema: _Schema) -> dict[str, Any]:
    size = prod(ran.item.shape)
    part: dict[str, Any] = {"idx_item": number, "size": size}
    if schema.circuits_apart:
        part |= {"permutation": list(range(len(ran.item.shape))), "element_range": [0, size, 1]}
    return {"start": ran.start.isoformat(), "stop": ran.stop.isoformat(), "parts": [part]}


def _pause(task: Task) -> float:
    """Give the pause between shots in seconds: `options.rep_delay` stands at another place here."""
    asked = task.option("rep_delay")
    return task.repetition_delay if asked is None else float(asked)


def _malformed(what: str) -> Refusal:
    return Refusal(f"The params do not match the executor's schema: {what}", 1002, "Send params of its schema.")
