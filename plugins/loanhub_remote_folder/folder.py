"""A remote that is a folder: an object is a file, put in place whole and never replaced.

A file is made and flushed in `.unfinished`, then given its name by a link, which fails when the name is
taken. So a kill, a pulled plug or a full disk leaves what was there, and at most something in
`.unfinished` that the next probe sweeps away.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from attrs import define, field

from loanhub import (
    VAULT_MARKER,
    Busy,
    Capabilities,
    LoanHubError,
    Misconfigured,
    NotAllowed,
    NotFound,
    Stored,
    drives,
    remote_name,
    sync_folder,
    write_new,
)

UNFINISHED: Final = ".unfinished"
_DAY: Final = 24 * 3600
_ABSENT: Final = (FileNotFoundError, NotADirectoryError, IsADirectoryError)
_REFUSED: Final = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_FULL: Final = frozenset({errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)})
_LONGEST_MARKER: Final = 4096


@define
class FolderRemote:
    """A folder, and the id of the vault that must be in it (None: any, or none yet).

    With `vault`, every call first finds the place where that vault's marker lies: `path`, or a place
    below one of `roots` (the disks of this computer if none are named: its letter changed). Raises
    Busy("remote-not-plugged-in") when there is none: never is anything written into the empty folder
    where a disk ought to be.
    """

    path: Path
    vault: str | None = None
    seen: str = "—"
    roots: tuple[Path, ...] = ()
    capabilities: Capabilities | None = field(default=None, init=False)

    @property
    def name(self) -> str:
        """Its path."""
        return str(self.path)

    # -- objects ---------------------------------------------------------------------------------------

    def put_new(self, name: str, data: bytes) -> bool:
        """As `Remote.put_new`. Raises Busy("disk-full") too; then what was there is whole."""
        remote_name(name)
        with self._in_words():
            root = self._place()
            target = root / name
            if self.vault is None:
                _make(root)
            _make(*reversed([p for p in target.parents if p != root and p.is_relative_to(root)]))
            _make(root / UNFINISHED)
            stored = write_new(target, data, by=root / UNFINISHED)
            self._place()  # a disk pulled meanwhile may have left us writing into the folder below it
            return stored

    def get(self, name: str, start: int = 0, length: int | None = None) -> bytes:
        """As `Remote.get`."""
        with self._in_words():
            file = self._place() / remote_name(name)
            try:
                with file.open("rb") as stream:
                    stream.seek(start)
                    return stream.read(-1 if length is None else length)
            except (*_ABSENT, PermissionError) as absent:
                if isinstance(absent, PermissionError) and not file.is_dir():  # Windows says it of folders
                    raise
                raise NotFound("remote-object-missing", remote=self.name, name=name) from None

    def size(self, name: str) -> int | None:
        """As `Remote.size`."""
        with self._in_words():
            try:
                told = (self._place() / remote_name(name)).stat()
            except _ABSENT:
                return None
            return told.st_size if stat.S_ISREG(told.st_mode) else None

    def list(self, prefix: str) -> Iterator[Stored]:
        """As `Remote.list`; files that no object can be called, and links, are not ours."""
        with self._in_words():
            root = self._place()
            yield from _walk(root / prefix.rpartition("/")[0], root, prefix)

    def delete(self, name: str) -> None:
        """As `Remote.delete`."""
        with self._in_words("remote-delete-refused"), suppress(NotADirectoryError):
            (self._place() / remote_name(name)).unlink(missing_ok=True)

    # -- what it can do --------------------------------------------------------------------------------

    def probe(self) -> Capabilities:
        """As `Remote.probe`; what killed writes left more than a day ago is swept away.

        A folder that is not there yet is not made: the one above it is tried.
        """
        with self._in_words():
            root = self._place()
            try:
                able = _tried(root)
            except OSError as failure:
                if failure.errno not in _REFUSED:
                    raise
                able = Capabilities(True, False, False, False, False, ("remote-read-only",))
        self.capabilities = able
        return able

    # -- where it is -----------------------------------------------------------------------------------

    def _place(self) -> Path:
        """The folder, known by its marker if a vault is expected."""
        if self.vault is None:
            if not self.path.is_dir() and not self.path.parent.is_dir():
                raise Misconfigured("remote-folder-missing", folder=self.path.parent)
            return self.path
        here = _marker(self.path)
        if here == self.vault:
            return self.path
        for place in self._elsewhere():
            if _marker(place) == self.vault:
                return place
        if here is not None:
            raise Busy("remote-other-vault", folder=self.path)
        raise Busy("remote-not-plugged-in", folder=self.path, since=self.seen)

    def _elsewhere(self) -> Iterator[Path]:
        """Below each root, the address without its drive, then without the folder the disk was mounted in."""
        parts = self.path.parts[1:]
        for root in self.roots or drives():
            yield from (root.joinpath(*parts[first:]) for first in range(len(parts) + 1))

    @contextmanager
    def _in_words(self, refused: str = "remote-folder-refused") -> Iterator[None]:
        try:
            yield
        except LoanHubError:
            raise
        except OSError as failure:
            if failure.errno in _REFUSED:
                raise NotAllowed(refused, remote=self.name) from failure
            if failure.errno in _FULL:
                raise Busy("remote-full", remote=self.name) from failure
            what = errno.errorcode.get(failure.errno or 0, type(failure).__name__)
            raise Busy("remote-folder-failing", folder=self.path, what=what) from failure


def _marker(root: Path) -> str | None:
    """The id of the vault in a folder; None where there is none to be read."""
    try:
        with (root / VAULT_MARKER).open("rb") as stream:
            return stream.read(_LONGEST_MARKER).partition(b"\n")[0].strip().decode("ascii", "replace")
    except OSError:
        return None


def _make(*folders: Path) -> None:
    """Make those that are missing, each in one that is there, and durable."""
    for folder in folders:
        if not folder.is_dir():
            folder.mkdir(exist_ok=True)
            sync_folder(folder.parent)


def _walk(folder: Path, root: Path, prefix: str) -> Iterator[Stored]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except _ABSENT:
        return
    for entry in entries:
        name = Path(entry.path).relative_to(root).as_posix()
        if not (name.startswith(prefix) and _ours(name)):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(Path(entry.path), root, prefix)
        elif entry.is_file(follow_symlinks=False):
            with suppress(FileNotFoundError):  # deleted since
                told = Path(entry.path).stat()
                yield Stored(name, told.st_size, datetime.fromtimestamp(told.st_mtime, UTC))


def _ours(name: str) -> bool:
    try:
        return bool(remote_name(name))
    except ValueError:
        return False


def _tried(root: Path) -> Capabilities:
    """What a folder lets one do; in the one above it while it is not there yet."""
    scratch = root.parent
    if root.is_dir():
        scratch = root / UNFINISHED
        _make(scratch)
    first = scratch / f".probe-{secrets.token_hex(8)}.tmp"
    second, notes = first.with_suffix(".link.tmp"), tuple[str, ...]()
    try:
        first.write_bytes(b"")
        first.write_bytes(b"again")
        try:
            os.link(first, second)
        except OSError:
            notes = ("remote-folder-no-links",)
        if scratch.name == UNFINISHED:
            _sweep(scratch, now=first.stat().st_mtime)  # by the clock of that disk
    finally:
        first.unlink(missing_ok=True)
        second.unlink(missing_ok=True)
    return Capabilities(True, False, False, True, True, notes)


def _sweep(scratch: Path, now: float) -> None:
    for left in scratch.glob(".*.tmp"):
        with suppress(OSError):
            if now - left.stat().st_mtime > _DAY:
                left.unlink()
