"""The file of saved accounts: what is read from it, and how it is changed."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from qrt_async import Account, InvalidAccount, SavedAccount
from qrt_async.saved import read_saved, remove_account, save_account
from qrt_async.secret import Secret

CRN = "crn:v1:bluemix:public:quantum-computing:eu-de:a/abc:def::"
OLD = {"channel": "ibm_quantum", "token": "old", "url": "https://auth.quantum-computing.ibm.com/api", "unheard": [1]}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with an account of the platform that is gone, readable by all as the official client leaves it."""
    found = tmp_path / "accounts.json"
    found.write_text(json.dumps({"old": OLD}))
    found.chmod(0o644)
    return found


def account(**fields: Any) -> SavedAccount:
    """Return an account to be saved."""
    return SavedAccount(token=Secret("key"), **fields)


def test_other_entries_stay_as_they_are(path: Path) -> None:
    """Saving and removing leave alone what is not meant, even what nobody here understands."""
    save_account(path, "new", account())
    remove_account(path, "new")

    assert json.loads(path.read_text()) == {"old": OLD}


def test_the_file_is_for_its_owner_alone(path: Path, tmp_path: Path) -> None:
    """A file that is changed or made, and a folder that is made, are closed to others, and nothing else is left."""
    save_account(path, "new", account())
    save_account(tmp_path / "folder" / "made.json", "new", account())

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "folder").stat().st_mode) == 0o700
    assert sorted(file.name for file in tmp_path.rglob("*.json*")) == ["accounts.json", "made.json"]


def test_a_link_stays_a_link(path: Path, tmp_path: Path) -> None:
    """Whoever keeps the file elsewhere and links to it finds the account there."""
    link = tmp_path / "link.json"
    link.symlink_to(path)
    save_account(link, "new", account())

    assert link.is_symlink()
    assert list(read_saved(path)) == ["new"]


def test_a_failed_write_changes_nothing(path: Path) -> None:
    """Where the folder cannot be written to, the error says so and the old file is whole."""
    blocked = path / "below-a-file.json"
    with pytest.raises(InvalidAccount, match="cannot be"):
        save_account(blocked, "new", account())

    assert json.loads(path.read_text()) == {"old": OLD}


def test_there_is_one_default(path: Path) -> None:
    """The mark of the default moves to the account that is saved with it."""
    save_account(path, "first", account(default=True))
    save_account(path, "second", account(default=True))

    assert [name for name, one in read_saved(path).items() if one.default] == ["second"]


def test_a_taken_name_is_refused(path: Path) -> None:
    """Even the name of an account that is not shown is not overwritten unasked."""
    with pytest.raises(InvalidAccount, match="already"):
        save_account(path, "old", account())
    save_account(path, "old", account(), overwrite=True)

    assert list(read_saved(path)) == ["old"]


@pytest.mark.parametrize("fields", [{"channel": "ibm_quantum"}, {"region": "mars"}])
def test_what_the_official_client_would_refuse_is_not_saved(path: Path, fields: dict[str, str]) -> None:
    """A channel or region that the official client does not take is refused before the file is touched."""
    with pytest.raises(InvalidAccount, match=next(iter(fields.values()))):
        save_account(path, "new", account(**fields))


@pytest.mark.parametrize("text", ["", "{", "[]", "\x00"])
def test_a_file_that_is_something_else_is_left_alone(path: Path, text: str) -> None:
    """What holds no accounts is neither read nor overwritten."""
    path.write_text(text)
    with pytest.raises(InvalidAccount):
        save_account(path, "new", account())

    assert path.read_text() == text


def test_an_account_saves_itself(path: Path) -> None:
    """`Account.save` and `Account.from_saved` are each other's inverse, and `remove_saved` takes it out again."""
    made = Account.ibm_quantum("key", CRN)
    made.save("mine", path=path, default=True)

    assert Account.from_saved("mine", path=path) == made
    assert Account.saved(path)["mine"].default
    Account.remove_saved("mine", path=path)
    with pytest.raises(InvalidAccount, match="mine"):
        Account.from_saved("mine", path=path)


def test_an_account_that_the_file_cannot_hold_is_refused(path: Path) -> None:
    """The file knows neither the legacy platform nor hosts of one's own."""
    for made in (Account.legacy("t", "h/g/p"), Account.ibm_quantum("k", CRN, api_url="http://127.0.0.1:1")):
        with pytest.raises(InvalidAccount, match="can be saved"):
            made.save(path=path)


@pytest.mark.parametrize(
    ("fields", "api", "auth"),
    [
        ({"instance": CRN}, "https://eu-de.quantum.cloud.ibm.com/api/v1", "https://iam.cloud.ibm.com"),
        ({}, "https://quantum.cloud.ibm.com/api/v1", "https://iam.cloud.ibm.com"),
        ({"instance": "auto"}, "https://quantum.cloud.ibm.com/api/v1", "https://iam.cloud.ibm.com"),
        (
            {"instance": CRN, "private_endpoint": True},
            "https://private.eu-de.quantum.cloud.ibm.com/api/v1",
            "https://private.iam.cloud.ibm.com",
        ),
        (
            {"instance": CRN.replace("bluemix", "staging"), "url": "https://test.cloud.ibm.com"},
            "https://eu-de.quantum.test.cloud.ibm.com/api/v1",
            "https://iam.test.cloud.ibm.com",
        ),
    ],
)
def test_hosts_follow_what_is_saved(path: Path, fields: dict[str, Any], api: str, auth: str) -> None:
    """Region, private network and another IBM Cloud pick the hosts as they do for the official client."""
    save_account(path, "mine", account(**fields))
    found = Account.from_saved(path=path)

    assert (found.hosts.api, found.hosts.auth) == (api, auth)
    found.save("again", path=path)
    assert Account.from_saved("again", path=path) == found


def test_a_found_instance_keeps_the_cloud(path: Path) -> None:
    """The instance that was found for an account is looked for where the account's cloud has it."""
    save_account(path, "mine", account(url="https://test.cloud.ibm.com", private_endpoint=True))
    found = Account.from_saved(path=path).at(CRN)

    assert found.hosts.api == "https://private.eu-de.quantum.test.cloud.ibm.com/api/v1"


@pytest.mark.parametrize("url", ["http://cloud.ibm.com", "cloud.ibm.com", "https://"])
def test_a_strange_cloud_is_refused(path: Path, url: str) -> None:
    """A saved url that is no https address is refused, and nothing is sent there."""
    save_account(path, "mine", account(url=url))
    with pytest.raises(InvalidAccount, match="url"):
        Account.from_saved(path=path)
