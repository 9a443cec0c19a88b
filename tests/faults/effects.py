"""Everything a process leaves behind when it dies: counted as it happens, and the process killed at will.

An effect is a file of the home opened for writing, renamed, removed or flushed, a folder made, a part put
into a workbook, or a commit of the store. Killed at effect N, a process dies just before it: all that is on
disk then is what the effects before it did. Of a commit both sides are an effect.

Or the disk is full from effect N on: whatever needs room then fails as it does on a real one.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from attrs import define, field

from loanhub.desk import Desk
from loanhub_store_sqlite.cipher import FULL, DriverError, translated
from loanhub_store_sqlite.session import Session

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
HARMLESS = ("tmp", "data")
"""Scratch is emptied at the next start; what happens in `data` is seen as commits."""


def beside(home: Path, word: str) -> Path:
    """A file next to the home by which two processes of a test speak."""
    return home.with_name(f"{home.name}.{word}")


@define
class Effects:
    """The effects of this process on one home, in order.

    It dies just before number `kill` (from 1), or before the first of that name. From number `full` on there
    is no room, until `room` is made. Before the first named `pause` it says so in a file, and goes on when
    another file is there.
    """

    home: Path
    kill: int | str = 0
    full: int = 0
    pause: str = ""
    seen: list[str] = field(factory=list)
    act: str = ""

    def listen(self) -> None:
        """From now on. An audit hook cannot be taken away: once in a process."""
        sys.addaudithook(self._audit)
        for target, name in ((os, "fsync"), (zipfile.ZipFile, "write"), (zipfile.ZipFile, "writestr")):
            setattr(target, name, self._before(getattr(target, name), name))
        self._watch_commits()

    def happen(self, label: str) -> None:
        """One effect is about to happen: die here, or note it."""
        self.seen.append(label)
        if self.kill in (len(self.seen), label):
            os.kill(os.getpid(), signal.SIGKILL)
        if self.full and len(self.seen) >= self.full:
            self._need_room(label)
        if label == self.pause:
            self.pause = ""
            beside(self.home, "paused").touch()
            while not beside(self.home, "go").exists():
                time.sleep(0.02)

    def room(self) -> None:
        """There is room again."""
        self.full = 0

    @staticmethod
    def _need_room(label: str) -> None:
        """Fail as what the label names does on a full disk; to remove a file needs no room."""
        what, _, _ = label.partition(" ")
        if what == "before":
            error = DriverError("database or disk is full")
            error.sqlite_errorcode = FULL
            raise translated(error)
        if what not in {"remove", "after"}:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITING:
            self._at("write", arguments[0])
        elif event == "os.rename":
            self._at("rename", arguments[1])
        elif event in ("os.remove", "os.mkdir"):
            self._at(event.removeprefix("os."), arguments[0])

    def _at(self, what: str, path: object) -> None:
        try:
            place = Path(os.fsdecode(path)).relative_to(self.home)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            return
        if place.parts[0] not in HARMLESS:
            self.happen(f"{what} {place.parts[0]} {place.suffix}")

    def _before(self, original: Callable[..., Any], label: str) -> Callable[..., Any]:
        def wrapped(*arguments: Any, **named: Any) -> Any:
            self.happen(label)
            return original(*arguments, **named)

        return wrapped

    def _watch_commits(self) -> None:
        do, run = Desk.do, Session.run

        def named(desk: Desk, act: Any, *arguments: Any, **options: Any) -> Any:
            self.act = act.name
            return do(desk, act, *arguments, **options)

        def committing(session: Session, sql: str, values: Any = ()) -> Any:
            if sql != "COMMIT":
                return run(session, sql, values)
            self.happen(f"before {self.act}")
            answer = run(session, sql, values)
            self.happen(f"after {self.act}")
            return answer

        Desk.do, Session.run = named, committing  # type: ignore[method-assign,assignment]
