"""Workbooks behind a password, for tests: .xlsx as Excel encrypts it, and an .xls of 1997 under RC4."""

from __future__ import annotations

import struct
from hashlib import md5
from pathlib import Path
from typing import Any

from cryptography.hazmat.decrepit.ciphers.algorithms import ARC4
from cryptography.hazmat.primitives.ciphers import Cipher
from msoffcrypto.method.ecma376_agile import ECMA376Agile

SALT = bytes(range(16))
SECTOR = 512
FREE, END, TABLE = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD


def lock_xlsx(plain: Path, locked: Path, password: str) -> Path:
    """`plain` once more behind a password (agile encryption, as Excel does today)."""
    assert plain.stat().st_size > 4096, "msoffcrypto 6.1 loses the end of smaller ones when it encrypts"
    with plain.open("rb") as source:
        locked.write_bytes(ECMA376Agile.encrypt(password, source))
    return locked


def locked_xls(path: Path, password: str, numbers: list[float]) -> Path:
    """One sheet with `numbers` in its first column, encrypted as Excel 97 did ([MS-XLS] 2.2.10)."""
    path.write_bytes(compound("Workbook", _encrypted(_records(password, numbers), password)))
    return path


def compound(name: str, stream: bytes) -> bytes:
    """A compound file with one stream of at least 4,096 bytes ([MS-CFB])."""
    stream = stream.ljust(4096 + len(stream) % 4, b"\0")  # in an .xls: empty records
    sectors = -(-len(stream) // SECTOR)
    table = [TABLE, END, *range(3, sectors + 2), END]
    assert len(table) <= SECTOR // 4
    header = struct.pack("<8s16x5H6x8I", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", 0x3E, 3, 0xFFFE, 9, 6,
                         0, 1, 1, 0, 4096, END, 0, END)  # fmt: skip
    header += struct.pack("<I109I", 0, 0, *[FREE] * 108)
    packed = struct.pack("<128I", *table, *[FREE] * (128 - len(table)))
    entries = _entry("Root Entry", 5, 1, END, 0) + _entry(name, 2, FREE, 2, len(stream))
    directory = entries + _entry("", 0, FREE, 0, 0) * 2
    return header + packed + directory + stream.ljust(sectors * SECTOR, b"\0")


def _entry(name: str, kind: int, child: int, start: int, size: int) -> bytes:
    text = name.encode("utf-16-le")
    length = len(text) + 2 if text else 0
    return struct.pack("<64sHBB3I36xIQ", text, length, kind, 1, FREE, FREE, child, start, size)


def _record(number: int, content: bytes = b"") -> bytes:
    return struct.pack("<HH", number, len(content)) + content


def _records(password: str, numbers: list[float]) -> bytes:
    begin = struct.pack("<HHHHII", 0x0600, 0x0005, 0x0DBB, 0x07CC, 0, 6)
    verifier = bytes(16)
    proof = _rc4(password, 0).update(verifier + md5(verifier).digest())
    book = _record(0x809, begin) + _record(0x2F, struct.pack("<HHH", 1, 1, 1) + SALT + proof)
    book += _record(0x42, struct.pack("<H", 1200))
    start = len(book) + 4 + 8 + len("Old") + 4
    book += _record(0x85, struct.pack("<IHBB", start, 0, 3, 0) + b"Old") + _record(0x0A)
    book += _record(0x809, begin.replace(b"\x05\x00", b"\x10\x00", 1))
    for row, number in enumerate(numbers):
        book += _record(0x203, struct.pack("<HHHd", row, 0, 0, number))
    return book + _record(0x0A)


def _encrypted(plain: bytes, password: str) -> bytes:
    """Contents of records encrypted, but for BOF and FilePass, and the place of a sheet."""
    mask = b"".join(_rc4(password, block).update(bytes(1024)) for block in range(len(plain) // 1024 + 1))
    found, at = bytearray(plain), 0
    while at < len(plain):
        number, size = struct.unpack_from("<HH", plain, at)
        first = at + 4 + (4 if number == 0x85 else size if number in (0x809, 0x2F) else 0)
        at += 4 + size
        found[first:at] = bytes(a ^ b for a, b in zip(plain[first:at], mask[first:at], strict=True))
    return bytes(found)


def _rc4(password: str, block: int) -> Any:
    short = md5(password.encode("utf-16-le")).digest()[:5]
    key = md5(md5((short + SALT) * 16).digest()[:5] + struct.pack("<I", block)).digest()
    return Cipher(ARC4(key), mode=None).encryptor()
