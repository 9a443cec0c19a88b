"""Others commit, cut history or set a clock meanwhile: no number is used twice, nothing copied is lost."""

from __future__ import annotations

from datetime import timedelta

import pytest

from loanhub.errors import Stale
from sync_agent.vault import Commit, Vault
from sync_agent.vault.checking import verify
from sync_agent.vault.pruning import prune
from sync_agent.vault.rotation import reencrypt
from sync_agent.vault.writer import Proposal
from tests.faults.remotes import AgingRemote
from tests.unit.vaults import contents, needs_of, new_vault, reopened, restored, snapshot, whole

DAY = timedelta(days=1)
NOW = timedelta(0)


@pytest.fixture
def remote() -> AgingRemote:
    return AgingRemote()


def cut_history(remote: AgingRemote) -> None:
    """Another machine makes new keys at once; commits from before are gone."""
    other = reopened(remote)
    for number in range(3):
        snapshot(other, contents(20 + number, 1))
    other.add_epoch()
    assert reencrypt(other, grace=NOW).stated
    for _ in range(2):
        prune(other, needs_of(other), grace=NOW)


def test_a_prune_without_grace_that_is_overtaken_keeps_what_it_copied(
    remote: AgingRemote, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault, other = new_vault(remote), reopened(remote)
    pieces = contents(7, 8)
    first, kept = snapshot(vault, pieces), snapshot(vault, pieces[:2])
    vault.forget([first.sequence])
    made: list[Commit] = []
    real = Vault._put

    def meanwhile(self: Vault, proposal: Proposal) -> Commit | None:
        if self is vault and proposal.type == "prune-plan" and not made:
            made.append(snapshot(other, contents(8, 1)))
        return real(self, proposal)

    monkeypatch.setattr(Vault, "_put", meanwhile)
    assert prune(vault, needs_of(vault), grace=NOW).deleted > 0
    assert made
    expected = {kept.sequence: pieces[:2], made[0].sequence: contents(8, 1)}
    assert whole(reopened(remote), expected)
    assert verify(reopened(remote), read_data=True) == ()


@pytest.mark.parametrize("before", [0, 1, 3])
def test_a_number_cut_off_as_history_is_not_used_again(remote: AgingRemote, before: int) -> None:
    new_vault(remote)
    for number in range(before):
        snapshot(reopened(remote), contents(number, 1))
    late = reopened(remote)
    with late.writer() as session:
        pieces = contents(7, 3)
        ids = [session.save("data", piece) for piece in pieces]
        cut_history(remote)
        with pytest.raises(Stale, match="vault-pruned-meanwhile"):
            session.commit({"listing": session.save("tree", b"".join(ids)).hex()})
    made = snapshot(late, pieces)
    assert restored(reopened(remote), made) == pieces
    assert reopened(remote).head == late.head


@pytest.mark.parametrize("before", [0, 1, 3])
def test_a_commit_put_after_its_number_was_cut_off_is_taken_back(
    remote: AgingRemote, before: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    new_vault(remote)
    for number in range(before):
        snapshot(reopened(remote), contents(number, 1))
    late, real = reopened(remote), Vault._put

    def asleep(self: Vault, proposal: Proposal) -> Commit | None:
        if self is late and not remote.asked["slept"]:
            remote.asked["slept"] += 1
            cut_history(remote)
        return real(self, proposal)

    monkeypatch.setattr(Vault, "_put", asleep)
    numbers = remote.names("c/")
    with pytest.raises(Stale, match="vault-pruned-meanwhile"):
        late.commit("evidence", {})
    assert not set(remote.names("c/")) & {*numbers, f"c/{before + 1:010}"}
    made = snapshot(late, contents(7, 3))
    assert restored(reopened(remote), made) == contents(7, 3)


def test_a_clock_that_jumps_back_between_two_plans_leaves_no_hole_in_the_numbers(remote: AgingRemote) -> None:
    vault = new_vault(remote)
    pieces = contents(1, 3)
    kept = snapshot(vault, pieces)
    away = reopened(remote)
    for jump in (NOW, -365 * DAY):
        remote.wait(jump)
        vault.add_epoch()
        assert reencrypt(vault, grace=NOW).stated
    reencrypt(vault, grace=NOW)
    numbers = [int(name[2:]) for name in remote.names("c/")]
    assert numbers == list(range(numbers[0], vault.head[0] + 1))
    made = snapshot(away, pieces)
    assert whole(reopened(remote), {kept.sequence: pieces, made.sequence: pieces})
