"""Prune, forget, keys: what is needed stays, what is not goes after its grace, old keys fall silent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from loanhub.errors import Damaged, NotFound, Stale
from sync_agent.vault import Commit, Vault, bases, packing
from sync_agent.vault.checking import verify
from sync_agent.vault.pruning import make_plan, prune, sweep
from sync_agent.vault.rotation import reencrypt
from sync_agent.vault.writer import Proposal
from tests.faults.remotes import AgingRemote, FaultyRemote
from tests.unit.vaults import (
    PASSPHRASE,
    contents,
    listed,
    needs_of,
    new_vault,
    reopened,
    restored,
    snapshot,
    take,
    whole,
)

DAY = timedelta(days=1)
WEEK = timedelta(days=7)


@pytest.fixture
def remote() -> AgingRemote:
    return AgingRemote()


def pruned(vault: Vault, grace: timedelta = WEEK) -> int:
    return prune(vault, needs_of(vault), grace=grace).deleted


# Forget and prune -----------------------------------------------------------------------------------------


def test_a_forgotten_snapshot_goes_after_two_graces_and_nothing_else_does(remote: AgingRemote) -> None:
    vault = new_vault(remote)
    gone, kept = contents(1, 10), contents(2, 10)
    first, second = snapshot(vault, gone), snapshot(vault, kept)
    packs = remote.names("p/")
    vault.forget([first.sequence])
    assert pruned(vault) == 0  # the packs are younger than the grace
    remote.wait(WEEK)
    assert pruned(vault) == 0  # they are doomed now
    assert restored(vault, first) == gone
    remote.wait(WEEK - DAY)
    assert pruned(vault) == 0
    remote.wait(DAY)
    assert pruned(vault) == 2
    assert len(remote.names("p/")) == len(packs) - 2
    assert whole(reopened(remote), {second.sequence: kept})
    assert verify(reopened(remote), read_data=True) == ()
    with pytest.raises((Damaged, NotFound)):
        restored(reopened(remote), first)


def test_a_snapshot_that_is_not_there_cannot_be_forgotten(remote: AgingRemote) -> None:
    vault = new_vault(remote)
    snapshot(vault, [b"one"])
    with pytest.raises(NotFound, match="vault-no-snapshot"):
        vault.forget([7])


def test_a_half_empty_pack_is_copied_and_then_deleted(remote: AgingRemote) -> None:
    vault = new_vault(remote)
    pieces = contents(3, 10)
    first = snapshot(vault, pieces)
    second = snapshot(vault, pieces[:3])
    vault.forget([first.sequence])
    remote.wait(WEEK)
    size = sum(remote.size(name) or 0 for name in remote.names("p/"))
    pruned(vault)
    remote.wait(WEEK)
    assert pruned(vault) == 2
    assert sum(remote.size(name) or 0 for name in remote.names("p/")) < 0.6 * size
    assert whole(reopened(remote), {second.sequence: pieces[:3]})
    assert verify(reopened(remote), read_data=True) == ()


def test_a_prune_of_a_vault_in_use_changes_nothing(remote: AgingRemote) -> None:
    vault = new_vault(remote)
    snapshot(vault, contents(4, 5))
    remote.wait(WEEK)
    before = [name for name in remote.names() if not name.startswith("c/")]
    assert prune(vault, needs_of(vault)).plan is None
    assert [name for name in remote.names() if not name.startswith("c/")] == before


def test_many_small_packs_become_a_few(remote: AgingRemote) -> None:
    vault = new_vault(remote)
    expected = {}
    for number in range(40):
        pieces = contents(number, 2, 50)
        expected[snapshot(vault, pieces).sequence] = pieces
    remote.wait(WEEK)
    pruned(vault)
    remote.wait(WEEK)
    assert pruned(vault) >= 80
    assert len(remote.names("p/")) == 2
    assert whole(reopened(remote), expected)
    remote.wait(WEEK)
    before = remote.names("p/")
    pruned(vault)
    assert remote.names("p/") == before


@pytest.mark.parametrize("swept", [False, True])
def test_leftovers_of_a_killed_backup_go_and_a_running_one_is_told(remote: AgingRemote, swept: bool) -> None:
    vault, other = new_vault(remote), reopened(remote)
    snapshot(vault, [b"kept"])
    with other.writer() as running:
        running.save("data", b"on its way")
        running.flush()  # stored, and known to nobody
        remote.wait(WEEK)
        snapshot(vault, [b"time goes by"])
        plan = make_plan(vault, needs_of(vault))
        assert plan is not None
        if swept:
            remote.wait(WEEK)
            assert sweep(vault) == 1
        with pytest.raises(Stale, match="vault-pruned-meanwhile"):
            running.commit({})
    assert len(plan.body["objects"]) == 1


def test_a_running_backup_younger_than_the_grace_is_left_alone(remote: AgingRemote) -> None:
    vault, other = new_vault(remote), reopened(remote)
    gone = snapshot(vault, contents(5, 3))
    remote.wait(WEEK)
    vault.forget([gone.sequence])
    with other.writer() as running:
        blob_id = running.save("data", b"on its way")
        running.load("data", blob_id)
        assert make_plan(vault, needs_of(vault)) is not None
        made = take(running, [b"on its way"])
    assert restored(reopened(remote), made) == [b"on its way"]


@pytest.mark.parametrize("swept", [False, True])
def test_a_backup_that_relied_on_doomed_content_copies_it_or_is_made_again(
    remote: AgingRemote, swept: bool
) -> None:
    vault, other = new_vault(remote), reopened(remote)
    pieces = contents(6, 8)
    first = snapshot(vault, pieces)
    other.catch_up()
    remote.wait(WEEK)
    with other.writer() as running:
        ids = [running.save("data", piece) for piece in pieces]  # all of it is known: nothing is stored
        vault.forget([first.sequence])
        make_plan(vault, needs_of(vault))
        if swept:
            remote.wait(WEEK)
            assert sweep(vault) == 2
            with pytest.raises(Stale, match="vault-pruned-meanwhile"):
                running.commit({})
            return
        body = {"listing": running.save("tree", b"".join(ids)).hex()}
        made = running.commit(body)
    assert restored(reopened(remote), made) == pieces
    remote.wait(WEEK)
    pruned(vault)
    remote.wait(WEEK)
    pruned(vault)
    assert whole(reopened(remote), {made.sequence: pieces})


def test_a_restore_goes_on_when_another_machine_moves_the_content_meanwhile(remote: AgingRemote) -> None:
    vault, other = new_vault(remote), reopened(remote)
    pieces = contents(20, 10)
    first, second = snapshot(vault, pieces), snapshot(vault, pieces[:3])
    other.catch_up()
    vault.forget([first.sequence])
    for _ in range(2):
        remote.wait(WEEK)
        pruned(vault)
    ids = listed(vault, second)
    assert dict(other.load_many("data", ids)) == dict(zip(ids, pieces[:3], strict=True))
    assert restored(reopened(remote), second) == pieces[:3]


def test_a_prune_that_is_overtaken_by_a_backup_looks_again(
    remote: AgingRemote, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault, other = new_vault(remote), reopened(remote)
    pieces = contents(7, 8)
    first = snapshot(vault, pieces)
    remote.wait(WEEK)
    vault.forget([first.sequence])
    made: list[Commit] = []
    real = Vault._publish_keyring

    def meanwhile(self: Vault) -> None:
        if self is vault and not made:
            made.append(snapshot(other, pieces))
        real(self)

    monkeypatch.setattr(Vault, "_publish_keyring", meanwhile)
    assert make_plan(vault, needs_of(vault)) is None or whole(vault, {made[0].sequence: pieces})
    remote.wait(WEEK)
    sweep(vault)
    assert whole(reopened(remote), {made[0].sequence: pieces})
    assert verify(reopened(remote), read_data=True) == ()


def test_a_killed_sweep_is_run_again(remote: AgingRemote, monkeypatch: pytest.MonkeyPatch) -> None:
    vault = new_vault(remote)
    first, second = snapshot(vault, contents(8, 4)), snapshot(vault, contents(9, 4))
    vault.forget([first.sequence])
    remote.wait(WEEK)
    make_plan(vault, needs_of(vault))
    remote.wait(WEEK)
    real = AgingRemote.delete
    deleted: list[str] = []

    def killed(self: AgingRemote, name: str) -> None:
        if deleted:
            raise KeyboardInterrupt
        real(self, name)
        deleted.append(name)

    monkeypatch.setattr(AgingRemote, "delete", killed)
    with pytest.raises(KeyboardInterrupt):
        sweep(vault)
    monkeypatch.undo()
    assert verify(reopened(remote), read_data=True) == ()
    assert sweep(reopened(remote)) == 2
    assert whole(reopened(remote), {second.sequence: contents(9, 4)})


def test_a_storage_that_refuses_deletes_keeps_them_doomed(remote: AgingRemote) -> None:
    locked = FaultyRemote(remote, 1, no_delete=True)
    vault = new_vault(locked)
    first = snapshot(vault, contents(10, 4))
    vault.forget([first.sequence])
    remote.wait(WEEK)
    make_plan(vault, needs_of(vault))
    remote.wait(WEEK)
    assert prune(vault, needs_of(vault)).doomed == 2
    locked.no_delete = False
    assert sweep(vault) == 2


def test_the_clients_clock_does_not_matter(remote: AgingRemote) -> None:
    new_vault(remote)
    wrong = Vault.open(remote, PASSPHRASE, now=lambda: datetime(2099, 1, 1, tzinfo=UTC))
    first = snapshot(wrong, contents(11, 4))
    wrong.forget([first.sequence])
    assert pruned(wrong) == 0
    assert pruned(wrong) == 0
    assert len(remote.names("p/")) == 2


def test_where_a_remote_tells_no_times_commits_are_counted(
    remote: AgingRemote, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync_agent.vault.pruning.GRACE_COMMITS", 5)
    remote._objects = _Timeless(remote._objects)  # type: ignore[assignment]
    vault = new_vault(remote)
    first = snapshot(vault, contents(12, 4))
    vault.forget([first.sequence])
    assert make_plan(vault, needs_of(vault)) is not None
    assert sweep(vault) == 0
    for number in range(4):
        snapshot(vault, [b"%d" % number])
    assert sweep(vault) == 2


class _Timeless(dict[str, tuple[bytes, object]]):
    def __setitem__(self, name: str, kept: tuple[bytes, object]) -> None:
        super().__setitem__(name, (kept[0], None))


def test_nothing_is_deleted_while_a_commit_cannot_be_read(remote: AgingRemote) -> None:
    vault = new_vault(remote)
    for number in range(4):
        snapshot(vault, contents(number, 2))
    remote.delete("c/0000000002")
    remote.wait(WEEK)
    with pytest.raises(Damaged, match="vault-not-whole"):
        pruned(reopened(remote))


def test_nothing_is_deleted_while_a_live_snapshot_lacks_something(remote: AgingRemote) -> None:
    vault = new_vault(remote)
    snapshot(vault, contents(13, 2))
    vault.commit("snapshot", {"listing": "00" * 32})
    remote.wait(WEEK)
    with pytest.raises(Damaged, match="vault-snapshot-lacks"):
        pruned(vault)


def test_bases_that_opening_does_not_use_go_too(remote: AgingRemote, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bases, "COMMITS_BETWEEN", 2)
    vault = new_vault(remote)
    expected = {}
    for number in range(20):
        pieces = contents(number, 1, 10)
        expected[snapshot(vault, pieces).sequence] = pieces
    before = len(remote.names("i/"))
    remote.wait(WEEK)
    snapshot(vault, [b"time goes by"])
    vault.forget([vault.state.sequence])
    pruned(vault)
    remote.wait(WEEK)
    pruned(vault)
    assert len(remote.names("i/")) < before
    assert whole(reopened(remote), expected)
    assert reopened(remote).findings == ()


# Keys -----------------------------------------------------------------------------------------------------


def test_a_new_epoch_seals_what_comes_and_opens_what_was(remote: AgingRemote) -> None:
    vault, other = new_vault(remote), reopened(remote)
    old = snapshot(vault, contents(14, 3))
    assert vault.add_epoch() == 2
    new = snapshot(other, contents(15, 3))  # takes the new epoch over without being told
    expected = {old.sequence: contents(14, 3), new.sequence: contents(15, 3)}
    assert whole(reopened(remote), expected)
    assert {remote.get(name)[8] for name in remote.names("p/")} == {1, 2}
    assert remote.get("c/0000000003")[8] == 2


def test_an_epoch_may_bring_another_suite(remote: AgingRemote) -> None:
    vault = new_vault(remote)
    old = snapshot(vault, [b"AES"])
    vault.add_epoch(suite=3)
    new = snapshot(vault, [b"SM4", b"AES"])
    assert whole(reopened(remote), {old.sequence: [b"AES"], new.sequence: [b"SM4", b"AES"]})


def test_reencryption_ends_in_a_statement_that_nothing_uses_the_old_epoch(
    remote: AgingRemote, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bases, "COMMITS_BETWEEN", 4)
    vault = new_vault(remote)
    expected = {}
    for number in range(21):
        pieces = contents(number, 2, 100)
        expected[snapshot(vault, pieces).sequence] = pieces
    vault.add_epoch()
    halted = reencrypt(vault, go_on=lambda left: left > 30)
    assert (halted.packs_left, halted.stated) == (26, False)
    assert whole(reopened(remote), expected)
    waiting = reencrypt(reopened(remote))
    assert (waiting.packs_left, waiting.stated) == (0, False)
    assert waiting.waiting > 42
    remote.wait(WEEK)
    vault = reopened(remote)
    assert reencrypt(vault).stated
    statement = next(vault.commits(newest_first=True))
    assert (statement.type, statement.body["epoch"]) == ("epoch-retired", 1)
    assert whole(reopened(remote), expected)
    remote.wait(WEEK)
    assert sweep(vault) >= 21  # the history nobody needs
    for name in (*remote.names("p/"), *remote.names("i/"), *remote.names("c/")):
        assert remote.get(name)[8] == 2, name
    again = reopened(remote)
    assert whole(again, expected)
    assert verify(again, read_data=True) == ()
    assert reencrypt(again).stated
    assert whole(reopened(remote), expected)


def test_a_machine_that_was_away_opens_a_vault_whose_history_was_cut(
    remote: AgingRemote, tmp_path_factory: pytest.TempPathFactory
) -> None:
    cache = tmp_path_factory.mktemp("cache")
    away = new_vault(remote, cache=cache)
    made = snapshot(away, [b"kept"])
    vault = reopened(remote)
    vault.add_epoch()
    for _ in range(3):
        reencrypt(vault)
        remote.wait(WEEK)
    sweep(vault)
    assert "c/0000000001" not in remote.names()
    assert restored(reopened(remote, cache=cache), made) == [b"kept"]


def test_a_machine_that_stayed_open_while_history_was_cut_makes_its_backup_again(
    remote: AgingRemote,
) -> None:
    open_all_the_time = new_vault(remote)
    first = snapshot(open_all_the_time, [b"kept"])
    vault = reopened(remote)
    vault.add_epoch()
    for _ in range(3):
        reencrypt(vault)
        remote.wait(WEEK)
    sweep(vault)
    with pytest.raises(Stale, match="vault-pruned-meanwhile"):
        snapshot(open_all_the_time, [b"new"])
    second = snapshot(open_all_the_time, [b"new"])
    assert whole(reopened(remote), {first.sequence: [b"kept"], second.sequence: [b"new"]})


def test_a_backup_that_began_before_an_epoch_was_retired_is_made_again(remote: AgingRemote) -> None:
    vault, slow = new_vault(remote), reopened(remote)
    snapshot(vault, contents(1, 2))
    with slow.writer() as session:
        blob_id = session.save("data", b"sealed under the old epoch")
        session.load("data", blob_id)
        vault.add_epoch()
        remote.clock -= WEEK  # the pack of the slow one is not yet old enough to be taken for a leftover
        reencrypt(vault)
        vault.put(lambda _: Proposal("epoch-retired", {"epoch": 1, "objects": 0, "floor": 1}))
        with pytest.raises(Stale, match="vault-pruned-meanwhile"):
            session.commit({})


def test_a_second_rotation_leaves_nothing_of_the_first(remote: AgingRemote) -> None:
    vault = new_vault(remote)
    made = snapshot(vault, contents(16, 3))
    for _ in range(2):
        vault.add_epoch()
        for _ in range(3):
            reencrypt(vault)
            remote.wait(WEEK)
        sweep(vault)
    assert vault.state.retired == 2
    assert {remote.get(name)[8] for name in remote.names() if name[:2] in ("p/", "i/", "c/")} == {3}
    assert whole(reopened(remote), {made.sequence: contents(16, 3)})


def test_a_pack_closed_early_is_no_reason_to_copy_it_again(
    remote: AgingRemote, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "PACK_FULL", 10_000)
    vault = new_vault(remote)
    made = snapshot(vault, contents(17, 20))
    remote.wait(WEEK)
    assert make_plan(vault, needs_of(vault)) is None
    assert whole(reopened(remote), {made.sequence: contents(17, 20)})
