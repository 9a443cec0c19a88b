"""Looking into snapshots: what is in one, what differs between two, what a prune must keep."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from attrs import frozen

from loanhub import NotFound
from sync_agent.snapshots.body import Snapshot, shown
from sync_agent.snapshots.entries import THROUGH_LISTS, Entry, read_part
from sync_agent.snapshots.listings import Load, entries_of, pieces_of
from sync_agent.snapshots.patterns import Patterns
from sync_agent.vault import Commit, Vault

ADDED = "added"
REMOVED = "removed"
CHANGED = "changed"
TOUCHED = "touched"
"""The content is the same; mode or time is not."""


@frozen
class Listed:
    """One thing in a snapshot, and its path there: names as bytes with slashes between."""

    path: bytes
    entry: Entry


@frozen
class Change:
    """What differs between two snapshots at `path`; what is in an added or removed folder comes too."""

    path: bytes
    how: str
    before: Entry | None
    after: Entry | None


def walked(load: Load, folder: Entry, path: bytes = b"") -> Iterator[Listed]:
    """Everything below a folder, a folder before what is in it. Raises what reading listings raises."""
    way = [(path, entries_of(load, folder.references))]
    while way:
        above, entries = way[-1]
        entry = next(entries, None)
        if entry is None:
            way.pop()
            continue
        here = above + b"/" + entry.name if above else entry.name
        yield Listed(here, entry)
        if entry.is_folder:
            way.append((here, entries_of(load, entry.references)))


def entry_at(load: Load, snapshot: Snapshot, path: bytes) -> Entry:
    """What lies at a path of a snapshot; b"" is the folder of its roots.

    Raises NotFound `snapshot-no-such-path`.
    """
    found = snapshot.top
    for name in filter(None, path.split(b"/")):
        inside = entries_of(load, found.references) if found.is_folder else iter(())
        entry = next((one for one in inside if one.name == name), None)
        if entry is None:
            raise NotFound("snapshot-no-such-path", snapshot=snapshot.id, path=shown(path))
        found = entry
    return found


def ls(vault: Vault, snapshot: Snapshot, path: bytes = b"", *, deep: bool = False) -> Iterator[Listed]:
    """What is in a folder of a snapshot, or below it if `deep`; of a file, the file."""
    path = path.strip(b"/")
    found = entry_at(vault.load, snapshot, path)
    if not found.is_folder:
        yield Listed(path, found)
    elif deep:
        yield from walked(vault.load, found, path)
    else:
        for entry in entries_of(vault.load, found.references):
            yield Listed(path + b"/" + entry.name if path else entry.name, entry)


def find(
    vault: Vault, snapshots: Iterable[Snapshot], patterns: Sequence[str]
) -> Iterator[tuple[Snapshot, Listed]]:
    """Whatever one of the patterns names, in each of the snapshots. Raises Usage `snapshot-pattern-wrong`."""
    wanted = Patterns.of(patterns)
    for snapshot in snapshots:
        for listed in walked(vault.load, snapshot.top):
            path = listed.path.decode("utf-8", "surrogateescape")
            if wanted.includes(path, folder=listed.entry.is_folder, above=False):
                yield snapshot, listed


# Differences ----------------------------------------------------------------------------------------------


def diff(vault: Vault, before: Snapshot, after: Snapshot) -> Iterator[Change]:
    """What differs, in the order of the paths; folders that are the same are not read."""
    return changed(vault.load, before.top, after.top)


def changed(load: Load, before: Entry, after: Entry) -> Iterator[Change]:
    """As `diff`, of what is in two folders."""
    way = [(b"", _paired(load, before, after))]
    while way:
        above, pairs = way[-1]
        pair = next(pairs, None)
        if pair is None:
            way.pop()
            continue
        old, new = pair
        named = old or new
        assert named is not None
        path = above + b"/" + named.name if above else named.name
        how = _how(old, new)
        if how is not None:
            yield Change(path, how, old, new)
        if _content(old) != _content(new) and any(one and one.is_folder for one in pair):
            way.append((path, _paired(load, old, new)))


def _paired(
    load: Load, before: Entry | None, after: Entry | None
) -> Iterator[tuple[Entry | None, Entry | None]]:
    """Entries of the same name side by side."""
    olds, news = (
        entries_of(load, one.references) if one is not None and one.is_folder else iter(())
        for one in (before, after)
    )
    old, new = next(olds, None), next(news, None)
    while old is not None or new is not None:
        first = min(one.name for one in (old, new) if one is not None)
        mine = old if old is not None and old.name == first else None
        theirs = new if new is not None and new.name == first else None
        yield mine, theirs
        old = old if mine is None else next(olds, None)
        new = new if theirs is None else next(news, None)


def _how(old: Entry | None, new: Entry | None) -> str | None:
    if old is None:
        return ADDED
    if new is None:
        return REMOVED
    if _content(old) != _content(new) and not (old.is_folder and new.is_folder):
        return CHANGED
    return TOUCHED if (old.mode, old.mtime) != (new.mode, new.mtime) else None


def _content(entry: Entry | None) -> object:
    return None if entry is None else (entry.type, entry.size, entry.target, entry.references)


# What must stay -------------------------------------------------------------------------------------------


def needs_of(vault: Vault) -> Callable[[Commit, Callable[[bytes], bool]], None]:
    """What a prune asks: marks every blob a snapshot needs.

    What was marked before is not gone through again. Raises what reading listings raises.
    """

    def needs(commit: Commit, mark: Callable[[bytes], bool]) -> None:
        snapshot = Snapshot.of(commit)
        if snapshot.report is not None:
            mark(snapshot.report)
        parts = [blob_id for blob_id, _ in snapshot.top.references]
        while parts:
            part = parts.pop()
            if mark(part):
                for entry in read_part(vault.load("tree", part), part):
                    parts += _mark_entry(vault.load, entry, mark)

    return needs


def epochs_needed(vault: Vault) -> dict[int, list[int]]:
    """The snapshots that need each key epoch, by their numbers, oldest first.

    What is missing is passed over here: verify names it. Raises what reading listings raises.
    """
    index, needs = vault.state.index, needs_of(vault)
    found: dict[int, list[int]] = {}
    for number, commit in sorted(vault.state.snapshots.items()):
        seen, epochs = set[bytes](), set[int]()

        def mark(blob_id: bytes, seen: set[bytes] = seen, epochs: set[int] = epochs) -> bool:
            if blob_id in seen:
                return False
            seen.add(blob_id)
            epochs.update(index.packs[spot.pack].epoch for spot in index.spots(blob_id)[:1])
            return True

        needs(commit, mark)
        for epoch in epochs:
            found.setdefault(epoch, []).append(number)
    return found


def _mark_entry(load: Load, entry: Entry, mark: Callable[[bytes], bool]) -> list[bytes]:
    """Marks what a file needs; of a folder, the parts that are still to be gone through."""
    ids = [blob_id for blob_id, _ in entry.references]
    if entry.is_folder:
        return ids
    new = [blob_id for blob_id in ids if mark(blob_id)]
    if new and entry.flags & THROUGH_LISTS:
        for blob_id, _ in pieces_of(load, entry):
            mark(blob_id)
    return []
