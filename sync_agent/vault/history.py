"""The chain of commits as it is stored: read link by link, and taken together to the state it gives.

docs/vault-format.md sections 5 and 6 are the format.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from attrs import define, field, frozen

from loanhub import Damaged, LoanHubError, NotFound, Remote
from sync_agent.vault.bases import read_base
from sync_agent.vault.commits import Commit, open_commit
from sync_agent.vault.findings import DAMAGED, MISSING, Finding, finding_of
from sync_agent.vault.head import last_of
from sync_agent.vault.keys import VaultKeys
from sync_agent.vault.names import COMMITS, PACKS, commit_name, object_in, sequence_in
from sync_agent.vault.packs import read_directory
from sync_agent.vault.records import Record
from sync_agent.vault.state import State

_LOOKS: Final = 3


@frozen(eq=False)
class Stored:
    """A number of the chain as it was found. `hash` is that of the stored bytes, None if there are none."""

    sequence: int
    hash: str | None
    commit: Commit | None = None
    records: tuple[Record, ...] = ()


def read_link(remote: Remote, keys: VaultKeys, sequence: int) -> Stored:
    """What stands at that number. One that does not open is looked at again before it is believed.

    Raises Misconfigured for a newer vault, and what the remote raises.
    """
    found: str | None = None
    for _ in range(_LOOKS):
        try:
            stored = remote.get(commit_name(sequence))
            found = keys.chain_hash(stored).hex()
            commit, records = open_commit(keys, sequence, stored)
        except (NotFound, Damaged):
            continue
        return Stored(sequence, found, commit, tuple(records))
    return Stored(sequence, found)


def find_head(remote: Remote, known: int) -> int:
    """The number of the newest commit, 0 for none; `known` is one that was there, or 0.

    Who knows none looks at a listing: a commit that is missing in the middle must not be taken for the end.
    """
    if known == 0:
        known = max((sequence_in(one.name) or 0 for one in remote.list(COMMITS)), default=0)
    return last_of(remote, commit_name, known)


@define(eq=False)
class Reading:
    """One reading of the chain up to `head`; `findings` grows with what is not as it should be."""

    remote: Remote
    keys: VaultKeys
    head: int
    lenient: bool = False
    """A chain that does not hold together is a finding, not an error."""
    findings: list[Finding] = field(factory=list)
    _links: dict[int, Stored] = field(factory=dict)

    def link(self, sequence: int) -> Stored:
        """What stands at that number, read once."""
        found = self._links.get(sequence)
        if found is None:
            found = self._links[sequence] = read_link(self.remote, self.keys, sequence)
        return found

    def state(self) -> State:
        """The state at the head. Raises Damaged `vault-forked`."""
        state = self._newest_base() or self._beginning()
        for sequence in range(state.sequence + 1, self.head + 1):
            self.take(state, self.link(sequence))
        if not state.whole:
            self._add_lost_packs(state)
        return state

    def _newest_base(self) -> State | None:
        for sequence in range(self.head, 0, -1):
            link = self.link(sequence)
            if link.hash is None and self.remote.size(commit_name(1)) is None:
                return None  # history was cut below
            if link.commit is None or link.commit.base is None:
                continue
            try:
                return read_base(self.remote, self.keys, link.commit.base)
            except (NotFound, Damaged) as problem:
                name = problem.facts.get("name", link.commit.base)
                self.findings.append(finding_of(str(name), problem))
        return None

    def _beginning(self) -> State:
        start = self.keys.start
        return State(0, self.keys.chain_hash(start.content).hex(), start.epoch)

    def take(self, state: State, link: Stored) -> None:
        """Takes the next number into the state, readable or not. Raises Damaged `vault-forked`."""
        if link.commit is None:
            self.findings.append(Finding(commit_name(link.sequence), DAMAGED if link.hash else MISSING))
            state.skip(link.sequence, link.hash or "")
            return
        self._check(state, link.commit)
        state.apply(link.commit, link.records)
        if state.index.present != link.commit.packs:
            state.whole = False

    def _check(self, state: State, commit: Commit) -> None:
        """The commit follows what stands before it; numbers that do not open are accounted for."""
        unread = set(state.dead)
        if holes := unread - set(commit.dead):
            state.whole = False
            state.holes |= holes
        if unread:
            dead = {commit_name(sequence) for sequence in unread & set(commit.dead)}
            self.findings[:] = [one for one in self.findings if one.name not in dead]
        if commit.previous != state.hash and commit.sequence - 1 not in unread:
            self._forked(commit.sequence)

    def _add_lost_packs(self, state: State) -> None:
        """Packs no commit could be read for: they give what they hold, and nothing new is built on them."""
        for record in lost_packs(self.remote, self.keys, state):
            state.lost.append(record)
            state.index.add(record)
            state.index.doom(record.object_id)

    def check_links(self, first: int, last: int) -> None:
        """Every commit of `first`..`last` follows the one before. Raises Damaged `vault-forked`."""
        before = self.link(first)
        for sequence in range(first + 1, last + 1):
            link = self._links.get(sequence) or read_link(self.remote, self.keys, sequence)
            if link.commit is not None and before.commit is not None and link.commit.previous != before.hash:
                self._forked(sequence)
            before = link

    def _forked(self, sequence: int) -> None:
        """Commit `sequence` does not follow the one before, which was put there in place of another."""
        if not self.lenient:
            raise Damaged("vault-forked", name=commit_name(sequence))
        self.findings.append(Finding(commit_name(sequence - 1), DAMAGED))


def lost_packs(remote: Remote, keys: VaultKeys, state: State) -> Iterator[Record]:
    """The packs that storage has and the index has not, as their own directories tell."""
    for one in remote.list(PACKS):
        object_id = object_in(one.name)
        if object_id is None or state.index.pack(object_id) is not None:
            continue
        try:
            yield read_directory(remote, keys, object_id, one.size)
        except LoanHubError as problem:
            if not isinstance(problem, NotFound | Damaged):
                raise
