"""The test vectors of docs/vault-format.md, computed once by the package and once from the page alone."""

from __future__ import annotations

import hashlib
import hmac
import json
import struct
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import blake3
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.ciphers.algorithms import SM4

from loanhub.keys import SealKey, Secret, VaultObject, vault_object
from sync_agent.vault import sealed
from sync_agent.vault.commits import Draft, KeyringMark, Link, open_commit, seal_commit
from sync_agent.vault.keys import VaultKeys, make_start, read_start
from sync_agent.vault.records import Record

PAGE = (Path(__file__).parents[2] / "docs" / "vault-format.md").read_text(encoding="utf-8")
VECTORS: dict[str, Any] = json.loads(PAGE.partition("```json\n")[2].partition("```")[0])
KEY, VAULT, OBJECT_ID, SEED, NONCE = (
    bytes.fromhex(VECTORS[name]) for name in ("key", "vault", "object_id", "device_seed", "nonce")
)
EPOCH = VECTORS["epoch"]
BLOBS = [(int(kind), text.encode()) for kind, text in VECTORS["blobs"]]
BODY, TIME = VECTORS["body"], VECTORS["time"]
HASH = {1: "sha256", 2: "sha256", 3: "sm3"}
KEY_BYTES = {1: 32, 2: 32, 3: 16}


# From the page alone --------------------------------------------------------------------------------------


def derive(suite: int, salt: bytes, label: bytes, extra: bytes, length: int) -> bytes:
    info = b"loanhub keys 1\0" + bytes([suite]) + label + b"\0" + extra
    start = hmac.new(salt or bytes(32), KEY, HASH[suite]).digest()
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


def raw_zstd(plain: bytes) -> bytes:
    """A zstd frame that compresses nothing: RFC 8878, one segment, one raw block, up to 255 bytes."""
    header = struct.pack("<IBB", 0xFD2FB528, 0x20, len(plain))
    return header + struct.pack("<I", len(plain) << 3 | 1)[:3] + plain


def big_zstd(plain: bytes) -> bytes:
    """The same for 256 to 65,791 bytes."""
    header = struct.pack("<IBH", 0xFD2FB528, 0x60, len(plain) - 256)
    return header + struct.pack("<I", len(plain) << 3 | 1)[:3] + plain


def frame(plain: bytes | memoryview) -> bytes:
    return raw_zstd(bytes(plain)) if len(plain) < 256 else big_zstd(bytes(plain))


def page_id(suite: int, kind: int, plain: bytes) -> bytes:
    key = derive(suite, VAULT, b"vault-ids", b"", 32)
    if suite == 3:
        return hmac.new(key, bytes([kind]) + plain, "sm3").digest()
    return blake3.blake3(bytes([kind]) + plain, key=key).digest()


def page_padme(size: int) -> int:
    e = size.bit_length() - 1
    s = (e.bit_length() - 1) + 1
    step = 1 << (e - s)
    return (size + step - 1) // step * step


def page_object(suite: int, type: int, blobs: list[tuple[int, bytes]]) -> bytes:
    check = derive(suite, b"", b"check", b"", 8)
    opening = struct.pack(">2sBBBI8s", b"LH", 1, 3, suite, EPOCH, check) + OBJECT_ID + bytes([type])
    derived = derive(suite, OBJECT_ID, b"object", opening, KEY_BYTES[suite] + 32)
    header = opening + derived[KEY_BYTES[suite] :]
    key, aad = derived[: KEY_BYTES[suite]], header + b"\0\0\0\x05vault" + b"\0\0\0\x20" + VAULT.hex().encode()
    data, kinds, lengths, ids = header, b"", b"", b""

    def piece(plain: bytes, last: bool) -> bytes:
        return encrypt(suite, key, bytes(3) + len(data).to_bytes(8, "big") + bytes([last]), plain, aad)

    for kind, plain in blobs:
        stored = piece(frame(plain), False)
        data, kinds = data + stored, kinds + bytes([kind])
        lengths, ids = lengths + len(stored).to_bytes(4, "big"), ids + page_id(suite, kind, plain)
    n = len(blobs) + 1
    size = len(data) + 16 + 37 * n + 16 + 4
    padding = piece(bytes(page_padme(size) - size), False)
    data += padding
    directory = kinds + b"\0" + lengths + len(padding).to_bytes(4, "big") + ids + bytes(32)
    return data + piece(directory, True) + n.to_bytes(4, "big")


def page_record(suite: int) -> bytes:
    lengths = [len(frame(plain)) + 16 for _, plain in BLOBS]
    return (
        OBJECT_ID
        + struct.pack(">III", EPOCH, len(page_object(suite, 1, BLOBS)), len(BLOBS))
        + bytes(kind for kind, _ in BLOBS)
        + b"".join(length.to_bytes(4, "big") for length in lengths)
        + b"".join(page_id(suite, kind, plain) for kind, plain in BLOBS)
    )


def page_start(suite: int) -> bytes:
    keyring = json.dumps(VECTORS["keyring"], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    line = f'{{"epoch":{EPOCH},"format":"loanhub-vault","keyring":{keyring},"suite":{suite},"version":1}}'
    return VAULT.hex().encode() + b"\n" + line.encode() + b"\n"


def page_hash(suite: int, stored: bytes) -> str:
    return hashlib.new(HASH[suite], stored).hexdigest()


def page_envelope(suite: int) -> bytes:
    start = page_hash(suite, page_start(suite))
    device = Ed25519PrivateKey.from_private_bytes(SEED)
    fields: dict[str, Any] = {
        "version": 1, "sequence": 1, "previous": start, "dead": [], "nonce": NONCE.hex(), "time": TIME,
        "device": device.public_key().public_bytes_raw().hex(), "keys": {"sequence": 0, "hash": start},
        "index": [page_id(suite, 5, page_record(suite)).hex()], "packs": 1, "base": None,
        "type": "snapshot", "body": BODY,
    }  # fmt: skip
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    fields["signature"] = device.sign(b"loanhub vault commit 1\0" + text).hex()
    return json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def page(suite: int) -> dict[str, object]:
    record, envelope = page_record(suite), page_envelope(suite)
    return {
        "id_key": derive(suite, VAULT, b"vault-ids", b"", 32).hex(),
        "chunk_seed": int.from_bytes(derive(suite, VAULT, b"vault-chunks", b"", 8), "big"),
        "device_key": derive(suite, VAULT, b"vault-device", b"", 32).hex(),
        "ids": [page_id(suite, kind, plain).hex() for kind, plain in BLOBS],
        "start_hash": page_hash(suite, page_start(suite)),
        "pack": page_object(suite, 1, BLOBS).hex(),
        "record": record.hex(),
        "envelope": envelope.decode(),
        "commit_hash": page_hash(suite, page_object(suite, 2, [(4, envelope), (5, record)])),
    }


# Both agree with the vectors ------------------------------------------------------------------------------


class OneKey:
    """A keyring that has one sealing key only."""

    current_epoch = EPOCH

    def __init__(self, suite: int) -> None:
        self.suite = suite

    def seal_key(self, name: str, epoch: int) -> SealKey:
        assert (name, epoch) == ("vault", EPOCH)
        return SealKey(self.suite, EPOCH, Secret(KEY))


class FixedKeys(VaultKeys):
    """Keys whose next object is always the one of the page."""

    def new_object(self, type: int) -> VaultObject:
        return vault_object(self.of_epoch(EPOCH), OBJECT_ID, type)


@pytest.fixture
def keys(suite: int) -> VaultKeys:
    content = make_start(VAULT.hex(), EPOCH, suite, json.dumps(VECTORS["keyring"]).encode())
    assert content == page_start(suite)
    return FixedKeys(OneKey(suite), read_start(content))  # type: ignore[arg-type]


@pytest.mark.parametrize("suite", [1, 2, 3])
def test_the_page_gives_its_vectors(suite: int) -> None:
    assert page(suite) == VECTORS["suites"][str(suite)]


@pytest.mark.parametrize("suite", [1, 2, 3])
def test_the_package_gives_the_vectors_of_the_page(
    suite: int, keys: VaultKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealed, "compress", frame)
    monkeypatch.setattr("sync_agent.vault.commits.os.urandom", lambda _: NONCE)
    frames = [sealed.Frame(kind, keys.blob_id(kind, plain), frame(plain)) for kind, plain in BLOBS]
    pack, directory = sealed.seal_object(keys.new_object(sealed.PACK), keys.aad, frames)
    record = Record(OBJECT_ID, EPOCH, len(pack), directory).to_bytes()
    start = keys.chain_hash(keys.start.content).hex()
    now = datetime.strptime(TIME, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    link = Link(1, start, (), KeyringMark(0, start), Secret(SEED), now)
    commit, stored = seal_commit(keys, Draft("snapshot", BODY, [record], 1), link)
    opened = sealed.open_object(keys.of_epoch, keys.aad, stored, sealed.COMMIT, "c/0000000001")
    ours = {
        "id_key": keys._derived("vault-ids").hex(),
        "chunk_seed": keys.chunk_seed,
        "device_key": keys.device_lock.secret.reveal().hex(),
        "ids": [keys.blob_id(kind, plain).hex() for kind, plain in BLOBS],
        "start_hash": start,
        "pack": pack.hex(),
        "record": record.hex(),
        "envelope": opened.plain(0).decode(),
        "commit_hash": commit.hash,
    }
    assert ours == VECTORS["suites"][str(suite)]


@pytest.mark.parametrize("suite", [1, 2, 3])
def test_the_vectors_open(suite: int, keys: VaultKeys) -> None:
    expected = VECTORS["suites"][str(suite)]
    pack = sealed.open_object(keys.of_epoch, keys.aad, bytes.fromhex(expected["pack"]), sealed.PACK, "p")
    assert [pack.plain(position) for position in range(len(BLOBS))] == [plain for _, plain in BLOBS]
    stored = page_object(suite, 2, [(4, page_envelope(suite)), (5, page_record(suite))])
    commit, [record] = open_commit(keys, 1, stored)
    assert (commit.body, commit.hash) == (BODY, expected["commit_hash"])
    assert record.to_bytes().hex() == expected["record"]


def test_sizes_are_padded_as_the_page_says() -> None:
    for size, padded in VECTORS["padme"]:
        assert sealed.padme(size) == page_padme(size) == padded
    for size in range(100, 5000):
        assert sealed.padme(size) == page_padme(size) < 1.12 * size
