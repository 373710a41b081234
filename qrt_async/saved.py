"""The file in which the official client keeps accounts: read, and written in the same form."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import attrs

from qrt_async.errors import InvalidAccount
from qrt_async.secret import Secret

CHANNELS = ("ibm_quantum_platform", "ibm_cloud")
REGIONS = ("us-east", "eu-de")
CLOUD_URL = "https://cloud.ibm.com"
_DEFAULT_NAMES = ("default-ibm-quantum-platform", "default-ibm-cloud", "default")


def default_path() -> Path:
    """Return where the official client keeps its accounts."""
    return Path.home() / ".qiskit" / "qiskit-ibm.json"


def default_name(channel: str) -> str:
    """Return the name under which the official client saves an account of a channel that is given none."""
    return f"default-{channel.replace('_', '-')}"


@attrs.frozen(kw_only=True)
class SavedProxies:
    """Proxies of a saved account: `urls` by protocol, which may hold passwords, and a login by NTLM."""

    urls: Mapping[str, str] = attrs.field(factory=dict[str, str], repr=False)
    username_ntlm: str | None = None
    password_ntlm: Secret | None = None


@attrs.frozen(kw_only=True)
class SavedAccount:
    """
    One account of the file.

    `instance` is a CRN or the name of an instance, None where the file names none; `url` is IBM Cloud's own address,
    not the API's. `region`, `plans` (in the order of preference) and `tags` pick an instance where none is named.
    """

    token: Secret
    channel: str = CHANNELS[0]
    instance: str | None = None
    url: str = CLOUD_URL
    private_endpoint: bool = False
    verify: bool = True
    region: str | None = None
    plans: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    proxies: SavedProxies | None = None
    default: bool = False


def read_saved(path: Path) -> Mapping[str, SavedAccount]:
    """
    Return the accounts of a file by name; those of the platform that is gone are left out.

    Raises:
        InvalidAccount: there is no such file, or it is not what the official client writes.

    """
    document = _document(path)
    if document is None:
        raise InvalidAccount(f"no accounts are saved: there is no {path}")
    return {name: _account(name, entry) for name, entry in document.items() if _is_todays(entry)}


def save_account(path: Path, name: str, account: SavedAccount, *, overwrite: bool = False) -> None:
    """
    Write an account into a file that the official client reads, made where there is none, for its owner alone (0600).

    The other entries stay as they are, but for the mark of the default, which there is one of. The file changes in one
    step: whoever reads it meanwhile sees the old one or the new one.

    Raises:
        InvalidAccount: the name is taken and `overwrite` was not asked for, a value is none that the official client
            takes, or the file cannot be read or written.

    """
    _check(account)
    document = _document(path) or {}
    if name in document and not overwrite:
        raise InvalidAccount(f"an account is saved as {name!r} already: choose another name, or ask to overwrite it")
    if account.default:
        for other in document.values():
            if isinstance(other, dict):
                cast(dict[str, Any], other).pop("is_default_account", None)
    document[name] = _entry(account)
    _write(path, document)


def remove_account(path: Path, name: str) -> None:
    """
    Take an account out of a file, whichever platform it is of.

    Raises:
        InvalidAccount: there is none of that name, or the file cannot be read or written.

    """
    document = _document(path) or {}
    if name not in document:
        raise InvalidAccount(f"no account is saved as {name!r}; there are: {', '.join(document) or 'none'}")
    del document[name]
    _write(path, document)


def choose_saved(accounts: Mapping[str, SavedAccount], name: str | None) -> SavedAccount:
    """
    Return the account of that name, or the one that the official client would take.

    Raises:
        InvalidAccount: there is none.

    """
    if name is not None:
        if name not in accounts:
            raise InvalidAccount(f"no account is saved as {name!r}; there are: {', '.join(accounts) or 'none'}")
        return accounts[name]
    marked = [account for account in accounts.values() if account.default]
    named = [accounts[default] for default in _DEFAULT_NAMES if default in accounts]
    try:
        return next(iter([*marked, *named, *accounts.values()]))
    except StopIteration:
        raise InvalidAccount("no account of today's platform is saved") from None


def _document(path: Path) -> dict[str, Any] | None:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise InvalidAccount(f"{path} cannot be read: {type(error).__name__}") from None
    if not isinstance(document, dict):
        raise InvalidAccount(f"{path} holds no accounts")
    return cast(dict[str, Any], document)


def _write(path: Path, document: Mapping[str, Any]) -> None:
    target = path.resolve()  # a link into somebody's dotfiles stays a link
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(document, file, sort_keys=True, indent=4)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(target)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise InvalidAccount(f"{path} cannot be written: {error.strerror or type(error).__name__}") from None


def _check(account: SavedAccount) -> None:
    if account.channel not in CHANNELS:
        raise InvalidAccount(f"a channel is one of {', '.join(CHANNELS)}, not {account.channel!r}")
    if account.region is not None and account.region not in REGIONS:
        raise InvalidAccount(f"a region is one of {', '.join(REGIONS)}, not {account.region!r}")


def _entry(account: SavedAccount) -> dict[str, Any]:
    entry = {
        "channel": account.channel,
        "token": account.token.reveal(),
        "instance": account.instance,
        "url": account.url,
        "private_endpoint": account.private_endpoint,
        "verify": None if account.verify else False,
        "region": account.region,
        "plans_preference": list(account.plans) or None,
        "tags": list(account.tags) or None,
        "proxies": account.proxies and _proxies_entry(account.proxies),
        "is_default_account": account.default or None,
    }
    return {key: value for key, value in entry.items() if value is not None}


def _proxies_entry(proxies: SavedProxies) -> dict[str, Any]:
    entry = {
        "urls": dict(proxies.urls) or None,
        "username_ntlm": proxies.username_ntlm,
        "password_ntlm": proxies.password_ntlm and proxies.password_ntlm.reveal(),
    }
    return {key: value for key, value in entry.items() if value is not None}


def _is_todays(entry: Any) -> bool:
    return isinstance(entry, dict) and cast(dict[str, Any], entry).get("channel") in CHANNELS


def _account(name: str, entry: dict[str, Any]) -> SavedAccount:
    token, instance, url = entry.get("token"), entry.get("instance"), entry.get("url") or CLOUD_URL
    if not isinstance(token, str) or not token or not isinstance(instance, str | None) or not isinstance(url, str):
        raise InvalidAccount(f"the saved account {name!r} has no token, or an instance or url that is no text")
    return SavedAccount(
        channel=str(entry["channel"]),
        token=Secret(token),
        instance=instance or None,
        url=url,
        private_endpoint=entry.get("private_endpoint") is True,
        verify=entry.get("verify") is not False,
        region=entry.get("region"),
        plans=_texts(entry.get("plans_preference")),
        tags=_texts(entry.get("tags")),
        proxies=_proxies(entry.get("proxies")),
        default=entry.get("is_default_account") is True,
    )


def _proxies(entry: Any) -> SavedProxies | None:
    if not isinstance(entry, dict) or not entry:
        return None
    found = cast(dict[str, Any], entry)
    urls, username, password = found.get("urls"), found.get("username_ntlm"), found.get("password_ntlm")
    return SavedProxies(
        urls={str(key): str(url) for key, url in urls.items()} if isinstance(urls, dict) else {},
        username_ntlm=username if isinstance(username, str) else None,
        password_ntlm=Secret(password) if isinstance(password, str) else None,
    )


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(str(item) for item in value) if isinstance(value, list) else ()
