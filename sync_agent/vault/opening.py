"""The alarms of opening: has the storage shown us an older, a shorter or another history than before?"""

from __future__ import annotations

from loanhub import Damaged, NotFound, Remote
from sync_agent.vault.client import Pin
from sync_agent.vault.commits import KeyringMark
from sync_agent.vault.history import Reading
from sync_agent.vault.keys import VaultKeys
from sync_agent.vault.names import commit_name, keyring_name
from sync_agent.vault.state import State


def check_pin(reading: Reading, state: State, pin: Pin | None) -> None:
    """The chain still holds the head that was seen last, and leads from it to the present one.

    Raises Damaged `vault-rolled-back`, `vault-forked`, `vault-object-damaged`.
    """
    if pin is None or pin.sequence < state.floor:
        return
    if reading.head < pin.sequence:
        raise Damaged("vault-rolled-back", head=reading.head, pinned=pin.sequence)
    found = reading.link(pin.sequence) if pin.sequence else None
    if found is None:
        return
    if found.hash is None:
        raise Damaged("vault-rolled-back", head=reading.head, pinned=pin.sequence)
    if found.hash != pin.hash:
        code = "vault-object-damaged" if found.commit is None else "vault-forked"
        raise Damaged(code, name=commit_name(pin.sequence))
    reading.check_links(pin.sequence, reading.head)


def check_keyring(
    remote: Remote, keys: VaultKeys, newest: KeyringMark, reading: Reading, pin: Pin | None
) -> None:
    """The keyring is none older than the head or this machine knows. Raises `vault-keys-rolled-back`."""
    marks = [KeyringMark(pin.keys_sequence, pin.keys_hash)] if pin is not None else []
    head = reading.link(reading.head).commit if reading.head else None
    if head is not None:
        marks.append(head.keys)
    for mark in marks:
        if mark.sequence > newest.sequence or _hash_of(remote, keys, mark.sequence, newest) != mark.hash:
            raise Damaged("vault-keys-rolled-back", found=newest.sequence, known=mark.sequence)


def _hash_of(remote: Remote, keys: VaultKeys, sequence: int, newest: KeyringMark) -> str | None:
    if sequence == newest.sequence:
        return newest.hash
    try:
        return keys.chain_hash(remote.get(keyring_name(sequence))).hex()
    except NotFound:
        return None
