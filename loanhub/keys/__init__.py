"""Keys and seals: one keyring opens everything encrypted, one sealed format for fields, files and the vault.

    keyring, recovery = Keyring.create(home / "keys" / "keyring.json", passphrase)
    sealed = seal(keyring.seal_key("field"), card, bind("customer", "bank_card", 7))
    card = open_sealed(keyring.seal_keys("field"), sealed, bind("customer", "bank_card", 7))

The format, its test vectors and what it does not protect: docs/keys.md.
"""

from loanhub.keys.blinding import BlindKey, blind, blind_many
from loanhub.keys.document import DamagedSlot, Document, Epoch, Slot
from loanhub.keys.keyring import Keyring
from loanhub.keys.kinds import BUILT_IN_SLOTS, NOBODY
from loanhub.keys.objects import VaultObject, new_vault_object, read_vault_object, vault_object
from loanhub.keys.passwords import is_cheap, keep_password, open_password
from loanhub.keys.place import Place, file_place, new_key_file, new_private_file, read_key_file
from loanhub.keys.public import is_private_key, new_pair, public_line_of
from loanhub.keys.purposes import PURPOSES, PurposeKey
from loanhub.keys.recovery import looks_like_recovery_key, new_recovery_key, read_recovery_text
from loanhub.keys.secret import Secret, bind
from loanhub.keys.signing import new_signing_key, public_key, sign, signed_by
from loanhub.keys.slots import (
    ARGON2_DEFAULT,
    SlotKind,
    SlotPlace,
    Wrapped,
    unwrap_master,
    wrap_master,
)
from loanhub.keys.stream import ObjectCipher, new_object, open_file, read_object, seal_file, unseal_file
from loanhub.keys.suites import DEFAULT_SUITE, SUITES, Suite
from loanhub.keys.values import (
    Label,
    SealKey,
    epochs_in,
    label_of,
    open_many,
    open_sealed,
    seal,
    seal_many,
)

__all__ = [
    "ARGON2_DEFAULT",
    "BUILT_IN_SLOTS",
    "DEFAULT_SUITE",
    "NOBODY",
    "PURPOSES",
    "SUITES",
    "BlindKey",
    "DamagedSlot",
    "Document",
    "Epoch",
    "Keyring",
    "Label",
    "ObjectCipher",
    "Place",
    "PurposeKey",
    "SealKey",
    "Secret",
    "Slot",
    "SlotKind",
    "SlotPlace",
    "Suite",
    "VaultObject",
    "Wrapped",
    "bind",
    "blind",
    "blind_many",
    "epochs_in",
    "file_place",
    "is_cheap",
    "is_private_key",
    "keep_password",
    "label_of",
    "looks_like_recovery_key",
    "new_key_file",
    "new_object",
    "new_pair",
    "new_private_file",
    "new_recovery_key",
    "new_signing_key",
    "new_vault_object",
    "open_file",
    "open_many",
    "open_password",
    "open_sealed",
    "public_key",
    "public_line_of",
    "read_key_file",
    "read_object",
    "read_recovery_text",
    "read_vault_object",
    "seal",
    "seal_file",
    "seal_many",
    "sign",
    "signed_by",
    "unseal_file",
    "unwrap_master",
    "vault_object",
    "wrap_master",
]
