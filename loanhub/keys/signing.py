"""Signatures: who wrote something, provable to everybody and forgeable by nobody else. Ed25519, RFC 8032."""

from __future__ import annotations

import os
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from loanhub.keys.secret import Secret

SEED_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64


def new_signing_key() -> Secret:
    """The 32 secret bytes (seed) of a new key."""
    return Secret(os.urandom(SEED_BYTES))


def public_key(signing_key: Secret) -> bytes:
    """The 32 bytes by which signatures of that key are checked; not secret."""
    return _private(signing_key).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def sign(signing_key: Secret, message: bytes) -> bytes:
    """The signature, 64 bytes. Say in `message` what it is for, so that no other message reads the same."""
    return _private(signing_key).sign(message)


def signed_by(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether whoever has the key of `public` signed `message`."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _private(signing_key: Secret) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(signing_key.reveal())
