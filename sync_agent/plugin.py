"""How LoanHub hears of its backups: this agent joins by the same door as every plugin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import define

from loanhub import Home, Keyring, hookimpl

if TYPE_CHECKING:
    from loanhub import Backup


@define
class Backups:
    """What this machine noted of the vaults that a home's keyring opens."""

    name: str = "loanhub-sync"

    def status(self, home: Path) -> Mapping[str, Any]:
        """The newest `last_backup`, `last_verify`, `last_drill`, each with `at` and `age_seconds`, or None.

        Asks neither the storage nor for a passphrase. Raises what `Keyring.peek` raises.
        """
        from sync_agent.status import journals_of

        journals = journals_of(Keyring.peek(Home(home).keyring).home)
        return {
            f"last_{what}": _newest([said[what] for said in journals.values() if what in said])
            for what in ("backup", "verify", "drill")
        } | {"vaults": sorted(journals)}

    def agent(self, home: Path) -> Sequence[str]:
        """As `Backup.agent`: to the vault that was made for this home, and its copy if there is one."""
        from sync_agent.places import Places
        from sync_agent.status import journals_of

        own = journals_of(Keyring.peek(Home(home).keyring).home)
        places = Places().all()
        vaults = [where for where, one in places.items() if one.vault in own and not one.copy_of]
        if not vaults:
            return ()
        copies = [where for where, one in places.items() if one.copy_of == vaults[0]]
        command = ("-m", "sync_agent", "run", str(home), "--home", str(home), "--vault", vaults[0], "--yes")
        return (*command, *(("--copy-to", copies[0]) if copies else ()))


def _newest(noted: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    from sync_agent.status import moment_of

    newest = max(noted, key=lambda one: str(one.get("at", "")), default=None)
    at = moment_of(newest.get("at")) if newest is not None else None
    if newest is None or at is None:
        return None
    return {**newest, "age_seconds": max(0, int((datetime.now(UTC) - at).total_seconds()))}


@hookimpl
def backups() -> Sequence[Backup]:
    """This machine's own."""
    return [Backups()]
