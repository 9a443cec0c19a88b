"""The suites: which cipher, hash and blind index belong to a suite number, and how keys are derived.

docs/keys.md section 1 is the format. Suite 3 is 国密 (SM4-GCM, SM3).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from attrs import frozen
from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.ciphers.algorithms import SM4
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from loanhub.errors import Misconfigured

KEY_BYTES: Final = 32
CHECK_BYTES: Final = 8
NONCE_BYTES: Final = 12
TAG_BYTES: Final = 16
BLIND_BYTES: Final = 16
DEFAULT_SUITE: Final = 1

Bytes = bytes | memoryview


class Sm4Gcm:
    """SM4-GCM with the methods of the library's one-shot ciphers, which have no SM4."""

    def __init__(self, key: bytes) -> None:
        self._key = SM4(key)

    def encrypt(self, nonce: bytes, data: Bytes, associated_data: bytes) -> bytes:
        """Ciphertext followed by the 16 bytes of the tag."""
        step = Cipher(self._key, modes.GCM(nonce)).encryptor()
        step.authenticate_additional_data(associated_data)
        return step.update(data) + step.finalize() + step.tag

    def decrypt(self, nonce: bytes, data: Bytes, associated_data: bytes) -> bytes:
        """The plain bytes. Raises InvalidTag."""
        if len(data) < TAG_BYTES:
            raise InvalidTag
        step = Cipher(self._key, modes.GCM(nonce, bytes(data[-TAG_BYTES:]))).decryptor()
        step.authenticate_additional_data(associated_data)
        return step.update(data[:-TAG_BYTES]) + step.finalize()


Aead = AESGCM | ChaCha20Poly1305 | Sm4Gcm
Digest = Callable[[bytes], bytes]


@frozen
class Suite:
    """One choice of primitives; `key_bytes` is the length of the cipher's key."""

    number: int
    name: str
    key_bytes: int
    cipher: Callable[[bytes], Aead]
    hash: Callable[[], hashes.HashAlgorithm]
    blinder: Callable[[bytes, bytes], Digest]

    def derive(
        self, key: bytes, salt: bytes, label: str, extra: bytes = b"", length: int = KEY_BYTES
    ) -> bytes:
        """`length` bytes for one use of `key`; docs/keys.md section 1 lists the labels."""
        info = b"loanhub keys 1\0" + bytes([self.number]) + label.encode("ascii") + b"\0" + extra
        return HKDF(self.hash(), length, salt or None, info).derive(key)

    def digest(self, message: bytes) -> bytes:
        """The suite's hash of a message, 32 bytes."""
        step = hashes.Hash(self.hash())
        step.update(message)
        return step.finalize()

    def mac(self, key: bytes, message: bytes) -> bytes:
        """HMAC with the suite's hash, 32 bytes."""
        step = hmac.HMAC(key, self.hash())
        step.update(message)
        return step.finalize()


def _blake2b(key: bytes, person: bytes) -> Digest:
    fresh = hashlib.blake2b(key=key, digest_size=BLIND_BYTES, person=person).copy

    def digest(text: bytes) -> bytes:
        step = fresh()
        step.update(text)
        return step.digest()

    return digest


def _hmac_sm3(key: bytes, person: bytes) -> Digest:
    start = hmac.HMAC(key, hashes.SM3())
    start.update(person)

    def digest(text: bytes) -> bytes:
        step = start.copy()
        step.update(text)
        return step.finalize()[:BLIND_BYTES]

    return digest


SUITES: Final[Mapping[int, Suite]] = MappingProxyType(
    {
        1: Suite(1, "AES-256-GCM", 32, AESGCM, hashes.SHA256, _blake2b),
        2: Suite(2, "ChaCha20-Poly1305", 32, ChaCha20Poly1305, hashes.SHA256, _blake2b),
        3: Suite(3, "SM4-GCM", 16, Sm4Gcm, hashes.SM3, _hmac_sm3),
    }
)


def suite_of(number: int) -> Suite:
    """The suite with that number. Raises Misconfigured `suite-unknown`."""
    suite = SUITES.get(number)
    if suite is None:
        raise Misconfigured("suite-unknown", suite=number)
    return suite


def usable_suite(number: int) -> Suite:
    """The suite, tried once, for a new keyring or epoch.

    Raises Misconfigured `suite-unknown`, or `suite-missing` when the installed OpenSSL lacks it.
    """
    suite = suite_of(number)
    try:
        suite.derive(bytes(KEY_BYTES), b"", "check")
        suite.cipher(bytes(suite.key_bytes)).encrypt(bytes(NONCE_BYTES), b"", b"")
    except UnsupportedAlgorithm as problem:
        raise Misconfigured("suite-missing", suite=number, name=suite.name) from problem
    return suite
