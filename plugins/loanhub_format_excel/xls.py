"""Old workbooks, .xls of every age: xlrd, which knows percent, dates and hidden rows, then calamine."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import partial
from io import TextIOBase
from typing import Any, Final

import polars as pl
import xlrd
from xlrd.biffh import error_text_from_code
from xlrd.compdoc import CompDocError
from xlrd.formula import FormulaError

from loanhub import CellKind, Refused, Sheet, block
from loanhub_format_excel.calamine import calamine_sheets
from loanhub_format_excel.compound import refuse_circles
from loanhub_format_excel.looks import NO_CELL, PLAIN, Cell, Look, builtin_look, look_of, show
from loanhub_format_excel.source import Source

LARGEST: Final = 256 << 20  # bytes of the file; 65,536 rows of 20 columns take 15 MB
ROWS_AT_ONCE: Final = 5_000
_BROKEN: Final = (
    xlrd.XLRDError, CompDocError, FormulaError, struct.error, LookupError, ValueError, AssertionError,
    TypeError, AttributeError, EOFError, OverflowError, MemoryError, RecursionError, ZeroDivisionError,
    NotImplementedError,
)  # fmt: skip


class _Silence(TextIOBase):
    """Where xlrd's own remarks go: they may quote cells."""

    def write(self, text: str, /) -> int:
        return len(text)


def xls_sheets(source: Source) -> Iterator[Sheet]:
    """The sheets in order. Raises Refused for a password or a file neither library can read."""
    if source.size > LARGEST:
        raise Refused("too-large", part="xls")
    book = _open(source)
    if book is None:
        refuse_circles(source)
        yield from calamine_sheets(source)
        return
    for at in range(book.nsheets):
        sheet = _load(book, at)
        if sheet is not None:
            yield _sheet(book, sheet)


def _open(source: Source) -> Any:
    """The workbook by xlrd; None when xlrd cannot read it."""
    for formatting in (True, False):
        try:
            return xlrd.open_workbook(
                str(source.path),
                file_contents=source.held,
                formatting_info=formatting,
                on_demand=True,
                logfile=_Silence(),
            )
        except _BROKEN as error:
            if "encrypted" in str(error).lower() or "password" in str(error).lower():
                raise Refused("password-protected") from error
    return None


def _load(book: Any, at: int) -> Any:
    try:
        return book.sheet_by_index(at)
    except _BROKEN as error:
        raise Refused("not-whole") from error


def _sheet(book: Any, sheet: Any) -> Sheet:
    hidden = sheet.visibility != 0
    merges = tuple((top + 1, left, bottom, right - 1) for top, bottom, left, right in sheet.merged_cells)
    hidden_rows = {row + 1 for row, info in sheet.rowinfo_map.items() if info.hidden}
    notes = (("sheet-hidden",) if hidden else ()) + (("rows-hidden",) if hidden_rows else ())
    blocks = partial(_blocks, book, sheet, hidden_rows)
    return Sheet(sheet.name, blocks=blocks, hidden=hidden, merges=merges, notes=notes)


def _blocks(book: Any, sheet: Any, hidden: set[int]) -> Iterator[pl.DataFrame]:
    reader = _Reader(book)
    for first in range(0, sheet.nrows, ROWS_AT_ONCE):
        rows = [reader.row(sheet, row) for row in range(first, min(first + ROWS_AT_ONCE, sheet.nrows))]
        made = block(first + 1, rows, hidden=hidden)
        if made.height:
            yield made


class _Reader:
    """Cells of one workbook; looks are found once for each style."""

    def __init__(self, book: Any) -> None:
        self._book = book
        self._from_1904 = book.datemode == 1
        self._looks: dict[int | None, Look] = {}

    def row(self, sheet: Any, row: int) -> list[Cell]:
        types, values = sheet.row_types(row), sheet.row_values(row)
        styles = sheet._cell_xf_indexes[row] if self._book.formatting_info else [None] * len(types)  # noqa: SLF001
        return [self._cell(*one) for one in zip(types, values, styles, strict=True)]

    def _cell(self, kind: int, value: Any, style: int | None) -> Cell:
        if kind == xlrd.XL_CELL_TEXT:
            return (value, CellKind.TEXT) if value else NO_CELL
        if kind in (xlrd.XL_CELL_NUMBER, xlrd.XL_CELL_DATE):
            look = self._look(style)
            if kind == xlrd.XL_CELL_DATE and look.kind is not CellKind.TIME:
                look = Look(CellKind.DATE)
            return show(_stored(value), look, self._from_1904)
        if kind == xlrd.XL_CELL_BOOLEAN:
            return str(bool(value)).upper(), CellKind.BOOL
        if kind == xlrd.XL_CELL_ERROR:
            return error_text_from_code.get(value, "#N/A"), CellKind.ERROR
        return NO_CELL

    def _look(self, style: int | None) -> Look:
        if style not in self._looks:
            self._looks[style] = self._find_look(style)
        return self._looks[style]

    def _find_look(self, style: int | None) -> Look:
        if style is None or style >= len(self._book.xf_list):
            return PLAIN
        number = self._book.xf_list[style].format_key
        known = self._book.format_map.get(number)
        own = known is not None and number >= 164
        return look_of(known.format_str) if own else builtin_look(number)


def _stored(value: float) -> str:
    """The number as Excel would write it: whole numbers without a point, E for 16 digits and more."""
    if abs(value) < 1e15 and value == int(value):
        return str(int(value))
    return repr(value).upper()
