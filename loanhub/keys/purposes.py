"""Purpose keys: one key for each use, so that no use can harm another."""

from __future__ import annotations

from typing import Final

from attrs import frozen

from loanhub.errors import Usage
from loanhub.keys.blinding import BlindKey
from loanhub.keys.document import PURPOSE
from loanhub.keys.secret import Secret
from loanhub.keys.suites import suite_of
from loanhub.keys.values import SealKey

PURPOSES: Final = ("archive", "audit", "blind", "database", "documents", "field", "vault")


@frozen(eq=False)
class PurposeKey:
    """The key of one purpose in one epoch. `check`, 8 bytes, may stand beside what the key encrypts."""

    purpose: str
    seal_key: SealKey

    @property
    def epoch(self) -> int:
        """The epoch it belongs to."""
        return self.seal_key.epoch

    @property
    def check(self) -> bytes:
        """Tells this key from any other: compare before blaming a damaged file."""
        return self.seal_key.check

    def reveal(self) -> bytes:
        """The 32 bytes themselves, such as a raw database key."""
        return self.seal_key.secret.reveal()

    def blind_key(self, field_name: str) -> BlindKey:
        """The blind index key of a field."""
        return BlindKey(self.seal_key.suite, self.epoch, field_name, self.seal_key.secret)


def derive_purpose(home: str, name: str, epoch: int, suite: int, key: Secret) -> PurposeKey:
    if not PURPOSE.fullmatch(name):
        raise Usage("purpose-name")
    derived = suite_of(suite).derive(key.reveal(), bytes.fromhex(home), "purpose", name.encode("ascii"))
    return PurposeKey(name, SealKey(suite, epoch, Secret(derived)))
