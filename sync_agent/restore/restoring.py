"""Restoring: what is wanted of a snapshot is made again in a folder, and what cannot be is named.

Nothing outside the folder is touched, whatever the listing says: names that lead elsewhere are refused when
a listing is read, and a link that stands where a folder belongs is not entered. Other files stay as they are.
A restore that was killed is simply run again: files that are whole already are recognised by their pieces.
"""

from __future__ import annotations

import os
import stat
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from attrs import define, evolve, field, frozen

from loanhub import Damaged, NotFound, is_kept_name, saying_full
from sync_agent.pages import has_journal, has_log, remove_beside
from sync_agent.restore.writing import File, Writing, dress, is_in_use, is_whole
from sync_agent.snapshots.body import Problem, Snapshot, shown
from sync_agent.snapshots.entries import FILE, FOLDER, Entry, Reference
from sync_agent.snapshots.gathering import Progress
from sync_agent.snapshots.listings import entries_of, pieces_of
from sync_agent.snapshots.looking import entry_at
from sync_agent.snapshots.patterns import Patterns
from sync_agent.vault import Vault

_TELL: Final = 0.1
_FOLDER_MODES: Final = 0o3777
Tell = Callable[[Progress], object]
Meet = Callable[[Path], object]


@frozen
class Wish:
    """What is wanted. `inside`: a path in the snapshot, whose content comes into the target.

    Left empty, the roots come, each in a folder of its name.
    """

    include: Sequence[str] = ()
    exclude: Sequence[str] = ()
    inside: bytes = b""
    name: bytes = b""
    """What `inside` is called here, when it is a single file and this is not empty."""


@frozen
class Restored:
    """What a restore did. `present`: files that were whole there already; `bytes` are of those written."""

    files: int = 0
    present: int = 0
    folders: int = 0
    links: int = 0
    bytes: int = 0
    problems: tuple[Problem, ...] = ()

    @property
    def is_incomplete(self) -> bool:
        """Whether something that was wanted is not there."""
        return bool(self.problems)


def restore(
    vault: Vault, snapshot: Snapshot, target: Path, wish: Wish | None = None, tell: Tell | None = None,
    meet: Meet | None = None,
) -> Restored:  # fmt: skip
    """Brings a snapshot back into `target`, which is made if need be. Every piece is proven by its id.

    Damaged, missing or unwritable files are problems in the answer; everything else is restored. `tell` hears
    of the progress, `meet` of every file before it is written. Raises NotFound `snapshot-no-such-path`, Usage
    `snapshot-pattern-wrong`, OSError for the target itself, and Busy `disk-full` and what the remote raises:
    then it is simply run again.
    """
    wanted = wish or Wish()
    with saying_full(target.parent):
        target.mkdir(parents=True, exist_ok=True)
    top = entry_at(vault.load, snapshot, wanted.inside)
    patterns = Patterns.of(wanted.include, wanted.exclude)
    expected = 0 if wish is not None else snapshot.counts.bytes
    restorer = _Restorer(vault, patterns, expected, tell, meet)
    if wanted.inside and top.is_folder:
        restorer.dress_at_the_end(target, top)
    single = evolve(top, name=wanted.name or top.name)
    restorer.run(entries_of(vault.load, top.references) if top.is_folder else iter((single,)), target)
    return restorer.answer()


@define(eq=False)
class _Folder:
    """A folder on the way. `ready`: whether it is there; None: not yet looked at.

    `fresh`: it was made just now, so nothing is in it that is not ours.
    """

    path: Path
    inside: str
    entry: Entry
    entries: Iterator[Entry]
    wanted: bool
    ready: bool | None = None
    fresh: bool = False


@define(eq=False)
class _Restorer:
    vault: Vault
    patterns: Patterns
    expected: int
    tell: Tell | None
    meet: Meet | None
    _counts: Counter[str] = field(factory=Counter, init=False)
    _problems: list[Problem] = field(factory=list, init=False)
    _way: list[_Folder] = field(factory=list, init=False)
    _made: list[tuple[Path, Entry]] = field(factory=list, init=False)
    _told: float = field(default=0.0, init=False)

    def answer(self) -> Restored:
        """What was done."""
        return Restored(**self._counts, problems=tuple(self._problems))

    def dress_at_the_end(self, folder: Path, entry: Entry) -> None:
        """A folder gets mode and time when everything is in it."""
        self._made.append((folder, entry))

    def run(self, entries: Iterator[Entry], target: Path) -> None:
        """Everything below these entries, into `target`."""
        top = Entry(b"", FOLDER, 0o755, 0)
        self._way = [_Folder(target, "", top, entries, not self.patterns.include, ready=True)]
        with Writing(self.vault, self._done) as writing:
            while self._way:
                folder = self._way[-1]
                entry = self._next(folder)
                if entry is None:
                    self._way.pop()
                else:
                    self._meet(folder, entry, writing)
            writing.flush()
        for path, entry in reversed(self._made):
            self._dress_folder(path, entry)

    def _next(self, folder: _Folder) -> Entry | None:
        try:
            return next(folder.entries, None)
        except (Damaged, NotFound):
            self._fail("restore-damaged", folder.path)
            return None

    def _meet(self, folder: _Folder, entry: Entry, writing: Writing) -> None:
        inside = folder.inside + entry.name.decode("utf-8", "surrogateescape")
        if self.patterns.excludes(inside, folder=entry.is_folder):
            return
        wanted = self.patterns.includes(inside, folder=entry.is_folder, above=folder.wanted)
        if not (wanted or entry.is_folder):
            return
        name = _name_here(entry.name)
        if name is None:
            self._problems.append(Problem("restore-outside", shown(bytes(folder.path) + b"/" + entry.name)))
            return
        path = folder.path / name
        if entry.is_folder:
            found = entries_of(self.vault.load, entry.references)
            self._way.append(_Folder(path, f"{inside}/", entry, found, wanted))
            if wanted and not self._ready():
                self._way.pop()
        elif self._ready():
            self._one(path, entry, writing, fresh=folder.fresh)
        self._say(path)

    def _one(self, path: Path, entry: Entry, writing: Writing, *, fresh: bool) -> None:
        try:
            there = None if fresh else _lstat(path)
            if there is not None and stat.S_ISDIR(there.st_mode):
                self._fail("restore-in-the-way", path)
            elif entry.type == FILE:
                database = entry.is_database or (not fresh and (has_log(path) or has_journal(path)))
                self._file(File(path, entry, database), there, writing)
            else:
                self._link(path, entry, there)
        except (Damaged, NotFound):
            self._fail("restore-damaged", path)
        except OSError:
            self._fail("restore-not-written", path)

    # Folders --------------------------------------------------------------------------------------------

    def _ready(self) -> bool:
        """Makes the folders on the way, as far as they are not there. False: something is in the way."""
        for folder in self._way:
            if folder.ready is None:
                folder.ready = self._make(folder)
            if not folder.ready:
                return False
        return True

    def _make(self, folder: _Folder) -> bool:
        try:
            with saying_full(folder.path.parent):
                folder.path.mkdir(mode=0o700)
                folder.fresh = True
        except FileExistsError:
            there = folder.path.lstat()
            if not stat.S_ISDIR(there.st_mode):
                self._fail("restore-in-the-way", folder.path)
                return False
            if there.st_mode & stat.S_IRWXU != stat.S_IRWXU:
                folder.path.chmod(stat.S_IMODE(there.st_mode) | stat.S_IRWXU)
        except OSError:
            self._fail("restore-not-written", folder.path)
            return False
        self._counts["folders"] += 1
        self.dress_at_the_end(folder.path, folder.entry)
        return True

    def _dress_folder(self, path: Path, entry: Entry) -> None:
        try:
            path.chmod(entry.mode & _FOLDER_MODES)
            os.utime(path, ns=(entry.mtime, entry.mtime))
        except OSError:
            self._fail("restore-not-written", path)

    # Files and links ------------------------------------------------------------------------------------

    def _file(self, file: File, there: os.stat_result | None, writing: Writing) -> None:
        path, entry = file.path, file.entry
        if self.meet is not None:
            self.meet(path)
        if there is not None and is_in_use(path):
            self._fail("restore-in-use", path)
            return
        pieces: Sequence[Reference] = tuple(pieces_of(self.vault.load, entry))
        same = there is not None and stat.S_ISREG(there.st_mode) and there.st_size == entry.size
        if not same or not is_whole(self.vault, path, iter(pieces)):
            writing.add(file, pieces)
            return
        dress(path, entry)
        if file.is_database:
            remove_beside(path)
        self._counts["present"] += 1

    def _done(self, file: File) -> None:
        if file.failed:
            self._fail(file.failed, file.path)
        else:
            self._counts.update(files=1, bytes=file.entry.size)
        self._say(file.path)

    def _link(self, path: Path, entry: Entry, there: os.stat_result | None) -> None:
        target = os.fsdecode(entry.target)
        if there is None or not stat.S_ISLNK(there.st_mode) or str(path.readlink()) != target:
            temporary = File(path, entry).temporary
            temporary.unlink(missing_ok=True)
            with saying_full(path.parent):
                temporary.symlink_to(target)
            temporary.replace(path)
        if os.utime in os.supports_follow_symlinks:
            os.utime(path, ns=(entry.mtime, entry.mtime), follow_symlinks=False)
        self._counts["links"] += 1

    # Saying ---------------------------------------------------------------------------------------------

    def _fail(self, code: str, path: Path) -> None:
        self._problems.append(Problem(code, shown(str(path))))

    def _say(self, path: Path) -> None:
        now = time.monotonic()
        if self.tell is not None and now - self._told >= _TELL:
            self._told = now
            files = self._counts["files"] + self._counts["present"]
            self.tell(Progress(files, self._counts["bytes"], self.expected, shown(str(path))))


def _name_here(name: bytes) -> str | None:
    """The name on this system; None if it would be another one, or a path."""
    try:
        text = os.fsdecode(name)
    except UnicodeDecodeError:
        return None
    return text if Path(text).name == text and not is_kept_name(text) else None


def _lstat(path: Path) -> os.stat_result | None:
    try:
        return path.lstat()
    except FileNotFoundError:
        return None
