"""All tables of a sheet: one beside another, apart by an empty column, or below it, with a header of its own.

A sheet is one table unless a second one shows itself beyond doubt. Whatever stands between two tables is
counted with the upper one, so that every row of the sheet is accounted for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import polars as pl
from attrs import evolve, frozen

from loanhub.services.intake.layout import (
    DEPTH,
    Known,
    Line,
    Table,
    best_line,
    find_table,
    record_columns,
    top_lines,
    with_group,
    with_letters,
)
from loanhub.services.intake.spool import Spooled
from loanhub.services.intake.subjects import subject_of
from loanhub.sheets import CellKind

PROBES: Final = 3
"""Columns of numbers by which a row is told to be no data: where it has none in them."""
FAR: Final = 200
"""Columns to the right in which another table is looked for."""
NUMBER: Final = r"\d{5}"
"""What no header says."""
MOST: Final = 20_000
"""Rows without a number that are looked at in all: each may be a header, hardly one is."""
LEAST: Final = 2
"""Known headers that a second table must have at least."""


@frozen
class Names:
    """What headers mean: `known` for certain or perhaps, `means` the field path for certain, else empty."""

    known: Known
    means: Callable[[str], str]

    def tell(self, table: Table) -> bool:
        """Whether the headers say by themselves what their rows are about, and who or which."""
        return subject_of(self.fields(table)) is not None

    def fields(self, table: Table) -> set[str]:
        """The fields that are certain, of two header lines together or of one."""
        both = (
            self.means(table.combined.get(i, "")) or self.means(text) for i, text in table.headers.items()
        )
        return {path for path in both if path}


def find_tables(
    sheet: Spooled, names: Names, header_row: int | None = None, *, one: bool = False
) -> list[Table]:
    """The tables of a sheet in reading order, none when it has none.

    `header_row` as a mapping file says it, and `one`: then the sheet is one table whatever it looks like.
    """
    first = find_table(sheet, names.known, header_row)
    if first is None:
        return []
    if header_row is not None or one or not first.sure or record_columns(first.headers):
        return [first]
    found = [part for table, band in _beside(first, names) for part in _below(table, band, names)]
    return [evolve(table, place=place) for place, table in enumerate(found, 1)]


# -- beside --------------------------------------------------------------------------------------------


def _beside(first: Table, names: Names) -> list[tuple[Table, range]]:
    """The tables that stand beside each other at the top, each with the columns that belong to it."""
    sheet = first.sheet
    bands = _bands(first)
    whole = range(bands[0].start, bands[-1].stop)
    if len(bands) == 1:
        return [(first, whole)]
    head = sheet.head(DEPTH * 3)
    groups: list[tuple[Table | None, range]] = [(_in_band(sheet, head, bands[0], names), bands[0])]
    for band in bands[1:]:
        table, before = _in_band(sheet, head, band, names), groups[-1]
        if table is not None and before[0] is not None and _apart(before[0], table, names):
            groups.append((table, band))
            continue
        joined = range(before[1].start, band.stop)
        groups[-1] = (_in_band(sheet, head, joined, names) or before[0] or table, joined)
    found = [(table, band) for table, band in groups if table is not None]
    return found if len(found) > 1 else [(first, whole)]


def _bands(first: Table) -> list[range]:
    """Runs of columns with an empty column between them."""
    sheet, used = first.sheet, set(first.headers)
    others = [i for i in range(min(sheet.width, max(used) + FAR)) if i not in used]
    for frame in _blocks(sheet, [f"k{i}" for i in others]):
        used |= {int(name[1:]) for name in frame.columns if (frame[name] != CellKind.EMPTY).any()}
    bands: list[range] = []
    for column in sorted(used):
        if bands and bands[-1].stop == column:
            bands[-1] = range(bands[-1].start, column + 1)
        else:
            bands.append(range(column, column + 1))
    return bands


def _in_band(sheet: Spooled, head: pl.DataFrame, band: range, names: Names) -> Table | None:
    """The table at the top of some columns, when its headers tell what it is about."""
    lines = top_lines(head.filter(pl.col("row") <= DEPTH), band)
    best = best_line(lines, names.known)
    if best is None:
        return None
    inner = {row: line for row, line in lines.items() if line}
    table = with_letters(with_group(sheet, inner, best, names.known), head)
    return table if names.tell(table) else None


def _apart(left: Table, right: Table, names: Names) -> bool:
    """Whether two tables stand beside each other: other header rows, a field in both, or other rows."""
    fields = [names.fields(t) for t in (left, right)]
    if left.header_row != right.header_row or fields[0] & fields[1]:
        return True
    return not _filled(left).equals(_filled(right))


def _filled(table: Table) -> pl.Series:
    """The rows in which a table has anything."""
    marks = [f"k{i}" for i in table.headers]
    frames = [
        frame.filter(pl.any_horizontal(pl.col(n) != CellKind.EMPTY for n in frame.columns if n != "row"))
        for frame in _blocks(table.sheet, ["row", *marks])
        if frame.width > 1
    ]
    rows = pl.concat([frame.select("row") for frame in frames]) if frames else pl.DataFrame({"row": []})
    return rows.filter(pl.col("row") >= table.first)["row"]


# -- below ---------------------------------------------------------------------------------------------


def _below(first: Table, band: range, names: Names) -> list[Table]:
    """A table and those below it in the same columns, each from its header to the row before the next."""
    found = [first]
    for table in _headed(first, band, names):
        if table.header_row <= found[-1].first:
            continue  # right below a header stands its second line, or its repetition
        found[-1] = evolve(found[-1], last=table.header_row - 1)
        found.append(table)
    heads = [_rows(t.sheet, list(band), t.first, t.first + DEPTH * 2) for t in found[1:]]
    return [found[0], *(with_letters(t, head) for t, head in zip(found[1:], heads, strict=True))]


def _headed(first: Table, band: range, names: Names) -> Iterator[Table]:
    """Tables whose header stands further down; the same header again is none."""
    current: Line = first.headers
    likely = [row for row, texts in _texts_only(first, band).items() if _mostly_known(texts, names)]
    lines = _lines(first.sheet, band, [near for row in likely for near in (row - 1, row, row + 1)])
    for row in likely:
        around = {at: lines[at] for at in (row - 1, row, row + 1) if lines.get(at)}
        table = with_group(first.sheet, around, row, names.known)
        again = sum(table.headers.get(i) == text for i, text in current.items())
        if again * 2 < len(table.headers) and _is_header(table, names):
            yield table
            current = table.headers


def _is_header(table: Table, names: Names) -> bool:
    hits = sum(names.known(text) for text in table.headers.values())
    return hits >= LEAST and hits * 2 >= len(table.headers) and names.tell(table)


def _mostly_known(texts: Line, names: Names) -> bool:
    """Whether half of the texts name fields; of a header in two lines one line does."""
    return sum(map(names.known, texts.values())) * 2 >= len(texts)


def _texts_only(first: Table, band: range) -> dict[int, Line]:
    """Rows of two texts or more, and of nothing else, where the rows of data have numbers."""
    found: dict[int, Line] = {}
    kinds, texts = ([pl.col(f"{letter}{i}") for i in band] for letter in "kc")
    plain = pl.all_horizontal(kind <= CellKind.TEXT for kind in kinds)
    several = pl.sum_horizontal(kind == CellKind.TEXT for kind in kinds) >= LEAST
    long = pl.any_horizontal(text.str.contains(NUMBER).fill_null(False) for text in texts)
    for part, rows in _silent(first):
        few = part.cells(list(band)).filter(pl.col("row").is_in(rows.implode()), plain & several & ~long)
        found |= top_lines(few.head(MOST - len(found)), band)
        if len(found) == MOST:
            break
    return found


def _silent(first: Table) -> Iterator[tuple[Spooled, pl.Series]]:
    """Of each block the rows below the header without a number where the rows of data have one."""
    probes = _probes(first)
    for path in first.sheet.blocks if probes else ():
        part = evolve(first.sheet, blocks=(path,))
        silent = (
            ~pl.col(f"c{i}").str.contains(r"\d").fill_null(False) & (pl.col(f"k{i}") <= CellKind.TEXT)
            for i in probes
        )
        few = part.cells(probes).filter(pl.col("row") > first.first, *silent)
        if few.height:
            yield part, few["row"]


def _lines(sheet: Spooled, band: range, rows: Sequence[int]) -> dict[int, Line]:
    """The texts of a few rows, wherever they are."""
    wanted = pl.Series(rows, dtype=pl.UInt32)
    found: dict[int, Line] = {}
    for path in sheet.blocks if rows else ():
        if pl.read_ipc(path, columns=["row"])["row"].is_in(wanted.implode()).any():
            cells = evolve(sheet, blocks=(path,)).cells(list(band))
            found |= top_lines(cells.filter(pl.col("row").is_in(wanted.implode())), band)
    return found


def _probes(first: Table) -> list[int]:
    """The first columns that mostly have numbers in the rows below the header."""
    head = first.sheet.head(DEPTH * 3)
    rows = head.filter(first.inside).head(DEPTH // 2)
    filled = pl.sum_horizontal(pl.col(f"k{i}") != CellKind.EMPTY for i in first.headers)
    marks = rows.select((filled < LEAST) | (pl.col("row").diff() > 1).fill_null(False)).to_series()
    rows = rows.head(int(marks.arg_max() or 0)) if marks.any() else rows
    found: list[int] = []
    for i in first.headers:
        numbers = rows[f"c{i}"].str.contains(r"\d").fill_null(False)
        if numbers.sum() * 2 >= rows.height > 0:
            found.append(i)
    return found[:PROBES]


def _blocks(sheet: Spooled, names: Sequence[str]) -> Iterator[pl.DataFrame]:
    """Some columns of a sheet, a block at a time; one that a block lacks is left out."""
    for path in sheet.blocks:
        there = pl.read_ipc_schema(path)
        if wanted := [name for name in names if name in there]:
            yield pl.read_ipc(path, columns=wanted)


def _rows(sheet: Spooled, columns: list[int], first: int, last: int) -> pl.DataFrame:
    """The cells of a few rows, wherever they are."""
    frames = []
    for place, path in enumerate(sheet.blocks):
        rows = pl.read_ipc(path, columns=["row"])["row"]
        if rows.len() and rows[-1] >= first and rows[0] <= last:
            frames.append(evolve(sheet, blocks=(sheet.blocks[place],)).cells(columns))
    near = pl.concat(frames) if frames else sheet.cells(columns, first=0)
    return near.filter(pl.col("row").is_between(first, last))
