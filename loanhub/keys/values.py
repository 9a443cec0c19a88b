"""Sealed values: a field or a wrapped key as bytes that open only with its key and in its place.

docs/keys.md section 4 is the format; sealed files are in `loanhub.keys.stream`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Final

from attrs import field, frozen
from cryptography.exceptions import InvalidTag

from loanhub.errors import Damaged, NotAllowed, Refused
from loanhub.keys.secret import Secret
from loanhub.keys.suites import CHECK_BYTES, KEY_BYTES, NONCE_BYTES, SUITES, TAG_BYTES, Aead, Suite, suite_of

MAGIC: Final = b"LH"
VERSION: Final = 1
VALUE: Final = 1
STREAM: Final = 2
PREFIX_BYTES: Final = 17
VALUE_OVERHEAD: Final = PREFIX_BYTES + NONCE_BYTES + TAG_BYTES
MOST_EPOCHS: Final = 2**32 - 1
_CIPHER_AT: Final = PREFIX_BYTES + NONCE_BYTES


@frozen(eq=False)
class SealKey:
    """A key that seals: the suite, the epoch it belongs to, and 32 secret bytes."""

    suite: int
    epoch: int
    secret: Secret = field(repr=False)

    def __attrs_post_init__(self) -> None:
        suite_of(self.suite)
        if len(self.secret) != KEY_BYTES:
            raise ValueError("a sealing key has 32 bytes")
        if not 0 <= self.epoch <= MOST_EPOCHS:
            raise ValueError("an epoch is a number of 32 bits")

    @cached_property
    def check(self) -> bytes:
        """8 bytes that tell this key from any other and give nothing of it away."""
        return self.rules.derive(self.secret.reveal(), b"", "check", length=CHECK_BYTES)

    @property
    def rules(self) -> Suite:
        """The suite itself."""
        return suite_of(self.suite)

    @cached_property
    def value_cipher(self) -> Aead:
        """The cipher of sealed values, made once."""
        rules = self.rules
        return rules.cipher(rules.derive(self.secret.reveal(), b"", "value", length=rules.key_bytes))

    @cached_property
    def value_prefix(self) -> bytes:
        """The first 17 bytes of every value this key seals."""
        return self.prefix(VALUE)

    def prefix(self, form: int) -> bytes:
        """The first 17 bytes of what this key seals in that form."""
        return MAGIC + bytes([VERSION, form, self.suite]) + self.epoch.to_bytes(4, "big") + self.check


KeyOfEpoch = Callable[[int], SealKey]
Keys = SealKey | KeyOfEpoch


@frozen
class Label:
    """What can be read of a sealed value or file without its key."""

    form: int
    suite: int
    epoch: int
    check: bytes


def label_of(sealed: bytes) -> Label:
    """The label of anything sealed; at least its first 17 bytes are needed.

    Raises Damaged `seal-not-sealed`, Refused `seal-unknown-version`.
    """
    if len(sealed) < PREFIX_BYTES or sealed[:2] != MAGIC:
        raise Damaged("seal-not-sealed")
    version, form, suite = sealed[2], sealed[3], sealed[4]
    if version != VERSION or suite not in SUITES:
        raise Refused("seal-unknown-version", version=version, suite=suite)
    return Label(form, suite, int.from_bytes(sealed[5:9], "big"), sealed[9:PREFIX_BYTES])


def key_for(keys: Keys, sealed: bytes, form: int) -> SealKey:
    """The key that sealed this, out of `keys`.

    Raises Damaged `seal-not-sealed`, Refused `seal-unknown-version`, NotAllowed `seal-wrong-key`, and what
    a `KeyOfEpoch` raises for an epoch it does not have.
    """
    label = label_of(sealed)
    if label.form != form:
        raise Damaged("seal-not-sealed")
    key = keys if isinstance(keys, SealKey) else keys(label.epoch)
    if key.prefix(form) != sealed[:PREFIX_BYTES]:
        raise NotAllowed("seal-wrong-key", epoch=label.epoch)
    return key


def seal(key: SealKey, plain: bytes, aad: bytes) -> bytes:
    """`plain` sealed for the place `aad` (see `bind`); 45 bytes longer."""
    return _seal_with(key, os.urandom(NONCE_BYTES), plain, aad)


def _seal_with(key: SealKey, nonce: bytes, plain: bytes, aad: bytes) -> bytes:
    prefix = key.value_prefix
    return prefix + nonce + key.value_cipher.encrypt(nonce, plain, prefix + aad)


def open_sealed(keys: Keys, sealed: bytes, aad: bytes) -> bytes:
    """What was sealed for the place `aad`.

    Raises NotAllowed `seal-wrong-key`; Damaged `seal-damaged` (or sealed for another place) and
    `seal-not-sealed`; Refused `seal-unknown-version`.
    """
    key = (
        keys
        if isinstance(keys, SealKey) and sealed.startswith(keys.value_prefix)
        else key_for(keys, sealed, VALUE)
    )
    try:
        return key.value_cipher.decrypt(
            sealed[PREFIX_BYTES:_CIPHER_AT], sealed[_CIPHER_AT:], key.value_prefix + aad
        )
    except (InvalidTag, ValueError):  # ValueError: the nonce is cut short
        raise Damaged("seal-damaged") from None


def seal_many(key: SealKey, plains: Sequence[bytes | None], aads: Sequence[bytes]) -> list[bytes | None]:
    """A column sealed, each value for its own place; None stays None. Raises ValueError if lengths differ."""
    prefix, encrypt = key.value_prefix, key.value_cipher.encrypt
    nonces = os.urandom(NONCE_BYTES * len(plains))
    places = range(0, len(nonces), NONCE_BYTES)
    return [
        None
        if plain is None
        else prefix + (nonce := nonces[at : at + NONCE_BYTES]) + encrypt(nonce, plain, prefix + aad)
        for plain, aad, at in zip(plains, aads, places, strict=True)
    ]


def open_many(keys: Keys, sealed: Sequence[bytes | None], aads: Sequence[bytes]) -> list[bytes | None]:
    """A column opened; None stays None. Values of several epochs may stand side by side.

    Raises what `open_sealed` raises; damage is `seal-damaged-row` with the position counted from 0.
    """
    opened: list[bytes | None] = []
    add = opened.append
    ciphers: dict[bytes, Aead] = {}
    for value, aad in zip(sealed, aads, strict=True):
        if value is None:
            add(None)
            continue
        prefix = value[:PREFIX_BYTES]
        cipher = ciphers.get(prefix)
        if cipher is None:
            cipher = ciphers[prefix] = key_for(keys, value, VALUE).value_cipher
        try:
            add(cipher.decrypt(value[PREFIX_BYTES:_CIPHER_AT], value[_CIPHER_AT:], prefix + aad))
        except (InvalidTag, ValueError):
            raise Damaged("seal-damaged-row", position=len(opened)) from None
    return opened


def epochs_in(sealed: Iterable[bytes | None]) -> dict[int, int]:
    """How many sealed values each epoch has, read without a key: what a rotation still has to do."""
    counts: dict[int, int] = {}
    for value in sealed:
        if value is not None:
            epoch = label_of(value).epoch
            counts[epoch] = counts.get(epoch, 0) + 1
    return counts
