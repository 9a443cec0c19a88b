"""The writing side of a vault: blobs go into packs, and a commit makes them count."""

from __future__ import annotations

import threading
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
from attrs import frozen

from loanhub import Damaged, Stale
from sync_agent.blobs import LARGEST_BLOB, Blobs
from sync_agent.vault.columns import rows
from sync_agent.vault.commits import Commit
from sync_agent.vault.copying import frames_of
from sync_agent.vault.index import Index
from sync_agent.vault.packing import Packer
from sync_agent.vault.reading import NUMBER_OF, BlobReader
from sync_agent.vault.records import Record
from sync_agent.vault.state import State

if TYPE_CHECKING:
    from sync_agent.vault.vault import Vault

PACKS_BETWEEN: Final = 64
BLOBS_BETWEEN: Final = 100_000
"""Packs or blobs after which a long backup commits what it has, so that a killed one goes on from there."""


@frozen(eq=False)
class Proposal:
    """What somebody wants to commit, given the present state."""

    type: str
    body: Mapping[str, Any]
    records: tuple[Record, ...] = ()
    whole_base: bool = False
    """Publish a base in which every record is written anew."""
    dead: frozenset[int] = frozenset()
    """Numbers to be given up besides those seen since the last commit."""


class Writer(Blobs):
    """Saves blobs and commits. Threads may save at the same time; close it, or use it in a `with`."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._state = vault.state
        self._packer = Packer(vault.remote, vault.keys)
        self._turn = threading.RLock()
        self._own = Index()
        self._reader = BlobReader(vault.remote, vault.keys, self._own)
        self._records: list[Record] = []
        self._pending: set[bytes] = set()
        self._failure: BaseException | None = None
        """Why a pack was not stored: what it held is lost to this session, which must not commit."""
        self._relied = array("Q")
        """The first 8 bytes of every id that the next snapshot may need."""

    # Blobs ----------------------------------------------------------------------------------------------

    def save(self, kind: str, plain: bytes | memoryview) -> bytes:
        """As `Blobs.save`. Raises what storing earlier blobs raised, and ValueError beyond 16 MiB."""
        if len(plain) > LARGEST_BLOB:
            raise ValueError("a blob has at most 16 MiB")
        number = NUMBER_OF[kind]
        blob_id = self._vault.keys.blob_id(number, plain)
        with self._turn:
            self._refuse_broken()
            if not self._has(blob_id):
                self._pending.add(blob_id)
                self._packer.add(number, blob_id, plain)
                self._rely(blob_id)
                self._collect()
        return blob_id

    def known(self, kind: str, blob_id: bytes) -> bool:  # noqa: ARG002  # the id says the kind too
        """As `Blobs.known`. That a listing is known does not say that what it lists is: ask for each."""
        with self._turn:
            return self._has(blob_id)

    def load(self, kind: str, blob_id: bytes) -> bytes:
        """As `Blobs.load`; a blob of this session may have to be stored first."""
        with self._turn:
            if blob_id in self._pending:
                self.flush()
            if self._own.spots(blob_id):
                return self._reader.load(kind, blob_id)
        return self._vault.load(kind, blob_id)

    def load_many(self, kind: str, blob_ids: Iterable[bytes]) -> Iterator[tuple[bytes, bytes]]:
        """As `Blobs.load_many`."""
        with self._turn:
            wanted = set(blob_ids)
            own = {one for one in wanted if one in self._pending or self._own.spots(one)}
        yield from self._vault.load_many(kind, wanted - own)
        for blob_id in own:
            yield blob_id, self.load(kind, blob_id)

    def _has(self, blob_id: bytes) -> bool:
        found = (
            blob_id in self._pending or self._own.usable(blob_id) or self._vault.state.index.usable(blob_id)
        )
        if found:
            self._rely(blob_id)
        return found

    def _rely(self, blob_id: bytes) -> None:
        self._relied.append(int.from_bytes(blob_id[:8], "big"))

    def _collect(self) -> None:
        self._take(self._packer.finished())
        if len(self._records) >= PACKS_BETWEEN or len(self._own) >= BLOBS_BETWEEN:
            self._commit_packs()

    def _stored(self, record: Record) -> None:
        self._own.add(record)
        self._records.append(record)
        self._pending.difference_update(blob_id for blob_id, _, _ in rows(record))

    def flush(self) -> None:
        """Stores what was saved so far, in packs that may be small; it counts with the next commit."""
        with self._turn:
            self._refuse_broken()
            self._take(self._packer.flush())

    def _take(self, stored: Iterator[Record]) -> None:
        try:
            for record in stored:
                self._stored(record)
        except BaseException as failure:
            self._failure = failure
            raise

    def _refuse_broken(self) -> None:
        if self._failure is not None:
            raise self._failure

    # Committing -----------------------------------------------------------------------------------------

    def commit(self, body: Mapping[str, Any], *, type: str = "snapshot") -> Commit:
        """Stores what is left and makes it count, together with everything saved before.

        `body` holds texts, whole numbers, true, false, null, and lists and objects of them. Raises Stale
        `vault-pruned-meanwhile` when blobs this snapshot needs were deleted before it came: make it again.
        """

        def propose(state: State) -> Proposal:
            self.flush()
            self._rescue(state)
            return Proposal(type, body, tuple(self._records))

        with self._turn:
            found = self._put(propose)
            del self._relied[:]
        return found

    def _commit_packs(self) -> None:
        """What is stored so far counts from now on, though no snapshot needs it yet."""
        records = tuple(self._records)
        self._put(lambda _: Proposal("packs", {}, records))

    def _put(self, propose: Callable[[State], Proposal]) -> Commit:
        def with_our_state(state: State) -> Proposal:
            if state is not self._state:  # read anew: what was deleted meanwhile is not known
                raise Stale("vault-pruned-meanwhile")
            return propose(state)

        try:
            found = self._vault.put(with_our_state)
        except Stale as failure:
            self._failure = failure  # what we saved may be gone, whatever comes after
            raise
        self._records.clear()
        self._own = Index()
        self._reader = BlobReader(self._vault.remote, self._vault.keys, self._own)
        return found

    def _rescue(self, state: State) -> None:
        """Copies blobs we rely on out of packs that are doomed since. Raises Stale when they are gone."""
        index = state.index
        if not any(pack.doomed or pack.gone for pack in index.packs):
            return
        relied = np.unique(np.frombuffer(self._relied, np.uint64))
        lacking = relied[~np.isin(relied, np.concatenate((index.usable_keys(), self._own.usable_keys())))]
        needed = set(index.ids_of(lacking))
        if len({blob_id[:8] for blob_id in needed}) < len(lacking):
            raise Stale("vault-pruned-meanwhile")
        for number in sorted({index.spots(blob_id)[0].pack for blob_id in needed}):
            try:
                for frame in frames_of(self._vault.remote, self._vault.keys, index.packs[number], needed):
                    needed.discard(frame.id)
                    self._packer.add_packed(frame.kind, frame.id, frame.packed)
            except Damaged:
                raise Stale("vault-pruned-meanwhile") from None
        if needed:
            raise Stale("vault-pruned-meanwhile")
        self.flush()

    def close(self) -> None:
        """Ends the session; what was not committed does not count."""
        self._packer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
