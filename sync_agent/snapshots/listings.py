"""Listings of folders: written part by part as a folder is gone through, read the same way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final
from zlib import crc32

from sync_agent.blobs import Blobs
from sync_agent.snapshots.entries import (
    LIST_HEAD,
    MOST_REFERENCES,
    PART_HEAD,
    THROUGH_LISTS,
    Entry,
    Reference,
    damaged,
    read_list,
    read_part,
    references_to_bytes,
)

SMALLEST_PART: Final = 32 * 1024
LARGEST_PART: Final = 1024 * 1024
ONE_IN: Final = 1024
"""Of the names in a large folder so many, on average, stand at the end of a part."""

Load = Callable[[str, bytes], bytes]
"""`load` of a vault or of any Blobs."""


class Listing:
    """A folder's listing on its way into the vault. Entries come in the order of their names."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self._parts: list[Reference] = []
        self._open: list[bytes] = []
        self._size = 0

    def add(self, entry: Entry) -> None:
        """One entry more; when it ends a part, the part is put away."""
        written = entry.to_bytes()
        if self._open and self._size + len(written) > LARGEST_PART:
            self._close()
        self._open.append(written)
        self._size += len(written)
        if self._size >= SMALLEST_PART and not crc32(entry.name) % ONE_IN:
            self._close()

    def _close(self) -> None:
        blob_id = self._blobs.save("tree", PART_HEAD + b"".join(self._open))
        self._parts.append((blob_id, len(self._open)))
        self._open, self._size = [], 0

    def finish(self) -> tuple[Reference, ...]:
        """The parts, for the folder's own entry."""
        if self._open:
            self._close()
        return tuple(self._parts)

    @property
    def is_empty(self) -> bool:
        """Whether nothing was added."""
        return not (self._open or self._parts)


def entries_of(load: Load, parts: Sequence[Reference]) -> Iterator[Entry]:
    """The entries of a folder in the order of their names.

    Raises what `load` raises, Damaged `snapshot-listing-damaged`, Misconfigured `snapshot-newer`.
    """
    last = b""
    for blob_id, count in parts:
        found = 0
        for entry in read_part(load("tree", blob_id), blob_id, last):
            last = entry.name
            found += 1
            yield entry
        if found != count:
            raise damaged(blob_id)


# Long files -----------------------------------------------------------------------------------------------


def shortened(blobs: Blobs, pieces: Sequence[Reference]) -> tuple[tuple[Reference, ...], int]:
    """The references a file's entry holds for these pieces, and the flag that goes with them."""
    if len(pieces) <= MOST_REFERENCES:
        return tuple(pieces), 0
    lists = []
    for at in range(0, len(pieces), MOST_REFERENCES):
        some = pieces[at : at + MOST_REFERENCES]
        lists.append((blobs.save("tree", LIST_HEAD + references_to_bytes(some)), len(some)))
    return tuple(lists), THROUGH_LISTS


def pieces_of(load: Load, entry: Entry) -> Iterator[Reference]:
    """The pieces of a file in order. Raises as `entries_of`."""
    if not entry.flags & THROUGH_LISTS:
        yield from entry.references
        return
    total = 0
    for blob_id, count in entry.references:
        some = read_list(load("tree", blob_id), blob_id)
        total += sum(length for _, length in some)
        if len(some) != count or total > entry.size:
            raise damaged(blob_id)
        yield from some
    if total != entry.size:
        raise damaged(entry.references[-1][0])
