"""What is known of a vault's health: when it was backed up, verified, drilled and copied last.

Runs of this machine are noted in `status.json` beside what it remembers of the vault, so that `doctor` and
whoever supervises can be told without a passphrase and without the storage.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from attrs import frozen

from loanhub import Stored
from sync_agent.places import Notes, state_folder
from sync_agent.vault import Vault
from sync_agent.vault.names import COMMITS, sequence_in

FILE: Final = "status.json"
ALARMS: Final = frozenset({"vault-rolled-back", "vault-forked", "vault-another", "vault-keys-rolled-back"})
"""Codes that say: this storage shows another history than it did."""
STAMP: Final = "%Y-%m-%dT%H:%M:%SZ"


def stamp(moment: datetime) -> str:
    """A moment as it is noted."""
    return moment.astimezone(UTC).strftime(STAMP)


def moment_of(text: object) -> datetime | None:
    """A moment that was noted; None for anything else."""
    try:
        return datetime.strptime(str(text), STAMP).replace(tzinfo=UTC)
    except ValueError:
        return None


@frozen
class Journal:
    """What happened to one vault on this machine."""

    notes: Notes

    @classmethod
    def of(cls, vault: Vault, folder: Path | None = None) -> Journal:
        """The journal of a vault."""
        return cls(Notes((folder or state_folder()) / vault.id / FILE))

    def read(self) -> dict[str, Any]:
        """What was noted. Raises Damaged `sync-state-damaged`."""
        return self.notes.read()

    def ran(self, vault: Vault, what: str, **facts: object) -> None:
        """Notes that a job was done just now, with what came of it."""
        self.notes.note(
            keyring=vault.keyring.home,
            **{what: {"at": stamp(datetime.now(UTC)), "head": vault.head[0], **facts}},
        )

    def held(self, vault: Vault, objects: int, loose: int, until: datetime | None) -> None:
        """Notes until when what counts is locked; None: `loose` objects of it are not."""
        told = None if until is None else stamp(until)
        self.ran(vault, "hold", objects=objects, loose=loose, until=told)

    def copied(self, vault: Vault, address: str, head: int, lock_until: str | None = None) -> None:
        """Notes that a copy counts up to a commit, and until when what it holds is locked there, if so."""
        copies = self.read().get("copies", {})
        made = {"at": stamp(datetime.now(UTC)), "head": head, "lock_until": lock_until}
        self.notes.note(copies={**copies, address: made})
        self.notes.note(keyring=vault.keyring.home)


def journals_of(keyring: str, folder: Path | None = None) -> Mapping[str, dict[str, Any]]:
    """The journals of every vault a keyring opens, by vault id."""
    found = {}
    for path in sorted((folder or state_folder()).glob(f"*/{FILE}")):
        said = Notes(path).read()
        if said.get("keyring") == keyring:
            found[path.parent.name] = said
    return found


def commit_times(vault: Vault) -> dict[int, datetime]:
    """The storage's own time of each commit; empty where it tells none."""

    def times(stored: Stored) -> tuple[int | None, datetime | None]:
        return sequence_in(stored.name), stored.modified

    return {
        number: moment
        for number, moment in map(times, vault.remote.list(COMMITS))
        if number is not None and moment is not None
    }
