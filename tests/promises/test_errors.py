"""Every error of the tree, raised through the emulator (or before anything is sent), says what to do next."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import qrt_async as qrt
from qrt_async import errors
from qrt_async.emulator import Answer, Cut, Edited, Emulator, End, Fate, Fault, HangUp, Work
from qrt_async.journal import Owner
from tests.client import scripted
from tests.client.wires import Authority
from tests.proxy import Conduct, proxied

CRN = "crn:v1:bluemix:public:quantum-computing:us-east:a/error:error::"
BELL = 'OPENQASM 3.0; include "stdgates.inc"; bit[2] c; x $0; c[0] = measure $0; c[1] = measure $1;'
HTML = "<html><head><title>Attention Required!</title></head></html>"


Call = Callable[[qrt.Client], Awaitable[Any]]


class Stage:
    """An emulator, a client that speaks to it, and the ways of the tests to use them."""

    def __init__(self, emulator: Emulator, folder: Path) -> None:
        self.emulator = emulator
        self.folder = folder

    def client(self, url: str | None = None, **settings: Any) -> qrt.Client:
        """Return a client that does not repeat, on the emulator's clock, with the quota lifted."""
        base = url or self.emulator.url
        account = qrt.Account.ibm_quantum("a-key", CRN, api_url=f"{base}/api/v1", iam_url=base)
        settings.setdefault("limits", qrt.Limits(submissions_per_minute=None))
        settings.setdefault("retry", qrt.RetryPolicy(max_retries=0))
        return qrt.Client(account, clock=self.emulator.clock, **settings)

    async def struck(self, fault: Fault, call: Callable[[qrt.Client], Awaitable[Any]] | None = None) -> None:
        """Make a call that a fault strikes: reading a job, unless it is another."""
        await self.emulator.inject(fault)
        async with self.client() as client:
            await (call(client) if call else client.job("j").status())

    async def fated(self, end: End) -> None:
        """Wait for the result of a job whose fate is this."""
        await self.struck(Fault("POST /jobs", fate=Fate(end)), _result)


Scene = Callable[[Stage], Awaitable[None]]


async def _sampler(client: qrt.Client) -> Any:
    return await client.sampler([BELL], backend="ibm_fez")


async def _backends(client: qrt.Client) -> Any:
    return await client.backends.list()


async def _limit(client: qrt.Client) -> None:
    await client.instance.set_limit(1)


async def _result(client: qrt.Client) -> Any:
    job: qrt.Job[Any] = await _sampler(client)
    return await job.result()


def _answer(status: int, code: int | None = None, on: str = "GET /jobs/*", **more: Any) -> Fault:
    return Fault(on, Answer(status, code=code, **more))


async def _wrong(stage: Stage, what: str) -> None:
    async with stage.client() as client:
        match what:
            case "pub":
                await client.sampler([("", None, 0)], backend="ibm_fez")
            case "option":
                await client.sampler([BELL], backend="ibm_fez", max_time=0)
            case "usage":
                client.session("ibm_fez", mode="interactive")
            case "too large":
                client.plan([(BELL, None, 10**9)], backends=["ibm_fez"])
            case "backend":
                await client.backends.least_busy(min_qubits=10_000)
            case "transpile":
                await client.transpile(["OPENQASM 3.0; nonsense;"], backend="ibm_fez")
            case "register":
                (await _result(client))[0].data["d"]
            case "wait":
                await (await _sampler(client)).result(timeout=1)
            case "unknown":
                await client.job("nobody").status()
            case _:
                raise AssertionError(what)


async def _closed(stage: Stage) -> None:
    client = stage.client()
    await client.aclose()
    await client.login()


async def _keys(stage: Stage) -> None:
    async with stage.client() as client:
        await client.sampler([BELL], backend="ibm_fez", key="order-42")
        await client.sampler([BELL, BELL], backend="ibm_fez", key="order-42")


async def _campaigns(stage: Stage) -> None:
    for pub in ((BELL, None, 1), (BELL, None, 2)):
        async with stage.client(journal=stage.folder / "journal.sqlite") as client:
            async for _ in _run(client, [pub]):
                pass


async def _run(client: qrt.Client, pubs: list[Any]) -> AsyncGenerator[qrt.Done]:
    async with client.fan_out(pubs, backends=["ibm_fez"], run="campaign") as run:
        async for done in run:
            yield done


async def _proxy(stage: Stage, conduct: Conduct, **settings: Any) -> None:
    async with proxied(stage.emulator.url) as proxy:
        await proxy.behave(conduct)
        async with stage.client(proxy.url, **settings) as client:
            await client.login()


async def _refusing_proxy(stage: Stage) -> None:
    account = qrt.Account.ibm_quantum("a-key", CRN)
    network = qrt.Network(proxy=qrt.Proxy(stage.emulator.url))
    async with qrt.Client(account, network=network, retry=qrt.RetryPolicy(max_retries=0)) as client:
        await client.login()


async def _untrusted(stage: Stage) -> None:
    context = await asyncio.to_thread(lambda: Authority.at(stage.folder).server("127.0.0.1"))
    async with scripted.service(ssl=context) as service, stage.client(service.url) as client:
        await client.login()


async def _uncertain(stage: Stage) -> None:
    await stage.emulator.inject(
        Fault("POST /jobs", HangUp(), work=Work.DONE),
        Fault("GET /jobs", Edited(remove=("jobs.*.tags",)), ignore=("tags",)),
    )
    async with stage.client() as client:
        await _sampler(client)


async def _private(stage: Stage) -> None:
    await stage.emulator.inject(Fault("GET /jobs/*/results", Cut(10)))
    async with stage.client() as client:
        await (await client.sampler([BELL], backend="ibm_fez", private=True)).result()


async def _read_twice(stage: Stage) -> None:
    async with stage.client() as client:
        job = await client.sampler([BELL], backend="ibm_fez", private=True)
        await job.result()
        await client.job(job.id).result()


async def _quota(stage: Stage) -> None:
    async with stage.client(limits=qrt.Limits(submissions_per_minute=1)) as client:
        await _sampler(client)
        await client.sampler([BELL], backend="ibm_fez", timeout=5)


async def _session(stage: Stage, on: str, reply: Any) -> None:
    await stage.emulator.inject(Fault(on, reply))
    async with stage.client() as client, client.session("ibm_fez"):
        pass


async def _shut_session(stage: Stage) -> None:
    async with stage.client() as client:
        session = await client.sessions.create("ibm_fez")
        await client.sessions.cancel(session.id)
        await client.submit("sampler", {"pubs": [[BELL]], "version": 2}, backend="ibm_fez", session_id=session.id)


async def _lapsed(stage: Stage) -> None:
    await stage.fated(End.SESSION_CLOSED)


async def _damaged(stage: Stage) -> None:
    path = stage.folder / "journal.sqlite"
    await asyncio.to_thread(path.write_bytes, b"this is no journal" * 100)
    async with stage.client(journal=path) as client:
        await _sampler(client)


async def _busy(stage: Stage) -> None:
    path = stage.folder / "journal.sqlite"
    async with qrt.Journal(path) as journal:
        await journal.claim("campaign")
        async with stage.client(journal=path) as client:
            async for _ in client.resume("campaign"):
                pass


async def _never(stage: Stage) -> None:
    path = stage.folder / "journal.sqlite"
    gone = Owner(pid=os.getpid(), nonce="x", boot="another boot")
    async with qrt.Journal(path, owner=gone) as journal:
        await journal.intend(
            qrt.Intent(tag="qrt-lost", run_id="gone", digest="d", program="sampler", backend="ibm_fez")
        )
    async with stage.client(journal=path) as client:
        async for resumed in client.resume():
            if resumed.error:
                raise resumed.error


async def _budget(stage: Stage) -> None:
    async with stage.client() as client:
        await client.gather([BELL], backends=["ibm_fez"], budget=qrt.Budget(quantum_seconds=1))


async def _overloaded(stage: Stage) -> None:
    async with stage.client() as client, client.coalescing_sampler("ibm_fez", max_waiting=1, window=5) as sampler:
        await asyncio.gather(*(sampler.run((BELL, None, shots)) for shots in (1, 2, 3)))


async def _left(stage: Stage) -> None:
    async with stage.client() as client:
        async with client.coalescing_sampler("ibm_fez", window=500, on_close="refuse") as sampler:
            waiting = asyncio.create_task(sampler.run((BELL, None, 1)))
            await asyncio.sleep(0)
        await waiting


def _wrongly(what: str) -> Scene:
    return lambda stage: _wrong(stage, what)


def _struck(fault: Fault, call: Call | None = None) -> Scene:
    return lambda stage: stage.struck(fault, call)


def _fated(end: End) -> Scene:
    return lambda stage: stage.fated(end)


async def _account(_: Stage) -> None:
    qrt.Account.ibm_quantum("key", "no CRN")


async def _nobody(stage: Stage) -> None:
    async with stage.client("http://127.0.0.1:9") as client:
        await client.login()


SCENES: dict[type[errors.QrtError], Scene] = {
    errors.UsageError: _wrongly("usage"),
    errors.InvalidAccount: _account,
    errors.InvalidPub: _wrongly("pub"),
    errors.PubTooLarge: _wrongly("too large"),
    errors.InvalidOption: _wrongly("option"),
    errors.NoSuchRegister: _wrongly("register"),
    errors.KeyMismatch: _keys,
    errors.ResumeMismatch: _campaigns,
    errors.ClientClosed: _closed,
    errors.ConnectionFailed: _nobody,
    errors.ProxyRefused: _refusing_proxy,
    errors.UntrustedCertificate: _untrusted,
    errors.Disconnected: _struck(Fault("GET /jobs/*", HangUp())),
    errors.TruncatedReply: _struck(Fault("GET /backends", Cut(1)), _backends),
    errors.RequestTimeout: lambda stage: _proxy(stage, Conduct(blackhole=True), timeouts=qrt.Timeouts(request=0.05)),
    errors.ProtocolError: _struck(_answer(200, body={"id": 7})),
    errors.ApiError: _struck(_answer(418)),
    errors.BadRequest: _struck(_answer(400, 1208)),
    errors.PayloadTooLarge: _struck(_answer(413, on="POST /jobs"), _sampler),
    errors.Unauthorized: _struck(_answer(401, 1201)),
    errors.Forbidden: _struck(_answer(403, 1200)),
    errors.Blocked: _struck(_answer(403, body=HTML)),
    errors.NotFound: _wrongly("unknown"),
    errors.Conflict: _struck(_answer(409, on="PUT /instances/configuration"), _limit),
    errors.UsageLimitReached: _struck(_answer(409, on="POST /jobs"), _sampler),
    errors.RateLimited: _struck(_answer(429, 1202)),
    errors.TooManyPendingJobs: _struck(_answer(400, 1012, on="POST /jobs"), _sampler),
    errors.BackendReserved: _struck(_answer(423, 1233, on="POST /jobs"), _sampler),
    errors.SessionNotOpen: _shut_session,
    errors.ServerError: _struck(_answer(503)),
    errors.LoginError: _struck(_answer(400, on="POST /identity/token")),
    errors.LoginUnavailable: _struck(_answer(503, on="POST /identity/token")),
    errors.LoginUnavailable: _struck(_answer(503, on="POST /identity/token")),
    errors.NeverSubmitted: _never,
    errors.Overloaded: _overloaded,
    errors.CoalescerClosed: _left,
    errors.QuotaTimeout: _quota,
    errors.SubmissionUncertain: _uncertain,
    errors.NoBackend: _wrongly("backend"),
    errors.TranspileError: _wrongly("transpile"),
    errors.JobFailed: _fated(End.FAILED),
    errors.SessionClosed: _lapsed,
    errors.JobCancelled: _fated(End.CANCELLED),
    errors.JobRanTooLong: _fated(End.TOO_LONG),
    errors.UnknownJobStatus: _struck(
        Fault("GET /jobs/*", Edited(replace={"state.status": "Evaporated", "status": "Evaporated"})), _result
    ),
    errors.ResultNotAvailable: _read_twice,
    errors.PrivateResultLost: _private,
    errors.BudgetExceeded: _budget,
    errors.WaitTimeout: _wrongly("wait"),
    errors.SessionUncertain: lambda stage: _session(stage, "POST /sessions", HangUp()),
    errors.JournalError: _damaged,
    errors.JournalBusy: _busy,
    errors.SessionNotEnded: lambda stage: _session(stage, "PATCH /sessions/*", Answer(400)),
}
NEVER_ALONE = {errors.QrtError, errors.TransportError, errors.JobError, errors.MissingExtra}
"""Roots of branches; and what no test of ours can lack here: its own tests hide the packages."""


def tree(root: type[errors.QrtError]) -> Iterator[type[errors.QrtError]]:
    """Yield the classes below and with a root that the package defines."""
    yield root
    for kind in root.__subclasses__():
        if kind.__module__.startswith("qrt_async"):
            yield from tree(kind)


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncGenerator[Stage]:
    """Give an emulator on a clock of its own."""
    async with Emulator(
        in_process=True, noiseless=True, clock="auto", backends=["ibm_fez"], queue_seconds=20
    ) as emulator:
        yield Stage(emulator, tmp_path)


@pytest.mark.parametrize("kind", SCENES, ids=lambda kind: kind.__name__)
async def test_every_error_says_what_to_do(stage: Stage, kind: type[errors.QrtError]) -> None:
    """The error is of exactly this class, in a sentence or more, and one of the service has its status and trace."""
    with pytest.raises(errors.QrtError) as caught:
        await SCENES[kind](stage)

    text = str(caught.value)
    assert type(caught.value) is kind, text
    assert len(re.findall(r"\w+", text)) >= 6, text
    if isinstance(caught.value, errors.ApiError):
        assert caught.value.status >= 400
        assert caught.value.operation


def test_no_class_is_left_out() -> None:
    """Each class of the tree has its scene."""
    assert set(tree(errors.QrtError)) - NEVER_ALONE == set(SCENES)
