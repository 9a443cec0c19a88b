"""A vault on storage that misbehaves: no committed snapshot is lost, and nothing goes wrong in silence.

`make prove` injects 1,000 faults, 10,000 with FULL=1, from the seed FAULTS_FIRST on.
"""

from __future__ import annotations

import os
from collections import Counter
from itertools import count

import pytest

from loanhub.errors import Busy, LoanHubError
from sync_agent.vault import Vault, bases, packing, writer
from sync_agent.vault.checking import verify
from tests.faults.remotes import AgingRemote, FaultyRemote
from tests.faults.vault_story import CHANCES, LOST, SILENT, UNRESTORABLE, told
from tests.unit.vaults import PASSPHRASE, contents, new_vault, restored, snapshot

SEEDS = 5


@pytest.fixture(autouse=True)
def small_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that few blobs make several packs, bases and commits on the way."""
    monkeypatch.setattr(bases, "COMMITS_BETWEEN", 4)
    monkeypatch.setattr(packing, "PACK_FULL", 5_000)
    monkeypatch.setattr(writer, "PACKS_BETWEEN", 3)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_no_committed_snapshot_is_lost_whatever_the_storage_does(seed: int) -> None:
    story = told(seed)
    assert story.wrong == []
    assert story.happened.total() > 5


@pytest.mark.prove
@pytest.mark.timeout(0)
def test_a_thousand_faults_lose_no_committed_snapshot() -> None:
    wanted = 10_000 if os.environ.get("FULL") else 1_000
    happened: Counter[str] = Counter()
    wrong: Counter[str] = Counter({LOST: 0, UNRESTORABLE: 0, SILENT: 0})
    committed = 0
    for seed in count(int(os.environ.get("FAULTS_FIRST", "1000"))):
        story = told(seed)
        happened += story.happened
        committed += story.committed
        wrong.update(kind for kind, _ in story.wrong)
        if happened.total() >= wanted or story.wrong:
            break
    said = f"{happened.total()} faults {dict(happened.most_common())}, {committed} snapshots"
    print(f"{said}: {', '.join(f'{found} {kind}' for kind, found in wrong.items())}")
    assert wrong.total() == 0, (seed, story.wrong)
    assert set(happened) == {*CHANCES, "full", "no_delete", "clock", "overtaken"}


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
