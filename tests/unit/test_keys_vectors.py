"""The test vectors of docs/keys.md, computed once by the package and once from the page alone."""

from __future__ import annotations

import base64
import hashlib
import hmac
import io
import json
import struct
from pathlib import Path
from typing import Any

import pytest
from argon2.low_level import Type, hash_secret_raw
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.ciphers.algorithms import SM4

from loanhub.keys import (
    BUILT_IN_SLOTS,
    BlindKey,
    SealKey,
    Secret,
    SlotPlace,
    Wrapped,
    bind,
    blind,
    open_file,
    open_sealed,
    public_line_of,
    stream,
    wrap_master,
)
from loanhub.keys import slots as slot_module
from loanhub.keys.purposes import derive_purpose
from loanhub.keys.recovery import read_recovery_text, recovery_text
from loanhub.keys.values import _seal_with

PAGE = (Path(__file__).parents[2] / "docs" / "keys.md").read_text(encoding="utf-8")
VECTORS: dict[str, Any] = json.loads(PAGE.partition("```json\n")[2].partition("```")[0])
KEY, HOME, NONCE, OBJECT_ID, AAD = (
    bytes.fromhex(VECTORS[name]) for name in ("key", "home", "nonce", "object_id", "aad")
)
EPOCH, POWER, PLAIN = VECTORS["epoch"], VECTORS["chunk_power"], VECTORS["plain"].encode()
LONG = bytes(7 * at % 256 for at in range(65541))
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
HASH = {1: "sha256", 2: "sha256", 3: "sm3"}
KEY_BYTES = {1: 32, 2: 32, 3: 16}


# From the page alone --------------------------------------------------------------------------------------


def derive(suite: int, key: bytes, salt: bytes, label: bytes, extra: bytes, length: int) -> bytes:
    info = b"loanhub keys 1\0" + bytes([suite]) + label + b"\0" + extra
    start = hmac.new(salt or bytes(32), key, HASH[suite]).digest()
    out = block = b""
    while len(out) < length:
        block = hmac.new(start, block + info + bytes([len(out) // 32 + 1]), HASH[suite]).digest()
        out += block
    return out[:length]


def encrypt(suite: int, key: bytes, nonce: bytes, plain: bytes, aad: bytes) -> bytes:
    if suite < 3:
        return (AESGCM if suite == 1 else ChaCha20Poly1305)(key).encrypt(nonce, plain, aad)
    step = Cipher(SM4(key), modes.GCM(nonce)).encryptor()
    step.authenticate_additional_data(aad)
    return step.update(plain) + step.finalize() + step.tag


def prefix(form: int, suite: int) -> bytes:
    check = derive(suite, KEY, b"", b"check", b"", 8)
    return struct.pack(">2sBBBI8s", b"LH", 1, form, suite, EPOCH, check)


def page_value(suite: int) -> bytes:
    start, key = prefix(1, suite), derive(suite, KEY, b"", b"value", b"", KEY_BYTES[suite])
    return start + NONCE + encrypt(suite, key, NONCE, PLAIN, start + AAD)


def page_stream(suite: int, plain: bytes) -> bytes:
    opening, length = prefix(2, suite) + OBJECT_ID + bytes([POWER]), KEY_BYTES[suite]
    derived = derive(suite, KEY, OBJECT_ID, b"object", opening, length + 32)
    header = opening + derived[length:]
    chunks = [plain[at : at + 65536] for at in range(0, len(plain), 65536)] or [b""]
    sealed = [
        encrypt(suite, derived[:length], struct.pack(">3xQB", at, at + 1 == len(chunks)), chunk, header + AAD)
        for at, chunk in enumerate(chunks)
    ]
    return header + b"".join(sealed)


def page_blind(suite: int) -> bytes:
    key = derive(suite, KEY, b"", b"blind", b"", 32)
    person = hashlib.blake2b(VECTORS["field"].encode(), digest_size=16).digest()
    if suite == 3:
        return hmac.new(key, person + PLAIN, "sm3").digest()[:16]
    return hashlib.blake2b(PLAIN, key=key, digest_size=16, person=person).digest()


def times(one: int, two: int) -> int:
    """Product in GF(32), x^5 + x^2 + 1."""
    product = 0
    for bit in range(5):
        if two >> bit & 1:
            product ^= one << bit
    for bit in (8, 7, 6, 5):
        if product >> bit & 1:
            product ^= 0b100101 << (bit - 5)
    return product


def page_recovery(key: bytes) -> str:
    bits = f"{int.from_bytes(key, 'big'):0160b}"
    bits += f"{int.from_bytes(hashlib.sha256(b'loanhub recovery key 1' + key).digest(), 'big'):0256b}"[:20]
    symbols = [int(bits[at : at + 5], 2) for at in range(0, 180, 5)]
    groups = []
    for j in range(1, 10):
        a, b, c, d = symbols[4 * j - 4 : 4 * j]
        check = times(2, a) ^ times(4, b) ^ times(8, c) ^ times(16, d) ^ j
        groups.append("".join(ALPHABET[symbol] for symbol in (a, b, c, d, check)))
    return "-".join(groups)


# Both agree with the vectors ------------------------------------------------------------------------------


@pytest.mark.parametrize("suite", [1, 2, 3])
def test_sealed_values_files_and_indexes_are_those_of_the_page(suite: int) -> None:
    expected, key = VECTORS["suites"][str(suite)], SealKey(suite, EPOCH, Secret(KEY))
    empty, long = io.BytesIO(), io.BytesIO()
    stream._seal_into(stream._object_with(key, OBJECT_ID, POWER), io.BytesIO(), empty, AAD)
    stream._seal_into(stream._object_with(key, OBJECT_ID, POWER), io.BytesIO(LONG), long, AAD)
    ours = {
        "check": key.check,
        "purpose_database": derive_purpose(HOME.hex(), "database", EPOCH, suite, Secret(KEY)).reveal(),
        "value": _seal_with(key, NONCE, PLAIN, AAD),
        "stream_empty": empty.getvalue(),
        "stream_sha256": hashlib.sha256(long.getvalue()).digest(),
        "blind": blind(BlindKey(suite, EPOCH, VECTORS["field"], Secret(KEY)), PLAIN.decode()),
    }
    page = {
        "check": derive(suite, KEY, b"", b"check", b"", 8),
        "purpose_database": derive(suite, KEY, HOME, b"purpose", b"database", 32),
        "value": page_value(suite),
        "stream_empty": page_stream(suite, b""),
        "stream_sha256": hashlib.sha256(page_stream(suite, LONG)).digest(),
        "blind": page_blind(suite),
    }
    assert {name: found.hex() for name, found in ours.items()} == expected
    assert {name: found.hex() for name, found in page.items()} == expected


@pytest.mark.parametrize("suite", [1, 2, 3])
def test_the_vectors_open(suite: int) -> None:
    expected, key = VECTORS["suites"][str(suite)], SealKey(suite, EPOCH, Secret(KEY))
    assert open_sealed(key, bytes.fromhex(expected["value"]), AAD) == PLAIN
    assert list(open_file(key, io.BytesIO(bytes.fromhex(expected["stream_empty"])), AAD)) == [b""]
    assert b"".join(open_file(key, io.BytesIO(page_stream(suite, LONG)), AAD)) == LONG


def test_the_place_of_the_vectors_is_bound_as_the_page_says() -> None:
    assert bind(*VECTORS["aad_parts"]) == AAD


def test_the_recovery_key_is_that_of_the_page() -> None:
    expected = VECTORS["recovery"]
    key, salt = bytes.fromhex(expected["bytes"]), bytes.fromhex(expected["salt"])
    assert page_recovery(key) == recovery_text(key) == expected["text"]
    assert read_recovery_text(expected["text"]) == key
    assert derive(1, key, salt, b"slot-recovery", b"", 32).hex() == expected["slot_key"]
    place = SlotPlace("0" * 32, "0" * 8, "recovery", 1)
    slot_key = slot_module._RECOVERY._slot_key(Secret(expected["text"]), salt, place)
    assert slot_key.reveal().hex() == expected["slot_key"]


def test_the_slot_key_of_a_passphrase_is_that_of_the_page() -> None:
    expected = VECTORS["passphrase"]
    salt, numbers = (
        bytes.fromhex(expected["salt"]),
        {name: expected[name] for name in ("memory_kib", "time", "lanes")},
    )
    text = expected["text"].encode()
    page = hash_secret_raw(
        text, salt, numbers["time"], numbers["memory_kib"], numbers["lanes"], 32, Type.ID, 0x13
    )
    place = SlotPlace("0" * 32, "0" * 8, "passphrase", 1)
    ours = slot_module._passphrase_key(Secret(expected["text"]), salt, numbers, place)
    assert page.hex() == ours.reveal().hex() == expected["slot_key"]


def test_sm4_in_counter_mode_gives_the_published_example() -> None:
    """RFC 8998 appendix A.1: SM4-GCM."""
    key, nonce = bytes.fromhex("0123456789abcdeffedcba9876543210"), bytes.fromhex("00001234567800000000abcd")
    plain = bytes.fromhex(
        "aa" * 8 + "bb" * 8 + "cc" * 8 + "dd" * 8 + "ee" * 8 + "ff" * 8 + "ee" * 8 + "aa" * 8
    )
    aad = bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2")
    from loanhub.keys.suites import Sm4Gcm

    sealed = Sm4Gcm(key).encrypt(nonce, plain, aad)
    assert sealed[-16:].hex() == "83de3541e4c2b58177e065a9bf7b62ec"
    assert sealed[:16].hex() == "17f399f08c67d5ee19d0dc9969c4bb7d"
    assert Sm4Gcm(key).decrypt(nonce, sealed, aad) == plain


def page_pair(prefix: str, key: bytes) -> str:
    check = hashlib.sha256(prefix.encode() + b"1" + key).digest()[:4]
    return prefix + base64.b32encode(key + check).decode().rstrip("=").lower()


def test_the_slot_key_of_a_public_key_is_that_of_the_page() -> None:
    expected = VECTORS["public"]
    private, once = (
        X25519PrivateKey.from_private_bytes(bytes.fromhex(expected[name])) for name in ("private", "once")
    )
    owner, sent = (key.public_key().public_bytes_raw() for key in (private, once))
    assert (owner.hex(), sent.hex()) == (expected["public"], expected["salt"])
    assert page_pair("loanhub-private-", bytes.fromhex(expected["private"])) == expected["private_text"]
    assert page_pair("loanhub-public-", owner) == expected["public_text"]
    assert public_line_of(Secret(expected["private_text"])) == expected["public_text"]
    slot_key = derive(1, private.exchange(once.public_key()), sent + owner, b"slot-public", b"", 32)
    assert slot_key.hex() == expected["slot_key"]
    place = SlotPlace("0" * 32, "0" * 8, "public", 1)
    master = Secret(bytes(32))
    wrapped = Wrapped(sent, {"public": owner.hex()}, wrap_master(master, Secret(slot_key), place))
    assert BUILT_IN_SLOTS["public"].unwrap(wrapped, Secret(expected["private_text"]), place) == master
