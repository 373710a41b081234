"""A journal, and other processes that use the same file."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import attrs
import pytest

from qrt_async import Intent, Journal

_PRELUDE = """
import asyncio, os, sys
from qrt_async import Intent, Journal, JournalError
path, *arguments = sys.argv[1:]

def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())

def intent(tag, **more):
    return Intent(**({"tag": tag, "run_id": "run", "digest": "d", "program": "sampler", "backend": "ibm_x"} | more))
"""


@contextlib.contextmanager
def child(script: str, path: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run `script` in a process of its own, in which a few names are at hand; it speaks with `say`."""
    command = [sys.executable, "-W", "error", "-c", _PRELUDE + script, str(path), *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=0) as process:
        try:
            yield process
        finally:
            process.kill()


def heard(script: str, path: Path, *arguments: str) -> list[str]:
    """Return the lines that a process said, which must have ended well."""
    with child(script, path, *arguments) as process:
        said, _ = process.communicate(timeout=30)
        assert process.returncode == 0
    return said.splitlines()


@attrs.define
class Wall:
    """A wall clock that is set by hand."""

    now: float = 1_000_000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def intent(tag: str, *, run_id: str = "run", digest: str = "d", key: str | None = None, tenant: str = "") -> Intent:
    """Return an intent of which only the tag matters."""
    return Intent(tag=tag, run_id=run_id, digest=digest, program="sampler", backend="ibm_x", key=key, tenant=tenant)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the journal's file will be."""
    return tmp_path / "journal.db"


@pytest.fixture
async def journal(path: Path) -> AsyncIterator[Journal]:
    """An open journal."""
    async with Journal(path) as found:
        yield found
