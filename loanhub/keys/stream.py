"""Sealed files: any length in bounded memory, a fresh key for each, and no cut, swap or repeat goes unseen.

docs/keys.md section 4 is the format. `ObjectCipher` is the part the vault's objects share.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Callable, Iterator
from typing import BinaryIO, Final

from attrs import field, frozen
from cryptography.exceptions import InvalidTag

from loanhub.errors import Damaged
from loanhub.keys.suites import TAG_BYTES, Aead
from loanhub.keys.values import PREFIX_BYTES, STREAM, Keys, SealKey, key_for

OBJECT_ID_BYTES: Final = 16
COMMITMENT_BYTES: Final = 32
OPENING_BYTES: Final = PREFIX_BYTES + OBJECT_ID_BYTES + 1
HEADER_BYTES: Final = OPENING_BYTES + COMMITMENT_BYTES
SMALLEST_POWER: Final = 16
LARGEST_POWER: Final = 20
DEFAULT_POWER: Final = 18
MOST_CHUNKS: Final = 2**32


@frozen(eq=False)
class ObjectCipher:
    """The key of one object; `header` is what stands before the first chunk, 66 bytes."""

    header: bytes
    cipher: Aead = field(repr=False)

    @property
    def chunk_bytes(self) -> int:
        """Plain bytes of a full chunk."""
        return 1 << self.header[OPENING_BYTES - 1]

    def seal_chunk(self, number: int, last: bool, plain: bytes | memoryview, aad: bytes) -> bytes:
        """Chunk `number`, counted from 0, with its tag. Never seal a number twice: it gives the key away."""
        if number >= MOST_CHUNKS:
            raise ValueError("an object has at most 2^32 chunks")
        return self.cipher.encrypt(_nonce(number, last), plain, self.header + aad)

    def open_chunk(self, number: int, last: bool, sealed: bytes | memoryview, aad: bytes) -> bytes:
        """The plain bytes of chunk `number`. Raises Damaged `seal-damaged`."""
        try:
            return self.cipher.decrypt(_nonce(number, last), sealed, self.header + aad)
        except InvalidTag:
            raise Damaged("seal-damaged") from None


def _nonce(number: int, last: bool) -> bytes:
    return bytes(3) + number.to_bytes(8, "big") + bytes([last])


def new_object(key: SealKey, *, power: int = DEFAULT_POWER) -> ObjectCipher:
    """A key nobody used before, for one object with chunks of 2**`power` plain bytes (16 to 20)."""
    return _object_with(key, os.urandom(OBJECT_ID_BYTES), power)


def _object_with(key: SealKey, object_id: bytes, power: int) -> ObjectCipher:
    if not SMALLEST_POWER <= power <= LARGEST_POWER:
        raise ValueError("chunks are 64 KiB to 1 MiB")
    return cipher_after(key, key.prefix(STREAM) + object_id + bytes([power]), object_id)


def cipher_after(key: SealKey, opening: bytes, object_id: bytes) -> ObjectCipher:
    """The key and header of the object that begins with `opening`, 34 bytes."""
    rules = key.rules
    derived = rules.derive(
        key.secret.reveal(), object_id, "object", opening, rules.key_bytes + COMMITMENT_BYTES
    )
    return ObjectCipher(opening + derived[rules.key_bytes :], rules.cipher(derived[: rules.key_bytes]))


def read_object(keys: Keys, header: bytes) -> ObjectCipher:
    """The key of an object from its header.

    Raises NotAllowed `seal-wrong-key`; Damaged `seal-not-sealed`, `seal-truncated`, `seal-damaged`; Refused
    `seal-unknown-version`.
    """
    key = key_for(keys, header, STREAM)
    if len(header) < HEADER_BYTES:
        raise Damaged("seal-truncated")
    object_id, power = header[PREFIX_BYTES : OPENING_BYTES - 1], header[OPENING_BYTES - 1]
    if not SMALLEST_POWER <= power <= LARGEST_POWER:
        raise Damaged("seal-damaged")
    found = _object_with(key, object_id, power)
    if not hmac.compare_digest(found.header, header[:HEADER_BYTES]):
        raise Damaged("seal-damaged")
    return found


def seal_file(
    key: SealKey, source: BinaryIO, target: BinaryIO, aad: bytes, *, power: int = DEFAULT_POWER
) -> int:
    """Seals all of `source` into `target` for the place `aad`; the number of plain bytes.

    Holds two chunks of 2**`power` bytes in memory. If `source` fails half-way, `target` does not open.
    """
    return _seal_into(new_object(key, power=power), source, target, aad)


def _seal_into(made: ObjectCipher, source: BinaryIO, target: BinaryIO, aad: bytes) -> int:
    _put(target, made.header)
    size = 0
    for number, last, plain in _blocks(source, made.chunk_bytes):
        _put(target, made.seal_chunk(number, last, plain, aad))
        size += len(plain)
    return size


def open_file(keys: Keys, source: BinaryIO, aad: bytes) -> Iterator[bytes]:
    """The plain chunks, each proven before it is handed out; the end is proven by the last one only.

    Raises, at the first step, what `read_object` raises; Damaged `seal-damaged` or `seal-truncated` later.
    """
    found = read_object(keys, _take(source, HEADER_BYTES))
    for number, last, sealed in _blocks(source, found.chunk_bytes + TAG_BYTES):
        if len(sealed) < TAG_BYTES:
            raise Damaged("seal-truncated")
        if number and last and len(sealed) == TAG_BYTES:
            raise Damaged("seal-damaged")  # one form only: an empty last chunk follows nothing
        try:
            plain = found.open_chunk(number, last, sealed, aad)
        except Damaged:
            if last and _is_inner(found, number, sealed, aad):
                raise Damaged("seal-truncated") from None
            raise
        yield plain


def unseal_file(keys: Keys, source: BinaryIO, target: BinaryIO, aad: bytes) -> int:
    """Opens all of `source` into `target`; the number of plain bytes. Raises what `open_file` raises.

    When it raises, `target` holds a proven beginning: throw it away.
    """
    size = 0
    for plain in open_file(keys, source, aad):
        _put(target, plain)
        size += len(plain)
    return size


def _is_inner(found: ObjectCipher, number: int, sealed: bytes, aad: bytes) -> bool:
    """Whether a chunk at the end of the file was sealed as one in the middle: the rest was cut off."""
    try:
        found.open_chunk(number, False, sealed, aad)
    except Damaged:
        return False
    return True


def _blocks(source: BinaryIO, size: int) -> Iterator[tuple[int, bool, bytes]]:
    """(number, whether it is the last, block): full blocks but the last, and at least one."""
    number, block = 0, _take(source, size)
    while following := _take(source, size) if len(block) == size else b"":
        yield number, False, block
        number, block = number + 1, following
    yield number, True, block


def _take(source: BinaryIO, size: int) -> bytes:
    """`size` bytes, or fewer at the end of the file only: pipes and sockets give what they have."""
    got = source.read(size)
    while 0 < len(got) < size and (more := source.read(size - len(got))):
        got += more
    return got


def _put(target: BinaryIO, content: bytes) -> None:
    """Writes everything: an unbuffered file may take less at a time."""
    write: Callable[[memoryview], int | None] = target.write
    rest = memoryview(content)
    while rest:
        rest = rest[write(rest) or len(rest) :]
