"""What this machine remembers of vaults: a folder of its own, and which vault was seen where and when."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from attrs import asdict, field, frozen

from loanhub import Damaged, lock, private_folder, write_atomically

STATE: Final = "LOANHUB_SYNC_STATE"
NAME: Final = "loanhub-sync"
_PATIENCE: Final = 10.0


def state_folder() -> Path:
    """Where this user's machine remembers vaults: LOANHUB_SYNC_STATE, else where the system keeps such."""
    if told := os.environ.get(STATE):
        return Path(told).expanduser().absolute()
    kept = os.environ.get("LOCALAPPDATA") or os.environ.get("XDG_STATE_HOME")  # each system sets its own
    return (Path(kept) if kept else Path.home() / ".local" / "state") / NAME


def spoken_address(address: str) -> str:
    """An address as it is remembered: the path of a folder is made absolute."""
    return address.rstrip("/") if "://" in address else str(Path(address).expanduser().absolute())


@frozen
class Place:
    """A vault as it was seen at an address. `copy_of`: the address it is a copy of, or "".

    `apart`: it is or was a copy, and what is remembered of it is kept apart from that of the first.
    `home`: the folder of the LoanHub home whose keyring opens it, or "".
    """

    vault: str
    seen: str
    copy_of: str = ""
    apart: bool = False
    home: str = ""


@frozen
class Notes:
    """A small JSON file that several programs write, one after the other, whole."""

    path: Path

    def read(self) -> dict[str, Any]:
        """What stands in it. Raises Damaged `sync-state-damaged`."""
        try:
            found = json.loads(self.path.read_bytes())
        except FileNotFoundError:
            return {}
        except ValueError:
            raise Damaged("sync-state-damaged", path=str(self.path)) from None
        if not isinstance(found, dict):
            raise Damaged("sync-state-damaged", path=str(self.path))
        return found

    def note(self, **facts: object) -> None:
        """Puts facts in, in the place of older ones of the same name."""
        private_folder(self.path.parent)
        with lock(self.path.with_suffix(".lock"), wait=_PATIENCE):
            text = json.dumps({**self.read(), **facts}, ensure_ascii=False, sort_keys=True, indent=1)
            write_atomically(self.path, text.encode())


@frozen
class Places:
    """The vaults this machine knows, by address."""

    folder: Path = field(factory=state_folder)

    @property
    def _notes(self) -> Notes:
        return Notes(self.folder / "places.json")

    def find(self, address: str) -> Place | None:
        """What was seen at an address. Raises Damaged `sync-state-damaged`."""
        found = self._notes.read().get(spoken_address(address))
        if not isinstance(found, Mapping):
            return None
        copy_of, apart = str(found.get("copy_of", "")), found.get("apart") is True
        home = str(found.get("home", ""))
        return Place(str(found["vault"]), str(found["seen"]), copy_of, apart, home)

    def all(self) -> dict[str, Place]:
        """Every vault this machine knows, by address."""
        found = {address: self.find(address) for address in self._notes.read()}
        return {address: place for address, place in found.items() if place is not None}

    def remember(
        self, address: str, vault: str, *, copy_of: str = "", apart: bool = False, home: str = ""
    ) -> None:
        """That this vault was there just now."""
        place = Place(vault, datetime.now(UTC).strftime("%Y-%m-%d"), copy_of, apart, home)
        self._notes.note(**{spoken_address(address): asdict(place)})

    def cache(self, address: str) -> Path:
        """Where the client folder of the vault at an address lies.

        A copy has one of its own: it is behind the vault it is a copy of, and that is no alarm.
        """
        place = self.find(address)
        if place is None or not place.apart:
            return self.folder
        return self.folder / "copies" / hashlib.sha256(spoken_address(address).encode()).hexdigest()[:16]
