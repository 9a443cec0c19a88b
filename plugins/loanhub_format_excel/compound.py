"""Looks through the container of an .xls before calamine does: a chain in a circle makes it eat all memory.

Source of the layout: [MS-CFB]. A sector's successor stands in the allocation table; chains end with a mark.
"""

from __future__ import annotations

import struct
from typing import Final

import numpy as np

from loanhub import Refused
from loanhub_format_excel.source import Source
from loanhub_format_excel.tokens import Array

SIGNATURE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
FIRST_MARK: Final = 0xFFFFFFFA  # from here on a number marks the end of a chain, a free sector and the like
HEADER: Final = 512
ENTRY: Final = 128  # bytes of a directory entry; bytes 120 to 123 are the size of its stream
SMALL_SECTOR_SHIFT: Final = 6


def refuse_circles(source: Source) -> None:
    """Raises Refused when chains run in a circle or out of the file, or a stream is larger than the file."""
    data = source.read()
    if len(data) < HEADER or not data.startswith(SIGNATURE):
        raise Refused("not-whole")
    shift, small_shift = struct.unpack_from("<HH", data, 30)
    if shift not in (9, 12) or small_shift != SMALL_SECTOR_SHIFT:
        raise Refused("not-whole")
    size = 1 << shift
    tables, directory, _, small, smalls, more, mores = struct.unpack_from("<II4xIIIII", data, 44)
    sectors = len(data) // size - 1
    if max(tables, smalls, mores) > sectors:
        raise Refused("not-whole")
    table = _numbers(data, _table_sectors(data, size, more)[:tables], size)
    _refuse_circle(table, sectors)
    _refuse_circle(_numbers(data, _chain(table, small), size), None)
    for entry in _numbers(data, _chain(table, directory), size).reshape(-1, ENTRY // 4):
        if entry[16] >> 16 and int(entry[30]) > len(data):  # a type is given: the entry is in use
            raise Refused("not-whole")


def _table_sectors(data: bytes, size: int, more: int) -> list[int]:
    """The sectors of the allocation table: 109 in the header, further ones in a chain of their own."""
    found = list(struct.unpack_from("<109I", data, 76))
    for _ in range(len(data) // size):
        if more >= FIRST_MARK:
            break
        part = _numbers(data, [more], size).tolist()
        found += part[:-1]
        more = part[-1]
    return [sector for sector in found if sector < FIRST_MARK]


def _numbers(data: bytes, sectors: list[int], size: int) -> Array:
    if any((sector + 2) * size > len(data) for sector in sectors):
        raise Refused("not-whole")
    joined = b"".join(data[(sector + 1) * size : (sector + 2) * size] for sector in sectors)
    return np.frombuffer(joined, "<u4")


def _chain(table: Array, sector: int) -> list[int]:
    found: list[int] = []
    while sector < FIRST_MARK:
        if sector >= len(table) or len(found) > len(table):
            raise Refused("not-whole")
        found.append(sector)
        sector = int(table[sector])
    return found


def _refuse_circle(table: Array, sectors: int | None) -> None:
    """Every chain must reach its end: following all of them at once, twice as far each time."""
    end = len(table)
    leads = table < FIRST_MARK
    if leads.any() and int(table[leads].max()) >= (end if sectors is None else min(end, sectors)):
        raise Refused("not-whole")
    successor = np.append(np.where(leads, table, end), end).astype(np.int64)
    for _ in range(end.bit_length() + 1):
        successor = successor[successor]
    if (successor != end).any():
        raise Refused("not-whole")
