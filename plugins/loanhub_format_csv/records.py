"""Delimited text to blocks: what stands between the cells, records, cells as a person means them."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator
from itertools import chain, islice, zip_longest
from typing import Any, Final

import polars as pl

from loanhub import CellKind, Refused
from loanhub_format_csv.encodings import Text

DELIMITERS: Final = ",;\t|"
ROWS_AT_ONCE: Final = 20_000
CELLS_AT_ONCE: Final = 4_000_000
MOST_COLUMNS: Final = 16_384
WIDEST: Final = 2_000  # columns that are read: each costs time in every block
SAMPLE_LINES: Final = 200
LONGEST_HINT: Final = 8  # characters of the line "sep=;"
LONGEST_CELL: Final = 4 << 20  # characters; what goes on for longer is a quote that is never closed

_HINT: Final = re.compile(r"sep=(.)\r?\n?", re.IGNORECASE)
_NEUTRALISED: Final = (
    r"^'([=+\-@\t\r＝＋－＠0-9])"  # an apostrophe that keeps a cell from being a formula or number
)
_FORCED_TEXT: Final = r'^="([^"]*)"$'  # ="00123", how some exports keep leading zeros
_TO_CLEAN: Final = r"^['=]|\r|\x1a"


def read_blocks(text: Text, findings: Any) -> Iterator[pl.DataFrame]:
    """The records in blocks, their first columns if there are more than tables have.

    Raises Refused with the row where a quote is opened and never closed.
    """
    with text.open() as file:
        lines: Iterator[str] = iter(file)
        sample = list(islice(lines, SAMPLE_LINES))
        hint = _HINT.fullmatch(sample[0]) if sample and len(sample[0]) <= LONGEST_HINT else None
        delimiter = hint.group(1) if hint else delimiter_of(sample)
        records = _records(chain(sample[1 if hint else 0 :], lines), delimiter)
        first = 1
        for rows in _batches(_narrowed(records, findings)):
            made = _block(first, rows)
            first += len(rows)
            if made.height:
                yield made


def delimiter_of(lines: list[str]) -> str:
    """The delimiter that cuts most lines into the same number of cells, and into more than one."""

    def evidence(delimiter: str) -> tuple[float, int]:
        try:
            widths = Counter(len(row) for row in csv.reader(lines, delimiter=delimiter) if row)
        except csv.Error:
            return 0, 0
        width, times = max(
            ((width, times) for width, times in widths.items() if width > 1),
            key=lambda found: (found[1], found[0]),
            default=(0, 0),
        )
        return times / max(1, widths.total()), width

    return max(DELIMITERS, key=evidence)


def _records(lines: Iterator[str], delimiter: str) -> Iterator[list[str]]:
    """Strict reading: text right behind a closing quote is how a quote opened by mistake shows itself."""
    csv.field_size_limit(LONGEST_CELL)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    row = 0
    try:
        for record in reader:
            row += 1
            if len(record) > MOST_COLUMNS:
                raise Refused("too-large", part="row")
            yield record
    except csv.Error as error:
        raise Refused("csv-quote", row=row + 1) from error


def _narrowed(records: Iterator[list[str]], findings: Any) -> Iterator[list[str]]:
    for record in records:
        if any(record[WIDEST:]):
            findings.note("columns-cut")
        yield record[:WIDEST]


def _batches(records: Iterator[list[str]]) -> Iterator[list[list[str]]]:
    rows: list[list[str]] = []
    widest = 1
    for record in records:
        rows.append(record)
        widest = max(widest, len(record))
        if len(rows) >= ROWS_AT_ONCE or len(rows) * widest >= CELLS_AT_ONCE:
            yield rows
            rows, widest = [], 1
    if rows:
        yield rows


def _block(first_row: int, rows: list[list[str]]) -> pl.DataFrame:
    frame = {
        "row": pl.Series(range(first_row, first_row + len(rows)), dtype=pl.UInt32),
        "hidden": pl.Series([False], dtype=pl.Boolean).new_from_index(0, len(rows)),
    }
    filled = frame["hidden"]
    for at, column in enumerate(zip_longest(*rows)):
        texts = _meant(pl.Series(column, dtype=pl.String))
        holds = texts.is_not_null()
        if holds.any():
            frame[f"c{at}"] = texts
            frame[f"k{at}"] = holds.cast(pl.UInt8) * int(CellKind.TEXT)
            filled = filled | holds
    return pl.DataFrame(frame).filter(filled)


def _meant(texts: pl.Series) -> pl.Series:
    """Cells without the tricks that keep them from being read as a formula or a number; null when empty."""
    odd = texts.str.contains(_TO_CLEAN).fill_null(value=False)
    if odd.any():
        at = odd.arg_true()
        texts = texts.scatter(
            at,
            texts.gather(at)
            .str.replace(_NEUTRALISED, "$1")
            .str.replace(_FORCED_TEXT, "$1")
            .str.replace_all("\r\n?", "\n")
            .str.replace_all("\x1a", ""),
        )
    empty = texts == ""
    return texts.set(empty, None) if empty.any() else texts
