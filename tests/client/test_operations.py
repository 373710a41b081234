"""Every operation: what it sends, and what each platform's and version's reply becomes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl

import pytest
from aiohttp import web

from qrt_async import (
    AnalyticsFilter,
    BadRequest,
    Client,
    Conflict,
    InvalidOption,
    JobFilter,
    JobStatus,
    NotFound,
    ProtocolError,
    ServiceWarning,
    SessionClosed,
    UsageError,
    WorkloadFilter,
)
from qrt_async.wire.call import Call
from qrt_async.wire.outcome import nothing
from tests.client.conftest import FakeClock
from tests.client.scripted import CRN, Service, job, reply

NOON = dt.datetime(2026, 9, 10, 12, tzinfo=dt.UTC)


def queries(service: Service) -> list[tuple[str, str]]:
    """Return the query of the last request, as pairs."""
    return parse_qsl(service.seen[-1].query, keep_blank_values=True)


Ask = Callable[[Client], Awaitable[Any]]

NO_BODY: list[tuple[str, str, Ask, Any]] = [
    ("DELETE", "/jobs/j", lambda c: c.job("j").delete(), None),
    ("POST", "/jobs/j/cancel", lambda c: c.job("j").cancel(), None),
    ("PUT", "/jobs/j/tags", lambda c: c.job("j").set_tags(["a", "b"]), {"tags": ["a", "b"]}),
    ("PUT", "/jobs/j/tags", lambda c: c.job("j").set_tags([]), {"tags": []}),
    ("PATCH", "/sessions/s", lambda c: c.sessions.drain("s"), {"accepting_jobs": False}),
    ("DELETE", "/sessions/s/close", lambda c: c.sessions.cancel("s"), None),
    ("PUT", "/instances/configuration", lambda c: c.instance.set_limit(600), {"instance_limit": 600}),
    ("PUT", "/instances/configuration", lambda c: c.instance.set_limit(None), {"instance_limit": None}),
]


@pytest.mark.parametrize(("method", "path", "ask", "body"), NO_BODY)
async def test_operations_without_an_answer(service: Service, method: str, path: str, ask: Ask, body: Any) -> None:
    """What only changes something sends the right request, and takes an empty reply."""
    service.on(f"{method} /api/v1{path}", reply(204))
    async with Client(service.account()) as client:
        await ask(client)

    [seen] = service.asked(f"{method} /api/v1{path}")
    assert (seen.json if seen.body else None) == body


TOTALS = dict.fromkeys(
    [
        "usage", "jobs", "sessions", "sessions_usage", "avg_sessions_usage", "max_sessions_usage", "batch_sessions",
        "batch_sessions_usage", "avg_batch_sessions_usage", "max_batch_sessions_usage", "dedicated_sessions",
        "dedicated_sessions_usage", "avg_dedicated_sessions_usage", "max_dedicated_sessions_usage", "individual_jobs",
        "individual_jobs_usage", "avg_individual_jobs_usage", "max_individual_jobs_usage", "queue_time",
        "avg_queue_time", "max_queue_time",
    ],
    2,
)  # fmt: skip

JOB = {
    "id": "j",
    "backend": "ibm_fez",
    "state": {"status": "Completed"},
    "status": "Completed",
    "program": {"id": "sampler"},
    "created": "2026-09-10T12:00:00Z",
    "cost": 60,
    "tags": ["a"],
    "user_id": "IBMid-0",
    "estimated_running_time_seconds": 2.1,
    "usage": {"qpu_charge_time_seconds": 2, "status": "complete"},
    "params": {"pubs": []},
    "hub": "h",
}

WORKLOAD = {
    "id": "w",
    "mode": "job",
    "status": "completed",
    "created": "2026-09-10T12:00:00Z",
    "backend": "b",
    "instance": "crn",
    "user_id": "u",
    "usage": {"qpu_charge_time_seconds": 3, "status": "complete"},
}

ANSWERS: list[tuple[str, Ask, Any, dict[str, Any]]] = [
    (
        "/jobs",
        lambda c: c.jobs.list(),
        {"jobs": [JOB], "limit": 200, "offset": 0, "count": 1},
        {"count": 1, "limit": 200},
    ),
    (
        "/jobs/j",
        lambda c: c.jobs.get("j", params=True),
        JOB,
        {
            "status": JobStatus.COMPLETED,
            "created": NOON,
            "max_time": 60,
            "tags": ("a",),
            "qpu_seconds": 2,
            "usage_status": "complete",
            "params": {"pubs": []},
            "extra": {"hub": "h"},
            "request_id": "r-1",
        },
    ),
    (
        "/jobs/j/metrics",
        lambda c: c.job("j").metrics(),
        {
            "timestamps": {"created": "2026-09-10T12:00:00Z", "running": None, "finished": None},
            "usage": {"qpu_charge_time_seconds": 2, "status": "complete"},
            "circuits_execution_time_ns": 5,
            "qiskit_version": "2.2.3",
            "caller": "me",
        },
        {
            "created": NOON,
            "qpu_seconds": 2,
            "usage_status": "complete",
            "circuits_execution_time_ns": 5,
            "caller": "me",
        },
    ),
    (
        "/jobs/j/metrics",
        lambda c: c.job("j").metrics(),
        {"usage": {"quantum_seconds": 2, "seconds": 9, "circuits_execution_time_ns": 7}, "bss": {"seconds": 4}},
        {"qpu_seconds": 2, "circuits_execution_time_ns": 7},
    ),
    (
        "/jobs/j/metrics",
        lambda c: c.job("j").metrics(),
        {
            "bss": {"seconds": 4},
            "position_in_queue": 3,
            "num_qubits": [5],
            "estimated_start_time": "2026-09-10T12:00:00Z",
        },
        {"qpu_seconds": 4, "position_in_queue": 3, "qubits": (5,), "estimated_start": NOON},
    ),
    (
        "/sessions/s",
        lambda c: c.sessions.get("s"),
        {
            "id": "s",
            "backend_name": "ibm_fez",
            "mode": "batch",
            "state": "closed",
            "state_reason": "session_closed_early",
            "accepting_jobs": False,
            "closed_at": "2026-09-10T12:00:00Z",
            "interactive_ttl": 60,
            "timestamps": [{"status": "open", "timestamp": "2026-09-10T12:00:00Z"}],
            "elapsed_time": None,
        },
        {"backend": "ibm_fez", "state": "closed", "closed_at": NOON, "interactive_ttl": 60, "elapsed_time": None},
    ),
    (
        "/instance",
        lambda c: c.instance.get(),
        {"backends": ["b"], "plan_id": "p", "instance_limit_seconds": "600", "usage_allocation_seconds": "12.5"},
        {"backends": ("b",), "limit_seconds": 600.0, "allocation_seconds": 12.5},
    ),
    ("/instance", lambda c: c.instance.get(), {"instance_limit": 60.0}, {"limit_seconds": 60.0, "backends": ()}),
    (
        "/instances/usage",
        lambda c: c.instance.usage(),
        {
            "instance_id": "i",
            "plan_id": "p",
            "usage_consumed_seconds": 5,
            "usage_limit_seconds": 10,
            "usage_limit_reached": False,
            "usage_period": {"start_time": "2026-09-10T12:00:00Z", "end_time": "2026-09-10T12:00:00Z"},
        },
        {"consumed_seconds": 5, "limit_seconds": 10, "limit_reached": False, "period_start": NOON},
    ),
    (
        "/instances/usage",
        lambda c: c.instance.usage(),
        {"value": {"bss": {"seconds": 7}, "usage": {"quantum_seconds": 6, "seconds": 9}}},
        {"consumed_seconds": 6},
    ),
    (
        "/accounts/abc",
        lambda c: c.accounts.get(),
        {"plans": [{"plan_id": "p", "subscription_id": "s", "subscription_name": "n", "backends": ["b"]}]},
        {},
    ),
    (
        "/workloads",
        lambda c: c.workloads.list(),
        {"workloads": [WORKLOAD], "total_count": 1, "limit": 50, "next": {"href": "?next=x"}},
        {"total": 1, "next_href": "?next=x"},
    ),
    ("/analytics/usage", lambda c: c.analytics.usage(), TOTALS, {"usage": 2, "max_queue_time": 2, "key": None}),
]


@pytest.mark.parametrize(("path", "ask", "body", "fields"), ANSWERS)
async def test_operations_with_an_answer(
    service: Service, path: str, ask: Ask, body: Any, fields: dict[str, Any]
) -> None:
    """A reply becomes a model with typed fields, the request's id, and what is unknown kept aside."""
    service.on(f"GET /api/v1{path}", reply(200, body, x_request_id="r-1"))
    async with Client(service.account()) as client:
        found = await ask(client)

    assert found.request_id == "r-1"
    assert {name: getattr(found, name) for name in fields} == fields


PLAIN: list[tuple[str, Ask, Any, Any]] = [
    ("/jobs/j/logs", lambda c: c.job("j").logs(), '{"a": 1}', '{"a": 1}'),
    ("/jobs/j/logs", lambda c: c.job("j").logs(), "", ""),
    ("/jobs/j/transpiled_circuits", lambda c: c.job("j").transpiled_circuits(), {"url": "https://x/y"}, "https://x/y"),
    ("/tags", lambda c: c.jobs.search_tags("abc"), {"tags": ["abcd"]}, ("abcd",)),
    ("/tags", lambda c: c.jobs.search_tags("abc"), {}, ()),
    ("/instances/configuration", lambda c: c.instance.limit(), {"instance_limit": 600}, 600.0),
    ("/instances/configuration", lambda c: c.instance.limit(), {}, None),
    ("/backends/b/defaults", lambda c: c.backends.defaults("b"), "null", None),
    ("/backends/b/defaults", lambda c: c.backends.defaults("b"), {"x": 1}, {"x": 1}),
    ("/jobs/j/interim_results", lambda c: c.job("j").interim_results(), "text", "text"),
]


@pytest.mark.parametrize(("path", "ask", "body", "found"), PLAIN)
async def test_operations_with_a_plain_answer(service: Service, path: str, ask: Ask, body: Any, found: Any) -> None:
    """A text, a number or a list of texts is given as it is."""
    service.on(f"GET /api/v1{path}", reply(200, body))
    async with Client(service.account()) as client:
        assert await ask(client) == found


async def test_versions_are_names_or_more(service: Service) -> None:
    """Both forms of the list of versions are read, and no version is asked for by accident."""
    dated = {"version": "2026-03-15", "status": "deprecated", "sunset_date": "2027-03-15"}
    service.on("GET /api/v1/versions", reply(body={"versions": ["2024-01-01"]}), reply(body={"versions": [dated]}))
    async with Client(service.account()) as client:
        [old], [new] = await client.versions(), await client.versions()

    assert (old.version, old.status) == ("2024-01-01", None)
    assert (new.status, new.sunset_date) == ("deprecated", dt.date(2027, 3, 15))


async def test_totals_come_in_groups(service: Service) -> None:
    """Groups have their key, and those by date their interval; the filter is sent as repeated keys."""
    service.on("GET /api/v1/analytics/usage_grouped", reply(body={"data": [TOTALS | {"key": "b"}]}))
    day = {"interval_start": "2026-09-10T12:00:00Z", "interval_end": "2026-09-10T12:00:00Z"}
    service.on(
        "GET /api/v1/analytics/usage_grouped_by_date", reply(body={"data": [TOTALS | {"key": "i"} | day], **day})
    )
    names = {"backends": [{"name": "b"}], "instances": [{"id": "i", "deleted": False}], "users": [{"id": "u"}]}
    service.on("GET /api/v1/analytics/filters", reply(body=names | {"plans": [{"name": "p"}], "subscriptions": []}))
    wanted = AnalyticsFilter(backends=("x", "y"), start=NOON, simulators=False)
    async with Client(service.account()) as client:
        [group] = await client.analytics.grouped("backend", wanted)
        asked = queries(service)
        [dated] = await client.analytics.by_date()
        values = await client.analytics.filters("i")
        with pytest.raises(InvalidOption, match="group_by"):
            await client.analytics.grouped("colour")

    assert (group.key, dated.key, dated.interval_start) == ("b", "i", NOON)
    assert (values.backends, values.instances, values.users, values.plans) == (("b",), ("i",), ("u",), ("p",))
    assert asked == [
        ("group_by", "backend"),
        ("interval_start", "2026-09-10T12:00:00Z"),
        ("simulators", "false"),
        ("backend", "x"),
        ("backend", "y"),
    ]


async def test_every_filter_of_jobs_is_sent(service: Service) -> None:
    """Filters travel by the service's names, tags as repeated keys."""
    service.on("GET /api/v1/jobs", reply(body={"jobs": [], "limit": 5, "offset": 2}))
    wanted = JobFilter(
        pending=True,
        program="sampler",
        backend="b",
        session_id="s",
        tags=("x", "y"),
        created_after=NOON,
        created_before=NOON,
        oldest_first=True,
        params=True,
        limit=5,
        offset=2,
    )
    async with Client(service.account()) as client:
        await client.jobs.list(wanted)

    assert queries(service) == [
        ("limit", "5"),
        ("offset", "2"),
        ("pending", "true"),
        ("program", "sampler"),
        ("backend", "b"),
        ("session_id", "s"),
        ("created_after", "2026-09-10T12:00:00Z"),
        ("created_before", "2026-09-10T12:00:00Z"),
        ("sort", "ASC"),
        ("exclude_params", "false"),
        ("tags", "x"),
        ("tags", "y"),
    ]


async def test_all_workloads_come_by_cursor(service: Service) -> None:
    """The link's cursor leads to the next page, and a circle ends the list."""

    async def answer(request: web.Request) -> web.StreamResponse:
        pages = {None: ("a", "c1"), "c1": ("b", "c2"), "c2": ("c", "c1")}
        name, cursor = pages[request.query.get("next")]
        body = {"workloads": [WORKLOAD | {"id": name}], "next": {"href": f"https://x/v1/workloads?next={cursor}"}}
        return await reply(200, body)(request)

    service.on("GET /api/v1/workloads", answer)
    async with Client(service.account()) as client:
        wanted = WorkloadFilter(statuses=("pending", "failed"), mode="job", oldest_first=False)
        found = [workload.id async for workload in client.workloads.list(wanted)]
        with pytest.raises(InvalidOption):
            client.workloads.list(WorkloadFilter(limit=51))

    assert found == ["a", "b", "c"]
    assert ("status", "pending") in queries(service)
    assert ("sort", "-createdAt") in queries(service)


async def test_the_legacy_platform_has_its_own(service: Service) -> None:
    """Usage and profile of the legacy platform are read there, and refused elsewhere."""
    period = {"start": "2026-09-10T12:00:00Z", "end": None}
    by_instance = [{"instance": "h/g/p", "quota": 600, "usage": 10, "pendingJobs": 2, "maxPendingJobs": 3}]
    service.on("GET /runtime/usage", reply(body={"period": period, "byInstance": by_instance}))
    profile = {"email": "a@b", "instances": [{"name": "h/g/p", "plan": "open"}]}
    service.on("GET /runtime/users/me", reply(body=profile))
    async with Client(service.legacy_account()) as client:
        usage, me = await client.legacy.usage(), await client.legacy.me()
    async with Client(service.account()) as client:
        with pytest.raises(UsageError, match="legacy platform"):
            await client.legacy.usage()

    assert (usage.start, usage.by_instance[0].max_pending_jobs) == (NOON, 3)
    assert (me.email, me.instances) == ("a@b", ("h/g/p",))


async def test_the_list_of_a_legacy_instance_names_it(service: Service) -> None:
    """On the legacy platform lists are for one provider."""
    service.on("GET /runtime/jobs", reply(body={"jobs": [], "limit": 200, "offset": 0}))
    async with Client(service.legacy_account()) as client:
        assert [one async for one in client.jobs.list()] == []

    assert ("provider", "h/g/p") in parse_qsl(service.asked("GET /runtime/jobs")[0].query)


async def test_cancelling_all_says_what_became_of_each(service: Service) -> None:
    """Only jobs that bear the tags are cancelled, whatever the service lists, and every one has its outcome."""
    rows = [JOB | {"id": name, "tags": tags, "state": {"status": "Queued"}} for name, tags in
            [("a", ["mine"]), ("b", ["mine", "x"]), ("c", ["mine"]), ("other", ["theirs"])]]  # fmt: skip
    service.on("GET /api/v1/jobs", reply(body={"jobs": rows, "limit": 200, "offset": 0}))
    service.on("POST /api/v1/jobs/a/cancel", reply(204))
    service.on("POST /api/v1/jobs/b/cancel", reply(409))
    service.on("POST /api/v1/jobs/c/cancel", reply(400, "no"))
    async with Client(service.account()) as client:
        outcomes = await client.jobs.cancel_all(tags=["mine"])
        with pytest.raises(UsageError, match="every job"):
            await client.jobs.cancel_all()

    assert [(one.job_id, one.cancelled, type(one.error)) for one in outcomes] == [
        ("a", True, type(None)),
        ("b", False, type(None)),
        ("c", False, BadRequest),
    ]
    assert service.asked("POST /api/v1/jobs/other/cancel") == []


async def test_remarks_of_the_service_become_warnings_once(service: Service) -> None:
    """A message beside an answer is not thrown away, and not repeated."""
    messages = [{"level": "warning", "data": "one second left"}]
    service.on("POST /api/v1/jobs", reply(body={"id": "j", "messages": messages}))
    service.on("POST /api/v1/sessions", reply(body={"id": "s", "messages": ["old plan"]}))
    service.on("GET /api/v1/instances/usage", reply(body={"usage_limit_reached": True}))
    async with Client(service.account()) as client:
        with pytest.warns(ServiceWarning, match="one second left"):
            await client.sampler(["x"], backend="b")
        await client.sampler(["x"], backend="b")
        with pytest.warns(ServiceWarning, match="old plan"):
            await client.sessions.create("b", mode="batch")
        with pytest.warns(ServiceWarning, match="usage limit"):
            await client.instance.usage()
        await client.instance.usage()


async def test_any_program_can_be_submitted(service: Service) -> None:
    """The params go out as they are, and the result is what the body says."""
    service.on("POST /api/v1/jobs", reply(body={"id": "j"}))
    service.on("GET /api/v1/jobs/j", job("Completed"))
    service.on("GET /api/v1/jobs/j/results", reply(body={"schema_version": "x", "data": [{"a": 1}]}))
    async with Client(service.account()) as client:
        handle = await client.submit("my-program", {"schema_version": "v9", "deep": [1]}, backend="b", tags=["t"])
        result = await handle.result()
        with pytest.raises(UsageError):
            await client.submit("", {}, backend="b")
        with pytest.raises(UsageError):
            await client.submit("x", [], backend="b")  # type: ignore[arg-type]

    body = service.asked("POST /api/v1/jobs")[0].json
    assert (body["program_id"], body["params"]) == ("my-program", {"schema_version": "v9", "deep": [1]})
    assert result is not None


async def test_a_call_of_ones_own_can_be_sent(service: Service) -> None:
    """The way out: any call goes out with this account's credentials."""
    service.on("POST /api/v1/new/thing", reply(204))
    call = Call(operation="new", method="POST", path="/new/thing", read=nothing())
    async with Client(service.account()) as client:
        await client.send(call)

    assert service.asked("POST /api/v1/new/thing")[0].headers["Service-CRN"] == CRN


async def test_a_job_of_a_closed_session_has_its_own_error(service: Service, clock: FakeClock) -> None:
    """Code 1217 means that the job never ran."""
    service.on("GET /api/v1/jobs/j", job("Failed", reason="Session has been closed", reason_code=1217))
    async with Client(service.account(), clock=clock) as client:
        with pytest.raises(SessionClosed) as caught:
            await client.job("j").result()

    assert caught.value.code == 1217


async def test_a_log_that_is_not_there_is_empty(service: Service) -> None:
    """No log yet is no error, and no job is one."""
    service.on("GET /api/v1/jobs/j/logs", reply(404, {"errors": [{"message": "logs not found"}]}))
    service.on("GET /api/v1/jobs/k/logs", reply(404, {"errors": [{"code": 1291, "message": "Job not found."}]}))
    async with Client(service.account()) as client:
        assert await client.job("j").logs() == ""
        with pytest.raises(NotFound):
            await client.job("k").logs()


async def test_refusals_of_changes_are_typed(service: Service) -> None:
    """A limit below what is used is a conflict, a job that runs cannot be deleted, and bad values never leave."""
    service.on("PUT /api/v1/instances/configuration", reply(409))
    service.on("DELETE /api/v1/jobs/j", reply(400))
    async with Client(service.account()) as client:
        with pytest.raises(Conflict):
            await client.instance.set_limit(1)
        with pytest.raises(BadRequest):
            await client.job("j").delete()
        with pytest.raises(InvalidOption):
            await client.instance.set_limit(-1)
        with pytest.raises(UsageError):
            await client.jobs.search_tags("ab")


@pytest.mark.parametrize(
    ("path", "ask", "body", "place"),
    [
        ("/jobs", lambda c: c.jobs.list(), {"jobs": [JOB, JOB | {"id": 7}]}, r"\$\.jobs\[1\]\.id"),
        ("/jobs/j/metrics", lambda c: c.job("j").metrics(), {"usage": {"seconds": "2"}}, r"\$\.usage\.seconds"),
        ("/sessions/s", lambda c: c.sessions.get("s"), {"id": "s", "max_ttl": "1"}, r"\$\.max_ttl"),
        ("/instances/usage", lambda c: c.instance.usage(), {"usage_limit_reached": 1}, r"\$\.usage_limit_reached"),
        ("/workloads", lambda c: c.workloads.list(), {"workloads": [{}]}, r"\$\.workloads\[0\]"),
        ("/accounts/abc", lambda c: c.accounts.get(), {"plans": [{"plan_id": 1}]}, r"\$\.plans\[0\]\.plan_id"),
        (
            "/backends",
            lambda c: c.backends.list(),
            {"devices": [{"name": "a", "qubits": "5"}]},
            r"\$\.devices\[0\]\.qubits",
        ),
        ("/versions", lambda c: c.versions(), {"versions": [5]}, r"\$\.versions\[0\]"),
    ],
)
async def test_a_wrong_type_names_its_path(service: Service, path: str, ask: Ask, body: Any, place: str) -> None:
    """Whatever operation it is, the error says where the reply is wrong."""
    service.on(f"GET /api/v1{path}", reply(body=body))
    async with Client(service.account()) as client:
        with pytest.raises(ProtocolError, match=place):
            await ask(client)


async def test_the_version_of_the_api_is_a_setting(service: Service) -> None:
    """Every request asks for the account's version."""
    service.on("GET /api/v1/backends", reply(body={"devices": ["a"]}))
    async with Client(service.account(api_version="2024-01-01")) as client:
        [backend] = await client.backends.list()

    assert service.seen[-1].headers["IBM-API-Version"] == "2024-01-01"
    assert (backend.name, backend.qubits) == ("a", None)


async def test_figures_of_a_backend_are_read(service: Service) -> None:
    """Errors, speed and waiting times of the list are numbers of the model, and they are asked for."""
    device = {
        "name": "b",
        "status": {"name": "paused", "reason": "calibrating"},
        "queue_length": 3,
        "qubits": 156,
        "clops": {"type": "hardware", "value": 195000},
        "processor_type": {"family": "Heron", "revision": "2", "segment": None},
        "performance_metrics": {"two_q_error_best": {"value": 0.001, "gate": "cz", "qubits": [0, 1]}},
        "wait_time_seconds": {"average": 9, "p50": 5, "p95": 60},
        "new": True,
    }
    service.on("GET /api/v1/backends", reply(body={"devices": [device]}))
    async with Client(service.account()) as client:
        [backend] = await client.backends.list(wait_times=True)

    assert queries(service) == [("fields", "wait_time_seconds")]
    assert (backend.operational, backend.clops, backend.processor) == (False, 195000, "Heron r2")
    assert (backend.two_qubit_error_best, backend.wait and backend.wait.p95) == (0.001, 60)
    assert backend.extra == {"new": True}
