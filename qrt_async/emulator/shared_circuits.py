"""Circuits of jobs for everybody who has their address."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qrt_async.emulator.refusals import Refusal

if TYPE_CHECKING:
    from qrt_async.emulator.identifiers import Identifiers
    from qrt_async.emulator.records import Job


class SharedCircuits:
    """Tokens that stand for the circuits of a job."""

    def __init__(self, identifiers: Identifiers) -> None:
        self._identifiers = identifiers
        self._jobs: dict[str, Job] = {}

    def share(self, job: Job) -> str:
        """Make a token with which anyone can ask for the circuits of a job."""
        token = self._identifiers.nonce()
        self._jobs[token] = job
        return token

    def of(self, token: str) -> tuple[str, ...]:
        """Give the programs of the job that a token stands for, those that are text."""
        job = self._jobs.get(token)
        if job is None:
            raise Refusal(404, None, "There is nothing at this address.")
        firsts = (pub[0] if isinstance(pub, list) else pub for pub in job.params.get("pubs", ()))
        return tuple(first for first in firsts if isinstance(first, str))
