"""What was backed up comes back as it was, wherever it is restored, however often the restore was killed."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loanhub.errors import Busy, NotFound
from loanhub.testing.remotes import MemoryRemote
from sync_agent.restore import Restored, Wish, restore
from sync_agent.restore.writing import File
from sync_agent.snapshots import Options, Problem, Snapshot, snapshot_named, take
from sync_agent.snapshots.body import Root
from sync_agent.snapshots.entries import FILE, FOLDER, LINK, Entry
from sync_agent.snapshots.listings import Listing
from sync_agent.vault import Vault
from sync_agent.vault.copying import read_pack
from sync_agent.vault.names import pack_name
from sync_agent.vault.sealed import DATA
from tests.unit.counting import made, opened
from tests.unit.folders import fill, loosen, picture
from tests.unit.vaults import new_vault, reopened


@pytest.fixture
def remote() -> MemoryRemote:
    return MemoryRemote()


@pytest.fixture
def vault(remote: MemoryRemote) -> Vault:
    return new_vault(remote)


@pytest.fixture
def office(tmp_path: Path) -> Path:
    """A small folder."""
    folder = tmp_path / "office"
    (folder / "合同").mkdir(parents=True)
    (folder / "合同" / "张.txt").write_text("一")
    (folder / "合同" / "王.txt").write_text("二")
    folder.chmod(0o700)
    (folder / "notes.txt").write_text("three")
    (folder / "scan.bin").write_bytes(os.urandom(3_000_000))
    return folder


def backed_up(vault: Vault, folder: Path) -> Snapshot:
    return take(vault, [folder]).snapshot


def data_packs(vault: Vault) -> list[str]:
    """Names of the packs that hold pieces of files."""
    packs = vault.state.index.packs
    return [
        pack_name(pack.object_id)
        for pack in packs
        if DATA in read_pack(vault.remote, vault.keys, pack).directory.kinds.tolist()
    ]


def hostile(vault: Vault, *entries: Entry) -> Snapshot:
    """A snapshot whose top listing holds these entries."""
    taken = Path(tempfile.mkdtemp())
    body = dict(take(vault, [taken]).snapshot.commit.body)
    taken.rmdir()
    with vault.writer() as writer:
        listing = Listing(writer)
        for entry in sorted(entries, key=lambda one: one.name):
            listing.add(entry)
        body["tree"] = listing.finish()[0][0].hex()
        body["roots"] = [{"name": "x", "path": "x"} for _ in entries]
        return Snapshot.of(writer.commit(body))


@settings(max_examples=15)
@given(seed=st.integers(0, 10**6))
def test_any_folder_comes_back_as_it_was(seed: int) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder, target = Path(place) / "源", Path(place) / "target"
        folder.mkdir()
        fill(folder, seed)
        remote = MemoryRemote()
        taken = take(new_vault(remote), [folder])
        vault = reopened(remote)
        done = restore(vault, snapshot_named(vault, "latest"), target)
        assert picture(target / "源") == picture(folder)
        assert (target / "源").stat().st_mtime_ns == folder.stat().st_mtime_ns
        assert not done.problems
        assert not taken.problems
        again = restore(vault, snapshot_named(vault, "latest"), target)
        assert (again.files, again.bytes, again.present) == (0, 0, done.files)
        assert picture(target / "源") == picture(folder)
        loosen(Path(place))


def test_parts_come_back_without_the_rest(vault: Vault, office: Path, tmp_path: Path) -> None:
    made = backed_up(vault, office)
    target = tmp_path / "t"
    restore(vault, made, target, Wish(include=["合同/"], exclude=["王*"]))
    assert set(picture(target)) == {"office", "office/合同", "office/合同/张.txt"}
    restore(vault, made, tmp_path / "one", Wish(inside="office/合同/王.txt".encode()))
    assert (tmp_path / "one" / "王.txt").read_text() == "二"
    restore(vault, made, tmp_path / "two", Wish(inside=b"office"))
    assert picture(tmp_path / "two") == picture(office)
    assert (tmp_path / "two").stat().st_mode == office.stat().st_mode
    assert (tmp_path / "two").stat().st_mtime_ns == office.stat().st_mtime_ns
    with pytest.raises(NotFound, match="snapshot-no-such-path"):
        restore(vault, made, tmp_path / "three", Wish(inside=b"office/none"))


def test_other_files_in_the_target_stay_and_changed_ones_are_put_right(
    vault: Vault, office: Path, tmp_path: Path
) -> None:
    made, before = backed_up(vault, office), picture(office)
    (office / "own.txt").write_text("mine")
    (office / "notes.txt").write_text("THREE")
    (office / "合同" / "张.txt").unlink()
    done = restore(vault, made, tmp_path)
    assert (done.files, done.present) == (2, 2)
    after = picture(office)
    assert after.pop("own.txt")[3] == b"mine"
    assert after == before


def test_a_killed_restore_goes_on_where_it_was(vault: Vault, office: Path, tmp_path: Path) -> None:
    made, target = backed_up(vault, office), tmp_path / "t"
    restore(vault, made, target)
    (target / "office" / "notes.txt").unlink()
    left = File(target / "office" / "notes.txt", Entry(b"notes.txt", FILE, 0, 0))
    left.temporary.write_bytes(b"half")
    done = restore(vault, made, target)
    assert (done.files, done.present) == (1, 3)
    assert picture(target / "office") == picture(office)


def test_a_link_in_the_target_is_not_followed(vault: Vault, office: Path, tmp_path: Path) -> None:
    made, target, outside = backed_up(vault, office), tmp_path / "t", tmp_path / "outside"
    outside.mkdir()
    (outside / "victim").write_text("safe")
    (target / "office").mkdir(parents=True)
    (target / "office" / "合同").symlink_to(outside)
    (target / "office" / "notes.txt").symlink_to(outside / "victim")
    done = restore(vault, made, target)
    assert done.problems == (Problem("restore-in-the-way", str(target / "office" / "合同")),)
    assert {one.name: one.read_text() for one in outside.iterdir()} == {"victim": "safe"}
    assert (target / "office" / "notes.txt").read_text() == "three"
    assert not (target / "office" / "notes.txt").is_symlink()


@pytest.mark.parametrize("name", [b"..", b"../up", b"/etc/evil", b"a/../../up"])
def test_a_name_that_leads_outside_restores_nothing_outside(
    vault: Vault, tmp_path: Path, name: bytes
) -> None:
    with vault.writer() as writer:
        piece = writer.save("data", b"evil")
        writer.commit({}, type="evidence")
    made = hostile(vault, Entry(name, FILE, 0o644, 0, 4, references=((piece, 4),)))
    done = restore(vault, made, tmp_path / "in" / "target")
    assert [problem.code for problem in done.problems] == ["restore-damaged"]
    assert [one for one in tmp_path.rglob("*") if not one.is_dir()] == []


def test_a_link_and_a_folder_of_one_name_are_no_way_out(vault: Vault, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    with vault.writer() as writer:
        piece = writer.save("data", b"evil")
        inner = Listing(writer)
        inner.add(Entry(b"evil", FILE, 0o644, 0, 4, references=((piece, 4),)))
        parts = inner.finish()
        writer.commit({}, type="evidence")
    made = hostile(
        vault,
        Entry(b"a", LINK, 0o777, 0, target=os.fsencode(outside)),
        Entry(b"a", FOLDER, 0o755, 0, references=parts),
    )
    assert restore(vault, made, tmp_path / "t").problems
    assert list(outside.iterdir()) == []


def test_a_folder_where_a_file_belongs_stays_and_is_named(vault: Vault, office: Path, tmp_path: Path) -> None:
    made, target = backed_up(vault, office), tmp_path / "t"
    (target / "office" / "notes.txt").mkdir(parents=True)
    done = restore(vault, made, target)
    assert done.problems == (Problem("restore-in-the-way", str(target / "office" / "notes.txt")),)
    assert done.files == 3


@pytest.mark.parametrize("older", [True, False])
def test_what_is_damaged_is_named_and_all_else_comes_back(
    remote: MemoryRemote, vault: Vault, office: Path, tmp_path: Path, older: bool
) -> None:
    """The packs of one of two snapshots are gone."""
    backed_up(vault, office)
    before = set(data_packs(vault))
    for number in range(5):
        (office / f"new{number}").write_text(f"new {number}")
    made = backed_up(vault, office)
    for name in before if older else set(data_packs(vault)) - before:
        remote.delete(name)
    done = restore(reopened(remote), made, tmp_path / "t")
    lost = {Path(problem.path).name for problem in done.problems}
    assert {problem.code for problem in done.problems} == {"restore-damaged"}
    files = {path.name: path.read_bytes() for path in office.rglob("*") if path.is_file()}
    assert lost == {name for name in files if name.startswith("new") != older}
    back = {path.name: path.read_bytes() for path in (tmp_path / "t").rglob("*") if path.is_file()}
    assert back == {name: content for name, content in files.items() if name not in lost}
    assert done.files == len(back)


@contextmanager
def looked_at(path: Path, key: str) -> Iterator[None]:
    """Another program has the database open and writes nothing, so that its log is empty."""
    script = (
        "import sys; from pathlib import Path; from tests.unit.counting import *; "
        "c = opened(Path(sys.argv[1]), sys.argv[2]); print(counted(c), flush=True); input()"
    )
    command = [sys.executable, "-c", script, str(path), key]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as one:
        assert one.stdin is not None
        assert one.stdout is not None
        assert one.stdout.readline() == "0\n"
        yield
        one.stdin.write("\n")


@pytest.mark.parametrize("key", ["-", "5e" * 32])
def test_a_database_that_is_only_looked_at_is_not_replaced(vault: Vault, tmp_path: Path, key: str) -> None:
    """Encrypted and closed, it was taken as any file is: nothing but its user tells what it is."""
    path = tmp_path / "live" / "till.db"
    path.parent.mkdir()
    made(path, key).close()
    taken = backed_up(vault, path.parent)
    with closing(opened(path, key)) as till:
        till.execute("DELETE FROM line")
        till.execute("VACUUM")
    before = path.read_bytes()
    os.utime(path, ns=(0, 0))
    with looked_at(path, key):
        done = restore(vault, taken, tmp_path)
        assert done.problems == (Problem("restore-in-use", str(path)),)
        assert path.read_bytes() == before
    assert restore(vault, taken, tmp_path).problems == ()


def test_a_disk_that_is_full_is_said_to_be(
    vault: Vault, office: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, target = backed_up(vault, office), tmp_path / "t"
    write = File.write

    def full(self: File, at: int, piece: bytes) -> None:
        if self.path.name == "scan.bin":
            raise OSError(errno.ENOSPC, "no room")
        write(self, at, piece)

    with monkeypatch.context() as patched, pytest.raises(Busy, match="disk-full"):
        patched.setattr(File, "write", full)
        restore(vault, made, target)
    assert not list(target.rglob("*.restoring"))
    assert restore(vault, made, target).problems == ()
    assert picture(target / "office") == picture(office)


def test_progress_is_told_and_can_stop_a_restore(vault: Vault, office: Path, tmp_path: Path) -> None:
    made = backed_up(vault, office)

    def stop(progress: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        restore(vault, made, tmp_path / "t", tell=stop)
    assert not list((tmp_path / "t").rglob("*.restoring"))
    assert isinstance(restore(vault, made, tmp_path / "t"), Restored)


def test_a_program_does_not_get_the_rights_of_an_owner_who_is_not_known(vault: Vault, tmp_path: Path) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "tool").write_text("#!")
    (folder / "tool").chmod(0o4755)
    restore(vault, backed_up(vault, folder), tmp_path / "t")
    assert (tmp_path / "t" / "bin" / "tool").stat().st_mode & 0o7777 == 0o755


def test_two_roots_of_one_name_come_back_side_by_side(vault: Vault, tmp_path: Path) -> None:
    for place in ("a", "b"):
        (tmp_path / place / "docs").mkdir(parents=True)
        (tmp_path / place / "docs" / "f").write_text(place)
    taken = take(
        vault, [tmp_path / "b" / "docs", tmp_path / "a" / "docs", tmp_path / "a" / "docs" / "f"], Options()
    )
    assert taken.snapshot.roots == (
        Root("docs", str(tmp_path / "b" / "docs")),
        Root("docs-2", str(tmp_path / "a" / "docs")),
        Root("f", str(tmp_path / "a" / "docs" / "f")),
    )
    restore(vault, taken.snapshot, tmp_path / "t")
    assert (tmp_path / "t" / "docs" / "f").read_text() == "b"
    assert (tmp_path / "t" / "docs-2" / "f").read_text() == "a"
    assert (tmp_path / "t" / "f").read_text() == "a"
