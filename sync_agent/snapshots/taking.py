"""Taking a snapshot: what is there is walked through, what changed is read, and one commit makes it count."""

from __future__ import annotations

import getpass
import os
import socket
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from attrs import evolve, frozen

from loanhub import NotFound
from sync_agent.snapshots.body import Draft, Problem, Root, Snapshot, save_report, shown
from sync_agent.snapshots.contents import Contents
from sync_agent.snapshots.gathering import Gatherer, Options, Tell
from sync_agent.snapshots.listings import Listing
from sync_agent.snapshots.seen import Memory
from sync_agent.vault import Vault

READERS: Final = 2
LEFT_OUT: Final = ("snapshot-unreadable", "snapshot-database-held")
"""Problems of what is not in the snapshot at all, though it was asked for."""


@frozen
class Taken:
    """A snapshot that was taken. `stored`: bytes by which the vault grew meanwhile."""

    snapshot: Snapshot
    problems: tuple[Problem, ...]
    stored: int

    @property
    def is_incomplete(self) -> bool:
        """Whether something that was asked for is not in it."""
        return any(problem.code in LEFT_OUT for problem in self.problems)


def take(
    vault: Vault, sources: Iterable[Path], options: Options | None = None, tell: Tell | None = None
) -> Taken:
    """Takes a snapshot of folders and files.

    `tell` hears of the progress; what it raises stops it, and what was stored by then is used by the next
    one. Raises NotFound `snapshot-source-missing`, Usage `snapshot-pattern-wrong`, Stale
    `vault-pruned-meanwhile` (take it again), and what the vault raises.
    """
    chosen = options or Options()
    chosen = evolve(chosen, host=chosen.host or socket.gethostname(), user=chosen.user or _user())
    named = named_roots(sources)
    parent = _parent(vault, chosen.host, named)
    before = len(vault.state.index.packs)
    with ExitStack() as stack:
        writer = stack.enter_context(vault.writer())
        contents = Contents(writer, vault.chunk_seed, chosen.databases.get)
        pool = ThreadPoolExecutor(READERS, "snapshot-read")
        stack.callback(pool.shutdown, cancel_futures=True)
        stack.callback(contents.stop)
        gatherer = Gatherer(writer, contents, pool, chosen, tell, parent.counts.bytes if parent else 0)
        folder = None if chosen.cache is None else chosen.cache / vault.id
        memories = [stack.enter_context(Memory(folder, path)) for _, path in named]
        commit = writer.commit(_gathered(gatherer, named, memories, parent).to_body())
        for memory in memories:
            memory.keep()
    stored = sum(pack.size for pack in vault.state.index.packs[before:])
    return Taken(Snapshot.of(commit), tuple(gatherer.problems), stored)


def _gathered(
    gatherer: Gatherer,
    named: Sequence[tuple[bytes, Path]],
    memories: Sequence[Memory],
    parent: Snapshot | None,
) -> Draft:
    """All roots put away, and what there is to say of them."""
    started = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    roots, top = [], Listing(gatherer.blobs)
    for (name, path), memory in zip(named, memories, strict=True):
        entry = gatherer.gather(path, name, memory)
        if entry is not None:
            top.add(entry)
            roots.append(Root(shown(name), shown(str(path))))
    if not roots:
        raise NotFound("snapshot-source-missing", path=shown(str(named[0][1])))
    return Draft(
        started=started,
        host=gatherer.options.host,
        user=gatherer.options.user,
        roots=roots,
        tags=gatherer.options.tags,
        tree=top.finish()[0][0],
        counts=gatherer.counts(),
        problems=Counter(problem.code for problem in gatherer.problems),
        report=save_report(gatherer.blobs, gatherer.problems),
        parent=None if parent is None else parent.commit.sequence,
    )


def named_roots(sources: Iterable[Path]) -> list[tuple[bytes, Path]]:
    """Each source with a name of its own, in their order. Raises NotFound `snapshot-source-missing`."""
    names: dict[bytes, Path] = {}
    path = Path()
    for path in dict.fromkeys(Path(os.path.abspath(source)) for source in sources):  # noqa: PTH100 - keeps links
        if not (path.is_dir() or path.is_file()):
            raise NotFound("snapshot-source-missing", path=shown(str(path)))
        plain = os.fsencode(path.name or path.drive.rstrip(":") or "root")
        name, turn = plain, 2
        while name in names:
            name, turn = plain + b"-%d" % turn, turn + 1
        names[name] = path
    if not names:
        raise NotFound("snapshot-source-missing", path=shown(str(path)))
    return sorted(names.items())


def _parent(vault: Vault, host: str, sources: Sequence[tuple[bytes, Path]]) -> Snapshot | None:
    """The newest snapshot of the same things."""
    paths = {shown(str(path)) for _, path in sources}
    for commit in reversed(vault.snapshots):
        found = Snapshot.of(commit)
        if found.host == host and {root.path for root in found.roots} == paths:
            return found
    return None


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""
