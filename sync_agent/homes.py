"""LoanHub homes in a snapshot: where they will lie, and that they open held until somebody resumes them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from loanhub import Damaged, NotFound, hold
from sync_agent.snapshots import Entry, Snapshot
from sync_agent.snapshots.listings import Load, entries_of
from sync_agent.snapshots.looking import entry_at
from sync_agent.status import moment_of
from sync_agent.vault import Vault

DEPTH: Final = 3
"""Folders down to which a home is looked for: itself backed up, or the folder it lies in."""


def homes_in(vault: Vault, snapshot: Snapshot, inside: bytes = b"") -> list[Path]:
    """Where homes lie in what `inside` names, relative to the target of a restore."""
    top = entry_at(vault.load, snapshot, inside)
    return list(_homes(vault.load, top, Path(), DEPTH)) if top.is_folder else []


def _homes(load: Load, folder: Entry, path: Path, depth: int) -> Iterator[Path]:
    try:
        inside = {entry.name: entry for entry in entries_of(load, folder.references)}
    except (Damaged, NotFound):  # the restore names it
        return
    keys = inside.get(b"keys")
    if b"loanhub.toml" in inside and keys is not None and keys.is_folder:
        yield path
        return
    for name, entry in inside.items() if depth else ():
        if entry.is_folder:
            yield from _homes(load, entry, path / name.decode("utf-8", "surrogateescape"), depth - 1)


def hold_all(vault: Vault, snapshot: Snapshot, homes: list[Path], target: Path) -> None:
    """Marks the homes as held. Called before anything of them is written, and once more at the end."""
    taken = moment_of(snapshot.started) or datetime.now(UTC)
    for home in homes:
        hold(target / home, vault=vault.id, snapshot=snapshot.id, taken=taken)
