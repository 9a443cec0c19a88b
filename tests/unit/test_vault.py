"""A vault: what is saved comes back, for several writers, on storage that may lie."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import attrs
import pytest

from loanhub import VAULT_MARKER
from loanhub.errors import Damaged, LoanHubError, Misconfigured, NotAllowed, NotFound, Stale, Usage
from loanhub.keys import Keyring, Secret
from loanhub.testing.remotes import PLAIN
from sync_agent.vault import Vault, bases, keys, packing, writer
from sync_agent.vault.names import START, object_in
from tests.faults.remotes import AgingRemote
from tests.unit.vaults import (
    CHEAP,
    PASSPHRASE,
    contents,
    new_vault,
    reopened,
    restored,
    snapshot,
    take,
    whole,
)


@pytest.fixture
def remote() -> AgingRemote:
    return AgingRemote()


# Saving and finding ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("suite", [1, 2, 3])
def test_what_was_saved_comes_back_in_another_program(remote: AgingRemote, suite: int) -> None:
    pieces = [b"", b"x", "账".encode() * 5000, *contents(1, 5, 100_000)]
    made = snapshot(new_vault(remote, suite=suite), pieces)
    vault = reopened(remote)
    assert vault.snapshots == (made,)
    assert restored(vault, made) == pieces
    ids = {vault.keys.blob_id(1, piece): piece for piece in pieces}
    assert dict(vault.load_many("data", ids)) == ids


def test_the_same_content_is_stored_once(remote: AgingRemote) -> None:
    vault, pieces = new_vault(remote), contents(2, 20)
    snapshot(vault, pieces)
    packs = remote.names("p/")
    snapshot(vault, pieces)
    snapshot(reopened(remote), pieces[::-1])
    after = [name for name in remote.names("p/") if name not in packs]
    assert sum(remote.size(name) or 0 for name in after) < 3000  # the other order is another listing


def test_the_same_content_under_two_kinds_has_two_ids(remote: AgingRemote) -> None:
    with new_vault(remote).writer() as session:
        assert session.save("data", b"same") != session.save("meta", b"same")


def test_nothing_counts_before_its_commit(remote: AgingRemote) -> None:
    vault = new_vault(remote)
    with vault.writer() as session:
        blob_id = session.save("data", b"not yet")
        assert session.known("data", blob_id)
        assert session.load("data", blob_id) == b"not yet"
    other = reopened(remote)
    assert not other.known("data", blob_id)
    with pytest.raises(NotFound, match="vault-blob-unknown"):
        other.load("data", blob_id)


def test_packs_have_16_to_32_mebibytes_and_listings_are_kept_apart(remote: AgingRemote) -> None:
    vault = new_vault(remote)
    with vault.writer() as session:
        for piece in contents(3, 40, 700_000):
            session.save("data", piece)
            session.save("tree", piece[:100])
        session.commit({})
    listings, _, *full = sorted(len(remote.get(name)) for name in remote.names("p/"))
    assert listings < 100_000
    assert full
    assert all(16 << 20 <= size <= 33 << 20 for size in full)


def test_a_blob_of_more_than_16_mebibytes_is_refused(remote: AgingRemote) -> None:
    with new_vault(remote).writer() as session:
        session.save("data", bytes(16 << 20))
        with pytest.raises(ValueError, match="16 MiB"):
            session.save("data", bytes((16 << 20) + 1))


def test_threads_may_save_at_the_same_time(remote: AgingRemote) -> None:
    vault, pieces = new_vault(remote), contents(4, 60, 40_000)
    with vault.writer() as session, ThreadPoolExecutor(4) as pool:
        ids = list(pool.map(lambda piece: session.save("data", piece), pieces * 2))
        session.commit({})
    assert ids[:60] == ids[60:]
    assert [reopened(remote).load("data", blob_id) for blob_id in ids[:60]] == pieces


def test_a_body_that_json_would_not_give_back_is_refused_before_it_is_written(remote: AgingRemote) -> None:
    vault = new_vault(remote)
    bodies: tuple[dict[Any, Any], ...] = ({"share": 0.5}, {"at": (1, 2)}, {"name": "\ud800"}, {1: "a"})
    bodies += ({"long": "x" * (16 << 20)},)
    for body in bodies:
        with pytest.raises((ValueError, TypeError)):
            vault.commit("snapshot", body)
    assert vault.head[0] == 0


def test_a_long_backup_that_was_killed_goes_on_from_what_it_committed(
    remote: AgingRemote, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "PACKS_BETWEEN", 2)
    monkeypatch.setattr(packing, "PACK_FULL", 50_000)
    first = new_vault(remote)
    pieces: list[bytes] = []
    with first.writer() as session:
        while first.head[0] == 0:
            pieces += contents(len(pieces), 20)
            for piece in pieces[-20:]:
                session.save("data", piece)
    vault = reopened(remote)
    assert vault.snapshots == ()
    with vault.writer() as session:
        there = sum(session.known("data", vault.keys.blob_id(1, piece)) for piece in pieces)
        assert there >= 30  # two packs at least
        made = take(session, pieces)
    assert restored(reopened(remote), made) == pieces


# Many commits ---------------------------------------------------------------------------------------------


def test_opening_after_many_commits_reads_few_objects(remote: AgingRemote) -> None:
    vault = new_vault(remote)
    expected = {}
    for number in range(100):
        pieces = contents(number, 2, 50)
        expected[snapshot(vault, pieces).sequence] = pieces
    remote.asked.clear()
    opened = reopened(remote)
    assert remote.asked.total() < bases.COMMITS_BETWEEN + 12
    assert whole(opened, expected)
    assert [commit.sequence for commit in opened.commits()] == list(range(1, 101))


def test_a_machine_that_knows_the_vault_finds_the_head_without_a_listing(
    remote: AgingRemote, tmp_path: Path
) -> None:
    snapshot(new_vault(remote, cache=tmp_path), [b"seen"])
    vault = reopened(remote)
    for number in range(37):
        snapshot(vault, [b"%d" % number])
    remote.asked.clear()
    assert reopened(remote, cache=tmp_path).head == vault.head
    assert not [name for name in remote.asked if name.startswith("list")]


def test_a_commit_missing_in_the_middle_is_not_taken_for_the_end(remote: AgingRemote) -> None:
    vault = new_vault(remote)
    for number in range(9):
        snapshot(vault, [b"%d" % number])
    for name in ("c/0000000003", "c/0000000006"):
        remote.delete(name)
    assert reopened(remote).head == vault.head
    assert len(reopened(remote).snapshots) == 7


def test_two_writers_take_turns_and_neither_loses_a_snapshot(remote: AgingRemote) -> None:
    one = new_vault(remote)
    two = reopened(remote)
    expected = {}
    for turn in range(20):
        with one.writer() as mine, two.writer() as theirs:
            first, second = contents(turn, 3), contents(turn // 2, 4)
            for piece in (*first, *second):
                mine.save("data", piece)
                theirs.save("data", piece)
            expected[take(theirs, second).sequence] = second
            expected[take(mine, first).sequence] = first
    one.catch_up()
    two.catch_up()
    assert one.head == two.head == reopened(remote).head
    assert list(expected) == list(range(1, 41))
    assert whole(reopened(remote), expected)


def test_writers_in_threads_commit_every_snapshot_once(remote: AgingRemote) -> None:
    new_vault(remote)

    def work(number: int) -> dict[int, list[bytes]]:
        vault = reopened(remote)
        sets = [contents(number * 100 + turn, 2) for turn in range(6)]
        return {snapshot(vault, pieces).sequence: pieces for pieces in sets}

    with ThreadPoolExecutor(4) as pool:
        expected: dict[int, list[bytes]] = {}
        for done in pool.map(work, range(4)):
            expected.update(done)
    assert sorted(expected) == list(range(1, 25))
    assert whole(reopened(remote), expected)


def test_two_writers_with_bases_of_their_own_agree(
    remote: AgingRemote, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bases, "COMMITS_BETWEEN", 3)
    one = new_vault(remote)
    two = reopened(remote)
    expected = {}
    for turn in range(24):
        pieces = contents(turn, 2)
        expected[snapshot(two if turn % 5 < 2 else one, pieces).sequence] = pieces
        assert whole(reopened(remote), expected)


# Who may open, and what is told ---------------------------------------------------------------------------


def test_a_wrong_passphrase_and_an_empty_place_are_said(remote: AgingRemote) -> None:
    with pytest.raises(NotFound, match="vault-missing"):
        reopened(remote)
    new_vault(remote)
    with pytest.raises(NotAllowed, match="wrong-passphrase"):
        Vault.open(remote, "别的口令")
    with pytest.raises(Usage, match="vault-exists"):
        new_vault(remote)
    with pytest.raises(Damaged, match="vault-another"):
        Vault.open(remote, PASSPHRASE, vault_id="0" * 32)


def test_one_recovery_key_opens_a_home_and_its_vault(remote: AgingRemote, tmp_path: Path) -> None:
    path = tmp_path / "keyring.json"
    home, recovery = Keyring.create(path, PASSPHRASE, parameters=CHEAP)
    vault, none = Vault.create(remote, home)
    assert none is None
    made = snapshot(vault, [b"ledger"])
    opened = Vault.open(remote, lambda: recovery)
    assert restored(opened, made) == [b"ledger"]
    assert opened.keyring.purpose("database").reveal() == home.purpose("database").reveal()


def test_a_home_whose_keys_changed_publishes_them_before_it_uses_them(
    remote: AgingRemote, tmp_path: Path
) -> None:
    path = tmp_path / "keyring.json"
    home, _ = Keyring.create(path, PASSPHRASE, parameters=CHEAP)
    vault, _ = Vault.create(remote, home)
    home.add_slot("passphrase", "新口令", parameters=CHEAP)
    home.add_epoch()
    made = snapshot(vault, [b"ledger"])
    assert restored(Vault.open(remote, "新口令"), made) == [b"ledger"]


def test_a_keyring_of_another_home_does_not_open_the_vault(remote: AgingRemote, tmp_path: Path) -> None:
    new_vault(remote)
    other, _ = Keyring.create(tmp_path / "keyring.json", PASSPHRASE, parameters=CHEAP)
    with pytest.raises(NotAllowed, match="vault-other-keyring"):
        Vault.open(remote, other)


def test_a_home_whose_keyring_is_older_than_the_vaults_is_told(remote: AgingRemote, tmp_path: Path) -> None:
    path = tmp_path / "keyring.json"
    home, _ = Keyring.create(path, PASSPHRASE, parameters=CHEAP)
    old = path.read_bytes()
    vault, _ = Vault.create(remote, home)
    home.add_epoch()
    snapshot(vault, [b"ledger"])
    path.write_bytes(old)
    with pytest.raises(Stale, match="vault-keyring-behind"):
        Vault.open(remote, Keyring.open(path, PASSPHRASE))


def test_a_pinned_commit_that_rots_is_named_and_the_rest_can_be_read(
    remote: AgingRemote, tmp_path: Path
) -> None:
    vault = new_vault(remote, cache=tmp_path)
    first = snapshot(vault, [b"1"])
    snapshot(vault, [b"2"])
    remote.replace("c/0000000002", remote.get("c/0000000002")[:-1])
    with pytest.raises(Damaged, match=r"vault-object-damaged \(name=c/0000000002\)"):
        reopened(remote, cache=tmp_path)
    assert reopened(remote, cache=tmp_path, salvage=True).snapshots == (first,)


def test_rot_in_the_padding_of_a_commit_is_damage_and_no_fork(remote: AgingRemote, tmp_path: Path) -> None:
    vault = new_vault(remote, cache=tmp_path)
    first = snapshot(vault, [b"1"])
    second = snapshot(vault, [b"2"])
    stored = remote.get("c/0000000001")
    for at in range(0, len(stored), 9):
        remote.replace("c/0000000001", stored[:at] + bytes([stored[at] ^ 1]) + stored[at + 1 :])
        assert reopened(remote, cache=tmp_path).snapshots == (second,)
    remote.replace("c/0000000001", stored)
    assert reopened(remote).snapshots == (first, second)


def test_a_changed_passphrase_is_a_new_object_and_the_old_one_stops_working(remote: AgingRemote) -> None:
    vault = new_vault(remote)
    made = snapshot(vault, [b"kept"])
    vault.keyring.rewrap(vault.keyring.slots[0].id, "新的口令")
    assert remote.names("k/") == ["k/0000000001"]
    with pytest.raises(NotAllowed, match="wrong-passphrase"):
        reopened(remote)
    assert restored(Vault.open(remote, "新的口令"), made) == [b"kept"]


def test_slots_changed_by_turns_are_all_kept(remote: AgingRemote) -> None:
    one, two = new_vault(remote), reopened(remote)
    for number, vault in enumerate((one, two, one, two)):
        vault.rekey(lambda keyring, n=number: keyring.add_slot("key-file", bytes([n]) * 32))  # type: ignore[misc]
    for number in range(4):
        Vault.open(remote, Secret(bytes([number]) * 32))


def test_a_storage_that_ignores_conditions_is_not_overwritten_by_one_writer() -> None:
    remote = AgingRemote(able=attrs.evolve(PLAIN, conditional_put=False))
    vault = new_vault(remote)
    first = snapshot(vault, [b"1"])
    second = snapshot(reopened(remote), [b"2"])
    third = snapshot(vault, [b"3"])
    with pytest.raises(Usage, match="vault-exists"):
        new_vault(remote)
    assert whole(reopened(remote), {first.sequence: [b"1"], second.sequence: [b"2"], third.sequence: [b"3"]})


def test_two_machines_that_change_slots_do_not_lose_each_others_change(remote: AgingRemote) -> None:
    one = new_vault(remote)
    two = reopened(remote)
    one.keyring.add_slot("passphrase", "甲的口令", parameters=CHEAP)
    with pytest.raises(LoanHubError, match="keyring-changed"):
        two.keyring.add_slot("passphrase", "乙的口令", parameters=CHEAP)
    two = reopened(remote)
    two.keyring.add_slot("passphrase", "乙的口令", parameters=CHEAP)
    for secret in ("甲的口令", "乙的口令", PASSPHRASE):
        Vault.open(remote, secret)


def test_a_vault_of_a_newer_version_is_refused_and_left_alone(remote: AgingRemote) -> None:
    new_vault(remote)
    before = remote.get(START)
    remote.replace(START, before.replace(b'"version":1}\n', b'"version":2}\n'))
    with pytest.raises(Misconfigured, match="vault-newer-version"):
        reopened(remote)
    remote.replace(START, before.replace(b'"suite":1', b'"later":0,"suite":1'))
    with pytest.raises(LoanHubError):
        reopened(remote)


def test_nothing_of_content_or_names_or_ids_is_readable_on_the_storage(remote: AgingRemote) -> None:
    vault = new_vault(remote)
    secret = b"119999199003070011 plain words " * 50
    made = snapshot(vault, [secret], note="/home/office/customers.xlsx")
    stored = b"".join(remote.get(name) for name in remote.names() if name != START)
    ids = [vault.keys.blob_id(1, secret), bytes.fromhex(made.body["listing"])]
    for seen in (secret[:20], b"customers", b"snapshot", b"listing", *ids, *(i.hex().encode() for i in ids)):
        assert seen not in stored


def test_the_first_object_has_the_name_by_which_remotes_know_a_disk_again(remote: AgingRemote) -> None:
    vault = new_vault(remote)
    assert START == VAULT_MARKER
    assert remote.get(START).split(b"\n")[0].decode() == vault.id


def test_every_object_has_a_size_that_tells_little(remote: AgingRemote) -> None:
    vault = new_vault(remote)
    for number in range(40):
        snapshot(vault, contents(number, 3, 10 + 37 * number))
    for name in remote.names():
        size = remote.size(name) or 0
        step = 1 << max(size.bit_length() - 1 - (size.bit_length() - 1).bit_length(), 0)
        assert name == START or size % step == 0, name


# Alarms ---------------------------------------------------------------------------------------------------


def test_a_storage_that_goes_back_to_an_older_state_is_found_out(remote: AgingRemote, tmp_path: Path) -> None:
    vault = new_vault(remote, cache=tmp_path)
    snapshot(vault, [b"first"])
    old = dict(remote._objects)
    snapshot(vault, [b"second"])
    remote._objects.clear()
    remote._objects.update(old)
    with pytest.raises(Damaged, match="vault-rolled-back"):
        reopened(remote, cache=tmp_path)
    with pytest.raises(Damaged, match="vault-rolled-back"):
        snapshot(vault, [b"third"])
    assert len(reopened(remote).snapshots) == 1  # a machine that never looked cannot know
    assert len(reopened(remote, cache=tmp_path, salvage=True).snapshots) == 1


def test_a_history_that_was_replaced_is_found_out(remote: AgingRemote, tmp_path: Path) -> None:
    vault = new_vault(remote, cache=tmp_path)
    snapshot(vault, [b"first"])
    old = dict(remote._objects)
    snapshot(vault, [b"second"])
    remote._objects.clear()
    remote._objects.update(old)
    forger = reopened(remote)
    snapshot(forger, [b"other"])
    snapshot(forger, [b"another"])
    with pytest.raises(Damaged, match="vault-forked"):
        reopened(remote, cache=tmp_path)


def test_a_commit_replaced_behind_the_pin_is_found_out(remote: AgingRemote, tmp_path: Path) -> None:
    vault = new_vault(remote, cache=tmp_path)
    snapshot(vault, [b"seen"])
    old = dict(remote._objects)
    for number in range(3):
        snapshot(reopened(remote), [b"%d" % number])
    true = remote.get("c/0000000003"), remote.get("c/0000000004")
    remote._objects.clear()
    remote._objects.update(old)
    forger = reopened(remote)
    snapshot(forger, [b"other"])
    for name, stored in zip(("c/0000000003", "c/0000000004"), true, strict=True):
        remote.put_new(name, stored)
    with pytest.raises(Damaged, match="vault-forked"):
        reopened(remote, cache=tmp_path)


def test_a_keyring_that_goes_back_is_found_out(remote: AgingRemote, tmp_path: Path) -> None:
    vault = new_vault(remote, cache=tmp_path)
    vault.rekey(lambda keyring: keyring.rewrap(keyring.slots[0].id, "新的口令"))
    remote.delete("k/0000000001")
    with pytest.raises(Damaged, match="vault-keys-rolled-back"):
        reopened(remote, cache=tmp_path)
    with pytest.raises(Damaged, match="vault-keys-rolled-back"):
        reopened(remote)  # the head names the keyring, so that any machine sees it


def test_a_device_not_seen_before_is_told(remote: AgingRemote, tmp_path: Path) -> None:
    vault = new_vault(remote, cache=tmp_path)
    mine = snapshot(vault, [b"mine"])
    theirs = snapshot(reopened(remote), [b"theirs"])
    assert mine.device != theirs.device
    assert reopened(remote, cache=tmp_path).new_devices == {theirs.device}
    assert reopened(remote, cache=tmp_path).new_devices == frozenset()


def test_a_machine_keeps_its_device_key_and_nobody_reads_it_without_the_vault(
    remote: AgingRemote, tmp_path: Path
) -> None:
    first = snapshot(new_vault(remote, cache=tmp_path), [b"1"])
    again = snapshot(reopened(remote, cache=tmp_path), [b"2"])
    assert first.device == again.device
    [stored] = tmp_path.rglob("device.key")
    assert len(stored.read_bytes()) == 32 + 45


def test_what_the_machine_remembers_is_not_believed_when_it_is_damaged(
    remote: AgingRemote, tmp_path: Path
) -> None:
    snapshot(new_vault(remote, cache=tmp_path), [b"1"])
    [pin] = tmp_path.rglob("pin.json")
    pin.write_bytes(pin.read_bytes()[:-5])
    with pytest.raises(Damaged, match="vault-pin-damaged"):
        reopened(remote, cache=tmp_path)


def test_names_tell_objects_apart() -> None:
    object_id = os.urandom(16)
    assert object_in(f"p/{object_id.hex()[:2]}/{object_id.hex()}") == object_id
    assert object_in(f"i/{object_id.hex()}") == object_id
    for other in ("", "p/00/" + "1" * 32, "i/" + "g" * 32, "c/0000000001", "q/" + "0" * 32):
        assert object_in(other) is None


def test_two_vaults_of_one_home_cannot_lend_each_other_objects(remote: AgingRemote, tmp_path: Path) -> None:
    home, _ = Keyring.create(tmp_path / "keyring.json", PASSPHRASE, parameters=CHEAP)
    second = AgingRemote()
    one, _ = Vault.create(remote, home)
    two, _ = Vault.create(second, home)
    snapshot(one, [b"one"])
    snapshot(two, [b"two"])
    remote.replace("c/0000000001", second.get("c/0000000001"))
    assert reopened(remote).snapshots == ()
    assert keys.PURPOSE == "vault"
