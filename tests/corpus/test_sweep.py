"""The sweep itself: hostile files made here end as they should, and no fault is overlooked."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import pytest
import xlsxwriter

from tests.corpus.sweep import EXPECTED, Line, Service, differences, keep, kept, memory, shown, sweep
from tests.plugins.books import HEAD, parts, write
from tests.plugins.locked import locked_xls

TABLE = "客户姓名,手机号码,借据号,贷款金额,期限\n张三,13800000001,JJ1,20万,12个月\n"
ROW = '<row r="1"><c r="A1"><v>1</v></c></row>'


def bomb(path: Path) -> None:
    write(path, {**parts(ROW), "xl/worksheets/sheet1.xml": "<worksheet><sheetData>" + " " * (40 << 20)})


def doctype(path: Path) -> None:
    lol = '<!DOCTYPE sst [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]><sst><si><t>&b;</t></si></sst>'
    write(path, {**parts(ROW), "xl/sharedStrings.xml": HEAD + lol})


def truncated(path: Path) -> None:
    write(path, parts(ROW))
    path.write_bytes(path.read_bytes()[:-200])


def far_apart(path: Path) -> None:
    write(path, parts(ROW + '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'))


def open_question(path: Path) -> None:
    path.write_text(TABLE.replace("期限", "利率").replace("12个月", "0.5"), encoding="gb18030")


def good_workbook(path: Path) -> None:
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        for row, cells in enumerate(csv.reader(io.StringIO(TABLE.replace("JJ1", "JJ2")))):
            sheet.write_row(row, 0, cells)


FILES: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "bomb.xlsx": (bomb, "refused", "zip-bomb"),
    "doctype.xlsx": (doctype, "refused", "doctype"),
    "empty.xlsx": (lambda path: path.write_bytes(b""), "refused", "file-empty"),
    "encrypted.xls": (lambda path: locked_xls(path, "x", [1]), "refused", "password-protected"),
    "far.xlsx": (far_apart, "refused", "no-usable-columns"),
    "good.csv": (lambda path: path.write_text(TABLE, encoding="utf-8"), "stored", ""),
    "good.et": (good_workbook, "stored", ""),
    "open.csv": (open_question, "needs-mapping", ""),
    "page.xls": (lambda path: path.write_text("<html><table>"), "refused", "not-a-real-workbook"),
    "truncated.xlsx": (truncated, "refused", "not-whole"),
}


def test_hostile_files_end_with_a_reason_and_good_ones_are_stored(tmp_path: Path) -> None:
    for name, (make, _, _) in FILES.items():
        make(tmp_path / name)
    lines = list(sweep(tmp_path))
    assert {line.name: (line.outcome, line.code) for line in lines} == {
        name: (outcome, code) for name, (_, outcome, code) in FILES.items()
    }
    assert differences(lines, {}) == []
    assert memory(1) == 0 or all(50 < line.peak < 1_500 for line in lines)


def test_a_service_that_dies_is_seen_and_started_anew(tmp_path: Path) -> None:
    good = tmp_path / "good.csv"
    good.write_text(TABLE, encoding="utf-8")
    with Service(tmp_path / "home") as service:
        assert service.take(good, "good.csv").outcome == "stored"
        service.kill()
        line = service.take(good, "good.csv")
        assert (line.outcome, service.alive) == ("died", False)
    assert differences([line], {}) == ["good.csv: died"]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (Line("a", "refused", "doctype"), []),
        (Line("a", "stored"), ["a: stored, not refused doctype as kept"]),
        (Line("a", "refused", "not-whole"), ["a: refused not-whole, not refused doctype as kept"]),
        (Line("a", "refused", "doctype", seconds=61), ["a: took 61 s"]),
        (Line("a", "refused", "doctype", peak=1501), ["a: took 1501 MB"]),
        (Line("new", "needs-mapping"), []),
        (Line("new", "hung"), ["new: hung"]),
        (Line("new", "failed", "disk-full"), ["new: failed disk-full"]),
    ],
)
def test_what_is_otherwise_than_kept_is_told(line: Line, told: list[str]) -> None:
    assert differences([line], {"a": ("refused", "doctype")}) == told


def test_the_table_is_kept_and_read_again(tmp_path: Path) -> None:
    lines = [Line("夹/a,b.xlsx", "refused", "doctype", 1.0, 99.0), Line("c.csv", "stored")]
    keep(lines, tmp_path / "table.csv")
    assert kept(tmp_path / "table.csv") == {"夹/a,b.xlsx": ("refused", "doctype"), "c.csv": ("stored", "")}


def test_the_kept_table_has_only_good_ends() -> None:
    assert len(kept()) > 70
    assert [Line(name, *end).faults() for name, end in kept().items() if Line(name, *end).faults()] == []
    assert EXPECTED.stat().st_size < 10_000, "names and results only"


def test_a_name_cannot_turn_the_terminal_upside_down() -> None:
    assert shown("a\x1b[2J\u202e.xlsx") == "a?[2J?.xlsx"
