"""`loanhub-sync` against a folder: made, backed up, looked at, restored, kept in order."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from shutil import rmtree
from typing import Any

import pytest

from sync_agent.snapshots.contents import Contents
from tests.flows.syncing import Came, Machine, contents, written

FILES = {"合同/张三.txt": "五万元", "合同/李四.txt": "八万元", "notes.txt": "one", "empty.txt": ""}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "state", str(tmp_path / "disk"))


@pytest.fixture
def office(tmp_path: Path) -> Path:
    return written(tmp_path / "office", FILES)


@pytest.fixture
def backed_up(machine: Machine, office: Path) -> Machine:
    machine.init()
    assert machine("backup", office).code == 0
    return machine


# -- making ----------------------------------------------------------------------------------------


def test_init_makes_a_vault_and_shows_a_recovery_key_that_opens_it(
    machine: Machine, office: Path, tmp_path: Path
) -> None:
    made = machine("init", tmp_path / "disk")
    assert made.code == 0
    assert machine("backup", office).code == 0
    with_key = Machine(tmp_path / "other", machine.vault, made.data["recovery_key"])
    assert len(with_key("snapshots").data["snapshots"]) == 1


def test_a_vault_is_never_made_where_one_is(backed_up: Machine) -> None:
    again = backed_up("init")
    assert (again.code, again.error) == (2, "vault-exists")
    assert len(backed_up("snapshots").data["snapshots"]) == 1


def test_a_vault_of_the_chinese_suite_backs_up_and_restores(
    machine: Machine, office: Path, tmp_path: Path
) -> None:
    assert machine("init", "--suite", "3").data["suite"] == 3
    assert machine("backup", office).code == 0
    assert machine("restore", "latest", "--to", tmp_path / "out").code == 0
    assert contents(tmp_path / "out" / "office") == contents(office)


# -- backing up ------------------------------------------------------------------------------------


def test_a_second_backup_stores_what_changed_only_and_snapshots_are_listed_oldest_first(
    backed_up: Machine, office: Path
) -> None:
    (office / "big.bin").write_bytes(os.urandom(100_000))
    assert backed_up("backup", office).data["stored"] > 100_000
    (office / "notes.txt").write_text("two", encoding="utf-8")
    third = backed_up("backup", office, "--tag", "夜间").data
    assert third["files"] == 5
    assert third["stored"] < 10_000
    found = backed_up("snapshots").data["snapshots"]
    assert [one["sequence"] for one in found] == [1, 2, 3]
    assert found[-1]["id"] == third["snapshot"]
    tagged = backed_up("snapshots", "--tag", "夜间").data["snapshots"]
    assert [one["id"] for one in tagged] == [third["snapshot"]]


def test_what_is_excluded_is_not_in_the_snapshot(machine: Machine, office: Path) -> None:
    machine.init()
    machine("backup", office, "--exclude", "notes.*")
    listed = machine("ls", "latest", "--deep").data["entries"]
    assert "office/合同/张三.txt" in [one["path"] for one in listed]
    assert "office/notes.txt" not in [one["path"] for one in listed]


def test_a_file_that_cannot_be_read_is_named_and_the_status_is_3(
    machine: Machine, office: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.init()
    read = Contents.read

    def refused(self: Contents, path: Path, *, log: bool = False) -> Any:
        if path.name == "notes.txt":  # root, who runs some tests, reads everything
            raise PermissionError(13, "no")
        return read(self, path, log=log)

    monkeypatch.setattr(Contents, "read", refused)
    came = machine("backup", office)
    assert came.code == 3
    assert came.told["ok"]
    assert not came.data["complete"]
    assert [one["path"] for one in came.data["problems"]] == [str(office / "notes.txt")]
    assert str(office / "notes.txt") in machine.says("backup", office, "--lang", "en")[1]
    assert len(machine("snapshots").data["snapshots"]) == 2


def test_a_pipe_is_told_and_is_no_failure(machine: Machine, office: Path) -> None:
    if not hasattr(os, "mkfifo"):
        pytest.skip("no pipes here")
    machine.init()
    os.mkfifo(office / "pipe")
    code, out, _ = machine.says("backup", office, "--lang", "en")
    assert code == 0
    assert "neither file, folder nor link" in out


def test_what_is_not_there_is_not_backed_up(machine: Machine, tmp_path: Path) -> None:
    machine.init()
    came = machine("backup", tmp_path / "nowhere")
    assert (came.code, came.error) == (4, "snapshot-source-missing")
    assert machine("snapshots").data["snapshots"] == []


# -- looking ---------------------------------------------------------------------------------------


def test_ls_diff_and_find_tell_what_is_in_snapshots(backed_up: Machine, office: Path) -> None:
    first = backed_up("snapshots").data["snapshots"][0]["id"]
    (office / "notes.txt").write_text("two", encoding="utf-8")
    (office / "new.txt").write_text("three", encoding="utf-8")
    backed_up("backup", office)
    assert [one["path"] for one in backed_up("ls", first, "office/合同").data["entries"]] == [
        "office/合同/张三.txt",
        "office/合同/李四.txt",
    ]
    changes = {one["path"]: one["how"] for one in backed_up("diff", first, "latest").data["changes"]}
    assert changes["office/new.txt"] == "added"
    assert changes["office/notes.txt"] == "changed"
    assert "office/empty.txt" not in changes
    found = backed_up("find", "new.txt", "张三*").data["found"]
    assert sorted(one["path"] for one in found) == ["office/new.txt", *["office/合同/张三.txt"] * 2]
    assert backed_up("find", "nobody").code == 4
    assert backed_up("ls", "99").error == "snapshot-unknown"


# -- restoring -------------------------------------------------------------------------------------


def test_a_snapshot_comes_back_whole_and_a_second_run_writes_nothing(
    backed_up: Machine, office: Path, tmp_path: Path
) -> None:
    (office / "合同" / "张三.txt").chmod(0o640)
    backed_up("backup", office)
    out = tmp_path / "out"
    assert backed_up("restore", "latest", "--to", out).data["files"] == 4
    assert contents(out / "office") == contents(office)
    assert stat.S_IMODE((out / "office" / "合同" / "张三.txt").stat().st_mode) == 0o640
    again = backed_up("restore", "latest", "--to", out).data
    assert (again["files"], again["present"]) == (0, 4)


def test_parts_come_back_alone(backed_up: Machine, tmp_path: Path) -> None:
    backed_up("restore", "latest", "--to", tmp_path / "some", "--include", "张三.txt")
    assert list(contents(tmp_path / "some")) == ["office/合同/张三.txt"]
    backed_up("restore", "latest", "--to", tmp_path / "inside", "--path", "office/合同")
    assert list(contents(tmp_path / "inside")) == ["张三.txt", "李四.txt"]


def test_what_a_restore_replaces_is_kept_in_a_snapshot_first(
    backed_up: Machine, office: Path, tmp_path: Path
) -> None:
    (office / "notes.txt").write_text("not yet backed up", encoding="utf-8")
    came = backed_up("restore", "1", "--to", office.parent, "--include", "notes.txt", "--safety")
    assert (office / "notes.txt").read_text(encoding="utf-8") == FILES["notes.txt"]
    backed_up("restore", came.data["before"], "--to", tmp_path / "out", "--include", "/*/office/notes.txt")
    (kept,) = contents(tmp_path / "out").values()
    assert kept == b"not yet backed up"


def test_a_file_is_no_folder_to_restore_into(backed_up: Machine, office: Path) -> None:
    came = backed_up("restore", "latest", "--to", office / "notes.txt")
    assert (came.code, came.error) == (2, "sync-target-no-folder")


# -- verifying -------------------------------------------------------------------------------------


def packs(machine: Machine) -> list[Path]:
    """The packs of a vault in a folder."""
    return sorted(path for path in (Path(machine.vault) / "p").rglob("*") if path.is_file())


def flip(path: Path, at: int) -> None:
    """One bit of a stored object is another."""
    stored = bytearray(path.read_bytes())
    stored[at] ^= 1
    path.chmod(0o600)
    path.write_bytes(stored)


def test_a_flipped_bit_is_found_and_named_and_the_rest_restores(
    backed_up: Machine, office: Path, tmp_path: Path
) -> None:
    (office / "more.txt").write_text("later", encoding="utf-8")
    before = set(packs(backed_up))
    backed_up("backup", office)
    assert backed_up("verify", "--read-data").code == 0
    bad = min(set(packs(backed_up)) - before)
    flip(bad, bad.stat().st_size // 2)
    assert backed_up("verify").code == 0  # its size is right
    came = backed_up("verify", "--read-data")
    name = bad.relative_to(backed_up.vault).as_posix()
    assert (came.code, came.data["damaged"]) == (7, [name])
    assert not came.told["ok"]
    assert name in backed_up.says("verify", "--read-data")[1]
    assert backed_up("restore", "1", "--to", tmp_path / "out").code == 0


@pytest.mark.parametrize(("harm", "problem"), [("unlink", "missing"), ("cut", "truncated")])
def test_missing_and_cut_objects_are_found_without_reading(
    backed_up: Machine, harm: str, problem: str
) -> None:
    bad = packs(backed_up)[0]
    if harm == "unlink":
        bad.unlink()
    else:
        bad.write_bytes(bad.read_bytes()[:-9])
    came = backed_up("verify")
    name = bad.relative_to(backed_up.vault).as_posix()
    assert came.code == 7
    assert {"name": name, "problem": problem} in came.data["findings"]


def test_a_damaged_file_is_named_by_restore_and_the_others_come_back(
    machine: Machine, tmp_path: Path
) -> None:
    machine.init()
    one, two = (written(tmp_path / name, {"file.txt": name * 400}) for name in ("one", "two"))
    machine("backup", one)
    first = packs(machine)
    machine("backup", one, two)
    for path in first:
        flip(path, 80)
    came = machine("restore", "latest", "--to", tmp_path / "out")
    assert (came.code, came.error) == (7, "sync-restore-damaged")
    assert [one["code"] for one in came.data["problems"]] == ["restore-damaged"]
    assert contents(tmp_path / "out" / "two") == contents(two)


# -- what may be wrong -----------------------------------------------------------------------------


def test_a_wrong_passphrase_is_refused(backed_up: Machine) -> None:
    came = backed_up("snapshots", LOANHUB_SYNC_PASSPHRASE="wrong")
    assert (came.code, came.error) == (6, "wrong-passphrase")


def test_a_passphrase_may_stand_in_a_file(backed_up: Machine, tmp_path: Path) -> None:
    file = tmp_path / "passphrase"
    file.write_text(f"{backed_up.passphrase}\n", encoding="utf-8")
    assert backed_up("snapshots", "--passphrase-file", file, LOANHUB_SYNC_PASSPHRASE="").code == 0
    assert backed_up("snapshots", LOANHUB_SYNC_PASSPHRASE="").error == "sync-no-passphrase"


def test_a_disk_that_is_not_plugged_in_is_waited_for_and_no_vault_is_begun(
    backed_up: Machine, office: Path, tmp_path: Path
) -> None:
    disk = Path(backed_up.vault)
    disk.rename(tmp_path / "drawer")
    disk.mkdir()
    came = backed_up("backup", office)
    assert (came.code, came.error) == (8, "remote-not-plugged-in")
    assert list(disk.iterdir()) == []
    code, _, err = backed_up.says("backup", office, "--lang", "en")
    assert code == 8
    assert "not plugged in" in err


def test_without_a_vault_nothing_is_guessed(machine: Machine) -> None:
    assert machine("snapshots", LOANHUB_SYNC_VAULT="").error == "sync-no-vault"
    missing = machine("snapshots")
    assert (missing.code, missing.error) == (4, "vault-missing")


def test_a_vault_taken_back_to_an_older_state_raises_the_alarm(
    backed_up: Machine, office: Path, tmp_path: Path
) -> None:
    backed_up("backup", office)
    newest = max((Path(backed_up.vault) / "c").iterdir())
    newest.unlink()
    for argv in (("backup", office), ("verify",), ("verify", "--read-data"), ("status",)):
        came = backed_up(*argv)
        assert (came.code, came.error) == (7, "vault-rolled-back"), argv
    restored = backed_up("restore", "latest", "--to", tmp_path / "out")  # better than nothing
    assert restored.code == 0
    assert [one["code"] for one in restored.told["warnings"]] == ["vault-rolled-back"]
    flip(packs(backed_up)[0], 100)
    came = backed_up("verify", "--read-data")  # the alarm is the graver of the two
    assert (came.error, len(came.data["damaged"])) == ("vault-rolled-back", 1)


def test_an_unknown_command_or_option_is_told_with_the_nearest(machine: Machine) -> None:
    assert machine("snapshot").error == "usage-command-near"
    assert machine("verify", "--read").code == 2
    assert machine("keys").error == "usage-which"
    assert machine("forget", "--keep-last", "-1").code == 2


# -- keeping ---------------------------------------------------------------------------------------


def test_forget_by_policy_and_prune_give_room_back_and_the_rest_restores(
    machine: Machine, office: Path, tmp_path: Path
) -> None:
    machine.init()
    for turn in range(4):
        (office / "big.bin").write_bytes(os.urandom(200_000))
        machine("backup", office, "--tag", f"t{turn}")
    would = machine("forget", "--keep-last", "2", "--dry-run").data
    assert len(would["forgotten"]) == 2
    assert len(machine("snapshots").data["snapshots"]) == 4
    done = machine("forget", "--keep-last", "2").data
    assert done["forgotten"] == would["forgotten"]
    first = machine("prune").data
    assert (first["deleted"], first["grace_days"]) == (0, 7)  # everything is younger than the grace
    assert machine("prune", "--now").data["freed"] > 300_000
    assert machine("verify", "--read-data").code == 0
    assert machine("restore", "latest", "--to", tmp_path / "out").code == 0
    assert contents(tmp_path / "out" / "office") == contents(office)


def test_a_snapshot_is_forgotten_by_its_name(backed_up: Machine, office: Path) -> None:
    backed_up("backup", office)
    first, second = (one["id"] for one in backed_up("snapshots").data["snapshots"])
    assert backed_up("forget", first).data["forgotten"] == [first]
    assert [one["id"] for one in backed_up("snapshots").data["snapshots"]] == [second]
    assert backed_up("forget").error == "sync-forget-which"
    assert backed_up("forget", second, "--keep-last", "1").error == "sync-forget-which"


def test_a_damaged_snapshot_takes_no_good_ones_place(backed_up: Machine, office: Path) -> None:
    before = set(packs(backed_up))
    (office / "new.bin").write_bytes(os.urandom(50_000))
    damaged = backed_up("backup", office).data["snapshot"]
    for pack in set(packs(backed_up)) - before:
        pack.unlink()
    came = backed_up("forget", "--keep-last", "1").data
    assert came["forgotten"] == []
    assert {one["id"]: one["reasons"] for one in came["kept"]}[damaged] == ["unsound"]


def test_a_copy_has_everything_says_how_far_it_lags_and_restores_by_itself(
    backed_up: Machine, office: Path, tmp_path: Path
) -> None:
    second = tmp_path / "second disk"
    first = backed_up("copy", second).data
    assert first["objects"] > 2
    assert backed_up("copy", second).data["objects"] == 0
    backed_up("backup", office)
    (copy,) = backed_up("status").data["copies"]
    assert copy["address"] == str(second)
    assert copy["commits_behind"] == 1
    assert backed_up("snapshots", "--vault", second).code == 0  # behind, and that is no alarm
    elsewhere = Machine(tmp_path / "new machine", str(second))
    assert elsewhere("restore", "latest", "--to", tmp_path / "out").code == 0
    assert contents(tmp_path / "out" / "office") == contents(office)


def test_when_the_first_vault_is_lost_the_copy_takes_its_place(
    backed_up: Machine, office: Path, tmp_path: Path
) -> None:
    second = str(tmp_path / "second")
    backed_up("copy", second)
    backed_up("backup", office)  # lost with the disk: the copy is behind, and goes on all the same
    rmtree(backed_up.vault)
    assert backed_up("backup", office, "--vault", second).error == "sync-copy-is-read"
    assert backed_up("copy", second, "--promote").data["address"] == second
    assert backed_up("backup", office, "--vault", second).code == 0
    assert len(backed_up("snapshots", "--vault", second).data["snapshots"]) == 2
    assert backed_up("copy", second, "--promote").error == "sync-no-copy"


def test_a_copy_never_goes_over_another_vault(backed_up: Machine, tmp_path: Path) -> None:
    other = Machine(tmp_path / "else", str(tmp_path / "other"))
    other.init()
    came = backed_up("copy", other.vault)
    assert (came.code, came.error) == (7, "vault-another")


# -- keys ------------------------------------------------------------------------------------------


def test_a_changed_passphrase_opens_and_the_old_one_does_not(backed_up: Machine) -> None:
    new = {"LOANHUB_SYNC_NEW_PASSPHRASE": "五只纸船回来了"}
    assert backed_up("keys", "passphrase", **new).code == 0
    assert backed_up("snapshots").code == 6
    assert backed_up("snapshots", LOANHUB_SYNC_PASSPHRASE="五只纸船回来了").code == 0


def test_a_second_way_in_is_added_and_taken_away(backed_up: Machine, tmp_path: Path) -> None:
    file = tmp_path / "vault.key"
    slot = backed_up("keys", "add", "key-file", "--new-key-file", file).data["slot"]
    assert backed_up("snapshots", "--key-file", file, LOANHUB_SYNC_PASSPHRASE="").code == 0
    assert slot in [one["id"] for one in backed_up("keys", "list").data["slots"]]
    assert backed_up("keys", "remove", slot).code == 0
    assert backed_up("snapshots", "--key-file", file, LOANHUB_SYNC_PASSPHRASE="").code == 6


def test_head_office_opens_what_a_branch_backs_up_with_a_key_that_never_was_there(
    backed_up: Machine, office: Path, tmp_path: Path
) -> None:
    elsewhere = Machine(tmp_path / "headoffice", backed_up.vault, passphrase="")
    private = tmp_path / "headoffice.key"
    line = elsewhere("keys", "pair", private).data["public_key"]
    assert backed_up("keys", "add", "public").error == "sync-public-key-which"
    assert backed_up("keys", "add", "public", "--public-key", line[:-1]).error == "pair-text"
    (tmp_path / "headoffice.pub").write_text(f"{line}\n", encoding="utf-8")
    added = backed_up("keys", "add", "public", "--public-key", tmp_path / "headoffice.pub", "--label", "总部")
    kinds = {one["id"]: one["kind"] for one in backed_up("keys", "list").data["slots"]}
    assert kinds[added.data["slot"]] == "public"
    assert elsewhere("restore", "latest", "--to", tmp_path / "out", "--key-file", private).code == 0
    assert contents(tmp_path / "out" / "office") == contents(office)
    other = elsewhere("keys", "pair", tmp_path / "other.key")
    assert other.data["public_key"] != line
    refused = elsewhere("snapshots", "--key-file", tmp_path / "other.key")
    assert (refused.code, refused.error) == (6, "wrong-private-key")


def test_only_a_slot_of_a_passphrase_gets_another_passphrase(backed_up: Machine, tmp_path: Path) -> None:
    line = backed_up("keys", "pair", tmp_path / "pair.key").data["public_key"]
    slot = backed_up("keys", "add", "public", "--public-key", line).data["slot"]
    refused = backed_up("keys", "passphrase", slot, LOANHUB_SYNC_NEW_PASSPHRASE="五只纸船回来了")
    assert (refused.code, refused.error) == (4, "sync-slot-which")
    assert backed_up("snapshots", "--key-file", tmp_path / "pair.key", LOANHUB_SYNC_PASSPHRASE="").code == 0


def test_a_slot_kind_nobody_brings_is_named(backed_up: Machine) -> None:
    assert backed_up("keys", "add", "abacus").error == "slot-kind-unknown"
    assert backed_up("keys", "add", "kms").error == "kms-key-needed"
    assert backed_up("snapshots", "--no-secret", LOANHUB_SYNC_PASSPHRASE="").code == 6


def test_the_keys_say_which_snapshots_need_which_epoch(backed_up: Machine, office: Path) -> None:
    def needed(came: Came) -> dict[int, list[int]]:
        return {one["epoch"]: one["snapshots"] for one in came.data["epochs"]}

    def newest() -> int:
        return int(backed_up("snapshots").data["snapshots"][-1]["id"].partition("-")[0])

    first = newest()
    assert needed(backed_up("keys", "list")) == {1: [first]}
    backed_up("keys", "rotate", "--new-only")
    (office / "neu.txt").write_text("new", encoding="utf-8")
    backed_up("backup", office)
    second = newest()
    assert needed(backed_up("keys", "list")) == {1: [first, second], 2: [second]}
    code, words, _ = backed_up.says("--lang", "en", "keys", "rotate", "--now")
    assert code == 0
    assert "snapshots that need it" in words
    assert needed(backed_up("keys", "list")) == {1: [], 2: [first, second]}


def test_rotation_goes_on_where_it_stopped_and_ends_in_a_statement(
    backed_up: Machine, office: Path, tmp_path: Path
) -> None:
    assert backed_up("keys", "rotate", "--new-only").data["epoch"] == 2
    waiting = backed_up("keys", "rotate").data
    assert (waiting["epoch"], waiting["resumed"], waiting["done"]) == (2, True, False)
    done = backed_up("keys", "rotate", "--now").data
    assert (done["epoch"], done["done"], done["retired"]) == (2, True, 1)
    assert [one["packs"] > 0 for one in done["epochs"]] == [False, True]
    assert backed_up("verify", "--read-data").code == 0
    assert backed_up("restore", "latest", "--to", tmp_path / "out").code == 0
    assert contents(tmp_path / "out" / "office") == contents(office)


# -- status ----------------------------------------------------------------------------------------


def test_status_tells_ages_and_what_the_storage_can_do(backed_up: Machine) -> None:
    assert backed_up("status").data["last_verify"] is None
    backed_up("verify")
    told = backed_up("status").data
    assert told["snapshots"] == 1
    assert 0 <= told["last_backup"]["age_seconds"] < 600
    assert told["last_verify"]["damaged"] == 0
    assert told["writers"] == "many"
    assert told["capabilities"]["conditional_put"] is True
    assert "备份库" in backed_up.says("status")[1]
    assert "Last backup" in backed_up.says("status", "--lang", "en")[1]


def test_probe_asks_a_place_before_there_is_a_vault(machine: Machine, tmp_path: Path) -> None:
    came = machine("probe", tmp_path / "anywhere")
    assert came.code == 0
    assert came.data["capabilities"]["can_delete"] is True


def test_two_machines_back_up_to_one_vault(backed_up: Machine, office: Path, tmp_path: Path) -> None:
    other = Machine(tmp_path / "other", backed_up.vault)
    theirs = written(tmp_path / "branch", {"branch.txt": "支行"})
    for _ in range(2):
        assert other("backup", theirs).code == 0
        assert backed_up("backup", office).code == 0
    found = backed_up("snapshots").data["snapshots"]
    assert len(found) == 5
    assert {root["path"] for one in found for root in one["roots"]} == {str(office), str(theirs)}
    assert backed_up("verify", "--read-data").code == 0
