"""Files on their way back: pieces come as they are stored, a file appears when it is whole."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final, Self

import blake3
from attrs import define, field

from loanhub import Damaged, NotFound, saying_full
from sync_agent.pages import BESIDE, has_users, remove_beside
from sync_agent.snapshots.entries import Entry, Reference
from sync_agent.vault import Vault
from sync_agent.vault.sealed import DATA

BATCH_BYTES: Final = 128 * 1024 * 1024
BATCH_PIECES: Final = 8192
MODES: Final = 0o777
"""Bits that are brought back: who a program runs as was up to an owner that is not known here."""


@define(eq=False)
class File:
    """A file that is being put together. `failed` is the code of the problem it had."""

    path: Path
    entry: Entry
    is_database: bool = False
    """What lies beside it belongs to the one it replaces."""
    left: int = 0
    """Pieces still to come."""
    failed: str = ""
    _stream: BinaryIO | None = field(default=None, init=False, repr=False)

    @property
    def temporary(self) -> Path:
        """Where it is made; the same at every try, so that a killed one leaves nothing for ever."""
        return self.path.with_name(f".{blake3.blake3(self.entry.name).hexdigest()[:16]}.restoring")

    def begin(self) -> None:
        """An empty file to write into. Raises OSError."""
        self.temporary.unlink(missing_ok=True)
        self._stream = self.temporary.open("xb", buffering=0)

    def write(self, at: int, piece: bytes) -> None:
        """One piece. Raises OSError."""
        if self._stream is None:
            self.begin()
        assert self._stream is not None
        self._stream.seek(at)
        view = memoryview(piece)
        while view:
            view = view[self._stream.write(view) :]

    def finish(self) -> None:
        """It is whole: it gets its mode, its time and its name. Raises OSError."""
        if self._stream is None:
            self.begin()
        assert self._stream is not None
        self._stream.close()
        dress(self.temporary, self.entry)
        if self.is_database:
            remove_beside(self.path)
        self.temporary.replace(self.path)
        self._stream = None

    def drop(self) -> None:
        """It will not become whole."""
        if self._stream is not None:
            self._stream.close()
            with suppress(OSError):
                self.temporary.unlink()
            self._stream = None


def is_in_use(path: Path) -> bool:
    """Whether a program has the database at `path` open, or the one that what is at `path` belongs to."""
    name = os.fsencode(path.name)
    owners = [name.removesuffix(ending) for ending in BESIDE if name.endswith(ending) and name != ending]
    return any(has_users(path.with_name(os.fsdecode(one))) for one in (name, *owners))


def dress(path: Path, entry: Entry) -> None:
    """Mode and time of a file, as they were. Raises OSError."""
    path.chmod(entry.mode & MODES)
    os.utime(path, ns=(entry.mtime, entry.mtime))


def is_whole(vault: Vault, path: Path, pieces: Iterator[Reference]) -> bool:
    """Whether the file at `path`, of the right size, has this content. Raises OSError."""
    with path.open("rb", buffering=0) as stream:
        for blob_id, length in pieces:
            if vault.keys.blob_id(DATA, stream.read(length)) != blob_id:
                return False
    return True


@define(eq=False)
class Writing:
    """Collects pieces of many files and fetches them together. Ask `flush` at the end; use it in a `with`.

    `done` hears of each file once it is whole or has failed.
    """

    vault: Vault
    done: Callable[[File], object]
    _wanted: dict[bytes, list[tuple[File, int]]] = field(factory=dict, init=False)
    _open: set[File] = field(factory=set, init=False)
    _bytes: int = field(default=0, init=False)

    def add(self, file: File, pieces: Sequence[Reference]) -> None:
        """A file and its pieces. Raises Busy `disk-full`, and what the remote raises."""
        self._open.add(file)
        file.left = len(pieces)
        if not pieces:
            self._end(file)
        at = 0
        for blob_id, length in pieces:
            self._wanted.setdefault(blob_id, []).append((file, at))
            self._bytes += length
            at += length
            if self._bytes >= BATCH_BYTES or len(self._wanted) >= BATCH_PIECES:
                self.flush()

    def flush(self) -> None:
        """Fetches and writes what was collected. Raises as `add`."""
        wanted, self._wanted, self._bytes = self._wanted, {}, 0
        for blob_id, piece in self._fetch(list(wanted)):
            for file, at in wanted[blob_id]:
                self._put(file, at, piece)

    def _put(self, file: File, at: int, piece: bytes | None) -> None:
        file.left -= 1
        if piece is None:
            file.failed = "restore-damaged"
        elif not file.failed:
            try:
                with saying_full(file.path.parent):
                    file.write(at, piece)
            except OSError:
                file.failed = "restore-not-written"
        if not file.left:
            self._end(file)

    def _end(self, file: File) -> None:
        if not file.failed:
            try:
                with saying_full(file.path.parent):
                    file.finish()
            except OSError:
                file.failed = "restore-not-written"
        file.drop()
        self._open.discard(file)
        self.done(file)

    def _fetch(self, blob_ids: list[bytes]) -> Iterator[tuple[bytes, bytes | None]]:
        """Each piece, None for what is damaged or missing, which is found by halving."""
        rest = [blob_ids] if blob_ids else []
        while rest:
            some = rest.pop()
            if len(some) == 1:
                yield some[0], self._fetch_one(some[0])
                continue
            left = dict.fromkeys(some)
            try:
                for blob_id, piece in self.vault.load_many("data", some):
                    del left[blob_id]
                    yield blob_id, piece
            except (Damaged, NotFound):
                missing = list(left)
                rest += [
                    half for half in (missing[: len(missing) // 2], missing[len(missing) // 2 :]) if half
                ]

    def _fetch_one(self, blob_id: bytes) -> bytes | None:
        try:
            return self.vault.load("data", blob_id)
        except (Damaged, NotFound):
            return None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._open:
            file.drop()
