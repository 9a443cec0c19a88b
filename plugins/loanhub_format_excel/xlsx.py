"""Opens an .xlsx or .xlsm: guard, workbook, shared strings, then its sheets."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import polars as pl
from attrs import evolve

from loanhub import Refused, Sheet
from loanhub_format_excel.book import read_book
from loanhub_format_excel.calamine import calamine_sheets
from loanhub_format_excel.columns import Painter
from loanhub_format_excel.ods import refuse_repeats
from loanhub_format_excel.package import open_package
from loanhub_format_excel.sheet import read_blocks
from loanhub_format_excel.source import Source
from loanhub_format_excel.strings import read_strings
from loanhub_format_excel.xlsb import refuse_extents


def xlsx_sheets(source: Source) -> Iterator[Sheet]:
    """The worksheets in order. Raises Refused for a hostile or broken package."""
    package = open_package(source)
    book = read_book(package)
    painter = Painter.of(book, read_strings(package, book.strings))
    for part in book.sheets:
        if not package.has(part.part):
            raise Refused("part-missing", part=part.part)
        notes = book.notes + (("sheet-hidden",) if part.hidden else ())
        sheet = Sheet(part.name, blocks=_unread, hidden=part.hidden, notes=notes)
        yield evolve(sheet, blocks=partial(read_blocks, package, part, painter, sheet))


def _unread() -> Iterator[pl.DataFrame]:
    return iter(())


def guarded_sheets(source: Source) -> Iterator[Sheet]:
    """The sheets of an .xlsb or .ods: the same guard around the package, then calamine."""
    package = open_package(source)
    if package.has("content.xml"):
        refuse_repeats(package)
    elif package.has("META-INF/manifest.xml"):
        raise Refused("not-whole")
    else:
        refuse_extents(package)
    yield from calamine_sheets(source)
