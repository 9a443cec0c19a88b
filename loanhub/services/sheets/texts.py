"""Writes .csv in blocks: UTF-8 with a mark so that Excel reads it, and no cell that becomes a formula."""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO, Final

import polars as pl

from loanhub.services.sheets.cells import Cells

MARK: Final = b"\xef\xbb\xbf"
FORMULA: Final = r"^([=+\-@\t\r\x00＝＋－＠])"
"""What a spreadsheet takes for the start of a formula, and the full-width twins (OWASP ASVS 1.2.10)."""


def write_head(out: BinaryIO, titles: Sequence[str]) -> None:
    """The mark and the header."""
    out.write(MARK)
    out.write(_csv([_safe(pl.Series([title], dtype=pl.String)) for title in titles]))


def write_rows(out: BinaryIO, cells: Sequence[Cells]) -> None:
    """A block of rows. Numbers are ours and stay; texts get an apostrophe where they might be a formula."""
    out.write(_csv([cell.texts if cell.numbers is True else _safe(cell.texts) for cell in cells]))


def _safe(texts: pl.Series) -> pl.Series:
    return texts.str.replace(FORMULA, "'${1}")


def _csv(columns: Sequence[pl.Series]) -> bytes:
    frame = pl.DataFrame([series.alias(f"c{at}") for at, series in enumerate(columns)])
    text: str = frame.write_csv(include_header=False, line_terminator="\r\n", quote_style="necessary")
    return text.encode()
