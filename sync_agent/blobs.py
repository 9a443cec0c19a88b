"""What snapshots need of a vault: pieces of content, put away and found again by a keyed id.

Kinds of piece: "data" (chunks of files and groups of database pages), "tree" (listings of folders), "meta"
(everything else a snapshot wants to remember). The same content under two kinds has two ids.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import Final

KINDS: Final = ("data", "tree", "meta")
ID_BYTES: Final = 32
LARGEST_BLOB: Final = 16 * 1024 * 1024
"""Bytes of the longest piece that can be put away."""


class Blobs(ABC):
    """Content by id. What was saved is safe only after the commit that follows."""

    @abstractmethod
    def save(self, kind: str, plain: bytes | memoryview) -> bytes:
        """Puts a piece of at most `LARGEST_BLOB` bytes away, unless it is there; its id of 32 bytes.

        `plain` must not change afterwards: it may be compressed later, in another thread.
        """

    @abstractmethod
    def load(self, kind: str, blob_id: bytes) -> bytes:
        """The piece, proven to be the one with that id. Raises Damaged, and NotFound for an unknown id."""

    @abstractmethod
    def known(self, kind: str, blob_id: bytes) -> bool:
        """Whether the piece is there, saved in this session or before; the next snapshot may then need it.

        That a listing is known does not say that what it lists is: ask for each piece.
        """

    def load_many(self, kind: str, blob_ids: Iterable[bytes]) -> Iterator[tuple[bytes, bytes]]:
        """(id, piece) for each id, in any order; a vault reads neighbours together. Raises as `load`."""
        for blob_id in blob_ids:
            yield blob_id, self.load(kind, blob_id)
