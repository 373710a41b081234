"""Finding the instance that an account names not, and only then."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol, TypeVar

import attrs

from qrt_async.account import Account, Preferences
from qrt_async.errors import ApiError, InvalidAccount
from qrt_async.models.usage import InstanceOffer
from qrt_async.wire import discovery as wire
from qrt_async.wire.call import Call

T = TypeVar("T")


class Sender(Protocol):
    """What sends a call, with a token and without an instance."""

    async def send(self, call: Call[T]) -> T:
        """Return what the reply to the call means."""
        ...


async def find_instances(sender: Sender) -> tuple[InstanceOffer, ...]:
    """Return the instances that the sender's key can use, with the names of their plans."""
    found: list[wire.FoundInstance] = []
    cursor: str | None = None
    before: set[str] = set()
    while True:
        page = await sender.send(wire.search(cursor))
        found += page.instances
        cursor = page.cursor
        if cursor is None or cursor in before:
            break
        before.add(cursor)
    ids = sorted({one.plan_id for one in found if one.plan_id})
    plans = dict(zip(ids, await asyncio.gather(*(_plan(sender, plan_id) for plan_id in ids)), strict=True))
    return tuple(_with_plan(one, plans.get(one.plan_id or "", wire.Plan())) for one in found)


async def _plan(sender: Sender, plan_id: str) -> wire.Plan:
    try:
        return await sender.send(wire.plan(plan_id))
    except ApiError:
        return wire.Plan()


def _with_plan(found: wire.FoundInstance, plan: wire.Plan) -> InstanceOffer:
    return attrs.evolve(found.offer, plan=plan.name, pricing=plan.pricing)


def _fits(offer: InstanceOffer, wanted: Preferences) -> bool:
    if wanted.name is not None:
        return offer.name == wanted.name
    return (not wanted.region or offer.crn.split(":")[5:6] == [wanted.region]) and set(wanted.tags) <= set(offer.tags)


def choose(account: Account, offers: Sequence[InstanceOffer]) -> InstanceOffer:
    """
    Return the instance that the account's preferences name, or else put first.

    Without a name, region and tags must fit; of those that do, the plan named first wins, then a free plan, then the
    first by its name.

    Raises:
        InvalidAccount: the key can use no such instance.

    """
    wanted = account.preferences
    fitting = [offer for offer in offers if _fits(offer, wanted)]
    if not fitting:
        have = ", ".join(offer.name or offer.crn for offer in offers) or "none"
        raise InvalidAccount(f"the key can use no instance that fits the account's preferences; it can use: {have}")

    def rank(offer: InstanceOffer) -> tuple[int, bool, str, str]:
        order = wanted.plans.index(offer.plan) if offer.plan in wanted.plans else len(wanted.plans)
        return order, offer.pricing != "free", offer.name or "", offer.crn

    return min(fitting, key=rank)
