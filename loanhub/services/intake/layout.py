"""Where the table is in a sheet: its header rows, its rows of data, and what around them is no data.

The header row is the one among the first twenty that names most fields; a line of group titles above it
(合并的大标题) is read together with it. Blank rows, totals, signatures and repeated headers are no data;
each is counted and named in the batch's decisions. `tables` finds several tables in one sheet.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final

import polars as pl
from attrs import evolve, field, frozen

from loanhub.readings.choices import choice_key
from loanhub.services.intake.spool import Spooled
from loanhub.sheets import EXAMPLES, RECORD_COLUMNS, CellKind

DEPTH: Final = 20
TITLES: Final = 3
"""Rows of title that may stand above a table below another."""
TOTALS: Final = re.compile(
    r"^(合计|总计|小计|累计|共计|汇总|本页合计|grand total|sub-?total|totals?)\s*([:：(（]|$)", re.IGNORECASE
)
SIGNATURES: Final = re.compile(
    r"^(制表|填表|复核|审核|经办|主管|负责人|单位|日期|填报|打印|联系人|说明|备注|注|数据来源|"
    r"prepared by|checked by|approved by|printed|note|source)[^\n]{0,12}[:：]",
    re.IGNORECASE,
)
REPORT_COLUMNS: Final = ("【原行号】", "【问题】", "【怎么改】", "[Row]", "[Problems]", "[How to fix]")
"""Columns that our own report adds; a corrected report is ingested as if they were not there."""

OWN_COLUMNS: Final = (*REPORT_COLUMNS, *RECORD_COLUMNS[0], *RECORD_COLUMNS[1])
"""Columns of our own sheets that are no fields: those of reports, and the two of exports."""

EXAMPLE: Final = re.compile(rf"^({'|'.join(map(re.escape, EXAMPLES))})")

REPORT_MARK: Final = "LoanHub ·"
"""How the first cell begins of a sheet that our own report adds; such a sheet is no data."""

Known = Callable[[str], bool]
"""Whether a header text names a field, for certain or perhaps."""

Line = Mapping[int, str]
"""The texts of one row, by column."""

LETTERED: Final = re.compile(r"^\([A-Z]{1,3}\)$")
"""What stands for the header of a column that has none: its letter, as in `(C)`."""

DATA: Final = re.compile(r"\d{6}|^[\d\s.,:/%-]+$")
"""What no header says: a number."""


def record_columns(headers: Mapping[int, str]) -> tuple[int, int] | None:
    """The two columns of an export among the headers."""
    at = {str(text).strip(): column for column, text in headers.items()}
    pairs = (pair for pair in RECORD_COLUMNS if set(pair) <= at.keys())
    return next(((at[mark], at[version]) for mark, version in pairs), None)


@frozen
class Table:
    """A table found in a sheet: `headers` by column (0 = A), `first` its first row of data, `last` its last
    (None: the end of the sheet), `place` its place among the tables of the sheet, from 1.

    `combined` holds for a two-line header the group title together with the line below. A `header_row` of 0
    says that there is none: the columns are then called by their letters.
    """

    sheet: Spooled
    headers: Mapping[int, str]
    header_row: int
    first: int
    combined: Mapping[int, str] = field(factory=dict)
    sure: bool = True
    """False when no header text was known: the columns are named, but nothing vouches for the row."""
    last: int | None = None
    place: int = 1

    @property
    def inside(self) -> pl.Expr:
        """The rows of the table among those of its sheet."""
        after = pl.col("row") >= self.first
        return after if self.last is None else after & (pl.col("row") <= self.last)


def find_table(sheet: Spooled, known: Known, header_row: int | None = None) -> Table | None:
    """The table of a sheet, or None when there is none. `header_row`: as a mapping file says, 0 for none."""
    head = sheet.head(DEPTH * 3)
    if head.height and str(head["c0"][0] if "c0" in head.columns else "").startswith(REPORT_MARK):
        return None
    lines = top_lines(head.filter(pl.col("row") <= DEPTH), range(sheet.width))
    if header_row == 0:
        begun = (row for row, texts in lines.items() if len(texts) > 1)
        return _headless(sheet, head, next(begun, min(lines, default=1)))
    if header_row is not None:
        texts = lines.get(header_row, {})
        return with_letters(Table(sheet, texts, header_row, header_row + 1), head) if texts else None
    best = best_line(lines, known)
    if best is None:
        return _unsure(sheet, head, lines)
    return with_letters(with_group(sheet, lines, best, known), head)


def top_lines(head: pl.DataFrame, columns: Iterable[int]) -> dict[int, Line]:
    """The texts of rows, of some columns."""
    wanted = list(columns)
    return {int(row["row"]): texts_of(row, wanted) for row in head.iter_rows(named=True)}


def best_line(lines: Mapping[int, Line], known: Known) -> int | None:
    """The row that names most fields, the first of several; None when none names any."""
    scored = {row: sum(known(t) for t in texts.values()) for row, texts in lines.items()}
    best = max(scored, key=lambda row: (scored[row], -row), default=None)
    return best if best is not None and scored[best] else None


def texts_of(row: Mapping[str, object], columns: Iterable[int]) -> dict[int, str]:
    """The texts and numbers of a row, by column."""
    kinds = (CellKind.TEXT, CellKind.NUMBER)
    return {
        i: str(row[f"c{i}"])
        for i in columns
        if row[f"c{i}"] is not None and row[f"k{i}"] in kinds and str(row[f"c{i}"]).strip()
    }


def with_letters(table: Table, head: pl.DataFrame, beyond: bool = False) -> Table:
    """The table with its columns of data that have no header, named by their letters.

    Such a column stands between or, with `beyond`, beside the others, and is filled in half the rows or more.
    """
    rows = head.filter(table.inside)
    span = range(sheet_width(head)) if beyond else range(min(table.headers), max(table.headers) + 1)
    nameless = [
        i
        for i in span
        if i not in table.headers
        and rows.height
        and int((rows[f"k{i}"] != CellKind.EMPTY).sum()) * 2 >= rows.height
    ]
    named = {**table.headers, **{i: f"({letters(i)})" for i in nameless}}
    return evolve(table, headers=dict(sorted(named.items())))


def sheet_width(head: pl.DataFrame) -> int:
    """The columns of a frame of cells."""
    return (head.width - 2) // 2


def letters(column: int) -> str:
    """A, B, ..., Z, AA: how a sheet calls a column."""
    return (letters(column // 26 - 1) if column >= 26 else "") + chr(ord("A") + column % 26)


def _headless(sheet: Spooled, head: pl.DataFrame, first: int) -> Table | None:
    """A table without a header: all its columns are called by their letters."""
    rows = head.filter(pl.col("row") >= first)
    there = [i for i in range(sheet_width(head)) if (rows[f"k{i}"] != CellKind.EMPTY).any()]
    headers = {i: f"({letters(i)})" for i in there}
    return Table(sheet, headers, 0, first, sure=False) if headers else None


def _unsure(sheet: Spooled, head: pl.DataFrame, lines: Mapping[int, Line]) -> Table | None:
    """No known header: the first row of two or more texts with rows below is offered for mapping.

    If that row holds numbers it is a row of data, and there is no header at all.
    """
    rows = sorted(lines)
    for place, row in enumerate(rows[:-1]):
        texts = lines[row]
        if len(texts) < 2 or len(lines[rows[place + 1]]) < 2:
            continue
        if any(DATA.search(text.strip()) for text in texts.values()):
            return _headless(sheet, head, row)
        return with_letters(Table(sheet, texts, row, row + 1, sure=False), head)
    return None


def with_group(sheet: Spooled, lines: Mapping[int, Line], best: int, known: Known) -> Table:
    """The header with the line of group titles above or the line of details below it, if there is one."""
    below = lines.get(best + 1, {})
    if _splits(sheet, best, below, known):
        return _two_lines(sheet, lines, best, best + 1)
    above = lines.get(best - 1, {})
    if above and any(m[0] == best - 1 and m[3] > m[1] for m in sheet.merges) and len(above) > 1:
        return _two_lines(sheet, lines, best - 1, best)
    tall = any(m[0] < best <= m[2] and m[1] == m[3] for m in sheet.merges)
    if above and tall:
        return _two_lines(sheet, lines, best - 1, best)
    return Table(sheet, lines[best], best, best + 1)


def _splits(sheet: Spooled, row: int, below: Line, known: Known) -> bool:
    """Whether the row below belongs to the header: merged titles above it, or it names fields itself."""
    wide = any(m[0] == row and m[3] > m[1] for m in sheet.merges)
    tall = any(m[0] == row and m[2] == row + 1 for m in sheet.merges)
    return bool(below) and (wide or tall) and any(known(t) for t in below.values())


def _two_lines(sheet: Spooled, lines: Mapping[int, Line], upper: int, lower: int) -> Table:
    groups = dict(lines.get(upper, {}))
    for first, left, _, right in sheet.merges:
        if first == upper and left in groups:
            groups.update(dict.fromkeys(range(left, right + 1), groups[left]))
    details = lines.get(lower, {})
    columns = sorted(set(groups) | set(details))
    headers = {i: details.get(i) or groups[i] for i in columns}
    combined = {i: groups[i] + details[i] for i in columns if i in groups and i in details}
    return Table(sheet, headers, upper, lower + 1, combined)


@frozen
class Rows:
    """The rows of data of a table as raw cells (row, c*, k*), and what was left out: row to reason code."""

    cells: pl.DataFrame = field(repr=False)
    skipped: Mapping[int, str]
    filled: tuple[int, ...]
    """Columns whose merged cells were filled downwards."""
    hidden: int
    """Rows of data that are hidden in the sheet."""


def rows_of(table: Table, columns: list[int], fill: list[int]) -> Rows:
    """The data rows with the mapped `columns`; merged cells of the text columns `fill` are filled down."""
    seen = sorted({*columns, *table.headers})
    cells = table.sheet.cells(seen).filter(table.inside)
    cells, filled = _fill_down(table.sheet, cells, fill)
    filled_cells = pl.sum_horizontal(pl.col(f"k{i}") != CellKind.EMPTY for i in seen) if seen else pl.lit(0)
    cells = cells.with_columns(filled_cells.alias("filled"))
    skipped: dict[int, str] = {}
    blank = pl.col("filled") == 0
    cells = cells.filter(~blank)
    odd = cells.filter(_odd(table, seen))
    if record := record_columns(table.headers):  # a row of an export is data, whatever its first cell says
        mark = pl.col(f"c{record[0]}")
        odd = odd.filter(mark.is_null() | (mark == table.headers[record[0]]))
    for row in odd.iter_rows(named=True):
        reason = _reason(table, row, seen)
        if reason:
            skipped[int(row["row"])] = reason
    skipped.update(_titles(table, cells))
    if skipped:
        cells = cells.filter(~pl.col("row").is_in(list(skipped)))
    keep = ["row", "hidden", *(f"{letter}{i}" for i in dict.fromkeys(columns) for letter in "ck")]
    return Rows(cells.select(keep), skipped, tuple(filled), int(cells["hidden"].sum() or 0))


def _titles(table: Table, cells: pl.DataFrame) -> dict[int, str]:
    """Rows of one cell right above the table below: its title."""
    found: dict[int, str] = {}
    end = table.last
    if end is None or len(table.headers) < 3:
        return found
    near = dict(cells.filter(pl.col("row") > end - TITLES).select("row", "filled").iter_rows())
    for row in range(end, end - TITLES, -1):
        if near.get(row, 0) > 1:
            break
        if row in near:
            found[row] = "title-row"
    return found


def _odd(table: Table, seen: list[int]) -> pl.Expr:
    """Rows that may be no data, cheaply: a telling word in one of the first cells, or the header again."""
    first = [pl.col(f"c{i}") for i in seen[:4]]
    patterns = rf"(?i){TOTALS.pattern}|{SIGNATURES.pattern}|{EXAMPLE.pattern}"
    words = pl.coalesce(first).str.strip_chars().str.contains(patterns)
    again = pl.sum_horizontal((pl.col(f"c{i}") == t).fill_null(False) for i, t in table.headers.items()) >= 2
    return words.fill_null(False) | again


def _reason(table: Table, row: Mapping[str, object], seen: list[int]) -> str | None:
    texts = {i: str(row[f"c{i}"]).strip() for i in seen if row[f"c{i}"] is not None}
    if not texts:
        return None
    if sum(texts.get(i) == str(t).strip() for i, t in table.headers.items()) >= max(2, len(texts) // 2):
        return "header-again"
    first = texts[min(texts)]
    if EXAMPLE.match(first):
        return "example-row"
    if TOTALS.match(first) and not any(_known_number(texts, i, table) for i in texts):
        return "totals-row"
    return "signature-row" if SIGNATURES.match(first) and len(texts) <= max(4, len(seen) // 3) else None


def _known_number(texts: Mapping[int, str], column: int, table: Table) -> bool:
    """A row with an ID or loan number of its own is data, whatever its first cell says."""
    header = choice_key(table.headers.get(column, ""))
    return bool(re.search(r"身份证|借据|合同编号|idno|loanno", header)) and len(texts[column]) >= 8


def _fill_down(sheet: Spooled, cells: pl.DataFrame, fill: list[int]) -> tuple[pl.DataFrame, list[int]]:
    filled: list[int] = []
    for top, left, bottom, right in sheet.merges:
        if left == right and bottom > top and left in fill and f"c{left}" in cells.columns:
            inside = (pl.col("row") > top) & (pl.col("row") <= bottom)
            value = cells.filter(pl.col("row") == top)[f"c{left}"]
            if value.len() == 0 or value[0] is None:
                continue
            cells = cells.with_columns(
                pl.when(inside).then(pl.lit(value[0])).otherwise(pl.col(f"c{left}")).alias(f"c{left}"),
                pl.when(inside)
                .then(pl.lit(int(CellKind.TEXT), pl.UInt8))
                .otherwise(pl.col(f"k{left}"))
                .alias(f"k{left}"),
            )
            filled.append(left)
    return cells, sorted(set(filled))
