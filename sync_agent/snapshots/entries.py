"""What a listing says of one file, folder or link, and the one way it is written.

docs/vault-format.md section 13 is the format.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from struct import Struct
from typing import Final

import attrs
from attrs import frozen

from loanhub import Damaged, Misconfigured
from sync_agent.blobs import ID_BYTES, LARGEST_BLOB

FILE: Final = 1
FOLDER: Final = 2
LINK: Final = 3

DATABASE: Final = 1
CHANGED: Final = 2
THROUGH_LISTS: Final = 4

VERSION: Final = 1
ENTRIES: Final = 1
REFERENCES: Final = 2
PART_HEAD: Final = bytes((VERSION, ENTRIES))
LIST_HEAD: Final = bytes((VERSION, REFERENCES))
MOST_REFERENCES: Final = 8192
"""In one entry, and in one list."""
LONGEST_TEXT: Final = 65_535

_HEAD: Final = Struct(">BBHqQHHI")
_REFERENCE: Final = Struct(f">{ID_BYTES}sI")
_FLAGS: Final = DATABASE | CHANGED | THROUGH_LISTS
_MODES: Final = 0o7777
_FIRST, _LAST = -(2**63), 2**63 - 1
_NO_NAMES: Final = (b"", b".", b"..")

Reference = tuple[bytes, int]
"""The id of a blob and how much it stands for: bytes of a piece, entries of a part, pieces of a list."""


@frozen
class Entry:
    """One thing in a folder. `name` and `target` are bytes as the system has them.

    `mtime` in nanoseconds since 1970, `size` in bytes, `mode` the 12 permission bits.
    """

    name: bytes
    type: int
    mode: int
    mtime: int
    size: int = 0
    flags: int = 0
    target: bytes = b""
    references: tuple[Reference, ...] = attrs.field(default=(), repr=False)

    @property
    def is_folder(self) -> bool:
        """Whether it has a listing of its own."""
        return self.type == FOLDER

    @property
    def is_database(self) -> bool:
        """Whether its pieces are pages of one moment."""
        return bool(self.flags & DATABASE)

    @property
    def changed_while_read(self) -> bool:
        """Whether what is stored may be of no single moment."""
        return bool(self.flags & CHANGED)

    def to_bytes(self) -> bytes:
        """As it stands in a listing. A time that 64 bits do not hold becomes the nearest that they do."""
        head = _HEAD.pack(
            self.type, self.flags, self.mode, min(max(self.mtime, _FIRST), _LAST), self.size,
            len(self.name), len(self.target), len(self.references),
        )  # fmt: skip
        return head + self.name + self.target + references_to_bytes(self.references)


def references_to_bytes(references: Iterable[Reference]) -> bytes:
    """References one behind the other."""
    return b"".join(blob_id + length.to_bytes(4, "big") for blob_id, length in references)


def is_name(name: bytes) -> bool:
    """Whether something in a folder may be called so."""
    return name not in _NO_NAMES and b"/" not in name and b"\0" not in name


# Reading, strictly ----------------------------------------------------------------------------------------


def read_part(blob: bytes, blob_id: bytes, after: bytes = b"") -> Iterator[Entry]:
    """The entries of one part of a listing, whose names all come behind `after`.

    Raises Damaged `snapshot-listing-damaged`, Misconfigured `snapshot-newer`; `blob_id` names the part.
    """
    _expect_head(blob, PART_HEAD, blob_id)
    at = len(PART_HEAD)
    if at == len(blob):
        raise damaged(blob_id)
    while at < len(blob):
        entry, at = _read_entry(blob, at, blob_id)
        if entry.name <= after:
            raise damaged(blob_id)
        after = entry.name
        yield entry


def read_list(blob: bytes, blob_id: bytes) -> tuple[Reference, ...]:
    """The references in one list of a long file. Raises as `read_part`."""
    _expect_head(blob, LIST_HEAD, blob_id)
    count, rest = divmod(len(blob) - len(LIST_HEAD), _REFERENCE.size)
    if rest or not 0 < count <= MOST_REFERENCES:
        raise damaged(blob_id)
    return _references(blob, len(LIST_HEAD), count, LARGEST_BLOB, blob_id)


def damaged(blob_id: bytes) -> Damaged:
    """The error of a listing that says what no writer writes."""
    return Damaged("snapshot-listing-damaged", id=blob_id.hex()[:16])


def _expect_head(blob: bytes, head: bytes, blob_id: bytes) -> None:
    if blob[:1] > head[:1]:
        raise Misconfigured("snapshot-newer", what=f"listing {blob[0]}")
    if blob[: len(head)] != head:
        raise damaged(blob_id)


def _read_entry(blob: bytes, at: int, blob_id: bytes) -> tuple[Entry, int]:
    if at + _HEAD.size > len(blob):
        raise damaged(blob_id)
    sort, flags, mode, mtime, size, named, aimed, count = _HEAD.unpack_from(blob, at)
    if sort > LINK or flags > _FLAGS:
        raise Misconfigured("snapshot-newer", what=f"entry {sort}.{flags}")
    at += _HEAD.size
    end = at + named + aimed + count * _REFERENCE.size
    if end > len(blob) or count > MOST_REFERENCES or mode > _MODES:
        raise damaged(blob_id)
    name, target = blob[at : at + named], blob[at + named : at + named + aimed]
    most = LARGEST_BLOB if sort == FILE and not flags & THROUGH_LISTS else 2**32 - 1
    references = _references(blob, at + named + aimed, count, most, blob_id)
    entry = Entry(name, sort, mode, mtime, size, flags, target, references)
    if not is_name(name) or not _SOUND[sort](entry):
        raise damaged(blob_id)
    return entry, end


def _references(blob: bytes, at: int, count: int, most: int, blob_id: bytes) -> tuple[Reference, ...]:
    end = at + count * _REFERENCE.size
    found = tuple(_REFERENCE.iter_unpack(memoryview(blob)[at:end])) if count else ()
    if not all(0 < length <= most for _, length in found):
        raise damaged(blob_id)
    return found


def _is_file(entry: Entry) -> bool:
    if entry.target:
        return False
    lengths = [length for _, length in entry.references]
    if entry.flags & THROUGH_LISTS:
        full = all(length == MOST_REFERENCES for length in lengths[:-1])
        return len(lengths) > 1 and full and lengths[-1] <= MOST_REFERENCES
    return sum(lengths) == entry.size


def _is_folder(entry: Entry) -> bool:
    return not (entry.size or entry.flags or entry.target)


def _is_link(entry: Entry) -> bool:
    return not (entry.size or entry.flags or entry.references) and bool(entry.target) and (
        b"\0" not in entry.target
    )  # fmt: skip


def _is_nothing(entry: Entry) -> bool:  # noqa: ARG001  # type 0 is none
    return False


_SOUND: Final = (_is_nothing, _is_file, _is_folder, _is_link)
