"""Going through a folder in the order of its listing: what is there, without reading any of it."""

from __future__ import annotations

import os
import stat
from bisect import bisect_left
from collections.abc import Callable, Iterator
from enum import Enum, auto
from pathlib import Path
from typing import Final

from attrs import define, evolve, field, frozen

from sync_agent.pages import BESIDE, is_database
from sync_agent.snapshots.body import Problem, shown
from sync_agent.snapshots.patterns import Patterns

_LOG: Final = b"-wal"
_SEPARATOR: Final = b"/"


class Step(Enum):
    """What is met: a folder is entered, then whatever is in it, and then left."""

    ENTER = auto()
    LEAVE = auto()
    FILE = auto()
    LINK = auto()


@frozen(eq=False)
class Found:
    """One step. `where` is its path for the system, `place` its path within the root, 00 between the parts.

    `wanted` of a folder that is left: whether it is meant itself, and not only for what it may hold.
    """

    step: Step
    where: bytes
    name: bytes
    place: bytes
    stat: os.stat_result
    log: os.stat_result | None = None
    """Of the `-wal` beside a file: a database changes there first."""
    wanted: bool = True

    @property
    def path(self) -> Path:
        """`where` as a path."""
        return Path(os.fsdecode(self.where))


@define(eq=False)
class _Folder:
    """A folder on the way: what is in it and still to come."""

    found: Found
    names: list[bytes] = field(factory=list, repr=False)
    next: int = 0

    @property
    def inside(self) -> bytes:
        """What the paths of everything in it begin with."""
        where = self.found.where
        return where if where.endswith(_SEPARATOR) else where + _SEPARATOR

    def has(self, name: bytes) -> bool:
        at = bisect_left(self.names, name)
        return at < len(self.names) and self.names[at] == name


@define(eq=False)
class Walk:
    """A walk through one root. Whatever cannot be taken is told to `report`, and the walk goes on.

    `skip`: (device, inode) of folders that are not entered. Links are not followed but at the root.
    `lent`: whether a file is a database whatever its content looks like.
    """

    patterns: Patterns
    report: Callable[[Problem], object]
    skip: frozenset[tuple[int, int]] = frozenset()
    lent: Callable[[Path], bool] = field(default=lambda _: False)
    _way: list[_Folder] = field(factory=list, init=False)

    def steps(self, root: Path, name: bytes) -> Iterator[Found]:
        """Everything in `root`, which is called `name`. Raises OSError if there is nothing to begin with."""
        where, top = os.fsencode(root), root.stat()
        if not stat.S_ISDIR(top.st_mode):
            yield from self._leaf(Found(Step.FILE, where, name, b"", top, _stat(where + _LOG)))
            return
        yield self._enter(Found(Step.ENTER, where, name, b"", top, wanted=not self.patterns.include))
        while self._way:
            folder = self._way[-1]
            if folder.next == len(folder.names):
                self._way.pop()
                yield evolve(folder.found, step=Step.LEAVE)
            else:
                folder.next += 1
                yield from self._look(folder, folder.names[folder.next - 1])

    def _enter(self, found: Found) -> Found:
        folder = _Folder(found)
        try:
            with os.scandir(found.where) as entries:
                folder.names = sorted(entry.name for entry in entries)
        except OSError:
            self._unreadable(found.where)
        self._way.append(folder)
        return found

    def _unreadable(self, where: bytes) -> None:
        self.report(Problem("snapshot-unreadable", shown(where)))

    def _look(self, folder: _Folder, name: bytes) -> Iterator[Found]:
        where = folder.inside + name
        place = folder.found.place + b"\0" + name if folder.found.place else name
        try:
            there = os.lstat(where)
        except FileNotFoundError:
            return  # gone since the folder was read
        except OSError:
            self._unreadable(where)
            return
        is_folder = stat.S_ISDIR(there.st_mode)
        wanted = self._wanted(folder, place, is_folder=is_folder)
        if wanted is None:
            return
        if is_folder:
            if (there.st_dev, there.st_ino) not in self.skip:
                yield self._enter(Found(Step.ENTER, where, name, place, there, wanted=wanted))
        elif wanted and not self._belongs(folder, name):
            log = _stat(where + _LOG) if folder.has(name + _LOG) else None
            yield from self._leaf(Found(Step.FILE, where, name, place, there, log))

    def _wanted(self, folder: _Folder, place: bytes, *, is_folder: bool) -> bool | None:
        """None: it is left out with all that is in it."""
        if not (self.patterns.include or self.patterns.exclude):
            return True
        inside = os.fsdecode(place.replace(b"\0", b"/"))
        if self.patterns.excludes(inside, folder=is_folder):
            return None
        return self.patterns.includes(inside, folder=is_folder, above=folder.found.wanted)

    def _leaf(self, found: Found) -> Iterator[Found]:
        if stat.S_ISREG(found.stat.st_mode):
            yield found
        elif stat.S_ISLNK(found.stat.st_mode):
            yield evolve(found, step=Step.LINK)
        else:
            self.report(Problem("snapshot-special", shown(found.where)))

    def _belongs(self, folder: _Folder, name: bytes) -> bool:
        """Whether it is a file of the database beside it."""
        for ending in BESIDE:
            if name.endswith(ending) and folder.has(base := name.removesuffix(ending)):
                path = Path(os.fsdecode(folder.inside + base))
                try:
                    return self.lent(path) or is_database(path)
                except OSError:
                    return False
        return False


def _stat(where: bytes) -> os.stat_result | None:
    try:
        return os.lstat(where)
    except OSError:
        return None
