"""Packs on storage: single blobs out of the middle, neighbours together, and the directory at the end."""

from __future__ import annotations

from typing import Final

from loanhub import Damaged, NotFound, Remote
from sync_agent.vault import sealed
from sync_agent.vault.keys import VaultKeys
from sync_agent.vault.names import pack_name
from sync_agent.vault.records import Record

TAIL: Final = 64 * 1024


def read_part(remote: Remote, name: str, start: int, length: int) -> bytes:
    """`length` stored bytes from `start`. Raises Damaged `vault-object-missing`, `vault-object-damaged`."""
    try:
        part = remote.get(name, start, length)
    except NotFound:
        raise Damaged("vault-object-missing", name=name) from None
    if len(part) != length:
        raise Damaged("vault-object-damaged", name=name)
    return part


def read_directory(remote: Remote, keys: VaultKeys, object_id: bytes, size: int) -> Record:
    """What a pack of `size` bytes says it holds, without reading its blobs.

    Raises Damaged `vault-object-missing`, `vault-object-damaged`.
    """
    name = pack_name(object_id)
    if size < sealed.HEADER_BYTES + sealed.COUNT_BYTES:
        raise Damaged("vault-object-damaged", name=name)
    made = sealed.open_header(
        keys.of_epoch, read_part(remote, name, 0, sealed.HEADER_BYTES), sealed.PACK, name
    )
    if made.object_id != object_id:
        raise Damaged("vault-object-damaged", name=name)
    tail = read_part(remote, name, max(0, size - TAIL), min(size, TAIL))
    count = sealed.frame_count(tail[-sealed.COUNT_BYTES :], size, name)
    length = sealed.directory_bytes(count) + sealed.COUNT_BYTES
    if length > len(tail):
        tail = read_part(remote, name, size - length, length)
    directory = sealed.open_directory(
        made, keys.aad, size - length, tail[-length : -sealed.COUNT_BYTES], name
    )
    return Record(object_id, made.epoch, size, directory)
