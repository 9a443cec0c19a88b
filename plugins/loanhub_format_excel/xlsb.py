"""Looks through an .xlsb before calamine does: two cells far apart make it want every cell between them.

Source of the records: [MS-XLSB] 2.1.4. A record is a number and a length, both of seven bits a byte.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from loanhub import Refused
from loanhub_format_excel.package import Package
from loanhub_format_excel.tokens import LAST_COLUMN, LAST_ROW

MOST_CELLS: Final = 20_000_000
LOOKED_THROUGH: Final = 32 << 20  # bytes of a part; a larger one is a real book, or dies in its cage
SHORTEST_STRING: Final = 7  # bytes of a shared string record
ROW: Final = 0
CELLS: Final = frozenset((*range(2, 12), 62))
STRINGS: Final = 159


def refuse_extents(package: Package) -> None:
    """Raises Refused for a sheet that spans more cells than one can want, and for a lie about the strings."""
    for name in package.parts:
        if name.startswith("xl/worksheets/") and name.endswith(".bin"):
            if package.size(name) <= LOOKED_THROUGH:
                _refuse_extent(package.read(name))
        elif name == "xl/sharedstrings.bin":
            _refuse_lie(next(package.pieces(name), b""), package.size(name))


def _refuse_extent(part: bytes) -> None:
    rows: list[int] = []
    first_column, last_column, row = LAST_COLUMN, 0, 0
    for number, at, _ in _records(part):
        if number == ROW:
            row = int.from_bytes(part[at : at + 4], "little")
        elif number in CELLS:
            column = int.from_bytes(part[at : at + 4], "little")
            if row >= LAST_ROW or column > LAST_COLUMN:
                raise Refused("outside-sheet")
            first_column, last_column = min(first_column, column), max(last_column, column)
            rows = [min(rows[0], row), max(rows[1], row)] if rows else [row, row]
    if rows and (rows[1] - rows[0] + 1) * (last_column - first_column + 1) > MOST_CELLS:
        raise Refused("too-large", part="sheet")


def _refuse_lie(head: bytes, size: int) -> None:
    for number, at, length in _records(head[:64]):
        if number == STRINGS and length >= 8:
            (unique,) = struct.unpack_from("<I", head, at + 4)
            if unique * SHORTEST_STRING > size:
                raise Refused("counts-lie")
        return


def _records(part: bytes) -> Iterator[tuple[int, int, int]]:
    """Number, place and length of each record's content, as far as the part goes."""
    at, end = 0, len(part)
    while at + 1 < end:
        number = part[at]
        at += 1
        if number & 0x80:
            number = number & 0x7F | (part[at] & 0x7F) << 7
            at += 1
        length = shift = 0
        while at < end and shift < 28:
            byte = part[at]
            at += 1
            length |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                break
        if at + 8 > end and length:
            return
        yield number, at, length
        at += length
