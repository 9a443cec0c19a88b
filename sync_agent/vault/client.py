"""What this machine remembers of a vault: the last head it saw, and the key it signs with.

docs/vault-format.md section 8 is the format.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from attrs import asdict, frozen

from loanhub import (
    Damaged,
    NotAllowed,
    NotFound,
    Refused,
    Secret,
    bind,
    new_signing_key,
    open_sealed,
    seal,
    write_atomically,
)
from sync_agent.vault import strict
from sync_agent.vault.keys import VaultKeys

PIN: Final = "pin.json"
DEVICE: Final = "device.key"
_FIELDS: Final = ("vault", "sequence", "hash", "keys_sequence", "keys_hash", "devices")


@frozen
class Pin:
    """The last head and keyring this machine saw of a vault; hashes in hex."""

    vault: str
    sequence: int
    hash: str
    keys_sequence: int
    keys_hash: str
    devices: tuple[str, ...] = ()


class ClientFolder:
    """The folder of one vault under a folder of the user's choice. None: nothing is remembered."""

    def __init__(self, cache: Path | None, vault: str) -> None:
        self._vault = vault
        self._folder = None if cache is None else cache / vault

    def pin(self) -> Pin | None:
        """What was remembered. Raises Damaged `vault-pin-damaged`."""
        if self._folder is None or not (path := self._folder / PIN).exists():
            return None
        try:
            fields = strict.read_fields(path.read_bytes(), _FIELDS, PIN)
            found = Pin(
                strict.text(fields["vault"], strict.HEX_32, PIN),
                strict.number(fields["sequence"], PIN),
                strict.text(fields["hash"], strict.HEX_64, PIN),
                strict.number(fields["keys_sequence"], PIN),
                strict.text(fields["keys_hash"], strict.HEX_64, PIN),
                tuple(strict.text(one, strict.HEX_64, PIN) for one in strict.items(fields["devices"], PIN)),
            )
        except Damaged:
            raise Damaged("vault-pin-damaged", path=str(path)) from None
        return found

    def remember(self, pin: Pin) -> None:
        """Replaces what was remembered, unless another program saw more meanwhile."""
        if self._folder is None:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        before = self.pin()
        if before is None or before.sequence <= pin.sequence:
            write_atomically(self._folder / PIN, strict.canonical(asdict(pin)))

    def device(self, keys: VaultKeys) -> Secret:
        """This machine's signing key: kept, or new when there is none that opens."""
        place = bind("device", self._vault)
        if self._folder is None:
            return new_signing_key()
        path = self._folder / DEVICE
        if path.exists():
            try:
                return Secret(open_sealed(keys.device_lock, path.read_bytes(), place))
            except (Damaged, NotAllowed, NotFound, Refused):
                path.unlink()
        self._folder.mkdir(parents=True, exist_ok=True)
        key = new_signing_key()
        write_atomically(path, seal(keys.device_lock, key.reveal(), place))
        return key
