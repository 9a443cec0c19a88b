"""Writes .xlsx in blocks: a million rows in little memory, a tenth of the time of a cell at a time.

The XML of a block is put together by columns and goes to the zip in a second thread while the next block
is being read. Texts stand inline: a table of shared strings would have to be held until the end. They are
string cells in the format "text", so nothing in them is ever a formula.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final
from xml.sax.saxutils import quoteattr

import polars as pl
from attrs import define, field, frozen

from loanhub.services.sheets.cells import Cells
from loanhub.services.sheets.parts import (
    CONTENT_TYPES,
    DOCUMENT_RELATIONS,
    NAMESPACE,
    RELATIONS,
    STYLE_NUMBERS,
    Style,
    letters,
    styles,
)

LAST_ROW: Final = 1_048_576
MOST_BYTES: Final = 1_900_000_000
"""Of one sheet's XML: beyond 2 GiB a zip needs extensions that not every program reads."""
AT_ONCE: Final = 1_250
"""Rows whose XML is put together at once: some 2 MB, which the processor's caches like as well."""
FAST: Final = 1
"""The deflate level: half the time of the usual one for a tenth more bytes."""
PAGE_WIDTH: Final = 210
"""Characters of all columns together that a printed page takes and is read with ease."""
LINE, MOST_LINES = 13, 8
"""Points of a line in a row of several, and how many lines a row gets at most."""
LONGEST: Final = 32_000
"""Characters a cell may hold (Excel's limit is 32,767)."""
ESCAPES: Final = (
    (r"_(x[0-9A-Fa-f]{4}_)", "_x005F_${1}"),
    ("&", "&amp;"),
    ("<", "&lt;"),
    (">", "&gt;"),
    ("\r", "_x000D_"),
    (r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]", ""),
)
"""How texts are written: markup, Excel's own escapes, and what XML cannot hold."""
NEEDS_ESCAPE: Final = r"[&<>\r\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]|_x[0-9A-Fa-f]{4}_"
NEEDS_SPACE: Final = r"^\s|\s$|[\n\t]|  "


@frozen
class Head:
    """One column: its header, the style of its cells and of its header, its width in characters."""

    title: str
    style: Style
    width: float = 12
    quiet: bool = False


@define
class SheetStream:
    """A workbook being written, block by block."""

    heads: Sequence[Head]
    title: str
    frozen: int
    _archive: zipfile.ZipFile
    _pool: ThreadPoolExecutor
    sheets: int = 0
    rows: int = 0
    _open: IO[bytes] | None = None
    _row: int = 0
    _size: int = 0
    _pending: Future[None] | None = field(default=None, init=False)
    _areas: list[str] = field(factory=list, init=False)

    @classmethod
    @contextmanager
    def at(cls, path: Path, title: str, heads: Sequence[Head], frozen: int) -> Iterator[SheetStream]:
        """Write to `path`; `title` names the sheets, the first `frozen` columns stay in sight."""
        with (
            zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=FAST) as archive,
            ThreadPoolExecutor(1) as pool,
        ):
            stream = cls(heads, title, frozen, archive, pool)
            yield stream
            stream._finish()

    def write(self, cells: Sequence[Cells]) -> None:
        """Rows below those written so far; a sheet that is full is followed by another."""
        height = len(cells[0].texts)
        done = 0
        while done < height:
            if self._open is None or self._row >= LAST_ROW or self._size > MOST_BYTES:
                self._next_sheet()
            rows = min(height - done, LAST_ROW - self._row, AT_ONCE)
            part = [_sliced(cell, done, rows) for cell in cells]
            self._send(_rows_xml(part, self.heads, self._row + 1))
            self._row += rows
            done += rows
        self.rows += height

    # -- inside ----------------------------------------------------------------------------------------

    def _send(self, xml: bytes) -> None:
        """Hand a block to the other thread; the one before must be through, so no more than two are held."""
        self._settle()
        self._size += len(xml)
        assert self._open is not None
        self._pending = self._pool.submit(_write, self._open, xml)

    def _settle(self) -> None:
        if self._pending is not None:
            self._pending.result()
            self._pending = None

    def _next_sheet(self) -> None:
        self._close_sheet()
        self.sheets += 1
        self._open = self._archive.open(f"xl/worksheets/sheet{self.sheets}.xml", "w")
        self._row, self._size = 1, 0
        self._send(self._begin().encode())

    def _begin(self) -> str:
        columns = "".join(
            f'<col min="{i}" max="{i}" width="{head.width + 0.7:g}" style="{STYLE_NUMBERS[head.style]}" '
            'customWidth="1"/>'
            for i, head in enumerate(self.heads, 1)
        )
        corner = f"{letters(self.frozen)}2"
        title = "".join(
            f'<c r="{letters(i)}1" s="{STYLE_NUMBERS["head-quiet" if head.quiet else "head"]}" t="inlineStr">'
            f"<is><t>{_escaped(head.title)}</t></is></c>"
            for i, head in enumerate(self.heads)
        )
        selected = ' tabSelected="1"' if self.sheets == 1 else ""
        return (
            f'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n<worksheet {NAMESPACE}>'
            '<sheetPr><pageSetUpPr fitToPage="1"/></sheetPr>'
            f'<sheetViews><sheetView{selected} workbookViewId="0"><pane xSplit="{self.frozen}" ySplit="1" '
            f'topLeftCell="{corner}" activePane="bottomRight" state="frozen"/></sheetView></sheetViews>'
            f'<sheetFormatPr defaultRowHeight="16"/><cols>{columns}</cols>'
            f'<sheetData><row r="1" ht="24" customHeight="1">{title}</row>'
        )

    def _pages_wide(self) -> int:
        """Pages side by side, so that a print of many columns can still be read."""
        return max(1, round(sum(head.width for head in self.heads) / PAGE_WIDTH))

    def _close_sheet(self) -> None:
        if self._open is None:
            return
        area = f"A1:{letters(len(self.heads) - 1)}{self._row}"
        self._send(
            (
                f'</sheetData><autoFilter ref="{area}"/>'
                '<pageMargins left="0.4" right="0.4" top="0.5" bottom="0.6" header="0.3" footer="0.3"/>'
                '<pageSetup paperSize="9" orientation="landscape" fitToHeight="0" '
                f'fitToWidth="{self._pages_wide()}"/>'
                "<headerFooter><oddFooter>&amp;L&amp;A&amp;R&amp;P / &amp;N</oddFooter></headerFooter>"
                "</worksheet>"
            ).encode()
        )
        self._settle()
        self._open.close()
        self._areas.append(area)
        self._open = None

    def _finish(self) -> None:
        """The rest of the package; an export without rows has a sheet with its header."""
        if not self.sheets:
            self._next_sheet()
        self._close_sheet()
        names = [self.title, *(f"{self.title} {n}" for n in range(2, self.sheets + 1))]
        parts = {
            "[Content_Types].xml": CONTENT_TYPES.replace("{sheets}", self._each(_CONTENT_TYPE)),
            "_rels/.rels": RELATIONS,
            "xl/_rels/workbook.xml.rels": DOCUMENT_RELATIONS.replace("{sheets}", self._each(_RELATION)),
            "xl/workbook.xml": _workbook(names, self._areas, letters(self.frozen - 1)),
            "xl/styles.xml": styles(),
        }
        for name, text in parts.items():
            self._archive.writestr(name, text)

    def _each(self, pattern: str) -> str:
        return "".join(pattern.replace("{n}", str(n)) for n in range(1, self.sheets + 1))


_CONTENT_TYPE: Final = (
    '<Override PartName="/xl/worksheets/sheet{n}.xml" '
    'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/>'
)
_RELATION: Final = (
    '<Relationship Id="rId{n}" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/'
    'worksheet" Target="worksheets/sheet{n}.xml"/>'
)


def _write(out: IO[bytes], xml: bytes) -> None:
    out.write(xml)


def _sliced(cell: Cells, start: int, rows: int) -> Cells:
    numbers = cell.numbers if isinstance(cell.numbers, bool) else cell.numbers.slice(start, rows)
    return Cells(cell.texts.slice(start, rows), numbers)


def _workbook(names: Sequence[str], areas: Sequence[str], last: str) -> str:
    sheets = "".join(
        f'<sheet name={quoteattr(name)} sheetId="{n}" r:id="rId{n}"/>' for n, name in enumerate(names, 1)
    )
    defined = ""
    for n, (name, area) in enumerate(zip(names, areas, strict=True)):
        quoted = "'" + name.replace("'", "''") + "'"
        absolute = ":".join(f"${_split(corner)[0]}${_split(corner)[1]}" for corner in area.split(":"))
        sheet = f'localSheetId="{n}"'
        defined += (
            f'<definedName name="_xlnm._FilterDatabase" {sheet} hidden="1">'
            f"{_escaped(quoted)}!{absolute}</definedName>"
            f'<definedName name="_xlnm.Print_Titles" {sheet}>'
            f"{_escaped(quoted)}!$A:${last},{_escaped(quoted)}!$1:$1</definedName>"
        )
    return (
        f'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n<workbook {NAMESPACE}>'
        f"<bookViews><workbookView/></bookViews><sheets>{sheets}</sheets>"
        f"<definedNames>{defined}</definedNames></workbook>"
    )


def _split(corner: str) -> tuple[str, str]:
    column = corner.rstrip("0123456789")
    return column, corner[len(column) :]


# -- a block of rows -------------------------------------------------------------------------------


def _rows_xml(cells: Sequence[Cells], heads: Sequence[Head], first: int) -> bytes:
    """The XML of rows numbered from `first`."""
    height = len(cells[0].texts)
    numbers = pl.int_range(first, first + height, eager=True).cast(pl.String).alias("row")
    tall = _heights(cells, heads)
    parts = [pl.lit('<row r="'), pl.col("row"), pl.lit('"'), *([] if tall is None else [tall]), pl.lit(">")]
    frame = numbers.to_frame()
    for at, (cell, head) in enumerate(zip(cells, heads, strict=True)):
        frame = frame.with_columns(
            _cell_xml(cell, numbers, letters(at), STYLE_NUMBERS[head.style]).alias(f"x{at}")
        )
        parts.append(pl.col(f"x{at}"))
    parts.append(pl.lit("</row>"))
    rows = frame.select(pl.concat_str(parts, ignore_nulls=True).alias("rows"))["rows"]
    return str(rows.str.join("").item()).encode()


def _heights(cells: Sequence[Cells], heads: Sequence[Head]) -> pl.Expr | None:
    """The heights of rows whose long texts take several lines; None where all fit into one."""
    lines: pl.Series | None = None
    for cell, head in zip(cells, heads, strict=True):
        if head.style == "long":  # a Chinese character is three bytes and two columns wide
            wide = (cell.texts.str.len_bytes() + cell.texts.str.len_chars()) / 2 / head.width
            own = wide.ceil().clip(1, MOST_LINES).fill_null(1).cast(pl.Int32)
            lines = own if lines is None else pl.select(pl.max_horizontal(lines, own)).to_series()
    if lines is None or (lines == 1).all():
        return None
    height = pl.format(' ht="{}" customHeight="1"', lines * LINE + 4)
    return pl.when(pl.lit(lines) > 1).then(height).otherwise(pl.lit(""))


def _cell_xml(cell: Cells, rows: pl.Series, column: str, style: int) -> pl.Series:
    """The cells of one column, null where there is none."""
    if cell.numbers is True:
        return _number(cell.texts, rows, column, style)
    if cell.numbers is False:
        return _text(cell.texts, rows, column, style)
    number = _number(cell.texts, rows, column, style)
    return number.zip_with(cell.numbers, _text(cell.texts, rows, column, style))


def _number(texts: pl.Series, rows: pl.Series, column: str, style: int) -> pl.Series:
    start, end = f'<c r="{column}', f'" s="{style}"><v>'
    return pl.select(
        pl.concat_str([pl.lit(start), pl.lit(rows), pl.lit(end), pl.lit(texts), pl.lit("</v></c>")])
    ).to_series()


def _text(texts: pl.Series, rows: pl.Series, column: str, style: int) -> pl.Series:
    if texts.str.contains(NEEDS_ESCAPE).any():
        for found, written in ESCAPES:
            texts = texts.str.replace_all(found, written)
    if int(texts.str.len_bytes().max() or 0) > LONGEST:  # type: ignore[arg-type]
        texts = texts.str.slice(0, LONGEST)
    space = ' xml:space="preserve"' if texts.str.contains(NEEDS_SPACE).any() else ""
    texts = texts.set(texts == "", None) if (texts == "").any() else texts
    start, end = f'<c r="{column}', f'" s="{style}" t="inlineStr"><is><t{space}>'
    return pl.select(
        pl.concat_str([pl.lit(start), pl.lit(rows), pl.lit(end), pl.lit(texts), pl.lit("</t></is></c>")])
    ).to_series()


def _escaped(text: str) -> str:
    series = pl.Series([text])
    for found, written in ESCAPES:
        series = series.str.replace_all(found, written)
    return str(series[0])
