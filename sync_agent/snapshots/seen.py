"""What this machine remembers of files it has read, so that unchanged ones need not be read again.

One file a root, in the order in which the root is walked: it is read alongside the walk and written anew,
a record at a time, so a million files cost no memory.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from contextlib import suppress
from pathlib import Path
from struct import Struct
from tempfile import NamedTemporaryFile
from typing import IO, Final, Self
from zlib import crc32

import blake3
from attrs import frozen

from sync_agent.blobs import ID_BYTES
from sync_agent.snapshots.entries import Reference, references_to_bytes

VERSION: Final = b"loanhub seen 1\n"
GRANULE_NS: Final = 2_000_000_000
"""The coarsest clock of a file system (FAT). What changed that shortly before it was looked at may change
again and show the same time."""

_BLOCK: Final = Struct(">II")
_RECORD: Final = Struct(">HHBI")
_REFERENCE: Final = Struct(f">{ID_BYTES}sI")
_STAMP: Final = Struct("<qqqQ")
_FULL: Final = 64 * 1024


@frozen
class Seen:
    """A file as it was when its pieces were read. `place` is its path with 00 between the parts."""

    place: bytes
    stamp: bytes
    flags: int
    references: tuple[Reference, ...]


def stamp_of(*stats: os.stat_result) -> bytes:
    """What shows that a file, or a file and those beside it, changed: sizes, times and inode numbers."""
    return b"".join(
        _STAMP.pack(one.st_size, one.st_mtime_ns, one.st_ctime_ns, one.st_ino & (2**64 - 1)) for one in stats
    )


def is_settled(now_ns: int, *stats: os.stat_result) -> bool:
    """Whether any later change will show in the stamp; `now_ns` is taken before the stats."""
    return all(max(one.st_mtime_ns, one.st_ctime_ns) < now_ns - GRANULE_NS for one in stats)


class Memory:
    """What was seen of one root: asked and added to in the order of the walk. Use it in a `with`.

    None as folder: nothing is remembered. What is kept replaces what was there when `keep` is called.
    """

    def __init__(self, folder: Path | None, root: Path) -> None:
        name = blake3.blake3(os.fsencode(root)).hexdigest()[:32]
        self._path = None if folder is None else folder / f"seen-{name}"
        self._before = _records(self._path)
        self._next: Seen | None = next(self._before, None)
        self._out: IO[bytes] | None = None
        self._block: list[bytes] = []
        self._size = 0

    def find(self, place: bytes) -> Seen | None:
        """What was seen at `place`, which comes behind every place asked for before."""
        while self._next is not None and self._next.place < place:
            self._next = next(self._before, None)
        return self._next if self._next is not None and self._next.place == place else None

    def add(self, seen: Seen) -> None:
        """Remembers a file for the next time; also in the order of the walk."""
        if self._path is None or len(seen.place) > 0xFFFF:
            return
        head = _RECORD.pack(len(seen.place), len(seen.stamp), seen.flags, len(seen.references))
        record = head + seen.place + seen.stamp + references_to_bytes(seen.references)
        self._block.append(record)
        self._size += len(record)
        if self._size >= _FULL:
            self._write()

    def _write(self) -> None:
        assert self._path is not None
        if self._out is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._out = NamedTemporaryFile(dir=self._path.parent, prefix=".", suffix=".tmp", delete=False)  # noqa: SIM115
            self._out.write(VERSION)
        block = b"".join(self._block)
        self._out.write(_BLOCK.pack(len(block), crc32(block)) + block)
        self._block, self._size = [], 0

    def keep(self) -> None:
        """From now on this is what was seen."""
        if self._path is None:
            return
        self._write()
        out, self._out = self._out, None
        assert out is not None
        out.close()
        Path(out.name).replace(self._path)

    def close(self) -> None:
        """Lets go of files; what was not kept is forgotten."""
        self._before.close()
        if self._out is not None:
            self._out.close()
            with suppress(OSError):
                Path(self._out.name).unlink()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _records(path: Path | None) -> Generator[Seen, None, None]:
    """The records of a file in order, as far as they are whole; none if there is no such file."""
    if path is None or not path.exists():
        return
    with path.open("rb") as stream:
        if stream.read(len(VERSION)) != VERSION:
            return
        while len(head := stream.read(_BLOCK.size)) == _BLOCK.size:
            length, check = _BLOCK.unpack(head)
            block = stream.read(length)
            if len(block) != length or crc32(block) != check:
                return
            yield from _in_block(block)


def _in_block(block: bytes) -> Iterator[Seen]:
    at = 0
    while at < len(block):
        placed, stamped, flags, count = _RECORD.unpack_from(block, at)
        at += _RECORD.size
        place, stamp = block[at : at + placed], block[at + placed : at + placed + stamped]
        at += placed + stamped
        end = at + count * _REFERENCE.size
        yield Seen(place, stamp, flags, tuple(_REFERENCE.iter_unpack(block[at:end])))
        at = end
