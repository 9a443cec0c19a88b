"""The comparison with other readers: a difference is known by its class, and what is not known is shown."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from math import inf, nan
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter

from loanhub.sheets import CellKind
from tests.corpus.agreement import CLASSES, SAME, UNEXPLAINED, agreements, class_of, main

K = CellKind


@pytest.mark.parametrize(
    ("text", "kind", "theirs", "expected"),
    [
        ("张三", K.TEXT, "张三", SAME),
        ("张三", K.TEXT, "李四", UNEXPLAINED),
        ("a\nb", K.TEXT, "a_x000D_\nb", "breaks"),
        ("200000", K.NUMBER, 200000.0, SAME),
        ("200000", K.NUMBER, 20000.0, UNEXPLAINED),
        ("4.9%", K.PERCENT, 0.049, "percent"),
        ("4.9%", K.PERCENT, 4.9, UNEXPLAINED),
        ("36期", K.NUMBER, 36, "shown with more"),
        ("￥1234.5", K.NUMBER, 1234.5, "shown with more"),
        ("00123", K.NUMBER, 123, SAME),
        ("36期", K.NUMBER, 35, UNEXPLAINED),
        ("119999199001011234", K.NUMBER, 1.1999919900101123e17, SAME),
        ("#DIV/0!", K.ERROR, "", "error"),
        ("#DIV/0!", K.ERROR, "#DIV/0!", SAME),
        (None, K.NO_VALUE, None, "no value"),
        (None, K.EMPTY, "x", "only theirs"),
        ("1", K.NUMBER, None, UNEXPLAINED),
        (" \n", K.TEXT, None, "blank text"),
        ("张三", K.TEXT, "", "left out"),
        ("NaN", K.ERROR, nan, "not finite"),
        ("1e999", K.ERROR, inf, "not finite"),
        ("TRUE", K.BOOL, True, SAME),
        ("TRUE", K.BOOL, False, UNEXPLAINED),
        ("2024-01-05", K.DATE, 45296, "date"),
        ("2024-01-05", K.DATE, datetime(2024, 1, 5), SAME),
        ("2024-01-05", K.DATE, date(2024, 1, 5), SAME),
        ("2024-01-05", K.DATE, datetime(2024, 1, 6), UNEXPLAINED),
        ("2024-01-05 13:00:00", K.DATE, datetime(2024, 1, 5, 13, 0, 0, 400_000), SAME),
        ("2024-01-05 13:00:01", K.DATE, datetime(2024, 1, 5, 13, 0, 0, 999_999), "moment"),
        ("1900-02-29", K.DATE, datetime(1900, 2, 28), "leap day"),
        ("12:00:00", K.TIME, time(12), SAME),
        ("36:00:00", K.TIME, timedelta(hours=36), "moment"),
        ("20240105", K.NUMBER, datetime(2024, 1, 5), "no date"),
    ],
)
def test_a_difference_is_of_a_known_class_or_unexplained(
    text: str | None, kind: CellKind, theirs: Any, expected: str
) -> None:
    assert class_of(text, kind, theirs) == expected
    assert expected in CLASSES or expected in (SAME, UNEXPLAINED)


def test_a_workbook_is_read_by_all_three_and_the_page_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, page = tmp_path / "books", tmp_path / "page.md"
    folder.mkdir()
    with xlsxwriter.Workbook(folder / "率.xlsx") as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["利率", 0.5])
        sheet.write_number(1, 0, 0.049, book.add_format({"num_format": "0.0%"}))
        sheet.write_formula(2, 0, "=1/0", None, "#DIV/0!")
    (folder / "broken.xlsx").write_bytes(b"PK\x03\x04 and no more")
    page.write_text("# Before\n<!-- table begins -->\nold\n<!-- table ends -->\nAfter\n", encoding="utf-8")
    assert main([str(folder), str(page)]) == 0
    assert "4 cells; calamine: 1 error, 1 percent, 2 same" in capsys.readouterr().out
    text = page.read_text(encoding="utf-8")
    assert text.startswith("# Before\n<!-- table begins -->\n2 workbooks; 1 of them")
    assert text.endswith("<!-- table ends -->\nAfter\n")
    assert "| 率.xlsx | calamine | error 1, percent 1 |" in text
    assert "| 率.xlsx | openpyxl | percent 1 |" in text
    assert "old" not in text


def test_only_workbooks_are_compared(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,b\n", encoding="utf-8")
    assert list(agreements(tmp_path)) == []
