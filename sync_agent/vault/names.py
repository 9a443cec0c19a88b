"""Names of a vault's objects on storage. docs/vault-format.md section 1 lists them."""

from __future__ import annotations

import re
from typing import Final

from loanhub import VAULT_MARKER

START: Final = VAULT_MARKER
PACKS: Final = "p/"
BASES: Final = "i/"
COMMITS: Final = "c/"
KEYRINGS: Final = "k/"
_BY_ID: Final = re.compile(r"(?:p/([0-9a-f]{2})|i)/([0-9a-f]{32})")
_COMMIT: Final = re.compile(r"c/(\d{10})")
_KEYRING: Final = re.compile(r"k/(\d{10})")


def pack_name(object_id: bytes) -> str:
    """Where a pack is kept."""
    text = object_id.hex()
    return f"{PACKS}{text[:2]}/{text}"


def base_name(object_id: bytes) -> str:
    """Where a base is kept."""
    return BASES + object_id.hex()


def commit_name(sequence: int) -> str:
    """Where commit `sequence`, counted from 1, is kept."""
    return f"{COMMITS}{sequence:010}"


def keyring_name(sequence: int) -> str:
    """Where the keyring after its change `sequence` is kept; 0: none yet, it is in the start."""
    return START if sequence == 0 else f"{KEYRINGS}{sequence:010}"


def object_in(name: str) -> bytes | None:
    """The object id in the name of a pack or base; None for any other name."""
    found = _BY_ID.fullmatch(name)
    if found is None or found[1] not in (None, found[2][:2]):
        return None
    return bytes.fromhex(found[2])


def sequence_in(name: str) -> int | None:
    """The number in the name of a commit; None for any other name."""
    found = _COMMIT.fullmatch(name)
    return int(found[1]) if found and int(found[1]) else None


def keyring_in(name: str) -> int | None:
    """The number in the name of a keyring; None for any other name."""
    found = _KEYRING.fullmatch(name)
    return int(found[1]) if found and int(found[1]) else None
