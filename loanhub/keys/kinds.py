"""The slot kinds that are built in; a plugin adds more in the same shape."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from loanhub.keys.public import PUBLIC_SLOT
from loanhub.keys.secret import Secret
from loanhub.keys.slots import KEY_FILE_SLOT, PASSPHRASE_SLOT, RECOVERY_SLOT, SlotKind

BUILT_IN_SLOTS: Final[Mapping[str, SlotKind]] = MappingProxyType(
    {kind.kind: kind for kind in (RECOVERY_SLOT, KEY_FILE_SLOT, PUBLIC_SLOT, PASSPHRASE_SLOT)}
)
"""By name, in the order in which they are tried."""

NOBODY: Final = Secret(b"")
"""What is said where nobody has to say anything: a slot that this machine opens by itself, such as a key
service with the machine's own credentials."""
