"""The keys of a vault out of a keyring: sealing keys by epoch, ids of content, the chain's hash.

docs/vault-format.md sections 1 and 3 are the format.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable
from functools import cached_property
from typing import Any, Final

from attrs import frozen
from blake3 import blake3

from loanhub import (
    Damaged,
    Keyring,
    Misconfigured,
    NotFound,
    Place,
    Remote,
    SealKey,
    Secret,
    Stale,
    VaultObject,
    bind,
    new_vault_object,
    vault_object,
)
from sync_agent.vault import strict
from sync_agent.vault.head import last_of
from sync_agent.vault.names import KEYRINGS, START, keyring_in, keyring_name
from sync_agent.vault.putting import put_settled

FORMAT: Final = "loanhub-vault"
VERSION: Final = 1
PURPOSE: Final = "vault"
_FIELDS: Final = ("epoch", "format", "keyring", "suite", "version")
_KEPT: Final = 512


@frozen
class Start:
    """The object that begins a vault; `content` is all of it, whose hash begins the chain."""

    vault: str
    epoch: int
    suite: int
    keyring: bytes
    content: bytes


def make_start(vault: str, epoch: int, suite: int, keyring: bytes) -> bytes:
    """The bytes of a new vault's first object."""
    fields = {
        "epoch": epoch,
        "format": FORMAT,
        "keyring": json.loads(keyring),
        "suite": suite,
        "version": VERSION,
    }
    return f"{vault}\n".encode() + strict.canonical(fields) + b"\n"


def read_start(content: bytes) -> Start:
    """Raises Damaged `vault-object-damaged`, Misconfigured `vault-newer-version` and `vault-newer`."""
    lines = content.split(b"\n")
    if len(lines) != 3 or lines[2]:
        raise Damaged("vault-object-damaged", name=START)
    _refuse_other_versions(lines[1])
    fields = strict.read_fields(lines[1], _FIELDS, START)
    if fields["format"] != FORMAT or not isinstance(fields["keyring"], dict):
        raise Damaged("vault-object-damaged", name=START)
    return Start(
        vault=strict.text(lines[0].decode("ascii", "replace"), strict.HEX_32, START),
        epoch=strict.number(fields["epoch"], START, least=1),
        suite=strict.number(fields["suite"], START, least=1),
        keyring=strict.canonical(fields["keyring"]),
        content=content,
    )


def _refuse_other_versions(line: bytes) -> None:
    """A later version may have other fields: it is named before they are looked at."""
    try:
        found: Any = json.loads(line)
    except (ValueError, RecursionError):
        return
    version = found.get("version") if isinstance(found, dict) else None
    if isinstance(version, int) and found.get("format") == FORMAT and version != VERSION:
        raise Misconfigured("vault-newer-version", version=version, known=VERSION)


class KeyringShelf:
    """The keyring objects of a vault: the newest that reads counts, and none is ever written over."""

    def __init__(self, remote: Remote, start: Start, *, pinned: bool = False) -> None:
        """`pinned`: this machine has seen the newest keyring before, and a missing one is an alarm."""
        self._remote = remote
        self._last = 0
        self._pinned = pinned
        self.sequence = 0
        self.content = start.keyring
        self.stored = start.content

    @property
    def place(self) -> Place:
        """As the keyring wants it."""
        return Place(self.read, self.write)

    def read(self) -> bytes:
        """The newest keyring; afterwards `sequence` and `stored` tell where it stands.

        One that was torn when it was put is passed over; a commit or a pin that knew it raises the alarm.
        """
        known = self._last if self._last or self._pinned else newest_keyring(self._remote)
        last = last_of(self._remote, keyring_name, known)
        for sequence in range(last, self._last, -1):
            content = _content(self._remote, sequence)
            if _reads(content):
                self._take(sequence, content)
                break
        self._last = last
        return self.content

    def write(self, content: bytes) -> None:
        """Puts a newer one. Raises Stale `keyring-changed` if somebody else did since `read`."""
        if not put_settled(self._remote, keyring_name(self._last + 1), content):
            raise Stale("keyring-changed")
        self._last += 1
        self._take(self._last, content)

    def _take(self, sequence: int, content: bytes) -> None:
        self.sequence, self.content, self.stored = sequence, content, content


def _content(remote: Remote, sequence: int) -> bytes:
    try:
        return remote.get(keyring_name(sequence))
    except NotFound:
        return b""


def newest_keyring(remote: Remote) -> int:
    """The largest number a listing shows, 0 for none: one that is missing before it is not the end."""
    return max((keyring_in(one.name) or 0 for one in remote.list(KEYRINGS)), default=0)


def _reads(content: bytes) -> bool:
    try:
        peek_keyring(content)
    except Damaged:
        return False
    return True


def peek_keyring(content: bytes) -> int:
    """The revision of a stored keyring. Raises Damaged `keyring-damaged`, Misconfigured for a newer one."""
    return Keyring.peek(Place(lambda: content, _refused)).revision


def _refused(content: bytes) -> None:  # noqa: ARG001  # a keyring that is only looked at
    raise ValueError("a keyring that is looked at is not written")


class VaultKeys:
    """What seals, names and chains in one vault."""

    def __init__(self, keyring: Keyring, start: Start) -> None:
        self.keyring = keyring
        self.start = start
        self.aad = bind("vault", start.vault)
        self._objects: OrderedDict[bytes, VaultObject] = OrderedDict()

    @property
    def epoch(self) -> int:
        """The epoch that new objects are sealed under."""
        return self.keyring.current_epoch

    def of_epoch(self, epoch: int) -> SealKey:
        """The sealing key of an epoch; an epoch somebody else added is looked for in the vault.

        Raises NotFound `key-epoch-unknown`.
        """
        if epoch > self.keyring.current_epoch:
            self.keyring.reload()
        return self.keyring.seal_key(PURPOSE, epoch)

    def new_object(self, type: int) -> VaultObject:
        """A new object under the present epoch."""
        return new_vault_object(self.of_epoch(self.epoch), type)

    def object(self, object_id: bytes, type: int, epoch: int) -> VaultObject:
        """An object known from the index, for reading; the last few hundred are kept."""
        found = self._objects.get(object_id)
        if found is None:
            found = self._objects[object_id] = vault_object(self.of_epoch(epoch), object_id, type)
            while len(self._objects) > _KEPT:
                self._objects.popitem(last=False)
        return found

    @cached_property
    def blob_id(self) -> Callable[[int, bytes | memoryview], bytes]:
        """(kind, content) to the id of 32 bytes."""
        key, rules = self._derived("vault-ids"), self._first.rules

        def by_blake3(kind: int, plain: bytes | memoryview) -> bytes:
            return blake3(bytes((kind,)), key=key).update(plain).digest()

        def by_mac(kind: int, plain: bytes | memoryview) -> bytes:
            return rules.mac(key, bytes((kind,)) + plain)

        return by_mac if self.start.suite == 3 else by_blake3

    @cached_property
    def chunk_seed(self) -> int:
        """The number of 64 bits with which files are cut; the same in all of the vault."""
        return int.from_bytes(self._derived("vault-chunks", 8), "big")

    @cached_property
    def device_lock(self) -> SealKey:
        """Seals what this device keeps for itself."""
        return SealKey(self.start.suite, self.start.epoch, Secret(self._derived("vault-device")))

    def chain_hash(self, stored: bytes) -> bytes:
        """The hash that links the chain, 32 bytes."""
        return self._first.rules.digest(stored)

    @cached_property
    def _first(self) -> SealKey:
        key = self.of_epoch(self.start.epoch)
        if key.suite != self.start.suite:
            raise Damaged("vault-object-damaged", name=START)
        return key

    def _derived(self, label: str, length: int = 32) -> bytes:
        salt = bytes.fromhex(self.start.vault)
        return self._first.rules.derive(self._first.secret.reveal(), salt, label, length=length)
