"""Watch drop folders: a scan is the truth, events of the system only make it come sooner.

A file is handed over when its size, time and inode have not changed for a while, nobody has it open
in Excel or WPS, it opens, and it is whole. Renames bring no "closed" event, shares bring no events
at all, and copies reserve their full size at once: only looking again tells.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Final

from attrs import field, frozen, mutable

from loanhub.files.contents import torn_stream
from loanhub.files.names import ignored, owner_file
from loanhub.system import open_plain

if TYPE_CHECKING:
    from loanhub.files.bell import Bell

PATIENCE: Final = 60.0
_SHORTEST: Final = 0.1


@frozen
class Seen:
    """A file as one look found it."""

    path: Path
    size: int
    changed: int  # nanoseconds since 1970
    inode: int


@frozen
class Settled:
    """A file that has come to rest. `torn` says why it is not whole though it was given time; else None."""

    seen: Seen
    torn: str | None = None

    @property
    def path(self) -> Path:
        """Where it lies."""
        return self.seen.path

    @property
    def size(self) -> int:
        """Its bytes."""
        return self.seen.size


@frozen
class Notice:
    """Something a person should know, told once: code and path of a message (`loanhub.texts`).

    Codes: folder-lost, folder-back, file-still-open, file-unreadable.
    """

    code: str
    path: Path


def scan(folder: Path, *, own: bool = False) -> list[Seen]:
    """The files of `folder` that may be workbooks, in order of their names; nothing below it, nothing empty.

    Links, pipes, folders and ignored names are left out; with `own` mapping files are not. Raises OSError
    when the folder is not there.
    """
    found: list[Seen] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            left_out = ignored(entry.name)
            seen = _look(Path(entry.path)) if left_out is None or (own and left_out == "own") else None
            if seen is not None and seen.size:
                found.append(seen)
    return sorted(found, key=lambda seen: seen.path.name)


def unchanged(settled: Settled) -> bool:
    """Whether the file is still the one that settled: ask after reading it, before relying on it."""
    return _look(settled.path) == settled.seen


def _look(path: Path) -> Seen | None:
    try:
        # Not the entry's own stat: on Windows that is what the folder remembers, not what the file is.
        told = path.lstat()
    except OSError:
        return None
    return Seen(path, told.st_size, told.st_mtime_ns, told.st_ino) if stat.S_ISREG(told.st_mode) else None


@mutable
class _Waiting:
    seen: Seen
    since: float
    done: bool = False
    told: set[str] = field(factory=set)


class Settler:
    """Decides which files have come to rest; time is handed in, so it can be tried without waiting.

    `settle` seconds without a change; a file that is not whole or cannot be opened gets `patience`.
    """

    def __init__(self, *, settle: float, patience: float = PATIENCE) -> None:
        self._settle = settle
        self._patience = max(patience, settle)
        self._known: dict[Path, dict[Path, _Waiting]] = {}

    def look(self, folder: Path, found: Sequence[Seen], now: float) -> Iterator[Settled | Notice]:
        """What is new to say of `folder` after a scan at `now` (seconds of any steady clock)."""
        before = self._known.get(folder, {})
        known = self._known[folder] = {seen.path: self._followed(before, seen, now) for seen in found}
        for waiting in list(known.values()):
            if not waiting.done and now - waiting.since >= self._settle:
                said = self._judge(waiting, now)
                if said is not None:
                    yield said

    def due(self, now: float) -> float | None:
        """Seconds until the next file can settle; None when none is on its way there."""
        rests = [w.since + self._settle - now for k in self._known.values() for w in k.values() if not w.done]
        return min((rest for rest in rests if rest > 0), default=None)

    def forget(self, folder: Path) -> None:
        """Start anew with a folder that was lost: all its files are handed over again."""
        self._known.pop(folder, None)

    @staticmethod
    def _followed(before: dict[Path, _Waiting], seen: Seen, now: float) -> _Waiting:
        known = before.get(seen.path)
        return known if known is not None and known.seen == seen else _Waiting(seen, now)

    def _judge(self, waiting: _Waiting, now: float) -> Settled | Notice | None:
        patient = now - waiting.since < self._patience
        if owner_file(waiting.seen.path) is not None:
            return _once(waiting, "file-still-open")
        if _look(waiting.seen.path) != waiting.seen:
            return None  # changed since the scan: the next one sees it
        try:
            with open_plain(waiting.seen.path) as stream:
                reason = torn_stream(stream)
        except FileNotFoundError:
            return None
        except OSError:
            return None if patient else _once(waiting, "file-unreadable")
        if reason is not None and patient:
            return None
        waiting.done = True
        return Settled(waiting.seen, reason)


def _once(waiting: _Waiting, code: str) -> Notice | None:
    if code in waiting.told:
        return None
    waiting.told.add(code)
    return Notice(code, waiting.seen.path)


def watch(
    folders: Sequence[Path],
    *,
    settle: float = 2.0,
    every: float = 10.0,
    polling: bool = False,
    patience: float = PATIENCE,
    own: bool = False,
    stop: Event,
) -> Iterator[Settled | Notice]:
    """Every file that comes to rest in `folders`, once for each content, until `stop` is set.

    `own`: mapping files too.

    All times in seconds: `settle` about 2 on a local disk and 10 on a share; a scan at least `every` so
    often; with `polling` the system's events are not asked for (network shares, some containers). A
    folder that disappears is noticed, waited for, and looked through anew when it is back.
    """
    from loanhub.files.bell import Bell

    settler, lost = Settler(settle=settle, patience=patience), set[Path]()
    with Bell([] if polling else folders) as bell:
        while not stop.is_set():
            began = time.monotonic()
            for folder in folders:
                for said in _visit(folder, settler, lost, bell, own=own):
                    yield said
                    if stop.is_set():
                        return
            spent = time.monotonic() - began
            due = settler.due(time.monotonic())
            stop.wait(max(_SHORTEST, min(spent, 5.0)))  # in a storm of events look half of the time at most
            bell.wait(every if due is None else min(every, due), stop)


def _visit(
    folder: Path, settler: Settler, lost: set[Path], bell: Bell, *, own: bool
) -> Iterator[Settled | Notice]:
    try:
        found = scan(folder, own=own)
    except OSError:
        settler.forget(folder)
        if folder not in lost:
            lost.add(folder)
            yield Notice("folder-lost", folder)
        return
    if folder in lost:
        lost.discard(folder)
        bell.hang(folder)
        yield Notice("folder-back", folder)
    yield from settler.look(folder, found, time.monotonic())
