"""Prune: first a plan that dooms what no snapshot needs, and after a grace the deletion of what was doomed.

docs/vault-format.md section 7 says why nothing that is needed can be deleted.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Final, Self

from attrs import define, field, frozen

from loanhub import Damaged, NotAllowed, NotFound, Remote, Stored, holding_of
from sync_agent.vault.commits import Commit
from sync_agent.vault.copying import frames_of
from sync_agent.vault.index import Marks, PackFacts
from sync_agent.vault.names import BASES, PACKS, commit_name, object_in, pack_name, sequence_in
from sync_agent.vault.packing import PACK_FULL, Packer
from sync_agent.vault.records import Record
from sync_agent.vault.state import State
from sync_agent.vault.vault import Vault
from sync_agent.vault.writer import Proposal

HALF: Final = 0.5
SMALL: Final = PACK_FULL // 4
MOST_SMALL: Final = 32
GRACE: Final = timedelta(days=7)
GRACE_COMMITS: Final = 100
"""Commits that stand for the grace where a remote tells no times."""
MOST_DOOMED: Final = 100_000
"""Objects in one plan, so that a commit stays small; the rest is for the next prune."""
_AT_ONCE: Final = 500
_ASKED_AT_ONCE: Final = 8

Needs = Callable[[Commit, Callable[[bytes], bool]], None]
"""Marks every blob a snapshot needs. Marking gives False for what was marked before: a listing that was need
not be walked again.
"""


@frozen
class Pruned:
    """What a prune did: the plan it committed (None: nothing to doom), objects deleted, and still doomed.

    `held` of these could be deleted but for a lock of the storage, the last of which ends at `held_until`.
    """

    plan: Commit | None
    deleted: int
    doomed: int
    held: int = 0
    held_until: datetime | None = None


def prune(vault: Vault, needs: Needs, *, grace: timedelta = GRACE) -> Pruned:
    """Dooms what no live snapshot needs, then deletes what was doomed longer than `grace` ago.

    Raises Damaged `vault-not-whole` when a commit cannot be read, Damaged `vault-object-missing` when a live
    snapshot lacks something; then nothing is deleted.
    """
    plan = make_plan(vault, needs, grace=grace)
    held: dict[str, datetime] = {}
    deleted = sweep(vault, grace=grace, held=held)
    return Pruned(plan, deleted, len(vault.state.doomed), len(held), max(held.values(), default=None))


# The plan -------------------------------------------------------------------------------------------------


class _NothingToDo(Exception):
    """No object can be spared."""


def make_plan(vault: Vault, needs: Needs, *, grace: timedelta = GRACE) -> Commit | None:
    """The commit that dooms packs and bases nobody needs; what is live in them is copied first.

    Begins with an empty commit, whose time is the storage's now. None: nothing can be spared.
    """
    vault.commit("packs", {})
    with _Planner(vault, needs, grace) as planner:
        try:
            return vault.put(planner.propose)
        except _NothingToDo:
            return None


@define(eq=False)
class _Planner:
    """Marks and copies; asked again after every commit that came between, it copies only what is new."""

    vault: Vault
    needs: Needs
    grace: timedelta
    _packer: Packer = field(init=False)
    _records: list[Record] = field(factory=list)
    _copied: set[bytes] = field(factory=set)

    def __enter__(self) -> Self:
        self._packer = Packer(self.vault.remote, self.vault.keys)
        return self

    def __exit__(self, *_: object) -> None:
        self._packer.close()

    def propose(self, state: State) -> Proposal:
        if not state.whole:
            raise Damaged("vault-not-whole")
        marks = Marks(state.index)
        for commit in state.snapshots.values():
            self._mark(commit, marks)
        there = _Listing(self.vault, self.grace)
        doomed = self._packs(state, marks, there)
        names = {pack_name(pack.object_id) for pack in doomed}
        ours = {pack_name(record.object_id) for record in self._records}
        names |= (there.strangers(state) - ours) | there.old_bases(state)
        if not names and not self._records:
            raise _NothingToDo
        self._records += self._packer.flush()
        chosen = sorted(names)[:MOST_DOOMED]
        return Proposal("prune-plan", {"objects": chosen, "reason": "unused"}, tuple(self._records))

    def _mark(self, commit: Commit, marks: Marks) -> None:
        def mark(blob_id: bytes) -> bool:
            try:
                return marks.mark(blob_id)
            except KeyError:
                raise Damaged("vault-snapshot-lacks", sequence=commit.sequence) from None

        self.needs(commit, mark)

    def _packs(self, state: State, marks: Marks, there: _Listing) -> list[PackFacts]:
        """The packs to doom, once what is live in them was copied; also out of packs doomed before."""
        live, every = marks.live_bytes(), marks.all_bytes()
        packs = state.index.packs
        free = [
            number
            for number, pack in enumerate(packs)
            if not pack.gone and not pack.doomed and there.is_old(pack_name(pack.object_id), unknown=True)
        ]
        chosen = {number for number in free if live[number] < HALF * every[number] or not every[number]}
        small = {number for number in free if packs[number].size < SMALL} - chosen
        if len(small) > MOST_SMALL:
            chosen |= small
        again = {number for number, pack in enumerate(packs) if pack.doomed and not pack.gone}
        for number in sorted(chosen | again):
            if live[number]:
                self._copy(marks, number, packs[number])
        return [packs[number] for number in chosen]

    def _copy(self, marks: Marks, number: int, pack: PackFacts) -> None:
        wanted = marks.live_in(number) - self._copied
        for frame in frames_of(self.vault.remote, self.vault.keys, pack, wanted) if wanted else ():
            self._packer.add_packed(frame.kind, frame.id, frame.packed)
            self._copied.add(frame.id)
            self._records += self._packer.finished()


class _Listing:
    """What the storage has, and how old it is by the storage's own clock."""

    def __init__(self, vault: Vault, grace: timedelta) -> None:
        head = commit_name(vault.state.sequence)
        self._grace = grace
        self._found: dict[str, Stored] = {
            one.name: one for prefix in (PACKS, BASES, head) for one in vault.remote.list(prefix)
        }
        self._now = max((one.modified for one in self._found.values() if one.modified), default=None)

    def is_old(self, name: str, *, unknown: bool) -> bool:
        """Whether an object is older than the grace; `unknown` where the storage does not say."""
        found = self._found.get(name)
        if found is None or found.modified is None or self._now is None:
            return unknown
        return self._now - found.modified >= self._grace

    def strangers(self, state: State) -> set[str]:
        """Packs no commit knows: left by writers that were killed."""
        return {
            name
            for name in self._found
            if name.startswith(PACKS) and name not in state.doomed and self.is_old(name, unknown=False)
            and (object_id := object_in(name)) is not None and state.index.pack(object_id) is None
        }  # fmt: skip

    def old_bases(self, state: State) -> set[str]:
        """Bases that opening does not use any more."""
        if state.named is not None:
            return set()  # somebody else's is the newest: which others it needs is not known here
        used = {name for name, _ in state.segments}
        return {
            name
            for name in self._found
            if name.startswith(BASES) and name not in used and name not in state.doomed
            and object_in(name) is not None and self.is_old(name, unknown=False)
        }  # fmt: skip


# The deletion ---------------------------------------------------------------------------------------------


def sweep(vault: Vault, *, grace: timedelta = GRACE, held: dict[str, datetime] | None = None) -> int:
    """Deletes what was doomed longer than `grace` ago, and commits that; how many objects.

    A storage that refuses to delete keeps them doomed. What it has locked is not tried: it stays doomed for a
    later sweep, and goes into `held` with the end of its lock. Killed, it is run again.
    """
    if not vault.state.doomed:
        return 0
    probe = vault.commit("packs", {})
    plans = {
        plan
        for plan in set(vault.state.doomed.values())
        if age_between(vault.remote, plan, probe.sequence) >= grace
    }
    old = {name for name, plan in vault.state.doomed.items() if plan in plans}
    locked = _locked(vault.remote, old, probe.sequence)
    if held is not None:
        held.update(locked)
    due = _without_holes(vault, old - locked.keys())
    deleted = 0
    for at in range(0, len(due), _AT_ONCE):
        gone = _delete(vault, due[at : at + _AT_ONCE])
        if gone:
            vault.commit("prune", {"objects": sorted(gone)})
        deleted += len(gone)
        if len(gone) < len(due[at : at + _AT_ONCE]):
            break
    return deleted


def _without_holes(vault: Vault, due: set[str]) -> list[str]:
    """What to delete, in order: commits first and from the oldest on, none above one that stays.

    So no hole is ever in the numbers, whatever a clock that jumped says of the age of two plans: a machine
    that stands below a hole would take it for the end.
    """
    commits: list[str] = []
    for name in sorted(due):
        if (sequence := sequence_in(name)) is None:
            continue
        before = commit_name(sequence - 1)
        if before != (commits or [""])[-1] and vault.remote.size(before) is not None:
            break
        commits.append(name)
    return commits + sorted(name for name in due if sequence_in(name) is None)


def _locked(remote: Remote, names: set[str], newest: int) -> dict[str, datetime]:
    """Until when which of the objects are locked, where objects are locked at all; `newest` was put just now.

    A delete would not be refused: it hides the object, and what it frees is nothing until the lock ends.
    """
    holding = holding_of(remote)
    if holding is None or not holding.period:
        return {}
    now = _time_of(remote, newest) or datetime.now(UTC)

    def until(name: str) -> datetime | None:
        try:
            return holding.held_until(name)
        except NotFound:  # by a sweep that was killed
            return None

    with ThreadPoolExecutor(_ASKED_AT_ONCE, "prune") as pool:
        found = dict(zip(names, pool.map(until, names), strict=True))
    return {name: moment for name, moment in found.items() if moment is not None and moment > now}


def age_between(remote: Remote, before: int, now: int) -> timedelta:
    """How much later commit `now` was put than commit `before`, by the remote's own times.

    Where it tells none, `GRACE_COMMITS` commits between are for ever and fewer are nothing.
    """
    earlier, later = _time_of(remote, before), _time_of(remote, now)
    if earlier is None or later is None:
        return timedelta.max if now - before >= GRACE_COMMITS else timedelta(0)
    return later - earlier


def _time_of(remote: Remote, sequence: int) -> datetime | None:
    name = commit_name(sequence)
    return next((one.modified for one in remote.list(name) if one.name == name), None)


def _delete(vault: Vault, names: list[str]) -> list[str]:
    gone = []
    for name in names:
        try:
            vault.remote.delete(name)
        except NotAllowed:
            break
        gone.append(name)
    return gone
