"""The pages of an SQLite database at one moment, while others write to it; encrypted or not, without its key.

    with PageSource(path).held() as image:
        for group in image.groups(): ...        # 64 KiB each, the last one shorter
        image.is_one_moment()

The image is the file as it would be after a checkpoint. Others go on reading and writing meanwhile: a byte
lock on the `-shm` file keeps the log from being begun anew, another keeps pages from being copied back
(https://www.sqlite.org/walformat.html section 2.3), and a shared lock on the file keeps a database without a
log as it is. Where a system has no such locks, a connection holds a read transaction instead.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from struct import Struct
from typing import BinaryIO, Final

import attrs
import numpy as np
from attrs import frozen

from loanhub import Busy, LoanHubError, open_plain, range_is_taken, share_range
from sync_agent.wal import MAGIC as LOG_MAGIC
from sync_agent.wal import Log, read_log

MAGIC: Final = b"SQLite format 3\0"
GROUP: Final = 64 * 1024
"""Bytes of a group of pages; no page is longer."""
BESIDE: Final = (b"-wal", b"-shm", b"-journal")
"""How files end that belong to the database they are named after."""

Connect = Callable[[Path], sqlite3.Connection]
"""Opens a database that may be encrypted: after a crash of its writer, and where locks are missing.

Raises errors of sqlite3 or of the house."""

_STRIDE: Final = 16 * GROUP
_PENDING, _RESERVED, _SHARED, _SHARED_BYTES = 0x40000000, 0x40000001, 0x40000002, 510
_BACKFILL, _LAST_READER, _IN_USE = 123, 127, 128
"""Bytes of `-shm`: read slot 0, which a checkpoint needs for itself, read slot 4, which a new log needs, and
the byte that every user of the shared memory keeps: without one, what stands in it is left over."""
_INDEX_HEAD: Final = Struct("=16xI12x8s8x")
"""Of the shared memory: number of frames, salts."""
_JOURNAL: Final = b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7"
_PAUSE: Final = 0.002


def is_database(path: Path) -> bool:
    """Whether the content says so: the file's own beginning, or that of the log beside it. Raises OSError."""
    with open_plain(path) as stream:
        if stream.read(len(MAGIC)) == MAGIC:
            return True
    return has_log(path)


def has_log(path: Path) -> bool:
    """Whether there is a log beside it: so it is a database, though its first page may be encrypted."""
    try:
        with open_plain(_beside(path, "-wal")) as stream:
            return stream.read(4) in LOG_MAGIC
    except OSError:
        return False


def has_journal(path: Path) -> bool:
    """Whether there is a journal beside it from which a crash would be undone."""
    try:
        with open_plain(_beside(path, "-journal")) as journal:
            return journal.read(len(_JOURNAL)) == _JOURNAL
    except OSError:
        return False


def has_users(path: Path) -> bool:
    """Whether a program has the database open, as far as its log's shared memory shows it."""
    try:
        with open_plain(_beside(path, "-shm")) as shm:
            return range_is_taken(shm.fileno(), _IN_USE, 1)
    except OSError:
        return False


def remove_beside(path: Path) -> None:
    """Removes what belongs to the database that lay at `path` before, and would spoil another there.

    Raises OSError.
    """
    for ending in BESIDE:
        _beside(path, os.fsdecode(ending)).unlink(missing_ok=True)


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)


@frozen(eq=False)
class Image:
    """One moment of a database. Good while it is held."""

    size: int
    _file: BinaryIO = attrs.field(repr=False)
    _log_file: BinaryIO | None = attrs.field(repr=False)
    _log: Log | None
    _same: Callable[[], bool] = attrs.field(repr=False)

    def groups(self) -> Iterator[memoryview]:
        """The content in order, 64 KiB at a time. A group stays as it is after the next one is asked for."""
        overlaid = self._overlaid()
        self._file.seek(0)
        for start in range(0, self.size, _STRIDE):
            view = buffer(min(_STRIDE, self.size - start))
            there = fill(self._file, view)
            view[there:] = bytes(len(view) - there)  # pages that are in the log only
            for at in range(0, len(view), GROUP):
                group = view[at : at + GROUP]
                for number in overlaid.get((start + at) // GROUP, ()):
                    self._lay_over(group, start + at, number)
                yield group

    def _overlaid(self) -> dict[int, list[int]]:
        """Which pages of which group are newer in the log."""
        found: dict[int, list[int]] = {}
        if self._log is not None:
            for number in self._log.pages:
                found.setdefault((number - 1) * self._log.page_size // GROUP, []).append(number)
        return found

    def _lay_over(self, group: memoryview, start: int, number: int) -> None:
        assert self._log is not None
        assert self._log_file is not None
        at = (number - 1) * self._log.page_size - start
        self._log_file.seek(self._log.pages[number])
        fill(self._log_file, group[at : at + self._log.page_size])

    def stats(self) -> tuple[os.stat_result, ...]:
        """Of the file now, and of its log if there is one."""
        files = (self._file, self._log_file) if self._log_file is not None else (self._file,)
        return tuple(os.fstat(one.fileno()) for one in files)

    def is_one_moment(self) -> bool:
        """Asked after the last group: whether nothing came between that the locks could not keep off."""
        return self._same()


def buffer(size: int) -> memoryview:
    """Room for bytes that are read next; not cleared, for that costs as much as reading."""
    return np.empty(size, np.uint8).data


def fill(stream: BinaryIO, view: memoryview) -> int:
    """Reads into `view` as much as there is; how many bytes."""
    done = 0
    while done < len(view):
        count = stream.readinto(view[done:])  # type: ignore[attr-defined]
        if not count:
            break
        done += count
    return done


class PageSource:
    """A database file. `connect` opens it where its key is needed: see `Connect`."""

    def __init__(self, path: Path, connect: Connect | None = None, *, patience: float = 10.0) -> None:
        self._path = path
        self._connect = connect or _plain
        self._patience = patience

    @contextmanager
    def held(self) -> Iterator[Image]:
        """The database at this moment.

        Raises Busy `pages-held` when somebody has it for himself for more than `patience` seconds, or when it
        has to be opened after a crash and cannot be; OSError.
        """
        deadline = time.monotonic() + self._patience
        while True:
            with ExitStack() as stack:
                image = self._image(stack, deadline)
                if image is not None:
                    yield image
                    return
            self._recover()

    def _image(self, stack: ExitStack, deadline: float) -> Image | None:
        """None: a writer crashed, and somebody has to undo what it left half done."""
        file = _unbuffered(stack, self._path)
        locked = self._share_file(file, deadline)
        if locked and self._is_unfinished(file):
            return None
        if not locked:
            self._hold_by_connection(stack)
        before = self._stamp()
        shm = self._open(stack, "-shm") if locked else None
        log_file = self._open(stack, "-wal")
        if shm is not None and range_is_taken(shm.fileno(), _IN_USE, 1):
            for byte in (_BACKFILL, _LAST_READER):
                self._share(shm, byte, 1, deadline)
            now, frames = _log_in_use(shm)
            log = None if log_file is None else read_log(log_file, salts=now, most=frames)
            return Image(_size(file, log), file, log_file, log, lambda: True)
        log = None if log_file is None else read_log(log_file)
        if locked:  # nobody has it open, or nobody has a log: so nothing at all may change
            return Image(_size(file, log), file, log_file, log, lambda: self._stamp() == before)
        salts = None if log is None else log.salts
        return Image(_size(file, log), file, log_file, log, lambda: _salts(log_file) == salts)

    def _open(self, stack: ExitStack, ending: str) -> BinaryIO | None:
        try:
            return _unbuffered(stack, _beside(self._path, ending))
        except FileNotFoundError:
            return None

    # Locks ----------------------------------------------------------------------------------------------

    def _share_file(self, file: BinaryIO, deadline: float) -> bool:
        """SQLite's own shared lock, taken as SQLite takes it; False where such locks are missing."""
        if not self._share(file, _PENDING, 1, deadline):
            return False
        try:
            return self._share(file, _SHARED, _SHARED_BYTES, deadline)
        finally:
            share_range(file.fileno(), _PENDING, 1, free=True)

    def _share(self, file: BinaryIO, start: int, length: int, deadline: float) -> bool:
        while (held := share_range(file.fileno(), start, length)) is False:
            if time.monotonic() > deadline:
                raise Busy("pages-held", path=str(self._path))
            time.sleep(_PAUSE)
        return bool(held)

    def _hold_by_connection(self, stack: ExitStack) -> None:
        # Closed before the descriptors are: closing one of those would drop this connection's locks.
        connection = self._opened()
        stack.enter_context(closing(connection))

    # What may go wrong ----------------------------------------------------------------------------------

    def _is_unfinished(self, file: BinaryIO) -> bool:
        """Whether there is a journal to roll back, and nobody who is just writing it."""
        left = has_journal(self._path) and not range_is_taken(file.fileno(), _RESERVED, 1)
        return left and has_journal(self._path)  # a writer may have undone it himself just then

    def _recover(self) -> None:
        """Whoever opens a database after a crash undoes what was half done. Raises what `connect` does."""
        self._opened().close()

    def _opened(self) -> sqlite3.Connection:
        """A connection in a read transaction."""
        connection = None
        try:
            connection = self._connect(self._path)
            connection.execute("BEGIN")
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except (sqlite3.Error, LoanHubError):
            if connection is not None:
                connection.close()
            raise Busy("pages-held", path=str(self._path)) from None
        return connection

    def _stamp(self) -> tuple[tuple[int, ...] | None, ...]:
        """What shows that somebody began to use the database."""
        return tuple(_stat(_beside(self._path, ending)) for ending in ("", "-wal", "-shm"))


def _unbuffered(stack: ExitStack, path: Path) -> BinaryIO:
    """Every read asks the system anew: what stands in a buffer may be over."""
    file = stack.enter_context(open_plain(path))
    raw: BinaryIO = file.raw  # type: ignore[attr-defined]
    return raw


def _stat(path: Path) -> tuple[int, ...] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _size(file: BinaryIO, log: Log | None) -> int:
    if log is not None and log.count is not None:
        return log.count * log.page_size
    return os.fstat(file.fileno()).st_size


def _log_in_use(shm: BinaryIO) -> tuple[bytes, int]:
    """Salts and number of committed frames of the log that counts now, as its users have agreed.

    None of its frames is overwritten while read slot 4 is held; a log with other salts was copied back whole.
    """
    while True:
        shm.seek(0)
        head = shm.read(2 * _INDEX_HEAD.size)
        if len(head) == 2 * _INDEX_HEAD.size and head[: _INDEX_HEAD.size] == head[_INDEX_HEAD.size :]:
            frames, salts = _INDEX_HEAD.unpack_from(head)
            return salts, frames
        time.sleep(_PAUSE)  # it is being written


def _salts(log_file: BinaryIO | None) -> bytes | None:
    if log_file is None:
        return None
    log_file.seek(16)
    return log_file.read(8) or None


def _plain(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None)
