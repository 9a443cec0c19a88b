"""The agent: sees a change, waits until it rests, backs up, and once a day looks after the vault.

Every step can be killed: what counts is committed in the vault, what is noted is written whole, and the next
start looks at both. One agent at a time watches a vault from one machine.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Any, Final

from attrs import define, evolve, field, frozen

from loanhub import Busy, Damaged, Interrupted, LoanHubError, NotFound, Stale, lock, private_folder
from sync_agent.evidence import Verified, keep_verified
from sync_agent.holding import needed, notes_of, uphold
from sync_agent.keeping import points_of
from sync_agent.places import state_folder
from sync_agent.retention import Policy, kept
from sync_agent.snapshots import Options, Progress, needs_of, take
from sync_agent.status import ALARMS, Journal, moment_of, stamp
from sync_agent.vault import Finding, Vault
from sync_agent.vault.copying import frames_of
from sync_agent.vault.findings import DAMAGED, MISSING, looked_behind
from sync_agent.vault.names import pack_name
from sync_agent.vault.pruning import prune

SHARES: Final = 28
"""Days in which every pack is read once."""
DEFAULT: Final = Policy(last=10, daily=14, weekly=8, monthly=24, yearly=10)
_LONGEST: Final = 900.0
_HEARTBEAT: Final = 600.0


@frozen
class Habits:
    """When the agent does what. Times in seconds; `at` is by the clock on the wall.

    A change is backed up when nothing has changed for `settle`, or `patience` after it was seen. A look
    takes place at least `every` so often, and longer pauses follow looks that take long.
    """

    every: float = 60.0
    settle: float = 30.0
    patience: float = 900.0
    at: time = time(1, 30)
    policy: Policy = DEFAULT


@frozen
class Did:
    """One thing the agent did: `what` is backup, forget, prune, held, hold, verify, copy or trouble."""

    what: str
    facts: dict[str, Any] = field(factory=dict)


@define(eq=False)
class Agent:
    """Looks after one vault. `now` tells the time of day, `steady` a clock that never jumps."""

    vault: Vault
    sources: Sequence[Path]
    options: Options
    habits: Habits = Habits()
    copy: Callable[[], dict[str, Any]] | None = None
    """Copies to the second remote, where there is one."""
    folder: Path = field(factory=state_folder)
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    steady: Callable[[], float] = monotonic
    _seen: bytes = field(default=b"", init=False)
    _taken: bytes = field(default=b"", init=False)
    _since: float = field(default=0.0, init=False)
    _first: float | None = field(default=None, init=False)
    _pause: float = field(default=0.0, init=False)
    _not_before: dict[str, float] = field(factory=dict, init=False)
    _beat: float = field(default=float("-inf"), init=False)

    @property
    def journal(self) -> Journal:
        """What is noted of this vault."""
        return Journal.of(self.vault, self.folder)

    def run(self, stop: Event) -> Iterator[Did]:
        """What it does, until `stop` is set. Raises what no waiting can mend: alarms, wrong rights."""
        with self._alone():
            self._note("watching")
            while not stop.is_set():
                begun = self.steady()
                try:
                    yield from self.step(stop)
                    self._pause = 0.0
                except Interrupted:
                    break
                except (Busy, OSError) as trouble:
                    self._pause = min(max(2 * self._pause, self.habits.every), _LONGEST)
                    code = trouble.code if isinstance(trouble, LoanHubError) else "system-error"
                    self._note("waiting", trouble=code)
                    yield Did("trouble", {"code": code, "again": self._pause})
                spent = self.steady() - begun
                stop.wait(max(self.habits.every, 10 * spent, self._pause))
            self._note("stopped")

    def step(self, stop: Event | None = None) -> Iterator[Did]:
        """One look, and whatever is due."""
        changed = self._is_due()
        stop = stop or Event()
        if changed and not self._is_due_today("backup"):
            yield from self.back_up(stop)
        yield from self.look_after(stop)
        if self.steady() - self._beat > _HEARTBEAT:
            self._note("watching")

    # Changes --------------------------------------------------------------------------------------------

    def _is_due(self) -> bool:
        """Whether there is a change that rests, or has waited long enough."""
        found, at = fingerprint(self.sources, self.options.skip), self.steady()
        if found != self._seen:
            self._seen, self._since = found, at
        if found == self._taken:
            self._first = None
            return False
        self._first = at if self._first is None else self._first
        return at - self._since >= self.habits.settle or at - self._first >= self.habits.patience

    def back_up(self, stop: Event, *tags: str) -> Iterator[Did]:
        """A snapshot now; taken again when another machine pruned what it needed.

        Raises Interrupted `stopped` when told to stop: what was stored by then is used by the next one.
        """

        def heard(_: Progress) -> None:
            if stop.is_set():
                raise Interrupted("stopped")

        self._note("backing up")
        looked = fingerprint(self.sources, self.options.skip)
        options = evolve(self.options, tags=(*self.options.tags, *tags))
        try:
            taken = take(self.vault, self.sources, options, heard)
        except Stale:
            taken = take(self.vault, self.sources, options, heard)
        self._taken, self._first = looked, None
        facts = {"snapshot": taken.snapshot.id, "problems": len(taken.problems)}
        self.journal.ran(self.vault, "backup", **facts)
        self._note("watching")
        yield Did("backup", {**facts, "stored": taken.stored, "complete": not taken.is_incomplete})

    # Once a day -----------------------------------------------------------------------------------------

    def _is_due_today(self, what: str) -> bool:
        """Whether the hour of the day has come since a piece of the day's work was done last."""
        here = self.now().astimezone()
        due = datetime.combine(here.date(), self.habits.at, here.tzinfo)
        if due > here:
            due -= timedelta(days=1)
        last = moment_of(self.journal.read().get("day", {}).get(what))
        # A time in the future was noted by a clock that was wrong.
        return last is None or last < due or last > here + timedelta(hours=1)

    def look_after(self, stop: Event, *, anyway: bool = False) -> Iterator[Did]:
        """What is left of the day's work: a snapshot, policy, prune, locks, a share of the packs, the copy.

        `anyway`: all of it, whether it is due or not. What could not be done, or was not because of `stop`,
        is done the next time.
        """
        works: dict[str, Callable[[], Iterator[Did]]] = {
            "backup": lambda: self._daily(stop),
            "forget": self._forget,
            "prune": self._prune,
            "hold": lambda: self._hold(stop),
            "verify": self._verify,
            "copy": self._copy,
        }
        for what, work in works.items():
            if stop.is_set():
                return
            if anyway or (self._is_due_today(what) and self.steady() >= self._not_before.get(what, 0.0)):
                yield from self._tried(what, work)

    def _tried(self, what: str, work: Callable[[], Iterator[Did]]) -> Iterator[Did]:
        """A piece of work, noted as done. Backups go on though a vault is damaged or the copy is away."""
        try:
            yield from work()
        except (Damaged, NotFound) as found:
            if found.code in ALARMS or what == "backup":
                raise
            yield Did("trouble", {"code": found.code})
        except Busy as trouble:
            if what != "copy":
                raise
            self._not_before[what] = self.steady() + _LONGEST
            yield Did("trouble", {"code": trouble.code})
            return
        done = self.journal.read().get("day", {})
        self.journal.notes.note(day={**done, what: stamp(self.now())})

    def _daily(self, stop: Event) -> Iterator[Did]:
        day, here = self.journal.read().get("day", {}), self.now().astimezone()
        last = moment_of(day.get("weekly"))
        if last is None or last.astimezone().isocalendar()[:2] != here.isocalendar()[:2]:
            yield from self.back_up(stop, "daily", "weekly")
            self.journal.notes.note(day={**day, "weekly": stamp(here)})
        else:
            yield from self.back_up(stop, "daily")

    def _forget(self) -> Iterator[Did]:
        zone = self.now().astimezone().tzinfo
        assert zone is not None
        keep = kept(points_of(self.vault, self.journal), self.habits.policy, zone)
        gone = [one.sequence for one in self.vault.snapshots if one.sequence not in keep]
        if gone:
            self.vault.forget(gone)
        yield Did("forget", {"forgotten": len(gone), "kept": len(keep)})

    def _prune(self) -> Iterator[Did]:
        done = prune(self.vault, needs_of(self.vault))
        self.journal.ran(self.vault, "prune", deleted=done.deleted)
        yield Did("prune", {"deleted": done.deleted, "waiting": done.doomed})
        if done.held_until is not None:
            yield Did("held", {"objects": done.held, "until": stamp(done.held_until)})

    def _hold(self, stop: Event) -> Iterator[Did]:
        """Nothing, where the storage is not asked to lock."""
        notes = notes_of(self.vault, self.vault.remote, self.folder)
        done = uphold(self.vault.remote, needed(self.vault), notes, self.now(), stop)
        if done is None:
            return
        self.journal.held(self.vault, done.objects, done.loose, done.until)
        yield Did("hold", {"objects": done.objects, "extended": done.extended, "loose": done.loose})
        yield from (Did("trouble", {"code": code}) for code in done.troubles)

    def _verify(self) -> Iterator[Did]:
        day = self.now().astimezone().toordinal() % SHARES
        found = verify_share(self.vault, day, SHARES)
        verified = Verified(found, read_data=True, packs=self.vault.state.index.present, share=(day, SHARES))
        keep_verified(self.vault, self.journal, verified)
        yield Did("verify", {"damaged": [one.name for one in found]})

    def _copy(self) -> Iterator[Did]:
        if self.copy is not None:
            yield Did("copy", self.copy())

    # What others may know -------------------------------------------------------------------------------

    def _note(self, state: str, **facts: object) -> None:
        self._beat = self.steady()
        self.journal.notes.note(agent={"at": stamp(self.now()), "pid": os.getpid(), "state": state, **facts})

    @contextmanager
    def _alone(self) -> Iterator[None]:
        folder = private_folder(self.folder / self.vault.id)
        try:
            with lock(folder / "agent.lock"):
                yield
        except Busy as held:
            if held.code != "home-busy":
                raise
            raise Busy("sync-agent-running", pid=held.facts["pid"], since=held.facts["since"]) from None


def verify_share(vault: Vault, share: int, shares: int) -> list[Finding]:
    """Reads every byte of the packs whose turn it is; what is wrong with them, by name."""
    found = []
    for pack in list(vault.state.index.packs):
        name = pack_name(pack.object_id)
        if pack.gone or name in vault.state.doomed or pack.object_id[-1] % shares != share:
            continue
        try:
            for _ in frames_of(vault.remote, vault.keys, pack, None):
                pass
        except (Damaged, NotFound) as problem:
            missing = problem.code == "vault-object-missing"
            found.append(Finding(name, MISSING if missing else DAMAGED))
    return looked_behind(vault.remote, found)


def fingerprint(sources: Sequence[Path], skip: Sequence[Path] = ()) -> bytes:
    """A number for names, sizes and times of everything there; equal as long as nothing changes.

    What lies in a folder of `skip` does not count.
    """
    digest = hashlib.blake2b(digest_size=16)
    left_out = {str(path.absolute()) for path in skip}
    for source in sources:
        for path, told in _walk(str(source.absolute()), left_out):
            line = f"{path}\0{told.st_size}\0{told.st_mtime_ns}\0{told.st_ino}\n"
            digest.update(line.encode("utf-8", "surrogateescape"))
    return digest.digest()


def _walk(source: str, left_out: Collection[str]) -> Iterator[tuple[str, os.stat_result]]:
    """Everything below a folder in a steady order; what cannot be looked at is left out.

    Not the files by which SQLite's users agree: they change when a database is only read.
    """
    with suppress(OSError):
        yield source, os.lstat(source)
    way = [source]
    while way:
        try:
            with os.scandir(way.pop()) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError:
            continue
        for entry in entries:
            if entry.name.endswith("-shm") or entry.path in left_out:
                continue
            with suppress(OSError):
                yield entry.path, entry.stat(follow_symlinks=False)
                if entry.is_dir(follow_symlinks=False):
                    way.append(entry.path)
