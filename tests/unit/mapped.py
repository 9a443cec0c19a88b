"""Sheets as the reading child leaves them, made of rows; and what is decided about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl

from loanhub.entities import ENTITIES
from loanhub.fields import Dictionary
from loanhub.readings.choices import choice_key, choice_lists, shipped_document
from loanhub.services.intake.mapping import decide, names_of
from loanhub.services.intake.plans import ColumnPlan, SheetPlan
from loanhub.services.intake.spool import Spooled
from loanhub.services.intake.tables import find_tables
from loanhub.settings import default
from loanhub.sheets import CellKind
from loanhub.words import Words

Rows = Sequence[Sequence[object]]


@cache
def shipped_words() -> Words:
    """The words that are shipped."""
    document = default("words.toml")
    kinds, ambiguous = document["kinds"], document["ambiguous"]
    entries = {
        f"{kind}.{name}": words
        for kind, names in document.items()
        if kind not in {"kinds", "ambiguous"}
        for name, words in names.items()
    }
    mixed = {choice_key(header): tuple(paths) for header, paths in ambiguous.items()}
    lists = choice_lists(shipped_document())
    return Words(Dictionary.build(ENTITIES), entries, kinds, mixed, lists)


def sheet(folder: Path, rows: Rows, *, merges: Sequence[tuple[int, int, int, int]] = ()) -> Spooled:
    """A sheet in scratch; None is an empty cell, numbers are numbers, all else is text."""
    width = max(map(len, rows))
    full = [[*row, *[None] * (width - len(row))] for row in rows]
    columns: dict[str, pl.Series] = {
        "row": pl.Series(range(1, len(rows) + 1), dtype=pl.UInt32),
        "hidden": pl.Series([False] * len(rows)),
    }
    for at in range(width):
        cells = [row[at] for row in full]
        columns[f"c{at}"] = pl.Series([None if c is None else str(c) for c in cells], dtype=pl.String)
        columns[f"k{at}"] = pl.Series([_kind(c) for c in cells], dtype=pl.UInt8)
    path = folder / f"sheet-{len(list(folder.iterdir()))}.arrow"
    pl.DataFrame(columns).write_ipc(path, compression="lz4")
    return Spooled("台账", hidden=False, blocks=(path,), rows=len(rows), width=width, merges=tuple(merges))


def _kind(cell: object) -> int:
    if cell is None:
        return CellKind.EMPTY
    return CellKind.NUMBER if isinstance(cell, int | float) else CellKind.TEXT


def plans(
    folder: Path,
    rows: Rows,
    *,
    merges: Sequence[tuple[int, int, int, int]] = (),
    file: Mapping[str, Any] | None = None,
    **options: Any,
) -> list[SheetPlan]:
    """The plans of the tables of a sheet; `file` says what a mapping file does of its columns."""
    words, told = shipped_words(), {"columns": file or {}}
    tables = find_tables(sheet(folder, rows, merges=merges), names_of(words, told), **options)
    return [decide(table, words, {}, told) for table in tables]


def read_as(plan: SheetPlan) -> dict[str, tuple[str, str]]:
    """Field and how it was found, by header."""
    return {column.header: (column.field, column.how) for column in plan.columns}


def asked(plan: SheetPlan) -> dict[str, tuple[str, tuple[str, ...]]]:
    """What is asked, by header."""
    return {question.header: (question.code, question.candidates) for question in plan.questions}


def of(plan: SheetPlan, header: str) -> ColumnPlan:
    """The column under a header."""
    return next(column for column in plan.columns if column.header == header)
