"""Verifying a vault: every object that is missing, cut short, altered or swapped is found and named.

`mend` is for a vault in which a commit is lost for good: the packs it brought are taken back in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import numpy as np
from attrs import define, field

from loanhub import Damaged, Misconfigured, NotFound
from sync_agent.vault import sealed
from sync_agent.vault.bases import open_base
from sync_agent.vault.commits import Commit, KeyringMark
from sync_agent.vault.copying import read_pack
from sync_agent.vault.findings import (
    DAMAGED,
    MISSING,
    TRUNCATED,
    Finding,
    finding_of,
    looked_behind,
)
from sync_agent.vault.history import find_head, read_link
from sync_agent.vault.index import Index, PackFacts
from sync_agent.vault.keys import peek_keyring, read_start
from sync_agent.vault.names import START, commit_name, keyring_name, pack_name
from sync_agent.vault.state import State
from sync_agent.vault.vault import Vault
from sync_agent.vault.writer import Proposal

_READ_AT_ONCE: Final = 2
_ASKED_AT_ONCE: Final = 8
Progress = Callable[[int, int], object]


def verify(vault: Vault, *, read_data: bool, progress: Progress | None = None) -> tuple[Finding, ...]:
    """Every object of the vault that is not what was written, by name. Doomed ones do not count.

    Without `read_data` packs are compared by size only. `progress` is told (bytes done, bytes in all).
    Raises what the remote raises when it does not answer.
    """
    vault.catch_up()
    check = _Check(vault)
    check.start_and_keyrings(check.history())
    check.bases()
    check.packs(read_data=read_data, progress=progress or _unheard)
    return tuple(sorted(looked_behind(vault.remote, check.findings)))


def _unheard(done: int, total: int) -> None:  # noqa: ARG001  # nobody wanted to know
    return None


@define(eq=False)
class _Check:
    vault: Vault
    findings: set[Finding] = field(factory=set)

    def history(self) -> list[KeyringMark]:
        """Every commit opens and follows the one before; the keyrings they name."""
        keys, state = self.vault.keys, self.vault.state
        marks: set[KeyringMark] = set()
        before = keys.chain_hash(keys.start.content).hex() if state.floor == 1 else None
        head = max(state.sequence, find_head(self.vault.remote, 0))
        for sequence in range(state.floor, head + 1):
            link = read_link(self.vault.remote, keys, sequence)
            if link.commit is None:
                self.findings.add(Finding(commit_name(sequence), DAMAGED if link.hash else MISSING))
                before = None
                continue
            for dead in link.commit.dead:  # torn when it was put, and never counted
                self.findings -= {Finding(commit_name(dead), problem) for problem in (DAMAGED, MISSING)}
            if before not in (None, link.commit.previous):
                self.findings.add(Finding(commit_name(sequence - 1) if sequence > 1 else START, DAMAGED))
            marks.add(link.commit.keys)
            before = link.hash
        return sorted(marks, key=lambda mark: mark.sequence)

    def start_and_keyrings(self, marks: Iterable[KeyringMark]) -> None:
        """All keyrings are there; the first object, the newest and those commits name are as they say."""
        vault = self.vault
        hashes = {mark.sequence: mark.hash for mark in marks}
        hashes[0] = vault.keys.chain_hash(vault.keys.start.content).hex()
        for sequence in range(max(*hashes, vault.keyring_sequence) + 1):
            name = keyring_name(sequence)
            if sequence not in hashes and sequence != vault.keyring_sequence:
                # It may have been torn when it was put: nobody says what it should be.
                if vault.remote.size(name) is None:
                    self.findings.add(Finding(name, MISSING))
                continue
            try:
                stored = vault.remote.get(name)
                if hashes.get(sequence, "") not in ("", vault.keys.chain_hash(stored).hex()):
                    raise Damaged("vault-object-damaged", name=name)
                if name == START:
                    read_start(stored)
                else:
                    peek_keyring(stored)
            except (NotFound, Damaged, Misconfigured) as problem:
                self.findings.add(finding_of(name, problem))

    def bases(self) -> None:
        """The bases that opening would use."""
        for name, _ in self.vault.state.segments:
            try:
                _prove(self.vault, open_base(self.vault.remote, self.vault.keys, name), name)
            except (NotFound, Damaged) as problem:
                self.findings.add(finding_of(name, problem))

    def packs(self, *, read_data: bool, progress: Progress) -> None:
        """Every pack that counts."""
        state = self.vault.state
        there = [
            number
            for number, pack in enumerate(state.index.packs)
            if not pack.gone and pack_name(pack.object_id) not in state.doomed
        ]
        contents = _Contents(state.index)
        total, done = sum(state.index.packs[number].size for number in there), 0

        def check(number: int) -> tuple[PackFacts, Finding | None]:
            pack = state.index.packs[number]
            return pack, self._pack(pack, contents, number, read_data=read_data)

        at_once = _READ_AT_ONCE if read_data else _ASKED_AT_ONCE
        with ThreadPoolExecutor(at_once, "vault-verify") as pool:
            for pack, found in pool.map(check, there):
                done += pack.size
                progress(done, total)
                if found is not None:
                    self.findings.add(found)

    def _pack(self, pack: PackFacts, contents: _Contents, number: int, *, read_data: bool) -> Finding | None:
        name = pack_name(pack.object_id)
        size = self.vault.remote.size(name)
        if size is None:
            return Finding(name, MISSING)
        if size < pack.size:
            return Finding(name, TRUNCATED)
        if size > pack.size:
            return Finding(name, DAMAGED)
        if not read_data:
            return None
        try:
            found = read_pack(self.vault.remote, self.vault.keys, pack)
            _prove(self.vault, found, name)
        except Damaged as problem:
            return Finding(name, MISSING if problem.code == "vault-object-missing" else DAMAGED)
        return None if contents.agree(number, found.directory) else Finding(name, DAMAGED)


def _prove(vault: Vault, found: sealed.SealedObject, name: str) -> None:
    """Every blob of a pack or base opens and is what its id says."""
    for position, kind in enumerate(found.directory.kinds.tolist()):
        if vault.keys.blob_id(kind, found.plain(position)) != found.directory.ids[position].tobytes():
            raise Damaged("vault-object-damaged", name=name)


class _Contents:
    """What the index says each pack holds, in the order of the pack."""

    def __init__(self, index: Index) -> None:
        self._columns = index.settle()
        self._order = np.lexsort((self._columns.offset, self._columns.pack))
        self._edges = np.searchsorted(self._columns.pack[self._order], np.arange(len(index.packs) + 1))

    def agree(self, number: int, directory: sealed.Directory) -> bool:
        """Whether the pack holds exactly what the index says, where it says."""
        rows = self._order[self._edges[number] : self._edges[number + 1]]
        ids = b"".join(self._columns.id_at(int(row)) for row in rows)
        return (
            ids == directory.ids.tobytes()
            and np.array_equal(self._columns.offset[rows], directory.offsets)
            and np.array_equal(self._columns.length[rows], directory.lengths)
        )


def mend(vault: Vault) -> Commit | None:
    """Gives up commits that are lost, and takes the packs they brought back into the index.

    From then on the vault is whole again. A snapshot that stood in a lost commit stays lost: try first to
    bring its object back from a second remote. None: nothing was lost.
    """
    if vault.state.whole:
        return None

    def propose(state: State) -> Proposal:
        state.recover()
        return Proposal("packs", {}, whole_base=True, dead=frozenset(state.holes))

    return vault.put(propose)
