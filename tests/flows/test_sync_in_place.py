"""A folder goes back to an earlier day where it stands, and what stood there can be had back."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from loanhub import Home
from loanhub.holding import held_by
from sync_agent.pages import PageSource
from tests.flows.syncing import Came, Machine, contents, written
from tests.unit.counting import counted, made, opened
from tests.unit.test_pages import kept, writers

FILES = {"合同/张三.txt": "五万元", "合同/李四.txt": "三万元", "notes.txt": "one"}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine(tmp_path / "state", str(tmp_path / "disk"))
    machine.init()
    return machine


@pytest.fixture
def office(machine: Machine, tmp_path: Path) -> Path:
    """Backed up, and then worked in: one file is newer, one is gone, two are extra."""
    folder = written(tmp_path / "office", FILES)
    assert machine("backup", folder).code == 0
    written(folder, {"notes.txt": "two", "合同/王五.txt": "new", "scans/1.txt": "extra"})
    (folder / "合同" / "李四.txt").unlink()
    return folder


def named(folder: Path) -> dict[str, str]:
    return {name: content.decode() for name, content in contents(folder).items()}


def back(machine: Machine, *argv: object) -> Came:
    return machine("restore", "1", "--in-place", *argv)


def test_what_a_snapshot_has_is_put_right_and_everything_else_stays(machine: Machine, office: Path) -> None:
    now = named(office)
    came = back(machine)
    assert (came.code, came.data["files"], came.data["present"], came.data["removed"]) == (0, 2, 1, 0)
    assert named(office) == {**FILES, "合同/王五.txt": "new", "scans/1.txt": "extra"}
    newest = machine("snapshots").data["snapshots"][-1]
    assert (newest["id"], newest["tags"]) == (came.data["before"], ["before-restore"])
    assert machine("restore", came.data["before"], "--in-place", "--remove-extra").code == 0
    assert named(office) == now


def test_what_is_extra_is_removed_when_that_is_wanted(machine: Machine, office: Path) -> None:
    came = back(machine, "--remove-extra")
    assert (came.code, came.data["removed"]) == (0, 3)
    assert named(office) == FILES
    assert not (office / "scans").exists()
    assert back(machine, "--remove-extra").data["removed"] == 0


def test_only_parts_go_back_and_only_their_extras_go(machine: Machine, office: Path) -> None:
    assert back(machine, "--path", "office/合同/李四.txt").data["files"] == 1
    assert named(office)["notes.txt"] == "two"
    assert back(machine, "--path", "office/合同", "--remove-extra").data["removed"] == 1
    assert named(office) == {**FILES, "notes.txt": "two", "scans/1.txt": "extra"}
    assert back(machine, "--include", "notes.txt").data["files"] == 1
    assert named(office) == {**FILES, "scans/1.txt": "extra"}
    assert back(machine, "--path", "office/none").error == "snapshot-no-such-path"


def test_what_is_never_backed_up_is_never_removed(tmp_path: Path) -> None:
    """The vault lies in the folder itself, and so does what this machine remembers."""
    folder = written(tmp_path / "all", FILES)
    machine = Machine(folder / "state", str(folder / "vault"))
    machine.init()
    machine("backup", folder)
    (folder / "extra").write_text("x")
    assert back(machine, "--remove-extra").data["removed"] == 1
    assert machine("verify", "--read-data").code == 0


def test_without_a_whole_safety_snapshot_nothing_is_restored(
    machine: Machine, office: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PageSource.__init__, "__kwdefaults__", {"patience": 0.05})
    made(office / "till.db", mode="delete").close()
    with kept(office / "till.db"):  # a program has it for itself, so it cannot be read
        assert back(machine).error == "sync-restore-unsafe"
        assert (office / "notes.txt").read_text() == "two"
        assert back(machine, "--no-safety").data["before"] is None
    assert (office / "notes.txt").read_text() == "one"


def test_a_database_that_is_open_stops_it_before_anything_is_written(machine: Machine, office: Path) -> None:
    made(office / "till.db").close()
    snapshot = machine("backup", office).data["snapshot"]
    (office / "notes.txt").write_text("three")
    with writers(office / "till.db", 1):
        came = machine("restore", snapshot, "--in-place")
        assert (came.code, came.error) == (8, "restore-database-open")
    assert (office / "notes.txt").read_text() == "three"
    assert machine("restore", snapshot, "--in-place").code == 0
    with closing(opened(office / "till.db")) as till:
        assert counted(till) == 0
    assert (office / "notes.txt").read_text() == "two"


def test_another_machines_snapshot_and_a_disk_that_is_away_are_refused(
    machine: Machine, office: Path, tmp_path: Path
) -> None:
    other = machine("backup", office, "--host", "elsewhere").data["snapshot"]
    came = machine("restore", other, "--in-place")
    assert (came.code, came.error) == (2, "restore-other-host")
    assert machine("restore", other, "--in-place", "--other-place").code == 0
    away = written(tmp_path / "mnt" / "disk", FILES)
    kept = machine("backup", away).data["snapshot"]
    (tmp_path / "mnt").rename(tmp_path / "unplugged")
    assert machine("restore", kept, "--in-place").error == "restore-no-place"
    assert not (tmp_path / "mnt").exists()
    assert machine("restore", kept, "--in-place", "--other-place").code == 0
    assert named(away) == FILES


def test_a_source_that_is_one_file_goes_back_under_its_own_name(machine: Machine, tmp_path: Path) -> None:
    """Two of one name: in the snapshot one of them is called otherwise."""
    files = [written(tmp_path / place, {"list.txt": place}) / "list.txt" for place in ("a", "b")]
    snapshot = machine("backup", *files).data["snapshot"]
    for file in files:
        file.write_text("changed")
    assert machine("restore", snapshot, "--in-place", "--remove-extra").code == 0
    assert [named(tmp_path / place) for place in ("a", "b")] == [{"list.txt": "a"}, {"list.txt": "b"}]


def test_interrupted_it_goes_on(machine: Machine, office: Path) -> None:
    (office / "合同" / "张三.txt").unlink()
    (office / "合同" / "张三.txt").mkdir()  # in the way
    came = back(machine, "--remove-extra")
    assert (came.code, [one["code"] for one in came.data["problems"]]) == (3, ["restore-in-the-way"])
    (office / "合同" / "张三.txt").rmdir()
    assert back(machine, "--remove-extra").code == 0
    assert named(office) == FILES


def test_a_home_that_went_back_in_place_is_held(machine: Machine, tmp_path: Path) -> None:
    home = written(
        tmp_path / "office", dict.fromkeys(("loanhub.toml", "data/key-check", "data/loanhub.db"), "x")
    )
    machine("backup", home)
    came = machine("restore", "latest", "--in-place", "--remove-extra")
    assert (came.code, came.data["held"]) == (0, [str(home)])
    held = held_by(Home(home))
    assert held is not None
    assert held.snapshot == came.data["snapshot"]


@pytest.mark.parametrize(
    "argv",
    [(), ("--in-place", "--to", "x"), ("--to", "x", "--remove-extra"), ("--to", "x", "--no-safety"),
     ("--in-place", "--no-safety", "--remove-extra")],
)  # fmt: skip
def test_options_that_do_not_go_together_are_refused(machine: Machine, argv: tuple[str, ...]) -> None:
    assert machine("restore", "latest", *argv).code == 2
