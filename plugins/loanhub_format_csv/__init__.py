"""Reads delimited text in whatever encoding it was saved, one record a row as a spreadsheet shows it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import polars as pl
from attrs import evolve

from loanhub import Claim, Sheet, hookimpl
from loanhub_format_csv.encodings import is_text, text_of
from loanhub_format_csv.records import read_blocks

NAME = "csv"
SUFFIXES = (".csv", ".tsv", ".txt")


class Csv:
    """Text with commas, semicolons, tabs or bars between the cells. Every cell is TEXT."""

    name = NAME

    def claims(self, path: Path) -> Claim | None:
        """Any text that is not markup; a name that says otherwise is noted as `wrong-extension`."""
        if not is_text(path):
            return None
        return Claim(NAME, NAME, () if path.suffix.lower() in SUFFIXES else ("wrong-extension",))

    def sheets(self, path: Path) -> Iterator[Sheet]:
        """One sheet. Raises Refused when it holds NUL bytes or no encoding fits."""
        text = text_of(path)
        notes = ("encoding-guessed",) if text.guessed else ()
        sheet = Sheet(NAME, blocks=_unread, notes=notes)
        yield evolve(sheet, blocks=partial(read_blocks, text, sheet.findings))


def _unread() -> Iterator[pl.DataFrame]:
    return iter(())


@hookimpl
def formats() -> list[Csv]:
    """The one format of this plugin."""
    return [Csv()]
