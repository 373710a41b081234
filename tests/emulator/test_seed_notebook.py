"""The seed notebook's own requests, cell by cell, with only its three hosts replaced."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
import requests

from qrt_async.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

QASM = """
OPENQASM 3;
include "stdgates.inc";
qreg q[2];
creg c[2];
x q[0];
c[0] = measure q[0];
c[1] = measure q[1];
"""
TOKEN = "an API token"
BACKEND = "ibm_hanoi"
INSTANCE = {"hub": "ibm-q-internal", "group": "dev-sys-software", "project": "internal-test"}


@pytest.fixture
async def hosts() -> AsyncIterator[dict[str, str]]:
    """Run an emulator and give the notebook's three hosts, all at its one address."""
    async with Emulator(seed=11) as emulator:
        url = emulator.url
        yield {"auth": f"{url}/api", "api": f"{url}/runtime", "transpiler": url}


async def test_notebook(hosts: dict[str, str]) -> None:
    """Every cell shows what the notebook shows."""
    await asyncio.to_thread(run_notebook, hosts)


def run_notebook(hosts: dict[str, str]) -> None:
    """Run the cells in their order."""
    token = log_in(hosts)
    list_backends(hosts, token)
    program = transpile(hosts)
    single_job(hosts, token, program)
    session_id = open_session(hosts, token)
    sampler_in_session(hosts, token, program, session_id)
    estimator_in_session(hosts, token, program, session_id)
    close_session(hosts, token, session_id)
    log_out(hosts, token)


def log_in(hosts: dict[str, str]) -> str:
    """Exchange the API token for an access token."""
    response = requests.post(f"{hosts['auth']}/users/loginWithToken", json={"apiToken": TOKEN})
    token: str = response.json()["id"]
    return token


def list_backends(hosts: dict[str, str], token: str) -> None:
    """List the devices' names."""
    headers = {"Content-Type": "application/json", "x-access-token": token}
    devices = requests.get(f"{hosts['api']}/backends", headers=headers).json()["devices"]

    assert BACKEND in devices
    assert "ibm_sherbrooke" in devices
    assert all(isinstance(name, str) for name in devices)


def transpile(hosts: dict[str, str]) -> str:
    """Have the program transpiled, and give what came back."""
    headers = {
        "accept": "application/json",
        "Authorization": f"Bearer {TOKEN}",
        "Content-Type": "application/json",
    }
    query: dict[str, Any] = {"backend": BACKEND, "optimization_level": 1, "use_ai": False}
    response = requests.post(
        f"{hosts['transpiler']}/transpile", headers=headers, json={"qasm_circuits": QASM}, params=query
    )
    task_id = response.json()["task_id"]

    def look() -> Any:
        return requests.get(url=f"{hosts['transpiler']}/transpile/{task_id}", headers=headers).json()

    while (task := look())["state"] in ("PENDING", "STARTED"):
        pass
    [item] = task["result"]
    assert task["state"] == "SUCCESS"
    assert item["layout"]["initial"] == list(range(27))
    assert item["layout"]["final"] == [0, 1]
    assert "x $0;" in item["qasm"]
    assert "c[1] = measure $1;" in item["qasm"]
    assert "\n" not in item["qasm"]
    program: str = item["qasm"]
    return program


def runtime_headers(token: str) -> dict[str, str]:
    """Give the headers of the notebook's job cells."""
    return {
        "Content-Type": "application/json",
        "x-access-token": token,
        "x-qx-client-application": "qiskit-version-2/0.39.2/your_application",
    }


def submit(hosts: dict[str, str], token: str, body: dict[str, Any]) -> Any:
    """Submit a job and give the reply."""
    response = requests.post(
        f"{hosts['api']}/jobs", headers=runtime_headers(token), json={"backend": BACKEND, **INSTANCE, **body}
    )
    assert response.status_code == 200, response.text
    return response.json()


def finished(hosts: dict[str, str], token: str, job_id: str) -> Any:
    """Look at a job until it is over, and give its results."""
    url, headers = f"{hosts['api']}/jobs/{job_id}", runtime_headers(token)
    while (state := requests.get(url, headers=headers).json()["state"])["status"] in ("Queued", "Running"):
        assert state == {"status": state["status"], "reason": "", "reasonCode": None}
    assert state == {"status": "Completed", "reason": "", "reasonCode": None}
    return requests.get(f"{url}/results", headers=headers).json()


def single_job(hosts: dict[str, str], token: str, program: str) -> None:
    """Run the job of two PUBs, the second with 500 shots."""
    created = submit(
        hosts,
        token,
        {
            "program_id": "sampler",
            "start_session": "False",
            "params": {"pubs": [[program], [program, None, 500]], "version": 2},
        },
    )
    results = finished(hosts, token, created["id"])["results"]
    counts = Counter(int(sample, base=16) for sample in results[1]["data"]["c"]["samples"])

    assert set(created) == {"id", "backend"}
    assert len(results[0]["data"]["c"]["samples"]) == 4096
    assert counts.total() == 500
    assert counts[1] > 450


def open_session(hosts: dict[str, str], token: str) -> str:
    """Open a session; its body is sent as the notebook does, as text."""
    body = json.dumps({"backend": BACKEND, "instance": "/".join(INSTANCE.values())})
    headers = {"Accept": "application/json", "x-access-token": token, "Content-Type": "application/json"}
    created = requests.request("POST", f"{hosts['api']}/sessions", data=body, headers=headers).json()

    assert set(created) == {"id"}
    session_id: str = created["id"]
    return session_id


def sampler_in_session(hosts: dict[str, str], token: str, program: str, session_id: str) -> None:
    """Run the sampler job of the session, with its options."""
    created = submit(
        hosts,
        token,
        {
            "program_id": "sampler",
            "session_id": session_id,
            "params": {
                "pubs": [[program], [program, None, 100]],
                "version": 2,
                "options": {
                    "transpilation": {"optimization_level": 1},
                    "twirling": {"enable_gates": True, "enable_measure": True},
                },
            },
        },
    )
    results = finished(hosts, token, created["id"])["results"]

    assert created == {"id": created["id"], "backend": BACKEND, "session_id": session_id}
    assert len(results[1]["data"]["c"]["samples"]) == 100


def estimator_in_session(hosts: dict[str, str], token: str, program: str, session_id: str) -> None:
    """Run the estimator job of the session: 1 - 2.3 is what an ideal device gives."""
    created = submit(
        hosts,
        token,
        {
            "program_id": "estimator",
            "session_id": session_id,
            "params": {
                "pubs": [[program, {"II": 1, "ZZ": 2.3}, None, 0.01]],
                "version": 2,
                "options": {
                    "transpilation": {"optimization_level": 1},
                    "resilience": {"measure_mitigation": True},
                    "twirling": {"enable_gates": True},
                    "dynamical_decoupling": {"enable": False},
                },
            },
        },
    )
    [result] = finished(hosts, token, created["id"])["results"]

    assert result["data"]["evs"] == pytest.approx(-1.3, abs=0.1)
    assert 0 < result["data"]["stds"] < 0.1
    assert result["metadata"]["shots"] == 10016
    assert result["metadata"]["target_precision"] == 0.01


def close_session(hosts: dict[str, str], token: str, session_id: str) -> None:
    """Close the session; the reply has no text."""
    response = requests.request(
        "DELETE",
        f"{hosts['api']}/sessions/{session_id}/close",
        headers={"Accept": "application/json", "x-access-token": token},
    )

    assert (response.ok, response.text) == (True, "")


def log_out(hosts: dict[str, str], token: str) -> None:
    """Log out twice: the second time the token is no longer good."""
    url, headers = f"{hosts['auth']}/users/logout", {"x-access-token": token}
    first, second = requests.post(url, headers=headers), requests.post(url, headers=headers)

    assert (first.status_code, first.text) == (200, "")
    assert second.status_code == 401
