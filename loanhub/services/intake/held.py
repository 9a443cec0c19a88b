"""A file taken in hand: its bytes must be those its digest was made of, though others may still write to it.

A program that has the file open writes on into it after it was moved; another may be put in its place
between two looks. Nothing of either is lost: it goes back, and is taken in as what it then is.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Final

from attrs import frozen

from loanhub.errors import Busy
from loanhub.files import move, sha256_of, spoken_name

MOST_NAMES: Final = 1_000


@frozen
class Mark:
    """What changes when a file is written to or replaced; a rename keeps it."""

    inode: int
    size: int
    changed: int

    @classmethod
    def of(cls, path: Path) -> Mark | None:
        """The mark of a file, None when it is not there."""
        try:
            told = path.stat()
        except FileNotFoundError:
            return None
        return cls(told.st_ino, told.st_size, told.st_mtime_ns)


@frozen
class Found:
    """A file with its digest, and its mark from before the digest was made."""

    path: Path
    mark: Mark | None
    sha256: str

    @classmethod
    def at(cls, path: Path) -> Found:
        """The file at a path as it is now."""
        mark = Mark.of(path)
        return cls(path, mark, sha256_of(path))

    def remove(self) -> None:
        """Remove it. Raises Busy("file-changed") when it is another by now."""
        if Mark.of(self.path) != self.mark:
            raise Busy("file-changed", file=spoken_name(self.path.name))
        self.path.unlink(missing_ok=True)

    def move_to(self, target: Path) -> None:
        """Move it. Raises Busy("file-changed"), and it is back, when it is another by now."""
        move(self.path, target)
        if Mark.of(target) != self.mark and sha256_of(target) != self.sha256:  # across disks the mark is new
            give_back(target, self.path)
            raise Busy("file-changed", file=spoken_name(self.path.name))

    def copy_to(self, target: Path, place: Callable[[Path, Callable[[BinaryIO], object]], None]) -> None:
        """Copy it by `place`. Raises Busy("file-changed"), and there is no copy, when it has changed."""
        with self.path.open("rb") as source:
            place(target, lambda copy: shutil.copyfileobj(source, copy))
        if Mark.of(self.path) != self.mark and sha256_of(target) != self.sha256:
            target.unlink()
            raise Busy("file-changed", file=spoken_name(self.path.name))


def is_still(path: Path, sha256: str) -> bool:
    """Whether the file is there with the bytes of that digest."""
    return path.is_file() and sha256_of(path) == sha256


def give_back(path: Path, to: Path) -> None:
    """Put a file where it came from, under a name beside it when that one is taken."""
    names = [to, *(to.with_name(f"{to.stem} ({number}){to.suffix}") for number in range(2, MOST_NAMES))]
    move(path, next(name for name in names if not name.exists()))
