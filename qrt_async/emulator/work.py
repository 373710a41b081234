"""The seam between the emulator's server and its worker processes: plain frozen values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from collections.abc import Mapping


@attrs.frozen
class PrimitiveWork:
    """One job: `params` as it stood in `POST /jobs`, already checked against the schema.

    `program_id` is "sampler" or "estimator", `backend` a device name such as "ibm_fez". The same `seed`
    gives the same samples; `noiseless` leaves the device's noise out.
    """

    program_id: str
    backend: str
    params: Mapping[str, Any]
    seed: int
    noiseless: bool = False


@attrs.frozen
class TranspileWork:
    """One task of the transpiler service: OpenQASM 2 or 3 texts for one device or one coupling map.

    `optimization_level` is 0 to 3; `options` are `qiskit_transpile_options`.
    """

    circuits: tuple[str, ...]
    backend: str | None
    coupling_map: tuple[tuple[int, int], ...] | None
    optimization_level: int
    options: Mapping[str, Any] = attrs.field(factory=dict[str, Any])
    seed: int = 0


Work = PrimitiveWork | TranspileWork


@attrs.frozen
class Done:
    """What came out: the exact JSON bytes of `GET …/results`, or of a transpiler task's `result` list.

    `quantum_seconds` is the estimated time on the device without the service's overhead (0 for transpiling),
    `executions` the number of shots over all PUBs and bindings.
    """

    body: bytes
    quantum_seconds: float
    executions: int


@attrs.frozen
class Failed:
    """Why a job failed, in the three parts of a job's state: `reason`, `reason_code`, `reason_solution`.

    `traceback` holds what a crash inside the emulator left behind; it is empty for a bad program.
    """

    reason: str
    code: int
    solution: str
    traceback: str = ""


Outcome = Done | Failed
