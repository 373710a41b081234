"""Job bodies of both platforms → one model, and requests as each platform wants them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from qrt_async.models.jobs import JobDetails, JobRequest, JobStatus
from qrt_async.models.sessions import SessionMode
from qrt_async.wire import jobs, primitives, sessions
from qrt_async.wire.call import Replay, ReplyHead
from qrt_async.wire.dialect import Dialect, HubGroupProject, Platform

TODAY = Dialect(Platform.IBM_QUANTUM, "crn:…")
LEGACY = Dialect(Platform.LEGACY, HubGroupProject("h", "g", "p"))


def details(**fields: Any) -> JobDetails:
    """Return the details that such a body becomes."""
    sink = jobs.get("j").read(ReplyHead(200))
    sink.feed(json.dumps({"id": "j", "program": {"id": "sampler"}, "cost": 0, **fields}).encode())
    return sink.finish()


@pytest.mark.parametrize(
    ("body", "status", "reason", "code"),
    [
        ({"status": "Queued", "state": {"status": "Queued"}}, JobStatus.QUEUED, None, None),
        (
            {"status": "Queued", "state": {"status": "Queued", "reason": "", "reasonCode": None}},
            JobStatus.QUEUED,
            None,
            None,
        ),
        ({"state": {"status": "COMPLETED"}}, JobStatus.COMPLETED, None, None),
        (
            {"state": {"status": "Failed", "reason": "h is not supported", "reason_code": 1517}},
            JobStatus.FAILED,
            "h is not supported",
            1517,
        ),
        ({"state": {"status": "Failed", "reason": "r", "reasonCode": 1517}}, JobStatus.FAILED, "r", 1517),
        ({"state": {"status": "Failed", "reason": "r", "reasonCode": "1517"}}, JobStatus.FAILED, "r", 1517),
        ({"state": {"status": "Cancelled"}}, JobStatus.CANCELLED, None, None),
        ({"state": {"status": "Cancelled", "reason_code": 1305}}, JobStatus.RAN_TOO_LONG, None, 1305),
        (
            {"status": "Cancelled - Ran too long", "state": {"status": "Cancelled", "reason": "Ran too long"}},
            JobStatus.RAN_TOO_LONG,
            "Ran too long",
            None,
        ),
        ({"state": {"status": "cancelled - ran too long"}}, JobStatus.RAN_TOO_LONG, None, None),
    ],
)
def test_states_of_both_platforms_mean_the_same(
    body: dict[str, Any], status: JobStatus, reason: str | None, code: int | None
) -> None:
    """Case, key and platform do not matter; a job stopped at its limit is told from one that was cancelled."""
    found = details(**body)

    assert (found.status, found.reason, found.code) == (status, reason, code)


def test_an_unknown_status_keeps_its_text() -> None:
    """A new word is neither pending nor final."""
    status = details(state={"status": "Paused"}).status

    assert (status, str(status), status.known, status.pending, status.final) == (
        "Paused",
        "Paused",
        False,
        False,
        False,
    )


@pytest.mark.parametrize("usage", [{"seconds": 2}, {"qpu_charge_time_seconds": 2, "status": "complete"}])
def test_usage_of_every_version_is_read(usage: dict[str, Any]) -> None:
    """The charged seconds moved in 2026-03-15."""
    assert details(state={"status": "Completed"}, usage=usage).qpu_seconds == 2


def request(**changes: Any) -> JobRequest[Any]:
    """Return a sampler job."""
    return JobRequest(program=primitives.SAMPLER, backend="ibm_fez", params={"pubs": [], "version": 2}, **changes)


def sent(dialect: Dialect, **changes: Any) -> dict[str, Any]:
    """Return the body of a submission."""
    call = jobs.create(dialect, request(**changes))
    assert call.body is not None
    assert call.replay is Replay.RECONCILE
    found: dict[str, Any] = json.loads(call.body.data)
    return found


def test_the_legacy_platform_is_told_hub_group_and_project() -> None:
    """Only the legacy platform takes its instance from the body."""
    plain = {"program_id": "sampler", "backend": "ibm_fez", "params": {"pubs": [], "version": 2}}

    assert sent(TODAY) == plain
    assert sent(LEGACY) == plain | {"hub": "h", "group": "g", "project": "p"}


def test_settings_are_sent_only_where_they_are_set() -> None:
    """`max_time` is the API's `cost`."""
    changed = sent(TODAY, tags=("a",), private=True, max_time=60, session_id="s")

    assert {key: changed[key] for key in ("tags", "private", "cost", "session_id")} == {
        "tags": ["a"],
        "private": True,
        "cost": 60,
        "session_id": "s",
    }


def test_a_session_always_has_a_finite_life() -> None:
    """Each platform is told the longest life in its own words."""
    today = sessions.create(TODAY, backend="b", mode=SessionMode.BATCH, max_time=60).body
    legacy = sessions.create(LEGACY, backend="b", mode=SessionMode.DEDICATED, max_time=60).body

    assert today is not None
    assert legacy is not None
    assert json.loads(today.data) == {"backend": "b", "mode": "batch", "max_ttl": 60}
    assert json.loads(legacy.data) == {
        "backend": "b",
        "mode": "dedicated",
        "instance": "h/g/p",
        "max_session_ttl": 60,
    }
