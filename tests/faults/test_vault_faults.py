"""A vault on storage that misbehaves: no committed snapshot is lost, and nothing goes wrong in silence.

`make prove` injects 1,000 faults, 10,000 with FULL=1, from the seed FAULTS_FIRST on.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from datetime import timedelta
from itertools import count

import pytest

from loanhub.errors import Busy, LoanHubError, Stale
from sync_agent.vault import Vault, bases, packing, writer
from sync_agent.vault.checking import verify
from sync_agent.vault.pruning import prune
from sync_agent.vault.rotation import reencrypt
from sync_agent.vault.writer import Writer
from tests.faults.remotes import AgingRemote, FaultyRemote
from tests.unit.vaults import PASSPHRASE, contents, needs_of, new_vault, restored, snapshot, take

SEEDS = 5
STEPS = 40
CHANCES = {"lost": 0.06, "torn": 0.05, "twice": 0.05, "refused": 0.005, "stale": 0.2}
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def small_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that few blobs make several packs, bases and commits on the way."""
    monkeypatch.setattr(bases, "COMMITS_BETWEEN", 4)
    monkeypatch.setattr(packing, "PACK_FULL", 5_000)
    monkeypatch.setattr(writer, "PACKS_BETWEEN", 3)


class Story:
    """Two machines at work on one vault, and what must be in it. What raised may or may not count."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.inner = AgingRemote()
        self.remote = FaultyRemote(self.inner, seed, CHANCES, calm=True)
        new_vault(self.remote)
        self.remote.calm = False
        self.vaults: list[Vault | None] = [None, None]
        self.expected: dict[str, list[bytes]] = {}
        self.uncertain: dict[str, list[bytes]] = {}
        self.running: list[tuple[Writer, str, list[bytes], list[bytes]]] = []
        self.failed: Counter[str] = Counter()

    def step(self, number: int) -> None:
        """One thing that one of them does; Busy and Stale are answers, everything else is a fault."""
        self.inner.wait(HOUR)
        work = self.chance.choice(
            [self.backup, self.backup, self.backup, self.forget, self.prune, self.rotate]
        )
        which = self.chance.randrange(2)
        try:
            vault = self.vaults[which] or Vault.open(self.remote, PASSPHRASE)
            self.vaults[which] = vault if self.chance.random() < 0.8 else None
            work(vault, f"{number}")
        except (Busy, Stale) as problem:
            self.failed[problem.code] += 1
            if self.chance.random() < 0.5:
                self.vaults[which] = None

    def backup(self, vault: Vault, note: str) -> None:
        pieces = contents(self.chance.randrange(12), 6, 300)
        self.uncertain[note] = pieces
        with vault.writer() as session:
            take(session, pieces, note)
        self.expected[note] = self.uncertain.pop(note)

    def begin(self, vault: Vault, note: str) -> None:
        """A long backup: what it saves now, it commits some steps later."""
        session, pieces = vault.writer(), contents(self.chance.randrange(12), 6, 300)
        ids = [session.save("data", piece) for piece in pieces]
        self.running.append((session, note, pieces, ids))

    def finish(self, _: Vault, __: str) -> None:
        if not self.running:
            return
        session, note, pieces, ids = self.running.pop(0)
        self.uncertain[note] = pieces
        with session:
            session.commit({"listing": session.save("tree", b"".join(ids)).hex(), "note": note})
        self.expected[note] = self.uncertain.pop(note)

    def forget(self, vault: Vault, _: str) -> None:
        vault.catch_up()
        if len(vault.snapshots) > 3:
            chosen = self.chance.choice(vault.snapshots)
            note = str(chosen.body["note"])
            pieces = self.expected.pop(note, None) or self.uncertain[note]
            self.uncertain[note] = pieces
            vault.forget([chosen.sequence])
            self.uncertain.pop(note, None)

    def prune(self, vault: Vault, _: str) -> None:
        prune(vault, needs_of(vault), grace=2 * HOUR)

    def rotate(self, vault: Vault, _: str) -> None:
        if self.chance.random() < 0.3:
            vault.add_epoch()
        reencrypt(vault, grace=2 * HOUR, go_on=lambda left: left > 4)

    def check(self) -> None:
        """All that was acknowledged is there and comes back; all that is there comes back."""
        self.remote.calm = True
        vault = Vault.open(self.remote, PASSPHRASE)
        there = {str(commit.body["note"]): restored(vault, commit) for commit in vault.snapshots}
        for note, pieces in self.expected.items():
            assert there.get(note) == pieces, note
        for note, pieces in there.items():
            assert pieces == self.expected.get(note, self.uncertain.get(note)), note
        torn = [one.name for one in verify(vault, read_data=True) if not one.name.startswith("c/")]
        assert torn == []
        self.remote.calm = False


def told(seed: int) -> Story:
    """A story to its end, looked at every few steps."""
    story = Story(seed)
    for number in range(STEPS):
        story.step(number)
        if number % 5 == 4:
            story.check()
    for session, *_ in story.running:
        session.close()
    return story


@pytest.mark.parametrize("seed", range(SEEDS))
def test_no_committed_snapshot_is_lost_whatever_the_storage_does(seed: int) -> None:
    assert told(seed).remote.happened.total() > 5


@pytest.mark.prove
@pytest.mark.timeout(0)
def test_a_thousand_faults_lose_no_committed_snapshot() -> None:
    wanted = 10_000 if os.environ.get("FULL") else 1_000
    happened: Counter[str] = Counter()
    for seed in count(int(os.environ.get("FAULTS_FIRST", "1000"))):
        happened += told(seed).remote.happened
        if happened.total() >= wanted:
            break
    print(f"faults: {dict(happened.most_common())}; lost, unrestorable or silent: 0")


@pytest.mark.parametrize("fault", ["lost", "twice"])
def test_an_answer_that_was_lost_is_no_failure(fault: str) -> None:
    inner = AgingRemote()
    remote = FaultyRemote(inner, 1, {fault: 1.0})
    vault = new_vault(remote)
    for number in range(6):
        snapshot(vault, contents(number, 3))
    assert [commit.sequence for commit in vault.snapshots] == [1, 2, 3, 4, 5, 6]
    assert len(inner.names("c/")) == 6
    assert verify(Vault.open(inner, PASSPHRASE), read_data=True) == ()


def test_a_commit_torn_in_the_middle_is_passed_over_and_the_next_one_counts() -> None:
    inner = AgingRemote()
    vault = new_vault(inner)
    first = snapshot(vault, contents(1, 2))
    inner.put_new("c/0000000002", inner.get("c/0000000001")[:100])
    second = snapshot(vault, contents(2, 2))
    assert second.sequence == 3
    assert second.dead == (2,)
    again = Vault.open(inner, PASSPHRASE)
    assert again.snapshots == (first, second)
    assert again.findings == ()
    assert verify(again, read_data=True) == ()


def test_a_full_storage_leaves_the_last_snapshot_whole() -> None:
    inner = AgingRemote()
    remote = FaultyRemote(inner, 1)
    vault = new_vault(remote)
    pieces = contents(1, 4)
    first = snapshot(vault, pieces)
    remote.room = 10_000
    with pytest.raises(Busy, match="disk-full"):
        snapshot(vault, contents(2, 40))
    remote.room = None
    again = Vault.open(remote, PASSPHRASE)
    assert again.snapshots == (first,)
    assert restored(again, first) == pieces
    second = snapshot(vault, contents(2, 40))
    assert restored(Vault.open(remote, PASSPHRASE), second) == contents(2, 40)


def test_a_writer_that_failed_once_does_not_commit_half_of_a_snapshot() -> None:
    inner = AgingRemote()
    remote = FaultyRemote(inner, 1)
    vault = new_vault(remote)
    with vault.writer() as session:
        remote.room = 100
        for piece in contents(3, 4):
            with_problem(lambda piece=piece: session.save("data", piece))
        for _ in range(2):
            with pytest.raises(Busy):
                session.commit({})
        remote.room = None
        with pytest.raises(Busy):
            session.commit({})
    assert Vault.open(remote, PASSPHRASE).snapshots == ()


def with_problem(work: object) -> None:
    """Runs `work`, which may or may not notice the fault yet."""
    try:
        work()  # type: ignore[operator]
    except LoanHubError:
        return
