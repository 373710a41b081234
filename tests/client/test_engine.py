"""Credentials, repetition, time-outs: what travels, and how often."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import traceback

import pytest

from qrt_async import (
    ApiError,
    Client,
    ClientClosed,
    ConnectionFailed,
    Limits,
    LoginError,
    LoginUnavailable,
    NotFound,
    ProtocolError,
    RequestTimeout,
    RetryPolicy,
    ServerError,
    Timeouts,
    Unauthorized,
)
from tests.client.conftest import FakeClock
from tests.client.scripted import CRN, KEY, Service, after, cut, hang_up, job, never, reply, token

JOB = "GET /api/v1/jobs/j"
LOGIN = "POST /identity/token"
SUBMIT = "POST /api/v1/jobs"


def make(service: Service, clock: FakeClock, **settings: object) -> Client:
    """Return a client whose waits take no time."""
    return Client(service.account(), clock=clock, rng=random.Random(1), **settings)  # type: ignore[arg-type]


async def test_todays_requests_carry_token_instance_and_version(service: Service, clock: FakeClock) -> None:
    """The API gets the bearer token, the CRN and the version, and never the API key."""
    service.on(JOB, job("Running"))
    async with make(service, clock) as client:
        await client.job("j").status()

    headers = service.asked(JOB)[0].headers
    assert headers["Authorization"] == "Bearer t1"
    assert headers["Service-CRN"] == CRN
    assert headers["IBM-API-Version"] == "2026-04-15"
    assert headers["X-Qx-Client-Application"].startswith("qiskit-version-2/0.39.2/")
    assert [one.path for one in service.seen if KEY in f"{one.headers} {one.body}"] == ["/identity/token"]


async def test_legacy_requests_carry_the_access_token(service: Service, clock: FakeClock) -> None:
    """The legacy API gets the access token in its own header, and the end of the block logs out."""
    service.on("GET /runtime/jobs/j", job("Running"))
    async with Client(service.legacy_account(), clock=clock) as client:
        await client.job("j").status()

    assert service.asked("GET /runtime/jobs/j")[0].headers["x-access-token"] == "t1"
    assert service.asked("POST /api/users/logout")[0].headers["x-access-token"] == "t1"
    assert [one.path for one in service.seen if KEY in f"{one.headers} {one.body}"] == ["/api/users/loginWithToken"]


async def test_a_client_that_did_nothing_sends_nothing(service: Service, clock: FakeClock) -> None:
    """Making a client, handles and sessions does no I/O, and neither does leaving it."""
    async with Client(service.legacy_account(), clock=clock) as client:
        client.job("j")
        client.session("ibm_fez")

    assert service.seen == []


async def test_one_login_serves_many_coroutines(service: Service, clock: FakeClock) -> None:
    """A hundred calls at once log in once."""
    service.on(JOB, job("Running"))
    async with make(service, clock) as client:
        await asyncio.gather(*(client.job("j").status() for _ in range(100)))

    assert len(service.asked(LOGIN)) == 1
    assert len(service.asked(JOB)) == 100


async def test_a_rejected_token_is_renewed_once(service: Service, clock: FakeClock) -> None:
    """Fifty calls whose token is refused renew it together, once, and then succeed."""
    service.on(LOGIN, token("old"), token("new"))
    refused = asyncio.Event()

    async def by_token(request: object) -> object:
        headers = request.headers  # type: ignore[attr-defined]
        if headers["Authorization"] == "Bearer old":
            refused.set()
            return await reply(401, {"errors": [{"code": 1201, "message": "Invalid credentials."}]})(request)  # type: ignore[arg-type]
        return await job("Running")(request)  # type: ignore[arg-type]

    service.on(JOB, by_token)  # type: ignore[arg-type]
    async with make(service, clock) as client:
        await asyncio.gather(*(client.job("j").status() for _ in range(50)))

    assert refused.is_set()
    assert len(service.asked(LOGIN)) == 2


async def test_a_submission_is_sent_again_after_a_401(service: Service, clock: FakeClock) -> None:
    """A refused token proves that nothing was done, so even a submission may follow with the new one."""
    service.on(LOGIN, token("old"), token("new"))
    service.on(SUBMIT, reply(401), reply(body={"id": "j"}))
    async with make(service, clock) as client:
        assert (await client.sampler(["x"], backend="ibm_fez")).id == "j"


async def test_a_second_401_is_final(service: Service, clock: FakeClock) -> None:
    """A fresh token that is refused as well is an error."""
    service.on(JOB, reply(401, {"errors": [{"code": 1201, "message": "Invalid credentials."}]}))
    async with make(service, clock) as client:
        with pytest.raises(Unauthorized) as caught:
            await client.job("j").status()

    assert caught.value.code == 1201
    assert (len(service.asked(JOB)), len(service.asked(LOGIN))) == (2, 2)


async def test_an_ageing_token_is_renewed_before_it_ends(service: Service, clock: FakeClock) -> None:
    """At four fifths of its life a token is replaced, without a refusal in between."""
    service.on(LOGIN, token("t1", 3600), token("t2", 3600))
    service.on(JOB, job("Running"))
    async with make(service, clock) as client:
        await client.job("j").status()
        clock.now += 2700
        await client.job("j").status()
        clock.now += 300
        await client.job("j").status()

    assert [one.headers["Authorization"] for one in service.asked(JOB)] == ["Bearer t1", "Bearer t1", "Bearer t2"]


async def test_a_cancelled_caller_leaves_the_login_to_the_others(service: Service, clock: FakeClock) -> None:
    """Of two coroutines that wait for one login, cancelling the first does not disturb the second."""
    gate = asyncio.Event()
    service.on(LOGIN, after(gate, token()))
    service.on(JOB, job("Running"))
    async with make(service, clock) as client:
        first = asyncio.create_task(client.job("j").status())
        second = asyncio.create_task(client.job("j").status())
        while not service.asked(LOGIN):
            await asyncio.sleep(0)
        first.cancel()
        gate.set()
        assert await second == "Running"
        with pytest.raises(asyncio.CancelledError):
            await first

    assert len(service.asked(LOGIN)) == 1


async def test_refused_credentials_are_a_login_error(service: Service, clock: FakeClock) -> None:
    """The error says who refused and what to do, and does not contain the key."""
    service.on(LOGIN, reply(400, {"errorCode": "BXNIM0415E", "errorMessage": "Provided API key could not be found."}))
    async with make(service, clock) as client:
        with pytest.raises(LoginError, match=r"could not be found.*BXNIM0415E.*check the key") as caught:
            await client.login()

    assert KEY not in "".join(traceback.format_exception(caught.value))


async def test_a_failing_token_service_is_never_by_passed(service: Service, clock: FakeClock) -> None:
    """While the token service fails, nothing is sent to the API, least of all the key."""
    service.on(LOGIN, reply(503))
    async with make(service, clock, retry=RetryPolicy(max_retries=2)) as client:
        with pytest.raises(LoginUnavailable, match="HTTP 503") as caught:
            await client.job("j").status()

    assert caught.value.left is False
    assert {one.path for one in service.seen} == {"/identity/token"}
    assert len(service.asked(LOGIN)) == 3


async def test_reads_are_repeated_until_they_succeed(service: Service, clock: FakeClock) -> None:
    """Lost connections, cut bodies and failing servers do not end a read."""
    service.on(JOB, hang_up(), reply(503), reply(520, "<html>"), cut(b'{"id"', 100), job("Running"))
    async with make(service, clock) as client:
        assert await client.job("j").status() == "Running"

    assert len(service.asked(JOB)) == 5


async def test_a_submission_that_was_turned_away_is_repeated(service: Service, clock: FakeClock) -> None:
    """A 429 proves that nothing was done; its `Retry-After` is honoured uncut."""
    service.on(SUBMIT, reply(429, Retry_After="40"), reply(body={"id": "j"}))
    async with make(service, clock) as client:
        await client.sampler(["x"], backend="ibm_fez")

    assert clock.slept == [40.0]


async def test_a_delay_beyond_the_deadline_fails_at_once(service: Service, clock: FakeClock) -> None:
    """Where the service asks for more patience than the call has, nobody waits in vain."""
    service.on(JOB, reply(503, Retry_After="86400"))
    async with make(service, clock) as client:
        with pytest.raises(ServerError) as caught:
            await client.job("j").status()

    assert (clock.slept, caught.value.retry_after) == ([], 86400.0)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_redirects_are_never_followed(service: Service, clock: FakeClock, status: int) -> None:
    """No credential reaches the host that a redirect names."""
    service.on(JOB, reply(status, Location="/api/v1/jobs/other"))
    service.on("GET /api/v1/jobs/other", job("Running"))
    async with make(service, clock) as client:
        with pytest.raises(ApiError, match="redirect"):
            await client.job("j").status()

    assert service.asked("GET /api/v1/jobs/other") == []


async def test_cookies_are_not_kept(service: Service, clock: FakeClock) -> None:
    """What a server wants remembered is not sent back."""

    async def with_cookie(request: object) -> object:
        response = await job("Running")(request)  # type: ignore[arg-type]
        response.headers["Set-Cookie"] = "a=b"
        return response

    service.on(JOB, with_cookie)  # type: ignore[arg-type]
    async with make(service, clock) as client:
        await client.job("j").status()
        await client.job("j").status()

    assert "Cookie" not in service.asked(JOB)[1].headers


async def test_a_request_without_an_answer_ends(service: Service, clock: FakeClock) -> None:
    """A server that never answers costs the time-out and no more."""
    service.on(JOB, never())
    async with make(service, clock, timeouts=Timeouts(request=0.05), retry=RetryPolicy(max_retries=0)) as client:
        with pytest.raises(RequestTimeout):
            await client.job("j").status()


async def test_a_refused_connection_never_left(clock: FakeClock, service: Service) -> None:
    """Where nothing listens, the error says that the request never left."""
    account = service.account().ibm_quantum("k", CRN, api_url="http://127.0.0.1:9", iam_url="http://127.0.0.1:9")
    async with Client(account, clock=clock, retry=RetryPolicy(max_retries=1)) as client:
        with pytest.raises(ConnectionFailed) as caught:
            await client.backends.list()

    assert caught.value.left is False
    assert len(clock.slept) == 1


async def test_an_unreadable_reply_names_its_place(service: Service, clock: FakeClock) -> None:
    """A body of the wrong shape is a ProtocolError, and is not asked for again."""
    service.on(JOB, reply(body={"id": 7, "program": {"id": "sampler"}, "state": {"status": "Queued"}}))
    async with make(service, clock) as client:
        with pytest.raises(ProtocolError, match=r"jobs\.get: expected str, not int @ \$\.id"):
            await client.job("j").status()

    assert len(service.asked(JOB)) == 1


async def test_requests_at_once_are_bounded(service: Service, clock: FakeClock) -> None:
    """Of a hundred calls at once no more than the limit are under way."""
    under_way = peak = 0

    async def counting(request: object) -> object:
        nonlocal under_way, peak
        under_way += 1
        peak = max(peak, under_way)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        under_way -= 1
        return await job("Running")(request)  # type: ignore[arg-type]

    service.on(JOB, counting)  # type: ignore[arg-type]
    async with make(service, clock, limits=Limits(concurrent_requests=7)) as client:
        await asyncio.gather(*(client.job("j").status() for _ in range(100)))

    assert 1 < peak <= 7


async def test_a_closed_client_says_so(service: Service, clock: FakeClock) -> None:
    """Nothing is sent after the end of the block."""
    async with make(service, clock) as client:
        pass
    with pytest.raises(ClientClosed):
        await client.backends.list()
    with pytest.raises(ClientClosed):
        await client.login()

    assert service.seen == []


async def test_the_block_logs_out_even_when_it_fails(service: Service, clock: FakeClock) -> None:
    """An error in the block comes out unchanged, after the logout."""
    with pytest.raises(ZeroDivisionError):
        async with Client(service.legacy_account(), clock=clock) as client:
            await client.login()
            raise ZeroDivisionError

    assert len(service.asked("POST /api/users/logout")) == 1


async def test_a_failed_logout_is_reported_and_masks_nothing(service: Service, clock: FakeClock) -> None:
    """The caller hears of a token that could not be ended, and still gets the block's own error."""
    service.on("POST /api/users/logout", reply(500))
    with pytest.warns(ResourceWarning, match="could not log out"), pytest.raises(ZeroDivisionError):
        async with Client(service.legacy_account(), clock=clock) as client:
            await client.login()
            raise ZeroDivisionError


async def test_a_token_that_has_ended_needs_no_logout(service: Service, clock: FakeClock) -> None:
    """A 401 to the logout is what was wanted."""
    service.on("POST /api/users/logout", reply(401))
    async with Client(service.legacy_account(), clock=clock) as client:
        await client.login()

    assert len(service.asked("POST /api/users/logout")) == 1


async def test_an_id_cannot_reach_another_resource(service: Service, clock: FakeClock) -> None:
    """An id with slashes and dots stays one segment on the wire."""
    async with make(service, clock) as client:
        with pytest.raises(NotFound):
            await client.job("../backends").status()

    assert service.seen[-1].path == "/api/v1/jobs/..%2Fbackends"


async def test_no_secret_is_logged(service: Service, clock: FakeClock, caplog: pytest.LogCaptureFixture) -> None:
    """Neither key nor token appears in any log at any level, nor in an error."""
    caplog.set_level(logging.DEBUG)
    service.on(LOGIN, token("token-9c1d"))
    service.on(JOB, reply(500, "broken"))
    shown = ""
    async with make(service, clock) as client:
        with contextlib.suppress(ServerError):
            await client.job("j").status()
        try:
            await client.job("j").details()
        except ServerError as error:
            shown = "".join(traceback.format_exception(error)) + repr(client)

    assert shown
    assert KEY not in caplog.text + shown
    assert "token-9c1d" not in caplog.text + shown
