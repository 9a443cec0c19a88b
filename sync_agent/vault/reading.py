"""Reading blobs: one at a time, or many with neighbours together, each proven by its id."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

from attrs import field, frozen

from loanhub import Damaged, NotFound, Remote
from sync_agent.blobs import KINDS
from sync_agent.vault import sealed
from sync_agent.vault.columns import Spot
from sync_agent.vault.index import Index, PackFacts
from sync_agent.vault.keys import VaultKeys
from sync_agent.vault.names import pack_name
from sync_agent.vault.packs import read_part

NUMBER_OF: Final = dict(zip(KINDS, (sealed.DATA, sealed.TREE, sealed.META), strict=True))
GAP: Final = 256 * 1024
"""Bytes that are read and thrown away rather than asked for around."""
SPAN: Final = 8 * 1024 * 1024
WINDOW: Final = 1024 * 1024
_WINDOWS: Final = 8
_AT_ONCE: Final = 4


@frozen
class _Span:
    """Blobs of one pack that are read together."""

    pack: PackFacts
    start: int
    length: int
    blobs: list[tuple[bytes, Spot]] = field(repr=False)


class BlobReader:
    """Loads blobs that an index knows."""

    def __init__(self, remote: Remote, keys: VaultKeys, index: Index) -> None:
        self._remote = remote
        self._keys = keys
        self._index = index
        self._windows: OrderedDict[tuple[bytes, int], bytes] = OrderedDict()

    def load(self, kind: str, blob_id: bytes) -> bytes:
        """As `Blobs.load`; a damaged copy is passed over when there is another."""
        spots = self._index.spots(blob_id)
        if not spots:
            raise NotFound("vault-blob-unknown", id=blob_id.hex()[:16])
        for spot in spots[:-1]:
            try:
                return self._load_at(kind, blob_id, spot)
            except Damaged:
                continue
        return self._load_at(kind, blob_id, spots[-1])

    def _load_at(self, kind: str, blob_id: bytes, spot: Spot) -> bytes:
        pack = self._index.packs[spot.pack]
        if kind == KINDS[0]:
            stored = read_part(self._remote, pack_name(pack.object_id), spot.offset, spot.length)
        else:
            stored = self._through_window(pack, spot)
        return self._open(NUMBER_OF[kind], blob_id, spot.offset, stored, pack)

    def _through_window(self, pack: PackFacts, spot: Spot) -> bytes:
        """Listings stand side by side and are read one after the other: their surroundings are kept."""
        number = spot.offset // WINDOW
        start = number * WINDOW
        within = spot.offset - start
        key = pack.object_id, number
        window = self._windows.get(key)
        if window is None or within + spot.length > len(window):
            length = min(max(WINDOW, within + spot.length), pack.size - start)
            window = read_part(self._remote, pack_name(pack.object_id), start, length)
            self._windows[key] = window
            while len(self._windows) > _WINDOWS:
                self._windows.popitem(last=False)
        return window[within : within + spot.length]

    def _open(
        self, kind: int, blob_id: bytes, offset: int, stored: bytes | memoryview, pack: PackFacts
    ) -> bytes:
        name = pack_name(pack.object_id)
        made = self._keys.object(pack.object_id, sealed.PACK, pack.epoch)
        packed = sealed.open_frame(made, offset, stored, self._keys.aad, name)
        plain = sealed.decompress(packed, name)
        if self._keys.blob_id(kind, plain) != blob_id:
            raise Damaged("vault-object-damaged", name=name)
        return plain

    # Many -----------------------------------------------------------------------------------------------

    def load_many(
        self, kind: str, blob_ids: Iterable[bytes], singly: Callable[[str, bytes], bytes]
    ) -> Iterator[tuple[bytes, bytes]]:
        """As `Blobs.load_many`: neighbours are read together, a few spans at once, in about 40 MiB.

        Where that fails, each blob is asked of `singly`.
        """
        with ThreadPoolExecutor(_AT_ONCE, "vault-read") as pool:
            running: deque[Future[list[tuple[bytes, bytes]]]] = deque()
            try:
                for span in self._spans(blob_ids):
                    running.append(pool.submit(self._load_span, kind, span, singly))
                    if len(running) > _AT_ONCE:
                        yield from running.popleft().result()
                while running:
                    yield from running.popleft().result()
            finally:
                for future in running:
                    future.cancel()

    def _load_span(
        self, kind: str, span: _Span, singly: Callable[[str, bytes], bytes]
    ) -> list[tuple[bytes, bytes]]:
        found = []
        try:
            stored = memoryview(
                read_part(self._remote, pack_name(span.pack.object_id), span.start, span.length)
            )
            for blob_id, spot in span.blobs:
                at = spot.offset - span.start
                part = stored[at : at + spot.length]
                found.append((blob_id, self._open(NUMBER_OF[kind], blob_id, spot.offset, part, span.pack)))
        except Damaged:  # another copy may be whole, and the error names what is not
            return [(blob_id, singly(kind, blob_id)) for blob_id, _ in span.blobs]
        return found

    def _spans(self, blob_ids: Iterable[bytes]) -> Iterator[_Span]:
        wanted = []
        for blob_id in set(blob_ids):
            spots = self._index.spots(blob_id)
            if not spots:
                raise NotFound("vault-blob-unknown", id=blob_id.hex()[:16])
            wanted.append((spots[0], blob_id))
        wanted.sort(key=lambda one: (one[0].pack, one[0].offset))
        blobs: list[tuple[bytes, Spot]] = []
        for spot, blob_id in wanted:
            if blobs and not _fits(blobs, spot):
                yield self._span(blobs)
                blobs = []
            blobs.append((blob_id, spot))
        if blobs:
            yield self._span(blobs)

    def _span(self, blobs: list[tuple[bytes, Spot]]) -> _Span:
        first, last = blobs[0][1], blobs[-1][1]
        length = last.offset + last.length - first.offset
        return _Span(self._index.packs[first.pack], first.offset, length, blobs)


def _fits(blobs: list[tuple[bytes, Spot]], spot: Spot) -> bool:
    first, last = blobs[0][1], blobs[-1][1]
    gap = spot.offset - last.offset - last.length
    return spot.pack == last.pack and gap <= GAP and spot.offset + spot.length - first.offset <= SPAN
