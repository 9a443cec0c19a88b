"""Restoring in place: what a snapshot holds goes back to where it lay.

What stands there now is in a safety snapshot first. Files that the snapshot has are put right, newer ones
too; others stay, or are deleted when that is wanted: only what the safety snapshot holds as it stands there.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from attrs import frozen

from loanhub import Busy, NotFound, Usage
from sync_agent.pages import has_journal, has_log, remove_beside
from sync_agent.restore.restoring import Wish
from sync_agent.restore.writing import is_in_use
from sync_agent.snapshots.body import Problem, Snapshot, shown
from sync_agent.snapshots.entries import Entry
from sync_agent.snapshots.listings import entries_of
from sync_agent.snapshots.looking import REMOVED, changed, entry_at, ls
from sync_agent.snapshots.patterns import Patterns
from sync_agent.vault import Vault


@frozen
class Place:
    """Something of a snapshot and where it lay: `inside` is its path there, `source` that on this machine."""

    inside: bytes
    source: Path
    is_folder: bool

    @property
    def target(self) -> Path:
        """The folder to restore into."""
        return self.source if self.is_folder else self.source.parent

    def wish(self, include: Sequence[str], exclude: Sequence[str]) -> Wish:
        """What to ask of a restore into `target`; patterns count from the source."""
        name = b"" if self.is_folder else os.fsencode(self.source.name)
        return Wish(include, exclude, self.inside, name)


def places_of(
    vault: Vault, snapshot: Snapshot, path: bytes = b"", *, host_differs: bool = False
) -> list[Place]:
    """Where each source of a snapshot lay, or what lies at `path` of it.

    Raises Usage `restore-other-host` for another machine's snapshot unless `host_differs`, NotFound
    `restore-no-place` when the folder above a source is not here, Usage `restore-path-strange` for a path
    that is none on this system, and NotFound `snapshot-no-such-path`.
    """
    if snapshot.host != socket.gethostname() and not host_differs:
        raise Usage("restore-other-host", host=shown(snapshot.host))
    first, _, rest = path.strip(b"/").partition(b"/")
    found = []
    for entry, root in zip(entries_of(vault.load, snapshot.top.references), snapshot.roots, strict=True):
        if first in (b"", entry.name):
            source = _place_here(root.path)
            inside = b"/".join(filter(None, (entry.name, rest)))
            meant = entry_at(vault.load, snapshot, inside) if rest else entry
            found.append(Place(inside, source / os.fsdecode(rest) if rest else source, meant.is_folder))
    if not found:
        raise NotFound("snapshot-no-such-path", snapshot=snapshot.id, path=shown(path))
    return found


def _place_here(path: str) -> Path:
    source = Path(path)
    if not source.is_absolute() or (os.sep == "/" and "\\" in path):
        raise Usage("restore-path-strange", path=path)
    if not source.parent.is_dir():
        raise NotFound("restore-no-place", path=str(source.parent))
    return source


def refuse_open(vault: Vault, snapshot: Snapshot, places: Sequence[Place], patterns: Patterns) -> None:
    """Raises Busy `restore-database-open` when a program has a database open that would be replaced.

    Half a folder of an earlier day beside a database of today is worse than none. Every file is asked: a
    closed encrypted database was taken as any file is, and may be open now.
    """
    for place in places:
        for listed in ls(vault, snapshot, place.inside, deep=True):
            below = os.fsdecode(listed.path[len(place.inside) :].strip(b"/")) or place.source.name
            path = place.target / below
            if not listed.entry.is_folder and patterns.wants(below) and is_in_use(path):
                raise Busy("restore-database-open", path=str(path))


@frozen
class Cleared:
    """How many files and folders were deleted, and what should have been and was not."""

    deleted: int = 0
    problems: tuple[Problem, ...] = ()


def delete_extra(
    vault: Vault, snapshot: Snapshot, safety: Snapshot, places: Sequence[Place], patterns: Patterns,
    keep: Collection[Path] = (),
) -> Cleared:  # fmt: skip
    """Deletes what stands at the places and is not in the snapshot, as far as `patterns` mean it.

    Only what the safety snapshot has, and as it has it: what was left out there, or has changed since, stays,
    and so does `keep`. Raises Damaged and NotFound for a listing that cannot be read, before it deletes.
    """
    extra = [
        (place.source / name, entry)
        for place in places
        for name, entry in _extra(vault, snapshot, safety, place)
        if patterns.wants(name, folder=entry.is_folder)
    ]
    deleted, problems = 0, []
    for path, entry in reversed(extra):
        if path in keep:
            continue
        try:
            deleted += _delete(path, entry)
        except OSError:
            problems.append(Problem("restore-not-deleted", shown(str(path))))
    return Cleared(deleted, tuple(reversed(problems)))


def _extra(vault: Vault, snapshot: Snapshot, safety: Snapshot, place: Place) -> Iterator[tuple[str, Entry]]:
    """What only the safety snapshot has in a folder, by its path there; folders before what is in them."""
    kept = _in_safety(vault, safety, place.source) if place.is_folder else None
    if kept is not None and kept.is_folder:
        then = entry_at(vault.load, snapshot, place.inside)
        for one in changed(vault.load, kept, then):
            if one.how == REMOVED and one.before is not None:
                yield os.fsdecode(one.path), one.before


def _in_safety(vault: Vault, safety: Snapshot, source: Path) -> Entry | None:
    """What the safety snapshot has at a path of this machine."""
    for entry, root in zip(entries_of(vault.load, safety.top.references), safety.roots, strict=True):
        if source.is_relative_to(root.path):
            rest = os.fsencode(source.relative_to(root.path)).replace(os.fsencode(os.sep), b"/")
            with suppress(NotFound):
                return entry_at(vault.load, safety, entry.name if rest == b"." else entry.name + b"/" + rest)
    return None


def _delete(path: Path, entry: Entry) -> bool:
    """Whether it is gone now. Raises OSError when it could not be deleted or is in use."""
    if entry.is_folder:
        with suppress(OSError):  # what else lies in it stays, so it does
            path.rmdir()
            return True
        return False
    there = path.lstat()
    if there.st_mtime_ns != entry.mtime or (not entry.is_database and there.st_size != _size(entry)):
        raise OSError
    if is_in_use(path):
        raise OSError
    database = entry.is_database or has_log(path) or has_journal(path)
    path.unlink()
    if database:
        remove_beside(path)
    return True


def _size(entry: Entry) -> int:
    return len(entry.target) if entry.target else entry.size
