"""The quick way into a sheet's XML: whole rows of bytes to arrays of cells, without an object per cell.

It understands exactly what the usual programs write between <sheetData> and </sheetData>. Everything is
checked with array operations; the first byte out of the usual shape raises Unusual, and the sheet is
read by loanhub_format_excel.careful instead. Both ways give the same answer.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import polars as pl
from attrs import evolve, frozen

from loanhub import Refused

Array = np.ndarray[Any, np.dtype[Any]]

Tags = tuple[Array, Array, Array]
"""Of every tag its number, where its < and where its > stands."""

LAST_ROW: Final = 1_048_576
LAST_COLUMN: Final = 16_383  # XFD
PADDING: Final = b"\0" * 64  # so that looking a few bytes ahead never leaves the chunk

# Tags. An empty element (<c .../>) has the number of its start tag plus EMPTY.
ROW, ROW_END, CELL, CELL_END, V, V_END, IS, IS_END, T, T_END, F, F_END = range(1, 13)
EMPTY: Final = 12
_FIRST_LETTERS: Final = {
    "ro": ROW, "/r": ROW_END, "c ": CELL, "/c": CELL_END, "v>": V, "v ": V, "v/": V, "/v": V_END,
    "is": IS, "/i": IS_END, "t>": T, "t ": T, "t/": T, "/t": T_END, "f>": F, "f ": F, "f/": F, "/f": F_END,
}  # fmt: skip
_WIDTHS: Final = {ROW_END: 5, CELL_END: 3, V_END: 3, IS: 3, IS + EMPTY: 4, IS_END: 4, T_END: 3, F_END: 3}
_MAY_FOLLOW: Final = {
    ROW: (CELL, CELL + EMPTY, ROW_END),
    CELL: (V, V + EMPTY, F, F + EMPTY, IS, CELL_END),
    F: (F_END,),
    V: (V_END,),
    IS: (T, T + EMPTY),
    T: (T_END,),
    T_END: (IS_END,),
    T + EMPTY: (IS_END,),
    V_END: (CELL_END,),
    V + EMPTY: (CELL_END,),
    IS_END: (CELL_END,),
    F_END: (V, V + EMPTY, CELL_END),
    F + EMPTY: (V, V + EMPTY, CELL_END),
    CELL_END: (CELL, CELL + EMPTY, ROW_END),
    CELL + EMPTY: (CELL, CELL + EMPTY, ROW_END),
    ROW_END: (ROW, ROW + EMPTY),
    ROW + EMPTY: (ROW, ROW + EMPTY),
}

# Cell types, by the first two bytes after t=" in the XML.
NUMBER, SHARED, FORMULA_TEXT, INLINE, BOOL, ERROR, ISO_DATE = range(1, 8)
_TYPES: Final = {'n"': 1, 's"': 2, "st": 3, "in": 4, 'b"': 5, 'e"': 6, 'd"': 7}
_TYPE_WIDTHS: Final = (0, 1, 1, 3, 9, 1, 1, 1)


class Unusual(Exception):
    """The XML is not of the usual shape; it may still be perfectly right."""


@frozen(eq=False)
class Cells:
    """The cells of some whole rows, in the order of the file.

    `row` is the position in `row_numbers`, `column` counts from 0, `style` is the number of the style,
    `type` one of the cell types, `formula` whether there is one. `value` points into `texts`, or into
    the shared strings for SHARED, and is -1 without a value.
    """

    row_numbers: Array
    hidden: Array
    row: Array
    column: Array
    style: Array
    type: Array
    formula: Array
    value: Array
    texts: pl.Series

    def chosen(self, at: Array) -> Cells:
        """Only the cells at these places."""
        one_each = {name: getattr(self, name)[at] for name in ("row", "column", "style", "type")}
        return evolve(self, **one_each, formula=self.formula[at], value=self.value[at])


def cells_of(chunk: bytes, after_row: int) -> Cells:
    """The cells of whole rows, numbered above `after_row`. Raises Unusual, or Refused beyond XFD1048576."""
    view = View.of(chunk)
    tag, start, end = _tags(view)
    is_row = (tag == ROW) | (tag == ROW + EMPTY)
    rows = np.flatnonzero(is_row)
    numbers, _ = row_numbers(view, start[rows], after_row)
    is_cell = (tag == CELL) | (tag == CELL + EMPTY)
    at = np.flatnonzero(is_cell)
    row = np.cumsum(is_row, dtype=np.int32)[at] - 1
    column, behind = _references(view, start[at], numbers[row])
    need((column[:-1] < column[1:]) | (row[:-1] < row[1:]))
    style, kind = _attributes(view, behind, end[at])
    owner = np.cumsum(is_cell, dtype=np.int32) - 1
    formula = np.zeros(len(at), bool)
    if b"<f" in chunk:
        formula[owner[(tag == F) | (tag == F + EMPTY)]] = True
    value, texts = _values(view, (tag, start, end), owner, kind)
    hidden = hidden_rows(chunk, start[rows], end[rows])
    return Cells(numbers, hidden, row, column, style, kind, formula, value, texts)


@frozen(eq=False)
class View:
    """The chunk seen as bytes, and as two, four and eight bytes starting at every byte."""

    one: Array
    two: Array
    four: Array
    eight: Array

    @classmethod
    def of(cls, chunk: bytes) -> View:
        padded = chunk + PADDING
        size = len(chunk)
        return cls(
            np.frombuffer(padded, np.uint8),
            np.ndarray((size + 48,), "<u2", padded, 0, (1,)),
            np.ndarray((size + 48,), "<u4", padded, 0, (1,)),
            np.ndarray((size + 48,), "<u8", padded, 0, (1,)),
        )

    def digits(self, at: Array, most: int) -> tuple[Array, Array]:
        """The whole numbers that start at `at`, and how many digits each has (0 to `most`)."""
        number = np.zeros(len(at), np.int32)
        width = np.zeros(len(at), np.int64)
        going = np.ones(len(at), bool)
        for step in range(most + 1):
            digit = self.one[at + step] - np.uint8(48)  # wraps around below "0"
            going &= digit < 10
            if not going.any():
                return number, width
            if going.all():
                number *= 10
                number += digit
            else:
                number = np.where(going, number * 10 + digit, number)
            width += going
        raise Unusual


def code(text: str) -> int:
    """Up to eight letters as the number that stands for them in a view."""
    return int.from_bytes(text.encode(), "little")


def need(holds: Array) -> None:
    """Raises Unusual unless it holds everywhere."""
    if not holds.all():
        raise Unusual


# -- tags ------------------------------------------------------------------------------------------


def _tags(view: View) -> Tags:
    """Every tag of the chunk: its number, where its < and where its > stands."""
    signs = np.flatnonzero((view.one & 0xFD) == ord("<"))  # < and > differ in one bit
    start, end = signs[0::2].copy(), signs[1::2].copy()
    if not len(start) or len(start) != len(end):
        raise Unusual
    need(view.one[start] == ord("<"))
    need(view.one[end] == ord(">"))
    tag = _tag_numbers().take(view.two[start + 1])
    empty = view.one[end - 1] == ord("/")
    if empty.any():
        tag += np.uint8(EMPTY) * (empty & (view.one[start + 1] != ord("/")))
    width = _tag_widths().take(tag)
    need((width == 0) | (end - start == width))
    need(_grammar().take(tag[:-1] * np.uint16(32) + tag[1:]))
    if tag[0] not in (ROW, ROW + EMPTY) or tag[-1] not in (ROW_END, ROW + EMPTY):
        raise Unusual
    return tag, start, end


def _tag_numbers() -> Array:
    table = np.zeros(1 << 16, np.uint8)
    for letters, number in _FIRST_LETTERS.items():
        table[code(letters)] = number
    return table


def _tag_widths() -> Array:
    table = np.zeros(32, np.int64)
    for number, width in _WIDTHS.items():
        table[number] = width
    return table


def _grammar() -> Array:
    table = np.zeros((32, 32), bool)
    for before, after in _MAY_FOLLOW.items():
        table[before, list(after)] = True
    return table.reshape(-1)


# -- rows and references ---------------------------------------------------------------------------


def row_numbers(view: View, start: Array, after_row: int) -> tuple[Array, Array]:
    """The numbers of the rows that start there, and how many digits each has."""
    need(view.four[start] == code("<row"))
    need(view.four[start + 4] == code(' r="'))
    number, width = view.digits(start + 8, 7)
    need((width > 0) & (view.one[start + 8 + width] == ord('"')))
    if len(number) and int(number.max()) > LAST_ROW:
        raise Refused("outside-sheet")
    need(np.diff(number, prepend=after_row) > 0)
    return number, width


def _references(view: View, start: Array, row_number: Array) -> tuple[Array, Array]:
    """The column of each cell, and where its reference ends; the row in it must be the row it stands in."""
    need(view.four[start + 2] == code(' r="'))
    column = np.zeros(len(start), np.int32)
    letters = np.zeros(len(start), np.int64)
    going = np.ones(len(start), bool)
    for step in range(4):
        letter = view.one[start + 6 + step] - np.uint8(ord("A"))
        going &= letter < 26
        if not going.any():
            break
        column = np.where(going, column * 26 + letter + 1, column)
        letters += going
    number, width = view.digits(start + 6 + letters, 7)
    behind = start + 6 + letters + width
    need((letters > 0) & (number == row_number) & (view.one[behind] == ord('"')))
    if len(column) and int(column.max()) > LAST_COLUMN + 1:
        raise Refused("outside-sheet")
    return column - 1, behind + 1


def type_numbers() -> Array:
    """Cell types by the first two bytes of their names."""
    types = np.zeros(1 << 16, np.uint8)
    for letters, number in _TYPES.items():
        types[code(letters)] = number
    return types


def type_widths() -> Array:
    """The lengths of their names, by cell type."""
    return np.array(_TYPE_WIDTHS, np.int32)


def _attributes(view: View, at: Array, end: Array) -> tuple[Array, Array]:
    """Style and type of each cell, in either order; any other attribute is unusual."""
    at = at.copy()
    style = np.zeros(len(at), np.int32)
    kind = np.full(len(at), NUMBER, np.uint8)
    types = type_numbers()
    for name in ("s", "t", "s"):
        has = np.flatnonzero(view.four[at] == code(f' {name}="'))
        width = type_widths()
        if name == "s":
            style[has], width = view.digits(at[has] + 4, 6)
        else:
            kind[has] = types[view.two[at[has] + 4]]
            width = width[kind[has]]
        need((width > 0) & (view.one[at[has] + 4 + width] == ord('"')))
        at[has] += 5 + width
    at += view.one[at] == ord(" ")
    need((at == end) | ((at == end - 1) & (view.one[at] == ord("/"))))
    return style, kind


def hidden_rows(chunk: bytes, start: Array, end: Array) -> Array:
    """Which of the rows whose tags stand there are hidden."""
    hidden = np.zeros(len(start), bool)
    if b'hidden="' in chunk:
        for row, (first, last) in enumerate(zip(start.tolist(), end.tolist(), strict=True)):
            tag = chunk[first:last]
            hidden[row] = b' hidden="1"' in tag or b' hidden="true"' in tag
    return hidden


# -- values ----------------------------------------------------------------------------------------


def _values(view: View, tags: Tags, owner: Array, kind: Array) -> tuple[Array, pl.Series]:
    tag, start, end = tags
    holds = np.flatnonzero((tag == V) | (tag == T))
    cell, first, last = owner[holds], end[holds] + 1, start[holds + 1]
    need((tag[holds] == T) == (kind[cell] == INLINE))
    value = np.full(len(kind), -1, np.int64)
    shared = kind[cell] == SHARED
    number, width = view.digits(first[shared], 9)
    need((width > 0) & (first[shared] + width == last[shared]))
    value[cell[shared]] = number
    own = ~shared
    value[cell[own]] = np.arange(np.count_nonzero(own))
    return value, texts_between(view, first[own], last[own])


def texts_between(view: View, first: Array, last: Array) -> pl.Series:
    """The texts between the places, as one column: joined by a byte that XML cannot hold, then split."""
    if not len(first):
        return pl.Series(dtype=pl.String)
    width = last - first + 1  # with the < behind it, which becomes the separator
    until = np.cumsum(width)
    # The places of all bytes are sums of steps: one step on, at each new text a leap.
    steps = np.ones(until[-1], np.int64)
    steps[0] = first[0]
    steps[until[:-1]] = first[1:] - last[:-1]
    joined = view.one[np.cumsum(steps, out=steps)]
    joined[until - 1] = 0
    text = pl.Series([joined[:-1].tobytes()], dtype=pl.Binary)
    try:
        texts = text.cast(pl.String).str.split("\0").explode()
    except pl.exceptions.PolarsError as error:
        raise Refused("not-whole") from error  # not UTF-8
    if len(texts) != len(first):
        raise Refused("not-whole")  # a NUL byte
    return texts
