"""The straight way through rows of plain cells: a few looks at each cell, none at its inner tags.

Where every cell holds a value, a shared or an inline text, or nothing, its tags can stand in one order only:
they are compared whole, eight bytes at a time. In the end no tag may be left over. Formulas, empty rows and
whatever else a sheet may hold raise Unusual; loanhub_format_excel.tokens reads those rows, with one answer.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl
from attrs import frozen

from loanhub_format_excel import tokens
from loanhub_format_excel.tokens import Array, Cells, Unusual, View, code, need

_BYTE: Final = 0xFF
_A: Final = ord("A")
_ZERO: Final = ord("0")
_QUOTE: Final = ord('"')
_SPACED: Final = 'xml:space="preserve">'
_INLINE, _VALUE, _NOTHING, _CLOSED = range(4)
_TAGS: Final = (6, 4, 1, 2)
"""Tags of a cell: <c><is><t></t></is></c>, <c><v></v></c>, <c/>, <c></c>."""


@frozen(eq=False)
class _Rows:
    """Where rows start, their numbers, and for each cell which row it stands in."""

    numbers: Array
    hidden: Array
    of_cell: Array
    word: Array
    """For each cell the digits of its row and the quote behind, as they stand in its reference."""
    mask: Array
    width: Array


def cells_of(chunk: bytes, after_row: int) -> Cells:
    """The cells of whole rows, numbered above `after_row`. Raises Unusual, or Refused beyond row 1048576."""
    view = View.of(chunk)
    tag = np.flatnonzero(view.one == ord("<"))
    name = view.two[1:][tag]
    cell = np.flatnonzero(name == code("c "))
    rows = _rows(view, chunk, tag, np.flatnonzero(name == code("ro")), cell, after_row)
    column, behind = _references(view, tag[cell], rows)
    need((column[:-1] < column[1:]) | (rows.of_cell[:-1] < rows.of_cell[1:]))
    style, kind, behind = _attributes(view, behind)
    form, first = _forms(view, behind)
    if int(np.array(_TAGS)[form].sum()) + 2 * len(rows.numbers) != len(name):
        raise Unusual
    need((form >= _NOTHING) | ((form == _INLINE) == (kind == tokens.INLINE)))
    value, texts = _values(view, tag, cell, form, kind, first)
    formula = np.zeros(len(cell), bool)
    return Cells(rows.numbers, rows.hidden, rows.of_cell, column, style, kind, formula, value, texts)


def _left(words: Array, text: str) -> Array:
    """Whether each word begins with this text of up to eight bytes."""
    found: Array = (words & _first(len(text))) == code(text)
    return found


def _first(count: int) -> int:
    """The mask that keeps the first so many of eight bytes."""
    return (1 << 8 * count) - 1


def _rows(view: View, chunk: bytes, tag: Array, row: Array, cell: Array, after_row: int) -> _Rows:
    if not len(row) or row[0] != 0 or row[-1] == len(tag) - 1:
        raise Unusual
    start = tag[row]
    numbers, width = tokens.row_numbers(view, start, after_row)
    opened = tag[row + 1]
    need((view.one[opened - 1] == ord(">")) & (view.one[opened - 2] != ord("/")))
    need(_left(view.eight[tag[np.append(row[1:], len(tag)) - 1]], "</row>"))
    plain = bool((view.one[start + 9 + width] == ord(">")).all())
    counts = np.diff(np.searchsorted(cell, row), append=len(cell))
    mask = np.array([_first(count) for count in range(9)], np.uint64)[width + 1]
    return _Rows(
        numbers=numbers,
        hidden=np.zeros(len(row), bool) if plain else tokens.hidden_rows(chunk, start, opened),
        of_cell=np.repeat(np.arange(len(row), dtype=np.int32), counts),
        word=np.repeat(view.eight[start + 8] & mask, counts),
        mask=np.repeat(mask, counts),
        width=np.repeat(width, counts),
    )


def _references(view: View, start: Array, rows: _Rows) -> tuple[Array, Array]:
    """The column of each cell (up to ZZ), and where its attributes go on."""
    word = view.eight[start]
    need(_left(word, '<c r="'))
    first = (word >> 48).astype(np.uint8) - _A
    second = (word >> 56).astype(np.uint8) - _A  # wraps around below "A"
    double = second < 26
    need(first < 26)
    column = first.astype(np.int32)
    if double.any():
        column = np.where(double, (column + 1) * 26 + second, column)
    digits = start + 7 + double
    need((view.eight[digits] & rows.mask) == rows.word)
    return column, digits + rows.width + 1


def _attributes(view: View, at: Array) -> tuple[Array, Array, Array]:
    """Style (up to 99) and type of each cell, in this order, and where the tag ends."""
    word = view.eight[at]
    styled = _left(word, ' s="')
    low, high, quote = ((word >> bits) & _BYTE for bits in (32, 40, 48))
    short = high == _QUOTE
    digits = (low - _ZERO < 10) & (short | ((high - _ZERO < 10) & (quote == _QUOTE)))
    need(digits | ~styled)
    number = np.where(short, low - _ZERO, (low - _ZERO) * 10 + high - _ZERO)
    style = np.where(styled, number, 0).astype(np.int32)
    at = at + styled * (7 - short.astype(np.int64))
    word = view.eight[at]
    typed = _left(word, ' t="')
    kind = np.where(typed, tokens.type_numbers()[(word >> 32).astype(np.uint16)], tokens.NUMBER)
    width = tokens.type_widths()[kind]
    need(~typed | ((width > 0) & (view.one[at + 4 + width] == ord('"'))))
    return style, kind, at + typed * (5 + width)


def _forms(view: View, at: Array) -> tuple[Array, Array]:
    """How each cell goes on behind its attributes, and where its text starts."""
    word = view.eight[at]
    value, inline = _left(word, "><v>"), _left(word, "><is><t>")
    form = np.where(inline, _INLINE, _VALUE)
    first = at + np.where(inline, 8, 4)
    if (rest := np.flatnonzero(~(value | inline))).size:
        word, begin = word[rest], at[rest]
        spaced = _left(word, "><is><t ")
        for step in range(0, len(_SPACED), 8):
            spaced &= _left(view.eight[begin + 8 + step], _SPACED[step : step + 8])
        nothing, closed = _left(word, "/>"), _left(word, "></c>")
        need(spaced | nothing | closed)
        form[rest] = np.where(spaced, _INLINE, np.where(nothing, _NOTHING, _CLOSED))
        first[rest] = begin + 8 + len(_SPACED)
    return form, first


def _values(
    view: View, tag: Array, cell: Array, form: Array, kind: Array, first: Array
) -> tuple[Array, pl.Series]:
    """Of each cell where its text or shared text is, and the texts; here the tags behind are compared."""
    inline = form == _INLINE
    last = tag[np.minimum(cell + 2 + inline, len(tag) - 1)]
    word = view.eight[last]
    valued = form == _VALUE
    need(~valued | _left(word, "</v></c>"))
    need(~inline | (_left(word, "</t></is") & _left(view.eight[last + 5], "/is></c>")))
    value = np.full(len(cell), -1, np.int64)
    shared = np.flatnonzero(valued & (kind == tokens.SHARED))
    number, width = view.digits(first[shared], 9)
    need((width > 0) & (first[shared] + width == last[shared]))
    value[shared] = number
    own = np.flatnonzero(inline | (valued & (kind != tokens.SHARED)))
    value[own] = np.arange(len(own))
    return value, tokens.texts_between(view, first[own], last[own])
