"""One transaction, as the journal's statements see it: who is writing, and when."""

from __future__ import annotations

import hashlib
import hmac
import secrets

import attrs

from qrt_async.journal import owners
from qrt_async.journal.database import Transaction
from qrt_async.journal.owners import Life
from qrt_async.journal.records import Owner


@attrs.frozen
class Ledger:
    """A transaction, the process that writes, the file's salt, and the wall clock's seconds."""

    transaction: Transaction
    owner: Owner
    salt: str = attrs.field(repr=False)
    now: float

    def pseudonym(self, identity: str) -> str:
        """Return what the file holds in place of a user's or tenant's name: the same in all processes that share it."""
        return hmac.new(bytes.fromhex(self.salt), identity.encode(), hashlib.sha256).hexdigest()

    def owned_by_us(self, owner: str) -> bool:
        """Return whether an owner, as the file holds it, is this journal's."""
        return owners.read(owner).nonce == self.owner.nonce

    def life(self, owner: str) -> Life:
        """Return whether an owner, as the file holds it, lives."""
        return owners.life(owners.read(owner), self.owner)


def salt(transaction: Transaction) -> str:
    """Return the file's salt, which is made with its first use."""
    transaction.execute(
        "INSERT INTO settings (name, value) VALUES ('salt', ?) ON CONFLICT (name) DO NOTHING", (secrets.token_hex(16),)
    )
    return str(transaction.execute("SELECT value FROM settings WHERE name = 'salt'")[0][0])
