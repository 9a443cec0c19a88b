"""The state of a vault after a commit: its index, its snapshots, what is doomed. Commits change it."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import define, field

from sync_agent.vault.commits import Body, Commit
from sync_agent.vault.index import Index
from sync_agent.vault.names import commit_name, object_in, pack_name
from sync_agent.vault.records import Record


@define(eq=False)
class State:
    """What a vault holds after commit `sequence`, whose stored bytes have `hash` (hex)."""

    sequence: int
    hash: str
    epoch: int
    index: Index = field(factory=Index)
    snapshots: dict[int, Commit] = field(factory=dict)
    doomed: dict[str, int] = field(factory=dict)
    deleted: set[str] = field(factory=set)
    """Objects that a prune deleted while this state was open: a writer's own may be among them."""
    retired: int = 0
    floor: int = 1
    devices: set[str] = field(factory=set)
    dead: list[int] = field(factory=list)
    """Numbers whose object does not open, seen since the last commit that does."""
    base_sequence: int = 0
    """The commit up to which the newest base counts."""
    segments: list[tuple[str, int]] = field(factory=list)
    """The bases that matter and how many blobs each lists; the last one has the state."""
    unannounced: str | None = None
    """A base that was stored and waits for a commit to name it."""
    named: str | None = None
    """A base of somebody else, named since ours: to be taken over before the next is written."""
    fresh: list[tuple[int, Record]] = field(factory=list)
    """(commit, record) of the packs since the base, for the next one."""
    whole: bool = True
    """Whether every commit that counts was read. If not, nothing may be deleted and no base written."""
    holes: set[int] = field(factory=set)
    """Numbers that do not open and that no commit lists as dead."""
    lost: list[Record] = field(factory=list)
    """Packs whose commit could not be read, known by their own directories."""
    pruned: int = 0
    """The last commit by which packs went away: a base after it is written whole."""

    def apply(self, commit: Commit, records: Iterable[Record]) -> None:
        """Takes the next commit in."""
        for record in records:
            self.index.add(record)
            self.fresh.append((commit.sequence, record))
        self.sequence, self.hash = commit.sequence, commit.hash
        if commit.base is not None:
            self.named = None if commit.base == self.unannounced else commit.base
            self.unannounced = None
        self.devices.add(commit.device)
        self.dead.clear()
        for name in [name for name, plan in self.doomed.items() if plan in commit.dead]:
            self.spare(name)  # its writer did not see that plan, and may need what it dooms
        self._happened(commit)

    def skip(self, sequence: int, hash: str) -> None:
        """Takes note of a number whose object does not open."""
        self.sequence, self.hash = sequence, hash
        self.dead.append(sequence)

    def _happened(self, commit: Commit) -> None:
        body = commit.body
        match commit.type:
            case "snapshot":
                self.snapshots[commit.sequence] = commit
            case "forget":
                for sequence in body["snapshots"]:
                    self.snapshots.pop(sequence, None)
            case "prune-plan":
                self.doom(dict.fromkeys(body["objects"], commit.sequence))
            case "prune":
                self._gone(commit.sequence, body["objects"])
            case "key-epoch":
                self.epoch = max(self.epoch, body["epoch"])
            case "epoch-retired":
                past = range(self.floor, body["floor"])
                self.doom({commit_name(sequence): commit.sequence for sequence in past})
                self.retired, self.floor = body["epoch"], max(self.floor, body["floor"])

    def doom(self, names: dict[str, int]) -> None:
        """Objects that a plan names; each with the number of the plan."""
        for name, plan in names.items():
            self.doomed.setdefault(name, plan)
            if (object_id := object_in(name)) is not None:
                self.index.doom(object_id)

    def spare(self, name: str) -> None:
        """An object whose plan does not count."""
        del self.doomed[name]
        if (object_id := object_in(name)) is not None:
            self.index.doom(object_id, doomed=False)

    def _gone(self, sequence: int, names: Iterable[str]) -> None:
        for name in names:
            self.doomed.pop(name, None)
            self.deleted.add(name)
            object_id = object_in(name)
            if object_id is not None and self.index.pack(object_id) is not None:
                self.pruned = sequence
                self.index.remove(object_id)

    @property
    def fresh_blobs(self) -> int:
        """Blobs listed since the base."""
        return sum(len(record.directory) for _, record in self.fresh)

    def recover(self) -> None:
        """Counts the packs of lost commits as any other; the next base has them."""
        for record in self.lost:
            self.index.doom(record.object_id, doomed=pack_name(record.object_id) in self.doomed)
            self.fresh.append((self.sequence, record))
        self.lost, self.whole = [], True

    def came_too_late(self, record: Record) -> bool:
        """Whether a pack that no commit has brought yet was taken for a leftover, or its epoch is retired."""
        name = pack_name(record.object_id)
        return name in self.doomed or name in self.deleted or record.epoch <= self.retired

    def packs_after(self, type: str, body: Body, new: int) -> int:
        """How many packs there will be after a commit that brings `new` ones."""
        ids = map(object_in, body["objects"]) if type == "prune" else ()
        gone = sum(object_id is not None and self.index.pack(object_id) is not None for object_id in ids)
        return self.index.present + new - gone

    def build_on(self, segments: list[tuple[str, int]], sequence: int) -> None:
        """From now on the newest base is the last of `segments`; it counts up to commit `sequence`."""
        self.segments, self.base_sequence, self.named = segments, sequence, None
        self.fresh = [(since, record) for since, record in self.fresh if since > sequence]
