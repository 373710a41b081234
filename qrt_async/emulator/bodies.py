"""What the service demands of request bodies: `POST /jobs`, `POST /sessions`, `PATCH` and `PUT …/tags`.

Types and bounds are those of the service's OpenAPI document. IBM_QUANTUM refuses params and options it does
not know; LEGACY lets them pass (its guides still show `options.transpilation`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qrt_async.emulator.records import JobOrder, Placement, Platform, SessionOrder
from qrt_async.emulator.refusals import Refusal, bad_body
from qrt_async.emulator.shapes import (
    INT32,
    Mismatch,
    anything,
    array,
    either,
    flag,
    integer,
    mapping,
    nullable,
    number,
    one_of,
    parse,
    places,
    record,
    text,
)

if TYPE_CHECKING:
    from qrt_async.emulator.shapes import Check

MAX_TAGS = 8
MAX_TAG_CHARACTERS = 86
MAX_COST = 10_800  # seconds
DEFAULT_COST = 600  # seconds, where none is given: what the Open plan allows
PLAN_MAX_TTL = 28_800  # seconds: what a paid plan allows a session
INTERACTIVE_TTL = 60  # seconds

_randomizations = either('"auto" or a whole number from 1', one_of("auto"), integer(1))
_circuit = either("a program as text, or a typed value", text(1), mapping)
_bindings = nullable(either("null, an object or a list", mapping, array(anything)))
_shots = nullable(integer(1))
_observables = either("text, an object or a list", text(1), mapping, array(anything, 1))
_precision = nullable(number(above=0))

_bare_sampler_pub = either("a program or a list", text(1), mapping)
_listed_sampler_pub = places(_circuit, _bindings, _shots, least=1)
_estimator_pub = places(_circuit, _observables, _bindings, _precision, least=2)

_EXTRAPOLATORS = (
    "linear",
    "exponential",
    "double_exponential",
    *(f"polynomial_degree_{degree}" for degree in range(1, 8)),
    "fallback",
)


def job_order(raw: bytes, platform: Platform) -> JobOrder:
    """Check a body of `POST /jobs`; raises Refusal naming the path that is wrong."""
    body = _checked(raw, _JOB[platform])
    if str(body.get("start_session", False)).lower() not in ("false", "none"):
        raise bad_body("start_session is not supported any longer: open a session with POST /sessions")
    program = body["program_id"]
    if program not in ("sampler", "estimator"):
        raise bad_body(f'program_id must be "sampler" or "estimator"; the emulator does not run {program!r}')
    _check(_PARAMS[platform, program], body.get("params"), "params")
    return JobOrder(
        program_id=program,
        backend=body["backend"],
        params=body["params"],
        tags=_tags(body.get("tags") or []),
        cost=min(body.get("cost", _DEFAULT_COSTS[platform]), MAX_COST),
        session_id=body.get("session_id"),
        private=body.get("private", False),
        runtime=body.get("runtime"),
        calibration_id=body.get("calibration_id"),
        placement=_placement(body) if platform is Platform.LEGACY else None,
    )


def session_order(raw: bytes, platform: Platform) -> SessionOrder:
    """Check a body of `POST /sessions`; times that are left out get the service's defaults."""
    body = _checked(raw, _SESSION[platform])
    wanted = body.get("max_ttl") or body.get("max_session_ttl") or PLAN_MAX_TTL
    max_ttl = min(wanted, PLAN_MAX_TTL)
    active_ttl = body.get("active_ttl", max_ttl)
    interactive_ttl = body.get("interactive_ttl", min(INTERACTIVE_TTL, max_ttl))
    if not interactive_ttl <= active_ttl <= wanted:
        raise bad_body("interactive_ttl must not exceed active_ttl, nor active_ttl max_ttl")
    return SessionOrder(
        mode=body.get("mode") or "dedicated",
        backend=body.get("backend") or body.get("backend_name"),
        max_ttl=max_ttl,
        active_ttl=min(active_ttl, max_ttl),
        interactive_ttl=min(interactive_ttl, max_ttl),
    )


def accepting_jobs(raw: bytes) -> bool:
    """Check a body of `PATCH /sessions/{id}` and give its one field."""
    return bool(_checked(raw, _ACCEPTING)["accepting_jobs"])


def tags(raw: bytes) -> tuple[str, ...]:
    """Check a body of `PUT /jobs/{id}/tags` and give the tags."""
    return _tags(_checked(raw, _TAGS)["tags"])


def _checked(raw: bytes, check: Check) -> dict[str, Any]:
    try:
        body: dict[str, Any] = parse(raw)
    except Mismatch as mismatch:
        raise bad_body(str(mismatch)) from None
    _check(check, body, "")
    return body


def _check(check: Check, value: Any, path: str) -> None:
    try:
        check(value, path)
    except Mismatch as mismatch:
        raise bad_body(str(mismatch)) from None


def _tags(values: list[str]) -> tuple[str, ...]:
    if len(values) > MAX_TAGS:
        raise Refusal(400, 1204, f"There are {len(values)} tags; the limit is {MAX_TAGS}.", "Send fewer tags.")
    for position, tag in enumerate(values):
        if len(tag) > MAX_TAG_CHARACTERS:
            raise Refusal(
                400,
                1205,
                f"tags[{position}] has {len(tag)} characters; the limit is {MAX_TAG_CHARACTERS}.",
                "Send shorter tags.",
            )
    return tuple(values)


def _placement(body: dict[str, Any]) -> Placement:
    return Placement(body["hub"], body["group"], body["project"])


def _instance(value: Any, path: str) -> None:
    parts = value.split("/") if isinstance(value, str) else []
    if len(parts) != 3 or not all(parts):
        raise Mismatch(f'{path} must be text of the form "hub/group/project"')


def _sampler_pub(value: Any, path: str) -> None:
    (_listed_sampler_pub if isinstance(value, list) else _bare_sampler_pub)(value, path)


def _params(program: str, *, closed: bool) -> Check:
    shared: dict[str, Check] = {
        "version": one_of(2, "2"),
        "support_qiskit": flag,
        "options": nullable(_options(program, closed=closed)),
    }
    own: dict[str, Check]
    if program == "sampler":
        own = {"pubs": array(_sampler_pub, 1), "shots": nullable(integer(0))}
    else:
        own = {
            "pubs": array(_estimator_pub, 1),
            "precision": _precision,
            "resilience_level": integer(0, 2),
        }
    return record(shared | own, required=("pubs",), closed=closed)


def _options(program: str, *, closed: bool) -> Check:
    sampler = program == "sampler"
    execution: dict[str, Check] = {
        "init_qubits": flag,
        "rep_delay": nullable(number(least=0)),
    }
    if sampler:
        execution["meas_type"] = one_of("classified", "kerneled", "avg_kerneled")
    own: dict[str, Check]
    if sampler:
        own = {"default_shots": nullable(integer(0))}
    else:
        own = {
            "default_shots": nullable(integer(0)),
            "default_precision": _precision,
            "seed_estimator": nullable(integer(0)),
            "resilience": _resilience(closed=closed),
        }
    shared: dict[str, Check] = {
        "dynamical_decoupling": _dynamical_decoupling(closed=closed),
        "execution": record(execution, closed=closed),
        "twirling": _twirling(closed=closed),
        "simulator": record(
            {
                "noise_model": anything,
                "seed_simulator": nullable(integer(0)),
                "coupling_map": nullable(array(anything)),
                "basis_gates": nullable(array(text())),
            },
            closed=closed,
        ),
        "experimental": nullable(mapping),
    }
    return record(shared | own, closed=closed)


def _dynamical_decoupling(*, closed: bool) -> Check:
    return record(
        {
            "enable": flag,
            "sequence_type": one_of("XX", "XpXm", "XY4"),
            "extra_slack_distribution": one_of("middle", "edges"),
            "scheduling_method": one_of("alap", "asap"),
            "skip_reset_qubits": flag,
        },
        closed=closed,
    )


def _twirling(*, closed: bool) -> Check:
    return record(
        {
            "enable_gates": nullable(flag),
            "enable_measure": nullable(flag),
            "num_randomizations": _randomizations,
            "shots_per_randomization": _randomizations,
            "strategy": one_of("active", "active-circuit", "active-accum", "all"),
        },
        closed=closed,
    )


def _resilience(*, closed: bool) -> Check:
    extrapolator = one_of(*_EXTRAPOLATORS)
    return record(
        {
            "measure_mitigation": nullable(flag),
            "measure_noise_learning": record(
                {"num_randomizations": integer(1), "shots_per_randomization": _randomizations}, closed=closed
            ),
            "zne_mitigation": nullable(flag),
            "zne": record(
                {
                    "amplifier": one_of("gate_folding", "gate_folding_front", "gate_folding_back", "pea"),
                    "noise_factors": nullable(array(number(least=1), 1)),
                    "extrapolator": either("an extrapolator or a list", extrapolator, array(extrapolator, 1)),
                    "extrapolated_noise_factors": either(
                        '"auto" or a list of numbers from 0', one_of("auto"), array(number(least=0))
                    ),
                },
                closed=closed,
            ),
            "pec_mitigation": nullable(flag),
            "pec": record(
                {
                    "max_overhead": nullable(number(above=0)),
                    "noise_gain": either('"auto" or a number from 0', one_of("auto"), number(least=0)),
                },
                closed=closed,
            ),
            "layer_noise_learning": record(
                {
                    "max_layers_to_learn": nullable(integer(0)),
                    "shots_per_randomization": integer(1),
                    "num_randomizations": integer(1),
                    "layer_pair_depths": array(integer(0)),
                },
                closed=closed,
            ),
            "layer_noise_model": anything,
        },
        closed=closed,
    )


_job_fields: dict[str, Check] = {
    "program_id": text(1, 10_000),
    "backend": text(1, 10_000),
    "params": mapping,
    "runtime": text(1, 10_000),
    "tags": nullable(array(text())),
    "log_level": one_of("critical", "error", "warning", "info", "debug"),
    "cost": integer(0),
    "session_id": nullable(text(1, 36)),
    "calibration_id": text(1, 100),
    "private": flag,
    "remote_storage": mapping,
}
_JOB: dict[Platform, Check] = {
    Platform.IBM_QUANTUM: record(_job_fields, required=("program_id", "backend")),
    Platform.LEGACY: record(
        _job_fields | dict.fromkeys(("hub", "group", "project"), text(1)),
        required=("program_id", "backend", "hub", "group", "project"),
    ),
}
_DEFAULT_COSTS = {Platform.IBM_QUANTUM: DEFAULT_COST, Platform.LEGACY: 0}
_PARAMS = {
    (platform, program): _params(program, closed=platform is Platform.IBM_QUANTUM)
    for platform in Platform
    for program in ("sampler", "estimator")
}
_modes = one_of("batch", "dedicated")
_ttls: dict[str, Check] = dict.fromkeys(("max_ttl", "active_ttl", "interactive_ttl"), integer(1, INT32))
_SESSION: dict[Platform, Check] = {
    Platform.IBM_QUANTUM: record(
        {"mode": _modes, "backend": nullable(text()), "backend_name": nullable(text()), **_ttls},
        required=("mode",),
    ),
    Platform.LEGACY: record(
        {
            "mode": nullable(_modes),
            "backend": text(1),
            "instance": _instance,
            "max_session_ttl": nullable(integer(1)),
            **_ttls,
        },
        required=("backend", "instance"),
    ),
}
_ACCEPTING = record({"accepting_jobs": flag}, required=("accepting_jobs",))
_TAGS = record({"tags": array(text())}, required=("tags",))
