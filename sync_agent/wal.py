"""The write-ahead log of an SQLite database: which page is newest where, as of its last whole commit.

Nothing is decrypted: pages of an encrypted database stand in the log as they stand in the file.
https://www.sqlite.org/fileformat2.html section 4 is the format.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from itertools import islice
from struct import Struct
from typing import BinaryIO, Final

import attrs
import numpy as np
import numpy.typing as npt
from attrs import frozen

MAGIC: Final = (b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83")
HEADER_BYTES: Final = 32
FRAME_HEAD_BYTES: Final = 24
SMALLEST_PAGE: Final = 512
LARGEST_PAGE: Final = 65_536

_HEADER: Final = Struct(">4sIIIIIII")
_AT_ONCE: Final = 4 * 1024 * 1024
Words = npt.NDArray[np.uint32]


@frozen
class Log:
    """What is committed in a log. `pages`: page number (from 1) to the offset of its newest content.

    `count`: pages of the database after the last commit; None: nothing is committed in it.
    """

    page_size: int
    salts: bytes
    count: int | None = None
    pages: Mapping[int, int] = attrs.field(factory=dict, repr=False)


def read_log(stream: BinaryIO, *, salts: bytes | None = None, most: int | None = None) -> Log | None:
    """The log in an open `-wal` file; None when it has no whole header, as after it was emptied.

    Frames of an older run behind the newest, and those of a commit that is not whole, are left out.
    `salts`: those it must have (8 bytes), else None too; `most`: frames that count at most.
    """
    stream.seek(0)
    header = stream.read(HEADER_BYTES)
    if len(header) < HEADER_BYTES or header[:4] not in MAGIC:
        return None
    _, _, size, _, _, _, *sums = _HEADER.unpack(header)
    page_size = LARGEST_PAGE if size == 1 else size
    order = "<u4" if header[:4] == MAGIC[0] else ">u4"
    known = SMALLEST_PAGE <= page_size <= LARGEST_PAGE and not page_size & (page_size - 1)
    if not known or _sums(np.frombuffer(header[:24], order).astype(np.uint32), (0, 0)) != tuple(sums):
        return None
    if salts not in (None, header[16:24]):
        return None
    salts = header[16:24]
    pages: dict[int, int] = {}
    pending: dict[int, int] = {}
    count = None
    frames = _frames(stream, page_size, salts, order, (sums[0], sums[1]))
    for number, commit, offset in islice(frames, most):
        pending[number] = offset
        if commit:
            pages.update(pending)
            pending, count = {}, commit
    if count is None:
        return Log(page_size, salts)
    return Log(page_size, salts, count, {number: at for number, at in pages.items() if number <= count})


def _frames(
    stream: BinaryIO, page_size: int, salts: bytes, order: str, sums: tuple[int, int]
) -> Iterator[tuple[int, int, int]]:
    """Page number, page count (0: not the end of a commit) and offset of the page, while checksums fit."""
    length = FRAME_HEAD_BYTES + page_size
    at = HEADER_BYTES
    while True:
        block = stream.read(max(1, _AT_ONCE // length) * length)
        whole = len(block) // length
        frames = np.frombuffer(block, np.uint8, whole * length).reshape(whole, length)
        shares = _shares(frames, order)
        for row in range(whole):
            head = frames[row, :FRAME_HEAD_BYTES].tobytes()
            sums = _after(shares[row], sums, (page_size + 8) // 8)
            if head[8:16] != salts or head[16:24] != sums[0].to_bytes(4, "big") + sums[1].to_bytes(4, "big"):
                return
            number, commit = (int.from_bytes(head[n : n + 4], "big") for n in (0, 4))
            yield number, commit, at + FRAME_HEAD_BYTES
            at += length
        if not whole:
            return


# Checksums ------------------------------------------------------------------------------------------------
#
# For every pair of words (a, b) the two sums s, t become s + t + a and then t + s + b: a matrix times the
# sums, plus a matrix times the pair, modulo 2^32. So a frame's share is one product with weights that are
# the same for every frame, and the sums are carried from frame to frame by one power of the matrix.


@cache
def _power(pairs: int) -> tuple[int, int, int, int]:
    """The matrix that carries the sums over so many pairs of zeros."""
    found, factor = (1, 0, 0, 1), (1, 1, 1, 2)
    while pairs:
        if pairs & 1:
            found = _times(found, factor)
        factor, pairs = _times(factor, factor), pairs >> 1
    return found


def _times(one: tuple[int, int, int, int], two: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    a, b, c, d = one
    e, f, g, h = two
    return (
        (a * e + b * g) % 2**32, (a * f + b * h) % 2**32, (c * e + d * g) % 2**32, (c * f + d * h) % 2**32
    )  # fmt: skip


@cache
def _weights(pairs: int) -> Words:
    """What each word adds to the two sums: uint32 [2, 2 pairs]."""
    weights = np.empty((2, 2 * pairs), np.uint32)
    m = (1, 0, 0, 1)
    for pair in reversed(range(pairs)):
        # a word pair enters by the matrix (1 0 / 1 1)
        weights[:, 2 * pair] = (m[0] + m[1]) % 2**32, (m[2] + m[3]) % 2**32
        weights[:, 2 * pair + 1] = m[1], m[3]
        m = _times(m, (1, 1, 1, 2))
    return weights


def _shares(frames: npt.NDArray[np.uint8], order: str) -> list[tuple[int, int]]:
    """What each frame adds to the sums: its first 8 bytes and its page."""
    summed = np.concatenate((frames[:, :8], frames[:, FRAME_HEAD_BYTES:]), axis=1)
    words = summed.view(order).astype(np.uint32, copy=False)
    weights = _weights(words.shape[1] // 2)
    first, second = ((words * row).sum(axis=1, dtype=np.uint32).tolist() for row in weights)
    return list(zip(first, second, strict=True))


def _after(share: tuple[int, int], sums: tuple[int, int], pairs: int) -> tuple[int, int]:
    a, b, c, d = _power(pairs)
    return (
        (a * sums[0] + b * sums[1] + share[0]) % 2**32,
        (c * sums[0] + d * sums[1] + share[1]) % 2**32,
    )


def _sums(words: Words, sums: tuple[int, int]) -> tuple[int, int]:
    weights = _weights(len(words) // 2)
    first, second = (int((words * row).sum(dtype=np.uint32)) for row in weights)
    return _after((first, second), sums, len(words) // 2)
