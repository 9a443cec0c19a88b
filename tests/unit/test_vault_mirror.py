"""A second remote: a whole copy at every moment, made without a key, that forgets only what was pruned."""

from __future__ import annotations

from datetime import timedelta
from itertools import count

import pytest

from loanhub.errors import Busy, Damaged, NotFound
from sync_agent.vault import Vault
from sync_agent.vault.checking import verify
from sync_agent.vault.mirroring import mirror, tidy
from sync_agent.vault.pruning import prune
from sync_agent.vault.rotation import reencrypt
from tests.faults.remotes import AgingRemote, DyingRemote, FaultyRemote, Killed
from tests.unit.vaults import PASSPHRASE, contents, needs_of, new_vault, restored, snapshot, whole

WEEK = timedelta(days=7)


@pytest.fixture
def source() -> AgingRemote:
    return AgingRemote()


@pytest.fixture
def target() -> AgingRemote:
    return AgingRemote()


def filled(source: AgingRemote, snapshots: int = 5) -> tuple[Vault, dict[int, list[bytes]]]:
    vault = new_vault(source)
    pieces = [contents(number, 3, 100) for number in range(snapshots)]
    return vault, {snapshot(vault, one).sequence: one for one in pieces}


def test_the_copy_opens_with_the_same_secret_and_gives_the_same(
    source: AgingRemote, target: AgingRemote
) -> None:
    vault, expected = filled(source)
    vault.keyring.add_slot("key-file", b"k" * 32)
    done = mirror(source, target)
    assert done.head == 5
    assert {name: target.get(name) for name in target.names()} == {
        name: source.get(name) for name in source.names()
    }
    assert whole(Vault.open(target, PASSPHRASE), expected)
    assert mirror(source, target).objects == 0
    expected[snapshot(vault, [b"more"]).sequence] = [b"more"]
    assert mirror(source, target).objects == 3
    assert whole(Vault.open(target, PASSPHRASE), expected)


@pytest.mark.parametrize("after", [False, True])
def test_a_copy_that_was_killed_is_whole_as_of_some_commit_and_goes_on(
    source: AgingRemote, after: bool
) -> None:
    _, expected = filled(source, 4)
    for last in count(1, 3):
        target = AgingRemote()
        try:
            mirror(source, DyingRemote(target, last, after))
        except Killed:
            if target.names():
                opened = Vault.open(target, PASSPHRASE)
                assert whole(opened, {n: expected[n] for n in range(1, opened.head[0] + 1)})
            mirror(source, target)
            assert whole(Vault.open(target, PASSPHRASE), expected)
        else:
            break


@pytest.mark.parametrize("seed", range(5))
def test_a_bad_line_delays_the_copy_and_does_not_spoil_it(
    source: AgingRemote, target: AgingRemote, seed: int
) -> None:
    _, expected = filled(source)
    faulty = FaultyRemote(target, seed, {"lost": 0.1, "torn": 0.1, "twice": 0.1, "refused": 0.02})
    for _ in range(200):
        try:
            mirror(source, faulty)
        except Busy:
            continue
        break
    assert faulty.happened
    assert whole(Vault.open(target, PASSPHRASE), expected)
    assert verify(Vault.open(target, PASSPHRASE), read_data=True) == ()


def test_what_was_pruned_leaves_the_copy_after_its_own_grace(
    source: AgingRemote, target: AgingRemote
) -> None:
    vault, expected = filled(source)
    mirror(source, target)
    vault.forget([1, 2])
    for _ in range(2):
        source.wait(WEEK)
        prune(vault, needs_of(vault))
    assert mirror(source, target).objects > 0
    assert tidy(vault, target) == 0
    target.wait(WEEK)
    snapshot(vault, [b"time goes by"])
    mirror(source, target)
    assert tidy(vault, target) == 4
    assert set(target.names("p/")) == set(source.names("p/"))
    del expected[1], expected[2]
    expected[vault.snapshots[-1].sequence] = [b"time goes by"]
    assert whole(Vault.open(target, PASSPHRASE), expected)


def test_what_somebody_deleted_at_the_source_stays_in_the_copy(
    source: AgingRemote, target: AgingRemote
) -> None:
    vault, expected = filled(source)
    mirror(source, target)
    for name in source.names("p/"):
        source.delete(name)
    target.wait(WEEK)
    vault.commit("evidence", {"seen": "nothing left"})
    mirror(source, target)
    assert tidy(vault, target, grace=timedelta(0)) == 0
    assert whole(Vault.open(target, PASSPHRASE), expected)


def test_a_source_that_went_back_or_is_another_vault_is_not_copied(
    source: AgingRemote, target: AgingRemote
) -> None:
    with pytest.raises(NotFound, match="vault-missing"):
        mirror(source, target)
    vault, _ = filled(source)
    mirror(source, target)
    source.delete("c/0000000005")
    with pytest.raises(Damaged, match="vault-rolled-back"):
        mirror(source, target)
    snapshot(Vault.open(source, PASSPHRASE), [b"another history"])
    with pytest.raises(Damaged, match="vault-forked"):
        mirror(source, target)
    other = AgingRemote()
    filled(other)
    with pytest.raises(Damaged, match="vault-another"):
        mirror(other, target)
    assert vault.head[0] == 5


@pytest.mark.parametrize("name", ["vault-id", "k/0000000001", "c/0000000001"])
def test_an_object_that_was_torn_on_the_way_is_put_right_by_the_next_copying(
    source: AgingRemote, target: AgingRemote, name: str
) -> None:
    vault = new_vault(source)
    vault.rekey(lambda keyring: keyring.add_slot("key-file", b"k" * 32))
    pieces = contents(1, 3)
    expected = {snapshot(vault, pieces).sequence: pieces}
    target.put_new(name, source.get(name)[:40])
    mirror(source, target)
    assert {one: target.get(one) for one in target.names()} == {
        one: source.get(one) for one in source.names()
    }
    assert whole(Vault.open(target, PASSPHRASE), expected)


def test_a_copy_that_stayed_behind_while_history_was_cut_goes_on(
    source: AgingRemote, target: AgingRemote
) -> None:
    vault, expected = filled(source)
    mirror(source, target)
    vault.add_epoch()
    assert reencrypt(vault, grace=timedelta(0)).stated
    for _ in range(2):
        prune(vault, needs_of(vault), grace=timedelta(0))
    assert source.size("c/0000000005") is None
    mirror(source, target)
    opened = Vault.open(target, PASSPHRASE)
    assert opened.head == vault.head
    assert whole(opened, expected)


@pytest.mark.parametrize("after", [False, True])
def test_a_late_copy_broken_off_gives_back_what_is_live_at_the_source(
    source: AgingRemote, after: bool
) -> None:
    vault, expected = filled(source)
    vault.add_epoch()
    reencrypt(vault, grace=timedelta(0))
    assert len(source.names("c/")) > 3
    for last in count(1):
        target = AgingRemote()
        try:
            mirror(source, DyingRemote(target, last, after))
        except Killed:
            opened = Vault.open(target, PASSPHRASE) if target.size("vault-id") else None
            for commit in opened.snapshots if opened else ():
                assert restored(opened, commit) == expected[commit.sequence]  # type: ignore[arg-type]
        else:
            break


def test_packs_moved_by_a_prune_during_the_copying_are_copied_too(
    source: AgingRemote, target: AgingRemote
) -> None:
    vault, _ = filled(source)
    pieces = contents(9, 6, 100)
    both = snapshot(vault, [*pieces, *contents(8, 6, 100)])
    kept = snapshot(vault, pieces[:2])
    pruned: list[object] = []

    class Meanwhile(AgingRemote):
        def put_new(self, name: str, data: bytes) -> bool:
            if name.startswith("p/") and not pruned:
                pruned.append(vault.forget([both.sequence]))
                prune(vault, needs_of(vault), grace=timedelta(0))
            return AgingRemote.put_new(self, name, data)

    busy = Meanwhile()
    mirror(source, busy)
    assert busy.names("c/") == source.names("c/")
    assert set(busy.names("p/")) >= set(source.names("p/"))
    assert restored(Vault.open(busy, PASSPHRASE), kept) == pieces[:2]
