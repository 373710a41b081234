"""Names the service makes up: job, session and task ids, tokens, trace ids, and the seeds of jobs."""

from __future__ import annotations

import hashlib
import random
import string
import uuid
import zlib

XID_ALPHABET = "0123456789abcdefghijklmnopqrstuv"
_TOKEN_ALPHABET = string.ascii_letters + string.digits
_TOKEN_LENGTH = 64
_CHECK_LENGTH = 8


class Identifiers:
    """Makes all ids from one seed; every kind draws from a stream of its own.

    Separate streams keep the ids of jobs the same when a run has one more refusal (and so one more trace id)
    than the run before. `root` is the seed, or what stands in its place.
    """

    def __init__(self, seed: int | None = None) -> None:
        root = random.SystemRandom().getrandbits(64) if seed is None else seed
        self.root: int = root
        self._jobs = _stream(root, "jobs")
        self._sessions = _stream(root, "sessions")
        self._tasks = _stream(root, "tasks")
        self._tokens = _stream(root, "tokens")
        self._traces = _stream(root, "traces")
        self._works = 0

    def job(self) -> str:
        """Make a job id: 20 characters of `[0-9a-v]`, like an xid."""
        return _xid(self._jobs)

    def legacy_session(self) -> str:
        """Make a session id of the LEGACY platform: like a job's."""
        return _xid(self._sessions)

    def session(self) -> str:
        """Make a session id of IBM_QUANTUM: a UUID."""
        return _uuid(self._sessions)

    def task(self) -> str:
        """Make a task id of the transpiler service: a UUID."""
        return _uuid(self._tasks)

    def trace(self) -> str:
        """Make a request id for an error reply: a UUID."""
        return _uuid(self._traces)

    def nonce(self) -> str:
        """Make 128 random bits for a token's id, as hexadecimal text."""
        return f"{self._tokens.getrandbits(128):032x}"

    def access_token(self) -> str:
        """Make an access token of the LEGACY platform: 64 letters and digits, the last 8 a checksum."""
        body = "".join(self._tokens.choices(_TOKEN_ALPHABET, k=_TOKEN_LENGTH - _CHECK_LENGTH))
        return body + _check(body)

    @property
    def works(self) -> int:
        """How many seeds of works were given so far."""
        return self._works

    def resume(self, works: int) -> None:
        """Go on after `works` seeds of works, as an emulator before this one left off."""
        self._works = works

    def work_seed(self) -> int:
        """Give the seed of the next job or task: it depends on the emulator's seed and its number only."""
        self._works += 1
        digest = hashlib.sha256(f"{self.root}:work:{self._works}".encode()).digest()
        return int.from_bytes(digest[:4], "big") >> 1  # Aer and Qiskit take 31 bits


def is_access_token(secret: str) -> bool:
    """Tell whether `secret` has an access token's form, alive or not.

    A revoked access token must not pass for an API token, although any text may be one.
    """
    body, check = secret[:-_CHECK_LENGTH], secret[-_CHECK_LENGTH:]
    return len(secret) == _TOKEN_LENGTH and secret.isascii() and check == _check(body)


def _check(body: str) -> str:
    return f"{zlib.crc32(body.encode()):0{_CHECK_LENGTH}x}"


def _stream(root: int, kind: str) -> random.Random:
    return random.Random(f"{root}:{kind}")  # noqa: S311 - ids of an emulator, reproducible on purpose


def _xid(source: random.Random) -> str:
    return "".join(source.choices(XID_ALPHABET, k=20))


def _uuid(source: random.Random) -> str:
    return str(uuid.UUID(int=source.getrandbits(128), version=4))
