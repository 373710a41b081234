"""Good replies to every operation, to be damaged; and what the client does with what it reads in them."""

from __future__ import annotations

import base64
import inspect
import json
import random
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import numpy as np

from qrt_async.account import Account
from qrt_async.discovery import choose
from qrt_async.errors import InvalidAccount
from qrt_async.models.jobs import JobFilter, JobPage, JobRequest, Program
from qrt_async.models.results import PrimitiveResult
from qrt_async.models.sessions import SessionMode
from qrt_async.models.tokens import Token
from qrt_async.models.usage import AnalyticsFilter, WorkloadFilter
from qrt_async.options import PollPolicy
from qrt_async.secret import Secret
from qrt_async.wire import auth, backends, decisions, discovery, jobs, results, sessions, transpiler, usage
from qrt_async.wire.call import Call
from qrt_async.wire.dialect import Dialect, Platform
from qrt_async.wire.paging import JobPager, next_cursor
from tests.client.test_operations import TOTALS
from tests.unit import typed_bodies as make

WHEN = "2026-09-10T12:00:00.123456Z"
CRN = "crn:v1:bluemix:public:quantum-computing:us-east:a/abc:def::"
DIALECT = Dialect(Platform.IBM_QUANTUM, CRN)
REQUEST = JobRequest(program=Program("sampler", bytes.decode), backend="b", params={})

Use = Callable[[Any], object]


@attrs.frozen
class Case:
    """An operation, bodies that a service may give, and what the client goes on to do with what they mean."""

    call: Call[Any]
    bodies: tuple[bytes, ...]
    use: Use = repr


JOB: dict[str, Any] = {
    "id": "j",
    "backend": "ibm_fez",
    "state": {"status": "Completed", "reason": "", "reason_code": 1305, "reason_solution": "x"},
    "status": "Completed",
    "program": {"id": "sampler"},
    "created": WHEN,
    "cost": 60,
    "tags": ["a", "qrt-1"],
    "user_id": "IBMid-0",
    "session_id": "s",
    "private": False,
    "estimated_running_time_seconds": 2.1,
    "usage": {"qpu_charge_time_seconds": 2, "status": "complete"},
    "params": {"pubs": []},
    "hub": "h",
}
SESSION = {
    "id": "s",
    "backend_name": "ibm_fez",
    "mode": "batch",
    "state": "open",
    "state_reason": "x",
    "accepting_jobs": True,
    "activated_at": WHEN,
    "closed_at": None,
    "interactive_ttl": 60,
    "max_ttl": 28800,
    "timestamps": [{"status": "open", "timestamp": WHEN}],
    "elapsed_time": None,
    "messages": [{"level": "warning", "data": "x"}, "y"],
}
WORKLOAD = {
    "id": "w",
    "mode": "job",
    "status": "completed",
    "created": WHEN,
    "ended": WHEN,
    "backend": "b",
    "instance": "crn",
    "user_id": "u",
    "accepting_jobs": True,
    "usage": {"qpu_charge_time_seconds": 3, "status": "complete"},
}
DEVICE = {
    "name": "b",
    "status": {"name": "paused", "reason": "calibrating"},
    "queue_length": 3,
    "qubits": 156,
    "is_simulator": False,
    "clops": {"type": "hardware", "value": 195000},
    "processor_type": {"family": "Heron", "revision": "2", "segment": None},
    "performance_metrics": {"two_q_error_best": {"value": 0.001, "gate": "cz", "qubits": [0, 1]}},
    "wait_time_seconds": {"average": 9, "p50": 5, "p95": 60},
}
CONFIGURATION = {
    "backend_name": "b",
    "backend_version": "1.0",
    "n_qubits": 5,
    "basis_gates": ["cz", "x"],
    "coupling_map": [[0, 1], [1, 0]],
    "simulator": False,
    "max_shots": 100000,
    "dt": 4e-9,
    "processor_type": {"family": "Heron", "revision": 2},
}
PROPERTIES = {
    "backend_name": "b",
    "backend_version": "1.0",
    "last_update_date": WHEN,
    "qubits": [[{"name": "T1", "value": 1.5, "unit": "us", "date": WHEN}]],
    "gates": [{"gate": "cz", "qubits": [0, 1], "parameters": [{"name": "gate_error", "value": 0.1}]}],
    "general": [],
}
METRICS = {
    "timestamps": {"created": WHEN, "running": None, "finished": None},
    "usage": {"quantum_seconds": 2, "seconds": 9, "qpu_charge_time_seconds": 2, "status": "complete"},
    "bss": {"seconds": 4},
    "position_in_queue": 3,
    "num_qubits": [5],
    "num_circuits": 1,
    "estimated_start_time": WHEN,
    "circuits_execution_time_ns": 5,
    "qiskit_version": "2.2.3",
    "caller": "me",
}


def _shots() -> list[bytes]:
    values = np.array([0, 1, 3, 2], dtype=object)
    moment = make.wrapped("datetime", WHEN)
    span = make.wrapped("ExecutionSpan", {"start": moment, "stop": moment, "data_slices": {"0": [[4], 1, 3]}})
    metadata = {"execution": {"execution_spans": make.wrapped("ExecutionSpans", {"spans": [span]})}, "version": 2}
    long = {
        "results": [{"data": {"c": {"samples": ["0x1", "0x3"] * 3000, "num_bits": 2}}, "metadata": {}}],
        "metadata": {},
    }
    return [
        make.plain_sampler({"c": (values, 2), "d": (values, 70)}, metadata),
        make.typed_sampler({"c": (values, 2)}, metadata),
        make.plain_sampler({"c": (np.array([[0, 1], [1, 1]], dtype=object), 1)}),
        json.dumps(long).encode(),
    ]


def _values() -> list[bytes]:
    fields = {"evs": np.array([0.5, -0.5]), "stds": np.array([0.1, 0.2]), "ensemble": None}
    return [make.plain_estimator(fields), make.typed_estimator(fields, (2,))]


def _others() -> list[bytes]:
    tensor = {"data": base64.b64encode(np.array([0.5]).tobytes()).decode(), "shape": [1], "dtype": "f64"}
    executed = {"schema_version": "v0.2", "data": [{"results": {"a": tensor}, "metadata": {}}], "metadata": {}}
    paulis = make.wrapped("PauliLindbladMap", {"paulis": [["XZ", [0, 3], 0.5]], "num_qubits": 5})
    return [
        json.dumps(executed).encode(),
        json.dumps({"data": [paulis], "metadata": {"b": 1}}).encode(),
        b'{"quasi_dists": [{"0": 0.25, "3": 0.75}], "metadata": [{"shots": 4000}]}',
        *_shots(),
        *_values(),
    ]


def _used_result(found: Any) -> None:
    """Do with a result what its receiver does, where it is small enough."""
    repr(found)
    if not isinstance(found, PrimitiveResult):
        return
    for pub in found:
        repr(pub)
        for name in list(pub.data):
            field = pub.data[name]
            repr(field)
            if hasattr(field, "counts") and field.array.size < 100_000:
                dict(field.counts())
                field.bitstrings()


def _used_private(body: bytes | None) -> None:
    if body is not None:
        _used_result(results.sampler(body))


def _used_job(found: Any) -> None:
    decisions.poll_delay(_POLL, 1.0, random.Random(0))
    repr((found, found.status.final, found.status.known, found.created and found.created.timestamp()))


def _used_page(found: JobPage) -> None:
    """Page on, as long as a list that repeats itself may take."""
    for wanted in (JobFilter(), JobFilter(oldest_first=True)):
        pager = JobPager(wanted)
        for _ in range(1000):
            if pager.done:
                break
            jobs.list_jobs(DIALECT, pager.next_page)
            for job in pager.take(found):
                _used_job(job)
        assert pager.done or len(found.jobs) > 100, "paging goes on for ever"


def _used_token(found: Token) -> None:
    decisions.token_is_fresh(found, 1.0)
    repr(found)


def _used_search(found: Any) -> None:
    try:
        choose(Account.ibm_quantum("key", CRN), [one.offer for one in found.instances])
    except InvalidAccount:
        return


_POLL = PollPolicy()


def _text(*values: Any) -> tuple[bytes, ...]:
    return tuple(json.dumps(value).encode() for value in values)


LOGIN = {"access_token": "abc.def", "expires_in": 3600, "expiration": 1_800_000_000, "token_type": "Bearer"}
FOUND = {
    "items": [{"crn": CRN, "service_plan_unique_id": "p", "name": "n", "doc": {"extensions": {"x": 1}}, "tags": ["t"]}],
    "search_cursor": "c",
}
ENTRY = {"overview_ui": {"en": {"display_name": "Open"}}, "metadata": {"pricing": {"type": "Free"}}}
TRANSPILED = {
    "state": "SUCCESS",
    "result": [{"qasm": "OPENQASM 3.0; x $0;", "layout": {"initial": [0, 1], "final": [1, 0]}}],
}
PERIOD = {"start_time": WHEN, "end_time": WHEN}
EMPTY = (b"", b"{}")
A_REPORT = _text(
    {"data": [TOTALS | {"key": "b", "interval_start": WHEN, "interval_end": WHEN}], "interval_start": WHEN}
)

CASES: dict[str, Case] = {
    "auth.iam_token": Case(auth.iam_token(Secret("k")), _text(LOGIN), _used_token),
    "auth.legacy_login": Case(auth.legacy_login(Secret("k")), _text({"id": "t", "ttl": 1209600}), _used_token),
    "auth.legacy_logout": Case(auth.legacy_logout(), EMPTY),
    "backends.list_backends": Case(
        backends.list_backends(DIALECT, wait_times=True), _text({"devices": [DEVICE, DEVICE]}, {"devices": ["a", "b"]})
    ),
    "backends.status": Case(
        backends.status("b"), _text({"length_queue": 1, "state": True, "status": "active", "backend_version": "1"})
    ),
    "backends.configuration": Case(backends.configuration("b"), _text(CONFIGURATION)),
    "backends.properties": Case(backends.properties("b"), _text(PROPERTIES)),
    "backends.defaults": Case(backends.defaults("b"), _text(None, {"x": 1})),
    "discovery.search": Case(discovery.search(), _text(FOUND), _used_search),
    "discovery.plan": Case(discovery.plan("p"), _text(ENTRY)),
    "jobs.create": Case(
        jobs.create(DIALECT, REQUEST),
        _text({"id": "j", "backend": "b", "session_id": None, "messages": [{"data": "x"}]}),
    ),
    "jobs.get": Case(
        jobs.get("j", params=True), _text(JOB, {k: JOB[k] for k in ("id", "state", "program")}), _used_job
    ),
    "jobs.list_jobs": Case(
        jobs.list_jobs(DIALECT, JobFilter()),
        _text({"jobs": [JOB, JOB | {"id": "k"}], "limit": 200, "offset": 0, "count": 2}),
        _used_page,
    ),
    "jobs.cancel": Case(jobs.cancel("j"), EMPTY),
    "jobs.delete": Case(jobs.delete("j"), EMPTY),
    "jobs.results": Case(jobs.results("j", results.sampler), tuple(_shots()), _used_result),
    "jobs.results of an estimator": Case(jobs.results("j", results.estimator), tuple(_values()), _used_result),
    "jobs.results of any primitive": Case(jobs.results("j", results.primitive), (*_shots(), *_values()), _used_result),
    "jobs.results of any program": Case(jobs.results("j", results.any_program), tuple(_others()), _used_result),
    "jobs.private_results": Case(jobs.private_results("j"), tuple(_shots()), _used_private),
    "jobs.interim_results": Case(jobs.interim_results("j"), (b"text", b"")),
    "jobs.logs": Case(jobs.logs("j"), (b"text", b"")),
    "jobs.metrics": Case(jobs.metrics("j"), _text(METRICS)),
    "jobs.replace_tags": Case(jobs.replace_tags("j", ["a"]), EMPTY),
    "jobs.search_tags": Case(jobs.search_tags("abc"), _text({"tags": ["abcd"]})),
    "jobs.transpiled_circuits": Case(jobs.transpiled_circuits("j"), _text({"url": "https://x/y"})),
    "sessions.create": Case(sessions.create(DIALECT, backend="b", mode=SessionMode.BATCH, max_time=60), _text(SESSION)),
    "sessions.get": Case(sessions.get("s"), _text(SESSION)),
    "sessions.set_accepting": Case(sessions.set_accepting("s", True), EMPTY),
    "sessions.drain": Case(sessions.drain("s"), EMPTY),
    "sessions.close": Case(sessions.close("s"), EMPTY),
    "transpiler.submit": Case(
        transpiler.submit(["x"], backend="b", optimization_level=1, ai=None), _text({"task_id": "t"})
    ),
    "transpiler.progress": Case(
        transpiler.progress("t", backend="b"), _text(TRANSPILED, {"state": "PENDING", "result": None})
    ),
    "usage.instance": Case(
        usage.instance(),
        _text({"backends": ["b"], "plan_id": "p", "instance_limit_seconds": "600", "instance_limit": 6.5}),
    ),
    "usage.limit": Case(usage.limit(), _text({"instance_limit": 600})),
    "usage.set_limit": Case(usage.set_limit(600), EMPTY),
    "usage.instance_usage": Case(
        usage.instance_usage(),
        _text(
            {"instance_id": "i", "usage_consumed_seconds": 5, "usage_limit_reached": False, "usage_period": PERIOD},
            {"value": {"bss": {"seconds": 7}, "usage": {"quantum_seconds": 6, "seconds": 9}}},
        ),
    ),
    "usage.account": Case(
        usage.account("a"), _text({"plans": [{"plan_id": "p", "subscription_id": "s", "backends": ["b"]}]})
    ),
    "usage.workloads": Case(
        usage.workloads(WorkloadFilter()),
        _text({"workloads": [WORKLOAD], "total_count": 1, "limit": 50, "next": {"href": "https://x/v1?next=abc"}}),
        lambda page: repr((page, next_cursor(page.next_href, {"a"}))),
    ),
    "usage.analytics": Case(usage.analytics(AnalyticsFilter()), _text(TOTALS)),
    "usage.analytics_grouped": Case(usage.analytics_grouped(AnalyticsFilter(), "backend"), A_REPORT),
    "usage.analytics_by_date": Case(usage.analytics_by_date(AnalyticsFilter(), "instance"), A_REPORT),
    "usage.analytics_filters": Case(
        usage.analytics_filters(()), _text({"backends": [{"name": "b"}], "users": [{"id": "u"}], "plans": []})
    ),
    "usage.versions": Case(
        usage.versions(), _text({"versions": ["2024-01-01", {"version": "2026-03-15", "sunset_date": "2027-03-15"}]})
    ),
    "usage.legacy_usage": Case(
        usage.legacy_usage(),
        _text({"period": {"start": WHEN}, "byInstance": [{"instance": "h/g/p", "quota": 600, "maxPendingJobs": 3}]}),
    ),
    "usage.legacy_profile": Case(
        usage.legacy_profile(), _text({"email": "a@b", "instances": [{"name": "h/g/p", "plan": "open"}]})
    ),
}

REFUSALS: tuple[bytes, ...] = (
    *_text(
        {"errors": [{"code": 1208, "message": "no", "solution": "do", "more_info": "x"}], "trace": "t"},
        {"error": {"statusCode": 401, "code": "3446", "message": "Login failed."}},
        {"errorCode": "BXNIM0415E", "errorMessage": "no such key"},
        {"detail": [{"loc": ["query", 1, "ai"], "msg": "bad", "type": "x"}]},
        {"detail": "no"},
    ),
    b"<!DOCTYPE html><html><title>Attention</title></html>",
    b"",
    b"upstream connect error",
)
"""Bodies of refusals, in each form that some host gives them."""


def operations() -> Iterator[str]:
    """Yield the name of every function of the wire that makes a call."""
    for module in (auth, backends, discovery, jobs, sessions, transpiler, usage):
        for name, function in inspect.getmembers(module, inspect.isfunction):
            returned = str(inspect.signature(function).return_annotation)
            if not name.startswith("_") and function.__module__ == module.__name__ and returned.startswith("Call["):
                yield f"{module.__name__.rpartition('.')[2]}.{name}"
