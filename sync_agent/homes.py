"""LoanHub homes in what is restored: each is held before its data is there, until somebody resumes it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from attrs import define, field

from loanhub import hold
from sync_agent.snapshots import Snapshot
from sync_agent.status import moment_of
from sync_agent.vault import Vault

DATA: Final = "data"
MARKER: Final = "held.json"
"""The file in `data` that holds a home."""
OF_A_HOME: Final = frozenset({"key-check", "loanhub.db"})
"""Files in `data` without which no home works: who brings one of them back turns a home back in time."""


@define
class Holding:
    """Marks the homes that a restore meets as held; `homes` are those it met."""

    vault: Vault
    snapshot: Snapshot
    homes: list[Path] = field(factory=list)

    def meet(self, path: Path) -> None:
        """A file is about to be restored to `path`."""
        home = path.parent.parent
        if path.name in OF_A_HOME and path.parent.name == DATA and home not in self.homes:
            self.homes.append(home)
            self._hold(home)

    @property
    def markers(self) -> list[Path]:
        """The files that hold them."""
        return [home / DATA / MARKER for home in self.homes]

    def end(self) -> None:
        """Everything is restored: perhaps the marker of an older restore too, in the place of ours."""
        for home in self.homes:
            self._hold(home)

    def _hold(self, home: Path) -> None:
        taken = moment_of(self.snapshot.started) or datetime.now(UTC)
        hold(home, vault=self.vault.id, snapshot=self.snapshot.id, taken=taken)
