"""Workbooks that only python-calamine reads: .xlsb and .ods, and .xls that xlrd gives up on.

It does not tell percent from a number, nor an error or a formula without value from an empty cell; every
sheet read this way carries the note `formats-unknown`.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from functools import partial
from itertools import islice
from types import TracebackType
from typing import Any, Final

import polars as pl
import python_calamine as reader

from loanhub import CellKind, Refused, Sheet, block
from loanhub_format_excel.columns import MOST_COLUMNS
from loanhub_format_excel.source import Source

CELLS_AT_ONCE: Final = 100_000
MOST_CELLS: Final = 40_000_000  # calamine holds every cell of the rectangle, about 80 bytes each


class _Reading:
    """Around every use of the reader: what it raises becomes a refusal, its panics too.

    A panic of its Rust code is a BaseException of a class that cannot be imported, so it is known by name.
    """

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None or error is None:
            return
        if kind.__name__ == "PanicException":
            raise Refused("reader-failed", reason="panic", where="calamine") from None
        if issubclass(kind, reader.PasswordError) or (
            issubclass(kind, reader.CalamineError) and "password" in str(error).lower()
        ):
            raise Refused("password-protected") from error
        if issubclass(kind, reader.CalamineError | OSError | ValueError):
            raise Refused("not-whole") from error


def calamine_sheets(source: Source) -> Iterator[Sheet]:
    """The worksheets in order. Raises Refused for a password or a broken file."""
    with _Reading():
        file = str(source.path) if source.held is None else source.open()
        book = reader.load_workbook(file)
    for about in book.sheets_metadata:
        if about.typ == reader.SheetTypeEnum.WorkSheet:
            hidden = about.visible != reader.SheetVisibleEnum.Visible
            cut = _sheet(book, about.name).total_width > MOST_COLUMNS
            said = {"formats-unknown": True, "sheet-hidden": hidden, "columns-cut": cut}
            notes = tuple(code for code, holds in said.items() if holds)
            yield Sheet(
                about.name,
                blocks=partial(_blocks, book, about.name),
                hidden=hidden,
                merges=_merges(book, about.name),
                notes=notes,
            )


def _merges(book: Any, name: str) -> tuple[tuple[int, int, int, int], ...]:
    ranges = _sheet(book, name).merged_cell_ranges or ()
    return tuple((top + 1, left, bottom + 1, right) for (top, left), (bottom, right) in ranges)


def _sheet(book: Any, name: str) -> Any:
    with _Reading():
        return book.get_sheet_by_name(name)


def _blocks(book: Any, name: str) -> Iterator[pl.DataFrame]:
    sheet = _sheet(book, name)
    if sheet.start is None:
        return
    if sheet.height * sheet.width > MOST_CELLS:
        raise Refused("too-large", part="sheet")
    first_row, indent = 1, [None] * sheet.start[1]  # leading rows are told, leading columns are not
    most = max(0, MOST_COLUMNS - len(indent))
    rows = sheet.iter_rows()
    height = max(1, CELLS_AT_ONCE // max(1, sheet.total_width))
    while some := _taken(rows, height):
        made = block(first_row, [indent + [_plain(value) for value in row[:most]] for row in some])
        first_row += len(some)
        if made.height:
            yield made


def _taken(rows: Iterator[list[Any]], height: int) -> list[list[Any]]:
    with _Reading():
        return list(islice(rows, height))


def _plain(value: Any) -> object:
    if isinstance(value, timedelta):
        seconds = round(value.total_seconds())
        minutes, second = divmod(seconds, 60)
        return f"{minutes // 60:02}:{minutes % 60:02}:{second:02}", CellKind.TIME
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return int(value)
    return value if isinstance(value, str | bool | int | float | datetime | date | time) else None
