"""Vault objects: packs, commits and bases, each under a key of its own, read whole or in parts.

docs/vault-format.md section 2 is the format.
"""

from __future__ import annotations

import hmac
import os
from typing import Final

from attrs import field, frozen

from loanhub.errors import Damaged
from loanhub.keys.stream import HEADER_BYTES, OBJECT_ID_BYTES, ObjectCipher, cipher_after
from loanhub.keys.values import PREFIX_BYTES, Keys, SealKey, key_for

VAULT_OBJECT: Final = 3
_TYPE_AT: Final = PREFIX_BYTES + OBJECT_ID_BYTES


@frozen(eq=False)
class VaultObject:
    """One object of a vault: its id of 16 bytes, its type (1 to 255), and the key nothing else has.

    Pieces are sealed and opened by the byte of the object at which they begin, with `seal_at` and `open_at`.
    """

    object_id: bytes
    type: int
    epoch: int
    _sealer: ObjectCipher = field(repr=False)

    @property
    def header(self) -> bytes:
        """What the object begins with, 66 bytes."""
        return self._sealer.header

    def seal_at(self, offset: int, last: bool, plain: bytes | memoryview, aad: bytes) -> bytes:
        """A piece that begins at `offset`, 16 bytes longer. One offset sealed twice gives the key away."""
        return self._sealer.seal_chunk(offset, last, plain, aad)

    def open_at(self, offset: int, last: bool, sealed: bytes | memoryview, aad: bytes) -> bytes:
        """The plain bytes. Raises Damaged `seal-damaged`."""
        return self._sealer.open_chunk(offset, last, sealed, aad)


def new_vault_object(key: SealKey, type: int) -> VaultObject:
    """An object with a new random id, hence a key nobody used before."""
    return vault_object(key, os.urandom(OBJECT_ID_BYTES), type)


def vault_object(key: SealKey, object_id: bytes, type: int) -> VaultObject:
    """The object with that id: what a reader needs who knows it from an index. Never seal with it again."""
    opening = key.prefix(VAULT_OBJECT) + object_id + bytes([type])
    return VaultObject(object_id, type, key.epoch, cipher_after(key, opening, object_id))


def read_vault_object(keys: Keys, header: bytes) -> VaultObject:
    """The object that begins with `header` (66 bytes or more), its commitment compared.

    Raises NotAllowed `seal-wrong-key`; Damaged `seal-not-sealed`, `seal-truncated`, `seal-damaged`; Refused
    `seal-unknown-version`; NotFound `key-epoch-unknown`.
    """
    key = key_for(keys, header, VAULT_OBJECT)
    if len(header) < HEADER_BYTES:
        raise Damaged("seal-truncated")
    found = vault_object(key, bytes(header[PREFIX_BYTES:_TYPE_AT]), header[_TYPE_AT])
    if not hmac.compare_digest(found.header, bytes(header[:HEADER_BYTES])):
        raise Damaged("seal-damaged")
    return found
