"""Blobs in a dict, where a test needs no vault."""

from __future__ import annotations

import hashlib

from loanhub.errors import NotFound
from sync_agent.blobs import LARGEST_BLOB, Blobs


class MemoryBlobs(Blobs):
    """What was saved, by kind and id."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, bytes], bytes] = {}

    def save(self, kind: str, plain: bytes | memoryview) -> bytes:
        """As `Blobs.save`."""
        assert len(plain) <= LARGEST_BLOB
        blob_id = hashlib.sha256(kind.encode() + plain).digest()
        self._kept[kind, blob_id] = bytes(plain)
        return blob_id

    def load(self, kind: str, blob_id: bytes) -> bytes:
        """As `Blobs.load`."""
        try:
            return self._kept[kind, blob_id]
        except KeyError:
            raise NotFound("vault-blob-unknown", id=blob_id.hex()[:16]) from None

    def known(self, kind: str, blob_id: bytes) -> bool:
        """As `Blobs.known`."""
        return (kind, blob_id) in self._kept

    def pieces(self, kind: str) -> list[bytes]:
        """Everything of a kind."""
        return [kept for (one, _), kept in self._kept.items() if one == kind]
