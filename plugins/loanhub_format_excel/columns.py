"""Cells to a block: every column at once, the meaning of a number taken from its style."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Final

import numpy as np
import polars as pl
from attrs import frozen

from loanhub import CellKind, Refused
from loanhub_format_excel import tokens
from loanhub_format_excel.book import Book
from loanhub_format_excel.looks import Cell, Look, show
from loanhub_format_excel.texts import cleaned, error_value, iso_moment, mapped, truth
from loanhub_format_excel.tokens import Array, Cells

DENSEST: Final = 8_000_000  # cells of a block, empty ones included; a sparser one is split
MOST_COLUMNS: Final = 2_000  # each one costs time in every block; no table of loans has as many
MOST_TEXT: Final = 256 << 20  # bytes of shared text one block may point to
_PLAIN_NUMBER: Final = r"^(?:-?[1-9][0-9]{0,14}(?:\.[0-9]*[1-9])?|-?0\.[0-9]*[1-9]|0)$"
_USUAL_DAY: Final = r"^[1-9][0-9]{4}$"
DAY_ONE_1900: Final = (date(1970, 1, 1) - date(1899, 12, 30)).days
DAY_ONE_1904: Final = (date(1970, 1, 1) - date(1904, 1, 1)).days
"""Days from where a workbook counts to where polars does."""
_PLAIN_WIDTH: Final = 16  # 15 digits and a point: what a float holds exactly


@frozen(eq=False)
class Painter:
    """Turns the cells of one workbook into blocks."""

    book: Book
    strings: pl.Series
    string_sizes: Array

    @classmethod
    def of(cls, book: Book, strings: pl.Series) -> Painter:
        """For a workbook with these shared strings (null where empty)."""
        return cls(book, strings, strings.str.len_bytes().fill_null(0).to_numpy())

    def blocks(self, cells: Cells) -> Iterator[pl.DataFrame]:
        """The rows with a value as one block, as several when they are spread over many columns."""
        wanted = np.flatnonzero((cells.value >= 0) | cells.formula)
        row, column = cells.row[wanted], cells.column[wanted]
        spans = [(0, len(wanted))] if len(wanted) else []
        while spans:
            first, last = spans.pop()
            height = int(row[last - 1] - row[first]) + 1
            width = np.count_nonzero(np.bincount(column[first:last]))
            if height * width > DENSEST and height > 1:
                middle = first + int(np.searchsorted(row[first:last], row[first] + height // 2))
                spans += [(middle, last), (first, middle)]
            else:
                yield from self._block(cells, wanted[first:last])

    def _block(self, cells: Cells, wanted: Array) -> Iterator[pl.DataFrame]:
        self._refuse_amplified(cells, wanted)
        row = cells.row[wanted]
        present = np.zeros(len(cells.row_numbers), bool)
        present[row] = True
        rows = np.flatnonzero(present)
        place = (np.cumsum(present, dtype=np.int32) - 1)[row]
        column = cells.column[wanted]
        order = np.argsort(column.astype(np.uint16), kind="stable")  # 16 bits: a radix sort
        cuts = np.flatnonzero(np.diff(column[order])) + 1
        frame = {
            "row": pl.Series(cells.row_numbers[rows], dtype=pl.UInt32),
            "hidden": pl.Series(cells.hidden[rows]),
        }
        filled = np.zeros(len(rows), bool)
        for some in np.split(order, cuts):
            text, kind = self._column(cells, wanted[some], place[some], len(rows))
            holds = kind.to_numpy() != CellKind.EMPTY
            if holds.any():
                filled |= holds
                at = int(column[some[0]])
                frame[f"c{at}"], frame[f"k{at}"] = text, kind
        made = pl.DataFrame(frame)
        if not filled.all():
            made = made.filter(pl.Series(filled))
        if made.height:
            yield made

    def _refuse_amplified(self, cells: Cells, wanted: Array) -> None:
        shared = cells.value[wanted][cells.type[wanted] == tokens.SHARED]
        shared = shared[shared >= 0]
        if not len(shared):
            return
        if int(shared.max()) >= len(self.strings):
            raise Refused("string-missing")
        if int(self.string_sizes[shared].sum(dtype=np.int64)) > MOST_TEXT:
            raise Refused("too-large", part="strings")

    def _column(self, cells: Cells, wanted: Array, place: Array, height: int) -> tuple[pl.Series, pl.Series]:
        """Text and kind of one column, `height` rows long; `place` says in which row each cell goes."""
        kind_of_cell = cells.type[wanted].astype(np.int32)
        look = np.where(kind_of_cell == tokens.NUMBER, cells.style[wanted], -kind_of_cell)
        if look.min() == look.max() and len(look) == height:
            return self._group(cells, wanted)
        texts, kinds, places = [], [], []
        for group in np.unique(look):
            member = np.flatnonzero(look == group)
            text, kind = self._group(cells, wanted[member])
            texts.append(text)
            kinds.append(kind)
            places.append(place[member])
        text, kind = pl.concat(texts), pl.concat(kinds)
        source = np.full(height, len(text), np.int64)
        source[np.concatenate(places)] = np.arange(len(text))
        text = pl.concat([text, pl.Series([None], dtype=pl.String)])
        kind = pl.concat([kind, pl.Series([0], dtype=pl.UInt8)])
        return text.gather(source), kind.gather(source)

    def _group(self, cells: Cells, group: Array) -> tuple[pl.Series, pl.Series]:
        """Cells of one type and, for numbers, one style."""
        kind_of_cell = int(cells.type[group[0]])
        value = cells.value[group]
        source = self.strings if kind_of_cell == tokens.SHARED else cells.texts
        given = value if (value >= 0).all() else pl.Series(value).set(pl.Series(value < 0), None)
        texts = source.gather(given) if len(source) else pl.Series([None] * len(group), dtype=pl.String)
        text, kind = self._meaning(texts, kind_of_cell, self.book.look(int(cells.style[group[0]])))
        unknown = cells.formula[group] & (kind.to_numpy() == CellKind.EMPTY)
        if kind_of_cell != tokens.FORMULA_TEXT and unknown.any():
            kind = kind.set(pl.Series(unknown), int(CellKind.NO_VALUE))
        return text, kind

    def _meaning(self, texts: pl.Series, kind_of_cell: int, look: Look) -> tuple[pl.Series, pl.Series]:
        if kind_of_cell == tokens.NUMBER:
            return self._numbers(texts, look)
        if kind_of_cell in (tokens.FORMULA_TEXT, tokens.INLINE):
            texts = cleaned(texts)
            texts = texts.set(texts == "", None) if (texts == "").any() else texts
        if kind_of_cell in (tokens.SHARED, tokens.FORMULA_TEXT, tokens.INLINE):
            return texts, _kinds(texts, CellKind.TEXT)
        answers = {tokens.BOOL: truth, tokens.ERROR: error_value, tokens.ISO_DATE: iso_moment}
        answer = answers[kind_of_cell]
        return mapped(texts.fill_null(""), answer)

    def _numbers(self, texts: pl.Series, look: Look) -> tuple[pl.Series, pl.Series]:
        def answer(stored: str) -> Cell:
            return show(stored, look, self.book.from_1904)

        texts = texts.fill_null("")
        if look.kind is CellKind.DATE and texts.str.contains(_USUAL_DAY).all():
            days = texts.cast(pl.Int32) - (DAY_ONE_1904 if self.book.from_1904 else DAY_ONE_1900)
            return days.cast(pl.Date).cast(pl.String), _kinds(texts, CellKind.DATE)
        if not look.plain:
            return mapped(texts, answer)
        odd = ~texts.str.contains(_PLAIN_NUMBER) | (texts.str.len_bytes() > _PLAIN_WIDTH)
        kinds = _kinds(texts, CellKind.NUMBER)
        if not odd.any():
            return texts, kinds
        at = odd.arg_true()
        text, kind = mapped(texts.gather(at), answer)
        return texts.scatter(at, text), kinds.scatter(at, kind)


def _kinds(texts: pl.Series, kind: CellKind) -> pl.Series:
    return texts.is_not_null().cast(pl.UInt8) * int(kind)
