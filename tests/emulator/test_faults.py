"""Scripted misbehaviour, as a client sees it."""

from __future__ import annotations

import asyncio
import json
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from qrt_async.emulator import (
    Answer,
    Availability,
    ControlError,
    Controls,
    Cut,
    Edited,
    Emulator,
    End,
    Fate,
    Fault,
    Garble,
    Garbled,
    HangUp,
    Work,
    WrongLength,
    fault_json,
)
from qrt_async.emulator.faults import matches
from qrt_async.emulator.settings import Settings
from tests.emulator.service import running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from qrt_async.emulator.devices import Device
    from tests.emulator.service import Bench, Service


@pytest.fixture
def controls(bench: Bench) -> Controls:
    """Give the controls of the server under test."""
    return Controls(bench.url)


async def raw(bench: Bench, method: str, path: str, **request: Any) -> tuple[int, bytes, Any]:
    """Send a request of the IBM_QUANTUM caller that is not held against the contract."""
    caller = bench.cloud
    async with bench.http.request(method, caller.prefix + path, headers=caller.headers, **request) as reply:
        return reply.status, await reply.read(), reply.headers


async def submitted(bench: Bench) -> int:
    """Count the caller's jobs on the server."""
    return int((await bench.cloud.get("/jobs")).json["count"])


@pytest.mark.parametrize(
    ("on", "method", "path", "matched"),
    [
        ("POST /jobs", "POST", "/api/v1/jobs", True),
        ("POST /jobs", "POST", "/runtime/jobs", True),
        ("POST /runtime/jobs", "POST", "/api/v1/jobs", False),
        ("POST /jobs", "GET", "/api/v1/jobs", False),
        ("GET /jobs/*", "GET", "/api/v1/jobs/a", True),
        ("GET /jobs/*", "GET", "/api/v1/jobs/a/results", False),
        ("* /jobs/**", "DELETE", "/api/v1/jobs/a/results", True),
        ("GET /**", "GET", "/transpile/a", True),
        ("POST /identity/token", "POST", "/identity/token", True),
        ("GET /a.c", "GET", "/abc", False),
    ],
)
def test_which_requests_match(on: str, method: str, path: str, matched: bool) -> None:
    """A star stands for one segment, two for any number, and the platform's prefix may be left out."""
    assert matches(on, method, path) is matched


@pytest.mark.parametrize(
    "fault",
    [
        Fault("POST /jobs", Answer(503, {"a": [1]}, retry_after=2.5), share=0.1, nth=(1, 3), times=2),
        Fault("GET /jobs/*", Edited({"state.status": "Odd"}, ("tags",)), seconds=3),
        Fault("GET /jobs", lag_seconds=3, lag_looks=2, ignore=("tags",)),
        Fault("POST /jobs", HangUp(reset=True), work=Work.LATE, late=30),
        Fault("POST /jobs", fate=Fate(End.FAILED, 3, 1517, "Bad gate")),
        Fault("GET /**", Garbled(Garble.IDS), delay=1),
        Fault("GET /**", Cut(3)),
        Fault("GET /**", WrongLength(-3)),
        Fault("GET /**", Answer(429, retry_after="soon", code="x", message="m")),
    ],
)
def test_faults_travel_as_json(fault: Fault) -> None:
    """A fault is the same after it was written as JSON and read again."""
    assert fault_json.read(json.loads(json.dumps(fault_json.write(fault)))) == fault


@pytest.mark.parametrize(
    "arguments",
    [("jobs",), ("FETCH /jobs",), ("GET jobs",), ("GET /jobs", Cut(1), 1.5), ("GET /jobs", Answer(503), -1)],
)
def test_bad_faults(arguments: tuple[Any, ...]) -> None:
    """A fault that makes no sense is refused when it is made."""
    with pytest.raises(ValueError, match=r"on must be|share"):
        Fault(*arguments)


def test_a_true_reply_needs_the_work() -> None:
    """What bends the true reply cannot come before the work is done."""
    with pytest.raises(ValueError, match="Answer or a HangUp"):
        Fault("GET /jobs", Cut(1), work=Work.UNDONE)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ([{"on": "GET /jobs", "share": "often"}], "share"),
        ([{"on": "GET /jobs", "often": 1}], "often"),
        ([{"on": "GET /jobs", "reply": {"kind": "Bribe"}}], "reply"),
        ([{"on": "jobs"}], "on must be"),
        ([{}], "on"),
        ([1], "[0]"),
        ({}, "list"),
    ],
)
async def test_bad_faults_over_the_control_endpoint(bench: Bench, body: Any, said: str) -> None:
    """What is no list of faults gets a 400 that says where it is wrong, and puts nothing to work."""
    answer = await bench.bare.post("/_emulator/faults", json=body)

    assert answer.status == 400
    assert said in answer.message
    assert await Controls(bench.url).strikes() == ()


async def test_the_controls_say_what_was_refused(controls: Controls) -> None:
    """Steering what is not there raises an error with the emulator's words."""
    with pytest.raises(ControlError, match="Backend not found: ibm_nowhere"):
        await controls.set_condition("ibm_nowhere", Availability.PAUSED)
    with pytest.raises(ControlError, match="Job not found"):
        await controls.vanish("nothing")


@pytest.mark.parametrize(
    ("answer", "content_type", "retry_after"),
    [
        (Answer(503, retry_after=2), "application/json", "2"),
        (Answer(429, code=1202, retry_after=0.5), "application/json", "0.5"),
        (Answer(503, "<html>out of order</html>", retry_after="soon"), "text/html", "soon"),
        (Answer(520, "nonsense", "text/plain"), "text/plain", None),
        (Answer(200, {"id": 7}), "application/json", None),
    ],
)
async def test_another_reply(
    bench: Bench, controls: Controls, answer: Answer, content_type: str, retry_after: str | None
) -> None:
    """A fault gives any status with any body and any Retry-After, and the work is not done."""
    await controls.inject(Fault("POST /jobs", answer))

    status, body, headers = await raw(bench, "POST", "/jobs", json=bench.cloud.job)

    assert status == answer.status
    assert headers["Content-Type"].startswith(content_type)
    assert headers.get("Retry-After") == retry_after
    if isinstance(answer.body, str):
        assert body.decode() == answer.body
    if answer.body is None:
        assert json.loads(body)["errors"][0].get("code") == answer.code
    assert await submitted(bench) == 0


async def test_retry_after_as_a_date(bench: Bench, controls: Controls) -> None:
    """A Retry-After that is a date lies that far ahead of the reply's own date."""
    await controls.inject(Fault("GET /jobs", Answer(503, retry_after=90, retry_after_as_date=True)))

    _, _, headers = await raw(bench, "GET", "/jobs")

    ahead = parsedate_to_datetime(headers["Retry-After"]) - parsedate_to_datetime(headers["Date"])
    assert ahead.total_seconds() == 90


async def test_errors_have_the_shape_of_the_host(bench: Bench, controls: Controls) -> None:
    """An error without a body of its own looks as that host's errors do."""
    await controls.inject(Fault("* /**", Answer(503)))

    bodies: dict[str, set[str]] = {}
    for path in ("/identity/token", "/transpile", "/api/users/loginWithToken", "/runtime/jobs"):
        async with bench.http.post(path) as reply:
            bodies[path] = set(await reply.json())

    assert bodies == {
        "/identity/token": {"errorCode", "errorMessage", "context"},
        "/transpile": {"detail"},
        "/api/users/loginWithToken": {"error"},
        "/runtime/jobs": {"errors"},
    }


@pytest.mark.parametrize(("reply", "work"), [(HangUp(), None), (HangUp(reset=True), None)])
async def test_hanging_up_before_the_work(bench: Bench, controls: Controls, reply: HangUp, work: Work | None) -> None:
    """A connection that is closed before the work leaves no job behind."""
    await controls.inject(Fault("POST /jobs", reply, work=work))

    with pytest.raises(aiohttp.ClientConnectionError):
        await raw(bench, "POST", "/jobs", json=bench.cloud.job)

    assert await submitted(bench) == 0


@pytest.mark.parametrize("reply", [HangUp(), HangUp(reset=True), Answer(504, "<html>gateway time-out</html>")])
async def test_the_reply_is_lost(bench: Bench, controls: Controls, reply: HangUp | Answer) -> None:
    """The job is there although its submission seemed to fail."""
    await controls.inject(Fault("POST /jobs", reply, work=Work.DONE))

    if isinstance(reply, HangUp):
        with pytest.raises(aiohttp.ClientConnectionError):
            await raw(bench, "POST", "/jobs", json=bench.cloud.job)
    else:
        assert (await raw(bench, "POST", "/jobs", json=bench.cloud.job))[0] == 504

    assert await submitted(bench) == 1


async def test_work_done_late(bench: Bench, controls: Controls) -> None:
    """A job may appear only long after its submission seemed to fail."""
    await controls.inject(Fault("POST /jobs", HangUp(), work=Work.LATE, late=30, times=1))

    with pytest.raises(aiohttp.ClientConnectionError):
        await raw(bench, "POST", "/jobs", json=bench.cloud.job)
    bench.clock.advance(29)
    early = await submitted(bench)
    bench.clock.advance(1)
    while not await submitted(bench):
        pass

    assert early == 0


async def test_delay(bench: Bench, controls: Controls) -> None:
    """A reply is held back for as long as the emulator's clock says, after its work was done."""
    await controls.inject(Fault("POST /jobs", delay=10))

    request = asyncio.create_task(raw(bench, "POST", "/jobs", json=bench.cloud.job))
    await bench.pool.next()
    held_back = not request.done()
    bench.clock.advance(10)

    assert (await request)[0] == 200
    assert held_back


@pytest.mark.parametrize("reply", [Cut(10), Cut(0), WrongLength(5)])
async def test_cut_bodies(bench: Bench, controls: Controls, reply: Cut | WrongLength) -> None:
    """A body that is shorter than its Content-Length is an error of the payload."""
    await controls.inject(Fault("GET /jobs", reply))

    with pytest.raises(aiohttp.ClientPayloadError):
        await raw(bench, "GET", "/jobs")


async def test_a_length_that_is_too_small(bench: Bench, controls: Controls) -> None:
    """With a Content-Length that is too small the rest of the body is no reply that the client could read."""
    await controls.inject(Fault("GET /jobs", WrongLength(-1)))

    with pytest.raises(aiohttp.ClientError):
        await raw(bench, "GET", "/jobs")


async def test_edited_replies(bench: Bench, controls: Controls) -> None:
    """Values of the true reply are replaced, made and removed, also in every row of a list."""
    job_id = await bench.cloud.submit(tags=["mine"])
    await controls.inject(
        Fault("GET /jobs/*", Edited({"status": "Hibernating", "state.status": "Hibernating", "new": 1}, ("user_id",))),
        Fault("GET /jobs", Edited({"jobs.0.backend": None}, ("jobs.*.tags",))),
    )

    job = json.loads((await raw(bench, "GET", f"/jobs/{job_id}"))[1])
    rows = json.loads((await raw(bench, "GET", "/jobs"))[1])["jobs"]

    assert (job["status"], job["state"]["status"], job["new"]) == ("Hibernating", "Hibernating", 1)
    assert "user_id" not in job
    assert [(row["id"], row["backend"], "tags" in row) for row in rows] == [(job_id, None, False)]


@pytest.mark.parametrize("how", list(Garble))
async def test_garbled_replies(bench: Bench, controls: Controls, how: Garble) -> None:
    """Garbled replies are JSON that differs from the truth, and the same ones after the same seed."""
    job_id = await bench.cloud.submit(tags=["mine"])
    truth = json.loads((await raw(bench, "GET", f"/jobs/{job_id}"))[1])
    await controls.inject(Fault("GET /jobs/*", Garbled(how)))

    lies = [json.loads((await raw(bench, "GET", f"/jobs/{job_id}"))[1]) for _ in range(20)]

    assert all(lie != truth for lie in lies)
    if how is Garble.IDS:
        assert all(lie["id"] != job_id and lie["status"] == truth["status"] for lie in lies)


async def test_faults_repeat_with_the_seed(snapshots: dict[str, Device]) -> None:
    """The same faults, seed and requests give the same misbehaviour; another seed gives another."""

    async def run(seed: int) -> list[int]:
        async with running(snapshots, Settings(seed=seed)) as bench:
            await Controls(bench.url).inject(
                Fault("GET /jobs", Answer(429), share=0.3), Fault("GET /jobs", Answer(503), share=0.3)
            )
            return [(await raw(bench, "GET", "/jobs"))[0] for _ in range(100)]

    first, second, other = await run(1), await run(1), await run(2)

    assert first == second != other
    assert 15 < first.count(429) < 50
    assert 8 < first.count(503) < 35


async def test_which_occurrences_are_struck(bench: Bench, controls: Controls) -> None:
    """Faults strike the occurrences, as often and as long as they were told, the first one before the others."""
    await controls.inject(
        Fault("GET /jobs", Answer(500), nth=(1, 3)),
        Fault("GET /jobs", Answer(501), times=1),
        Fault("GET /jobs", Answer(502), seconds=60),
    )

    seen = [(await raw(bench, "GET", "/jobs"))[0] for _ in range(4)]
    bench.clock.advance(60)
    seen.append((await raw(bench, "GET", "/jobs"))[0])

    assert seen == [500, 501, 500, 502, 200]
    assert [(each.matched, each.struck) for each in await controls.strikes()] == [(5, 2), (3, 1), (1, 1)]
    await controls.clear_faults()
    assert await controls.strikes() == ()


async def test_a_list_that_lags(bench: Bench, controls: Controls) -> None:
    """A job is there by its id, and in lists only after some seconds or some looks."""
    await controls.inject(Fault("GET /jobs", lag_seconds=5, lag_looks=2))
    job_id = await bench.cloud.submit()

    young = await submitted(bench)
    bench.clock.advance(5)
    looks = [await submitted(bench) for _ in range(3)]

    assert await bench.cloud.status(job_id) == "Queued"
    assert (young, looks) == (0, [0, 0, 1])


async def test_filters_that_are_ignored(bench: Bench, controls: Controls) -> None:
    """A list may silently ignore filters, and be longer than it was asked to be."""
    for tag in ("a", "b"):
        await bench.cloud.submit(tags=[tag])
    await controls.inject(Fault("GET /jobs", ignore=("tags",)))

    listed = (await bench.cloud.get("/jobs?tags=a&limit=1")).json

    assert (listed["count"], len(listed["jobs"])) == (2, 1)


@pytest.mark.parametrize(
    ("fate", "status", "code"),
    [
        (Fate(End.TOO_LONG), "Cancelled", 1305),
        (Fate(End.SESSION_CLOSED), "Failed", 1217),
        (Fate(End.FAILED, code=1517, reason="Bad gate"), "Failed", 1517),
        (Fate(End.CANCELLED), "Cancelled", None),
    ],
)
async def test_fates(bench: Bench, controls: Controls, fate: Fate, status: str, code: int | None) -> None:
    """A job ends as its fate is, without being run."""
    await controls.inject(Fault("POST /jobs", fate=fate, times=1))

    job_id = await bench.cloud.submit(cost=30)
    while await bench.cloud.status(job_id) == "Queued":
        pass

    state = (await bench.cloud.get(f"/jobs/{job_id}")).json["state"]
    assert (state["status"], state.get("reason_code")) == (status, code)
    assert bench.pool.held == []


async def test_jobs_that_vanish(bench: Bench, controls: Controls) -> None:
    """A job may be gone some time after its submission, or when the test says so, and its worker stops."""
    await controls.inject(Fault("POST /jobs", fate=Fate(End.VANISHED, after=7), times=1))
    first, second = await bench.cloud.submit(), await bench.cloud.submit()
    held = [await bench.pool.next() for _ in range(2)]
    held[0].begin()

    bench.clock.advance(7)
    while (await bench.cloud.get(f"/jobs/{first}")).status != 404:
        pass
    await controls.vanish(second)

    assert (await bench.cloud.get(f"/jobs/{second}")).code == 1291
    assert await submitted(bench) == 0
    while not all(each.stopped for each in held):
        await asyncio.sleep(0)


async def test_results_that_can_be_read_once(bench: Bench, controls: Controls) -> None:
    """The results of any job may be there once and then no more."""
    await controls.inject(Fault("POST /jobs", fate=Fate(readable_once=True)))
    job_id = await bench.run(bench.cloud)

    statuses = [(await bench.cloud.get(f"/jobs/{job_id}/results")).status for _ in range(2)]

    assert statuses == [200, 204]


async def test_token_expiry_in_mid_run(bench: Bench, controls: Controls) -> None:
    """Tokens end when the test says so, for both platforms; new ones are good."""
    form = {"grant_type": "urn:ibm:params:oauth:grant-type:apikey", "apikey": "a-key"}

    async def callers() -> list[Service]:
        bearer = (await bench.bare.post("/identity/token", data=form)).json["access_token"]
        access = (await bench.bare.post("/api/users/loginWithToken", json={"apiToken": "a-key"})).json["id"]
        return [bench.cloud.under(Authorization=f"Bearer {bearer}"), bench.legacy.under(x_access_token=access)]

    old = await callers()
    before = [(await caller.get("/backends")).status for caller in old]
    await controls.revoke_tokens()
    after = [(await caller.get("/backends")).status for caller in old]
    renewed = [(await caller.get("/backends")).status for caller in await callers()]

    assert (before, after, renewed) == ([200, 200], [401, 401], [200, 200])


async def test_tokens_of_a_short_life(snapshots: dict[str, Device]) -> None:
    """Tokens live as long as the setting says, and their replies say so."""
    form = {"grant_type": "urn:ibm:params:oauth:grant-type:apikey", "apikey": "a-key"}
    async with running(snapshots, Settings(token_lifetime=2)) as bench:
        bearer = (await bench.bare.post("/identity/token", data=form)).json
        access = (await bench.bare.post("/api/users/loginWithToken", json={"apiToken": "a-key"})).json
        callers = [
            bench.cloud.under(Authorization=f"Bearer {bearer['access_token']}"),
            bench.legacy.under(x_access_token=access["id"]),
        ]
        statuses: list[list[int]] = []
        for _ in range(2):
            statuses.append([(await caller.get("/backends")).status for caller in callers])
            bench.clock.advance(2)

    assert (bearer["expires_in"], access["ttl"]) == (2, 2)
    assert statuses == [[200, 200], [401, 401]]


@pytest.fixture
async def strict(snapshots: dict[str, Device]) -> AsyncIterator[Bench]:
    """Start a server with a quota and a limit on pending jobs."""
    async with running(snapshots, Settings(quota=5, pending_jobs=7, refuse_beyond_usage=True)) as bench:
        yield bench


async def test_quota(strict: Bench) -> None:
    """More than five submissions in any sixty seconds get 429 with code 1202, whichever instance they are for."""
    codes: list[Any] = []
    for gap in (0, 0, 50, 0, 0, 9, 1, 0, 0):
        strict.clock.advance(gap)
        status, body, _ = await raw(strict, "POST", "/jobs", json=strict.cloud.job)
        codes.append(json.loads(body)["errors"][0]["code"] if status == 429 else status)

    assert codes == [200, 200, 200, 200, 200, 1202, 200, 200, 1202]


async def test_pending_limits(strict: Bench) -> None:
    """Too many pending jobs get code 3458 on LEGACY and 1012 on IBM_QUANTUM, until one ends."""
    seen: list[Any] = []
    for caller in (strict.legacy, strict.cloud):
        ids: list[str] = []
        for _ in range(7):
            strict.clock.advance(60)
            ids.append(await caller.submit())
        strict.clock.advance(60)
        seen.append((await caller.post("/jobs", json=caller.job)).code)
        await caller.post(f"/jobs/{ids[0]}/cancel")
        strict.clock.advance(60)
        seen.append((await caller.post("/jobs", json=caller.job)).status)

    assert seen == [3458, 200, 1012, 200]


async def test_usage_beyond_the_limit(strict: Bench) -> None:
    """A job of an instance without usage left is refused with 409, where that was asked for."""
    await strict.cloud.put("/instances/configuration", json={"instance_limit": 1})
    await strict.run(strict.cloud, quantum_seconds=5)

    answer = await strict.cloud.post("/jobs", json=strict.cloud.job)

    assert answer.status == 409
    assert "Usage exceeds instance limit" in answer.message


@pytest.mark.parametrize("availability", [Availability.PAUSED, Availability.OFFLINE])
async def test_maintenance(bench: Bench, controls: Controls, availability: Availability) -> None:
    """A backend in maintenance says so, and its jobs stay queued until it is online again."""
    await controls.set_condition("ibm_fez", availability, "calibrating")
    job_id = await bench.cloud.submit()

    status = (await bench.cloud.get("/backends/ibm_fez/status")).json
    row = next(r for r in (await bench.cloud.get("/backends")).json["devices"] if r["name"] == "ibm_fez")
    began = len(bench.pool.held)
    await controls.set_condition("ibm_fez", Availability.ONLINE)
    held = await bench.pool.next()
    held.begin()

    assert (status["status"], status["state"]) == (availability, availability is Availability.PAUSED)
    assert row["status"] == {"name": availability, "reason": "calibrating"}
    assert began == 0
    assert await bench.cloud.status(job_id) == "Running"


async def test_queue_and_run_times(snapshots: dict[str, Device]) -> None:
    """Jobs wait and run as long as their backend makes them, and are charged what they ran."""
    settings = Settings(queue_seconds={"ibm_fez": 2400}, run_seconds={"ibm_fez": 30})
    async with running(snapshots, settings) as bench:
        job_id = await bench.cloud.submit()
        bench.clock.advance(2399)
        waiting = await bench.cloud.status(job_id), len(bench.pool.held)
        bench.clock.advance(1)
        held = await bench.pool.next()
        held.begin()
        held.finish()
        bench.clock.advance(29)
        at_work = await bench.cloud.status(job_id)
        bench.clock.advance(1)
        while await bench.cloud.status(job_id) != "Completed":
            bench.clock.advance(0)
        usage = (await bench.cloud.get(f"/jobs/{job_id}")).json["usage"]

    assert waiting == ("Queued", 0)
    assert at_work == "Running"
    assert usage["qpu_charge_time_seconds"] == 31


@pytest.mark.parametrize("times", [{"ibm_nowhere": 3.0}, {"ibm_fez": -1.0}])
@pytest.mark.parametrize("name", ["queue_seconds", "run_seconds"])
def test_times_that_make_no_sense(name: str, times: dict[str, float]) -> None:
    """Times of a backend that is not on offer, and negative ones, are refused before anything starts."""
    with pytest.raises(ValueError, match=name):
        Emulator(backends=["ibm_fez"], **{name: times})  # type: ignore[arg-type]


async def test_faults_of_an_emulator_in_its_own_process() -> None:
    """An emulator in its own process misbehaves as told, with its options as its own."""
    async with Emulator(backends=["ibm_hanoi"], workers=1, quota=1, token_lifetime=9) as emulator:
        await emulator.inject(Fault("GET /versions", Answer(503)))
        form = {"grant_type": "urn:ibm:params:oauth:grant-type:apikey", "apikey": "a-key"}
        async with aiohttp.ClientSession(emulator.url) as http:
            async with http.get("/api/v1/versions") as reply:
                status = reply.status
            async with http.post("/identity/token", data=form) as reply:
                lifetime = (await reply.json())["expires_in"]

        assert (status, lifetime) == (503, 9)
        assert [each.struck for each in await emulator.strikes()] == [1]
