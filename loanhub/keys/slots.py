"""Slot kinds: the ways a master key is locked away, and the three whose secret both locks and opens.

docs/keys.md section 2 lists them. A kind is asked with what stands in the keyring and a secret, and answers
with the master key or says why not.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from argon2.exceptions import HashingError
from argon2.low_level import Type, hash_secret_raw
from attrs import field, frozen

from loanhub.errors import Busy, Damaged, Misconfigured, NotAllowed, Usage
from loanhub.keys.recovery import looks_like_recovery_key, read_recovery_text
from loanhub.keys.secret import Secret, bind, plain_word
from loanhub.keys.suites import KEY_BYTES, suite_of
from loanhub.keys.values import SealKey, open_sealed, seal

Parameters = Mapping[str, int | str]

SALT_BYTES: Final = 16
ARGON2_DEFAULT: Final[Parameters] = MappingProxyType({"memory_kib": 64 * 1024, "time": 3, "lanes": 4})
ARGON2_MOST: Final[Parameters] = MappingProxyType({"memory_kib": 2 * 1024 * 1024, "time": 64, "lanes": 64})
NOTHING: Final[Parameters] = MappingProxyType({})


@frozen
class SlotPlace:
    """Which slot of which home is being wrapped or opened; `aad` ties the wrapped key to it."""

    home: str
    slot: str
    kind: str
    suite: int

    @property
    def aad(self) -> bytes:
        """Associated data for `seal`, or an encryption context for a key service."""
        return bind("slot", self.home, self.slot, self.kind)


@frozen
class Wrapped:
    """What a slot keeps: none of it is secret. `parameters` are text or whole numbers."""

    salt: bytes
    parameters: Parameters
    key: bytes


@frozen
class SlotKind:
    """One way to lock the master key away.

    wrap(master, secret, place, parameters) locks; `parameters` come from settings and may be empty.
    unwrap(wrapped, secret, place) opens, and raises NotAllowed when the secret is not the one, Damaged when
    what is kept cannot be right, Misconfigured for parameters it does not know, Busy when a service does not
    answer: then other slots are tried. Usage, for a secret that cannot be one, ends the attempt.
    accepts(secret) tells cheaply whether the secret can be meant for this kind.
    same_secret is False where a public key wraps and a private key opens: such a slot cannot be tried before
    it is kept.
    """

    kind: str
    wrap: Callable[[Secret, Secret, SlotPlace, Parameters], Wrapped]
    unwrap: Callable[[Wrapped, Secret, SlotPlace], Secret]
    accepts: Callable[[Secret], bool]
    same_secret: bool = True

    @property
    def name(self) -> str:
        """The kind: two plugins may not claim one."""
        return self.kind


def wrap_master(master: Secret, slot_key: Secret, place: SlotPlace) -> bytes:
    """The master sealed with 32 bytes of slot key: what most kinds put into `Wrapped.key`."""
    return seal(SealKey(place.suite, 0, slot_key), master.reveal(), place.aad)


def unwrap_master(wrapped: bytes, slot_key: Secret, place: SlotPlace, wrong: str) -> Secret:
    """The master. Raises NotAllowed with the code `wrong`, Damaged `keyring-slot-damaged`."""
    try:
        return Secret(open_sealed(SealKey(place.suite, 0, slot_key), wrapped, place.aad))
    except NotAllowed:
        raise NotAllowed(wrong) from None
    except Damaged:
        raise Damaged("keyring-slot-damaged", slot=place.slot) from None


# A passphrase ---------------------------------------------------------------------------------------------


def _passphrase_key(secret: Secret, salt: bytes, parameters: Parameters, place: SlotPlace) -> Secret:
    memory, time, lanes = _argon2_numbers(parameters, place)
    text = Secret(unicodedata.normalize("NFC", secret.text() or "")).reveal()
    if not text:
        raise Usage("passphrase-empty")
    try:
        key = hash_secret_raw(text, salt, time, memory, lanes, KEY_BYTES, Type.ID)
    except HashingError:
        raise Busy("passphrase-no-memory", mebibytes=memory // 1024) from None
    return Secret(key)


def _argon2_numbers(parameters: Parameters, place: SlotPlace) -> tuple[int, int, int]:
    """Memory in KiB, passes, lanes. The bounds keep a forged keyring from eating the machine."""
    _only(parameters, ARGON2_MOST, place)
    numbers = {name: parameters.get(name) for name in ARGON2_MOST}
    memory, time, lanes = numbers["memory_kib"], numbers["time"], numbers["lanes"]
    if not (isinstance(memory, int) and isinstance(time, int) and isinstance(lanes, int)):
        raise Damaged("keyring-slot-damaged", slot=place.slot)
    for name, number in (("time", time), ("lanes", lanes), ("memory_kib", memory)):
        most = ARGON2_MOST[name]
        least = 8 * lanes if name == "memory_kib" else 1
        if not least <= number <= int(most):
            raise Misconfigured("keyring-parameter", slot=place.slot, name=name, least=least, most=most)
    return memory, time, lanes


def _wrap_passphrase(master: Secret, secret: Secret, place: SlotPlace, parameters: Parameters) -> Wrapped:
    salt, chosen = os.urandom(SALT_BYTES), {**ARGON2_DEFAULT, **parameters}
    slot_key = _passphrase_key(secret, salt, chosen, place)
    return Wrapped(salt, chosen, wrap_master(master, slot_key, place))


def _unwrap_passphrase(wrapped: Wrapped, secret: Secret, place: SlotPlace) -> Secret:
    if len(wrapped.salt) != SALT_BYTES:
        raise Damaged("keyring-slot-damaged", slot=place.slot)
    slot_key = _passphrase_key(secret, wrapped.salt, wrapped.parameters, place)
    return unwrap_master(wrapped.key, slot_key, place, "wrong-passphrase")


def _is_text(secret: Secret) -> bool:
    return secret.text() is not None


# Secrets with so much chance in them that no slow derivation is needed ------------------------------------


@frozen
class StrongSlot:
    """The two built-in kinds whose secret is random: they differ in how the secret is read."""

    kind: str
    wrong: str
    read: Callable[[Secret], bytes] = field(repr=False)

    def wrap(self, master: Secret, secret: Secret, place: SlotPlace, parameters: Parameters) -> Wrapped:
        """Locks the master under a key derived from the secret and a new salt."""
        _only(parameters, NOTHING, place)
        salt = os.urandom(SALT_BYTES)
        return Wrapped(salt, NOTHING, wrap_master(master, self._slot_key(secret, salt, place), place))

    def unwrap(self, wrapped: Wrapped, secret: Secret, place: SlotPlace) -> Secret:
        """The master. Raises NotAllowed, Damaged, Misconfigured, and Usage for a mistyped recovery key."""
        _only(wrapped.parameters, NOTHING, place)
        return unwrap_master(wrapped.key, self._slot_key(secret, wrapped.salt, place), place, self.wrong)

    def _slot_key(self, secret: Secret, salt: bytes, place: SlotPlace) -> Secret:
        return Secret(suite_of(place.suite).derive(self.read(secret), salt, f"slot-{self.kind}"))


def _read_recovery(secret: Secret) -> bytes:
    return read_recovery_text(secret.text() or "")


def _read_key_file(secret: Secret) -> bytes:
    if not _is_key_file(secret):
        raise Usage("key-file-length", found=len(secret), expected=KEY_BYTES)
    return secret.reveal()


def _is_recovery(secret: Secret) -> bool:
    return looks_like_recovery_key(secret.text() or "")


def _is_key_file(secret: Secret) -> bool:
    return secret.text() is None and len(secret) == KEY_BYTES


def _only(parameters: Parameters, known: Parameters, place: SlotPlace) -> None:
    for name in sorted(set(parameters) - set(known)):
        raise Misconfigured("keyring-unknown-field", field=f"slots.{place.slot}.{plain_word(name)}")


_RECOVERY: Final = StrongSlot("recovery", "wrong-recovery-key", _read_recovery)
_KEY_FILE: Final = StrongSlot("key-file", "wrong-key-file", _read_key_file)

RECOVERY_SLOT: Final = SlotKind("recovery", _RECOVERY.wrap, _RECOVERY.unwrap, _is_recovery)
KEY_FILE_SLOT: Final = SlotKind("key-file", _KEY_FILE.wrap, _KEY_FILE.unwrap, _is_key_file)
PASSPHRASE_SLOT: Final = SlotKind("passphrase", _wrap_passphrase, _unwrap_passphrase, _is_text)
