"""Going through a folder in the order of its listing: what is there, without reading any of it."""

from __future__ import annotations

import os
import stat
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator
from enum import Enum, auto
from pathlib import Path
from typing import Final

from attrs import define, field, frozen

from sync_agent.pages import BESIDE, is_database
from sync_agent.snapshots.body import Problem, shown
from sync_agent.snapshots.patterns import Patterns

_LOG: Final = b"-wal"


class Step(Enum):
    """What is met: a folder is entered, then whatever is in it, and then left."""

    ENTER = auto()
    LEAVE = auto()
    FILE = auto()
    LINK = auto()


@frozen(eq=False)
class Found:
    """One step. `place`: path within the root, 00 between the parts; `looked`: when, by our clock in ns.

    `wanted` of a folder that is left: whether it is meant itself, and not only for what it may hold.
    """

    step: Step
    path: Path
    name: bytes
    place: bytes
    stat: os.stat_result
    looked: int = 0
    log: os.stat_result | None = None
    """Of the `-wal` beside a file: a database changes there first."""
    wanted: bool = True


@define(eq=False)
class _Folder:
    """A folder on the way: what is in it and still to come."""

    found: Found
    inside: str
    names: list[bytes] = field(factory=list, repr=False)
    next: int = 0

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
        looked = time.time_ns()
        top = root.stat()
        if not stat.S_ISDIR(top.st_mode):
            yield from self._leaf(Found(Step.FILE, root, name, b"", top, looked, _stat(root, _LOG)))
            return
        yield self._enter(Found(Step.ENTER, root, name, b"", top, wanted=not self.patterns.include), "")
        while self._way:
            folder = self._way[-1]
            if folder.next == len(folder.names):
                found = self._way.pop().found
                yield Found(Step.LEAVE, found.path, found.name, found.place, found.stat, wanted=found.wanted)
            else:
                folder.next += 1
                yield from self._look(folder, folder.names[folder.next - 1])

    def _enter(self, found: Found, inside: str) -> Found:
        folder = _Folder(found, inside)
        try:
            with os.scandir(os.fsencode(found.path)) as entries:
                folder.names = sorted(entry.name for entry in entries)
        except OSError:
            self.report(Problem("snapshot-unreadable", shown(str(found.path))))
        self._way.append(folder)
        return found

    def _look(self, folder: _Folder, name: bytes) -> Iterator[Found]:
        path = folder.found.path / os.fsdecode(name)
        inside = folder.inside + os.fsdecode(name)
        place = folder.found.place + b"\0" + name if folder.found.place else name
        looked = time.time_ns()
        try:
            there = path.lstat()
        except FileNotFoundError:
            return  # gone since the folder was read
        except OSError:
            self.report(Problem("snapshot-unreadable", shown(str(path))))
            return
        is_folder = stat.S_ISDIR(there.st_mode)
        if self.patterns.excludes(inside, folder=is_folder):
            return
        wanted = self.patterns.includes(inside, folder=is_folder, above=folder.found.wanted)
        if is_folder:
            if (there.st_dev, there.st_ino) not in self.skip:
                yield self._enter(Found(Step.ENTER, path, name, place, there, wanted=wanted), f"{inside}/")
        elif wanted and not self._belongs(folder, name):
            log = _stat(path, _LOG) if folder.has(name + _LOG) else None
            yield from self._leaf(Found(Step.FILE, path, name, place, there, looked, log))

    def _leaf(self, found: Found) -> Iterator[Found]:
        if stat.S_ISREG(found.stat.st_mode):
            yield found
        elif stat.S_ISLNK(found.stat.st_mode):
            yield Found(Step.LINK, found.path, found.name, found.place, found.stat)
        else:
            self.report(Problem("snapshot-special", shown(str(found.path))))

    def _belongs(self, folder: _Folder, name: bytes) -> bool:
        """Whether it is a file of the database beside it."""
        for ending in BESIDE:
            if name.endswith(ending) and folder.has(base := name.removesuffix(ending)):
                path = folder.found.path / os.fsdecode(base)
                try:
                    return self.lent(path) or is_database(path)
                except OSError:
                    return False
        return False


def _stat(path: Path, ending: bytes) -> os.stat_result | None:
    try:
        return path.with_name(path.name + os.fsdecode(ending)).lstat()
    except OSError:
        return None
