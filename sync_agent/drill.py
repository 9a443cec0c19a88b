"""A drill: a snapshot is restored into scratch, everything in it is proven, and the time it took is measured.

What came of it is a commit of type "evidence" in the vault, signed as every commit is by this device's key:

    {"kind": "drill", "version": 1, "snapshot", "sequence", "host", "started", "milliseconds", "files",
     "bytes", "databases", "homes", "unopened", "faults": [{"code", "path"}, ...], "passed"}
"""

from __future__ import annotations

import random
import socket
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from attrs import asdict, frozen

from loanhub import Damaged, Home, LoanHubError, NotFound, Secret, prove_home
from sync_agent.restore import restore
from sync_agent.snapshots import Problem, Progress, Snapshot, ls, snapshots_of
from sync_agent.status import stamp
from sync_agent.vault import Vault
from sync_agent.wal import SMALLEST_PAGE

VERSION: Final = 1
MOST_FAULTS: Final = 100
_PLAIN: Final = b"SQLite format 3\0"


@frozen
class Drilled:
    """What a drill found. `databases` were opened and checked.

    `unopened` are encrypted and no home's: they are proven by the ids of their pieces and made of whole
    pages, and what stands in those nobody here can read.
    """

    snapshot: Snapshot
    started: datetime
    seconds: float
    files: int
    bytes: int
    databases: int
    homes: int
    unopened: int
    faults: tuple[Problem, ...]

    @property
    def passed(self) -> bool:
        """Whether everything came back, and works."""
        return not self.faults

    def to_body(self) -> dict[str, Any]:
        """The body of the evidence."""
        return {
            "kind": "drill",
            "version": VERSION,
            "snapshot": self.snapshot.id,
            "sequence": self.snapshot.commit.sequence,
            "host": socket.gethostname(),
            "started": stamp(self.started),
            "milliseconds": int(self.seconds * 1000),
            "files": self.files,
            "bytes": self.bytes,
            "databases": self.databases,
            "homes": self.homes,
            "unopened": self.unopened,
            "faults": [asdict(fault) for fault in self.faults[:MOST_FAULTS]],
            "passed": self.passed,
        }


def some_snapshot(vault: Vault) -> Snapshot:
    """One of the snapshots, drawn by lot. Raises NotFound `sync-no-snapshots`."""
    found = snapshots_of(vault)
    if not found:
        raise NotFound("sync-no-snapshots")
    return random.SystemRandom().choice(found)


def drill(
    vault: Vault, snapshot: Snapshot, scratch: Path, secret: Secret | None = None,
    tell: Callable[[Progress], object] | None = None,
) -> Drilled:  # fmt: skip
    """Restores a snapshot into the empty folder `scratch` and proves it; nothing is written to the vault.

    `secret` opens the LoanHub homes in it. Raises what restoring raises for the target and the remote.
    """
    started, begun = datetime.now(UTC), time.monotonic()
    came = restore(vault, snapshot, scratch, tell=tell)
    faults = [*came.problems]
    if (came.files, came.bytes) != (snapshot.counts.files, snapshot.counts.bytes) and not faults:
        faults.append(Problem("sync-drill-count", str(scratch)))
    homes = [Home(path.parent) for path in sorted(scratch.rglob("loanhub.toml")) if Home(path.parent).exists]
    counts = {"databases": 0, "unopened": 0}
    for path in _databases(vault, snapshot, scratch):
        if not _is_plain(path):
            if not any(path.is_relative_to(home.root) for home in homes):
                counts["unopened"] += 1
                faults += [] if _has_pages(path) else [Problem("sync-drill-pages", _inside(path, scratch))]
            continue
        counts["databases"] += 1
        faults += [Problem("sync-drill-database", _inside(path, scratch))] if not _is_sound(path) else []
    for home in homes:
        faults += [Problem(code, _inside(home.root, scratch)) for code in _broken(home, secret)]
    return Drilled(
        snapshot, started, time.monotonic() - begun, came.files, came.bytes, homes=len(homes),
        faults=tuple(faults), **counts,
    )  # fmt: skip


def last_drill(vault: Vault) -> dict[str, Any] | None:
    """What the newest drill found, wherever it was made; None: there was none."""
    for commit in vault.commits(newest_first=True):
        if commit.type == "evidence" and commit.body.get("kind") == "drill":
            return dict(commit.body)
    return None


def _inside(path: Path, scratch: Path) -> str:
    return path.relative_to(scratch).as_posix()


# What was restored ----------------------------------------------------------------------------------------


def _databases(vault: Vault, snapshot: Snapshot, scratch: Path) -> Iterator[Path]:
    with suppress(Damaged, NotFound):  # a listing that does not open is a fault of the restore already
        for listed in ls(vault, snapshot, deep=True):
            path = scratch / listed.path.decode("utf-8", "surrogateescape")
            if listed.entry.is_database and path.is_file():
                yield path


def _is_plain(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(len(_PLAIN)) in (_PLAIN, b"")


def _has_pages(path: Path) -> bool:
    """Whether an encrypted database is made of whole pages, the first of which was written."""
    with path.open("rb") as stream:
        return any(stream.read(SMALLEST_PAGE)) and path.stat().st_size % SMALLEST_PAGE == 0


def _is_sound(path: Path) -> bool:
    """SQLite's own checks of all pages, indexes and foreign keys."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as found:
            whole = found.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            return whole and not found.execute("PRAGMA foreign_key_check").fetchall()
    except sqlite3.Error:
        return False


def _broken(home: Home, secret: Secret | None) -> list[str]:
    """What is wrong with a restored home, as message codes."""
    if secret is None:
        return ["sync-drill-no-secret"]
    try:
        return [found.code for found in prove_home(home.root, secret)]
    except LoanHubError as error:
        return [error.code]
