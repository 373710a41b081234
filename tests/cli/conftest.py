"""The installed command, with an account at an emulator, a home of its own and a terminal of 80 columns."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs
import jsonschema
import pytest

from tests.conftest import running_emulator

QRT = Path(sys.executable).with_name("qrt")
SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "contract" / "cli.json").read_text())
COLUMNS = 80

FLIP = 'OPENQASM 3.0; include "stdgates.inc"; bit[1] c; x $0; c[0] = measure $0;'
WRONG = 'OPENQASM 3.0; include "stdgates.inc"; bit[1] c; h $0; c[0] = measure $0;'
LONG = (
    'OPENQASM 3.0; include "stdgates.inc"; bit[1] c; for int i in [0:1] '
    "{ sx $0; c[0] = measure $0; if (c[0]) { x $0; } } c[0] = measure $0;"
)
LONG_SHOTS = "9000000"


def crn(name: str) -> str:
    """Return an instance that no other test knows."""
    return f"crn:v1:bluemix:public:quantum-computing:us-east:a/cli:{name}::"


@attrs.frozen
class Done:
    """How a command ended, and what it said."""

    status: int
    out: str
    err: str

    def document(self, command: str) -> Any:
        """Return the answer as JSON, held against the documented schema of a command."""
        assert (self.status, self.err.count("Traceback")) == (0, 0), self.err
        [line] = self.out.splitlines()
        return valid(command, line)


def valid(command: str, line: str) -> Any:
    """Return one JSON document, held against the documented schema of a command."""
    found = json.loads(line)
    jsonschema.validate(found, {"$ref": f"#/$defs/{command}", "$defs": SCHEMA["$defs"]})
    return found


@attrs.frozen
class Qrt:
    """Runs the command, each time as a process of its own."""

    environment: Mapping[str, str]
    folder: Path

    def __call__(self, *arguments: str, given: str = "", **more: str) -> Done:
        """Run a command to its end; no line of what it says is longer than the terminal is wide."""
        ended = subprocess.run(
            [QRT, *arguments],
            input=given,
            env={**self.environment, **more},
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        done = Done(ended.returncode, ended.stdout, ended.stderr)
        if "--json" not in arguments and "--debug" not in arguments:
            assert [line for line in (done.out + done.err).splitlines() if len(line) > COLUMNS] == []
        return done

    def start(self, *arguments: str, **more: str) -> subprocess.Popen[str]:
        """Start a command whose streams are pipes."""
        return subprocess.Popen(
            [QRT, *arguments],
            env={**self.environment, **more},
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def write(self, name: str, program: str) -> str:
        """Write a file into the folder where the commands run, and return its name."""
        (self.folder / name).write_text(program)
        return name

    def submit(self, *arguments: str, program: str = FLIP, backend: str = "ibm_fez") -> str:
        """Submit a job that needs no transpiling, and return its id."""
        done = self("run", "-", "--no-transpile", f"--backend={backend}", "--no-wait", *arguments, given=program)
        assert done.status == 0, done.err
        return done.out.strip()


@pytest.fixture(scope="session")
def cli_url() -> Iterator[str]:
    """The URL of the emulator that all commands of this folder's tests speak to."""
    with running_emulator("--seed", "5", "--noiseless", "--backends", "ibm_fez,ibm_hanoi", "--workers", "1") as url:
        yield url


@pytest.fixture
def qrt(cli_url: str, tmp_path: Path, request: pytest.FixtureRequest) -> Qrt:
    """The command, with an instance of the test's own."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL") if name in os.environ}
    environment = kept | {
        "HOME": str(tmp_path / "home"),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "COLUMNS": str(COLUMNS),
        "QISKIT_IBM_TOKEN": "cli-key",
        "QISKIT_IBM_INSTANCE": crn(request.node.name.replace("[", "-").replace("]", "")),
        "QRT_API_URL": f"{cli_url}/api/v1",
        "QRT_AUTH_URL": cli_url,
    }
    (tmp_path / "home").mkdir()
    return Qrt(environment, tmp_path)
