"""Every workbook we write: text stays text, nothing becomes a formula or a link, and it reads well.

with Workbook.at(path) as book:
    sheet = book.sheet("拒收")
    sheet.row(["姓名", "金额"], book.head)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import xlsxwriter
from attrs import define, field

from loanhub.errors import Usage
from loanhub.files import move, safe_name
from loanhub.keys import Secret

LONGEST: Final = 32_000
"""Characters a cell may hold (Excel's limit is 32,767)."""
WIDEST: Final = 60


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
    ) -> None:
        """One row; `styles` and `notes` (cell comments) by column."""
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

    def freeze(self, rows: int, columns: int = 0) -> None:
        """Keep the first rows and columns in sight."""
        self._sheet.freeze_panes(rows, columns)

    def finish(self) -> None:
        """Set the widths."""
        for column, width in self._widths.items():
            self._sheet.set_column(column, column, min(width + 2, WIDEST))


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
        """Write to a hidden file beside `path` and put it in place whole at the end."""
        draft = path.with_name(f".{path.name}.part")
        options = {
            "constant_memory": True,
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "strings_to_numbers": False,
            "in_memory": False,
            "tmpdir": str(path.parent),
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
        base = {"font_name": "Microsoft YaHei", "font_size": 10, "valign": "top"}
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
        """A new sheet under a name that Excel takes: 31 characters, no forbidden sign, not twice."""
        clean = "".join("_" if c in "[]:*?/\\'" else c for c in safe_name(name))[:28] or "Sheet"
        unique, number = clean, 1
        while unique.casefold() in self._names:
            number += 1
            unique = f"{clean[:25]}_{number}"
        self._names.add(unique.casefold())
        writer = SheetWriter(self._book.add_worksheet(unique))
        self._sheets.append(writer)
        return writer


# -- passwords -----------------------------------------------------------------------------------------


def need_encryption() -> None:
    """Raises Usage("password-extra-missing") unless the optional package for passwords is installed."""
    if find_spec("msoffcrypto") is None:
        raise Usage("password-extra-missing")


def encrypt(path: Path, password: Secret) -> None:
    """Encrypt a finished workbook in place, as Excel's own "encrypt with password" does (agile, AES-256)."""
    need_encryption()
    from msoffcrypto.format.ooxml import OOXMLFile

    sealed = path.with_name(f"{path.name}.sealed")
    try:
        with path.open("rb") as plain, sealed.open("wb") as out:
            OOXMLFile(plain).encrypt(password.text(), out)
        move(sealed, path)
    finally:
        sealed.unlink(missing_ok=True)
