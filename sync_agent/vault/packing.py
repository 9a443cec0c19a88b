"""Making packs: blobs are compressed by worker threads, sealed and stored by two more, in bounded memory."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

from attrs import define, field

from loanhub import Busy, Remote
from sync_agent.vault import sealed
from sync_agent.vault.keys import VaultKeys
from sync_agent.vault.names import pack_name
from sync_agent.vault.putting import put_settled
from sync_agent.vault.records import Record

PACK_FULL: Final = 16 * 1024 * 1024
"""Bytes of frames at which a pack is closed."""
MOST_BLOBS: Final = 32_767
SMALL: Final = 32 * 1024
"""Bytes up to which handing a blob to another thread costs more than compressing it."""
_COMPRESSORS: Final = 2
_PACKS_IN_FLIGHT: Final = 2
_PLAIN_IN_FLIGHT: Final = 8 * 1024 * 1024
_TRIES: Final = 3

Packed = bytes | Future[bytes]


@define(eq=False)
class _OpenPack:
    """Blobs gathered for one pack; `size` counts the bytes that are compressed already."""

    frames: deque[tuple[int, bytes, Packed]] = field(factory=deque, repr=False)
    size: int = 0
    _turn: threading.Lock = field(factory=threading.Lock, repr=False)

    @property
    def full(self) -> bool:
        return self.size >= PACK_FULL or len(self.frames) >= MOST_BLOBS

    def grow(self, size: int) -> None:
        with self._turn:
            self.size += size

    def compressed(self, done: Future[bytes]) -> None:
        if not done.cancelled() and done.exception() is None:
            self.grow(len(done.result()))


class Packer:
    """Takes blobs and gives index records of the packs they were stored in."""

    def __init__(self, remote: Remote, keys: VaultKeys) -> None:
        self._remote = remote
        self._keys = keys
        self._compressors = ThreadPoolExecutor(_COMPRESSORS, "vault-compress")
        self._storers = ThreadPoolExecutor(_PACKS_IN_FLIGHT, "vault-store")
        self._room = _Room(_PLAIN_IN_FLIGHT)
        self._open = {True: _OpenPack(), False: _OpenPack()}
        self._stored: deque[Future[Record]] = deque()

    def add(self, kind: int, blob_id: bytes, plain: bytes | memoryview) -> None:
        """Takes a blob. Waits while two packs are on their way; raises what storing them raised."""
        if len(plain) <= SMALL:
            self.add_packed(kind, blob_id, sealed.compress(plain))
            return
        self._room.enter(len(plain))
        packed = self._compressors.submit(self._compress, plain)
        self._take(kind, blob_id, packed)
        packed.add_done_callback(self._open[kind == sealed.DATA].compressed)
        self._close_if_full(kind)

    def add_packed(self, kind: int, blob_id: bytes, packed: bytes) -> None:
        """Takes a blob that is compressed already."""
        self._take(kind, blob_id, packed)
        self._open[kind == sealed.DATA].grow(len(packed))
        self._close_if_full(kind)

    def _take(self, kind: int, blob_id: bytes, packed: Packed) -> None:
        self._open[kind == sealed.DATA].frames.append((kind, blob_id, packed))

    def _close_if_full(self, kind: int) -> None:
        if self._open[kind == sealed.DATA].full:
            self._close(kind == sealed.DATA)

    def _compress(self, plain: bytes | memoryview) -> bytes:
        try:
            return sealed.compress(plain)
        finally:
            self._room.leave(len(plain))

    def _close(self, data: bool) -> None:
        pack, self._open[data] = self._open[data], _OpenPack()
        self._stored.append(self._storers.submit(self._store, pack.frames))

    @property
    def crowded(self) -> bool:
        """Whether as many packs are on their way as may be: then `finished` should be asked."""
        return len(self._stored) > _PACKS_IN_FLIGHT

    def finished(self, *, wait: bool = False) -> Iterator[Record]:
        """Packs stored since it was asked last; waits for one of too many, or for all."""
        while self._stored and (wait or self.crowded or self._stored[0].done()):
            yield self._stored.popleft().result()

    def flush(self) -> Iterator[Record]:
        """Closes what is open and waits for everything."""
        for data in (True, False):
            if self._open[data].frames:
                self._close(data)
        yield from self.finished(wait=True)

    def close(self) -> None:
        """Lets go of the threads; what was not flushed is forgotten."""
        self._compressors.shutdown(cancel_futures=True)
        self._storers.shutdown(cancel_futures=True)

    # Storing, in a thread of its own --------------------------------------------------------------------

    def _store(self, frames: deque[tuple[int, bytes, Packed]]) -> Record:
        return store_pack(self._remote, self._keys, _released(frames))


def _released(frames: deque[tuple[int, bytes, Packed]]) -> Iterator[sealed.Frame]:
    """The frames, each let go of once it is taken: a pack is in memory once, not twice."""
    while frames:
        kind, blob_id, packed = frames.popleft()
        yield sealed.Frame(kind, blob_id, packed if isinstance(packed, bytes) else packed.result())


def store_pack(remote: Remote, keys: VaultKeys, frames: Iterable[sealed.Frame]) -> Record:
    """Seals and stores one pack; under a new id when something else turns out to stand there.

    Raises what the remote raises, Busy `vault-put-refused`.
    """
    for _ in range(_TRIES):
        made = keys.new_object(sealed.PACK)
        stored, directory = sealed.seal_object(made, keys.aad, frames)
        name = pack_name(made.object_id)
        if put_settled(remote, name, stored):
            return Record(made.object_id, made.epoch, len(stored), directory)
        found = sealed.open_object(keys.of_epoch, keys.aad, stored, sealed.PACK, name)
        frames = list(found.frames())
    raise Busy("vault-put-refused", name=name)


class _Room:
    """Plain bytes that may wait for a compressor; one blob always finds room."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._used = 0
        self._changed = threading.Condition()

    def enter(self, size: int) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._used == 0 or self._used + size <= self._size)
            self._used += size

    def leave(self, size: int) -> None:
        with self._changed:
            self._used -= size
            self._changed.notify_all()
