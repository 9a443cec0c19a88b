"""Sealed objects: blobs compressed, sealed one behind the other and padded, their directory at the end.

docs/vault-format.md section 2 is the format.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt
import zstandard
from attrs import field, frozen

from loanhub import Damaged, LoanHubError, Misconfigured, SealKey, VaultObject, read_vault_object
from sync_agent.blobs import ID_BYTES, LARGEST_BLOB

PACK: Final = 1
COMMIT: Final = 2
BASE: Final = 3

PADDING: Final = 0
DATA: Final = 1
TREE: Final = 2
META: Final = 3
ENVELOPE: Final = 4
RECORDS: Final = 5
STATE: Final = 6
KINDS_IN: Final = {PACK: (DATA, TREE, META), COMMIT: (ENVELOPE, RECORDS), BASE: (RECORDS, STATE)}

HEADER_BYTES: Final = 66
TAG_BYTES: Final = 16
COUNT_BYTES: Final = 4
ENTRY_BYTES: Final = 1 + 4 + ID_BYTES
MOST_FRAMES: Final = 65_536
LEVEL: Final = 1
KeyOfEpoch = Callable[[int], SealKey]


class _Tools(threading.local):
    """Compressors keep buffers that no two threads may share."""

    compressor: zstandard.ZstdCompressor | None = None
    decompressor: zstandard.ZstdDecompressor | None = None


_tools: Final = _Tools()


@frozen
class Frame:
    """One blob on its way into an object: its kind, its id, and its content as a zstd frame."""

    kind: int
    id: bytes
    packed: bytes = field(repr=False)


@frozen(eq=False)
class Directory:
    """What is in an object, in order, padding left out.

    kinds uint8 [n], lengths uint32 [n] (stored bytes), ids uint8 [n, 32].
    """

    kinds: npt.NDArray[np.uint8]
    lengths: npt.NDArray[np.uint32]
    ids: npt.NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.kinds)

    @cached_property
    def offsets(self) -> npt.NDArray[np.uint32]:
        """Where each frame begins: uint32 [n]."""
        ends = HEADER_BYTES + np.cumsum(self.lengths, dtype=np.uint64)
        return np.concatenate(([HEADER_BYTES], ends))[: len(self)].astype(np.uint32)

    def to_bytes(self) -> bytes:
        """The columns one behind the other."""
        return self.kinds.tobytes() + self.lengths.astype(">u4").tobytes() + self.ids.tobytes()


def directory_of(columns: bytes | memoryview, count: int) -> Directory:
    """The directory in 37 `count` bytes."""
    kinds = np.frombuffer(columns, np.uint8, count)
    lengths = np.frombuffer(columns, ">u4", count, count).astype(np.uint32)
    ids = np.frombuffer(columns, np.uint8, ID_BYTES * count, 5 * count).reshape(count, ID_BYTES)
    return Directory(kinds, lengths, ids)


def padme(size: int) -> int:
    """The next size that gives away no more than its order and a few bits; at most 12 % more."""
    exponent = size.bit_length() - 1
    step = 1 << max(exponent - exponent.bit_length(), 0)
    return -(-size // step) * step


# Writing --------------------------------------------------------------------------------------------------


def compress(plain: bytes | memoryview) -> bytes:
    """`plain` as a zstd frame that states its size. Any thread may call."""
    if _tools.compressor is None:
        _tools.compressor = zstandard.ZstdCompressor(level=LEVEL)
    return _tools.compressor.compress(plain)


def seal_object(made: VaultObject, aad: bytes, frames: Iterable[Frame]) -> tuple[bytes, Directory]:
    """The stored bytes of a new object, and what is in it. `made` seals nothing else, ever."""
    parts, kinds, ids, lengths = [made.header], bytearray(), bytearray(), []
    offset = HEADER_BYTES
    for frame in frames:
        sealed = made.seal_at(offset, False, frame.packed, aad)
        parts.append(sealed)
        kinds.append(frame.kind)
        ids += frame.id
        lengths.append(len(sealed))
        offset += len(sealed)
    count = len(kinds) + 1
    if count > MOST_FRAMES:
        raise ValueError("an object has at most 65,536 frames")
    smallest = offset + TAG_BYTES + ENTRY_BYTES * count + TAG_BYTES + COUNT_BYTES
    padding = made.seal_at(offset, False, bytes(padme(smallest) - smallest), aad)
    found = Directory(
        np.frombuffer(bytes(kinds), np.uint8),
        np.array(lengths, np.uint32),
        np.frombuffer(bytes(ids), np.uint8).reshape(count - 1, ID_BYTES),
    )
    everything = Directory(
        np.append(found.kinds, np.uint8(PADDING)),
        np.append(found.lengths, np.uint32(len(padding))),
        np.concatenate((found.ids, np.zeros((1, ID_BYTES), np.uint8))),
    )
    parts.append(padding)
    parts.append(made.seal_at(offset + len(padding), True, everything.to_bytes(), aad))
    parts.append(count.to_bytes(COUNT_BYTES, "big"))
    return b"".join(parts), found


# Reading --------------------------------------------------------------------------------------------------


@frozen(eq=False)
class SealedObject:
    """A stored object that was read whole; all but its blobs is proven, and they when asked for."""

    made: VaultObject
    directory: Directory
    _data: bytes = field(repr=False)
    _aad: bytes = field(repr=False)
    _name: str

    def packed(self, position: int) -> bytes:
        """The zstd frame of blob `position`. Raises Damaged `vault-object-damaged`."""
        offset, length = int(self.directory.offsets[position]), int(self.directory.lengths[position])
        return open_frame(
            self.made, offset, memoryview(self._data)[offset : offset + length], self._aad, self._name
        )

    def plain(self, position: int) -> bytes:
        """The content of blob `position`. Raises Damaged `vault-object-damaged`."""
        return decompress(self.packed(position), self._name)

    def frames(self, wanted: Collection[bytes] | None = None) -> Iterator[Frame]:
        """The blobs as they were put in, all or those wanted. Raises Damaged `vault-object-damaged`."""
        for position, kind in enumerate(self.directory.kinds.tolist()):
            blob_id = self.directory.ids[position].tobytes()
            if wanted is None or blob_id in wanted:
                yield Frame(kind, blob_id, self.packed(position))


def open_object(keys: KeyOfEpoch, aad: bytes, data: bytes, type: int, name: str) -> SealedObject:
    """The object `name` out of all its stored bytes.

    Raises Damaged `vault-object-damaged`; Misconfigured `vault-newer` for what a later format may have put
    there.
    """
    made = open_header(keys, data, type, name)
    count = frame_count(data[-COUNT_BYTES:], len(data), name)
    start = len(data) - COUNT_BYTES - directory_bytes(count)
    found = open_directory(made, aad, start, memoryview(data)[start:-COUNT_BYTES], name)
    padding = HEADER_BYTES + int(found.lengths.sum(dtype=np.uint64))
    open_frame(made, padding, memoryview(data)[padding:start], aad, name)
    return SealedObject(made, found, data, aad, name)


def open_header(keys: KeyOfEpoch, header: bytes, type: int, name: str) -> VaultObject:
    """The object that begins with `header`. Raises as `open_object`."""
    try:
        made = read_vault_object(keys, header)
    except LoanHubError as problem:
        if problem.code == "suite-missing":
            raise
        raise Damaged("vault-object-damaged", name=name) from problem
    if made.type != type:
        raise Damaged("vault-object-damaged", name=name)
    return made


def frame_count(trailer: bytes, size: int, name: str) -> int:
    """How many frames an object of `size` bytes has, from its last 4 bytes. Raises Damaged."""
    count = int.from_bytes(trailer, "big")
    if (
        not 1 <= count <= MOST_FRAMES
        or size < HEADER_BYTES + TAG_BYTES + directory_bytes(count) + COUNT_BYTES
    ):
        raise Damaged("vault-object-damaged", name=name)
    return count


def directory_bytes(count: int) -> int:
    """Stored length of the directory of `count` frames."""
    return ENTRY_BYTES * count + TAG_BYTES


def open_directory(
    made: VaultObject, aad: bytes, start: int, sealed: bytes | memoryview, name: str
) -> Directory:
    """The directory that begins at byte `start`, proven and fitting. Raises as `open_object`."""
    plain = open_frame(made, start, sealed, aad, name, last=True)
    count = len(plain) // ENTRY_BYTES
    every = directory_of(plain, count)
    fits = (
        HEADER_BYTES + int(every.lengths.sum(dtype=np.uint64)) == start
        and bool((every.lengths >= TAG_BYTES).all())
        and every.kinds[-1] == PADDING
        and not every.ids[-1].any()
    )
    if not fits:
        raise Damaged("vault-object-damaged", name=name)
    found = Directory(every.kinds[:-1], every.lengths[:-1], every.ids[:-1])
    for kind in set(found.kinds.tolist()) - set(KINDS_IN[made.type]):
        raise Misconfigured("vault-newer", name=name, what=kind)
    return found


def open_frame(
    made: VaultObject, offset: int, sealed: bytes | memoryview, aad: bytes, name: str, *, last: bool = False
) -> bytes:
    """A frame, padding or directory as it was sealed. Raises Damaged `vault-object-damaged`."""
    try:
        return made.open_at(offset, last, sealed, aad)
    except Damaged:
        raise Damaged("vault-object-damaged", name=name) from None


def decompress(packed: bytes, name: str) -> bytes:
    """The content of a zstd frame of at most 16 MiB. Raises Damaged `vault-object-damaged`."""
    if _tools.decompressor is None:
        _tools.decompressor = zstandard.ZstdDecompressor()
    try:
        if zstandard.get_frame_parameters(packed).content_size > LARGEST_BLOB:
            raise Damaged("vault-object-damaged", name=name)
        return _tools.decompressor.decompress(packed, allow_extra_data=False)
    except zstandard.ZstdError:
        raise Damaged("vault-object-damaged", name=name) from None
