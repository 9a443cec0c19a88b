"""The folder remote: the suite of every remote, and what only a disk can get wrong."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from loanhub import VAULT_MARKER, Busy, LoanHubError, Misconfigured, NotAllowed, NotFound, Remote, write_new
from loanhub.testing.remotes import RemoteSuite
from loanhub.texts import catalogue
from loanhub_remote_folder import folder, open_folder, remotes
from loanhub_remote_folder.folder import UNFINISHED

VAULT = "1f0c6a7e"


class TestFolder(RemoteSuite):
    @pytest.fixture
    def remote(self, tmp_path: Path) -> Remote:
        return open_folder(str(tmp_path / "vault"), {})


class TestFolderWithoutLinks(RemoteSuite):
    """FAT has no links; that the system refuses them is the only thing played here."""

    @pytest.fixture
    def remote(self, tmp_path: Path, no_links: None) -> Remote:
        return open_folder((tmp_path / "vault").as_uri(), {})


@pytest.fixture
def no_links(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(source: object, target: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refuse)


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """A disk with a vault on it, plugged in."""
    disk = tmp_path / "media" / "BACKUP"
    disk.mkdir(parents=True)
    remote = open_folder(str(disk / "vault"), {})
    remote.put_new(VAULT_MARKER, f"{VAULT}\nmore\n".encode())
    remote.put_new("c/1", b"first")
    return disk


def pinned(folder: Path, **more: object) -> Remote:
    return open_folder(str(folder), {"vault": VAULT, "seen": "2026-03-02", **more})


def files(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def fails(remote: Remote) -> Iterator[LoanHubError]:
    """What every kind of call raises."""
    for call in (
        lambda: remote.put_new("c/2", b"second"),
        lambda: remote.get("c/1"),
        lambda: remote.size("c/1"),
        lambda: list(remote.list("")),
        lambda: remote.delete("c/1"),
        remote.probe,
    ):
        with pytest.raises(LoanHubError) as caught:
            call()
        yield caught.value


# -- the disk that is not there --------------------------------------------------------------------------


def test_an_unplugged_disk_is_said_to_be_so_and_its_empty_mount_point_stays_empty(disk: Path) -> None:
    remote = pinned(disk / "vault")
    assert remote.get("c/1") == b"first"
    disk.rename(disk.with_name("in-the-drawer"))
    disk.mkdir()
    for empty in (disk / "vault", disk):
        for error in fails(pinned(empty)):
            assert isinstance(error, Busy)
            assert (error.code, error.facts["since"]) == ("remote-not-plugged-in", "2026-03-02")
    assert list(disk.iterdir()) == []


def test_a_disk_plugged_in_again_goes_on(disk: Path) -> None:
    remote = pinned(disk / "vault")
    away = disk.rename(disk.with_name("in-the-drawer"))
    with pytest.raises(Busy, match="remote-not-plugged-in"):
        remote.get("c/1")
    away.rename(disk)
    assert remote.get("c/1") == b"first"
    assert remote.put_new("c/2", b"second") is True


def test_a_disk_pulled_before_a_write_leaves_its_mount_point_empty(
    disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = folder._make

    def pull(*folders: Path) -> None:
        if disk.exists():
            disk.rename(disk.with_name("in-the-drawer"))
            disk.mkdir()
        make(*folders)

    monkeypatch.setattr(folder, "_make", pull)
    with pytest.raises(Busy, match="remote-folder-failing"):
        pinned(disk / "vault").put_new("p/ab/2", b"second")
    assert list(disk.iterdir()) == []


def test_a_disk_pulled_in_the_middle_of_a_write_is_not_said_to_hold_it(
    disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pull(target: Path, data: bytes, **where: Path) -> bool:
        disk.rename(disk.with_name("in-the-drawer"))
        target.parent.mkdir(parents=True)
        where["by"].mkdir(parents=True)
        return write_new(target, data, **where)

    monkeypatch.setattr(folder, "write_new", pull)
    with pytest.raises(Busy, match="remote-not-plugged-in"):
        pinned(disk / "vault").put_new("c/2", b"second")


@pytest.mark.parametrize("new", ["BACKUP1", "other/USB"])
def test_a_disk_that_came_back_under_another_letter_is_found_by_its_marker(disk: Path, new: str) -> None:
    roots = [disk.parent, disk.parent / "other", disk.parent / new]
    away = disk.parent / new
    away.parent.mkdir(exist_ok=True)
    disk.rename(away)
    disk.mkdir()
    remote = pinned(disk / "vault", roots=[str(root) for root in roots])
    assert remote.put_new("c/2", b"second") is True
    assert files(away / "vault")["c/2"] == b"second"
    assert list(disk.iterdir()) == []


def test_a_disk_is_looked_for_among_the_disks_of_this_computer(
    disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = disk.rename(disk.with_name("BACKUP 1"))
    mounts = tmp_path / "mountinfo"
    place = str(away).replace(" ", r"\040")
    mounts.write_text(f"36 35 8:17 / {place} rw - vfat /dev/sdb1 rw\n37 35 0:5 / /proc rw - proc proc rw\n")
    monkeypatch.setattr("loanhub.system.posix.MOUNTS", mounts)
    remote = pinned(disk / "vault")
    assert remote.put_new("c/2", b"second") is True
    assert files(away / "vault")["c/2"] == b"second"


def test_another_vault_at_the_same_place_is_left_alone(disk: Path) -> None:
    before = files(disk)
    remote = open_folder(str(disk / "vault"), {"vault": "another", "seen": "2026-03-02"})
    assert {error.code for error in fails(remote)} == {"remote-other-vault"}
    assert files(disk) == before


def test_a_folder_whose_parent_is_missing_is_not_made(tmp_path: Path) -> None:
    remote = open_folder(str(tmp_path / "nowhere" / "vault"), {})
    for error in fails(remote):
        assert isinstance(error, Misconfigured)
        assert error.code == "remote-folder-missing"
    assert list(tmp_path.iterdir()) == []


def test_looking_into_a_folder_that_is_not_there_yet_makes_nothing(tmp_path: Path) -> None:
    remote = open_folder(str(tmp_path / "vault"), {})
    assert remote.size("c/1") is None
    assert list(remote.list("")) == []
    remote.delete("c/1")
    with pytest.raises(NotFound):
        remote.get("c/1")
    assert remote.probe().can_delete
    assert list(tmp_path.iterdir()) == []


# -- writes that do not finish -----------------------------------------------------------------------------

PUT_FOREVER = """
import sys
from loanhub_remote_folder import open_folder
remote = open_folder(sys.argv[1], {})
for n in range(10**9):
    assert remote.put_new(f"p/{n % 5}/{n}", b"%08d" % n * 100_000)
    print(n, flush=True)
"""


def test_a_killed_writer_leaves_whole_objects_only(tmp_path: Path) -> None:
    vault = tmp_path / "vault"
    for turn in range(3):
        put = [sys.executable, "-c", PUT_FOREVER.replace("p/", f"p/{turn}/"), str(vault)]
        with subprocess.Popen(put, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            for _ in range(4):
                assert writer.stdout.readline()
            time.sleep(0.004 * turn)
            writer.send_signal(signal.SIGKILL)
            told = 3 + len(writer.stdout.readlines())
        remote = open_folder(str(vault), {})
        found = list(remote.list(f"p/{turn}/"))
        assert len(found) in (told + 1, told + 2)
        for one in found:
            n = int(one.name.rpartition("/")[2])
            assert remote.get(one.name) == b"%08d" % n * 100_000


def test_what_killed_writes_left_is_swept_when_it_is_a_day_old(tmp_path: Path) -> None:
    remote = open_folder(str(tmp_path), {})
    remote.put_new("c/1", b"first")
    old, fresh = (tmp_path / UNFINISHED / name for name in (".old.tmp", ".fresh.tmp"))
    for left in (old, fresh):
        left.write_bytes(b"half")
    os.utime(old, (0, time.time() - 25 * 3600))
    os.utime(fresh, (0, time.time() - 3600))
    remote.probe()
    assert [left.exists() for left in (old, fresh)] == [False, True]
    assert [one.name for one in remote.list("")] == ["c/1"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MB of its own."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place)], check=False)
    if mounted.returncode:
        pytest.skip("only root may mount a small disk")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk_says_so_and_keeps_all_it_had(small_disk: Path) -> None:
    remote = open_folder(str(small_disk / "vault"), {})
    kept = 0
    with pytest.raises(Busy) as full:
        while True:
            remote.put_new(f"p/{kept}", bytes(700_000))
            kept += 1
    assert full.value.code == "disk-full"
    assert full.value.facts["folder"] == small_disk / "vault" / "p"
    assert kept == 5
    assert {one.name: one.size for one in remote.list("")} == {f"p/{n}": 700_000 for n in range(kept)}
    assert list((small_disk / "vault" / UNFINISHED).iterdir()) == []
    remote.delete("p/0")
    assert remote.put_new("p/5", bytes(700_000)) is True


def test_a_disk_that_may_only_be_read_can_be_restored_from(small_disk: Path) -> None:
    remote = open_folder(str(small_disk / "vault"), {})
    remote.put_new("c/1", b"first")
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    able = remote.probe()
    assert (able.can_delete, able.can_overwrite, able.notes) == (False, False, ("remote-read-only",))
    assert remote.get("c/1") == b"first"
    for name, refused in (("put_new", "remote-folder-refused"), ("delete", "remote-delete-refused")):
        with pytest.raises(NotAllowed, match=refused):
            getattr(remote, name)("c/2" if name == "put_new" else "c/1", *[b"2"][: name == "put_new"])


# -- what lies about in folders ----------------------------------------------------------------------------


def test_what_others_put_into_the_folder_is_not_listed(tmp_path: Path) -> None:
    remote = open_folder(str(tmp_path), {})
    remote.put_new("c/1", b"first")
    (tmp_path / "System Volume Information").mkdir()
    (tmp_path / "System Volume Information" / "tracking").touch()
    (tmp_path / "说明.txt").touch()
    (tmp_path / ".DS_Store").touch()
    (tmp_path / "c" / "2").symlink_to(tmp_path / "c" / "1")
    assert [one.name for one in remote.list("")] == ["c/1"]


def test_a_share_that_lost_its_answer_and_asked_again_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NFS says "it is there already" of the link that it has just made for us."""
    link = os.link

    def twice(source: Path, target: Path) -> None:
        link(source, target)
        link(source, target)

    monkeypatch.setattr(os, "link", twice)
    remote = open_folder(str(tmp_path / "vault"), {})
    assert remote.put_new("c/1", b"first") is True
    assert [remote.put_new("c/1", b"second"), remote.get("c/1")] == [False, b"first"]


def test_a_folder_on_a_disk_without_links_is_told_apart(tmp_path: Path, no_links: None) -> None:
    assert open_folder(str(tmp_path), {}).probe().notes == ("remote-folder-no-links",)


# -- addresses and settings ----------------------------------------------------------------------------------


def test_an_address_is_a_path_or_a_file_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    place = tmp_path / "备份 disk"
    for address in (str(place), place.as_uri(), f"file://localhost{place}", "备份 disk"):
        assert open_folder(address, {}).name == str(place)
    for address in ("", " ", "file://server/share", "file:///", "file:"):
        with pytest.raises(Misconfigured, match="remote-address-unclear"):
            open_folder(address, {})
    with pytest.raises(Misconfigured, match="remote-setting-unknown"):
        open_folder(str(place), {"valut": "x"})


def test_it_joins_by_the_hook() -> None:
    (kind,) = remotes()
    assert (kind.scheme, kind.open) == ("file", open_folder)


def test_every_note_and_error_has_words() -> None:
    source = "".join(p.read_text() for p in Path("plugins/loanhub_remote_folder").glob("*.py"))
    codes = {
        word for word in source.replace("(", " ").replace(",", " ").split() if word.startswith('"remote-')
    }
    assert len(codes) >= 9
    assert {code.strip('")') for code in codes} <= catalogue().keys()
