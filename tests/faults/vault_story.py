"""Two machines at work on one vault whose storage, clocks and second copy misbehave, by a seed.

`told(seed)` gives the story at its end, with what it counted: snapshots that were lost, that do not come
back, and errors nobody was told of.
"""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Final

from loanhub.errors import Busy, LoanHubError, Stale
from sync_agent.vault import Commit, Vault
from sync_agent.vault.checking import verify
from sync_agent.vault.mirroring import mirror, tidy
from sync_agent.vault.pruning import prune
from sync_agent.vault.rotation import reencrypt
from sync_agent.vault.writer import Writer
from tests.faults.remotes import AgingRemote, FaultyRemote
from tests.unit.vaults import PASSPHRASE, contents, needs_of, new_vault, restored, take

STEPS: Final = 40
CHANCES: Final = {"lost": 0.06, "torn": 0.05, "twice": 0.05, "refused": 0.005, "slow": 0.005, "stale": 0.2}
HOUR: Final = timedelta(hours=1)
YEAR: Final = timedelta(days=365)
GRACES: Final = (timedelta(0), 2 * HOUR)
LOST, UNRESTORABLE, SILENT = "lost", "unrestorable", "silent"


class Story:
    """What was done, and what must be in the vault. What raised may or may not count."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.inner, self.second = AgingRemote(), AgingRemote()
        self.remote = FaultyRemote(self.inner, seed, CHANCES, calm=True)
        lines = {name: chance for name, chance in CHANCES.items() if name != "stale"}
        self.copy_line = FaultyRemote(self.second, seed, lines)
        new_vault(self.remote)
        self.remote.calm = False
        self.remote.meanwhile = self._overtaken
        self.vaults: list[Vault | None] = [None, None]
        self.expected: dict[str, list[bytes]] = {}
        self.uncertain: dict[str, list[bytes]] = {}
        self.history: dict[str, list[bytes]] = {}
        self.running: list[tuple[Writer, str, list[bytes], list[bytes]]] = []
        self.failed: Counter[str] = Counter()
        self.wrong: list[tuple[str, str]] = []
        """(lost, unrestorable or silent; which)."""
        self.committed = 0
        self.moment = datetime(2026, 5, 20, 12, tzinfo=UTC)

    @property
    def happened(self) -> Counter[str]:
        """The faults that were injected, by kind."""
        return self.remote.happened + self.copy_line.happened

    def step(self, number: int) -> None:
        """One thing that one of them does; Busy and Stale are answers, everything else is a fault."""
        self._let_time_pass()
        kinds = (self.backup, self.backup, self.begin, self.finish, self.finish, self.forget, self.prune)
        work = self.chance.choice((*kinds, self.rotate, self.copy))
        self.remote.room = self.chance.randrange(8_000) if self.chance.random() < 0.05 else None
        self.remote.no_delete = self.chance.random() < 0.1
        which = self.chance.randrange(2)
        try:
            vault = self.vaults[which] or Vault.open(self.remote, PASSPHRASE, now=lambda: self.moment)
            self.vaults[which] = vault if self.chance.random() < 0.8 else None
            work(vault, f"{number}")
        except (Busy, Stale) as problem:
            self.failed[problem.code] += 1
            if self.chance.random() < 0.5:
                self.vaults[which] = None
        self.remote.room, self.remote.no_delete = None, False

    def _let_time_pass(self) -> None:
        """An hour, and now and then a clock that jumps: the storage's, or that of the machines."""
        self.inner.wait(HOUR)
        self.second.wait(HOUR)
        if self.chance.random() < 0.05:
            self.inner.wait(self.chance.choice((-YEAR, YEAR)))
            self.remote.happened["clock"] += 1
        if self.chance.random() < 0.05:
            self.moment += self.chance.choice((-YEAR, YEAR))
            self.remote.happened["clock"] += 1

    def _overtaken(self, name: str) -> None:
        """Now and then a third machine, with a good line, commits first."""
        if name.startswith("c/") and self.chance.random() < 0.05:
            self.remote.happened["overtaken"] += 1
            third = Vault.open(self.inner, PASSPHRASE)
            self.backup(third, f"third {len(self.history)}")

    # What they do ---------------------------------------------------------------------------------------

    def backup(self, vault: Vault, note: str) -> None:
        pieces = self._pieces(note)
        with vault.writer() as session:
            take(session, pieces, note)
        self._counts(note)

    def begin(self, vault: Vault, _: str) -> None:
        """A long backup: what it saves now, it commits some steps later."""
        note = f"long {len(self.history)}"
        session, pieces = vault.writer(), self._pieces(note)
        self.running.append((session, note, pieces, []))
        self.running[-1][3].extend(session.save("data", piece) for piece in pieces)
        session.flush()

    def finish(self, _: Vault, __: str) -> None:
        if not self.running:
            return
        session, note, pieces, ids = self.running.pop(0)
        if len(ids) < len(pieces):
            session.close()
            return
        with session:
            session.commit({"listing": session.save("tree", b"".join(ids)).hex(), "note": note})
        self._counts(note)

    def _pieces(self, note: str) -> list[bytes]:
        pieces = contents(self.chance.randrange(12), 6, 300)
        self.uncertain[note] = self.history[note] = pieces
        return pieces

    def _counts(self, note: str) -> None:
        self.expected[note] = self.uncertain.pop(note)
        self.committed += 1

    def forget(self, vault: Vault, _: str) -> None:
        vault.catch_up()
        if len(vault.snapshots) > 3:
            chosen = self.chance.choice(vault.snapshots)
            note = str(chosen.body["note"])
            self.expected.pop(note, None)
            self.uncertain[note] = self.history[note]
            vault.forget([chosen.sequence])
            self.uncertain.pop(note, None)

    def prune(self, vault: Vault, _: str) -> None:
        prune(vault, needs_of(vault), grace=self.chance.choice(GRACES))

    def rotate(self, vault: Vault, _: str) -> None:
        if self.chance.random() < 0.3:
            vault.add_epoch()
        reencrypt(vault, grace=self.chance.choice(GRACES), go_on=lambda left: left > 4)

    def copy(self, vault: Vault, _: str) -> None:
        mirror(self.inner, self.copy_line)
        tidy(vault, self.copy_line, grace=self.chance.choice(GRACES))

    # What came of it ------------------------------------------------------------------------------------

    def check(self) -> None:
        """All that was acknowledged is there and comes back; all that is there comes back, and no other."""
        self.remote.calm = True
        vault = Vault.open(self.remote, PASSPHRASE)
        there = {str(commit.body["note"]) for commit in vault.snapshots}
        for commit in vault.snapshots:
            self._comes_back(vault, commit)
        self.wrong += [(LOST, note) for note in self.expected if note not in there]
        self.wrong += [(SILENT, n) for n in there if n not in self.expected and n not in self.uncertain]
        found = {one.name for one in verify(vault, read_data=True)}
        self.wrong += [(SILENT, name) for name in sorted(found) if not name.startswith("c/")]
        if self.second.names("c/"):
            copied = Vault.open(self.second, PASSPHRASE)
            for commit in copied.snapshots:
                if commit.body["note"] in self.expected:  # broken off, it may list some that are no more
                    self._comes_back(copied, commit)
        self.remote.calm = False

    def _comes_back(self, vault: Vault, commit: Commit) -> None:
        note = str(commit.body["note"])
        try:
            if restored(vault, commit) != self.history[note]:
                self.wrong.append((SILENT, note))
        except LoanHubError:
            self.wrong.append((UNRESTORABLE, note))


def told(seed: int, steps: int = STEPS) -> Story:
    """A story to its end, looked at every few steps."""
    story = Story(seed)
    for number in range(steps):
        story.step(number)
        if number % 5 == 4:
            story.check()
    for session, *_ in story.running:
        session.close()
    return story
