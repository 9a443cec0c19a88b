"""Where the table is in a sheet: its header rows, its rows of data, and what around them is no data.

The header row is the one among the first twenty that names most fields; a line of group titles above it
(合并的大标题) is read together with it. Blank rows, totals, signatures and repeated headers are no data;
each is counted and named in the batch's decisions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

import polars as pl
from attrs import field, frozen

from loanhub.readings.choices import choice_key
from loanhub.services.intake.spool import Spooled
from loanhub.sheets import EXAMPLES, RECORD_COLUMNS, CellKind

DEPTH: Final = 20
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


def record_columns(headers: Mapping[int, str]) -> tuple[int, int] | None:
    """The two columns of an export among the headers."""
    at = {str(text).strip(): column for column, text in headers.items()}
    pairs = (pair for pair in RECORD_COLUMNS if set(pair) <= at.keys())
    return next(((at[mark], at[version]) for mark, version in pairs), None)


@frozen
class Table:
    """A table found in a sheet: `headers` by column (0 = A), `first` its first row of data.

    `combined` holds for a two-line header the group title together with the line below.
    """

    sheet: Spooled
    headers: Mapping[int, str]
    header_row: int
    first: int
    combined: Mapping[int, str] = field(factory=dict)
    sure: bool = True
    """False when no header text was known: the columns are named, but nothing vouches for the row."""


def find_table(sheet: Spooled, known: Known, header_row: int | None = None) -> Table | None:
    """The table of a sheet, or None when there is none. `header_row`: as a mapping file says."""
    head = sheet.head(DEPTH * 3)
    if head.height and str(head["c0"][0] if "c0" in head.columns else "").startswith(REPORT_MARK):
        return None
    head = head.filter(pl.col("row") <= DEPTH)
    lines = {int(r["row"]): _texts(r, sheet.width) for r in head.iter_rows(named=True)}
    if header_row is not None:
        texts = lines.get(header_row, {})
        return Table(sheet, texts, header_row, header_row + 1) if texts else None
    scored = {row: sum(known(t) for t in texts.values()) for row, texts in lines.items()}
    best = max(scored, key=lambda row: (scored[row], -row), default=None)
    if best is None:
        return None
    if scored[best] == 0:
        return _unsure(sheet, lines)
    return _with_group(sheet, lines, best, known)


def _texts(row: Mapping[str, object], width: int) -> dict[int, str]:
    kinds = (CellKind.TEXT, CellKind.NUMBER)
    return {
        i: str(row[f"c{i}"])
        for i in range(width)
        if row[f"c{i}"] is not None and row[f"k{i}"] in kinds and str(row[f"c{i}"]).strip()
    }


def _unsure(sheet: Spooled, lines: Mapping[int, dict[int, str]]) -> Table | None:
    """No known header: the first row of two or more texts with rows below is offered for mapping."""
    rows = sorted(lines)
    for place, row in enumerate(rows[:-1]):
        texts = lines[row]
        if len(texts) >= 2 and len(lines[rows[place + 1]]) >= 2:
            return Table(sheet, texts, row, row + 1, sure=False)
    return None


def _with_group(sheet: Spooled, lines: Mapping[int, dict[int, str]], best: int, known: Known) -> Table:
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


def _splits(sheet: Spooled, row: int, below: Mapping[int, str], known: Known) -> bool:
    """Whether the row below belongs to the header: merged titles above it, or it names fields itself."""
    wide = any(m[0] == row and m[3] > m[1] for m in sheet.merges)
    tall = any(m[0] == row and m[2] == row + 1 for m in sheet.merges)
    return bool(below) and (wide or tall) and any(known(t) for t in below.values())


def _two_lines(sheet: Spooled, lines: Mapping[int, dict[int, str]], upper: int, lower: int) -> Table:
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
    cells = table.sheet.cells(seen).filter(pl.col("row") >= table.first)
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
    if skipped:
        cells = cells.filter(~pl.col("row").is_in(list(skipped)))
    keep = ["row", "hidden", *(f"{letter}{i}" for i in columns for letter in "ck")]
    return Rows(cells.select(keep), skipped, tuple(filled), int(cells["hidden"].sum() or 0))


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
