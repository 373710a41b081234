"""Many PUBs over the emulator's backends, whose gate sets differ: everything right, in order, and nothing left open."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest
from qiskit.circuit import Parameter, QuantumCircuit

from qrt_async import Budget, Client, JobFailed

pytestmark = pytest.mark.asyncio(loop_scope="session")

NAMES = ("ibm_hanoi", "ibm_sherbrooke", "ibm_fez")


def flips(number: int) -> str:
    """Return a circuit of five qubits that gives the bits of a number."""
    gates = " ".join(f"x q[{i}];" for i in range(5) if number >> i & 1)
    return f'OPENQASM 3.0; include "stdgates.inc"; qubit[5] q; bit[5] c; {gates} c = measure q;'


async def test_three_gate_sets_give_the_same_answers(emulated: Client) -> None:
    """Results come in order with the right counts, from jobs on all three backends."""
    pubs = [(flips(i % 8), None, 20 + i) for i in range(60)]
    found: dict[int, Any] = {}
    async with emulated.fan_out(pubs, backends=NAMES, transpile=1, pubs_per_job=10) as run:
        async for done in run:
            assert done.error is None
            assert done.result is not None
            found[done.index] = (done.backend, done.result.data.c.counts())
        progress = run.progress

    assert {backend for backend, _ in found.values()} == set(NAMES)
    assert [found[i][1] for i in range(60)] == [{format(i % 8, "05b"): 20 + i} for i in range(60)]
    assert (progress.jobs, progress.done, progress.queued, progress.running) == (6, 60, 0, 0)
    assert progress.seconds_billed >= 12


async def test_quantum_circuits_and_observables_follow_their_backend(emulated: Client) -> None:
    """Circuits of Qiskit's are transpiled once their backend is known, and observables moved by its layout."""
    theta = Parameter("theta")
    circuit = QuantumCircuit(2)
    circuit.ry(theta, 0)
    circuit.cx(0, 1)
    pubs = [(circuit, ["IZ", "ZZ"], {theta: [[value]]}) for value in (0.0, np.pi / 3, np.pi)]
    found = await emulated.gather(pubs, backends=NAMES, primitive="estimator", precision=0.05, pubs_per_job=1)
    values = np.array([result.data.evs.ravel() for result in found])  # type: ignore[union-attr]

    assert np.all(np.abs(values[:, 0] - [1.0, 0.5, -1.0]) < 0.3)
    assert np.all(np.abs(values[:, 1] - 1.0) < 0.3)


async def test_a_batch_on_each_backend(emulated: Client) -> None:
    """Jobs run in the run's own batches, which are closed when it is over."""
    pubs = [(flips(i), None, 10) for i in range(12)]
    found = await emulated.gather(
        pubs, backends=NAMES, transpile=1, pubs_per_job=4, mode="batch", session_time=600, in_flight=1
    )
    jobs = [job async for job in emulated.jobs.list() if job.session_id is not None]
    sessions = [await emulated.sessions.get(name) for name in {job.session_id for job in jobs} if name]

    assert [result.data.c.ints()[0] for result in found] == list(range(12))  # type: ignore[union-attr]
    assert sessions
    assert all(session.state == "closed" or session.accepting_jobs is False for session in sessions)


async def test_one_bad_program_is_found(emulated: Client) -> None:
    """With isolation, a program that the device refuses costs its neighbours nothing; the budget is kept."""
    [isa] = await emulated.transpile([flips(3)], backend="ibm_fez", optimization_level=1)
    bad = 'OPENQASM 3.0; include "stdgates.inc"; bit[1] c; h $0; c[0] = measure $0;'
    budget = Budget(3600)
    pubs = [(bad if i == 4 else isa, None, 10) for i in range(8)]
    found = await emulated.gather(pubs, backends=["ibm_fez"], isolate=True, budget=budget, return_exceptions=True)

    assert [isinstance(result, JobFailed) for result in found] == [i == 4 for i in range(8)]
    assert budget.reserved == 0
    assert 0 < budget.spent < 100


async def test_an_endless_source_can_be_left(emulated: Client) -> None:
    """Leaving after a few results leaves no pending job of the run behind."""

    async def endless() -> AsyncIterator[Any]:
        while True:
            yield (flips(1), None, 10)
            await asyncio.sleep(0)

    async with emulated.fan_out(endless(), backends=NAMES[:2], transpile=1, pubs_per_job=5, in_flight=2) as run:
        for _ in range(12):
            assert (await anext(run)).error is None
        tag = run.tag
    pending = [job async for job in emulated.jobs.list() if tag in job.tags and job.status.pending]

    assert pending == []
