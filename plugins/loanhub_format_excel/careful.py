"""The careful way through a sheet's XML, with expat: prefixes, strict flavour, rich text, comments.

Slower than loanhub_format_excel.tokens, but it takes whatever is well-formed; it gives the same answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final
from xml.parsers import expat

import polars as pl

from loanhub import CellKind, Refused, block
from loanhub_format_excel.book import is_true, new_parser
from loanhub_format_excel.columns import MOST_COLUMNS, MOST_TEXT, Painter
from loanhub_format_excel.looks import NO_CELL, Cell, show
from loanhub_format_excel.package import Package
from loanhub_format_excel.texts import error_value, iso_moment, truth, unescaped
from loanhub_format_excel.tokens import LAST_COLUMN, LAST_ROW

ROWS_AT_ONCE: Final = 5_000
CELLS_AT_ONCE: Final = 500_000  # empty ones to the left included
DEEPEST: Final = 256
LONGEST_VALUE: Final = 16 << 20

_REFERENCE: Final = re.compile(r"([A-Z]{1,3})([0-9]{1,7})")
_RANGE: Final = re.compile(r"\$?([A-Z]{1,3})\$?([0-9]{1,7}):\$?([A-Z]{1,3})\$?([0-9]{1,7})")


def careful_blocks(
    package: Package, part: str, painter: Painter, after_row: int, findings: Any
) -> Iterator[pl.DataFrame]:
    """Blocks of the rows behind `after_row`. Raises Refused when the XML is not whole."""
    reader = _Reader(painter, after_row)
    for piece in package.pieces(part):
        reader.feed(piece, final=False)
        if reader.full:
            yield from reader.take()
    reader.feed(b"", final=True)
    yield from reader.take()
    findings.merges = tuple(reader.merges)
    if reader.cut_columns:
        findings.note("columns-cut")
    if reader.hidden_columns:
        findings.note("columns-hidden")


class _Reader:
    """Hears the parser's events and holds the rows finished since the last `take`."""

    def __init__(self, painter: Painter, after_row: int) -> None:
        self.merges: list[tuple[int, int, int, int]] = []
        self.hidden_columns = self.cut_columns = False
        self._painter = painter
        self._strings = len(painter.strings)
        self._after_row = after_row
        self._path: list[str] = [""]
        self._rows: list[tuple[int, bool, list[Cell]]] = []
        self._held = self._text_held = 0
        self._row, self._row_hidden, self._cells = 0, False, list[Cell]()
        self._cell: dict[str, str] = {}
        self._value: list[str] | None = None
        self._formula = False
        self._size = 0
        self._parser: Any = new_parser()
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text

    @property
    def full(self) -> bool:
        return len(self._rows) >= ROWS_AT_ONCE or self._held >= CELLS_AT_ONCE

    def feed(self, piece: bytes, *, final: bool) -> None:
        try:
            self._parser.Parse(piece, final)
        except (expat.ExpatError, LookupError, ValueError) as error:  # an encoding unknown or of many bytes
            raise Refused("not-whole") from error

    def take(self) -> Iterator[pl.DataFrame]:
        rows, self._rows, self._held, self._text_held = self._rows, [], 0, 0
        if rows:
            numbers = [number for number, _, _ in rows]
            hidden = {number for number, is_hidden, _ in rows if is_hidden}
            yield block(1, [cells for _, _, cells in rows], numbers=numbers, hidden=hidden)

    # -- what the parser tells --

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        own = name.rpartition(" ")[2]
        inside = self._path[-1]
        self._path.append(own)
        if len(self._path) > DEEPEST:
            raise Refused("not-whole")
        if own == "row" and inside == "sheetData":
            self._start_row(attributes)
        elif own == "c" and inside == "row":
            self._start_cell(attributes)
        elif own in ("v", "is") and inside == "c":
            self._value, self._size = [], 0
        elif own == "f" and inside == "c":
            self._formula = True
        elif own == "mergeCell":
            self._merge(attributes.get("ref", ""))
        elif own == "col" and inside == "cols" and is_true(attributes.get("hidden")):
            self.hidden_columns = True

    def _end(self, _name: str) -> None:
        own = self._path.pop()
        if own == "c" and self._path[-1] == "row":
            self._cells[-1] = self._meaning()
        elif own == "row" and self._path[-1] == "sheetData":
            self._end_row()

    def _text(self, text: str) -> None:
        if self._value is not None and self._is_value():
            self._size += len(text)
            if self._size > LONGEST_VALUE:
                raise Refused("too-large", part="cell")
            self._value.append(text)

    def _is_value(self) -> bool:
        """Whether what is heard is the cell's own value: extensions may hold elements of the same names."""
        if self._path[-1] == "v":
            return self._path[-2] == "c"
        return self._path[-1] == "t" and "is" in self._path and "rPh" not in self._path

    # -- rows and cells --

    def _start_row(self, attributes: dict[str, str]) -> None:
        number = attributes.get("r")
        if number is not None and not (number.isascii() and number.isdigit() and len(number) <= 7):
            raise Refused("not-whole")
        row = int(number) if number else self._row + 1
        if row <= self._row:
            raise Refused("disordered", row=row)
        if row > LAST_ROW:
            raise Refused("outside-sheet")
        self._row, self._row_hidden, self._cells = row, is_true(attributes.get("hidden")), []

    def _end_row(self) -> None:
        if len(self._cells) > MOST_COLUMNS < sum(1 for _, kind in self._cells if kind):
            self._cells, self.cut_columns = self._cells[:MOST_COLUMNS], True
        if self._row > self._after_row and any(kind for _, kind in self._cells):
            self._rows.append((self._row, self._row_hidden, self._cells))
            self._held += len(self._cells)

    def _start_cell(self, attributes: dict[str, str]) -> None:
        column = len(self._cells)
        if "r" in attributes:
            found = _REFERENCE.fullmatch(attributes["r"])
            if not found or int(found.group(2)) != self._row:
                raise Refused("disordered", row=self._row)
            column = column_number(found.group(1))
            if column < len(self._cells):
                raise Refused("disordered", row=self._row)
        if column > LAST_COLUMN:
            raise Refused("outside-sheet")
        self._cells += [NO_CELL] * (column + 1 - len(self._cells))
        self._cell, self._value, self._formula = attributes, None, False

    def _meaning(self) -> Cell:
        kind_of_cell = self._cell.get("t", "n")
        text, kind = self._shown("".join(self._value or ()), kind_of_cell)
        self._value = None
        if kind is CellKind.EMPTY and self._formula and kind_of_cell != "str":
            return None, CellKind.NO_VALUE
        self._text_held += len(text or "")
        if self._text_held > MOST_TEXT:
            raise Refused("too-large", part="strings")
        return text, kind

    def _shown(self, stored: str, kind_of_cell: str) -> Cell:
        if kind_of_cell == "n":
            style = self._cell.get("s", "0")
            look = self._painter.book.look(int(style) if style.isascii() and style.isdigit() else 0)
            return show(stored, look, self._painter.book.from_1904)
        if kind_of_cell == "s":
            text = self._shared(stored)
        elif kind_of_cell in ("str", "inlineStr"):
            text = unescaped(stored) or None
        elif kind_of_cell == "b":
            return truth(stored)
        elif kind_of_cell == "e":
            return error_value(stored.replace("&", "&amp;"))
        elif kind_of_cell == "d":
            return iso_moment(stored)
        else:
            raise Refused("not-whole")
        return text, CellKind.EMPTY if text is None else CellKind.TEXT

    def _shared(self, stored: str) -> str | None:
        stored = stored.strip()
        if not stored:
            return None
        if not (stored.isascii() and stored.isdigit()) or int(stored) >= self._strings:
            raise Refused("string-missing")
        found: str | None = self._painter.strings.item(int(stored))
        return found

    def _merge(self, reference: str) -> None:
        found = _RANGE.fullmatch(reference)
        if found:
            left, top, right, bottom = found.groups()
            merge = (int(top), column_number(left), int(bottom), column_number(right))
            if 1 <= merge[0] <= merge[2] <= LAST_ROW and merge[1] <= merge[3] <= LAST_COLUMN:
                self.merges.append(merge)


@lru_cache(maxsize=LAST_COLUMN + 1)
def column_number(letters: str) -> int:
    """The position of a column from its letters: A is 0, XFD 16383."""
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number - 1
