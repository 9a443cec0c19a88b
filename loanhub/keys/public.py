"""The slot of a public recovery key: anybody may lock for its owner, and only the owner's private key opens.

The pair is made on another machine, whose owner keeps the private key there and hands over one line of text.
X25519 (RFC 7748) with a new key for every slot; docs/keys.md sections 2 and 3 are the format.
"""

from __future__ import annotations

import binascii
import hashlib
import unicodedata
from base64 import b32decode, b32encode
from typing import Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from loanhub.errors import Damaged, Misconfigured, NotAllowed, Usage
from loanhub.keys.secret import Secret, plain_word
from loanhub.keys.slots import Parameters, SlotKind, SlotPlace, Wrapped, unwrap_master, wrap_master
from loanhub.keys.suites import KEY_BYTES, suite_of

KIND: Final = "public"
PUBLIC: Final = "loanhub-public-"
PRIVATE: Final = "loanhub-private-"
_CHECK_BYTES: Final = 4
_SYMBOLS: Final = 58  # of 36 bytes, without padding


def new_pair() -> tuple[Secret, str]:
    """A private key as text, to be kept away from here, and the public line to be handed over."""
    private = X25519PrivateKey.generate()
    return Secret(_text(PRIVATE, private.private_bytes_raw())), public_line(private.public_key())


def public_line(key: X25519PublicKey) -> str:
    """A public key as the line of text that is handed over."""
    return _text(PUBLIC, key.public_bytes_raw())


def public_line_of(private: Secret) -> str:
    """The public line that belongs to a private key. Raises Usage("pair-text")."""
    return public_line(_private(private).public_key())


def is_private_key(text: str) -> bool:
    """Whether a text is meant as a private key, rightly copied or not."""
    return _plain(text).startswith(PRIVATE)


def _wrap(master: Secret, secret: Secret, place: SlotPlace, parameters: Parameters) -> Wrapped:
    if parameters:
        raise Misconfigured(
            "keyring-unknown-field", field=f"slots.{place.slot}.{plain_word(min(parameters))}"
        )
    owner = _bytes(PUBLIC, secret.text() or "")
    once = X25519PrivateKey.generate()
    sent = once.public_key().public_bytes_raw()
    slot_key = _slot_key(once, owner, sent + owner, place)
    return Wrapped(sent, {"public": owner.hex()}, wrap_master(master, slot_key, place))


def _unwrap(wrapped: Wrapped, secret: Secret, place: SlotPlace) -> Secret:
    owner = _owner(wrapped, place)
    private = _private(secret)
    if private.public_key().public_bytes_raw() != owner:
        raise NotAllowed("wrong-private-key")
    slot_key = _slot_key(private, wrapped.salt, wrapped.salt + owner, place)
    return unwrap_master(wrapped.key, slot_key, place, "wrong-private-key")


def _accepts(secret: Secret) -> bool:
    return is_private_key(secret.text() or "")


PUBLIC_SLOT: Final = SlotKind(KIND, _wrap, _unwrap, _accepts, same_secret=False)


def _owner(wrapped: Wrapped, place: SlotPlace) -> bytes:
    unknown = sorted(set(wrapped.parameters) - {"public"})
    if unknown:
        raise Misconfigured("keyring-unknown-field", field=f"slots.{place.slot}.{plain_word(unknown[0])}")
    told = wrapped.parameters.get("public")
    try:
        owner = bytes.fromhex(told) if isinstance(told, str) else b""
    except ValueError:
        owner = b""
    if len(owner) != KEY_BYTES or len(wrapped.salt) != KEY_BYTES:
        raise Damaged("keyring-slot-damaged", slot=place.slot)
    return owner


def _slot_key(mine: X25519PrivateKey, theirs: bytes, both: bytes, place: SlotPlace) -> Secret:
    """Raises Damaged for a point of low order, with which everybody would get the same key."""
    try:
        shared = mine.exchange(X25519PublicKey.from_public_bytes(theirs))
    except ValueError:
        raise Damaged("keyring-slot-damaged", slot=place.slot) from None
    return Secret(suite_of(place.suite).derive(shared, both, "slot-public"))


def _private(secret: Secret) -> X25519PrivateKey:
    return X25519PrivateKey.from_private_bytes(_bytes(PRIVATE, secret.text() or ""))


# As text --------------------------------------------------------------------------------------------------


def _text(prefix: str, key: bytes) -> str:
    return prefix + b32encode(key + _check(prefix, key)).decode("ascii").rstrip("=").lower()


def _bytes(prefix: str, text: str) -> bytes:
    """The 32 bytes of a key as text. Raises Usage("pair-text"): another kind of text, cut short, mistyped."""
    plain = _plain(text)
    symbols = plain.removeprefix(prefix)
    if plain == symbols or len(symbols) != _SYMBOLS:
        raise Usage("pair-text", prefix=prefix)
    try:
        found = b32decode(symbols.upper() + "=" * (-_SYMBOLS % 8))
    except (binascii.Error, ValueError):
        raise Usage("pair-text", prefix=prefix) from None
    key, check = found[:KEY_BYTES], found[KEY_BYTES:]
    if check != _check(prefix, key) or _text(prefix, key) != plain:
        raise Usage("pair-text", prefix=prefix)
    return key


def _check(prefix: str, key: bytes) -> bytes:
    return hashlib.sha256(f"{prefix}1".encode("ascii") + key).digest()[:_CHECK_BYTES]


def _plain(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).split()).lower()
