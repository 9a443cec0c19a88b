"""A drop folder watched: what comes to rest is taken in and answered, and nothing plain stays."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, Queue
from threading import Event, Thread
from typing import Any

import pytest
from attrs import define, field

from loanhub import settings
from loanhub.errors import Busy, Misconfigured
from loanhub.files import move
from loanhub.institution import Institution
from loanhub.jobs import Progress
from loanhub.keys import Secret
from loanhub.records import Query
from loanhub.services.intake import job
from loanhub.services.intake.acts import ORIGINAL, Original, write_original
from loanhub.services.intake.watching import Seen, take_once, watch_folders
from loanhub.system import lock
from tests.flows.conftest import Office
from tests.flows.sheets import HEAD, loan, office_in, workbook

LONG = 30.0
"""Seconds a test waits for the watcher on a busy machine before it fails."""
FAST = {"settle": 0.3, "every": 0.2}


@define
class Watcher:
    """A watcher at work in a thread of its own, and what it says."""

    office: Office
    said: Queue[Seen | BaseException] = field(factory=Queue)
    heard: list[Seen] = field(factory=list)

    @property
    def drop(self) -> Path:
        return self.office.house.home / "drop"

    def next(self, wanted: Callable[[Seen], Any]) -> Seen:
        """The next thing said that is as wanted; fails when nothing such is said for long."""
        deadline = time.monotonic() + LONG
        while (left := deadline - time.monotonic()) > 0:
            try:
                seen = self.said.get(timeout=left)
            except Empty:
                break
            if isinstance(seen, BaseException):
                raise seen
            self.heard.append(seen)
            if wanted(seen):
                return seen
        pytest.fail(f"not said within {LONG} s; said was {self.heard}")

    def batch(self) -> Any:
        """The next batch that ended or asks."""
        return self.next(lambda seen: seen.batch is not None).batch

    def quiet(self, seconds: float = 1.0) -> bool:
        """Whether nothing is said for a while."""
        try:
            self.heard.append(self.said.get(timeout=seconds))  # type: ignore[arg-type]
        except Empty:
            return True
        return False


@contextmanager
def watching(office: Office) -> Iterator[Watcher]:
    """Watch the drop folders until the end of the block."""
    stop, watcher = Event(), Watcher(office)

    def work() -> None:
        try:
            for seen in watch_folders(office.house, "zh", stop):
                if not isinstance(seen, Progress):
                    watcher.said.put(seen)
        except BaseException as error:  # noqa: BLE001 - the test is to see it
            watcher.said.put(error)

    thread = Thread(target=work, daemon=True)
    thread.start()
    try:
        yield watcher
    finally:
        stop.set()
        thread.join(LONG)
        assert not thread.is_alive()


@pytest.fixture
def busy(tmp_path: Path) -> Iterator[Office]:
    """An office whose watcher looks often."""
    with office_in(tmp_path, intake=FAST) as office:
        yield office


def left_behind(office: Office) -> list[str]:
    """Plain files that lie where none should be once the work is done."""
    home = office.house.home
    return [
        path.relative_to(home.root).as_posix()
        for name in ("processing", "drop", "tmp")
        for path in (home / name).rglob("*")
        if path.is_file()
    ]


def test_a_dropped_file_is_taken_in_sealed_and_answered(busy: Office, tmp_path: Path) -> None:
    path = workbook(tmp_path / "台账.xlsx", [HEAD, loan(1), loan(2, 贷款金额="若干")])
    plain = path.read_bytes()
    with watching(busy) as watcher:
        move(path, watcher.drop / path.name)
        batch = watcher.batch()
        assert (batch.status, batch.owner, batch.folder, batch.stored, batch.rejected) == (
            "stored",
            "前台",
            "drop",
            1,
            1,
        )
        assert left_behind(busy) == []
        report = busy.house.home / "returns" / "前台" / "台账.report.xlsx"
        assert Path(batch.report) == report
        assert report.is_file()
        (watcher.drop / "又一份.xlsx").write_bytes(plain)
        again = watcher.batch()
        assert (again.status, again.id) == ("duplicate", batch.id)
        assert left_behind(busy) == []
    sealed = busy.house.home / "archive" / batch.sha256[:2] / f"{batch.sha256}.sealed"
    assert plain[:64] not in sealed.read_bytes()


def test_the_original_is_given_back_with_a_reason_and_an_audit_line(busy: Office, tmp_path: Path) -> None:
    path = workbook(tmp_path / "台账.xlsx", [HEAD, loan(1)])
    plain = path.read_bytes()
    move(path, busy.house.home / "drop" / path.name)
    (seen,) = [s for s in take_once(busy.house, "zh", Event()) if isinstance(s, Seen)]
    assert seen.batch is not None
    desk, out = busy.house.desk(), tmp_path / "out"
    out.mkdir()
    with pytest.raises(Exception, match="reason-needed"):
        write_original(busy.house, desk, Original(seen.batch.id, str(out)))
    assert list(out.iterdir()) == []
    back = write_original(busy.house, desk, Original(seen.batch.id, str(out), "核对原表"))
    assert (back.name, back.read_bytes(), back.stat().st_mode & 0o077) == ("台账.xlsx", plain, 0)
    with pytest.raises(Exception, match="file-exists"):
        write_original(busy.house, desk, Original(seen.batch.id, str(out), "核对原表"))
    with busy.house.store.reading() as tx:
        lines = [line for line in tx.lines(0) if line.act == ORIGINAL.name]
    assert {(line.object, line.reason) for line in lines} == {(f"batch:{seen.batch.id}", "核对原表")}


def test_a_question_is_asked_in_the_drop_folder_and_answered_there(busy: Office, tmp_path: Path) -> None:
    head = [*HEAD[:3], "联系电话", *HEAD[3:]]
    row = loan(1)
    path = workbook(tmp_path / "台账.xlsx", [head, [*row[:3], "13900000001", *row[3:]]])
    with watching(busy) as watcher:
        move(path, watcher.drop / path.name)
        asked = watcher.batch()
        assert asked.status == "needs-mapping"
        paper = watcher.drop / "台账.xlsx.mapping.toml"
        text = paper.read_text(encoding="utf-8")
        assert '"联系电话" = "?"' in text
        assert busy.rows("customer").height == 0
        paper.write_text(text.replace('"?"', '"customer.shoe_size"'), encoding="utf-8")
        seen = watcher.next(lambda seen: seen.error is not None)
        assert isinstance(seen.error, Misconfigured)
        assert seen.error.code == "mapping-unknown-field"
        paper.write_text(text.replace('"?"', '"备用电话"'), encoding="utf-8")
        batch = watcher.batch()
        assert (batch.id, batch.status, batch.stored) == (asked.id, "stored", 1)
        assert left_behind(busy) == []
    assert busy.rows("customer")["backup_phone"].to_list() == ["13900000001"]


def test_a_wrong_answer_to_one_file_does_not_hold_up_another(busy: Office, tmp_path: Path) -> None:
    head = [*HEAD[:3], "联系电话", *HEAD[3:]]
    drop = busy.house.home / "drop"
    for number in (1, 2):
        row = loan(number)
        workbook(
            drop / f"{number}.xlsx",
            [[*head, f"备注{number}"], [*row[:3], f"1390000000{number}", *row[3:], None]],
        )
    list(take_once(busy.house, "zh", Event()))
    for number, answer in ((1, "customer.shoe_size"), (2, "customer.backup_phone")):
        paper = drop / f"{number}.xlsx.mapping.toml"
        paper.write_text(paper.read_text(encoding="utf-8").replace('"?"', f'"{answer}"'), encoding="utf-8")
    said = [s for s in take_once(busy.house, "zh", Event()) if isinstance(s, Seen)]
    assert [s.error.code for s in said if s.error] == ["mapping-unknown-field"]
    assert [s.batch.stored for s in said if s.batch] == [1]


def test_what_lies_where_a_mapping_would_holds_nothing_up(busy: Office) -> None:
    drop = busy.house.home / "drop"
    workbook(drop / "台账.xlsx", [HEAD, loan(1)])
    (drop / "台账.xlsx.mapping.toml").mkdir()
    said = [s for s in take_once(busy.house, "zh", Event()) if isinstance(s, Seen)]
    assert [(s.error, s.batch and s.batch.status) for s in said] == [(None, "stored")]
    assert left_behind(busy) == []


def test_a_workbook_still_open_is_waited_for_and_said_once(busy: Office, tmp_path: Path) -> None:
    path = workbook(tmp_path / "台账.xlsx", [HEAD, loan(1)])
    with watching(busy) as watcher:
        mark = watcher.drop / "~$台账.xlsx"
        mark.write_bytes(b"x" * 165)
        move(path, watcher.drop / path.name)
        seen = watcher.next(lambda seen: seen.notice)
        assert (seen.notice, seen.path.name) == ("file-still-open", "台账.xlsx")
        assert watcher.quiet()
        mark.unlink()
        assert watcher.batch().stored == 1


def test_a_folder_that_disappears_is_missed_and_looked_through_when_it_is_back(
    busy: Office, tmp_path: Path
) -> None:
    first, path = (workbook(tmp_path / f"{n}.xlsx", [HEAD, loan(n)]) for n in (1, 2))
    with watching(busy) as watcher:
        move(first, watcher.drop / first.name)
        assert watcher.batch().stored == 1
        away = watcher.drop.rename(tmp_path / "away")
        assert watcher.next(lambda seen: seen.notice).notice == "folder-lost"
        move(path, away / path.name)
        away.rename(watcher.drop)
        assert watcher.next(lambda seen: seen.notice).notice == "folder-back"
        assert watcher.batch().stored == 1


def test_a_file_is_not_taken_while_it_is_still_being_copied(busy: Office, tmp_path: Path) -> None:
    whole = workbook(tmp_path / "台账.xlsx", [HEAD, loan(1), loan(2)]).read_bytes()
    with watching(busy) as watcher, (watcher.drop / "台账.xlsx").open("wb") as copy:
        for start in range(0, len(whole), len(whole) // 4 + 1):
            copy.write(whole[start : start + len(whole) // 4 + 1])
            copy.flush()
            assert watcher.quiet(0.5) or start + len(whole) // 4 + 1 >= len(whole)
        batch = watcher.heard[-1].batch if watcher.heard else watcher.batch()
        assert batch is not None
        assert (batch.status, batch.stored) == ("stored", 2)


def test_a_file_that_another_process_kept_us_from_is_taken_in_afterwards(
    busy: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = workbook(tmp_path / "台账.xlsx", [HEAD, loan(1)])
    monkeypatch.setattr(
        "loanhub.jobs.run.__kwdefaults__", {"stop": None, "wait": 0.2}
    )  # ten seconds is long here
    with watching(busy) as watcher:
        with lock(busy.house.home / "data" / "intake.lock", wait=LONG):
            move(path, watcher.drop / path.name)
            seen = watcher.next(lambda seen: seen.error is not None)
            assert isinstance(seen.error, Busy)
        assert watcher.batch().stored == 1


def test_files_that_are_nobodys_workbook_are_left_alone(busy: Office) -> None:
    drop = busy.house.home / "drop"
    for name in ("~$台账.xlsx", "台账.tmp", ".台账.xlsx", "thumbs.db"):
        (drop / name).write_bytes(b"x")
    assert [s for s in take_once(busy.house, "zh", Event()) if isinstance(s, Seen)] == []
    assert sorted(path.name for path in drop.iterdir()) == sorted(
        ["~$台账.xlsx", "台账.tmp", ".台账.xlsx", "thumbs.db"]
    )


def test_a_file_dropped_acts_as_the_owner_of_its_folder(busy: Office) -> None:
    workbook(busy.house.home / "drop" / "台账.xlsx", [HEAD, loan(1)])
    list(take_once(busy.house, "zh", Event()))
    with busy.house.store.reading() as tx:
        lines = [line for line in tx.lines(0) if line.object == "batch:1"]
    assert {(line.who, line.role, line.via) for line in lines} == {("前台", "clerk", "drop:drop")}


def test_ingest_neither_moves_nor_changes_the_file_even_in_a_drop_folder(busy: Office) -> None:
    path = workbook(busy.house.home / "drop" / "台账.xlsx", [HEAD, loan(1)])
    before = (path.read_bytes(), path.stat().st_mtime_ns)
    assert busy.ingest(path).stored == 1
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    (seen,) = [s for s in take_once(busy.house, "zh", Event()) if isinstance(s, Seen)]
    assert seen.batch is not None
    assert seen.batch.status == "duplicate"
    assert left_behind(busy) == []


def test_a_batch_goes_on_as_it_began_whatever_was_set_since(busy: Office, tmp_path: Path) -> None:
    """Stopped after its first chunk; chunks have another size since, and its headers another meaning."""
    house = busy.house
    values = {"institution": "测试小贷", "drop": [{"folder": "drop", "owner": "前台"}]}
    path = house.home / "drop" / "台账.xlsx"
    workbook(path, [[*HEAD, "备注"], *([*loan(n), "甲"] for n in range(1, 41))])
    (house.home / "drop" / "台账.mapping.toml").write_text(
        '[columns]\n"备注" = "loan.purpose"\n', encoding="utf-8"
    )
    small = _reopened(busy, {**values, "intake": {"chunk": 10}})
    intake = job.Intake.of(small, "zh")
    work = intake.take(job.Incoming(path, path.name, small.settings.drop[0]))
    while next(work).note != "landing":
        pass
    work.close()
    small.close()
    (house.home / "drop" / "台账.mapping.toml").unlink()
    large = _reopened(busy, {**values, "intake": {"chunk": 7}})
    (seen,) = [s for s in take_once(large, "zh", Event()) if isinstance(s, Seen)]
    batch = seen.batch
    assert batch is not None
    assert (batch.rows, batch.stored, batch.chunks) == (40, 40, 4)
    with large.store.reading() as tx:
        assert set(tx.columns(Query("loan"))["purpose"]) == {"甲"}
    large.close()


def _reopened(office: Office, values: dict[str, Any]) -> Institution:
    settings.write(office.house.home, values)
    return Institution.open(
        office.house.home.root, unlock=lambda: Secret("correct horse"), clock=office.clock
    )


def test_a_report_still_open_in_excel_does_not_hold_up_the_next_batch(
    busy: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = busy.ingest(workbook(tmp_path / "台账.xlsx", [HEAD, loan(1)]))

    def kept(source: Path, target: Path) -> None:
        if target == Path(first.report):
            raise PermissionError  # as Windows does while another program has it open
        move(source, target)

    monkeypatch.setattr(job, "move", kept)
    second = busy.ingest(workbook(tmp_path / "台账.xlsx", [HEAD, loan(1), loan(2)]))
    assert (second.status, second.stored) == ("stored", 1)
    assert second.report != first.report
    assert Path(second.report).is_file()


def test_old_reports_go_and_new_ones_stay(busy: Office, tmp_path: Path) -> None:
    old = Path(busy.ingest(workbook(tmp_path / "旧.xlsx", [HEAD, loan(1)])).report)
    new = Path(busy.ingest(workbook(tmp_path / "新.xlsx", [HEAD, loan(2)])).report)
    long_ago = time.time() - 15 * 86_400
    os.utime(old, (long_ago, long_ago))
    list(take_once(busy.house, "zh", Event()))
    assert (old.exists(), new.exists()) == (False, True)
