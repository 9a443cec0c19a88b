"""Files that do not rest: replaced, written to, growing, badly named. What was there is what is stored."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from loanhub.desk import Desk
from loanhub.errors import Busy
from loanhub.files import Settler, safe_name, scan
from loanhub.services.intake import steps
from loanhub.services.intake.acts import Original, write_original
from loanhub.services.intake.watching import Seen, take_once
from tests.flows.conftest import Office
from tests.flows.sheets import office_in

HEAD = "客户姓名,手机号码,借据号,贷款金额,期限\n"


def text(*numbers: int) -> bytes:
    rows = (f"张{n},138{n:08},JJ{n},{n}0000,12个月\n" for n in numbers)
    return (HEAD + "".join(rows)).encode()


@pytest.fixture
def dropped(tmp_path: Path) -> Iterator[Office]:
    with office_in(tmp_path) as office:
        yield office


def taken(office: Office) -> list[Seen]:
    return [seen for seen in take_once(office.house, "zh", Event()) if isinstance(seen, Seen)]


def when(step: object, monkeypatch: pytest.MonkeyPatch, then: Callable[[], object]) -> None:
    """Do something else just before a desk does a step, once."""
    do, done = Desk.do, Event()

    def doing(self: Desk, act: Any, *rest: Any, **more: Any) -> Any:
        if act is step and not done.is_set():
            done.set()
            then()
        return do(self, act, *rest, **more)

    monkeypatch.setattr(Desk, "do", doing)


def loans(office: Office) -> set[str]:
    return set(office.rows("loan")["loan_no"])


def replaced(path: Path, content: bytes) -> None:
    beside = path.with_name("new")
    beside.write_bytes(content)
    beside.replace(path)


def test_a_file_replaced_while_its_digest_is_made_is_taken_as_what_it_became(
    dropped: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = dropped.house.home / "drop" / "台账.csv"
    path.write_bytes(text(1))
    when(steps.CLAIM, monkeypatch, lambda: replaced(path, text(2)))
    (seen,) = taken(dropped)
    assert isinstance(seen.error, Busy)
    assert (seen.error.code, path.read_bytes()) == ("file-changed", text(2))
    assert [s.batch.status for s in taken(dropped) if s.batch] == ["stored"]
    assert loans(dropped) == {"JJ2"}


def test_a_known_file_replaced_by_another_is_not_thrown_away(
    dropped: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = dropped.house.home / "drop" / "台账.csv"
    path.write_bytes(text(1))
    assert len(taken(dropped)) == 1
    path.write_bytes(text(1))
    when(steps.CLAIM, monkeypatch, lambda: replaced(path, text(1, 2)))
    (seen,) = taken(dropped)
    assert isinstance(seen.error, Busy)
    assert path.read_bytes() == text(1, 2)


def test_what_a_slow_writer_adds_after_the_file_was_taken_is_taken_as_well(
    dropped: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = dropped.house.home / "drop" / "台账.csv"
    path.write_bytes(text(1))
    writer = path.open("ab")

    def more() -> None:
        writer.write(text(2).removeprefix(HEAD.encode()))
        writer.close()

    when(steps.PLAN, monkeypatch, more)
    (seen,) = taken(dropped)
    assert seen.batch is not None
    assert (seen.batch.status, loans(dropped), path.read_bytes()) == ("stored", {"JJ1"}, text(1, 2))
    assert [s.batch.stored for s in taken(dropped) if s.batch] == [1]
    assert (loans(dropped), path.exists()) == ({"JJ1", "JJ2"}, False)


def test_a_file_given_to_ingest_and_changed_meanwhile_is_not_taken_for_what_it_was(
    office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "台账.csv"
    path.write_bytes(text(1))
    when(steps.CLAIM, monkeypatch, lambda: path.write_bytes(text(1, 2)))
    with pytest.raises(Busy, match="file-changed"):
        office.ingest(path)
    assert office.ingest(path).stored == 2
    assert list((office.house.home / "processing").iterdir()) == []


NAMES = [
    "\u202excod.台账.csv",  # shown as if it ended otherwise
    "台\x1b[2J账\r\n.csv",
    "﻿ 台账 .csv",
    "'; DROP TABLE loan; --.csv",
    "CON.csv",
    "=cmd|'!A1.csv",
    "é" * 110 + ".csv",
    "张" * 83 + ".csv",
    os.fsdecode("台账.csv".encode("gb18030")),  # from an old archive: not even text
]


@pytest.mark.skipif(os.name == "nt", reason="Windows lets nobody give a file such a name")
@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_a_file_may_have_any_name_and_its_report_has_a_safe_one(name: str, dropped: Office) -> None:
    (dropped.house.home / "drop" / name).write_bytes(text(1))
    (seen,) = taken(dropped)
    assert seen.batch is not None, seen.error
    assert seen.batch.status == "stored"
    report = Path(seen.batch.report)
    assert report.is_file()
    assert report.name == safe_name(report.name)
    out = dropped.folder / "out"
    out.mkdir()
    desk = dropped.house.desk()
    back = write_original(dropped.house, desk, Original(seen.batch.id, str(out / "back"), "核对"))
    assert back.read_bytes() == text(1)


def test_a_file_that_grows_for_minutes_is_taken_once_and_whole(tmp_path: Path) -> None:
    settler, said, path = Settler(settle=2.0), [], tmp_path / "a.csv"
    for second in range(300):
        if second % 2 == 0 and second < 240:
            with path.open("ab") as file:
                file.write(b"a,b\n")
        said += [(second, event) for event in settler.look(tmp_path, scan(tmp_path), float(second))]
    ((second, settled),) = said
    assert second >= 240
    assert getattr(settled, "size", 0) == path.stat().st_size == 120 * 4
