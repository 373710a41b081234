"""``qrt account``."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from qrt_async import environment
from qrt_async.cli.execution import guarded
from qrt_async.cli.options import REPORT, Report
from qrt_async.cli.output import Output
from qrt_async.errors import InvalidAccount, UsageError
from qrt_async.platforms import ibm_quantum_hosts
from qrt_async.saved import (
    CHANNELS,
    SavedAccount,
    default_name,
    default_path,
    read_saved,
    remove_account,
    save_account,
)
from qrt_async.secret import Secret

account: App = App(name="account", help="Save, list and remove accounts, in the file of IBM's own client.")

File = Annotated[Path | None, Parameter(help="Use this file instead of ~/.qiskit/qiskit-ibm.json.")]

_HEADS = ("NAME", "DEFAULT", "CHANNEL", "INSTANCE", "PREFERENCES")


@account.command
def save(
    *,
    name: Annotated[str | None, Parameter(help="Call it so; without it, by the channel's default name.")] = None,
    instance: Annotated[str | None, Parameter(help="The instance: its CRN, or its name.")] = None,
    key_env: Annotated[str | None, Parameter(help="Take the API key from this environment variable.")] = None,
    key_stdin: Annotated[bool, Parameter(help="Take the API key from standard input.")] = False,
    channel: Annotated[str, Parameter(help="ibm_quantum_platform or ibm_cloud.", show_default=True)] = CHANNELS[0],
    region: Annotated[str | None, Parameter(help="Prefer instances there: us-east or eu-de.")] = None,
    plan: Annotated[tuple[str, ...], Parameter(help="Prefer instances of this plan; repeatable, in order.")] = (),
    tag: Annotated[tuple[str, ...], Parameter(help="Only instances with this tag; repeatable.")] = (),
    private_endpoint: Annotated[bool, Parameter(help="Reach IBM Cloud over its private network.")] = False,
    default: Annotated[bool, Parameter(help="Take this account where none is named.")] = False,
    overwrite: Annotated[bool, Parameter(help="Replace the account of that name.")] = False,
    file: File = None,
    report: Report = REPORT,
) -> int:
    """
    Save an account, its API key asked for without showing it.

    Nothing is sent. Without an instance, the one to be used is found when the account is used.
    """

    def work(output: Output) -> int:
        saved = SavedAccount(
            token=_key(key_env, from_stdin=key_stdin),
            channel=channel,
            instance=_instance(instance),
            private_endpoint=private_endpoint,
            region=region,
            plans=plan,
            tags=tag,
            default=default,
        )
        called, path = name or default_name(channel), file or default_path()
        save_account(path, called, saved, overwrite=overwrite)
        if output.json:
            output.document({"account": {"name": called, **_entry(saved)}, "file": str(path)})
        else:
            output.text(f"saved {called} in {path}")
        return 0

    return guarded(work, report)


def _key(variable: str | None, *, from_stdin: bool) -> Secret:
    """Return the API key from wherever it is: never from the command itself, which others on the machine can read."""
    if variable is not None and from_stdin:
        raise UsageError("--key-env and --key-stdin exclude each other")
    if variable is not None:
        return _checked(environment.variables().get(variable, ""), f"the environment variable {variable}")
    if from_stdin:
        return _checked(sys.stdin.readline(), "standard input")
    if not sys.stdin.isatty():
        raise UsageError("there is no terminal to ask for the API key: use --key-env NAME or --key-stdin")
    return _checked(getpass.getpass("API key: "), "what was typed")


def _checked(text: str, where: str) -> Secret:
    key = text.strip()
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise InvalidAccount(f"{where} holds no API key")
    return Secret(key)


def _instance(text: str | None) -> str | None:
    if text is not None and text.startswith("crn:"):
        ibm_quantum_hosts(text)
    return text


@account.command(name="list")
def list_accounts(*, file: File = None, report: Report = REPORT) -> int:
    """List the saved accounts, without their keys."""

    def work(output: Output) -> int:
        path = file or default_path()
        found = read_saved(path) if path.exists() else {}
        if output.json:
            accounts = [{"name": name, **_entry(saved)} for name, saved in found.items()]
            output.document({"accounts": accounts, "file": str(path)})
        else:
            output.table(_HEADS, _rows(found), otherwise=f"No account is saved in {path}.")
        if path.exists() and path.stat().st_mode & 0o077:
            output.note(f"note: others on this machine can read the keys in {path}: chmod 600 {path}")
        return 0

    return guarded(work, report)


def _entry(saved: SavedAccount) -> dict[str, Any]:
    return {
        "channel": saved.channel,
        "instance": saved.instance,
        "region": saved.region,
        "plans": list(saved.plans),
        "tags": list(saved.tags),
        "private_endpoint": saved.private_endpoint,
        "default": saved.default,
    }


def _rows(found: Mapping[str, SavedAccount]) -> list[tuple[object, ...]]:
    return [
        (
            name,
            saved.default,
            saved.channel,
            saved.instance,
            ", ".join(filter(None, (saved.region, *saved.plans, *saved.tags))),
        )
        for name, saved in found.items()
    ]


@account.command
def remove(
    name: Annotated[str, Parameter(help="The account's name.")], /, *, file: File = None, report: Report = REPORT
) -> int:
    """Remove a saved account."""

    def work(output: Output) -> int:
        path = file or default_path()
        remove_account(path, name)
        if output.json:
            output.document({"removed": name, "file": str(path)})
        else:
            output.text(f"removed {name} from {path}")
        return 0

    return guarded(work, report)
