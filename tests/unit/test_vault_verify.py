"""Verify: whatever was done to a stored object, it is found and named, and everything else still restores."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from loanhub.errors import Damaged, LoanHubError
from sync_agent.vault import Commit, Finding, Vault, bases
from sync_agent.vault.checking import mend, verify
from sync_agent.vault.findings import DAMAGED, MISSING, TRUNCATED
from tests.faults.remotes import AgingRemote
from tests.unit.vaults import contents, new_vault, reopened, restored, snapshot, whole

Harm = Callable[[AgingRemote, str], str]


def flip(remote: AgingRemote, name: str) -> str:
    data = bytearray(remote.get(name))
    chance = random.Random(len(data))
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    remote.replace(name, bytes(data))
    return DAMAGED


def cut(remote: AgingRemote, name: str) -> str:
    remote.replace(name, remote.get(name)[:-7])
    return TRUNCATED if name.startswith("p/") else DAMAGED


def empty(remote: AgingRemote, name: str) -> str:
    remote.replace(name, b"")
    return TRUNCATED if name.startswith("p/") else DAMAGED


def lengthen(remote: AgingRemote, name: str) -> str:
    remote.replace(name, remote.get(name) + b"\0")
    return DAMAGED


def remove(remote: AgingRemote, name: str) -> str:
    remote.delete(name)
    return MISSING


def swap(remote: AgingRemote, name: str) -> str:
    others = [one for one in remote.names(name[:2]) if one != name]
    same = [one for one in others if remote.size(one) == remote.size(name)]
    remote.replace(name, remote.get((same or others)[0]))
    if name.startswith("p/") and not same and (remote.size(name) or 0) < 10**9:
        return "any"
    return DAMAGED


HARMS = (flip, cut, empty, lengthen, remove, swap)


@pytest.fixture
def remote() -> AgingRemote:
    return AgingRemote()


@pytest.fixture
def expected(remote: AgingRemote, monkeypatch: pytest.MonkeyPatch) -> dict[int, list[bytes]]:
    """A vault with twelve snapshots, some bases and two keyrings."""
    monkeypatch.setattr(bases, "COMMITS_BETWEEN", 5)
    vault = new_vault(remote)
    vault.keyring.add_slot("key-file", b"k" * 32)
    found = {}
    for number in range(12):
        pieces = contents(number, 3, 200)
        found[snapshot(vault, pieces).sequence] = pieces
    return found


def problems(found: tuple[Finding, ...]) -> dict[str, str]:
    return {one.name: one.problem for one in found}


def restorable(vault: Vault, commit: Commit) -> list[bytes] | None:
    try:
        return restored(vault, commit)
    except LoanHubError:
        return None


def test_a_whole_vault_has_no_findings(remote: AgingRemote, expected: dict[int, list[bytes]]) -> None:
    for read_data in (False, True):
        assert verify(reopened(remote), read_data=read_data) == ()
    assert whole(reopened(remote), expected)


@pytest.mark.parametrize("harm", HARMS)
def test_every_harmed_pack_is_named_and_the_other_snapshots_restore(
    remote: AgingRemote, expected: dict[int, list[bytes]], harm: Harm
) -> None:
    for name in remote.names("p/"):
        before = remote.get(name)
        problem = harm(remote, name)
        vault = reopened(remote)
        found = problems(verify(vault, read_data=True))
        assert set(found) == {name}
        assert problem in (found[name], "any")
        back = [restorable(vault, commit) == expected[commit.sequence] for commit in vault.snapshots]
        assert back.count(False) <= 1  # a pack here belongs to one snapshot
        remote._objects[name] = before, remote.clock
    assert whole(reopened(remote), expected)


@pytest.mark.parametrize("harm", HARMS)
def test_every_harmed_commit_is_named_and_the_other_snapshots_restore(
    remote: AgingRemote, expected: dict[int, list[bytes]], harm: Harm
) -> None:
    for number, name in enumerate(remote.names("c/"), 1):
        before = remote.get(name)
        problem = harm(remote, name)
        vault = reopened(remote, salvage=True)
        if harm is remove and number == len(expected):
            assert vault.head[0] == number - 1  # to a machine without a pin it is as if it never was
        else:
            assert problems(verify(vault, read_data=False)) == {name: problem}
        back = {commit.sequence for commit in vault.snapshots if restorable(vault, commit) is not None}
        assert set(expected) - back <= {number}
        remote._objects[name] = before, remote.clock
    assert whole(reopened(remote), expected)


@pytest.mark.parametrize("harm", HARMS)
def test_a_harmed_base_is_named_and_costs_nothing(
    remote: AgingRemote, expected: dict[int, list[bytes]], harm: Harm
) -> None:
    used = [name for name, _ in reopened(remote).state.segments]
    for name in used:
        before = remote.get(name)
        problem = harm(remote, name)
        vault = reopened(remote)
        assert problems(vault.findings) == {name: problem}
        assert whole(vault, expected)
        remote._objects[name] = before, remote.clock
    vault = reopened(remote)
    harm(remote, used[-1])
    assert set(problems(verify(vault, read_data=False))) == {used[-1]}


@pytest.mark.parametrize("harm", [flip, cut, empty, lengthen, remove])
def test_a_harmed_keyring_is_named(remote: AgingRemote, expected: dict[int, list[bytes]], harm: Harm) -> None:
    vault = reopened(remote)
    problem = harm(remote, "k/0000000001")
    assert problems(verify(vault, read_data=False)) == {"k/0000000001": problem}
    assert whole(vault, expected)


@pytest.mark.parametrize("harm", [cut, empty, lengthen, remove, swap])
def test_a_superseded_keyring_that_is_harmed_locks_nobody_out(
    remote: AgingRemote, expected: dict[int, list[bytes]], harm: Harm
) -> None:
    vault = reopened(remote)
    vault.rekey(lambda keyring: keyring.add_slot("key-file", b"l" * 32))
    problem = harm(remote, "k/0000000001")
    again = reopened(remote)
    assert problems(verify(again, read_data=False)) == {"k/0000000001": problem}
    assert whole(again, expected)


def test_a_superseded_keyring_nobody_names_is_missed_when_it_is_gone(
    remote: AgingRemote, expected: dict[int, list[bytes]]
) -> None:
    vault = reopened(remote)
    vault.keyring.add_slot("key-file", b"l" * 32)
    vault.rekey(lambda keyring: keyring.add_slot("key-file", b"m" * 32))
    remote.delete("k/0000000002")
    again = reopened(remote)
    assert problems(verify(again, read_data=False)) == {"k/0000000002": MISSING}
    assert whole(again, expected)


@pytest.mark.parametrize("harm", [flip, cut, empty, lengthen, remove])
def test_a_harmed_beginning_is_named(
    remote: AgingRemote, expected: dict[int, list[bytes]], harm: Harm
) -> None:
    vault = reopened(remote)
    problem = harm(remote, "vault-id")
    assert problems(verify(vault, read_data=False)) == {"vault-id": problem}
    assert whole(vault, expected)


def test_sizes_alone_find_what_is_missing_or_cut(
    remote: AgingRemote, expected: dict[int, list[bytes]]
) -> None:
    assert expected
    one, two, three = remote.names("p/")[:3]
    remove(remote, one)
    cut(remote, two)
    flip(remote, three)
    assert problems(verify(reopened(remote), read_data=False)) == {one: MISSING, two: TRUNCATED}


def test_when_all_bases_and_one_commit_are_gone_the_packs_tell_the_rest(
    remote: AgingRemote, expected: dict[int, list[bytes]]
) -> None:
    for name in (*remote.names("i/"), "c/0000000006"):
        remote.delete(name)
    vault = reopened(remote)
    assert not vault.state.whole
    del expected[6]
    assert whole(vault, expected)


def test_a_vault_that_lost_a_commit_is_mended_and_loses_nothing_more(
    remote: AgingRemote, expected: dict[int, list[bytes]]
) -> None:
    for name in (*remote.names("i/"), "c/0000000006"):
        remote.delete(name)
    vault = reopened(remote)
    mend(vault)
    del expected[6]
    again = reopened(remote)
    assert again.state.whole
    assert whole(again, expected)
    assert mend(again) is None
    assert verify(again, read_data=True) == ()
    pieces = contents(5, 3, 200)  # what commit 6 brought is there to be used again
    before = len(remote.names("p/"))
    expected[snapshot(again, pieces).sequence] = pieces
    assert len(remote.names("p/")) <= before + 1
    assert whole(reopened(remote), expected)


def test_a_blob_with_a_damaged_copy_is_read_from_another(remote: AgingRemote) -> None:
    one, two = new_vault(remote), reopened(remote)
    with one.writer() as mine, two.writer() as theirs:
        blob_id = mine.save("data", b"twice")
        theirs.save("data", b"twice")
        mine.commit({})
        theirs.commit({})
    first, second = remote.names("p/")
    for name, other in ((first, second), (second, first)):
        good = remote.get(name)
        flip(remote, name)
        assert reopened(remote).load("data", blob_id) == b"twice"
        assert dict(reopened(remote).load_many("data", [blob_id])) == {blob_id: b"twice"}
        remote._objects[name] = good, remote.clock
        assert remote.size(other)
    remove(remote, first)
    flip(remote, second)
    with pytest.raises(Damaged, match="vault-object-"):
        reopened(remote).load("data", blob_id)


def test_progress_counts_every_byte(remote: AgingRemote, expected: dict[int, list[bytes]]) -> None:
    assert expected
    told: list[tuple[int, int]] = []
    verify(reopened(remote), read_data=True, progress=lambda done, total: told.append((done, total)))
    total = sum(remote.size(name) or 0 for name in remote.names("p/"))
    assert told[-1] == (total, total)
