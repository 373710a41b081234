"""``qrt usage``."""

from __future__ import annotations

import datetime as dt

from qrt_async.cli.documents import document
from qrt_async.cli.execution import execute
from qrt_async.cli.options import SERVICE, Service
from qrt_async.cli.output import Output
from qrt_async.cli.service import account_of
from qrt_async.client import Client
from qrt_async.models.usage import InstanceUsage, LegacyUsage
from qrt_async.wire.dialect import Platform

_HEADS = ("INSTANCE", "USED", "OF", "PENDING JOBS", "OF")


def usage(*, service: Service = SERVICE) -> int:
    """Show how many quantum seconds the instance used in this period, and how many it has."""

    async def command(output: Output) -> int:
        async with account_of(service, output) as account, Client(account) as client:
            if account.platform is Platform.LEGACY:
                _show_legacy(await client.legacy.usage(), output)
            else:
                _show(await client.instance.usage(), output)
        return 0

    return execute(command, service)


def _show(found: InstanceUsage, output: Output) -> None:
    if output.json:
        output.document({"platform": "ibm_quantum", "usage": document(found)})
        return
    output.pairs(
        [
            ("instance", found.instance_id),
            ("period", _period(found.period_start, found.period_end)),
            ("used", _seconds(found.consumed_seconds)),
            ("limit", _seconds(found.limit_seconds) or "none"),
            ("allocation", _seconds(found.allocation_seconds) or "none"),
            ("limit reached", found.limit_reached),
        ]
    )


def _show_legacy(found: LegacyUsage, output: Output) -> None:
    if output.json:
        output.document({"platform": "legacy", "usage": document(found)})
        return
    output.pairs([("period", _period(found.start, found.end))])
    rows = ((one.instance, one.usage, one.quota, one.pending_jobs, one.max_pending_jobs) for one in found.by_instance)
    output.table(_HEADS, rows, otherwise="No instance used anything.")


def _seconds(number: float | None) -> str | None:
    return None if number is None else f"{number:g} s"


def _period(start: dt.datetime | None, end: dt.datetime | None) -> str | None:
    if start is None or end is None:
        return None
    return f"{start.astimezone():%Y-%m-%d} to {end.astimezone():%Y-%m-%d}"
