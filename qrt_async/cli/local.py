"""
The emulator that all ``--local`` commands of a user share.

Its state lies in the user's cache folder. It is started by the first command that needs it and holds the reading end of
a named pipe, which every command holds open for writing: with the last of them, however that one ends, it ends too.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import select
import socket
import sys
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import attrs

from qrt_async import environment
from qrt_async.emulator import EmulatorError
from qrt_async.emulator.extras import require

_START_SECONDS = 60.0
_STOP_SECONDS = 15.0
_LOOK_SECONDS = 0.05


@attrs.frozen
class Place:
    """The files of a shared emulator."""

    folder: Path

    @property
    def state(self) -> Path:
        """What the emulator remembers."""
        return self.folder / "emulator.sqlite"

    @property
    def line(self) -> Path:
        """The pipe that keeps it alive."""
        return self.folder / "emulator.pipe"

    @property
    def address(self) -> Path:
        """Where it answers."""
        return self.folder / "emulator.url"

    @property
    def log(self) -> Path:
        """What it complained of."""
        return self.folder / "emulator.log"


def cache_folder() -> Path:
    """Return this program's folder among the user's caches (``$XDG_CACHE_HOME``, or where the platform has them)."""
    given = environment.variables().get("XDG_CACHE_HOME", "")
    if Path(given).is_absolute():
        return Path(given) / "qrt-async"
    caches = Path("Library", "Caches") if sys.platform == "darwin" else Path(".cache")
    return Path.home() / caches / "qrt-async"


@asynccontextmanager
async def local_emulator() -> AsyncGenerator[str, None]:
    """
    Give the URL of the user's emulator, started where it does not run yet.

    Raises:
        MissingExtraError: the emulator is not installed.
        EmulatorError: it does not start.

    """
    await asyncio.to_thread(require)
    place = Place(cache_folder())
    try:
        url, line = await asyncio.to_thread(_join, place)
    except OSError as error:
        why = error.strerror or error
        raise EmulatorError(f"the emulator cannot keep its state in {place.folder}: {why}") from error
    try:
        yield url
    finally:
        os.close(line)


def _join(place: Place) -> tuple[str, int]:
    """Return where the emulator answers, and the descriptor that keeps it alive."""
    place.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _alone(place.folder / "emulator.lock"):
        line = _lifeline(place)
        if line is not None:
            if _answers(url := _read(place.address)):
                return url, line
            os.close(line)
            _wait_for_its_end(place)
        return _start(place)


@contextmanager
def _alone(path: Path) -> Generator[None, None, None]:
    """Let one command at a time look for the emulator and start it."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _lifeline(place: Place) -> int | None:
    try:
        return os.open(place.line, os.O_WRONLY | os.O_NONBLOCK)
    except OSError:  # no such pipe, or nobody reads it
        return None


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _answers(url: str) -> bool:
    parts = urlsplit(url)
    try:
        with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=1):
            return True
    except OSError:
        return False


def _wait_for_its_end(place: Place) -> None:
    """Wait for an emulator that is on its way out: it has the state file until it is gone."""
    until = time.monotonic() + _STOP_SECONDS
    while (line := _lifeline(place)) is not None:
        os.close(line)
        if time.monotonic() > until:
            raise EmulatorError(f"the emulator that uses {place.state} does not answer, and does not end")
        time.sleep(_LOOK_SECONDS)


def _start(place: Place) -> tuple[str, int]:
    place.line.unlink(missing_ok=True)
    os.mkfifo(place.line, 0o600)
    its_input = os.open(place.line, os.O_RDONLY | os.O_NONBLOCK)
    line = os.open(place.line, os.O_WRONLY)
    os.set_blocking(its_input, True)
    heard, its_output = os.pipe()
    try:
        _spawn(place, its_input, its_output)
        os.close(its_output)
        its_output = -1
        url = _announced(heard, place)
        place.address.write_text(url)
    except BaseException:
        os.close(line)
        raise
    finally:
        for descriptor in {its_input, its_output, heard} - {-1}:
            os.close(descriptor)
    return url, line


def _spawn(place: Place, its_input: int, its_output: int) -> None:
    """Start the emulator in a session of its own: Ctrl-C is for the command, and it may outlive the command."""
    log_flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    os.posix_spawn(
        sys.executable,
        [sys.executable, "-m", "qrt_async.emulator", "--until-stdin-closes", f"--state={place.state}"],
        environment.inherited({}),
        file_actions=[
            (os.POSIX_SPAWN_DUP2, its_input, 0),
            (os.POSIX_SPAWN_DUP2, its_output, 1),
            (os.POSIX_SPAWN_OPEN, 2, os.fspath(place.log), log_flags, 0o600),
        ],
        setsid=True,
    )


def _announced(heard: int, place: Place) -> str:
    """Return the address that the emulator's first line gives."""
    until = time.monotonic() + _START_SECONDS
    line = b""
    while not line.endswith(b"\n"):
        ready, _, _ = select.select([heard], [], [], max(0.0, until - time.monotonic()))
        piece = os.read(heard, 4096) if ready else b""
        if not piece:
            break
        line += piece
    word, _, url = line.decode().strip().partition(" ")
    if word != "LISTENING":
        why = _read(place.log).splitlines()[-1:] or ["it said nothing"]
        raise EmulatorError(f"the emulator did not start: {why[0]}")
    return url
