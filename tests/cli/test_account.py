"""`qrt account`: a file that this command and IBM's own client both read and write."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from qiskit_ibm_runtime import QiskitRuntimeService

from qrt_async import Account, SavedAccount, SavedProxies, ServiceWarning
from qrt_async.saved import save_account
from qrt_async.secret import Secret
from tests.cli.conftest import Qrt, crn

pytestmark = pytest.mark.timeout(180)  # dozens of processes, on machines that have others to run

EU = crn("eu").replace("us-east", "eu-de")
FULL: dict[str, Any] = {
    "region": "eu-de",
    "plans_preference": ["open", "premium"],
    "tags": ["team"],
    "private_endpoint": True,
}


def file_of(qrt: Qrt) -> Path:
    """Return where accounts are kept by default."""
    return Path(qrt.environment["HOME"]) / ".qiskit" / "qiskit-ibm.json"


def test_the_official_client_reads_what_was_saved(qrt: Qrt) -> None:
    """An account saved with every option is to IBM's client the same as one that it saved itself."""
    preferences = ("--region=eu-de", "--plan=open", "--plan=premium", "--tag=team")
    options = (f"--instance={EU}", *preferences, "--private-endpoint", "--default", "--key-env=KEY", "--json")
    saved = qrt("account", "save", "--name=mine", *options, KEY="key-q7q")
    theirs = qrt.folder / "theirs.json"
    QiskitRuntimeService.save_account(
        token="key-q7q", instance=EU, name="mine", filename=str(theirs), set_as_default=True, **FULL
    )

    assert saved.document("account save")["account"]["instance"] == EU
    assert "q7q" not in saved.out
    assert json.loads(file_of(qrt).read_text()) == json.loads(theirs.read_text())
    assert file_of(qrt).read_text() == theirs.read_text()
    assert stat.S_IMODE(file_of(qrt).stat().st_mode) == 0o600
    assert os.listdir(file_of(qrt).parent) == ["qiskit-ibm.json"]
    read = QiskitRuntimeService.saved_accounts(filename=str(file_of(qrt)))["mine"]
    assert (read["token"], read["instance"], read["plans_preference"]) == ("key-q7q", EU, ["open", "premium"])


def test_every_format_of_the_official_client_is_read(qrt: Qrt) -> None:
    """What IBM's client writes comes back field for field, and from here to IBM's client again."""
    path, again = qrt.folder / "theirs.json", qrt.folder / "ours.json"
    proxies = {"urls": {"https": "http://u:p@proxy:1"}, "username_ntlm": "u", "password_ntlm": "p"}
    common = {"token": "key-q7q", "filename": str(path)}
    QiskitRuntimeService.save_account(**common)
    QiskitRuntimeService.save_account(**common, channel="ibm_cloud", instance="my instance")
    QiskitRuntimeService.save_account(**common, name="full", instance=EU, proxies=proxies, verify=False, **FULL)
    QiskitRuntimeService.save_account(**common, name="test", url="https://test.cloud.ibm.com", set_as_default=True)

    accounts = Account.saved(path)
    for name, account in accounts.items():
        save_account(again, name, account)
    assert json.loads(again.read_text()) == json.loads(path.read_text())
    assert accounts["default-ibm-cloud"].instance == "my instance"
    assert accounts["full"].proxies == SavedProxies(
        urls={"https": "http://u:p@proxy:1"}, username_ntlm="u", password_ntlm=Secret("p")
    )
    assert "p@proxy" not in repr(accounts)
    assert [name for name, account in accounts.items() if account.default] == ["test"]
    listed = qrt("account", "list", f"--file={path}", "--json")
    assert [one["name"] for one in listed.document("account list")["accounts"]] == sorted(accounts)
    assert "chmod 600" in " ".join(listed.err.split())
    assert "q7q" not in qrt("account", "list", f"--file={path}").out


def test_a_saved_account_is_used(qrt: Qrt) -> None:
    """The account that is named is taken, though the environment has another one, and finds the instance itself."""
    done = qrt("account", "save", "--name=good", "--key-stdin", given="good-key\n")
    environment = {"QISKIT_IBM_TOKEN": "bad-key", "GLOBAL_SEARCH_URL": qrt.environment["QRT_AUTH_URL"]}
    environment |= {"GLOBAL_CATALOG_URL": qrt.environment["QRT_AUTH_URL"]}
    used = qrt("backends", "--account=good", **environment)

    assert (done.status, used.status) == (0, 0)
    assert "the account names no instance" in used.err
    assert qrt("backends", **environment).status == 1


def test_removing(qrt: Qrt) -> None:
    """A removed account is gone, the others stay."""
    for name in ("one", "two"):
        assert qrt("account", "save", f"--name={name}", "--key-stdin", given="key\n").status == 0

    assert qrt("account", "remove", "one", "--json").document("account remove")["removed"] == "one"
    assert list(json.loads(file_of(qrt).read_text())) == ["two"]
    unknown = qrt("account", "remove", "one")
    assert (unknown.status, "there are: two" in unknown.err) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "given", "words"),
    [
        (["save"], "", "--key-stdin"),
        (["save", "key-q7q"], "", "Unused"),
        (["save", "--token=key-q7q"], "", "--token"),
        (["save", "--key-stdin"], "\n", "no API key"),
        (["save", "--key-env=NOT_SET"], "", "NOT_SET"),
        (["save", "--key-stdin", "--key-env=HOME"], "key\n", "--key-env"),
        (["save", "--key-stdin", "--instance=crn:x"], "key\n", "CRN"),
        (["save", "--key-stdin", "--region=mars"], "key\n", "eu-de"),
        (["save", "--key-stdin", "--channel=ibm_quantum"], "key\n", "ibm_cloud"),
        (["list", "--file=."], "", "cannot be read"),
    ],
)
def test_bad_input(qrt: Qrt, arguments: list[str], given: str, words: str) -> None:
    """A mistake is status 2 with a message that names it, and nothing is saved."""
    done = qrt("account", *arguments, given=given)

    assert (done.status, done.out, "Traceback" in done.err) == (2, "", False)
    assert words in done.err
    assert not file_of(qrt).exists()


def test_nothing_is_overwritten_unasked(qrt: Qrt) -> None:
    """A name that is taken is refused, and taken over with --overwrite."""
    save = ("account", "save", "--name=mine", "--key-stdin")
    assert qrt(*save, given="first\n").status == 0

    assert qrt(*save, given="second\n").status == 2
    assert "first" in file_of(qrt).read_text()
    assert qrt(*save, "--overwrite", given="second\n").status == 0
    assert json.loads(file_of(qrt).read_text())["mine"]["token"] == "second"


def test_what_is_not_followed_is_said(tmp_path: Path) -> None:
    """An account whose proxies or unverified certificates are not followed says so when it is read."""
    path = tmp_path / "accounts.json"
    save_account(path, "a", SavedAccount(token=Secret("k"), verify=False))

    with pytest.warns(ServiceWarning, match="verify=False"):
        Account.from_saved(path=path)
