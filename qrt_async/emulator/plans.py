"""Plans and instances: what an instance may do, and how its Cloud Resource Name is read."""

from __future__ import annotations

import hashlib
import uuid
from typing import Self

import attrs

MAX_COST = 10_800  # seconds: the longest any plan lets a job run
REGIONS = ("us-east", "eu-de")
RESOURCE_ID = "b6049020-80f4-11eb-a0f7-e35ec9b4054f"  # the service's own id in IBM's catalogue
_HOME = uuid.UUID("0a4e07a4-3c1b-4f1e-9a6d-2f1f6f2f7d11")  # from which the emulator makes up ids


@attrs.frozen
class Plan:
    """What a plan allows; all times in seconds, `allocation` per period of 28 days (None: as much as wanted).

    `max_ttl` bounds sessions, `default_cost` is the running time of a job that names none, `pending_jobs` bounds
    the waiting jobs of a LEGACY user, `pricing` is the catalogue's word for who pays.
    """

    name: str
    title: str
    pricing: str
    max_ttl: int
    default_cost: int
    allocation: int | None
    pending_jobs: int | None
    dedicated_sessions: bool
    custom_calibrations: bool

    @property
    def id(self) -> str:
        """The plan's id in the catalogue: a UUID."""
        return str(uuid.uuid5(_HOME, f"plan:{self.name}"))


OPEN = Plan("open", "Open", "free", 600, 600, 600, 3, dedicated_sessions=False, custom_calibrations=False)
PREMIUM = Plan(
    "premium",
    "Premium",
    "subscription",
    max_ttl=28_800,
    default_cost=MAX_COST,
    allocation=None,
    pending_jobs=None,
    dedicated_sessions=True,
    custom_calibrations=True,
)
PLANS = {plan.name: plan for plan in (OPEN, PREMIUM)}


@attrs.frozen
class Crn:
    """The parts that matter of an instance's Cloud Resource Name, and the name itself."""

    text: str
    region: str
    account: str
    instance: str

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read a name; None for text that is none, or names another service."""
        parts = text.split(":")
        if len(parts) != 10 or parts[:2] != ["crn", "v1"] or parts[4] != "quantum-computing":
            return None
        region, owner, instance = parts[5:8]
        account = owner.removeprefix("a/")
        if not owner.startswith("a/") or not (region and account and instance):
            return None
        return cls(text, region, account, instance)

    @property
    def subscription(self) -> str:
        """The id of the account's subscription: a UUID that the emulator makes up."""
        return random_looking_uuid(f"subscription:{self.account}")


def account_of(user_id: str) -> str:
    """Give the id of the account that the emulator makes up for an IBM_QUANTUM user: 32 hexadecimal digits."""
    return hashlib.sha256(f"account:{user_id}".encode()).hexdigest()[:32]


def own_crn(user_id: str, region: str) -> str:
    """Give the name of the instance that every user has without having used one."""
    instance = random_looking_uuid(f"instance:{user_id}")
    return f"crn:v1:bluemix:public:quantum-computing:{region}:a/{account_of(user_id)}:{instance}::"


def random_looking_uuid(text: str) -> str:
    """Give the same UUID of version 4 for the same text."""
    return str(uuid.UUID(bytes=hashlib.sha256(text.encode()).digest()[:16], version=4))
