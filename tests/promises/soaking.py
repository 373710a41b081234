"""
Many submissions through a service that fails: ``python -m tests.promises.soaking COUNT [SEED]``.

Of the replies to submissions 10 % are 429, 5 % are 503, and 5 % of the connections die after the job was made.
Afterwards the emulator's ledger must hold every PUB once, and nothing may be left open.
"""

from __future__ import annotations

import asyncio
import random
import sys
from collections import Counter

import attrs

from qrt_async import Account, Client, Limits, RetryPolicy
from qrt_async.emulator import Answer, Bill, Emulator, Fault, HangUp, Work

CRN = "crn:v1:bluemix:public:quantum-computing:us-east:a/soak:soak::"
AT_ONCE = 200
FAULTS = (
    Fault("POST /jobs", Answer(429, retry_after=1, code=1202), share=0.10),
    Fault("POST /jobs", Answer(503), share=0.05),
    Fault("POST /jobs", HangUp(reset=True), work=Work.DONE, share=0.05),
)


@attrs.frozen
class Report:
    """What a soak gave: a result for each submission, and the ledger at the end."""

    submitted: int
    results: int
    shots: int
    bill: Bill

    def __str__(self) -> str:
        bill = self.bill
        states = ", ".join(
            f"{count} {name}" for name, count in sorted(Counter(job.status for job in bill.jobs).items())
        )
        return (
            f"{self.submitted} submissions: {self.results} results of {self.shots} shots in all; on the server "
            f"{bill.distinct_pubs} distinct PUBs in {len(bill.jobs)} jobs ({states}), "
            f"{len(bill.duplicate_jobs)} duplicates, {len(bill.unfinished_jobs)} unfinished, "
            f"{len(bill.open_sessions)} open sessions, {bill.quantum_seconds} quantum seconds"
        )


def program(number: int) -> str:
    """Return a program whose text no other has."""
    return (
        'OPENQASM 3.0; include "stdgates.inc"; bit[2] c; '
        f"rz({number / 100_000}) $0; x $1; c[0] = measure $0; c[1] = measure $1;"
    )


async def soak(count: int, seed: int, shots: int = 4) -> Report:
    """Submit `count` jobs of one PUB each, all at once, and fetch every result."""
    async with Emulator(in_process=True, noiseless=True, seed=seed, clock="auto", backends=["ibm_fez"]) as emulator:
        account = Account.ibm_quantum("soak-key", CRN, api_url=f"{emulator.url}/api/v1", iam_url=emulator.url)
        limits = Limits(submissions_per_minute=None, concurrent_requests=64)
        await emulator.inject(*FAULTS)
        turns = asyncio.Semaphore(AT_ONCE)
        async with Client(
            account,
            limits=limits,
            retry=RetryPolicy(max_retries=50),
            clock=emulator.clock,
            rng=random.Random(seed),
        ) as client:

            async def one(number: int) -> int:
                async with turns:
                    job = await client.sampler([(program(number), None, shots)], backend="ibm_fez")
                    result = await job.result()
                    counts = result[0].data["c"].counts()
                    assert set(counts) == {"10"}, counts
                    return result[0].data["c"].num_shots

            seen = await asyncio.gather(*(one(number) for number in range(count)))
        return Report(count, len(seen), sum(seen), await emulator.ledger())


def main() -> int:
    """Run a soak and print its ledger; exit with 1 where a promise was broken."""
    count, seed = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1
    report = asyncio.run(soak(count, seed))
    print(report)
    bill = report.bill
    kept = bill.distinct_pubs == count and report.shots == 4 * count
    clean = not (bill.duplicate_jobs or bill.unfinished_jobs or bill.open_sessions)
    return 0 if kept and clean else 1


if __name__ == "__main__":
    sys.exit(main())
