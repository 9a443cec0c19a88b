"""Object lock upkeep: whatever a vault needs is held by its storage, and held on before that runs out.

What needs no upkeep costs nothing: until when an object was held is noted on this machine, and only what has
less than half of its time left is looked at. Notes that were lost cost a question an object. It can be
stopped anywhere, and goes on where it was.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from threading import Event
from typing import Final

from attrs import field, frozen

from loanhub import Holding, Interrupted, Misconfigured, NotAllowed, NotFound, Remote, holding_of
from sync_agent.places import Notes, state_folder
from sync_agent.status import moment_of, stamp
from sync_agent.vault import Vault
from sync_agent.vault.names import commit_name, keyring_name, pack_name

FILE: Final = "held.json"
ENOUGH: Final = 0.5
"""The share of its time that every object has left at least, as long as somebody sees to it daily."""
_AT_ONCE: Final = 8
_BATCH: Final = 1000


@frozen
class Upheld:
    """What came of it. `until`: the earliest time at which something needed could be deleted, None: now.

    `loose` objects could not be held, for the reasons (message codes) in `troubles`; what is not there at
    all is a matter of verify.
    """

    objects: int
    extended: int
    loose: int
    until: datetime | None
    troubles: tuple[str, ...] = ()


def needed(vault: Vault) -> list[str]:
    """Every object that counts: commits, keyrings, packs and bases that no plan dooms.

    Prune dooms what no kept snapshot needs, so that is held until its time runs out and no longer.
    """
    state = vault.state
    names = [keyring_name(number) for number in range(vault.keyring_sequence + 1)]
    names += [commit_name(number) for number in range(state.floor, state.sequence + 1)]
    names += [name for name, _ in state.segments]
    names += [] if state.named is None else [state.named]
    names += [pack_name(pack.object_id) for pack in state.index.packs if not pack.gone]
    return [name for name in dict.fromkeys(names) if name not in state.doomed]


def notes_of(vault: Vault, remote: Remote, folder: Path | None = None) -> Notes:
    """Where it is noted until when the objects of a vault are held at a remote: a copy has its own."""
    where = hashlib.sha256(remote.name.encode()).hexdigest()[:16]
    return Notes((folder or state_folder()) / vault.id / f"{where}-{FILE}")


def uphold(remote: Remote, names: Iterable[str], notes: Notes, now: datetime, stop: Event) -> Upheld | None:
    """Holds every object on that has less than half of its time left; None where holds are not wanted.

    `now` is this machine's: a storage refuses callers whose clocks are wrong. Raises Interrupted `stopped`,
    and Busy where trying again later can help.
    """
    holding = holding_of(remote)
    if holding is None or not holding.period:
        return None
    work = _Upkeep(holding, list(names), now)
    said = notes.read().get("held", {})
    for name in work.names:
        if (moment := moment_of(said.get(name))) is not None:
            work.until[name] = moment
    for _ in work.batches():
        notes.note(held={name: stamp(moment) for name, moment in work.until.items()})
        if stop.is_set():
            raise Interrupted("stopped")
    return work.result()


@frozen
class _Upkeep:
    holding: Holding
    names: list[str]
    now: datetime
    until: dict[str, datetime] = field(factory=dict)
    loose: set[str] = field(factory=set)
    extended: set[str] = field(factory=set)
    troubles: set[str] = field(factory=set)

    def batches(self) -> Iterator[None]:
        enough = self.now + self.holding.period * ENOUGH
        due = [name for name in self.names if (known := self.until.get(name)) is None or known < enough]
        with ThreadPoolExecutor(_AT_ONCE, "hold") as pool:
            for at in range(0, len(due), _BATCH):
                for name, found in zip(due[at:], pool.map(self._see_to, due[at : at + _BATCH]), strict=False):
                    self.until.pop(name, None)
                    if found is not None:
                        self.until[name] = found
                yield

    def _see_to(self, name: str) -> datetime | None:
        enough = self.now + self.holding.period * ENOUGH
        try:
            found = self.holding.held_until(name)
            if found is None or found < enough:
                found = self.holding.hold(name, self.now + self.holding.period)
                self.extended.add(name)
        except NotFound:
            return None
        except (NotAllowed, Misconfigured) as trouble:
            self.loose.add(name)
            self.troubles.add(trouble.code)
            return None
        return found

    def result(self) -> Upheld:
        until = None if self.loose else min(self.until.values(), default=None)
        return Upheld(
            len(self.until) + len(self.loose), len(self.extended), len(self.loose), until,
            tuple(sorted(self.troubles)),
        )  # fmt: skip
