"""
Campaigns that are killed and resumed: ``python -m tests.promises.campaigning CAMPAIGNS [PUBS [SEED]]``.

Each campaign is a process of its own (``… child``) that submits its PUBs by a named run with a journal and is killed at
a random moment, counted in what it reports: intents, submissions and results. Then this process resumes it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

import attrs

from qrt_async import Account, Client, Limits
from qrt_async.emulator import Emulator
from qrt_async.hooks import Event, JobSubmitted, RequestStarted, SessionOpened

CRN = "crn:v1:bluemix:public:quantum-computing:us-east:a/campaign:campaign::"
PER_JOB = 10
AT_ONCE = 2


def pubs(campaign: int, count: int) -> list[Any]:
    """Return PUBs that no other campaign has: the value of a parameter tells them apart."""
    text = (
        'OPENQASM 3.0; include "stdgates.inc"; input float[64] theta; bit[1] c; rz(theta) $0; x $0; c[0] = measure $0;'
    )
    return [(text, {"theta": campaign + number / 1000}, 2) for number in range(count)]


def client(url: str, journal: Path) -> Client:
    """Return a client with a journal, whose quota is lifted."""
    account = Account.ibm_quantum("campaign-key", CRN, api_url=f"{url}/api/v1", iam_url=url)
    return Client(account, journal=journal, limits=Limits(submissions_per_minute=None))


async def run(url: str, journal: Path, campaign: int, count: int, hook: Any = None) -> list[int]:
    """Run a campaign, or what is left of it, and return the indices of its results."""
    one = client(url, journal)
    one._engine.hooks = attrs.evolve(one._engine.hooks, hooks=(hook,)) if hook else one._engine.hooks
    found: list[int] = []
    async with one as campaigner:
        fan_out = campaigner.fan_out(
            pubs(campaign, count), backends=["ibm_fez"], run=f"campaign-{campaign}", pubs_per_job=PER_JOB, mode="batch"
        )
        async with fan_out as results:
            async for done in results:
                if done.error is not None:
                    raise done.error
                found.append(done.index)
                if hook:
                    print(json.dumps(done.index), flush=True)
    return found


def child(url: str, journal: str, campaign: int, count: int, deaths: int) -> None:
    """Run a campaign until so much has happened, then die without a word."""
    left = deaths

    def step(event: Event) -> None:
        nonlocal left
        submits = isinstance(event, RequestStarted) and event.operation == "jobs.create"
        if submits or isinstance(event, JobSubmitted | SessionOpened):
            left -= 1
            if left == 0:
                signal.raise_signal(signal.SIGKILL)

    asyncio.run(run(url, Path(journal), campaign, count, step))


@attrs.frozen
class Outcome:
    """What became of one campaign: results before its death, and all after it was resumed."""

    before: set[int]
    after: list[int]
    killed: bool


async def one(url: str, folder: Path, campaign: int, count: int, rng: random.Random) -> Outcome:
    """Run a campaign in a process that is killed, then resume it here."""
    journal = folder / f"{campaign}.sqlite"
    deaths = rng.randint(1, 2 * count // PER_JOB)
    arguments = ["-m", "tests.promises.campaigning", "child", url, str(journal), str(campaign), str(count), str(deaths)]
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments, stdout=asyncio.subprocess.PIPE)
    told, _ = await process.communicate()
    before = {json.loads(line) for line in told.split()}
    after = await run(url, journal, campaign, count)
    return Outcome(before, after, process.returncode == -signal.SIGKILL)


async def campaigns(number: int, count: int, seed: int) -> list[str]:
    """Run campaigns and return what is wrong with them, nothing where all is well."""
    rng = random.Random(seed)
    wrong: list[str] = []
    turns = asyncio.Semaphore(AT_ONCE)
    with tempfile.TemporaryDirectory() as name:
        async with Emulator(noiseless=True, backends=["ibm_fez"]) as emulator:

            async def guarded(campaign: int) -> Outcome:
                async with turns:
                    return await one(emulator.url, Path(name), campaign, count, rng)

            outcomes = await asyncio.gather(*(guarded(campaign) for campaign in range(number)))
            bill = await emulator.ledger()
    for campaign, outcome in enumerate(outcomes):
        if len(outcome.after) != len(set(outcome.after)):
            wrong.append(f"campaign {campaign}: a result came twice after it was resumed")
        if outcome.before | set(outcome.after) != set(range(count)):
            wrong.append(f"campaign {campaign}: {len(outcome.before | set(outcome.after))} of {count} results")
    if bill.distinct_pubs != number * count:
        wrong.append(f"{bill.distinct_pubs} distinct PUBs on the server")
    if bill.duplicate_pubs:
        wrong.append(f"{len(bill.duplicate_pubs)} PUBs were submitted twice")
    if bill.open_sessions or bill.unfinished_jobs:
        wrong.append(f"{len(bill.open_sessions)} open sessions, {len(bill.unfinished_jobs)} unfinished jobs")
    killed = sum(outcome.killed for outcome in outcomes)
    print(
        f"{number} campaigns of {count} PUBs, {killed} of them killed: {bill.distinct_pubs} distinct PUBs in "
        f"{len(bill.jobs)} jobs, {len(bill.duplicate_pubs)} twice, {len(bill.open_sessions)} open sessions"
    )
    return wrong


def main() -> int:
    """Run campaigns, or (``child``) one that dies."""
    if sys.argv[1] == "child":
        url, journal, *numbers = sys.argv[2:]
        with contextlib.suppress(BrokenPipeError):
            child(url, journal, *map(int, numbers))
        return 0
    number, count, seed = (*map(int, sys.argv[1:]), 500, 1)[:3]
    wrong = asyncio.run(campaigns(number, count, seed))
    print("\n".join(wrong) or "every result once, no PUB submitted twice, nothing left open")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
