"""The main job, told step by step on an embedded emulator."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import attrs
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding

from qrt_async import platforms
from qrt_async.account import Account
from qrt_async.cli.histogram import histogram
from qrt_async.client import Client
from qrt_async.emulator import Emulator, MissingExtraError
from qrt_async.errors import QrtError, Unauthorized
from qrt_async.models.pubs import IsaCircuit
from qrt_async.options import Timeouts
from qrt_async.transport import Transport
from qrt_async.wire.auth import legacy_logout
from qrt_async.wire.call import Call

_BACKEND = "ibm_hanoi"
_CRN = "crn:v1:bluemix:public:quantum-computing:us-east:a/demo:demo::"
_PROGRAM = """
OPENQASM 3;
include "stdgates.inc";
qreg q[2];
creg c[2];
x q[0];
c[0] = measure q[0];
c[1] = measure q[1];
"""
_OBSERVABLE = {"II": 1, "ZZ": 2.3}
_EXPECTED = -1.3
_TOLERANCE = 0.2


class _Unexpected(Exception):
    """A step of the story that did not check out."""


@attrs.frozen
class _Teller:
    """Says what is done, and stops the story where something is not as it should be."""

    console: Console

    def chapter(self, title: str) -> None:
        self.console.print()
        self.console.rule(title, align="left")

    def step(self, what: str, found: object = "") -> None:
        self.console.print(f"[green]✓[/green] {what}", f"[dim]{escape(str(found))}[/dim]", highlight=False)

    def counts(self, counts: Mapping[str, int]) -> None:
        self.console.print(Padding(histogram(counts), (0, 4)), highlight=False)

    def check(self, held: bool, otherwise: str) -> None:
        if not held:
            raise _Unexpected(otherwise)


async def run_demo(console: Console | None = None) -> int:
    """Tell the story on both platforms; return the exit status, 0 only if every step checked out."""
    teller = _Teller(console or Console())
    try:
        teller.chapter("The emulator: a service of your own, on this machine")
        async with Emulator(seed=7) as emulator:
            teller.step("started the emulator, which transpiles and simulates for real", emulator.url)
            await _today(teller, emulator.url)
            await _legacy(teller, emulator.url)
    except (QrtError, _Unexpected, MissingExtraError) as error:
        teller.console.print(f"[red]✗ {type(error).__name__}[/red]: {escape(str(error))}", highlight=False)
        return 1
    teller.console.print("\nEvery step checked out.")
    return 0


async def _today(teller: _Teller, url: str) -> None:
    teller.chapter("IBM Quantum: an API key, a bearer token, transpiling on this machine")
    account = Account.ibm_quantum("demo-key", _CRN, api_url=f"{url}/api/v1", iam_url=url)
    async with Client(account) as client:
        await client.login()
        teller.step("exchanged the API key for a token that lives an hour")
        await _jobs(teller, client)
    teller.step("left the client: connections closed, the token forgotten")


async def _legacy(teller: _Teller, url: str) -> None:
    teller.chapter("The legacy platform: an API token, an access token, the transpiler service")
    account = Account.legacy(
        "demo-token", "hub/group/project", auth_url=f"{url}/api", api_url=f"{url}/runtime", transpiler_url=url
    )
    async with Client(account) as client:
        await client.login()
        teller.step("logged in with the API token")
        await _jobs(teller, client)
    teller.step("left the client: logged out, connections closed")
    await _logged_out_token_is_refused(teller, account)


async def _jobs(teller: _Teller, client: Client) -> None:
    names = [backend.name for backend in await client.backends.list()]
    teller.check(_BACKEND in names, f"{_BACKEND} is not among the backends: {names}")
    teller.step("listed the backends", ", ".join(names))
    [isa] = await client.transpile([_PROGRAM], backend=_BACKEND, optimization_level=1)
    teller.check(len(isa.layout) == 2, f"expected a layout of two qubits, not {isa.layout}")
    teller.step(f"transpiled the circuit for {_BACKEND}", f"its qubits are the device's {isa.layout}")
    await _one_job(teller, client, isa)
    await _one_session(teller, client, isa)


async def _one_job(teller: _Teller, client: Client, isa: IsaCircuit) -> None:
    job = await client.sampler([isa, (isa, None, 500)], backend=_BACKEND)
    teller.step("submitted a sampler job with two PUBs", job.id)
    result = await job.result(timeout=120)
    shots = [pub.data["c"].num_shots for pub in result]
    teller.check(shots == [4096, 500], f"expected 4096 and 500 shots, not {shots}")
    counts = result[1].data.c.counts()
    teller.check(counts.get("01", 0) > 400, f"expected mostly '01', not {counts}")
    teller.step("waited for it; the counts of the second PUB:")
    teller.counts(counts)


async def _one_session(teller: _Teller, client: Client, isa: IsaCircuit) -> None:
    async with client.session(_BACKEND, max_time=600) as session:
        teller.step("opened a session", session.id)
        sampled, estimated = await asyncio.gather(
            session.sampler([isa, (isa, None, 100)]),
            session.estimator([(isa, _OBSERVABLE, None, 0.01)]),
        )
        teller.step("submitted a sampler and an estimator job to it, at once", f"{sampled.id}, {estimated.id}")
        result, estimate = await asyncio.gather(sampled.result(timeout=120), estimated.result(timeout=120))
        teller.check(result[1].data.c.num_shots == 100, "expected 100 shots in the session's second PUB")
        value, error = float(estimate[0].data.evs), float(estimate[0].data.stds)
        teller.check(abs(value - _EXPECTED) < _TOLERANCE, f"expected a value near {_EXPECTED}, not {value}")
        teller.step(f"the expectation value of {_OBSERVABLE}:", f"{value:.3f} ± {error:.3f}")
    details = await session.details()
    teller.check(details.state in {"closed", None}, f"expected a closed session, not {details.state}")
    teller.step("left the session's block: the session is closed")


async def _logged_out_token_is_refused(teller: _Teller, account: Account) -> None:
    """Show on the wire what a logout does: the token that was logged out cannot even log out again."""
    transport = Transport(Timeouts().connect)
    try:
        token = await transport.send(
            platforms.login(account.platform, account.secret), base=account.hosts.auth, headers={}, timeout=60
        )
        headers = platforms.token_headers(account.dialect, token)
        await transport.send(legacy_logout(), base=account.hosts.auth, headers=headers, timeout=60)
        refused = await _is_refused(transport, legacy_logout(), account, headers)
    finally:
        await transport.aclose()
    teller.check(refused, "a token that was logged out was accepted again")
    teller.step("logged a token out by hand and used it again:", "401, as it should be")


async def _is_refused(transport: Transport, call: Call[None], account: Account, headers: Mapping[str, str]) -> bool:
    try:
        await transport.send(call, base=account.hosts.auth, headers=headers, timeout=60)
    except Unauthorized:
        return True
    return False
