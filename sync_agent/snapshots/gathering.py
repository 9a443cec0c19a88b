"""Gathering one root after the other: each step of the walk becomes an entry of a listing, in its order."""

from __future__ import annotations

import os
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from stat import S_IMODE
from typing import Final

import attrs
from attrs import define, field, frozen

from loanhub import Busy
from sync_agent.blobs import Blobs
from sync_agent.pages import Connect
from sync_agent.snapshots.body import Counts, Problem, shown
from sync_agent.snapshots.contents import WHOLE, Content, Contents
from sync_agent.snapshots.entries import DATABASE, FILE, FOLDER, LINK, Entry, Reference
from sync_agent.snapshots.listings import Listing, shortened
from sync_agent.snapshots.patterns import Patterns
from sync_agent.snapshots.seen import Memory, Seen, stamp_of
from sync_agent.snapshots.walking import Found, Step, Walk

_AHEAD: Final = 64
"""Steps that may wait for a file that is being read."""
_TELL: Final = 0.1
"""Seconds between two words of progress."""


@frozen
class Options:
    """How a snapshot is taken. `databases`: lent by whoever has their keys, by absolute path.

    `cache`: folder of this machine for what is remembered of unchanged files. `skip`: folders never entered.
    `host` and `user` as the machine says unless given.
    """

    include: Sequence[str] = ()
    exclude: Sequence[str] = ()
    tags: Sequence[str] = ()
    host: str = ""
    user: str = ""
    databases: Mapping[Path, Connect] = attrs.field(factory=dict, repr=False)
    cache: Path | None = None
    skip: Sequence[Path] = ()


@frozen
class Progress:
    """How far it is: files and bytes that are done, and bytes expected in all (0: nothing is known)."""

    files: int
    bytes: int
    expected: int
    path: str


Tell = Callable[[Progress], object]
_Read = Content | Problem | None
_Begun = _Read | Seen | Future[_Read]


@define(eq=False)
class Gatherer:
    """Puts roots away. Files are read by `pool` ahead of their turn, small ones at once."""

    blobs: Blobs
    contents: Contents
    pool: ThreadPoolExecutor
    options: Options
    tell: Tell | None = None
    expected: int = 0
    problems: list[Problem] = field(factory=list)
    _counts: Counter[str] = field(factory=Counter, init=False)
    _open: list[tuple[Found, Listing]] = field(factory=list, init=False)
    _root: Entry | None = field(default=None, init=False)
    _told: float = field(default=0.0, init=False)

    def counts(self) -> Counts:
        """What was gathered so far."""
        return Counts(**self._counts)

    def gather(self, root: Path, name: bytes, memory: Memory) -> Entry | None:
        """The entry of a root, everything in it being put away; None when there is nothing to take."""
        self._root = None
        skip = frozenset((one.st_dev, one.st_ino) for one in _stats(self.options.skip))
        lent = self.options.databases.__contains__
        walk = Walk(_patterns(self.options, root), self.problems.append, skip, lent)
        waiting: deque[tuple[Found, _Begun]] = deque()
        for found in walk.steps(root, name):
            waiting.append((found, self._begin(found, memory) if found.step is Step.FILE else None))
            while waiting and (len(waiting) > _AHEAD or _is_done(waiting[0][1])):
                self._settle(*waiting.popleft(), memory)
        while waiting:
            self._settle(*waiting.popleft(), memory)
        return self._root

    # Files ----------------------------------------------------------------------------------------------

    def _begin(self, found: Found, memory: Memory) -> _Begun:
        """A file that was seen as it is now is not read; a small one is, and a long one will be."""
        seen = memory.find(found.place)
        if seen is not None and seen.stamp == _stamp(found) and self._all_known(seen.references):
            return seen
        if found.stat.st_size <= WHOLE and found.log is None:
            return self._read(found)
        return self.pool.submit(self._read, found)

    def _all_known(self, pieces: Sequence[Reference]) -> bool:
        return all(self.blobs.known("data", piece) for piece, _ in pieces)

    def _read(self, found: Found) -> _Read:
        try:
            return self.contents.read(found.path, log=found.log is not None)
        except FileNotFoundError:
            return None
        except OSError:
            return Problem("snapshot-unreadable", shown(found.where))
        except Busy as problem:
            if problem.code != "pages-held":
                raise
            return Problem("snapshot-database-held", shown(found.where))

    # In their order -------------------------------------------------------------------------------------

    def _settle(self, found: Found, begun: _Begun, memory: Memory) -> None:
        if found.step is Step.ENTER:
            self._open.append((found, Listing(self.blobs)))
        elif found.step is Step.LEAVE:
            self._leave(found)
        elif found.step is Step.LINK:
            self._link(found)
        else:
            self._file(found, self._wait(begun, found), memory)
        self._say(found)

    def _wait(self, begun: _Begun, found: Found) -> _Read | Seen:
        if not isinstance(begun, Future):
            return begun
        while not begun.done():
            wait((begun,), timeout=_TELL)
            self._say(found)
        return begun.result()

    def _file(self, found: Found, content: _Read | Seen, memory: Memory) -> None:
        if content is None:
            return  # gone meanwhile
        if isinstance(content, Problem):
            self.problems.append(content)
            return
        if isinstance(content, Seen):
            about, pieces = found.stat, content.references
            self._counts["bytes"] += (size := sum(length for _, length in pieces))
        else:
            about, pieces, size = content.stat, content.pieces, content.size
            self._counts.update(bytes=size, read=size)
            if content.is_changing:
                self.problems.append(Problem("snapshot-changed", shown(found.where)))
        references, through = shortened(self.blobs, pieces)
        entry = Entry(
            found.name, FILE, S_IMODE(about.st_mode), about.st_mtime_ns, size, content.flags | through,
            references=references,
        )  # fmt: skip
        if content.stamp:
            memory.add(Seen(found.place, content.stamp, content.flags & DATABASE, tuple(pieces)))
        self._counts["files"] += 1
        self._add(entry)

    def _link(self, found: Found) -> None:
        try:
            target = os.fsencode(found.path.readlink())
        except OSError:
            return  # gone meanwhile
        self._counts["links"] += 1
        mode, mtime = S_IMODE(found.stat.st_mode), found.stat.st_mtime_ns
        self._add(Entry(found.name, LINK, mode, mtime, target=target))

    def _leave(self, found: Found) -> None:
        _, listing = self._open.pop()
        if listing.is_empty and not found.wanted and self._open:
            return  # it was gone through for what it might hold
        parts = listing.finish()
        self._counts["folders"] += 1
        mode, mtime = S_IMODE(found.stat.st_mode), found.stat.st_mtime_ns
        self._add(Entry(found.name, FOLDER, mode, mtime, references=parts))

    def _add(self, entry: Entry) -> None:
        if self._open:
            self._open[-1][1].add(entry)
        else:
            self._root = entry

    def _say(self, found: Found) -> None:
        now = time.monotonic()
        if self.tell is not None and now - self._told >= _TELL:
            self._told = now
            done = self._counts["bytes"] - self._counts["read"] + self.contents.done
            self.tell(Progress(self._counts["files"], done, self.expected, shown(found.where)))


def _is_done(begun: _Begun) -> bool:
    return not isinstance(begun, Future) or begun.done()


def _stamp(found: Found) -> bytes:
    return stamp_of(found.stat) if found.log is None else stamp_of(found.stat, found.log)


def _patterns(options: Options, root: Path) -> Patterns:
    """The patterns for one root."""
    return Patterns.of(
        (_within(text, root) for text in options.include), (_within(text, root) for text in options.exclude)
    )


def _within(pattern: str, root: Path) -> str:
    """A pattern that begins with the root's own path is meant within it."""
    bare = pattern.removeprefix("!")
    rest = bare.removeprefix(root.as_posix())
    return pattern.removesuffix(bare) + rest if rest.startswith("/") else pattern


def _stats(folders: Sequence[Path]) -> list[os.stat_result]:
    return [folder.stat() for folder in folders if folder.exists()]
