"""Blobs from one pack into another, still compressed, proven on the way."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from loanhub import Damaged, NotFound, Remote
from sync_agent.vault import sealed
from sync_agent.vault.index import PackFacts
from sync_agent.vault.keys import VaultKeys
from sync_agent.vault.names import pack_name


def read_pack(remote: Remote, keys: VaultKeys, pack: PackFacts) -> sealed.SealedObject:
    """A pack, read whole. Raises Damaged `vault-object-missing`, `vault-object-damaged`."""
    name = pack_name(pack.object_id)
    try:
        stored = remote.get(name)
    except NotFound:
        raise Damaged("vault-object-missing", name=name) from None
    found = sealed.open_object(keys.of_epoch, keys.aad, stored, sealed.PACK, name)
    if found.made.object_id != pack.object_id:
        raise Damaged("vault-object-damaged", name=name)
    return found


def frames_of(
    remote: Remote, keys: VaultKeys, pack: PackFacts, wanted: Collection[bytes] | None
) -> Iterator[sealed.Frame]:
    """The `wanted` blobs of a pack (None: all), each proven by its id. Raises as `read_pack`."""
    name = pack_name(pack.object_id)
    for frame in read_pack(remote, keys, pack).frames(wanted):
        if keys.blob_id(frame.kind, sealed.decompress(frame.packed, name)) != frame.id:
            raise Damaged("vault-object-damaged", name=name)
        yield frame
