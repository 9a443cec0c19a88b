"""Bases: state and index as of some commit in one object, so that opening a long-lived vault is quick.

docs/vault-format.md section 6 is the format.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any, Final

from loanhub import Busy, Damaged, Misconfigured, NotFound, Remote
from sync_agent.blobs import LARGEST_BLOB
from sync_agent.vault import sealed, strict
from sync_agent.vault.commits import Commit, check_body
from sync_agent.vault.index import Index
from sync_agent.vault.keys import VaultKeys
from sync_agent.vault.names import base_name, object_in, sequence_in
from sync_agent.vault.putting import put_settled
from sync_agent.vault.records import Record, gather, read_records
from sync_agent.vault.state import State

VERSION: Final = 1
COMMITS_BETWEEN: Final = 32
BLOBS_BETWEEN: Final = 200_000
FULL: Final = 200_000
"""Blobs at which a base is closed and another one begun; a full one is written again after a prune only."""
_FIELDS: Final = ("version", "sequence", "hash", "segments", "snapshots", "doomed", "epoch", "retired",
                  "floor", "devices")  # fmt: skip
_SNAPSHOT: Final = ("sequence", "hash", "time", "device", "body")
_TRIES: Final = 3


def is_due(state: State) -> bool:
    """Whether the next commit should publish a new base."""
    if state.unannounced is not None:
        return False
    since = state.sequence - state.base_sequence
    return (
        since >= COMMITS_BETWEEN or state.fresh_blobs >= BLOBS_BETWEEN or state.pruned > state.base_sequence
    )


# Writing --------------------------------------------------------------------------------------------------


def write_base(remote: Remote, keys: VaultKeys, state: State, *, whole: bool = False) -> None:
    """Stores a base of `state`, which from then on builds on it and has it `unannounced`.

    `whole`: every record is taken over and sealed anew. Raises what the remote raises, and Damaged when an
    older base that is to be taken over does not open.
    """
    if state.named is not None:
        with contextlib.suppress(NotFound, Damaged):  # our own bases and what came since say the same
            _take_over(remote, keys, state, state.named)
        state.named = None
    kept, taken, blobs = list(state.segments), [], state.fresh_blobs
    whole |= state.pruned > state.base_sequence
    while kept and (whole or kept[-1][1] < min(2 * blobs, FULL)):
        name, more = kept.pop()
        taken.append(name)
        blobs += more
    older = (record for name in taken for record in read_records_of(remote, keys, name))
    _store(remote, keys, state, kept, chain((record for _, record in state.fresh), older))


def _take_over(remote: Remote, keys: VaultKeys, state: State, name: str) -> None:
    """Builds on a base that somebody else named."""
    found, blobs = _read(remote, keys, name)
    state.build_on([*found.segments, (name, blobs)], found.sequence)


def _store(
    remote: Remote, keys: VaultKeys, state: State, kept: list[tuple[str, int]], records: Iterable[Record]
) -> None:
    parts = _parts(records, state.index)
    part = next(parts, [])
    for following in parts:
        kept.append((put_base(remote, keys, part, None), _blobs(part)))
        part = following
    name = put_base(remote, keys, part, _state_bytes(state, kept))
    state.build_on([*kept, (name, _blobs(part))], state.sequence)
    state.unannounced = name


def _parts(records: Iterable[Record], index: Index) -> Iterator[list[Record]]:
    """Records of packs that are there, each once, in parts of about `FULL` blobs."""
    part: list[Record] = []
    blobs, seen = 0, set()
    for record in records:
        if record.object_id in seen or index.pack(record.object_id) is None:
            continue
        seen.add(record.object_id)
        part.append(record)
        blobs += len(record.directory)
        if blobs >= FULL:
            yield part
            part, blobs = [], 0
    if part:
        yield part


def _blobs(records: Iterable[Record]) -> int:
    return sum(len(record.directory) for record in records)


def put_base(remote: Remote, keys: VaultKeys, records: Iterable[Record], state: bytes | None) -> str:
    """Stores one base object; its name."""
    contents = [(sealed.RECORDS, blob) for blob in gather(record.to_bytes() for record in records)]
    if state is not None:
        whole = memoryview(state)
        size = LARGEST_BLOB
        contents += [(sealed.STATE, bytes(whole[at : at + size])) for at in range(0, len(state), size)]
    for _ in range(_TRIES):
        made = keys.new_object(sealed.BASE)
        frames = (
            sealed.Frame(kind, keys.blob_id(kind, content), sealed.compress(content))
            for kind, content in contents
        )
        stored, _ = sealed.seal_object(made, keys.aad, frames)
        name = base_name(made.object_id)
        if put_settled(remote, name, stored):
            return name
    raise Busy("vault-put-refused", name=name)


def _state_bytes(state: State, segments: list[tuple[str, int]]) -> bytes:
    return strict.canonical(
        {
            "version": VERSION,
            "sequence": state.sequence,
            "hash": state.hash,
            "segments": [list(segment) for segment in segments],
            "snapshots": [
                {name: getattr(commit, name) for name in _SNAPSHOT} for commit in state.snapshots.values()
            ],
            "doomed": state.doomed,
            "epoch": state.epoch,
            "retired": state.retired,
            "floor": state.floor,
            "devices": sorted(state.devices),
        }
    )


# Reading --------------------------------------------------------------------------------------------------


def read_base(remote: Remote, keys: VaultKeys, name: str) -> State:
    """The state that a base holds, with its index.

    Raises NotFound, Damaged `vault-object-damaged`, Misconfigured `vault-newer` and `vault-newer-version`.
    """
    state, blobs = _read(remote, keys, name)
    doomed = dict(state.doomed)
    segments = [*state.segments, (name, blobs)]
    for segment, _ in segments:
        state.index.add_all(read_records_of(remote, keys, segment))
    state.doom(doomed)
    state.build_on(segments, state.sequence)
    return state


def _read(remote: Remote, keys: VaultKeys, name: str) -> tuple[State, int]:
    """The state without its index, and how many blobs the base lists itself."""
    found = open_base(remote, keys, name)
    content, blobs = b"", 0
    for position, kind in enumerate(found.directory.kinds.tolist()):
        if kind == sealed.STATE:
            content += found.plain(position)
        else:
            blobs += _blobs(read_records(found.plain(position), name))
    fields = strict.read_fields(content, _FIELDS, name)
    if strict.number(fields["version"], name) != VERSION:
        raise Misconfigured("vault-newer-version", version=fields["version"], known=VERSION)
    return _state_of(fields, name), blobs


def _state_of(fields: dict[str, Any], name: str) -> State:
    snapshots = [_snapshot(raw, name) for raw in strict.items(fields["snapshots"], name)]
    return State(
        sequence=strict.number(fields["sequence"], name),
        hash=strict.text(fields["hash"], strict.HEX_64, name),
        epoch=strict.number(fields["epoch"], name, least=1),
        snapshots={one.sequence: one for one in snapshots},
        doomed=_doomed(fields["doomed"], name),
        retired=strict.number(fields["retired"], name),
        floor=strict.number(fields["floor"], name, least=1),
        devices={strict.text(one, strict.HEX_64, name) for one in strict.items(fields["devices"], name)},
        segments=[_segment(raw, name) for raw in strict.items(fields["segments"], name)],
    )


def _snapshot(raw: object, name: str) -> Commit:
    strict.expect(raw, _SNAPSHOT, name)
    fields: dict[str, Any] = dict(raw)  # type: ignore[call-overload]
    check_body("snapshot", fields["body"], name)
    return Commit(
        sequence=strict.number(fields["sequence"], name, least=1),
        hash=strict.text(fields["hash"], strict.HEX_64, name),
        time=strict.text(fields["time"], strict.TIME, name),
        device=strict.text(fields["device"], strict.HEX_64, name),
        type="snapshot",
        body=fields["body"],
    )


def _segment(raw: object, name: str) -> tuple[str, int]:
    found = strict.items(raw, name)
    if len(found) != 2 or not isinstance(found[0], str) or object_in(found[0]) is None:
        raise Damaged("vault-object-damaged", name=name)
    return found[0], strict.number(found[1], name)


def _doomed(raw: object, name: str) -> dict[str, int]:
    if not isinstance(raw, dict):
        raise Damaged("vault-object-damaged", name=name)
    for one in raw:
        if object_in(one) is None and sequence_in(one) is None:
            raise Damaged("vault-object-damaged", name=name)
    return {one: strict.number(plan, name, least=1) for one, plan in raw.items()}


def read_records_of(remote: Remote, keys: VaultKeys, name: str) -> Iterator[Record]:
    """The records of a base, some in memory at a time."""
    found = open_base(remote, keys, name)
    for position, kind in enumerate(found.directory.kinds.tolist()):
        if kind == sealed.RECORDS:
            yield from read_records(found.plain(position), name)


def open_base(remote: Remote, keys: VaultKeys, name: str) -> sealed.SealedObject:
    """A stored base. Raises NotFound, Damaged `vault-object-damaged`, Misconfigured `vault-newer`."""
    found = sealed.open_object(keys.of_epoch, keys.aad, remote.get(name), sealed.BASE, name)
    if found.made.object_id != object_in(name):
        raise Damaged("vault-object-damaged", name=name)
    return found
