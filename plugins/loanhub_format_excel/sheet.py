"""One sheet of an .xlsx as blocks: the quick way first, the careful way from the row where that fails."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import numpy as np
import polars as pl

from loanhub import Refused, Sheet
from loanhub_format_excel import straight, tokens
from loanhub_format_excel.book import SheetPart
from loanhub_format_excel.careful import careful_blocks
from loanhub_format_excel.columns import MOST_COLUMNS, Painter
from loanhub_format_excel.package import Package
from loanhub_format_excel.tokens import LAST_COLUMN, LAST_ROW, Unusual

CHUNK: Final = 8 << 20  # bytes of XML in a block: about 10,000 rows of 20 columns
LONGEST_ROW: Final = 64 << 20
LONGEST_FRAME: Final = 64 << 20  # what may stand before and after the rows
MOST_MERGES: Final = 1_000_000

Merge = tuple[int, int, int, int]

_UTF8: Final = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml(?![^>]*encoding=(?!['\"][Uu][Tt][Ff]-?8))[^>]*\?>\s*)?<worksheet[\s>]"
)
# No < inside a tag: a long run of tags that never end would else be looked through again from each of them.
_ROWS: Final = re.compile(rb"<sheetData(?: [^<>]*)?(/?)>")
_MERGE: Final = re.compile(
    rb'<(?:\w+:)?mergeCell\s[^<>]*?ref="\$?([A-Z]{1,3})\$?(\d{1,7}):\$?([A-Z]{1,3})\$?(\d{1,7})"'
)
_HIDDEN_COLUMN: Final = re.compile(rb'<(?:\w+:)?col\s[^<>]*hidden="(?:1|true)"')


def read_blocks(package: Package, part: SheetPart, painter: Painter, sheet: Sheet) -> Iterator[pl.DataFrame]:
    """The blocks of a sheet; its merges and notes are in `sheet.findings` when the blocks are read."""
    last_row = 0
    try:
        for block in _quick_blocks(package, part, painter, sheet):
            last_row = block["row"].item(-1)
            if block["hidden"].any():
                sheet.findings.note("rows-hidden")
            yield block
    except Unusual:
        pass
    else:
        return
    for block in careful_blocks(package, part.part, painter, last_row, sheet.findings):
        if block["hidden"].any():
            sheet.findings.note("rows-hidden")
        yield block


def _quick_blocks(
    package: Package, part: SheetPart, painter: Painter, sheet: Sheet
) -> Iterator[pl.DataFrame]:
    text = _SheetText(package.pieces(part.part))
    last_row = 0
    for chunk in text.rows():
        cells = _cells(chunk, last_row)
        last_row = int(cells.row_numbers[-1])
        yield from painter.blocks(_narrowed(cells, sheet))
    sheet.findings.merges = merges_in(text.after)
    if _HIDDEN_COLUMN.search(text.before):
        sheet.findings.note("columns-hidden")


def _cells(chunk: bytes, after_row: int) -> tokens.Cells:
    try:
        return straight.cells_of(chunk, after_row)
    except Unusual:
        return tokens.cells_of(chunk, after_row)


def _narrowed(cells: tokens.Cells, sheet: Sheet) -> tokens.Cells:
    """The cells of the first columns only when there are more of them than tables have."""
    if np.count_nonzero(np.bincount(cells.column)) <= MOST_COLUMNS:
        return cells
    sheet.findings.note("columns-cut")
    return cells.chosen(np.flatnonzero(cells.column < MOST_COLUMNS))


class _SheetText:
    """The bytes of a sheet part: what stands before the rows, the rows in chunks, what stands after."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self.before = b""
        self.after = b""
        self._pieces = pieces

    def rows(self) -> Iterator[bytes]:
        """Whole rows, about CHUNK bytes at a time. Raises Unusual when the frame around them is odd."""
        held, seen = self._begin(), 0
        while (end := held.find(b"</sheetData", seen)) < 0:
            cut = held.rfind(b"<row")
            if len(held) >= CHUNK and cut > 0:
                yield held[:cut]
                held = held[cut:]
            if len(held) > LONGEST_ROW:
                raise Refused("too-large", part="row")
            more = self._more(CHUNK)
            if not more:
                raise Unusual
            seen = max(len(held) - len(b"</sheetData"), 0)
            held += more
        rows = held[:end].rstrip()
        if rows:
            yield rows
        self._finish(held[end:])

    def _more(self, size: int) -> bytes:
        taken, total = [], 0
        for piece in self._pieces:
            taken.append(piece)
            total += len(piece)
            if total >= size:
                break
        return b"".join(taken)

    def _begin(self) -> bytes:
        held = b""
        while not (found := _ROWS.search(held)):
            more = self._more(1)
            if not more or len(held) > LONGEST_FRAME:
                raise Unusual
            held += more
        self.before = held[: found.start()]
        if not _UTF8.match(self.before) or b"<!" in self.before:
            raise Unusual
        rest = held[found.end() :].lstrip()
        return b"</sheetData" + rest if found.group(1) else rest + self._more(CHUNK)

    def _finish(self, held: bytes) -> None:
        parts, size = [held], len(held)
        for piece in self._pieces:
            parts.append(piece)
            size += len(piece)
            if size > LONGEST_FRAME:
                raise Refused("too-large", part="sheet")
        self.after = b"".join(parts)
        if b"</worksheet>" not in self.after or b"<!" in self.after or b"<sheetData" in self.after:
            raise Unusual


def merges_in(text: bytes) -> tuple[Merge, ...]:
    """The merged ranges that stand behind the rows."""
    found = []
    for left, top, right, bottom in _MERGE.findall(text):
        merge = (int(top), _column(left), int(bottom), _column(right))
        if 1 <= merge[0] <= merge[2] <= LAST_ROW and merge[1] <= merge[3] <= LAST_COLUMN:
            found.append(merge)
        if len(found) > MOST_MERGES:
            raise Refused("too-large", part="merges")
    return tuple(found)


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - ord("A") + 1
    return number - 1
