"""Schemathesis against a running emulator: `python -m tests.emulator.fuzzing [SECONDS]`.

Nothing it sends may be answered with a 5xx, a status that the contract does not name, another kind of content or a
body of another shape. Jobs, a session and a private job are there from the start, so that replies about them are met.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

STATEMENT = Path(__file__).parents[2] / "docs" / "contract" / "openapi.json"
CRN = "crn:v1:bluemix:public:quantum-computing:us-east:a/fuzz:11111111-2222-3333-4444-555555555555::"
HEADERS = {"Authorization": "apikey fuzz", "x-access-token": "fuzz", "Service-CRN": CRN}
PROGRAM = 'OPENQASM 3.0; include "stdgates.inc"; bit[1] c; x $0; c[0] = measure $0;'
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
DEFAULT_SECONDS = 300


def main() -> int:
    """Run for the seconds told by the first argument; give schemathesis' exit status."""
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT_SECONDS
    with running_emulator() as url, tempfile.TemporaryDirectory() as folder:
        statement = Path(folder) / "openapi.json"
        statement.write_text(json.dumps(with_examples(url)), encoding="utf-8")
        return subprocess.run(_command(statement, url, seconds), check=False, cwd=folder).returncode


@contextlib.contextmanager
def running_emulator() -> Iterator[str]:
    """Run an emulator as its own process, and give its URL."""
    command = [sys.executable, "-m", "qrt_async.emulator", "--port", "0", "--seed", "7", "--workers", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip().removeprefix("LISTENING ")
        finally:
            process.terminate()
            process.wait(timeout=20)


def with_examples(url: str) -> dict[str, Any]:
    """Give the statement with ids that exist as examples of its ids."""
    document: dict[str, Any] = json.loads(STATEMENT.read_text(encoding="utf-8"))
    job = {"program_id": "sampler", "backend": "ibm_fez", "params": {"pubs": [[PROGRAM]]}, "tags": ["fuzzing"]}
    placement = {"hub": "h", "group": "g", "project": "p"}
    cloud = [_send(url, "POST", "/api/v1/jobs", job | more)["id"] for more in ({}, {"private": True})]
    legacy = [_send(url, "POST", "/runtime/jobs", job | placement)["id"]]
    session = _send(url, "POST", "/api/v1/sessions", {"mode": "batch"})["id"]
    old_session = _send(url, "POST", "/runtime/sessions", {"backend": "ibm_fez", "instance": "h/g/p"})["id"]
    ids = {
        "/api/v1/jobs/": cloud,
        "/runtime/jobs/": legacy,
        "/api/v1/sessions/": [session],
        "/runtime/sessions/": [old_session],
        "/api/v1/accounts/": ["fuzz"],
        "/api/v1/backends/": ["ibm_fez"],
        "/runtime/backends/": ["ibm_fez"],
        "/v2/resource_instances/": [CRN],
    }
    for name in ("JobOrder", "LegacyJobOrder"):
        for variant in document["components"]["schemas"][name]["oneOf"]:
            variant["properties"]["backend"] = {"enum": ["ibm_fez", "ibm_hanoi"]}
    for path, methods in document["paths"].items():
        for start, values in ids.items():
            if path.startswith(start):
                for operation in methods.values():
                    _exemplify(operation, values)
    return document


def _exemplify(operation: dict[str, Any], values: list[str]) -> None:
    for parameter in operation["parameters"]:
        if parameter.get("in") == "path":
            parameter["examples"] = {value: {"value": value} for value in values}
            parameter["schema"] = {"anyOf": [{"enum": values}, parameter["schema"]]}


def _send(url: str, method: str, path: str, content: dict[str, Any]) -> dict[str, Any]:
    request = urllib.request.Request(
        url + path, json.dumps(content).encode(), HEADERS | {"Content-Type": "application/json"}, method=method
    )
    with urllib.request.urlopen(request) as reply:
        answer: dict[str, Any] = json.load(reply)
    return answer


def _command(statement: Path, url: str, seconds: int) -> list[str | os.PathLike[str]]:
    command: list[str | os.PathLike[str]] = [Path(sys.executable).with_name("schemathesis"), "run", statement]
    command += ["--url", url, "--checks", CHECKS, "--max-time", str(seconds), "--continue-on-failure"]
    command += ["--warnings", "off", "--suppress-health-check", "all", "--request-timeout", "20"]
    for name, value in HEADERS.items():
        command += ["--header", f"{name}: {value}"]
    return command


if __name__ == "__main__":
    sys.exit(main())
