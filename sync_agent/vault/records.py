"""Index records: what a pack's directory says, as commits and bases carry it.

docs/vault-format.md section 4 is the format.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from attrs import frozen

from loanhub import Damaged
from sync_agent.vault.sealed import ENTRY_BYTES, MOST_FRAMES, Directory, directory_of

HEAD_BYTES: Final = 16 + 4 + 4 + 4
FULL: Final = 8 * 1024 * 1024
"""Bytes at which a blob of records is closed."""


@frozen(eq=False)
class Record:
    """One pack in the index: where it is, the epoch and size of the object, and what is in it."""

    object_id: bytes
    epoch: int
    size: int
    directory: Directory

    def to_bytes(self) -> bytes:
        """As it stands in a blob of records."""
        numbers = (self.epoch, self.size, len(self.directory))
        return self.object_id + b"".join(n.to_bytes(4, "big") for n in numbers) + self.directory.to_bytes()


def read_records(blob: bytes, name: str) -> Iterator[Record]:
    """The records of a blob that stands in the object `name`. Raises Damaged `vault-object-damaged`."""
    at = 0
    while at < len(blob):
        head = blob[at : at + HEAD_BYTES]
        epoch, size, count = (int.from_bytes(head[n : n + 4], "big") for n in (16, 20, 24))
        at += HEAD_BYTES
        if len(head) < HEAD_BYTES or count >= MOST_FRAMES or at + ENTRY_BYTES * count > len(blob):
            raise Damaged("vault-object-damaged", name=name)
        yield Record(head[:16], epoch, size, directory_of(memoryview(blob)[at:], count))
        at += ENTRY_BYTES * count


def gather(records: Iterable[bytes]) -> Iterator[bytes]:
    """Records one behind the other, in blobs of about 8 MiB at most."""
    blob: list[bytes] = []
    size = 0
    for record in records:
        if blob and size + len(record) > FULL:
            yield b"".join(blob)
            blob, size = [], 0
        blob.append(record)
        size += len(record)
    if blob:
        yield b"".join(blob)
