"""`/_emulator/…`: what a test does to the emulator; no client uses these paths, and no fault strikes them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from aiohttp import web

from qrt_async.emulator import bill, fault_json
from qrt_async.emulator.records import Availability, Condition
from qrt_async.emulator.refusals import Refusal, bad_body
from qrt_async.emulator.shapes import Mismatch, is_list, number, one_of, parse, record, text
from qrt_async.emulator.virtual_clock import VirtualClock
from qrt_async.emulator.web.exchange import CONTROL, WORLD, empty, raw_reply, reply

if TYPE_CHECKING:
    from qrt_async.emulator.faults import Fault
    from qrt_async.emulator.shapes import Check

_CONDITION = record(
    {"availability": one_of(*(each.value for each in Availability)), "reason": text()},
    required=("availability",),
    closed=True,
)
_ADVANCE = record({"seconds": number(least=0)}, required=("seconds",), closed=True)


def routes() -> list[web.RouteDef]:
    """Give the routes of the control endpoint."""
    return [
        web.get(f"{CONTROL}faults", show_faults),
        web.post(f"{CONTROL}faults", inject),
        web.delete(f"{CONTROL}faults", clear),
        web.get(f"{CONTROL}clock", show_clock),
        web.post(f"{CONTROL}clock", advance),
        web.get(f"{CONTROL}ledger", show_ledger),
        web.delete(f"{CONTROL}tokens", revoke_tokens),
        web.put(f"{CONTROL}backends/{{name}}", set_condition),
        web.delete(f"{CONTROL}jobs/{{id}}", vanish),
    ]


async def show_faults(request: web.Request) -> web.Response:
    """Give the faults at work, and how often each matched and struck."""
    faults = request.app[WORLD].faults.injected
    rows = [{"fault": fault_json.write(one.fault), "matched": one.matched, "struck": one.struck} for one in faults]
    return reply({"faults": rows})


async def inject(request: web.Request) -> web.Response:
    """Put a list of faults to work, all of them or, when one is none, not any."""
    faults = _faults(_parsed(await request.read()))
    for fault in faults:
        request.app[WORLD].faults.inject(fault)
    return empty()


async def clear(request: web.Request) -> web.Response:
    """Take all faults back."""
    request.app[WORLD].faults.clear()
    return empty()


async def show_clock(request: web.Request) -> web.Response:
    """Give what the emulator's clock shows."""
    clock = request.app[WORLD].clock
    return reply({"now": clock.now().isoformat(), "monotonic": clock.monotonic()})


async def advance(request: web.Request) -> web.Response:
    """Let time pass, and everything that it brings happen; answers when it has."""
    clock = request.app[WORLD].clock
    seconds: float = _parsed(await request.read(), _ADVANCE)["seconds"]
    if not isinstance(clock, VirtualClock):
        raise Refusal(409, None, "The emulator lives by the machine's clock.", "Start it with a virtual one.")
    await clock.advance(seconds)
    return await show_clock(request)


async def show_ledger(request: web.Request) -> web.Response:
    """Give the bill of this moment."""
    world = request.app[WORLD]
    found = await world.books.bill(world.ledger, world.all_sessions())
    return raw_reply(await asyncio.to_thread(bill.write, found))


async def revoke_tokens(request: web.Request) -> web.Response:
    """End all access and bearer tokens."""
    request.app[WORLD].credentials.revoke()
    return empty()


async def set_condition(request: web.Request) -> web.Response:
    """Say how a backend is."""
    body: dict[str, Any] = _parsed(await request.read(), _CONDITION)
    condition = Condition(Availability(body["availability"]), body.get("reason", ""))
    request.app[WORLD].set_condition(request.match_info["name"], condition)
    return empty()


async def vanish(request: web.Request) -> web.Response:
    """Make a job as unknown as if it had never been."""
    request.app[WORLD].vanish(request.match_info["id"])
    return empty()


def _parsed(raw: bytes, check: Check | None = None) -> Any:
    try:
        body = parse(raw)
        if check is not None:
            check(body, "")
    except Mismatch as mismatch:
        raise bad_body(str(mismatch)) from None
    return body


def _faults(body: Any) -> list[Fault]:
    if not is_list(body):
        raise bad_body("the body must be a list of faults")
    found: list[Fault] = []
    for position, each in enumerate(body):
        try:
            found.append(fault_json.read(each))
        except fault_json.BadFaultError as error:
            raise bad_body(f"[{position}]: {error}") from None
    return found
