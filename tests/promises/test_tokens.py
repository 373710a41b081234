"""Tokens that end while five hundred coroutines need them, and token services that fail."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from urllib.parse import quote, quote_plus

import pytest

from qrt_async import (
    Client,
    JobStatus,
    LoginUnavailable,
    PrimitiveResult,
)
from qrt_async.emulator import Answer, Fault, HangUp, RecordedRequest
from qrt_async.hooks import RequestEnded, SubmissionAmbiguous, TokenRejected, TokenRenewed
from tests.promises.machine import KEY, PROGRAM, Machine, Moments
from tests.proxy import Conduct, Proxy, proxied

MANY = 500
LIFE = 2.0
LOGINS = {"/identity/token", "/api/users/loginWithToken"}

both_platforms = pytest.mark.parametrize("legacy", [False, True], ids=["today", "legacy"])


async def submitted(client: Client, count: int) -> list[str]:
    """Submit as many jobs, each of another content."""
    jobs = await asyncio.gather(*(client.sampler([(PROGRAM, None, 1 + k)], backend="ibm_fez") for k in range(count)))
    return [job.id for job in jobs]


async def requests(machine: Machine) -> Sequence[RecordedRequest]:
    """Return the requests that the emulator recorded."""
    return (await machine.controls.ledger()).requests


def needless(moments: Moments) -> list[float]:
    """Return when a login happened although the token before had half its life left and was not rejected."""
    found, last, rejected = [], -LIFE, True
    for when, event in moments.seen:
        if isinstance(event, TokenRejected):
            rejected = True
        elif isinstance(event, TokenRenewed):
            if when - last < LIFE / 2 and not rejected:
                found.append(when)
            last, rejected = when, False
    return found


@both_platforms
async def test_tokens_of_two_seconds_under_five_hundred_waits(short_lived: Machine, *, legacy: bool) -> None:
    """No call fails while tokens end again and again, and each ageing or rejected token costs one login."""
    moments = short_lived.moments()
    async with short_lived.client(short_lived.account(legacy=legacy), moments) as client:
        ids = await submitted(client, MANY)
        handles = [client.job(job_id) for job_id in ids]
        results = await asyncio.gather(*(handle.result() for handle in handles))
        logins = [when for when, event in moments.seen if isinstance(event, TokenRenewed)]
        recorded = [one for one in await requests(short_lived) if one.path in LOGINS]
        failed = [event for _, event in moments.seen if isinstance(event, RequestEnded) and event.error is not None]

    assert [result[0].data["c"].num_bits for result in results] == [1] * MANY
    assert short_lived.clock.monotonic() >= 120
    assert len(recorded) == len(logins) >= 8
    assert needless(moments) == []
    assert [type(event.error).__name__ for event in failed if event.status != 401] == []
    print(f"\n{MANY} waits over {short_lived.clock.monotonic():.0f} s: {len(logins)} logins, {len(failed)} refusals")


@both_platforms
async def test_one_login_for_all_who_need_a_new_token(short_lived: Machine, *, legacy: bool) -> None:
    """Five hundred calls at once cost one login when the token has aged, and one when it was revoked."""
    moments = short_lived.moments()
    async with short_lived.client(short_lived.account(legacy=legacy), moments) as client:
        [job_id] = await submitted(client, 1)

        async def logins_of(calls: int) -> int:
            before = sum(isinstance(event, TokenRenewed) for _, event in moments.seen)
            stati = await asyncio.gather(*(client.job(job_id).status() for _ in range(calls)))
            assert set(stati) == {JobStatus.QUEUED}
            return sum(isinstance(event, TokenRenewed) for _, event in moments.seen) - before

        with short_lived.clock.hold():
            await client.login()
            at_ease = await logins_of(MANY)
            await short_lived.controls.revoke_tokens()
            revoked = await logins_of(MANY)
        await short_lived.clock.sleep(LIFE * 0.6)
        with short_lived.clock.hold():
            aged = await logins_of(MANY)
        await short_lived.clock.sleep(LIFE * 2)
        with short_lived.clock.hold():
            ended = await logins_of(MANY)

    assert (at_ease, revoked, aged, ended) == (0, 1, 1, 1)


@asynccontextmanager
async def out_of_order(machine: Machine, between: Proxy, how: str) -> AsyncIterator[None]:
    """Let the token service fail for the length of the block."""
    if how == "rejects":
        await between.behave(Conduct(reject=True))
        between.end_all(reset=True)
    else:
        answer = Answer(503) if how == "503" else Answer(429, retry_after=5) if how == "429" else HangUp()
        await machine.controls.inject(*(Fault(f"POST {path}", answer) for path in sorted(LOGINS)))
    yield
    await between.behave(Conduct())
    await machine.controls.clear_faults()


@both_platforms
@pytest.mark.parametrize("how", ["503", "429", "hangs up", "rejects"])
async def test_a_token_service_that_is_down_for_a_while(short_lived: Machine, how: str, *, legacy: bool) -> None:
    """Waits outlive it; submissions and sessions fail at once, with an error that says that nothing was sent."""
    moments = short_lived.moments()
    async with proxied(short_lived.url) as between:
        account = short_lived.account(legacy=legacy, login_at=between.url)
        async with short_lived.client(account, moments) as client:
            ids = await submitted(client, 20)
            waits = [asyncio.create_task(client.job(job_id).result()) for job_id in ids]
            await short_lived.clock.sleep(20)
            async with out_of_order(short_lived, between, how):
                await short_lived.clock.sleep(LIFE * 2)
                before = await creations(short_lived)
                with pytest.raises(LoginUnavailable, match="Nothing was sent") as refused:
                    await client.sampler([PROGRAM], backend="ibm_fez")
                with pytest.raises(LoginUnavailable, match="Nothing was sent"):
                    await client.sessions.create("ibm_fez", mode="batch")
                await short_lived.clock.sleep(200)
                assert not any(wait.done() for wait in waits)
                after = await creations(short_lived)
            found = await asyncio.gather(*waits)
            again = await client.sampler([PROGRAM], backend="ibm_fez")
            bill = await short_lived.controls.ledger()

    assert refused.value.left is False
    assert before == after
    assert all(isinstance(result, PrimitiveResult) for result in found)
    assert sorted(job.id for job in bill.jobs) == sorted([*ids, again.id])
    assert not any(isinstance(event, SubmissionAmbiguous) for _, event in moments.seen)


async def creations(machine: Machine) -> int:
    """Return how many requests to create something the emulator has seen."""
    return sum(one.method == "POST" and one.path not in LOGINS for one in await requests(machine))


FORMS = {form.encode() for form in (KEY, quote(KEY), quote(KEY, safe=""), quote_plus(KEY))} | {
    base64.b64encode(KEY.encode()).rstrip(b"="),
    KEY.encode("utf-16-le"),
}


def holds_key(request: RecordedRequest) -> bool:
    """Tell whether the API key is anywhere in a request, in any form it could have."""
    headers = "\n".join(f"{name}: {value}" for name, value in request.headers)
    everything = b"\n".join([request.path.encode(), request.query.encode(), headers.encode(), request.body])
    return any(form in everything for form in FORMS)


@both_platforms
async def test_the_key_is_sent_to_the_token_service_alone(short_lived: Machine, *, legacy: bool) -> None:
    """Of all recorded requests of a run with failures, logins and those to the legacy transpiler alone have the key."""
    async with short_lived.client(short_lived.account(legacy=legacy)) as client:
        isa = await client.transpile([PROGRAM], backend="ibm_fez") if legacy else [PROGRAM]
        job = await client.sampler(isa, backend="ibm_fez")
        await short_lived.controls.revoke_tokens()
        assert len(await job.result()) == 1
        await short_lived.controls.inject(Fault("GET /jobs/**", Answer(401), times=1))
        await job.details()
        await short_lived.controls.inject(*(Fault(f"POST {path}", Answer(503), times=2) for path in sorted(LOGINS)))
        await short_lived.clock.sleep(LIFE * 2)
        await client.backends.list()
        async with client.session("ibm_fez", mode="batch"):
            await short_lived.clock.sleep(LIFE * 2)

    seen = await requests(short_lived)
    with_key = {one.path.split("/")[1] for one in seen if holds_key(one)}
    assert with_key == ({"api", "transpile"} if legacy else {"identity"})
    assert all(holds_key(one) for one in seen if one.path in LOGINS)
    assert len(seen) > 12
