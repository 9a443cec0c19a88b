"""Tidy files of an invented book: one header row, one value a cell; workbooks of any size, and csv."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, Literal

import xlsxwriter

from loanhub.fields import FieldType
from loanhub.testing.book import Book, Content
from loanhub.testing.columns import MIXED_COLUMNS, Shown, known_fields, plain_text, shown
from loanhub.texts import Lang

Encoding = Literal["utf-8", "utf-8-sig", "gb18030"]

SHEETS: Final[dict[Content, tuple[str, str]]] = {
    "mixed": ("贷款台账", "Loan register"),
    "customers": ("客户", "Customers"),
    "loans": ("贷款", "Loans"),
    "receipts": ("还款记录", "Receipts"),
    "credit": ("信用记录", "Credit"),
    "follow_ups": ("跟进记录", "Follow-ups"),
    "collateral": ("押品", "Collateral"),
}
_FORMATS: Final = {
    "text": "@",
    "date": "yyyy-mm-dd",
    "time": "yyyy-mm-dd hh:mm",
    "money": "#,##0.00",
    "percent": "0.00%",
    "whole": "0",
}


def columns_of(book: Book, content: Content, columns: int | Sequence[str]) -> list[str]:
    """The field paths of a sheet: named ones, or the first so many (of a mixed sheet the commonest)."""
    if not isinstance(columns, int):
        return list(columns)
    known = known_fields()
    ages = {path for path, about in known.items() if about.name == "age" and about.type is FieldType.INTEGER}
    usual = MIXED_COLUMNS if content == "mixed" else book.table(content).columns
    return [path for path in usual if path in known and path not in ages][:columns]


def tidy_workbook(
    book: Book,
    path: Path,
    lang: Lang = "zh",
    columns: int | Sequence[str] = 20,
    contents: Sequence[Content] = ("mixed",),
) -> None:
    """Write an .xlsx with a sheet for each content, headers in `lang`, in constant memory.

    Numbers of people and loans are text cells, days are date cells, rates percent cells. `columns` is for
    the mixed sheet; the others have all their columns. 200,000 rows of 20 take about 20 s.
    """
    with xlsxwriter.Workbook(path, {"constant_memory": True}) as workbook:
        looks = {look: workbook.add_format({"num_format": form}) for look, form in _FORMATS.items()}
        bold = workbook.add_format({"bold": True})
        for content in contents:
            wanted = columns_of(book, content, columns if content == "mixed" else 1000)
            sheet = workbook.add_worksheet(SHEETS[content][0 if lang == "zh" else 1])
            sheet.freeze_panes(1, 0)
            table = shown(book.table(content), wanted, lang)
            for place, column in enumerate(table):
                sheet.set_column(place, place, 20 if column.look == "text" else 14, looks[column.look])
                sheet.write_string(0, place, column.header, bold)
            _write(sheet, table, looks)


def _write(sheet: Any, table: list[Shown], looks: dict[str, Any]) -> None:
    """The rows in order, as constant memory demands."""
    writers: list[tuple[int, Callable[..., int], Any]] = [
        (place, sheet.write_string if column.look == "text" else sheet.write_number, looks[column.look])
        for place, column in enumerate(table)
    ]
    for row, values in enumerate(zip(*(column.values for column in table), strict=True), start=1):
        for (place, write, look), value in zip(writers, values, strict=True):
            if value is not None:
                write(row, place, value, look)


def csv_file(
    book: Book,
    path: Path,
    lang: Lang = "zh",
    columns: int | Sequence[str] = 20,
    content: Content = "mixed",
    *,
    encoding: Encoding = "utf-8",
    separator: str = ",",
) -> None:
    """Write one sheet as csv: all values as texts, lines ended by CR LF as Excel does."""
    wanted = columns_of(book, content, columns)
    text = plain_text(book.table(content), wanted, lang).write_csv(
        separator=separator, line_terminator="\r\n"
    )
    path.write_bytes(text.encode(encoding))
