"""A folder goes back to an earlier day where it stands, and what stood there can be had back."""

from __future__ import annotations

from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from loanhub import Home
from loanhub.entities import Message
from loanhub.holding import held_by
from loanhub.institution import SystemClock
from sync_agent.pages import PageSource
from sync_agent.restore import in_place
from sync_agent.restore.writing import File
from tests.flows.syncing import Came, Machine, contents, written
from tests.flows.test_bare_machine import PASSPHRASE as OF_THE_OFFICE
from tests.flows.test_bare_machine import office_of
from tests.flows.test_resume import at_work
from tests.unit.counting import counted, made, opened
from tests.unit.test_pages import KEY, kept, writers
from tests.unit.test_restore import looked_at

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
    assert (came.code, came.data["files"], came.data["present"], came.data["deleted"]) == (0, 2, 1, 0)
    assert named(office) == {**FILES, "合同/王五.txt": "new", "scans/1.txt": "extra"}
    newest = machine("snapshots").data["snapshots"][-1]
    assert (newest["id"], newest["tags"]) == (came.data["before"], ["before-restore"])
    assert machine("restore", came.data["before"], "--in-place", "--delete-extra").code == 0
    assert named(office) == now


def test_what_is_extra_is_deleted_when_that_is_wanted(machine: Machine, office: Path) -> None:
    came = back(machine, "--delete-extra")
    assert (came.code, came.data["deleted"]) == (0, 3)
    assert named(office) == FILES
    assert not (office / "scans").exists()
    assert back(machine, "--delete-extra").data["deleted"] == 0


def test_only_parts_go_back_and_only_their_extras_go(machine: Machine, office: Path) -> None:
    assert back(machine, "--path", "office/合同/李四.txt").data["files"] == 1
    assert named(office)["notes.txt"] == "two"
    assert back(machine, "--path", "office/合同", "--delete-extra").data["deleted"] == 1
    assert named(office) == {**FILES, "notes.txt": "two", "scans/1.txt": "extra"}
    assert back(machine, "--include", "notes.txt").data["files"] == 1
    assert named(office) == {**FILES, "scans/1.txt": "extra"}
    assert back(machine, "--path", "office/none").error == "snapshot-no-such-path"


def test_what_is_never_backed_up_is_never_deleted(tmp_path: Path) -> None:
    """The vault lies in the folder itself, and so does what this machine remembers."""
    folder = written(tmp_path / "all", FILES)
    machine = Machine(folder / "state", str(folder / "vault"))
    machine.init()
    machine("backup", folder)
    (folder / "extra").write_text("x")
    assert back(machine, "--delete-extra").data["deleted"] == 1
    assert machine("verify", "--read-data").code == 0


def test_without_a_whole_safety_snapshot_nothing_is_restored(
    machine: Machine, office: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PageSource.__init__, "__kwdefaults__", {"patience": 0.05})
    made(office / "till.db", mode="delete").close()
    with kept(office / "till.db"):  # a program has it for itself, so it cannot be read
        assert back(machine).error == "sync-restore-unsafe"
        assert (office / "notes.txt").read_text() == "two"
    assert back(machine).code == 0
    assert (office / "notes.txt").read_text() == "one"


def test_a_database_that_is_open_stops_it_before_anything_is_written(machine: Machine, office: Path) -> None:
    made(office / "till.db").close()
    snapshot = machine("backup", office).data["snapshot"]
    (office / "notes.txt").write_text("three")
    with writers(office / "till.db", 1):
        came = machine("restore", snapshot, "--in-place")
        assert (came.code, came.error) == (8, "restore-database-open")
        assert (office / "notes.txt").read_text() == "three"
        assert machine("restore", snapshot, "--in-place", "--path", "office/till.db").code == 8
        assert machine("restore", snapshot, "--in-place", "--include", "notes.txt").data["files"] == 1
    (office / "notes.txt").write_text("four")
    assert machine("restore", snapshot, "--in-place").code == 0
    with closing(opened(office / "till.db")) as till:
        assert counted(till) == 0
    assert (office / "notes.txt").read_text() == "two"


def test_a_home_that_is_only_looked_at_stops_it_too(machine: Machine, office: Path) -> None:
    """Encrypted, and closed when it was taken: the snapshot does not know that it is a database."""
    made(office / "till.db", KEY).close()
    snapshot = machine("backup", office).data["snapshot"]
    (office / "notes.txt").write_text("three")
    with looked_at(office / "till.db", KEY):
        assert machine("restore", snapshot, "--in-place").error == "restore-database-open"
        held = machine("restore", "1", "--in-place", "--delete-extra")  # it is an extra there
        beside = {path.name for path in office.glob("till.db*")}
        machine("restore", snapshot, "--in-place", "--delete-extra", "--exclude", "till.db")
        assert {path.name for path in office.glob("till.db*")} == beside
    assert (held.code, {one["code"] for one in held.data["problems"]}) == (3, {"restore-not-deleted"})
    assert {Path(one["path"]).name for one in held.data["problems"]} == beside
    assert machine("restore", "1", "--in-place", "--delete-extra").code == 0
    assert named(office) == FILES


def test_another_machines_snapshot_and_a_disk_that_is_away_are_refused(
    machine: Machine, office: Path, tmp_path: Path
) -> None:
    other = machine("backup", office, "--host", "elsewhere").data["snapshot"]
    came = machine("restore", other, "--in-place")
    assert (came.code, came.error) == (2, "restore-other-host")
    assert machine("restore", other, "--in-place", "--host-differs").code == 0
    away = written(tmp_path / "mnt" / "disk", FILES)
    kept = machine("backup", away).data["snapshot"]
    (tmp_path / "mnt").rename(tmp_path / "unplugged")
    assert machine("restore", kept, "--in-place").error == "restore-no-place"
    assert not (tmp_path / "mnt").exists()
    (tmp_path / "unplugged").rename(tmp_path / "mnt")
    assert machine("restore", kept, "--in-place").code == 0
    assert named(away) == FILES


def test_a_source_that_is_one_file_goes_back_under_its_own_name(machine: Machine, tmp_path: Path) -> None:
    """Two of one name: in the snapshot one of them is called otherwise."""
    files = [written(tmp_path / place, {"list.txt": place}) / "list.txt" for place in ("a", "b")]
    snapshot = machine("backup", *files).data["snapshot"]
    for file in files:
        file.write_text("changed")
    assert machine("restore", snapshot, "--in-place", "--delete-extra").code == 0
    assert [named(tmp_path / place) for place in ("a", "b")] == [{"list.txt": "a"}, {"list.txt": "b"}]


def test_nothing_is_deleted_before_everything_else_was_done(machine: Machine, office: Path) -> None:
    (office / "合同" / "张三.txt").unlink()
    (office / "合同" / "张三.txt").mkdir()  # in the way
    came = back(machine, "--delete-extra")
    assert (came.code, [one["code"] for one in came.data["problems"]]) == (3, ["restore-in-the-way"])
    assert (came.data["files"], came.data["deleted"]) == (2, 0)
    (office / "合同" / "张三.txt").rmdir()
    assert back(machine, "--delete-extra").data["deleted"] == 3
    assert named(office) == FILES


@pytest.mark.parametrize("at", range(1, 5))
def test_interrupted_it_goes_on_and_what_stood_there_first_can_be_had_back(
    machine: Machine, office: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    """Two files are written and two of three extras deleted; it stops at one of these."""
    now, done = named(office), count()

    def stopping(step: Any) -> Any:
        def made(*told: Any) -> Any:
            if next(done) == at:
                raise KeyboardInterrupt
            return step(*told)

        return made

    with monkeypatch.context() as patched:
        patched.setattr(File, "finish", stopping(File.finish))
        patched.setattr(in_place, "_delete", stopping(in_place._delete))
        assert machine("restore", "latest", "--in-place", "--delete-extra").code == 130
    assert machine("restore", "latest", "--in-place", "--delete-extra").code == 0
    assert named(office) == FILES
    first = machine("snapshots").data["snapshots"][1]
    assert first["tags"] == ["before-restore"]
    assert machine("restore", first["id"], "--in-place", "--delete-extra").code == 0
    assert named(office) == now


def test_a_home_that_went_back_in_place_is_held(machine: Machine, tmp_path: Path) -> None:
    home = written(
        tmp_path / "office", dict.fromkeys(("loanhub.toml", "data/key-check", "data/loanhub.db"), "x")
    )
    machine("backup", home)
    came = machine("restore", "latest", "--in-place", "--delete-extra")
    assert (came.code, came.data["held"]) == (0, [str(home)])
    held = held_by(Home(home))
    assert held is not None
    assert held.snapshot == came.data["snapshot"]
    written(home, {"data/loanhub.db": "y", "later.txt": "z"})
    came = machine("restore", "1", "--in-place", "--delete-extra")  # the marker is extra too, and stays
    assert (came.code, came.data["deleted"]) == (0, 1)
    assert held_by(Home(home)) is not None


@pytest.mark.timeout(120)
def test_a_home_goes_back_in_place_and_sends_nothing_twice(tmp_path: Path) -> None:
    """What it did since is told by the safety snapshot, restored beside it."""
    home, _ = office_of(tmp_path / "office")
    machine = Machine(tmp_path / "state", str(tmp_path / "disk"), OF_THE_OFFICE)
    assert machine("init", "--home", home).code == 0
    assert machine("backup", home).code == 0
    with at_work(home, SystemClock()) as office:
        office.send()
        sent = {one.id for one in office.all(Message) if one.state == "sent"}
        assert machine.apart("restore", "1", "--in-place").error == "restore-database-open"
    came = machine("restore", "1", "--in-place")
    assert (came.code, came.data["held"]) == (0, [str(home)])
    old = tmp_path / "old"
    assert machine("restore", came.data["before"], "--path", "office", "--to", old).code == 0
    with at_work(home, SystemClock()) as office:
        assert not any(one.state == "sent" for one in office.all(Message))
        office.resume(old)
        assert {one.id for one in office.all(Message) if one.state == "sent"} == sent
    assert held_by(Home(home)) is None


@pytest.mark.parametrize(
    "argv",
    [(), ("--in-place", "--to", "x"), ("--to", "x", "--delete-extra"), ("--to", "x", "--host-differs")],
)  # fmt: skip
def test_options_that_do_not_go_together_are_refused(machine: Machine, argv: tuple[str, ...]) -> None:
    assert machine("restore", "latest", *argv).code == 2
