"""Blobs in order of id, as arrays: the first 8 bytes of the id as a number, the other 24, and the spot.

52 bytes a blob, found by halving.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt
from attrs import frozen

from sync_agent.blobs import ID_BYTES
from sync_agent.vault.records import Record

REST: Final = ID_BYTES - 8
WORD: Final = 2**32
_T = TypeVar("_T", bound=np.generic)


@frozen
class Spot:
    """Where a blob is stored: the number of its pack, and the sealed bytes within."""

    pack: int
    offset: int
    length: int

    def to_number(self) -> int:
        """All three in one number, which takes less memory."""
        return (self.pack * WORD + self.offset) * WORD + self.length


def spot_of(number: int) -> Spot:
    """The spot in that number."""
    rest, length = divmod(number, WORD)
    return Spot(*divmod(rest, WORD), length)


@frozen(eq=False)
class BlobColumns:
    """keys uint64 [n] in order, rest uint8 [24 n], pack, offset, length uint32 [n]."""

    keys: npt.NDArray[np.uint64]
    rest: npt.NDArray[np.uint8]
    pack: npt.NDArray[np.uint32]
    offset: npt.NDArray[np.uint32]
    length: npt.NDArray[np.uint32]

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def others(self) -> tuple[npt.NDArray[Any], ...]:
        """All columns but the keys."""
        return self.rest, self.pack, self.offset, self.length

    @cached_property
    def _views(self) -> tuple[memoryview, memoryview]:
        """A view gives plain numbers and bytes, much quicker than an array does one at a time."""
        return self.keys.data, self.rest.data

    def rows_of(self, blob_id: bytes) -> list[int]:
        """The rows of that id: one for each copy."""
        keys, rest = self._views
        key, tail = int.from_bytes(blob_id[:8], "big"), blob_id[8:]
        row, rows = bisect_left(keys, key), []
        while row < len(keys) and keys[row] == key:
            if rest[row * REST : (row + 1) * REST] == tail:
                rows.append(row)
            row += 1
        return rows

    def spot_at(self, row: int) -> Spot:
        """Where the blob of a row is stored."""
        return Spot(int(self.pack[row]), int(self.offset[row]), int(self.length[row]))

    def id_at(self, row: int) -> bytes:
        """The id of a row."""
        return int(self.keys[row]).to_bytes(8, "big") + self.rest[row * REST : (row + 1) * REST].tobytes()


def no_columns() -> BlobColumns:
    """Not one blob."""
    small = np.zeros(0, np.uint32)
    return BlobColumns(np.zeros(0, np.uint64), np.zeros(0, np.uint8), small, small, small)


def columns_of(record: Record, number: int) -> BlobColumns:
    """The blobs of a pack, as they come."""
    directory = record.directory
    pack = np.full(len(directory), number, np.uint32)
    return _columns(directory.ids, pack, directory.offsets, directory.lengths)


def columns_from(spots: Mapping[bytes, int]) -> BlobColumns:
    """Blobs with their spots as numbers, as they come."""
    ids = np.frombuffer(b"".join(spots), np.uint8).reshape(len(spots), ID_BYTES)
    numbers = b"".join(number.to_bytes(12, "big") for number in spots.values())
    words = np.frombuffer(numbers, ">u4").reshape(len(spots), 3).astype(np.uint32)
    return _columns(ids, words[:, 0], words[:, 1], words[:, 2])


def _columns(
    ids: npt.NDArray[np.uint8],
    pack: npt.NDArray[np.uint32],
    offset: npt.NDArray[np.uint32],
    length: npt.NDArray[np.uint32],
) -> BlobColumns:
    keys = np.ascontiguousarray(ids[:, :8]).view(">u8").reshape(-1).astype(np.uint64)
    return BlobColumns(keys, np.ascontiguousarray(ids[:, 8:]).reshape(-1), pack, offset, length)


def joined(parts: Sequence[BlobColumns]) -> BlobColumns:
    """All of `parts`, in order of id."""
    keys = np.concatenate([part.keys for part in parts])
    together = [np.concatenate(columns) for columns in zip(*(part.others for part in parts), strict=True)]
    order = np.argsort(keys, kind="stable")
    rest = together[0].reshape(len(keys), REST)[order].reshape(-1)
    return BlobColumns(keys[order], rest, *(column[order] for column in together[1:]))


def inserted(columns: BlobColumns, new: BlobColumns) -> BlobColumns:
    """Both, in order; cheap when `new` is small, and with no more memory than the result takes."""
    places = np.searchsorted(columns.keys, new.keys, side="right") + np.arange(len(new))
    old = np.ones(len(columns) + len(new), np.bool_)
    old[places] = False

    def both(mine: npt.NDArray[_T], theirs: npt.NDArray[_T], width: int = 1) -> npt.NDArray[_T]:
        found = np.empty((len(old), width), mine.dtype)
        found[old] = mine.reshape(-1, width)
        found[places] = theirs.reshape(-1, width)
        return found.reshape(-1)

    return BlobColumns(
        both(columns.keys, new.keys),
        both(columns.rest, new.rest, REST),
        both(columns.pack, new.pack),
        both(columns.offset, new.offset),
        both(columns.length, new.length),
    )


def kept(columns: BlobColumns, rows: npt.NDArray[np.bool_]) -> BlobColumns:
    """The chosen rows (bool [n])."""
    rest = columns.rest.reshape(-1, REST)[rows].reshape(-1)
    return BlobColumns(
        columns.keys[rows], rest, columns.pack[rows], columns.offset[rows], columns.length[rows]
    )


def rows(record: Record) -> Iterator[tuple[bytes, int, int]]:
    """(id, offset, length) of the blobs of a pack, in order."""
    directory = record.directory
    ids = directory.ids.tobytes()
    spans = zip(directory.offsets.tolist(), directory.lengths.tolist(), strict=True)
    for at, (offset, length) in enumerate(spans):
        yield ids[at * ID_BYTES : (at + 1) * ID_BYTES], offset, length
