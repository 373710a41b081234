"""Accounts: hosts, regions, environment, masking."""

from __future__ import annotations

import copy
import pickle

import pytest

from qrt_async import Account, Client, InvalidAccount, Platform
from qrt_async.account import Account as AccountClass
from qrt_async.secret import Secret

CRN = "crn:v1:bluemix:public:quantum-computing:us-east:a/abc:def::"
EU_CRN = CRN.replace("us-east", "eu-de")


def test_the_region_of_the_crn_picks_the_host() -> None:
    """`us-east` has no prefix, any other region does."""
    assert Account.ibm_quantum("k", CRN).hosts.api == "https://quantum.cloud.ibm.com/api/v1"
    assert Account.ibm_quantum("k", EU_CRN).hosts.api == "https://eu-de.quantum.cloud.ibm.com/api/v1"
    assert Account.ibm_quantum("k", CRN).hosts.auth == "https://iam.cloud.ibm.com"


def test_staging_has_a_token_service_of_its_own() -> None:
    """A staging CRN's tokens come from IBM's test host."""
    assert Account.ibm_quantum("k", CRN.replace("bluemix", "staging")).hosts.auth == "https://iam.test.cloud.ibm.com"


def test_urls_replace_the_hosts() -> None:
    """A given URL stands for the host's base, with or without a slash at its end."""
    account = Account.legacy(
        "t", "h/g/p", auth_url="https://a:1/api/", api_url="https://a:1/runtime", transpiler_url="https://a:1"
    )

    assert (account.hosts.auth, account.hosts.api, account.hosts.transpiler) == (
        "https://a:1/api",
        "https://a:1/runtime",
        "https://a:1",
    )


@pytest.mark.parametrize("instance", ["", "h/g", "h/g/p", "crn:", "crn:v1:bluemix:public:quantum-computing::a/x:y::"])
def test_an_instance_that_is_no_crn_is_refused(instance: str) -> None:
    """Today's platform wants a CRN with a region."""
    with pytest.raises(InvalidAccount):
        Account.ibm_quantum("k", instance)


@pytest.mark.parametrize("instance", ["", "h", "h/g", "h/g/p/x", "h//p", CRN])
def test_a_legacy_instance_has_three_parts(instance: str) -> None:
    """The legacy platform wants hub/group/project."""
    with pytest.raises(InvalidAccount):
        Account.legacy("t", instance)


@pytest.mark.parametrize("key", ["", " q7q", "q7q\n", "q7q\r\nX-Evil: 1", "ключ"])
def test_a_key_that_no_header_could_carry_is_refused(key: str) -> None:
    """A key with spaces around it, or line ends in it, is a mistake, and the error does not repeat it."""
    with pytest.raises(InvalidAccount) as caught:
        Account.ibm_quantum(key, CRN)
    assert "q7q" not in str(caught.value)


@pytest.mark.parametrize("url", ["", "ftp://x", "x.com", "http://", "http://u:p@x/", "http://x/?q=1", "http://[::1"])
def test_an_unusable_url_is_refused(url: str) -> None:
    """A URL needs a host, and carries neither credentials nor a query."""
    with pytest.raises(InvalidAccount):
        Account.ibm_quantum("k", CRN, api_url=url)


def test_the_environment_describes_an_account() -> None:
    """The form of the instance picks the platform where no channel is named."""
    today = Account.from_env({"QISKIT_IBM_TOKEN": "k", "QISKIT_IBM_INSTANCE": CRN, "IAM_URL": "https://iam"})
    legacy = Account.from_env({"QISKIT_IBM_TOKEN": "k", "QISKIT_IBM_INSTANCE": "h/g/p", "QRT_API_URL": "https://api"})

    assert (today.platform, today.hosts.auth) == (Platform.IBM_QUANTUM, "https://iam")
    assert (legacy.platform, legacy.hosts.api) == (Platform.LEGACY, "https://api")


def test_the_process_environment_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an argument the process's own environment is read."""
    monkeypatch.setenv("QISKIT_IBM_TOKEN", "k")
    monkeypatch.setenv("QISKIT_IBM_INSTANCE", EU_CRN)

    assert AccountClass.from_env().instance == EU_CRN


def test_a_missing_variable_is_named() -> None:
    """The error says which variable is not set."""
    with pytest.raises(InvalidAccount, match="QISKIT_IBM_INSTANCE"):
        Account.from_env({"QISKIT_IBM_TOKEN": "k"})


def test_nothing_shows_a_secret() -> None:
    """Neither accounts nor clients nor secrets show the key, and none can be pickled with it."""
    account = Account.ibm_quantum("hunter2", CRN)
    shown = f"{account!r} {account} {Client(account)!r} {account.secret} {account.secret!r}"

    assert "hunter2" not in shown
    assert account.secret.reveal() == "hunter2"
    with pytest.raises(TypeError):
        pickle.dumps(account)
    with pytest.raises(TypeError):
        copy.deepcopy(Secret("x"))
