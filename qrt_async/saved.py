"""The file in which the official client keeps accounts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import attrs

from qrt_async.errors import InvalidAccount
from qrt_async.secret import Secret

_CHANNELS = ("ibm_quantum_platform", "ibm_cloud")
_DEFAULT_NAMES = ("default-ibm-quantum-platform", "default-ibm-cloud", "default")


def default_path() -> Path:
    """Return where the official client keeps its accounts."""
    return Path.home() / ".qiskit" / "qiskit-ibm.json"


@attrs.frozen(kw_only=True)
class SavedAccount:
    """One account of the file; its instance is None where the file names none."""

    channel: str
    token: Secret
    instance: str | None = None
    region: str | None = None
    plans: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    default: bool = False


def read_saved(path: Path) -> Mapping[str, SavedAccount]:
    """
    Return the accounts of a file by name; those of the platform that is gone are left out.

    Raises:
        InvalidAccount: there is no such file, or it is not what the official client writes.

    """
    try:
        document = json.loads(path.read_text())
    except FileNotFoundError:
        raise InvalidAccount(f"no accounts are saved: there is no {path}") from None
    except (OSError, ValueError) as error:
        raise InvalidAccount(f"{path} cannot be read: {type(error).__name__}") from None
    if not isinstance(document, dict):
        raise InvalidAccount(f"{path} holds no accounts")
    entries = cast(dict[str, Any], document).items()
    return {name: _account(name, entry) for name, entry in entries if _is_todays(entry)}


def _is_todays(entry: Any) -> bool:
    return isinstance(entry, dict) and cast(dict[str, Any], entry).get("channel") in _CHANNELS


def _account(name: str, entry: dict[str, Any]) -> SavedAccount:
    token, instance = entry.get("token"), entry.get("instance")
    if not isinstance(token, str) or not token or not isinstance(instance, str | None):
        raise InvalidAccount(f"the saved account {name!r} has no token, or an instance that is no text")
    return SavedAccount(
        channel=str(entry["channel"]),
        token=Secret(token),
        instance=instance or None,
        region=entry.get("region"),
        plans=_texts(entry.get("plans_preference")),
        tags=_texts(entry.get("tags")),
        default=entry.get("is_default_account") is True,
    )


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(str(item) for item in value) if isinstance(value, list) else ()


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
