"""Both ends on one clock."""

from __future__ import annotations

from qrt_async import Account, Client
from qrt_async.emulator import Emulator

CRN = "crn:v1:bluemix:public:quantum-computing:us-east:a/abc:def::"
PROGRAM = 'OPENQASM 3.0; include "stdgates.inc"; bit[1] c; x $0; c[0] = measure $0;'


async def test_a_queue_of_forty_minutes() -> None:
    """A client that shares the emulator's clock waits forty minutes for its result, renewing its tokens on the way."""
    async with Emulator(
        backends=["ibm_hanoi"],
        noiseless=True,
        workers=1,
        in_process=True,
        clock="auto",
        queue_seconds=2400,
        run_seconds=30,
        token_lifetime=900,
        record=True,
    ) as emulator:
        account = Account.ibm_quantum("a-key", CRN, api_url=f"{emulator.url}/api/v1", iam_url=emulator.url)
        async with Client(account, clock=emulator.clock) as client:
            job = await client.sampler([(PROGRAM, None, 10)], backend="ibm_hanoi")
            result = await job.result()

        bill = await emulator.ledger()
        logins = [request for request in bill.requests if request.path == "/identity/token"]
        assert result[0].data.c.counts() == {"1": 10}
        assert 2430 <= emulator.clock.monotonic() < 2490
        assert 3 <= len(logins) <= 4
        assert (bill.quantum_seconds, bill.unfinished_jobs, bill.duplicate_jobs) == (31, (), ())
