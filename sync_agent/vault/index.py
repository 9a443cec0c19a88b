"""Where every blob is. New ones wait in a small dict until they are worth sorting into the columns."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
import numpy.typing as npt
from attrs import define

from sync_agent.vault.columns import (
    BlobColumns,
    Spot,
    columns_from,
    columns_of,
    inserted,
    joined,
    kept,
    no_columns,
    rows,
    spot_of,
)
from sync_agent.vault.records import Record

FEWEST_WAITING: Final = 1 << 16


@define(eq=False)
class PackFacts:
    """A pack as the index knows it; `doomed` from its plan on, `gone` when it is no more."""

    object_id: bytes
    epoch: int
    size: int
    blobs: int
    doomed: bool = False
    gone: bool = False


class Index:
    """Packs and their blobs. A pack keeps its number as long as the index lives."""

    def __init__(self) -> None:
        self.packs: list[PackFacts] = []
        self._numbers: dict[bytes, int] = {}
        self._waiting: dict[bytes, int] = {}
        self._sorted: BlobColumns = no_columns()

    def __len__(self) -> int:
        """Blobs, every copy counted."""
        return len(self._sorted) + len(self._waiting)

    @property
    def present(self) -> int:
        """How many packs there are."""
        return len(self._numbers)

    # Changing -------------------------------------------------------------------------------------------

    def add(self, record: Record) -> None:
        """A pack more. One that is known already is not added again."""
        number = self._new_number(record)
        if number is None:
            return
        for blob_id, offset, length in rows(record):
            if blob_id in self._waiting:
                self.settle()  # a second copy stands beside the first in the columns only
            self._waiting[blob_id] = Spot(number, offset, length).to_number()
        if len(self._waiting) > max(FEWEST_WAITING, len(self._sorted) // 32):
            self.settle()

    def add_all(self, records: Iterable[Record]) -> None:
        """Many packs, sorted in some at a time."""
        parts: list[BlobColumns] = []
        blobs = 0
        for record in records:
            number = self._new_number(record)
            if number is None:
                continue
            parts.append(columns_of(record, number))
            blobs += len(record.directory)
            if blobs > max(FEWEST_WAITING, len(self._sorted) // 4):
                self._sorted = inserted(self._sorted, joined(parts))
                parts, blobs = [], 0
        if parts:
            self._sorted = inserted(self._sorted, joined(parts))

    def settle(self) -> BlobColumns:
        """Everything in the columns, without packs that are gone."""
        if self._waiting:
            self._sorted = inserted(self._sorted, joined([columns_from(self._waiting)]))
            self._waiting = {}
        gone = np.array([pack.gone for pack in self.packs], np.bool_)
        lost = gone[self._sorted.pack]
        if lost.any():
            self._sorted = kept(self._sorted, ~lost)
        return self._sorted

    def doom(self, object_id: bytes, *, doomed: bool = True) -> None:
        """From now on its blobs are not used for new snapshots, or are again."""
        if (pack := self.pack(object_id)) is not None:
            pack.doomed = doomed

    def remove(self, object_id: bytes) -> None:
        """It is no more."""
        if (pack := self.pack(object_id)) is not None:
            pack.gone = True
            del self._numbers[object_id]

    def _new_number(self, record: Record) -> int | None:
        if record.object_id in self._numbers:
            return None
        self._numbers[record.object_id] = number = len(self.packs)
        self.packs.append(PackFacts(record.object_id, record.epoch, record.size, len(record.directory)))
        return number

    # Finding --------------------------------------------------------------------------------------------

    def pack(self, object_id: bytes) -> PackFacts | None:
        """A pack that is there, doomed or not."""
        number = self._numbers.get(object_id)
        return None if number is None else self.packs[number]

    def spots(self, blob_id: bytes) -> list[Spot]:
        """Every copy of a blob that is there; those in doomed packs last."""
        waiting = self._waiting.get(blob_id)  # first, for another thread may just be sorting it in
        columns = self._sorted
        found = [columns.spot_at(row) for row in columns.rows_of(blob_id)]
        if waiting is not None and (spot := spot_of(waiting)) not in found:
            found.append(spot)
        there = [spot for spot in found if not self.packs[spot.pack].gone]
        return sorted(there, key=lambda spot: self.packs[spot.pack].doomed) if len(there) > 1 else there

    def usable(self, blob_id: bytes) -> bool:
        """Whether there is a copy that a new snapshot may need."""
        spots = self.spots(blob_id)
        return bool(spots) and not self.packs[spots[0].pack].doomed

    def usable_keys(self) -> npt.NDArray[np.uint64]:
        """The first 8 bytes of the ids that a new snapshot may need."""
        columns = self.settle()
        doomed = np.array([pack.doomed for pack in self.packs], np.bool_)
        return columns.keys[~doomed[columns.pack]]

    def ids_of(self, keys: npt.NDArray[np.uint64]) -> list[bytes]:
        """The ids, of blobs that are there, that begin with one of `keys`; each once."""
        columns = self.settle()
        rows = np.flatnonzero(np.isin(columns.keys, keys))
        return sorted({columns.id_at(int(row)) for row in rows})


class Marks:
    """Which blobs are live: a mark for every blob, none set at first. Good until the index changes."""

    def __init__(self, index: Index) -> None:
        self._columns = index.settle()
        self._packs = index.packs
        self._set = bytearray(len(self._columns))

    def mark(self, blob_id: bytes) -> bool:
        """Marks the copy that stays; False: it was marked before. Raises KeyError if there is none."""
        copies = self._columns.rows_of(blob_id)
        if not copies:
            raise KeyError(blob_id.hex())
        if any(self._set[row] for row in copies):
            return False
        stays = min(copies, key=lambda row: self._packs[self._columns.pack[row]].doomed)
        self._set[stays] = 1
        return True

    def live_bytes(self) -> npt.NDArray[np.float64]:
        """Stored bytes of marked blobs in each pack, float64 [packs]."""
        return self._bytes(np.frombuffer(self._set, np.bool_))

    def all_bytes(self) -> npt.NDArray[np.float64]:
        """Stored bytes of all blobs in each pack, float64 [packs]."""
        return self._bytes(np.ones(len(self._columns), np.bool_))

    def _bytes(self, chosen: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
        packs, lengths = self._columns.pack[chosen], self._columns.length[chosen]
        return np.bincount(packs, lengths, minlength=len(self._packs)).astype(np.float64)

    def live_in(self, number: int) -> set[bytes]:
        """Ids of the marked blobs of a pack."""
        chosen = np.flatnonzero((self._columns.pack == number) & np.frombuffer(self._set, np.bool_))
        return {self._columns.id_at(int(row)) for row in chosen}
