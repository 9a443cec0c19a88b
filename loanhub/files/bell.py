"""Rings when the system says that something moved in a folder. It may stay silent: nobody may rely on it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from threading import Event
from types import TracebackType
from typing import Final, Self

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.api import ObservedWatch

# Not "opened" and "closed without writing": we open files ourselves.
_MOVING: Final = frozenset({"created", "modified", "moved", "deleted", "closed"})
_GLANCE: Final = 0.2


class Bell(FileSystemEventHandler):
    """Hangs over some folders; silent where the system has no events for them."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._rung = Event()
        self._watched: dict[Path, ObservedWatch] = {}
        self._observer = Observer() if folders else None
        self._folders = folders

    def __enter__(self) -> Self:
        if self._observer is not None:
            try:
                self._observer.start()
            except OSError:  # no watches left: the scan goes on without
                self._observer = None
        for folder in self._folders:
            self.hang(folder)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._observer is not None:
            self._observer.stop()
            self._observer.join(5.0)

    def hang(self, folder: Path) -> None:
        """Hang over `folder`, also again after it was away."""
        if self._observer is None:
            return
        if folder in self._watched:
            with suppress(OSError, KeyError, RuntimeError):
                self._observer.unschedule(self._watched.pop(folder))
        with suppress(OSError, RuntimeError):
            self._watched[folder] = self._observer.schedule(self, str(folder))

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Called by watchdog, in its thread."""
        if event.event_type in _MOVING:
            self._rung.set()

    def wait(self, longest: float, stop: Event) -> None:
        """Return when it rang, after `longest` seconds, or soon after `stop` is set."""
        deadline = time.monotonic() + longest
        while not stop.is_set() and (left := deadline - time.monotonic()) > 0:
            if self._rung.wait(min(left, _GLANCE)):
                break
        self._rung.clear()
