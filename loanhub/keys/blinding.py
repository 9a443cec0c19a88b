"""Blind index: equal texts of a field get equal bytes, and nobody without the key can compute them.

docs/keys.md section 5 is the format.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property

from attrs import field, frozen

from loanhub.keys.secret import Secret
from loanhub.keys.suites import BLIND_BYTES, Digest, suite_of


@frozen(eq=False)
class BlindKey:
    """The index key of one field, such as `customer.resident_id`, in one epoch."""

    suite: int
    epoch: int
    field_name: str
    secret: Secret = field(repr=False)

    @cached_property
    def digest(self) -> Digest:
        """The index of a text in UTF-8."""
        rules = suite_of(self.suite)
        person = hashlib.blake2b(self.field_name.encode("utf-8"), digest_size=BLIND_BYTES).digest()
        return rules.blinder(rules.derive(self.secret.reveal(), b"", "blind"), person)


def blind(key: BlindKey, text: str) -> bytes:
    """The index of `text`, 16 bytes. Texts must be normalised before: "11 9" and "119" differ."""
    return key.digest(text.encode("utf-8", "surrogatepass"))


def blind_many(key: BlindKey, texts: Sequence[str | None]) -> list[bytes | None]:
    """The indexes of a column; None stays None."""
    digest = key.digest
    return [None if text is None else digest(text.encode("utf-8", "surrogatepass")) for text in texts]
