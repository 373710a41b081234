"""What the service demands of request bodies: `POST /jobs`, `POST /sessions`, `PATCH` and `PUT …/tags`.

Types and bounds are those of the service's OpenAPI document. IBM_QUANTUM refuses params and options it does
not know; LEGACY lets them pass (its guides still show `options.transpilation`).
"""

from __future__ import annotations

from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs

from qrt_async.emulator.params import params_of, refuse_chunks
from qrt_async.emulator.plans import MAX_COST, PREMIUM
from qrt_async.emulator.records import JobOrder, Placement, Platform, SessionOrder
from qrt_async.emulator.refusals import Refusal, bad_body, no_custom_calibrations
from qrt_async.emulator.shapes import (
    INT32,
    Mismatch,
    array,
    flag,
    integer,
    is_object,
    mapping,
    nullable,
    one_of,
    parse,
    record,
    text,
)

if TYPE_CHECKING:
    from qrt_async.emulator.plans import Plan
    from qrt_async.emulator.shapes import Check

PROGRAMS = ("sampler", "estimator", "executor")  # what the workers run
MAX_TAGS = 8
MAX_TAG_CHARACTERS = 86
INTERACTIVE_TTL = 60  # seconds


class Missing(Enum):
    """The one value that stands for a field that was not sent, where null means something else."""

    FIELD = "missing"


MISSING = Missing.FIELD


@attrs.frozen
class SearchQuery:
    """What a global search asks for; no `fields` means all, `cursor` is that of the page before."""

    query: str
    fields: tuple[str, ...] = ()
    cursor: str | None = None


def job_order(raw: bytes, platform: Platform, plan: Plan = PREMIUM) -> JobOrder:
    """Check a body of `POST /jobs`; raises Refusal naming the path that is wrong, or what the plan forbids."""
    body = _checked(raw, _JOB[platform])
    if str(body.get("start_session", False)).lower() not in ("false", "none"):
        raise bad_body("start_session is not supported any longer: open a session with POST /sessions")
    program = body["program_id"]
    if program not in PROGRAMS:
        raise bad_body(f"program_id must be one of {', '.join(PROGRAMS)}; the emulator does not run {program!r}")
    _check(_PARAMS[platform, program], body.get("params"), "params")
    _check(partial(_chunks, in_session=body.get("session_id") is not None), body["params"], "params")
    if body.get("calibration_id") is not None and not plan.custom_calibrations:
        raise no_custom_calibrations()
    return JobOrder(
        program_id=program,
        backend=body["backend"],
        params=body["params"],
        tags=_tags(body.get("tags") or []),
        cost=min(body.get("cost", 0 if platform is Platform.LEGACY else plan.default_cost), MAX_COST),
        session_id=body.get("session_id"),
        private=body.get("private", False),
        runtime=body.get("runtime"),
        calibration_id=body.get("calibration_id"),
        placement=_placement(body) if platform is Platform.LEGACY else None,
        remote_storage=body.get("remote_storage"),
    )


def session_order(
    raw: bytes, platform: Platform, plan: Plan = PREMIUM, *, unknown_mode_breaks: bool = False
) -> SessionOrder:
    """Check a body of `POST /sessions`; times that are left out get the service's defaults.

    With `unknown_mode_breaks` a mode that does not exist gives the bare internal error seen live.
    """
    body = _parsed(raw)
    if unknown_mode_breaks and is_object(body) and isinstance(mode := body.get("mode"), str) and mode not in _MODES:
        raise Refusal(500, None, "Internal server error", bare=True)
    _check(_SESSION[platform], body, "")
    mode = body.get("mode") or ("dedicated" if plan.dedicated_sessions else "batch")
    if mode == "dedicated" and not plan.dedicated_sessions:
        raise Refusal(
            400, 1352, f"You are not authorized to run a session when using the {plan.name} plan.", "Open a batch."
        )
    wanted = body.get("max_ttl") or body.get("max_session_ttl") or plan.max_ttl
    max_ttl = min(wanted, plan.max_ttl)
    active_ttl = body.get("active_ttl", max_ttl)
    interactive_ttl = body.get("interactive_ttl", min(INTERACTIVE_TTL, max_ttl))
    if not interactive_ttl <= active_ttl <= wanted:
        raise bad_body("interactive_ttl must not exceed active_ttl, nor active_ttl max_ttl")
    return SessionOrder(
        mode=mode,
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


def instance_limit(raw: bytes) -> int | Missing | None:
    """Check a body of `PUT /instances/configuration` and give the limit in seconds: None removes it."""
    limit: int | Missing | None = _checked(raw, _LIMIT).get("instance_limit", MISSING)
    return limit


def resource_parameters(raw: bytes) -> dict[str, Any]:
    """Check a body of the resource controller's PATCH and give its `parameters`."""
    parameters: dict[str, Any] = _checked(raw, _RESOURCE).get("parameters", {})
    return parameters


def search_query(raw: bytes) -> SearchQuery:
    """Check a body of the global search."""
    body = _checked(raw, _SEARCH)
    return SearchQuery(body.get("query", "*"), tuple(body.get("fields", ())), body.get("search_cursor"))


def _checked(raw: bytes, check: Check) -> dict[str, Any]:
    body: dict[str, Any] = _parsed(raw)
    _check(check, body, "")
    return body


def _parsed(raw: bytes) -> Any:
    try:
        return parse(raw)
    except Mismatch as mismatch:
        raise bad_body(str(mismatch)) from None


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


def _chunks(params: Any, _path: str, *, in_session: bool) -> None:
    refuse_chunks(params, in_session=in_session)


def _placement(body: dict[str, Any]) -> Placement:
    return Placement(body["hub"], body["group"], body["project"])


def _instance(value: Any, path: str) -> None:
    parts = value.split("/") if isinstance(value, str) else []
    if len(parts) != 3 or not all(parts):
        raise Mismatch(f'{path} must be text of the form "hub/group/project"')


_store: dict[str, Check] = {
    "type": one_of("ibmcloud_cos"),
    "region": text(1),
    "region_type": one_of("regional", "cross-region", "single-site"),
    "bucket_crn": text(1),
}
_part = record(_store | {"object_name": text(1)})


def _remote_storage(value: Any, path: str) -> None:
    """Take the places of a job's parts; `job_params` and `results` are there, and only they name objects."""
    record(_store | dict.fromkeys(("job_params", "results", "logs"), _part), required=("job_params", "results"))(
        value, path
    )
    if "object_name" in value:
        raise Mismatch(f"{path}.object_name must not be there: each part has an object of its own")


_LOG_LEVELS = ("critical", "error", "warning", "info", "debug")
_job_fields: dict[str, Check] = {
    "program_id": text(1, 10_000),
    "backend": text(1, 10_000),
    "params": mapping,
    "runtime": text(1, 10_000),
    "tags": nullable(array(text())),
    "log_level": one_of(*_LOG_LEVELS, *map(str.upper, _LOG_LEVELS)),  # the official client writes them in capitals
    "cost": integer(0),
    "session_id": nullable(text(1, 36)),
    "calibration_id": text(1, 100),
    "private": flag,
    "remote_storage": nullable(_remote_storage),
}
_JOB: dict[Platform, Check] = {
    Platform.IBM_QUANTUM: record(_job_fields, required=("program_id", "backend")),
    Platform.LEGACY: record(
        _job_fields | dict.fromkeys(("hub", "group", "project"), text(1)),
        required=("program_id", "backend", "hub", "group", "project"),
    ),
}
_PARAMS = {
    (platform, program): params_of(program, closed=platform is Platform.IBM_QUANTUM)
    for platform in Platform
    for program in PROGRAMS
}
_MODES = ("batch", "dedicated")
_modes = one_of(*_MODES)
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
_LIMIT = record({"instance_limit": nullable(integer(1))})
_RESOURCE = record({"parameters": record({"instance_limit_seconds": nullable(integer(1))})})
_SEARCH = record({"query": text(), "fields": array(text()), "search_cursor": nullable(text())})
_TAGS = record({"tags": array(text())}, required=("tags",))
