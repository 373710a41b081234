"""The directions of the house: imports go down only, and importing loads nothing that is heavy or optional."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import qrt_async

PACKAGE = Path(qrt_async.__file__).parent

GROUND = {"models", "options", "errors", "clock", "secret", "hooks", "network", "threads"}
WIRE = GROUND | {"wire"}
ENGINE = WIRE | {
    "account",
    "platforms",
    "saved",
    "tokens",
    "transport",
    "discovery",
    "notices",
    "engine",
    "environment",
}
SUBMISSION = ENGINE | {"journal", "quota", "regardless", "submission"}
RETRIEVAL = SUBMISSION | {"watcher", "retrieval"}
JOBS = RETRIEVAL | {"listing", "pubs", "jobs"}

MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "secret": set(),
    "clock": set(),
    "environment": set(),
    "network": {"errors", "secret"},
    "hooks": set(),
    "otel": {"hooks", "errors"},
    "threads": set(),
    "options": {"errors"},
    "journal": GROUND | {"journal"},
    "quota": GROUND | {"journal"},
    "budget": GROUND | {"journal"},
    # a result's to_qiskit() hands it up to the bridge, which is loaded then
    "models": {"models", "errors", "secret", "threads", "qiskit_bridge"},
    "wire": WIRE,
    "qiskit_bridge": WIRE,
    "pubs": WIRE | {"qiskit_bridge"},
    "platforms": WIRE,
    "saved": {"errors", "secret"},
    "account": WIRE | {"notices", "platforms", "saved", "environment"},
    "discovery": WIRE | {"account"},
    "notices": set(),
    "listing": set(),
    "tokens": WIRE,
    "transport": WIRE | {"environment"},
    "engine": ENGINE - {"engine"},
    "regardless": set(),
    "submission": SUBMISSION - {"submission"},
    "watcher": ENGINE,
    "retrieval": RETRIEVAL - {"retrieval"},
    "jobs": JOBS - {"jobs"},
    "idle": JOBS,
    "resuming": JOBS | {"sessions"},
    "usage": ENGINE | {"listing"},
    "backends": ENGINE,
    "primitives": WIRE | {"pubs"},
    "sessions": JOBS | {"idle", "primitives", "usage"},
    "transpiler": ENGINE | {"backends", "qiskit_bridge", "regardless", "transpiler"},
    "bulk": JOBS | {"backends", "budget", "bulk", "primitives", "qiskit_bridge", "resuming", "sessions"},
    "client": JOBS | {"bulk", "backends", "primitives", "resuming", "sessions", "transpiler", "usage"},
    "__init__": JOBS | {"backends", "budget", "bulk", "resuming", "sessions", "usage", "client"},
    "emulator": {"emulator"},
    "cli": JOBS | {"__init__", "backends", "sessions", "usage", "client", "emulator", "cli"},
}

SANS_IO = {"asyncio", "socket", "ssl", "http", "urllib.request", "aiohttp", "time", "os", "subprocess", "threading"}


def modules() -> Iterator[tuple[str, Path]]:
    """Yield every module with the room that it belongs to."""
    for file in sorted(PACKAGE.rglob("*.py")):
        yield file.relative_to(PACKAGE).parts[0].removesuffix(".py"), file


def imported(file: Path) -> Iterator[str]:
    """Yield the full name of everything that a module imports, at its top or later."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def rooms_of(file: Path) -> Iterator[str]:
    """Yield the rooms of this package that a module imports from."""
    for name in imported(file):
        first, _, rest = name.partition(".")
        if first == "qrt_async":
            room = rest.split(".")[0]
            is_room = (PACKAGE / room).is_dir() or (PACKAGE / f"{room}.py").exists()
            if room and is_room:
                yield room
            elif room:
                yield "__init__"


@pytest.mark.parametrize(("room", "file"), [pytest.param(r, f, id=str(f.relative_to(PACKAGE))) for r, f in modules()])
def test_imports_go_down_only(room: str, file: Path) -> None:
    """A module imports only from the rooms below its own."""
    assert set(rooms_of(file)) - MAY_IMPORT[room] == set()


@pytest.mark.parametrize("file", [f for room, f in modules() if room in {"wire", "models"}], ids=lambda f: f.stem)
def test_the_wire_does_no_io(file: Path) -> None:
    """No module of the wire or the models imports what does I/O, tells the time or reads the environment."""
    assert set(imported(file)) & SANS_IO == set()


def test_only_the_transport_imports_aiohttp() -> None:
    """aiohttp's client has one importer, and its server none outside the emulator."""
    users = {
        str(f.relative_to(PACKAGE)) for room, f in modules() if room != "emulator" and "aiohttp" in set(imported(f))
    }

    assert users == {"transport.py"}


HEAVY = [
    "qiskit",
    "qiskit_aer",
    "qiskit_ibm_runtime",
    "numpy",
    "aiohttp.web",
    "rich",
    "cyclopts",
    "orjson",
    "sqlite3",
    "opentelemetry",
]


def test_importing_loads_nothing_heavy() -> None:
    """`import qrt_async` loads neither Qiskit, nor numpy, nor aiohttp's server, nor anything optional."""
    script = f"import sys, qrt_async; print([name for name in {HEAVY!r} if name in sys.modules])"
    printed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout

    assert printed.strip() == "[]"
