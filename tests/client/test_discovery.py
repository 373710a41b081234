"""Finding the instance that a saved account does not name."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from qrt_async import Account, Client, InvalidAccount, ServiceWarning, UsageError
from tests.client.scripted import KEY, Service, reply

EU = "crn:v1:bluemix:public:quantum-computing:eu-de:a/abc:eu::"
US = "crn:v1:bluemix:public:quantum-computing:us-east:a/abc:us::"
PAID = "crn:v1:bluemix:public:quantum-computing:us-east:a/abc:paid::"


def item(crn: str, plan: str, name: str, *tags: str, usable: bool = True) -> dict[str, Any]:
    """Return an instance as IBM Cloud's search gives it."""
    doc = {"extensions": {"x": 1}} if usable else {}
    return {"crn": crn, "service_plan_unique_id": plan, "name": name, "doc": doc, "tags": list(tags)}


@pytest.fixture(autouse=True)
def cloud(service: Service) -> None:
    """Script IBM Cloud's search and catalogue, and an API that lists nothing."""
    first = {"items": [item(EU, "p-free", "in-europe", "team"), item("crn:x", "p", "no use", usable=False)]}
    second = {"items": [item(PAID, "p-paid", "paid"), item(US, "p-free", "open")]}
    service.on("POST /v3/resources/search", reply(body=first | {"search_cursor": "c"}), reply(body=second))
    entry = {"overview_ui": {"en": {"display_name": "Open"}}, "metadata": {"pricing": {"type": "Free"}}}
    service.on("GET /api/v1/p-free", reply(body=entry))
    service.on("GET /api/v1/p-paid", reply(403))
    service.on("GET /api/v1/backends", reply(body={"devices": ["b"]}))


def saved(tmp_path: Path, **accounts: dict[str, Any]) -> Path:
    """Write accounts as the official client does."""
    path = tmp_path / "qiskit-ibm.json"
    base = {"channel": "ibm_quantum_platform", "token": KEY, "url": "https://cloud.ibm.com"}
    path.write_text(json.dumps({name: base | entry for name, entry in accounts.items()}))
    return path


def account(path: Path, service: Service, name: str | None = None) -> Account:
    """Return the saved account, its hosts replaced by the scripted service."""
    return Account.from_saved(
        name,
        path=path,
        api_url=f"{service.url}/api/v1",
        iam_url=service.url,
        search_url=service.url,
        catalog_url=service.url,
    )


async def made(service: Service, tmp_path: Path, entry: dict[str, Any]) -> Account:
    """Return the only account of a file, written and read outside the loop."""
    return await asyncio.to_thread(lambda: account(saved(tmp_path, mine=entry), service))


async def test_an_account_with_an_instance_asks_nobody(service: Service, tmp_path: Path) -> None:
    """Discovery happens only where it is needed."""
    async with Client(await made(service, tmp_path, {"instance": US})) as client:
        await client.backends.list()

    assert service.asked("POST /v3/resources/search") == []
    assert service.asked("GET /api/v1/backends")[0].headers["Service-CRN"] == US


@pytest.mark.parametrize(
    ("entry", "crn"),
    [
        ({}, EU),
        ({"region": "us-east"}, US),
        ({"tags": ["team"]}, EU),
        ({"plans_preference": ["premium"], "region": "us-east"}, US),
        ({"plans_preference": ["open"], "region": "us-east"}, US),
        ({"instance": "paid", "plans_preference": ["open"], "region": "eu-de"}, PAID),
    ],
)
async def test_a_missing_instance_is_found_once_and_named(
    service: Service, tmp_path: Path, entry: dict[str, Any], crn: str
) -> None:
    """Fifty first calls at once search once, take what the preferences say, and warn of what was taken."""
    found = await made(service, tmp_path, entry)
    with pytest.warns(ServiceWarning, match=crn):
        async with Client(found) as client:
            await asyncio.gather(*(client.backends.list() for _ in range(50)))

    assert {one.headers["Service-CRN"] for one in service.asked("GET /api/v1/backends")} == {crn}
    searched = service.asked("POST /v3/resources/search")
    assert [one.json.get("search_cursor") for one in searched] == [None, "c"]
    assert all("Service-CRN" not in one.headers for one in searched)


async def test_no_fitting_instance_is_an_error(service: Service, tmp_path: Path) -> None:
    """The error lists the instances that the key can use."""
    async with Client(await made(service, tmp_path, {"tags": ["nobody"]})) as client:
        with pytest.raises(InvalidAccount, match="in-europe, paid, open"):
            await client.backends.list()

    assert service.asked("GET /api/v1/backends") == []


async def test_the_instances_of_a_key_are_listed(service: Service) -> None:
    """Each has its CRN, its plan where the catalogue tells it, and its tags; those without allocation are left out."""
    async with Client(service.account()) as client:
        offers = await client.instances()
    async with Client(service.legacy_account()) as client:
        with pytest.raises(UsageError):
            await client.instances()

    assert [(one.crn, one.plan, one.pricing, one.tags) for one in offers] == [
        (EU, "open", "free", ("team",)),
        (PAID, None, None, ()),
        (US, "open", "free", ()),
    ]


def test_the_region_of_the_found_instance_picks_the_host(tmp_path: Path) -> None:
    """IBM's own host becomes that of the region; a host of one's own stays."""
    path = saved(tmp_path, mine={})

    assert Account.from_saved(path=path).at(EU).hosts.api == "https://eu-de.quantum.cloud.ibm.com/api/v1"
    assert Account.from_saved(path=path, api_url="https://x/y").at(EU).hosts.api == "https://x/y"


def test_the_account_is_chosen_as_the_official_client_does(tmp_path: Path) -> None:
    """The name asked for, else the one marked, else a default one, else the first; those of the dead platform never."""
    dead = {"channel": "ibm_quantum", "instance": "h/g/p"}
    plain, named = {"instance": US}, {"instance": PAID}
    path = saved(tmp_path, old=dead, a=plain, **{"default-ibm-quantum-platform": named})

    assert Account.from_saved("a", path=path).instance == US
    assert Account.from_saved(path=path).instance == PAID
    path = saved(tmp_path, a=plain, b={"instance": EU, "is_default_account": True}, **{"default-ibm-cloud": named})
    assert Account.from_saved(path=path).instance == EU
    assert Account.from_saved(path=saved(tmp_path, old=dead, a=plain)).instance == US


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": {"channel": "ibm_cloud"}}', '{"a": 5}', "{}"])
def test_a_file_that_holds_no_account_says_so(tmp_path: Path, text: str) -> None:
    """A missing, broken or empty file is an error of ours, without the key in it."""
    path = tmp_path / "qiskit-ibm.json"
    path.write_text(text)

    with pytest.raises(InvalidAccount):
        Account.from_saved(path=path)
    with pytest.raises(InvalidAccount, match="no accounts are saved"):
        Account.from_saved(path=tmp_path / "nowhere.json")
    with pytest.raises(InvalidAccount, match="'zzz'"):
        Account.from_saved("zzz", path=saved(tmp_path, a={"instance": US}))


@pytest.mark.parametrize("version", ["", "2026", "yesterday", "2026-04-15\r\n"])
def test_a_version_is_a_date(version: str) -> None:
    """A version that is no date is refused before it becomes a header."""
    with pytest.raises(InvalidAccount, match="api_version"):
        Account.ibm_quantum("k", US, api_version=version)
