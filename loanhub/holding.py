"""A restored home is held: it can be read, but nothing in it works by itself until somebody resumes it.

Whoever restores a home writes HOME/data/held.json before the rest of it is there:

    {"format": "loanhub-held", "version": 1, "vault": "...", "snapshot": "...",
     "taken": "2026-01-31T09:00:00Z", "restored": "2026-02-01T08:30:00Z", "by": "user@host"}

`taken`: when the snapshot was made; `restored`: when it was brought back. Whatever is due in between may have
been done already by the home that was lost. docs/operations.md, "After a restore", tells it to people.
"""

from __future__ import annotations

import getpass
import json
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Self

from attrs import frozen

from loanhub.errors import Damaged, Waiting
from loanhub.files import write_atomically
from loanhub.home import Home
from loanhub.system import private_folder

FORMAT: Final = "loanhub-held"
VERSION: Final = 1
STAMP: Final = "%Y-%m-%dT%H:%M:%SZ"
_FIELDS: Final = frozenset({"format", "version", "vault", "snapshot", "taken", "restored", "by"})


@frozen
class Held:
    """Why a home is held: which snapshot of which vault it was restored from, when, and by whom."""

    vault: str
    snapshot: str
    taken: datetime
    restored: datetime
    by: str

    @classmethod
    def of(cls, content: bytes) -> Self:
        """The marker in a file. Raises ValueError for anything but its very form."""
        found = json.loads(content)
        if not isinstance(found, dict) or found.keys() != _FIELDS:
            raise ValueError
        if (found["format"], found["version"]) != (FORMAT, VERSION):
            raise ValueError
        told = [found[name] for name in ("vault", "snapshot", "taken", "restored", "by")]
        if not all(isinstance(one, str) for one in told):
            raise ValueError
        vault, snapshot, taken, restored, by = told
        return cls(vault, snapshot, _moment(taken), _moment(restored), by)

    def to_bytes(self) -> bytes:
        """The file."""
        told: dict[str, Any] = {
            "format": FORMAT,
            "version": VERSION,
            "vault": self.vault,
            "snapshot": self.snapshot,
            "taken": _stamp(self.taken),
            "restored": _stamp(self.restored),
            "by": self.by,
        }
        return json.dumps(told, ensure_ascii=False, indent=1).encode()


def marker(home: Home) -> Path:
    """HOME/data/held.json."""
    return home / "data" / "held.json"


def hold(root: Path, *, vault: str, snapshot: str, taken: datetime, restored: datetime | None = None) -> Held:
    """Mark the home at `root` as held; its folder `data` is made if need be.

    Call it before anything of the home is written, and again at the end when a restored file may have taken
    the marker's place. `restored`: when, if not now. Raises OSError.
    """
    held = Held(vault, snapshot, taken, restored or datetime.now(UTC), _somebody())
    path = marker(Home(root))
    private_folder(path.parent)
    write_atomically(path, held.to_bytes())
    return held


def held_by(home: Home) -> Held | None:
    """Why the home is held; None when it is not. Raises Damaged("held-unreadable")."""
    try:
        return Held.of(marker(home).read_bytes())
    except FileNotFoundError:
        return None
    except (ValueError, TypeError):
        raise Damaged("held-unreadable", file=marker(home).name) from None


def refuse_held(home: Home) -> None:
    """Raises Waiting("home-held") when the home is held, Damaged("held-unreadable") when nobody can tell."""
    held = held_by(home)
    if held is not None:
        raise Waiting("home-held", snapshot=held.snapshot, taken=held.taken, restored=held.restored)


def release(home: Home) -> None:
    """Let the home work again."""
    marker(home).unlink(missing_ok=True)


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime(STAMP)


def _moment(text: str) -> datetime:
    return datetime.strptime(text, STAMP).replace(tzinfo=UTC)


def _somebody() -> str:
    try:
        user = getpass.getuser()
    except (OSError, KeyError, ImportError):
        user = "host"
    return f"{user}@{socket.gethostname()}"
