"""Contents of files on their way into the vault: whole, cut by content, or as pages of one moment."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

from attrs import frozen
from pyfastcdc import FastCDC

from loanhub import Interrupted, open_plain
from sync_agent.blobs import Blobs
from sync_agent.pages import MAGIC, Connect, PageSource, buffer, fill, has_log
from sync_agent.snapshots.entries import CHANGED, DATABASE, Reference
from sync_agent.snapshots.seen import is_settled, stamp_of

WHOLE: Final = 1024 * 1024
"""Bytes up to which a file is one piece."""
LEAST, EXPECTED, MOST = 256 * 1024, 1024 * 1024, 4 * 1024 * 1024
TRIES: Final = 3
_SEEDS: Final = 2**63 - 1
"""The chunker doubles its seed in 64 bits."""
_BUFFER: Final = 8 * 1024 * 1024
"""At least `MOST`: in less room a file would be cut elsewhere, or never."""


@frozen(eq=False)
class Content:
    """What a file held when it was read. `stamp` is empty when a later change might not show in it."""

    pieces: tuple[Reference, ...]
    stat: os.stat_result
    flags: int = 0
    stamp: bytes = b""

    @property
    def is_changing(self) -> bool:
        """Whether it changed whenever it was read."""
        return bool(self.flags & CHANGED)

    @property
    def size(self) -> int:
        """Bytes of all pieces."""
        return sum(length for _, length in self.pieces)


class Contents:
    """Reads files and puts their pieces away. Any thread may ask.

    `lent` says of a path how its database is opened, None if it is not known to be one.
    """

    def __init__(self, blobs: Blobs, seed: int, lent: Callable[[Path], Connect | None]) -> None:
        self._blobs = blobs
        self._seed = seed & _SEEDS
        self._lent = lent
        self._local = threading.local()
        self._stopped = False
        self.done = 0
        """Bytes put away so far, for progress: threads may lose a few of each other's."""

    def stop(self) -> None:
        """Files that are being read are given up: their readers raise Interrupted."""
        self._stopped = True

    def _save(self, piece: bytes | memoryview) -> Reference:
        if self._stopped:
            raise Interrupted("stopped")
        self.done += len(piece)
        return self._blobs.save("data", piece), len(piece)

    def read(self, path: Path, *, log: bool = False) -> Content:
        """The content of a regular file; read again when it changed meanwhile, and marked if it always does.

        `log`: there is a `-wal` beside it. Raises OSError, Busy `pages-held`, and what saving raises.
        """
        connect = self._lent(path)
        if connect is None and not (log and has_log(path)):
            for turn in range(TRIES):
                found = self._plain(path)
                if found is None:
                    break  # it is a database after all
                if not found.flags or turn == TRIES - 1:
                    return found
        return self._database(path, connect)

    # Files ----------------------------------------------------------------------------------------------

    def _plain(self, path: Path) -> Content | None:
        with open_plain(path) as stream:
            now = time.time_ns()
            before = os.fstat(stream.fileno())
            pieces = self._whole(stream, before.st_size) if before.st_size <= WHOLE else self._cut(stream)
            if pieces is None:
                return None
            after = os.fstat(stream.fileno())
        stamp = stamp_of(before)
        size = sum(length for _, length in pieces)
        if stamp != stamp_of(after) or size != before.st_size:
            return Content(pieces, before, CHANGED)
        return Content(pieces, before, 0, stamp if is_settled(now, before) else b"")

    def _whole(self, stream: BinaryIO, size: int) -> tuple[Reference, ...] | None:
        content = stream.read(size)
        if content[: len(MAGIC)] == MAGIC:
            return None
        return (self._save(content),) if content else ()

    def _cut(self, stream: BinaryIO) -> tuple[Reference, ...] | None:
        pieces: list[Reference] = []
        for piece in self._chunks(stream):
            if not pieces and piece[: len(MAGIC)].tobytes() == MAGIC:
                return None
            pieces.append(self._save(piece))
        return tuple(pieces)

    def _chunks(self, stream: BinaryIO) -> Iterator[memoryview]:
        assert _BUFFER >= MOST, "the buffer holds less than the largest chunk"
        cutter = self._cutter()
        rest = memoryview(b"")
        ended = False
        while not ended:
            view = buffer(_BUFFER)
            view[: len(rest)] = rest
            filled = len(rest) + fill(stream, view[len(rest) :])
            ended = filled < len(view)
            rest = view[:0]
            for chunk in cutter.cut_buf(view[:filled]):
                if not ended and filled - chunk.offset < MOST:
                    rest = view[chunk.offset :]
                    break
                yield chunk.data

    def _cutter(self) -> FastCDC:
        found: FastCDC | None = getattr(self._local, "cutter", None)
        if found is None:
            found = FastCDC(EXPECTED, min_size=LEAST, max_size=MOST, normalized_chunking=1, seed=self._seed)
            self._local.cutter = found
        return found

    # Databases ------------------------------------------------------------------------------------------

    def _database(self, path: Path, connect: Connect | None) -> Content:
        source = PageSource(path, connect)
        for turn in range(TRIES):
            now = time.time_ns()
            with source.held() as image:
                before = image.stats()
                pieces = tuple(map(self._save, image.groups()))
                whole = image.is_one_moment()
                settled = whole and image.stats() == before and is_settled(now, *before)
            if whole or turn == TRIES - 1:
                break
        flags = DATABASE if whole else DATABASE | CHANGED
        return Content(pieces, before[0], flags, stamp_of(*before) if settled else b"")
