"""Snapshots of folders: what is taken, what is left out and said, and what is not read again."""

from __future__ import annotations

import json
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from loanhub.errors import Damaged, Misconfigured, NotFound
from loanhub.testing.remotes import MemoryRemote
from sync_agent.restore import restore
from sync_agent.snapshots import (
    Options,
    Problem,
    Snapshot,
    Taken,
    diff,
    find,
    ls,
    needs_of,
    read_report,
    snapshot_named,
    snapshots_of,
    take,
)
from sync_agent.snapshots.contents import Contents
from sync_agent.snapshots.seen import Memory, Seen
from sync_agent.vault import Vault
from sync_agent.vault.checking import verify
from sync_agent.vault.pruning import prune
from tests.unit.folders import picture
from tests.unit.vaults import new_vault, reopened


@pytest.fixture
def remote() -> MemoryRemote:
    return MemoryRemote()


@pytest.fixture
def vault(remote: MemoryRemote) -> Vault:
    return new_vault(remote)


@pytest.fixture
def office(tmp_path: Path) -> Path:
    """A folder with some files that are older than any clock's granule."""
    folder = tmp_path / "office"
    for path in ("合同/张.txt", "合同/王.txt", "tmp/cache/one", "notes.txt", "old.tmp", "keep.tmp"):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(path)
    (folder / "scan.bin").write_bytes(random.Random(1).randbytes(5_000_000))
    return folder


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def aged(office: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder once it counts as settled; the clock of this file system is finer than the coarsest."""
    monkeypatch.setattr("sync_agent.snapshots.seen.GRANULE_NS", 20_000_000)
    time.sleep(0.05)
    return office


def paths(vault: Vault, taken: Taken) -> set[str]:
    return {os.fsdecode(one.path) for one in ls(vault, taken.snapshot, deep=True)}


# What is taken --------------------------------------------------------------------------------------------


def test_a_snapshot_says_what_is_in_it(vault: Vault, remote: MemoryRemote, office: Path) -> None:
    (office / "link").symlink_to("notes.txt")
    taken = take(vault, [office], Options(tags=["weekly", "a", "a"], host="office-1", user="李"))
    found = snapshot_named(reopened(remote), "latest")
    assert found == taken.snapshot
    assert (found.host, found.user, found.tags, found.parent) == ("office-1", "李", ("a", "weekly"), None)
    assert [(root.name, root.path) for root in found.roots] == [("office", str(office))]
    counts = found.counts
    assert (counts.files, counts.folders, counts.links) == (7, 4, 1)
    assert (
        counts.bytes
        == counts.read
        == sum(f.stat().st_size for f in office.rglob("*") if f.is_file() and not f.is_symlink())
    )
    assert taken.problems == ()
    assert not taken.is_incomplete
    assert taken.stored > 5_000_000
    assert verify(vault, read_data=True) == ()


def test_a_later_snapshot_of_the_same_folder_names_the_one_before(vault: Vault, office: Path) -> None:
    first = take(vault, [office]).snapshot
    take(vault, [office / "合同"])
    second = take(vault, [office])
    assert second.snapshot.parent == first.commit.sequence
    assert second.stored < 20_000


def test_patterns_leave_out_and_choose(vault: Vault, office: Path) -> None:
    taken = take(vault, [office], Options(exclude=["*.tmp", "!keep.tmp", "cache/", f"{office}/notes.txt"]))
    assert paths(vault, taken) == {
        "office", "office/keep.tmp", "office/scan.bin", "office/tmp", "office/合同", "office/合同/张.txt",
        "office/合同/王.txt",
    }  # fmt: skip
    taken = take(vault, [office], Options(include=["*.txt"], exclude=["王*"]))
    assert paths(vault, taken) == {"office", "office/notes.txt", "office/合同", "office/合同/张.txt"}


def test_folders_to_be_skipped_are_not_entered(vault: Vault, office: Path) -> None:
    taken = take(vault, [office], Options(skip=[office / "tmp", office / "gone"]))
    assert not [path for path in paths(vault, taken) if path.startswith("office/tmp")]


def test_links_are_kept_as_links_and_never_followed(vault: Vault, office: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_text("x")
    (office / "out").symlink_to(tmp_path / "outside")
    (office / "round").symlink_to(".")
    taken = take(vault, [office])
    assert "office/out" in paths(vault, taken)
    assert not [path for path in paths(vault, taken) if "secret" in path or path.startswith("office/round/")]


def test_pipes_and_sockets_are_passed_over_and_said(vault: Vault, office: Path) -> None:
    os.mkfifo(office / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        here = Path.cwd()
        os.chdir(office)
        listening.bind("socket")
        os.chdir(here)
        taken = take(vault, [office])
    assert set(taken.problems) == {
        Problem("snapshot-special", str(office / name)) for name in ("pipe", "socket")
    }
    assert not taken.is_incomplete


def test_what_cannot_be_read_is_said_and_all_else_is_taken(
    remote: MemoryRemote, vault: Vault, office: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The report lies in the vault too."""
    read = Contents.read

    def refused(self: Contents, path: Path, *, log: bool = False) -> Any:
        if path.name == "王.txt":
            raise PermissionError(13, "no")
        return read(self, path, log=log)

    monkeypatch.setattr(Contents, "read", refused)
    taken = take(vault, [office])
    problem = Problem("snapshot-unreadable", str(office / "合同" / "王.txt"))
    assert taken.problems == (problem,)
    assert taken.is_incomplete
    assert taken.snapshot.problems == {"snapshot-unreadable": 1}
    assert read_report(reopened(remote).load, taken.snapshot) == [problem]
    assert "office/合同/张.txt" in paths(vault, taken)


NOBODY = 65534
FORBIDDEN = f"""
import json, os, tempfile
from pathlib import Path
from loanhub.testing.remotes import MemoryRemote
from sync_agent.snapshots import take
from tests.unit.vaults import new_vault

vault = new_vault(MemoryRemote())
take(vault, [Path("tests/unit/vaults.py")])  # all is imported before the rights are given up
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid({NOBODY})
    os.setuid({NOBODY})
with tempfile.TemporaryDirectory() as place:
    office = Path(place) / "office"
    (office / "合同").mkdir(parents=True)
    (office / "合同" / "张.txt").write_text("secret")
    (office / "notes.txt").write_text("open")
    (office / "合同").chmod(0)
    taken = take(vault, [office])
    (office / "合同").chmod(0o700)
    problems = [[one.code, Path(one.path).relative_to(office).as_posix()] for one in taken.problems]
    print(json.dumps([problems, taken.is_incomplete, taken.snapshot.counts.files]))
"""


def test_a_folder_that_may_not_be_entered_is_said(checkout: Path) -> None:
    """By a program without root's rights, whoever runs the tests; it makes the folder itself."""
    command = [sys.executable, "-c", FORBIDDEN]
    done = subprocess.run(command, cwd=checkout, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [[["snapshot-unreadable", "合同"]], True, 1]


def test_there_must_be_something_to_take(vault: Vault, tmp_path: Path) -> None:
    for sources in ([tmp_path / "none"], []):
        with pytest.raises(NotFound, match="snapshot-source-missing"):
            take(vault, sources)
    assert vault.snapshots == ()


def test_a_file_that_keeps_changing_is_taken_and_marked(
    vault: Vault, office: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = office / "busy.log"
    log.write_bytes(bytes(30_000))
    whole = Contents._whole

    def written_to(self: Contents, stream: Any, size: int) -> Any:
        if Path(f"/proc/self/fd/{stream.fileno()}").readlink() == log:
            with log.open("ab") as more:
                more.write(b"line\n")
        return whole(self, stream, size)

    monkeypatch.setattr(Contents, "_whole", written_to)
    taken = take(vault, [office])
    assert taken.problems == (Problem("snapshot-changed", str(log)),)
    assert not taken.is_incomplete
    (found,) = [one for one in ls(vault, taken.snapshot, b"office") if one.path.endswith(b"busy.log")]
    assert found.entry.changed_while_read
    assert found.entry.size >= 30_000


def test_a_file_that_changes_once_while_it_is_read_is_read_again(
    vault: Vault, office: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed: list[bool] = []
    whole = Contents._whole

    def disturbed(self: Contents, stream: Any, size: int) -> Any:
        if Path(f"/proc/self/fd/{stream.fileno()}").readlink().name == "notes.txt" and not changed:
            changed.append(True)
            (office / "notes.txt").write_text("changed meanwhile")
        return whole(self, stream, size)

    monkeypatch.setattr(Contents, "_whole", disturbed)
    taken = take(vault, [office])
    assert taken.problems == ()
    restore(vault, taken.snapshot, tmp_path / "t")
    assert (tmp_path / "t" / "office" / "notes.txt").read_text() == "changed meanwhile"


# What is not read again -----------------------------------------------------------------------------------


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of files as they are read."""
    seen: list[str] = []
    read = Contents.read

    def noted(self: Contents, path: Path, *, log: bool = False) -> Any:
        seen.append(path.name)
        return read(self, path, log=log)

    monkeypatch.setattr(Contents, "read", noted)
    return seen


def test_unchanged_files_are_not_read_again(vault: Vault, aged: Path, cache: Path, reads: list[str]) -> None:
    options = Options(cache=cache)
    first = take(vault, [aged], options)
    assert len(reads) == 7
    reads.clear()
    second = take(vault, [aged], options)
    assert reads == []
    assert second.snapshot.tree == first.snapshot.tree
    assert (second.snapshot.counts.read, second.snapshot.counts.bytes) == (0, first.snapshot.counts.bytes)
    (aged / "合同" / "王.txt").write_text("new")
    (aged / "new").write_text("new")
    take(vault, [aged], options)
    assert sorted(reads) == ["new", "王.txt"]


def test_a_change_that_keeps_size_and_time_is_seen(
    vault: Vault, aged: Path, cache: Path, reads: list[str], tmp_path: Path
) -> None:
    take(vault, [aged], Options(cache=cache))
    reads.clear()
    path = aged / "notes.txt"
    before = path.stat()
    path.write_text("X" * before.st_size)
    os.utime(path, ns=(before.st_mtime_ns, before.st_mtime_ns))
    taken = take(vault, [aged], Options(cache=cache))
    assert reads == ["notes.txt"]
    restore(vault, taken.snapshot, tmp_path / "t")
    assert picture(tmp_path / "t" / "office") == picture(aged)


def test_a_file_changed_in_the_tick_in_which_it_was_read_is_read_again(
    vault: Vault, office: Path, cache: Path, reads: list[str]
) -> None:
    (office / "fresh").write_text("1")
    take(vault, [office], Options(cache=cache))
    reads.clear()
    take(vault, [office], Options(cache=cache))
    assert "fresh" in reads


def test_what_the_vault_does_not_have_is_read_again(
    vault: Vault, aged: Path, cache: Path, reads: list[str], tmp_path: Path
) -> None:
    """As when the pack it lay in was pruned: the memory is no promise."""
    options = Options(cache=cache)
    vault.forget([take(vault, [aged], options).snapshot.commit.sequence])
    prune(vault, needs_of(vault), grace=timedelta(0))
    reads.clear()
    taken = take(vault, [aged], options)
    assert len(reads) == 7
    assert restore(vault, taken.snapshot, tmp_path / "t").problems == ()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda kept: kept[: len(kept) // 2],
        lambda kept: kept[:40] + b"\xff" + kept[41:],
        lambda kept: kept[:23] + b"\xff" + kept[24:],
        lambda kept: b"no",
    ],
)
def test_a_memory_that_is_damaged_costs_time_only(
    vault: Vault, aged: Path, cache: Path, spoil: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    take(vault, [aged], Options(cache=cache))
    (kept,) = cache.rglob("seen-*")
    kept.write_bytes(spoil(kept.read_bytes()))
    taken = take(vault, [aged], Options(cache=cache))
    restore(vault, taken.snapshot, tmp_path / "t")
    assert picture(tmp_path / "t" / "office") == picture(aged)


def test_a_memory_is_asked_in_order_and_gives_what_was_put_in(tmp_path: Path) -> None:
    seen = [Seen(b"%06d" % n, b"stamp", n % 2, ((bytes([n % 256]) * 32, n),)) for n in range(5000)]
    with Memory(tmp_path, Path("root")) as memory:
        for one in seen:
            memory.add(one)
        memory.keep()
    with Memory(tmp_path, Path("root")) as memory:
        assert memory.find(b"") is None
        for one in seen[::7]:
            assert memory.find(one.place) == one
            assert memory.find(one.place + b"\0x") is None
    with Memory(tmp_path, Path("other")) as memory:
        assert memory.find(seen[0].place) is None
    assert len(list(tmp_path.iterdir())) == 1


def test_a_piece_whose_length_was_flipped_on_this_disk_is_forgotten(tmp_path: Path) -> None:
    """Its id is known to the vault, so nothing else would notice."""
    seen = Seen(b"a", b"stamp", 0, ((bytes(32), 5),))
    with Memory(tmp_path, Path("root")) as memory:
        memory.add(seen)
        memory.keep()
    (kept,) = tmp_path.iterdir()
    kept.write_bytes(kept.read_bytes()[:-1] + b"\x06")
    with Memory(tmp_path, Path("root")) as memory:
        assert memory.find(b"a") is None


# Looking --------------------------------------------------------------------------------------------------


def test_snapshots_are_called_by_number_id_and_latest(vault: Vault, office: Path) -> None:
    one, two = (take(vault, [office]).snapshot for _ in range(2))
    for name in (one.id, str(one.commit.sequence), one.commit.hash[:8], one.commit.hash):
        assert snapshot_named(vault, name) == one
    assert snapshot_named(vault, "latest") == two
    for name in ("", "99", "zzzz", f"{one.commit.sequence}-{two.commit.hash[:8]}"):
        with pytest.raises(NotFound, match="snapshot-unknown"):
            snapshot_named(vault, name)


def test_what_differs_between_two_snapshots_is_told(vault: Vault, office: Path) -> None:
    before = take(vault, [office]).snapshot
    (office / "合同" / "张.txt").write_text("changed")
    (office / "notes.txt").unlink()
    (office / "new").mkdir()
    (office / "new" / "in").write_text("x")
    (office / "keep.tmp").chmod(0o600)
    (office / "old.tmp").unlink()
    (office / "old.tmp").mkdir()
    after = take(vault, [office]).snapshot
    told = {os.fsdecode(one.path): one.how for one in diff(vault, before, after)}
    assert told.pop("office") == "touched"
    assert told == {
        "office/合同/张.txt": "changed", "office/notes.txt": "removed", "office/new": "added",
        "office/new/in": "added", "office/keep.tmp": "touched", "office/old.tmp": "changed",
    }  # fmt: skip
    back = {os.fsdecode(one.path): one.how for one in diff(vault, after, before)}
    assert back["office/new/in"] == "removed"
    assert list(diff(vault, after, after)) == []


def test_things_are_found_in_every_snapshot_that_has_them(vault: Vault, office: Path) -> None:
    take(vault, [office])
    (office / "合同" / "张.txt").unlink()
    take(vault, [office])
    found = [
        (one.commit.sequence, os.fsdecode(listed.path))
        for one, listed in find(vault, snapshots_of(vault), ["张*"])
    ]
    assert found == [(1, "office/合同/张.txt")]
    assert len(list(find(vault, snapshots_of(vault), ["*.txt"]))) == 5


def test_listing_a_folder_that_is_not_there_is_refused(vault: Vault, office: Path) -> None:
    made = take(vault, [office]).snapshot
    assert [one.path for one in ls(vault, made, b"office/notes.txt")] == [b"office/notes.txt"]
    for path in (b"none", b"office/notes.txt/x", b"office/../office"):
        with pytest.raises(NotFound, match="snapshot-no-such-path"):
            list(ls(vault, made, path))


WRONG: tuple[dict[str, object], ...] = (
    {"tree": "00"}, {"files": -1}, {"roots": [{}]}, {"problems": []}, {"tags": [1]}, {"parent": 0},
    {"started": "now"}, {"report": 7}, {"problems": {"A": 1}},
)  # fmt: skip


def test_a_body_of_a_later_version_or_of_another_shape_is_refused(vault: Vault, office: Path) -> None:
    body = dict(take(vault, [office]).snapshot.commit.body)

    def read(**changes: object) -> Snapshot:
        return Snapshot.of(vault.commit("snapshot", {**body, **changes}))

    assert read().roots[0].name == "office"
    for changes in ({"version": 2}, {"unknown": 1}):
        with pytest.raises(Misconfigured):
            read(**changes)
    for wrong in WRONG:
        with pytest.raises(Damaged):
            read(**wrong)


# Together with the vault ----------------------------------------------------------------------------------


def test_a_prune_keeps_all_that_snapshots_need(
    remote: MemoryRemote, vault: Vault, office: Path, tmp_path: Path
) -> None:
    first = take(vault, [office]).snapshot
    before = picture(office)
    (office / "scan.bin").write_bytes(random.Random(2).randbytes(5_000_000))
    second = take(vault, [office]).snapshot
    vault.forget([first.commit.sequence])
    assert prune(vault, needs_of(vault), grace=timedelta(0)).deleted
    (only,) = snapshots_of(reopened(remote))
    assert only == second
    restore(reopened(remote), only, tmp_path / "t")
    assert picture(tmp_path / "t" / "office") == picture(office) != before
    assert verify(vault, read_data=True) == ()


def test_every_piece_of_a_snapshot_is_marked_for_a_prune(vault: Vault, office: Path) -> None:
    os.mkfifo(office / "pipe")
    made = take(vault, [office]).snapshot
    listed = list(ls(vault, made, deep=True))
    expected = {blob_id for one in listed for blob_id, _ in one.entry.references} | {made.tree, made.report}
    marked: set[bytes | None] = set()

    def mark(blob_id: bytes) -> bool:
        new = blob_id not in marked
        marked.add(blob_id)
        return new

    needs_of(vault)(made.commit, mark)
    assert marked == expected


def test_twenty_snapshots_of_a_live_folder_each_come_back_as_they_were(
    remote: MemoryRemote, vault: Vault, office: Path, cache: Path, tmp_path: Path
) -> None:
    """Files come, go, change, are renamed and become folders between one and the next."""
    chance, states = random.Random(7), []
    for turn in range(20):
        for _ in range(4):
            path = office / f"{chance.choice('abc')}{chance.randrange(4)}"
            if path.is_dir():
                path.rmdir()
            elif chance.random() < 0.3 and path.exists():
                path.rename(office / f"moved{chance.randrange(3)}")
            elif chance.random() < 0.2 and not path.exists():
                path.mkdir()
            else:
                path.write_bytes(chance.randbytes(chance.choice((0, 9, 40_000, 1_200_000))))
        take(vault, [office], Options(cache=cache, tags=[str(turn)]))
        states.append(picture(office))
    later = reopened(remote)
    for turn, (made, state) in enumerate(zip(snapshots_of(later), states, strict=True)):
        restore(later, made, tmp_path / str(turn))
        assert picture(tmp_path / str(turn) / "office") == state


def test_progress_is_told_and_can_stop_a_snapshot(vault: Vault, office: Path) -> None:
    told: list[object] = []
    take(vault, [office], tell=told.append)
    assert told

    def stop(progress: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        take(vault, [office], tell=stop)
    assert len(vault.snapshots) == 1
