"""What no decent client sends."""

from __future__ import annotations

import asyncio
import io
import json
import random
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from qrt_async.emulator import bodies
from qrt_async.emulator.records import JobOrder, Platform, SessionOrder
from qrt_async.emulator.refusals import Refusal
from tests.emulator.service import CRN

if TYPE_CHECKING:
    from tests.emulator.service import Bench, Service

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)
job_keys = st.sampled_from(
    ["program_id", "backend", "params", "tags", "cost", "session_id", "private", "start_session", "hub"]
)
param_keys = st.sampled_from(["pubs", "version", "shots", "precision", "options", "support_qiskit"])
session_keys = st.sampled_from(["mode", "backend", "instance", "max_ttl", "active_ttl", "interactive_ttl"])


@settings(max_examples=200, deadline=None)
@given(
    body=st.dictionaries(job_keys, json_values),
    params=st.dictionaries(param_keys, json_values),
    platform=st.sampled_from(Platform),
)
def test_any_job_body(body: dict[str, Any], params: dict[str, Any], platform: Platform) -> None:
    """Whatever the JSON of a job, the check gives an order or a refusal with status 400."""
    good = {"program_id": "sampler", "backend": "b", "hub": "h", "group": "g", "project": "p"}
    for attempt in (body, good | {"params": params}, good | {"params": {"pubs": ["x"]}} | body):
        try:
            assert isinstance(bodies.job_order(json.dumps(attempt).encode(), platform), JobOrder)
        except Refusal as refusal:
            assert refusal.status == 400


@settings(max_examples=100, deadline=None)
@given(body=st.dictionaries(session_keys, json_values), platform=st.sampled_from(Platform))
def test_any_session_body(body: dict[str, Any], platform: Platform) -> None:
    """Whatever the JSON of a session, the check gives an order or a refusal with status 400."""
    for attempt in (body, {"mode": "batch", "backend": "b", "instance": "h/g/p"} | body):
        try:
            assert isinstance(bodies.session_order(json.dumps(attempt).encode(), platform), SessionOrder)
        except Refusal as refusal:
            assert refusal.status == 400


@settings(max_examples=100, deadline=None)
@given(raw=st.binary(max_size=40), platform=st.sampled_from(Platform))
def test_any_bytes(raw: bytes, platform: Platform) -> None:
    """Bytes that are no JSON are refused, never an error of ours."""
    with pytest.raises(Refusal):
        bodies.job_order(raw, platform)


@pytest.mark.parametrize(
    ("path", "keys"),
    [
        ("/runtime/nowhere", {"errors"}),
        ("/runtime/jobs/a/b/c", {"errors"}),
        ("/api/v1/nowhere", {"errors", "trace"}),
        ("/api/v1", {"error"}),
        ("/api/users/nowhere", {"error"}),
        ("/transpile/a/b", {"detail"}),
        ("/identity/nowhere", {"errorCode", "errorMessage", "context"}),
        ("/nowhere", {"errors", "trace"}),
        ("/", {"errors", "trace"}),
    ],
)
async def test_unknown_paths(bench: Bench, path: str, keys: set[str]) -> None:
    """A path that does not exist gets 404 in the shape of its host."""
    answer = await bench.bare.get(path)

    assert answer.status == 404
    assert set(answer.json) == keys


@pytest.mark.parametrize(
    ("path", "keys"),
    [("/runtime/jobs", {"errors"}), ("/api/v1/jobs", {"errors", "trace"}), ("/transpile", {"detail"})],
)
async def test_wrong_method(bench: Bench, path: str, keys: set[str]) -> None:
    """A path with another method gets 405 in the shape of its host."""
    answer = await bench.bare.delete(path)

    assert answer.status == 405
    assert set(answer.json) == keys


@pytest.mark.parametrize("job_id", ["..%2Fbackends", "%2e%2e%2fbackends", "a%2Fresults", "%00", "%ff", "%F0%9F"])
async def test_escaped_ids_are_no_paths(bench: Bench, job_id: str) -> None:
    """A percent-encoded id is looked up as it is: never resolved as a path."""
    for prefix, headers in (
        ("/runtime", {"x-access-token": "k"}),
        ("/api/v1", {"Authorization": "apikey k", "Service-CRN": CRN}),
    ):
        status, body = await raw_request(bench.url, "GET", f"{prefix}/jobs/{job_id}", headers)

        assert status == 404
        assert json.loads(body)["errors"][0]["code"] == 1291


@pytest.mark.parametrize("path", ["/runtime/jobs", "/runtime/sessions", "/api/v1/jobs", "/api/v1/sessions"])
@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 50_000, b'{"a": 1e400}', b"null"])
async def test_bodies_that_are_no_json(bench: Bench, path: str, body: bytes) -> None:
    """A body that is no JSON object gets 400 and code 1208, whatever its content type says."""
    prefix = "/runtime" if path.startswith("/runtime") else "/api/v1"
    caller = bench.legacy if prefix == "/runtime" else bench.cloud

    answer = await caller.post(path.removeprefix(prefix), data=body, headers={"Content-Type": "text/plain"})

    assert (answer.status, answer.code) == (400, 1208)


async def test_too_large_body(service: Service) -> None:
    """A body over 64 MiB is refused with 413 and code 1001, in the host's shape."""
    answer = await service.post("/jobs", data=io.BytesIO(bytes(64 * 1024 * 1024 + 1)))

    assert (answer.status, answer.code) == (413, 1001)


async def test_strange_texts_come_back(bench: Bench, service: Service) -> None:
    """Texts of any characters, lone surrogates among them, are kept and given back as they were."""
    program = "OPENQASM 3.0; // \ud800 𝄞 \x00"
    job_id = await service.submit(params={"pubs": [[program]]}, tags=["\ud800"])
    await bench.pool.next()

    job = (await service.get(f"/jobs/{job_id}")).json

    assert job["params"]["pubs"] == [[program]]
    assert job["tags"] == ["\ud800"]


async def test_strange_keys(bench: Bench) -> None:
    """API keys of any characters are keys like others."""
    for key in ("\ud800", "𝄞", "a\x00b", "k" * 100_000):
        answer = await bench.bare.post("/api/users/loginWithToken", json={"apiToken": key})
        assert answer.status == 200
    for form in (b"grant_type=%ff&apikey=%ff", b"\xff" * 100, b"a=b&" * 2000):
        answer = await bench.bare.post(
            "/identity/token", data=form, headers={"Content-Type": "application/x-www-form-urlencoded"}
        )
        assert answer.status == 400


async def test_nothing_is_a_server_error(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """Two hundred requests made of odd pieces get statuses below 500, and leave no traceback in the log."""
    source = random.Random(11)
    paths = ["/runtime", "/api/v1", "/api/users", "/transpile", "/identity/token", "/jobs", "/sessions", "/close"]
    paths += ["/results", "/tags", "/backends", "/ibm_fez", "/properties", "/%2e%2e", "/%ff", "//", "/cancel"]
    queries = ["", "?limit=%ff", "?tags=%00&tags", "?created_after=9999-12-31T23:59:59-14:00", "?pending=%F0"]
    sent = [b"", b"{}", b"[]", b"1", b'{"params":{"pubs":[[]]}}', b"\x00", b'{"mode":[{}]}']
    for _ in range(200):
        path = "".join(source.choices(paths, k=source.randint(1, 4))) + source.choice(queries)
        headers = {
            "x-access-token": source.choice(["k", "bad", "\udcff"]),
            "Authorization": source.choice(["apikey k", "Bearer k", "Bearer", "\udcff \udcff"]),
            "Service-CRN": source.choice([CRN, "", "crn:\udcff"]),
            "IBM-API-Version": source.choice(["2026-04-15", "\udcff", ""]),
        }
        method = source.choice(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "BREW"])
        status, _ = await raw_request(bench.url, method, path, headers, source.choice(sent))
        assert status < 500, (method, path, headers)

    assert [record for record in caplog.records if record.exc_info] == []


async def raw_request(
    url: str, method: str, path: str, headers: dict[str, str], body: bytes = b""
) -> tuple[int, bytes]:
    """Send one request byte by byte as it stands: no client tidies it up."""
    target = urlsplit(url)
    reader, writer = await asyncio.open_connection(target.hostname, target.port)
    lines = [f"{method} {path} HTTP/1.1", "Host: x", "Connection: close", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    writer.write("\r\n".join([*lines, "", ""]).encode(errors="surrogateescape") + body)
    reply = await reader.read()
    writer.close()
    await writer.wait_closed()
    head, _, rest = reply.partition(b"\r\n\r\n")
    return int(head.split()[1]), rest
