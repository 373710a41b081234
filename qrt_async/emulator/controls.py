"""What a test does to a running emulator, in this process or another: the client of its control endpoint."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import aiohttp
import attrs

from qrt_async.emulator import bill, fault_json
from qrt_async.emulator.records import Availability

if TYPE_CHECKING:
    from qrt_async.emulator.bill import Bill
    from qrt_async.emulator.faults import Fault


class ControlError(Exception):
    """The emulator refused what it was told; the message says why."""


@attrs.frozen
class Strikes:
    """A fault at work: how many requests it could have struck, and how many it struck."""

    fault: Fault
    matched: int
    struck: int


class Controls:
    """Steers the emulator that answers at `url`; what it refuses raises ControlError."""

    _url: str | None

    def __init__(self, url: str) -> None:
        self._url = url

    @property
    def url(self) -> str:
        """Where the emulator answers, as `http://127.0.0.1:<port>`."""
        assert self._url is not None  # noqa: S101 - it was given
        return self._url

    async def inject(self, *faults: Fault) -> None:
        """Put faults to work, after those that are; of those that match a request, the first that strikes has it."""
        await self._call("POST", "faults", [fault_json.write(fault) for fault in faults])

    async def clear_faults(self) -> None:
        """Take all faults back."""
        await self._call("DELETE", "faults")

    async def strikes(self) -> tuple[Strikes, ...]:
        """Give the faults at work, in the order of their injection, and how often each struck."""
        rows = (await self._call("GET", "faults"))["faults"]
        return tuple(Strikes(fault_json.read(row["fault"]), row["matched"], row["struck"]) for row in rows)

    async def advance(self, seconds: float) -> float:
        """Let so many seconds of a virtual clock pass, and all that they bring happen; give its monotonic seconds.

        In between, whoever sleeps by that clock wakes in turn, and what that starts is done before time moves on.
        """
        shown = await self._call("POST", "clock", {"seconds": seconds})
        return float(shown["monotonic"])

    async def ledger(self) -> Bill:
        """Give what the emulator saw until now: jobs by their content, sessions, charges, requests."""
        return await asyncio.to_thread(bill.read, await self._send("GET", "ledger"))

    async def revoke_tokens(self) -> None:
        """End all access and bearer tokens before their time."""
        await self._call("DELETE", "tokens")

    async def set_condition(self, backend: str, availability: Availability, reason: str = "") -> None:
        """Say how a backend is; unless it is ONLINE, jobs stay queued there."""
        await self._call("PUT", f"backends/{backend}", {"availability": availability, "reason": reason})

    async def vanish(self, job_id: str) -> None:
        """Make a job as unknown as if it had never been."""
        await self._call("DELETE", f"jobs/{job_id}")

    async def _call(self, method: str, path: str, body: Any = None) -> Any:
        raw = await self._send(method, path, body)
        return json.loads(raw) if raw else None

    async def _send(self, method: str, path: str, body: Any = None) -> bytes:
        request = aiohttp.request(method, f"{self.url}/_emulator/{path}", json=body)
        async with request as reply:
            raw = await reply.read()
            if reply.status >= 400:
                raise ControlError(json.loads(raw)["errors"][0]["message"])
        return raw
