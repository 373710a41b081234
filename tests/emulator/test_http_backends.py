"""The routes of backends and versions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.emulator.service import Bench, Service


async def test_legacy_lists_names(legacy: Service) -> None:
    """LEGACY lists the names of its devices."""
    answer = await legacy.get("/backends")

    assert answer.json == {"devices": ["ibm_hanoi", "ibm_fez"]}


@pytest.mark.parametrize("version", ["", "2024-01-01"])
async def test_oldest_version_lists_names(cloud: Service, version: str) -> None:
    """Without a version, as with the oldest one, IBM_QUANTUM lists names."""
    answer = await cloud.get("/backends", headers={"IBM-API-Version": version})

    assert answer.json == {"devices": ["ibm_hanoi", "ibm_fez"]}


@pytest.mark.parametrize("version", ["2025-01-01", "2025-05-01", "2026-02-15", "2026-03-15", "2026-04-15"])
async def test_later_versions_list_objects(cloud: Service, version: str) -> None:
    """From 2025-01-01 on IBM_QUANTUM lists objects with the device's size, queue and errors."""
    answer = await cloud.get("/backends", headers={"IBM-API-Version": version})

    hanoi, fez = answer.json["devices"]
    assert (hanoi["name"], hanoi["qubits"], hanoi["queue_length"]) == ("ibm_hanoi", 27, 0)
    assert hanoi["status"] == {"name": "online"}
    assert fez["processor_type"] == {"family": "Heron", "revision": "2"}
    assert fez["clops"] == {"type": "hardware", "value": 195000}
    assert fez["performance_metrics"]["two_q_error_best"]["gate"] == "cz"
    assert 0 < fez["performance_metrics"]["readout_error_median"]["value"] < 0.1
    assert "wait_time_seconds" not in fez


async def test_wait_time_on_demand(cloud: Service) -> None:
    """`fields=wait_time_seconds` adds that property."""
    answer = await cloud.get("/backends?fields=wait_time_seconds")

    assert set(answer.json["devices"][0]["wait_time_seconds"]) == {"average", "p50", "p95"}


@pytest.mark.parametrize("version", ["2026-04-16", "2026-4-15", "latest"])
async def test_unknown_version_is_refused(cloud: Service, version: str) -> None:
    """A version that never was gets 400, and the message names neither header nor value."""
    answer = await cloud.get("/backends", headers={"IBM-API-Version": version})

    assert answer.status == 400
    assert version not in answer.message


async def test_versions_need_no_credential(bench: Bench) -> None:
    """`GET /versions` answers anybody: seven versions, one of them live."""
    answer = await bench.bare.get("/api/v1/versions")

    rows = answer.json["versions"]
    assert len(rows) == 7
    assert [row["version"] for row in rows if row["status"] == "live"] == ["2026-04-15"]
    assert {"version": "2026-03-15", "status": "deprecated", "sunset_date": "2027-03-15"} in rows


async def test_status_counts_the_queue(service: Service) -> None:
    """A backend's status tells how many jobs are queued or running on it."""
    await service.submit(backend="ibm_fez")
    await service.submit(backend="ibm_fez")

    answer = await service.get("/backends/ibm_fez/status")

    assert answer.json == {
        "state": True,
        "status": "active",
        "message": "",
        "length_queue": 2,
        "backend_version": "1.2.8",
    }
    assert (await service.get("/backends/ibm_hanoi/status")).json["length_queue"] == 0


async def test_configuration(service: Service) -> None:
    """A backend's configuration has its name, basis gates and a coupling map in both directions."""
    configuration = (await service.get("/backends/ibm_fez/configuration")).json

    pairs = {tuple(pair) for pair in configuration["coupling_map"]}
    assert configuration["backend_name"] == "ibm_fez"
    assert configuration["n_qubits"] == 156
    assert "cz" in configuration["basis_gates"]
    assert pairs == {(second, first) for first, second in pairs}


async def test_properties(service: Service) -> None:
    """A backend's properties describe every qubit and every gate."""
    properties = (await service.get("/backends/ibm_hanoi/properties?updated_before=2020-01-01")).json

    assert properties["backend_name"] == "ibm_hanoi"
    assert len(properties["qubits"]) == 27
    assert {"gate", "qubits", "parameters"} <= set(properties["gates"][0])


async def test_defaults_are_null(service: Service) -> None:
    """A backend's defaults are the literal null, with 200."""
    answer = await service.get("/backends/ibm_hanoi/defaults")

    assert (answer.status, answer.body) == (200, b"null")


@pytest.mark.parametrize("leaf", ["status", "configuration", "properties", "defaults"])
async def test_unknown_backend(service: Service, leaf: str) -> None:
    """Whatever is asked of an unknown backend gets 404 and code 1216."""
    answer = await service.get(f"/backends/ibm_nowhere/{leaf}")

    assert (answer.status, answer.code) == (404, 1216)


@pytest.mark.parametrize("leaf", ["status", "configuration", "properties", "defaults"])
async def test_backends_need_a_credential(bench: Bench, leaf: str) -> None:
    """Nothing of a backend is told to a stranger."""
    for prefix in ("/runtime", "/api/v1"):
        assert (await bench.bare.get(f"{prefix}/backends/ibm_hanoi/{leaf}")).status == 401
