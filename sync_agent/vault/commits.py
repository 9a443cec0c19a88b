"""Commits: what happened in a vault, one signed and numbered envelope after another.

docs/vault-format.md section 5 is the format.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import attrs
from attrs import frozen

from loanhub import Damaged, Misconfigured, Secret, public_key, sign, signed_by
from sync_agent.blobs import LARGEST_BLOB
from sync_agent.vault import sealed, strict
from sync_agent.vault.keys import VaultKeys
from sync_agent.vault.names import commit_name, object_in, sequence_in
from sync_agent.vault.records import Record, gather, read_records

VERSION: Final = 1
SIGNED: Final = b"loanhub vault commit 1\0"
_FIELDS: Final = ("version", "sequence", "previous", "dead", "nonce", "time", "device", "keys", "index",
                  "packs", "base", "type", "body", "signature")  # fmt: skip

Body = Mapping[str, Any]


@frozen
class KeyringMark:
    """The newest keyring object somebody saw: its number and its hash in hex."""

    sequence: int
    hash: str


@frozen
class Commit:
    """One commit. `hash` is that of its stored bytes, hex; `time` is the claim of the writer's clock."""

    sequence: int
    hash: str
    time: str
    device: str
    type: str
    body: Body
    previous: str = attrs.field(default="", eq=False)
    dead: tuple[int, ...] = attrs.field(default=(), eq=False)
    keys: KeyringMark = attrs.field(default=KeyringMark(0, ""), eq=False)
    packs: int = attrs.field(default=0, eq=False)
    base: str | None = attrs.field(default=None, eq=False)
    epoch: int = attrs.field(default=0, eq=False)
    """The epoch the stored object is sealed under."""

    @property
    def id(self) -> str:
        """A short name for people: the first 16 digits of the hash."""
        return self.hash[:16]

    @property
    def at(self) -> datetime:
        """The claimed time."""
        return datetime.strptime(self.time, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


@frozen(eq=False)
class Draft:
    """A commit about to be written, but for its place in the chain."""

    type: str
    body: Body
    records: Sequence[bytes] = ()
    """Index records of the packs that come with it."""
    packs: int = 0
    base: str | None = None


@frozen(eq=False)
class Link:
    """Where in the chain a commit goes, and who writes it."""

    sequence: int
    previous: str
    dead: tuple[int, ...]
    keys: KeyringMark
    device: Secret = attrs.field(repr=False)
    now: datetime


def seal_commit(keys: VaultKeys, draft: Draft, link: Link) -> tuple[Commit, bytes]:
    """The commit, and the bytes to store under its name.

    Raises ValueError for a body that JSON would not give back as it is: it holds texts, whole numbers,
    true, false, null, and lists and objects of them.
    """
    check_body(draft.type, draft.body, "the commit")
    blobs = list(gather(draft.records))
    ids = [keys.blob_id(sealed.RECORDS, blob) for blob in blobs]
    fields = {
        "version": VERSION,
        "sequence": link.sequence,
        "previous": link.previous,
        "dead": list(link.dead),
        "nonce": os.urandom(16).hex(),
        "time": link.now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "device": public_key(link.device).hex(),
        "keys": attrs.asdict(link.keys),
        "index": [blob_id.hex() for blob_id in ids],
        "packs": draft.packs,
        "base": draft.base,
        "type": draft.type,
        "body": dict(draft.body),
    }
    signature = sign(link.device, SIGNED + strict.canonical(fields))
    envelope = strict.canonical({**fields, "signature": signature.hex()})
    if not strict.comes_back(envelope, {**fields, "signature": signature.hex()}):
        raise ValueError("the body of a commit holds something that JSON does not give back")
    if len(envelope) > LARGEST_BLOB:
        raise ValueError("the body of a commit has at most 16 MiB")
    contents = [(sealed.ENVELOPE, envelope), *((sealed.RECORDS, blob) for blob in blobs)]
    frames = [
        sealed.Frame(kind, keys.blob_id(kind, content), sealed.compress(content))
        for kind, content in contents
    ]
    made = keys.new_object(sealed.COMMIT)
    stored, _ = sealed.seal_object(made, keys.aad, frames)
    return _commit(fields, keys.chain_hash(stored).hex(), made.epoch, commit_name(link.sequence)), stored


def open_commit(keys: VaultKeys, sequence: int, stored: bytes) -> tuple[Commit, list[Record]]:
    """Commit `sequence` and the packs it brought, out of its stored bytes; the signature is checked.

    Raises Damaged `vault-object-damaged`, Misconfigured `vault-newer` and `vault-newer-version`.
    """
    name = commit_name(sequence)
    found = sealed.open_object(keys.of_epoch, keys.aad, stored, sealed.COMMIT, name)
    kinds = found.directory.kinds.tolist()
    if kinds != [sealed.ENVELOPE] + [sealed.RECORDS] * (len(kinds) - 1):
        raise Damaged("vault-object-damaged", name=name)
    fields = _read_envelope(found.plain(0), name)
    blobs = [found.plain(position) for position in range(1, len(kinds))]
    ids = [keys.blob_id(sealed.RECORDS, blob).hex() for blob in blobs]
    if fields["sequence"] != sequence or fields["index"] != ids:
        raise Damaged("vault-object-damaged", name=name)
    records = [record for blob in blobs for record in read_records(blob, name)]
    return _commit(fields, keys.chain_hash(stored).hex(), found.made.epoch, name), records


def _read_envelope(content: bytes, name: str) -> dict[str, Any]:
    fields = strict.read_fields(content, _FIELDS, name)
    if strict.number(fields["version"], name) != VERSION:
        raise Misconfigured("vault-newer-version", version=fields["version"], known=VERSION)
    signature = bytes.fromhex(strict.text(fields.pop("signature"), strict.HEX_128, name))
    device = bytes.fromhex(strict.text(fields["device"], strict.HEX_64, name))
    if not signed_by(device, SIGNED + strict.canonical(fields), signature):
        raise Damaged("vault-object-damaged", name=name)
    strict.text(fields["nonce"], strict.HEX_32, name)
    return fields


def _commit(fields: Mapping[str, Any], hash: str, epoch: int, name: str) -> Commit:
    strict.expect(fields["keys"], ("sequence", "hash"), name)
    base = fields["base"]
    if base is not None and (not isinstance(base, str) or object_in(base) is None):
        raise Damaged("vault-object-damaged", name=name)
    check_body(fields["type"], fields["body"], name)
    return Commit(
        sequence=strict.number(fields["sequence"], name, least=1),
        hash=hash,
        time=strict.text(fields["time"], strict.TIME, name),
        device=fields["device"],
        type=fields["type"],
        body=fields["body"],
        previous=strict.text(fields["previous"], strict.HEX_64, name),
        dead=strict.numbers(fields["dead"], name),
        keys=KeyringMark(
            strict.number(fields["keys"]["sequence"], name),
            strict.text(fields["keys"]["hash"], strict.HEX_64, name),
        ),
        packs=strict.number(fields["packs"], name),
        base=base,
        epoch=epoch,
    )


# Bodies ---------------------------------------------------------------------------------------------------


def check_body(type: object, body: object, name: str) -> None:
    """Raises unless the body is one of that type: Damaged, or Misconfigured `vault-newer`."""
    if not isinstance(type, str) or type not in _BODIES:
        raise Misconfigured("vault-newer", name=name, what=ascii(type)[1:-1][:40])
    if not isinstance(body, dict):
        raise Damaged("vault-object-damaged", name=name)
    check = _BODIES[type]
    if check is not None:
        check(body, name)


def _nothing(body: Body, name: str) -> None:
    strict.expect(body, (), name)


def _forget(body: Body, name: str) -> None:
    strict.expect(body, ("snapshots",), name)
    strict.numbers(body["snapshots"], name)


def _plan(body: Body, name: str) -> None:
    strict.expect(body, ("objects", "reason"), name)
    if body["reason"] not in ("unused", "epoch"):
        raise Misconfigured("vault-newer", name=name, what="reason")
    _names(body["objects"], name)


def _prune(body: Body, name: str) -> None:
    strict.expect(body, ("objects",), name)
    _names(body["objects"], name)


def _names(value: object, name: str) -> None:
    for one in strict.items(value, name):
        if not isinstance(one, str) or (object_in(one) is None and sequence_in(one) is None):
            raise Damaged("vault-object-damaged", name=name)


def _key_epoch(body: Body, name: str) -> None:
    strict.expect(body, ("epoch",), name)
    strict.number(body["epoch"], name, least=1)


def _retired(body: Body, name: str) -> None:
    strict.expect(body, ("epoch", "objects", "floor"), name)
    for value in body.values():
        strict.number(value, name)


_BODIES: Final[Mapping[str, Callable[[Body, str], None] | None]] = {
    "snapshot": None,
    "packs": _nothing,
    "forget": _forget,
    "prune-plan": _plan,
    "prune": _prune,
    "key-epoch": _key_epoch,
    "epoch-retired": _retired,
    "evidence": None,
}
