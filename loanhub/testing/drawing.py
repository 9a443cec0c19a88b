"""Draws an untidy sheet: titles and signatures, merged cells, blank and hidden rows, broken cells."""

from __future__ import annotations

import re
import shutil
import tempfile
import zipfile
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
import xlsxwriter
from attrs import frozen

from loanhub.testing.spelling import Cell, Heading
from loanhub.texts import Lang

_NEVER_STORED: Final = "never-stored"
_FORMATS: Final = {"general": "General", "text": "@", "date": "yyyy-mm-dd", "percent": "0.00%"}
_WORDS: Final[dict[Lang, dict[str, str]]] = {
    "zh": {
        "title": "安平农商银行贷款台账",
        "subtitle": "填报日期：2026年6月30日",
        "number": "序号",
        "customer": "客户信息",
        "loan": "贷款信息",
        "total": "合计",
        "made": "制表人：程思敏",
        "checked": "复核人：林建业",
    },
    "en": {
        "title": "Anping Rural Commercial Bank: register of loans",
        "subtitle": "Reported on 30 June 2026",
        "number": "Seq.",
        "customer": "Customer details",
        "loan": "Loan details",
        "total": "Total",
        "made": "Prepared by: Cheng Simin",
        "checked": "Checked by: Lin Jianye",
    },
}
SUMMED: Final = ("loan.amount", "loan.balance")


@frozen
class Layout:
    """Where things came to stand; rows as in the sheet, from 1. `header_row` is the one with the fields."""

    header_row: int
    rows: list[int]
    hidden: frozenset[int]


def draw(
    path: Path,
    name: str,
    headings: list[Heading],
    cells: list[dict[str, Cell]],
    *,
    lang: Lang,
    rng: np.random.Generator,
) -> Layout:
    """Write the sheet; headings and cells in order, the column `customer.branch` merged downwards."""
    layout, two_lines, titles = _placed(len(cells), rng)
    with xlsxwriter.Workbook(path) as workbook:
        looks = {look: workbook.add_format({"num_format": form}) for look, form in _FORMATS.items()}
        looks["bold"] = workbook.add_format({"bold": True, "align": "center", "border": 1})
        pen = _Pen(workbook.add_worksheet(name), looks, _WORDS[lang])
        pen.top(headings, titles, two_lines, layout.header_row)
        for place, (row, line) in enumerate(zip(layout.rows, cells, strict=True)):
            pen.sheet.write_number(row - 1, 0, place + 1)
            for column, heading in enumerate(headings, start=1):
                if heading.path != "customer.branch":
                    pen.cell(row - 1, column, line[heading.path])
        pen.branches(headings, layout.rows, cells)
        for row in layout.hidden:
            pen.sheet.set_row(row - 1, None, None, {"hidden": True})
        pen.bottom(headings, cells, layout.rows[-1] if layout.rows else layout.header_row)
    _forget_results(path)
    return layout


def _placed(count: int, rng: np.random.Generator) -> tuple[Layout, bool, int]:
    """Rows of the data, with blank ones between and hidden ones among them; header lines and titles above."""
    titles, two_lines = int(rng.integers(0, 3)), bool(rng.random() < 0.6)
    header = titles + (2 if two_lines else 1)
    blanks = rng.random(count) < 0.03
    rows = (header + 1 + np.arange(count) + np.cumsum(blanks) - (blanks[0] if count else 0)).tolist()
    hidden = frozenset(row for row, gone in zip(rows, rng.random(count) < 0.04, strict=True) if gone)
    return Layout(header, rows, hidden), two_lines, titles


@frozen
class _Pen:
    """Writes the parts of one sheet; rows and columns from 0 here."""

    sheet: Any
    looks: dict[str, Any]
    words: dict[str, str]

    def cell(self, row: int, column: int, cell: Cell) -> None:
        """One cell; an empty one is not written."""
        if cell.error is not None:
            self.sheet.write_formula(row, column, "=NA()", self.looks["general"], cell.error)
        elif cell.formula:
            self.sheet.write_formula(row, column, "=A1*0", self.looks["general"], _NEVER_STORED)
        elif isinstance(cell.value, str):
            self.sheet.write_string(row, column, cell.value, self.looks[cell.look])
        elif cell.value is not None:
            self.sheet.write_number(row, column, cell.value, self.looks[cell.look])

    def top(self, headings: list[Heading], titles: int, two_lines: bool, header_row: int) -> None:
        """Title rows over the whole width, then one or two lines of headers."""
        bold, last = self.looks["bold"], len(headings)
        for row, word in enumerate(("title", "subtitle")[:titles]):
            self.sheet.merge_range(row, 0, row, last, self.words[word], bold)
        if two_lines:
            self.sheet.merge_range(header_row - 2, 0, header_row - 1, 0, self.words["number"], bold)
            customers = sum(h.path.startswith("customer.") for h in headings)
            self.sheet.merge_range(header_row - 2, 1, header_row - 2, customers, self.words["customer"], bold)
            self.sheet.merge_range(
                header_row - 2, customers + 1, header_row - 2, last, self.words["loan"], bold
            )
        else:
            self.sheet.write_string(header_row - 1, 0, self.words["number"], bold)
        for column, heading in enumerate(headings, start=1):
            self.sheet.write_string(header_row - 1, column, heading.text, bold)
            self.sheet.set_column(column, column, 16)

    def branches(self, headings: list[Heading], rows: list[int], cells: list[dict[str, Cell]]) -> None:
        """The branch of neighbouring rows in one merged cell; a blank row or another branch ends it."""
        column = next(i for i, h in enumerate(headings, start=1) if h.path == "customer.branch")
        said = [str(line["customer.branch"].value).strip() for line in cells]
        ends = [
            i
            for i, ((r, b), (s, c)) in enumerate(pairwise(zip(rows, said, strict=True)), start=1)
            if (s, c) != (r + 1, b)
        ]
        for start, end in pairwise([0, *ends, len(rows)] if rows else [0]):
            if end - start > 1:
                self.sheet.merge_range(rows[start] - 1, column, rows[end - 1] - 1, column, said[start])
            else:
                self.sheet.write_string(rows[start] - 1, column, said[start])

    def bottom(self, headings: list[Heading], cells: list[dict[str, Cell]], last: int) -> None:
        """A row of totals, and a row of signatures two below."""
        self.sheet.write_string(last, 0, self.words["total"], self.looks["bold"])
        for column, heading in enumerate(headings, start=1):
            if heading.path in SUMMED:
                numbers = [line[heading.path].value for line in cells]
                self.sheet.write_number(
                    last, column, round(sum(n for n in numbers if isinstance(n, int | float)), 2)
                )
        self.sheet.write_string(last + 2, 1, self.words["made"])
        self.sheet.write_string(last + 2, min(6, len(headings)), self.words["checked"])


def _forget_results(path: Path) -> None:
    """Take the marked results out of formulas, as programs leave them that write but never calculate."""
    with zipfile.ZipFile(path) as source:
        names = source.namelist()
        sheet = source.read("xl/worksheets/sheet1.xml").decode("utf-8")
        marked = rf'(<c r="[A-Z]+\d+"(?: s="\d+")?) t="str">(<f>[^<]*</f>)<v>{_NEVER_STORED}</v>'
        bare, count = re.subn(marked, r"\1>\2", sheet)
        if not count:
            return
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / "copy.xlsx"
            with zipfile.ZipFile(copy, "w", zipfile.ZIP_DEFLATED) as target:
                for name in names:
                    target.writestr(name, bare if name == "xl/worksheets/sheet1.xml" else source.read(name))
            source.close()
            shutil.move(copy, path)
