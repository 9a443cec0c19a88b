"""Files written whole or not at all, moved without a gap, told apart by their digest, with room to spare."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import BinaryIO, Final, cast

from loanhub import system
from loanhub.errors import Busy

_FULL: Final = (errno.ENOSPC, errno.EDQUOT) if hasattr(errno, "EDQUOT") else (errno.ENOSPC,)
_FULL_IN_RUST: Final = f"(os error {errno.ENOSPC})"
_BLOCK: Final = 1 << 20


def write_atomically(path: Path, content: bytes | Callable[[BinaryIO], object]) -> None:
    """Put `content`, or what it writes into the stream it is given, at `path`: all of it or nothing.

    Readers see the old file or the new one, also after a power cut. The file is private (0600).
    Raises Busy("disk-full"), OSError, and whatever `content` raises; then the old file stands.
    """
    with (
        saying_full(path.parent),
        NamedTemporaryFile(dir=path.parent, prefix=".", suffix=".tmp", delete=False) as stream,
    ):
        temporary = Path(stream.name)
        try:
            if callable(content):
                content(cast(BinaryIO, stream))
            else:
                stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
            stream.close()
            system.replace(temporary, path)
        except BaseException:
            _discard(stream, temporary)
            raise
    system.sync_folder(path.parent)


def write_new(path: Path, content: bytes, *, by: Path | None = None) -> bool:
    """Put `content` at `path`, all of it or nothing, unless something is there: False then.

    It is made in the folder `by` (of the same disk; the parent if not given), where a kill may leave a
    `.tmp`. Of many callers at once one is told True. When this returns, what stands there is durable.
    Raises Busy("disk-full") and OSError; then nothing of it stands.
    """
    written = not path.exists() and _placed(path, content, by or path.parent)
    system.sync_folder(path.parent)
    return written


def _placed(path: Path, content: bytes, by: Path) -> bool:
    with (
        saying_full(path.parent),
        NamedTemporaryFile(dir=by, prefix=".", suffix=".tmp", delete=False) as stream,
    ):
        temporary, placed = Path(stream.name), False
        try:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
            stream.close()
            placed = system.place(temporary, path)
        finally:
            if not placed:
                _discard(stream, temporary)
    return placed


def _discard(stream: object, temporary: Path) -> None:
    with suppress(OSError):
        stream.close()  # type: ignore[attr-defined]
    with suppress(OSError):
        temporary.unlink()


def move(source: Path, target: Path) -> None:
    """Move a file to `target`, replacing what is there; across file systems by a whole copy first.

    Raises FileNotFoundError when another took `source` before us, Busy("disk-full"), OSError.
    """
    try:
        system.replace(source, target)
        system.sync_folder(target.parent)
    except OSError as failure:
        if failure.errno != errno.EXDEV:
            raise
        with source.open("rb") as stream:
            write_atomically(target, lambda out: shutil.copyfileobj(stream, out, _BLOCK))
        source.unlink()


def sha256_of(path: Path) -> str:
    """The SHA-256 of the bytes of a file, 64 hexadecimal digits: its identity, whatever its name."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def need_space(folder: Path, needed: int) -> None:
    """Raise Busy("disk-full") unless `needed` bytes are free where `folder` is or will be."""
    if shutil.disk_usage(_existing(folder)).free < needed:
        raise disk_full(folder, needed)


class saying_full:  # noqa: N801 - reads as what it does: `with saying_full(folder):`
    """Around writing into a folder: Busy("disk-full") instead of the many ways in which libraries say so."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, failure: BaseException | None, trace: object) -> None:
        if failure is not None and any(map(_is_full, (failure, *failure.args))):
            raise disk_full(self._folder) from failure


def _is_full(failure: object) -> bool:
    return (isinstance(failure, OSError) and failure.errno in _FULL) or _FULL_IN_RUST in str(failure)


def disk_full(folder: Path, needed: int = 0) -> Busy:
    """The error that says so, with what is needed and what is free in MB."""
    free = shutil.disk_usage(_existing(folder)).free
    return Busy("disk-full", folder=folder, need_mb=-(-needed >> 20), free_mb=free >> 20)


def _existing(folder: Path) -> Path:
    return next(place for place in (folder, *folder.parents) if place.exists())


def scratch(folder: Path) -> Path:
    """A private folder for temporary files, emptied now; call it once at start, under the home's lock."""
    if folder.is_symlink():
        folder.unlink()  # emptying what it points to would be worse
    system.private_folder(folder)
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
    return folder
