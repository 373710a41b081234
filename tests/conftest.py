"""What all tests share: a loop that must not block, and an emulator to talk to."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator

import pytest
from blockbuster import BlockBuster, blockbuster_ctx


@pytest.fixture(autouse=True)
def blockbuster() -> Iterator[BlockBuster]:
    """Fail the test that blocks the event loop."""
    with blockbuster_ctx() as guard:
        yield guard


@contextlib.contextmanager
def running_emulator(*arguments: str) -> Iterator[str]:
    """Run an emulator as its own process, and give its URL."""
    command = [sys.executable, "-m", "qrt_async.emulator", "--port", "0", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            greeting, _, url = process.stdout.readline().strip().partition(" ")
            assert greeting == "LISTENING"
            yield url
        finally:
            process.terminate()
            process.wait(timeout=20)


@pytest.fixture(scope="session")
def emulator_url() -> Iterator[str]:
    """The URL of an emulator with the devices' noise."""
    with running_emulator("--seed", "7") as url:
        yield url


@pytest.fixture(scope="session")
def quiet_emulator_url() -> Iterator[str]:
    """The URL of an emulator without noise."""
    with running_emulator("--seed", "7", "--noiseless") as url:
        yield url
