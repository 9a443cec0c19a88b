"""Every workbook we write: text stays text, nothing becomes a formula or a link, and it reads well.

with Workbook.at(path) as book:
    sheet = book.sheet("拒收")
    sheet.row(["姓名", "金额"], book.head)
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import xlsxwriter
from attrs import define, field, frozen
from xlsxwriter.utility import quote_sheetname, xl_col_to_name

from loanhub.errors import Usage
from loanhub.files import move, safe_name, saying_full
from loanhub.keys import Secret

LONGEST: Final = 32_000
"""Characters a cell may hold (Excel's limit is 32,767)."""
WIDEST: Final = 60
FONT: Final = "Microsoft YaHei"


@define
class SheetWriter:
    """One sheet, written row by row from the top; column widths follow what was written."""

    _sheet: Any
    _next: int = 0
    _widths: dict[int, int] = field(factory=dict)

    def row(
        self,
        cells: Sequence[object],
        style: Any = None,
        *,
        styles: Mapping[int, Any] | None = None,
        notes: Mapping[int, str] | None = None,
        fit: bool = True,
        height: float | None = None,
    ) -> None:
        """One row; `styles` and `notes` (cell comments) by column; `height` in points."""
        if height is not None:
            self._sheet.set_row(self._next, height)
        for column, cell in enumerate(cells):
            look = (styles or {}).get(column, style)
            self._cell(column, cell, look)
            if fit:
                self._widths[column] = max(self._widths.get(column, 8), _width(cell))
        for column, note in (notes or {}).items():
            self._sheet.write_comment(self._next, column, note[:1000], {"x_scale": 2, "font_size": 9})
        self._next += 1

    def _cell(self, column: int, cell: object, style: Any) -> None:
        if cell is None or cell == "":
            self._sheet.write_blank(self._next, column, None, style)
        elif isinstance(cell, (int, float)) and not isinstance(cell, bool):
            self._sheet.write_number(self._next, column, cell, style)
        else:
            self._sheet.write_string(self._next, column, str(cell)[:LONGEST], style)

    def print_wide(self) -> None:
        """Print it landscape, as wide as the paper."""
        self._sheet.set_landscape()
        self._sheet.set_paper(PAPER)
        self._sheet.fit_to_pages(1, 0)

    def freeze(self, rows: int, columns: int = 0) -> None:
        """Keep the first rows and columns in sight."""
        self._sheet.freeze_panes(rows, columns)

    def finish(self) -> None:
        """Set the widths."""
        for column, width in self._widths.items():
            self._sheet.set_column(column, column, min(width + 2, WIDEST))


@frozen
class FormColumn:
    """One column of a sheet to be filled in.

    `need` is how badly: must, some (of some products only) or may. `rule` is what Excel lets in, as
    XlsxWriter takes it; `marks` are formulas and the look (wrong, odd, missing) of cells, written
    for the second row. `note` is shown at the header.
    """

    header: str
    look: str
    width: float
    note: str
    need: str = "may"
    rule: Mapping[str, Any] | None = None
    marks: Sequence[tuple[str, str]] = ()
    example: object = None


FORM_LOOKS: Final[Mapping[str, str]] = {
    "text": "@",
    "long": "@",
    "choice": "@",
    "money": "#,##0.00",
    "percent": "0.00##%",
    "date": "yyyy-mm-dd",
    "time": "yyyy-mm-dd hh:mm",
    "whole": "0",
    "term": "0",
}
FORM_ROWS: Final = 20_000
"""Rows that a form is prepared for: what is below is taken in as well, but Excel checks nothing there."""
LAST_ROW, LAST_COLUMN = 1_048_575, 16_383
PAPER: Final = 9
"""A4."""
PAGE_WIDTH: Final = 210
"""Characters of all columns together that a printed page takes and is read with ease."""


@define
class Form:
    """A sheet to be filled in: a header nobody can break, an example, and checks while one types."""

    _book: Any
    _sheet: Any

    def lay_out(self, columns: Sequence[FormColumn], example_height: float = 20) -> None:
        """Everything: header, formats of whole columns, example row, checks, colours, print set-up."""
        free = self._format(locked=False)
        self._sheet.set_column(0, LAST_COLUMN, None, free)
        self._sheet.set_row(0, 34)
        for at, column in enumerate(columns):
            look = FORM_LOOKS[column.look]
            wrap: dict[str, Any] = {"text_wrap": True} if column.look == "long" else {}
            if look == "@":
                wrap["indent"] = 1
            self._sheet.set_column(at, at, column.width, self._format(num_format=look, locked=False, **wrap))
            self._sheet.write_string(0, at, column.header, self._head(column.need))
            self._sheet.write_comment(
                0, at, column.note[:1000], {"x_scale": 1.8, "y_scale": 1.4, "font_size": 9}
            )
            self._check(at, column)
        self._sheet.set_row(1, example_height)
        for at, column in enumerate(columns):
            self._example(at, column)
        self._finish(len(columns), sum(column.width for column in columns))

    def _format(self, **more: Any) -> Any:
        return self._book.add_format({"font_name": FONT, "font_size": 10, "valign": "vcenter", **more})

    def _head(self, need: str) -> Any:
        colours = {
            "must": ("#1F4E79", "#FFFFFF"),
            "some": ("#9DB9D6", "#12304B"),
            "may": ("#DDE7F0", "#12304B"),
        }
        back, front = colours[need]
        return self._format(
            bold=True, bg_color=back, font_color=front, text_wrap=True, align="center", border=1,
            border_color="#FFFFFF", num_format="@",
        )  # fmt: skip

    def _example(self, at: int, column: FormColumn) -> None:
        indent = {"indent": 1} if FORM_LOOKS[column.look] == "@" else {}
        style = self._format(
            **indent, italic=True, font_color="#8A6D3B", bg_color="#FFF8E1", bottom=4, bottom_color="#E0C97F",
            num_format=FORM_LOOKS[column.look], locked=False,
        )  # fmt: skip
        value = column.example
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            self._sheet.write_number(1, at, value, style)
        elif isinstance(value, (date, datetime)):
            self._sheet.write_datetime(1, at, value, style)
        elif value:
            self._sheet.write_string(1, at, str(value), style)
        else:
            self._sheet.write_blank(1, at, None, style)

    def _check(self, at: int, column: FormColumn) -> None:
        if column.rule is not None:
            self._sheet.data_validation(1, at, FORM_ROWS, at, dict(column.rule))
        colours = {
            "wrong": {"bg_color": "#F8C8C4", "font_color": "#9C0006"},
            "odd": {"bg_color": "#FFE3B8", "font_color": "#7A4B00"},
            "missing": {"bg_color": "#FFF3B0"},
        }
        for formula, look in column.marks:
            criteria = {
                "type": "formula",
                "criteria": formula,
                "format": self._book.add_format(colours[look]),
            }
            self._sheet.conditional_format(1, at, FORM_ROWS, at, criteria)

    def _finish(self, columns: int, width: float) -> None:
        self._sheet.freeze_panes(1, min(2, columns - 1))
        self._sheet.set_landscape()
        self._sheet.set_paper(PAPER)
        self._sheet.fit_to_pages(max(1, round(width / PAGE_WIDTH)), 0)
        self._sheet.repeat_columns(0, min(1, columns - 1))
        self._sheet.set_margins(0.4, 0.4, 0.5, 0.6)
        self._sheet.repeat_rows(0)
        # The whole height, so that every row is printed; written `A:N`, openpyxl does not understand it.
        area = f"$A$1:${_letter(columns - 1)}${LAST_ROW + 1}"
        self._sheet.print_area_range = f"{quote_sheetname(self._sheet.get_name())}!{area}"
        self._sheet.set_footer("&L&A&R&P / &N")
        allowed = ("format_cells", "format_columns", "format_rows", "insert_rows", "delete_rows", "sort")
        self._sheet.protect("", {**dict.fromkeys(allowed, True), "autofilter": True})


def _width(cell: object) -> int:
    line = max(str(cell if cell is not None else "").split("\n"), key=len)
    return sum(2 if ord(c) > 0x2E7F else 1 for c in line[:WIDEST])


@define
class Workbook:
    """A workbook being written; its styles are made once."""

    _book: Any
    _names: set[str] = field(factory=set)
    _sheets: list[SheetWriter] = field(factory=list)
    head: Any = None
    title: Any = None
    plain: Any = None
    wrong: Any = None
    wrap: Any = None

    @classmethod
    @contextmanager
    def at(cls, path: Path) -> Iterator[Workbook]:
        """Write in a hidden folder beside `path` and put it in place whole at the end, or leave nothing.

        Raises Busy("disk-full").
        """
        with (
            saying_full(path.parent),
            TemporaryDirectory(dir=path.parent, prefix=".", ignore_cleanup_errors=True) as room,
        ):
            draft = Path(room) / path.name
            options = {
                "constant_memory": True,
                "strings_to_formulas": False,
                "strings_to_urls": False,
                "strings_to_numbers": False,
                "in_memory": False,
                "tmpdir": room,
            }
            book = xlsxwriter.Workbook(str(draft), options)
            self = cls(book)
            self._make_styles()
            yield self
            for sheet in self._sheets:
                sheet.finish()
            book.close()
            move(draft, path)

    def _make_styles(self) -> None:
        base = {"font_name": FONT, "font_size": 10, "valign": "top"}
        self.plain = self._book.add_format({**base, "num_format": "@"})
        self.wrap = self._book.add_format({**base, "text_wrap": True})
        self.head = self._book.add_format(
            {**base, "bold": True, "bg_color": "#DDE7F0", "bottom": 1, "text_wrap": True}
        )
        self.title = self._book.add_format({**base, "bold": True, "font_size": 14})
        self.wrong = self._book.add_format(
            {**base, "bg_color": "#F8C8C4", "font_color": "#9C0006", "num_format": "@"}
        )

    def sheet(self, name: str) -> SheetWriter:
        """A new sheet, written from the top; see `_named`."""
        writer = SheetWriter(self._named(name))
        self._sheets.append(writer)
        return writer

    def form(self, name: str) -> Form:
        """A new sheet to be filled in."""
        return Form(self._book, self._named(name))

    def lists(self, name: str, lists: Sequence[Sequence[str]]) -> list[str]:
        """A hidden sheet with lists to choose from, a column each, and how a rule refers to them."""
        sheet = self._named(name)
        sheet.hide()
        for row in range(max(map(len, lists), default=0)):  # row by row, as little memory asks for
            for column, values in enumerate(lists):
                if row < len(values):
                    sheet.write_string(row, column, values[row])
        quoted = sheet.get_name().replace("'", "''")
        return [
            f"='{quoted}'!${_letter(column)}$1:${_letter(column)}${len(values)}"
            for column, values in enumerate(lists)
        ]

    def _named(self, name: str) -> Any:
        """A worksheet under a name that Excel takes: 31 characters, no forbidden sign, not twice."""
        clean = "".join("_" if c in "[]:*?/\\'" else c for c in safe_name(name))[:28] or "Sheet"
        unique, number = clean, 1
        while unique.casefold() in self._names:
            number += 1
            unique = f"{clean[:25]}_{number}"
        self._names.add(unique.casefold())
        return self._book.add_worksheet(unique)


def _letter(column: int) -> str:
    return xl_col_to_name(column)  # type: ignore[no-any-return]


# -- passwords -----------------------------------------------------------------------------------------


def need_encryption() -> None:
    """Raises Usage("password-extra-missing") unless the optional package for passwords is installed."""
    if find_spec("msoffcrypto") is None:
        raise Usage("password-extra-missing")


ROOMY: Final = 16_384
"""Bytes below which a workbook is lengthened by a comment of its zip before it is encrypted."""


def encrypt(path: Path, password: Secret) -> None:
    """Encrypt a finished workbook in place, as Excel's own "encrypt with password" does (agile, AES-256)."""
    need_encryption()
    from msoffcrypto.format.ooxml import OOXMLFile

    sealed = path.with_name(f"{path.name}.sealed")
    if path.stat().st_size < ROOMY:  # the library cuts the end off what fits its container's small sectors
        with zipfile.ZipFile(path, "a") as book:
            book.comment = b" " * ROOMY
    try:
        with path.open("rb") as plain, sealed.open("wb") as out:
            OOXMLFile(plain).encrypt(password.text(), out)
        move(sealed, path)
    finally:
        sealed.unlink(missing_ok=True)
