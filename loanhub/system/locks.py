"""One process at a time: an exclusive lock on a file that says who holds it."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from attrs import asdict, frozen

from loanhub.errors import Busy
from loanhub.system.branch import here

_PAUSE = 0.05
_LONGEST = 4096


@frozen
class Owner:
    """Who holds a lock: process number, machine, and since when (local time, ISO 8601)."""

    pid: int
    host: str
    since: str


@contextmanager
def lock(path: Path, *, wait: float = 0.0) -> Iterator[None]:
    """Hold the exclusive lock of `path` (made when missing), waiting up to `wait` seconds for it.

    The lock dies with its process, whatever kills it; the file stays. Not to be used on a network
    share (`home_problem`). Raises Busy("home-busy", pid, host, since).
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
    try:
        deadline = time.monotonic() + wait
        while not here.try_lock(handle):
            if time.monotonic() >= deadline:
                raise _busy(path)
            time.sleep(_PAUSE)
        try:
            _sign(handle)
            yield
            os.ftruncate(handle, 0)
        finally:
            here.unlock(handle)
    finally:
        os.close(handle)


def lock_owner(path: Path) -> Owner | None:
    """Who signed the lock file last; None when nobody did or the line is just being written."""
    try:
        with path.open("rb") as stream:
            said = json.loads(stream.read(_LONGEST))
        return Owner(int(said["pid"]), str(said["host"]), str(said["since"]))
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _sign(handle: int) -> None:
    owner = Owner(
        os.getpid(), socket.gethostname(), datetime.now().astimezone().isoformat(timespec="seconds")
    )
    os.ftruncate(handle, 0)
    os.lseek(handle, 0, os.SEEK_SET)
    os.write(handle, json.dumps(asdict(owner)).encode())


def _busy(path: Path) -> Busy:
    owner = lock_owner(path)
    if owner is None:
        return Busy("home-busy", pid="?", host="?", since="?")
    return Busy("home-busy", pid=owner.pid, host=owner.host, since=owner.since)
