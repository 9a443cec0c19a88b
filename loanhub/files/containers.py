"""The two containers spreadsheets come in, zip and OLE (CFB), read just far enough to name what is inside.

This runs in the service process, before any cage: every length the file claims is bounded, every
chain ends, nothing is inflated beyond a megabyte. Sources: PKWARE APPNOTE 6.3, Microsoft MS-CFB.
"""

from __future__ import annotations

import io
import struct
import zlib
from array import array
from collections.abc import Iterator
from typing import BinaryIO, Final

from attrs import frozen

CFB_MAGIC: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_MOST_ENTRIES: Final = 20_000
_LONGEST_DIRECTORY: Final = 8 << 20
_MOST_INFLATED: Final = 1 << 20
_END: Final = struct.Struct("<4s4H2IH")
_END64: Final = struct.Struct("<4sQ2H2I4Q")
_ENTRY: Final = struct.Struct("<4s6H3I5H2I")
_LOCAL: Final = struct.Struct("<4s5H3I2H")
_NO_SECTOR: Final = 0xFFFFFFFA  # this and above are marks, not numbers
_FREE: Final = 0xFFFFFFFF


@frozen
class ZipEntry:
    """One member: its name (lower case, slashes forward), method, packed size and place of its header."""

    name: str
    method: int
    packed: int
    offset: int


@frozen
class _ZipEnd:
    size: int
    offset: int
    at: int


def size_of(stream: BinaryIO) -> int:
    """The length in bytes; the position moves."""
    return stream.seek(0, io.SEEK_END)


def zip_torn(stream: BinaryIO) -> str | None:
    """Why the zip is not whole ("no-end", "no-directory"); None when end record and directory agree."""
    end = _zip_end(stream)
    if end is None:
        return "no-end"
    if end.offset + end.size != end.at:
        return "no-directory"
    stream.seek(end.offset)
    return None if end.size == 0 or stream.read(4) == b"PK\x01\x02" else "no-directory"


def zip_entries(stream: BinaryIO) -> Iterator[ZipEntry]:
    """The members by the central directory, at most 20,000; ends quietly where it makes no sense."""
    end = _zip_end(stream)
    if end is None:
        return
    stream.seek(max(end.at - end.size, 0))
    directory, position = stream.read(min(end.size, _LONGEST_DIRECTORY)), 0
    for _ in range(_MOST_ENTRIES):
        if position + _ENTRY.size > len(directory) or directory[position : position + 4] != b"PK\x01\x02":
            return
        fields = _ENTRY.unpack_from(directory, position)
        name, extra, comment = fields[10:13]
        start = position + _ENTRY.size
        text = directory[start : start + name].decode("utf-8", "replace")
        yield ZipEntry(text.replace("\\", "/").lower(), fields[4], fields[8], fields[16])
        position = start + name + extra + comment


def zip_head(stream: BinaryIO, entry: ZipEntry) -> bytes:
    """The first megabyte at most of a member, empty when it cannot be read."""
    stream.seek(entry.offset)
    header = stream.read(_LOCAL.size)
    if len(header) < _LOCAL.size or header[:4] != b"PK\x03\x04":
        return b""
    *_, name, extra = _LOCAL.unpack(header)
    stream.seek(name + extra, io.SEEK_CUR)
    packed = stream.read(min(entry.packed, _MOST_INFLATED))
    if entry.method == 0:
        return packed
    try:
        return zlib.decompressobj(-15).decompress(packed, _MOST_INFLATED)
    except zlib.error:
        return b""


def _zip_end(stream: BinaryIO) -> _ZipEnd | None:
    length = size_of(stream)
    begin = stream.seek(max(length - _END.size - 0xFFFF, 0))
    tail = stream.read(_END.size + 0xFFFF)
    found = tail.rfind(b"PK\x05\x06")
    if found < 0 or found + _END.size > len(tail):
        return None
    *_, size, offset, _comment = _END.unpack_from(tail, found)
    # Some writers put the long record before every end; then the directory ends before it.
    long = _zip64_end(stream, begin + found)
    if long is not None or 0xFFFFFFFF in (offset, size):
        return long
    return _ZipEnd(size, offset, begin + found)


def _zip64_end(stream: BinaryIO, end: int) -> _ZipEnd | None:
    stream.seek(max(end - 20, 0))
    locator = stream.read(20)
    if locator[:4] != b"PK\x06\x07":
        return None
    at = int.from_bytes(locator[8:16], "little")
    if at > end:
        return None
    stream.seek(at)
    record = stream.read(_END64.size)
    if len(record) < _END64.size or record[:4] != b"PK\x06\x06":
        return None
    *_, size, offset = _END64.unpack(record)
    return _ZipEnd(size, offset, at)


class Compound:
    """An OLE compound file (MS-CFB): what its directory names, and whether all its sectors are there."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._size = size_of(stream)
        stream.seek(0)
        header = stream.read(512)
        self._complete = len(header) == 512
        header = header.ljust(512, b"\xff")
        shift = int.from_bytes(header[30:32], "little")
        self._sector = 1 << (shift if shift in (9, 12) else 9)
        self._directory = int.from_bytes(header[48:52], "little")
        self._table = self._allocation(header)

    def torn(self) -> str | None:
        """Why it is not whole ("no-header", "short"); None when the last sector in use is there."""
        if not self._complete:
            return "no-header"
        # A sector counts as used when a chain goes on from it or to it: some writers mark free ones
        # as ends. Sector 0 begins behind the header; the last one need not be filled up.
        chained = ((at, on) for at, on in enumerate(self._table) if on < len(self._table))
        last = max((max(pair) for pair in chained), default=-1)
        return None if self._size > (last + 1) * self._sector else "short"

    def names(self) -> set[str]:
        """The names of all streams and storages; fewer when the directory is damaged."""
        found: set[str] = set()
        sector, visited = self._directory, set[int]()
        while sector < _NO_SECTOR and sector not in visited and len(visited) < 4096:
            visited.add(sector)
            block = self._read(sector)
            for start in range(0, len(block) - 127, 128):
                length = int.from_bytes(block[start + 64 : start + 66], "little")
                if block[start + 66] and 2 <= length <= 64:
                    found.add(block[start : start + length - 2].decode("utf-16-le", "replace"))
            sector = self._table[sector] if sector < len(self._table) else sector + _NO_SECTOR
        return found

    def _read(self, sector: int) -> bytes:
        self._stream.seek((sector + 1) * self._sector)
        return self._stream.read(self._sector)

    def _allocation(self, header: bytes) -> array[int]:
        table = array("I")
        most = self._size // self._sector + 1
        for sector in self._table_sectors(header, most):
            block = self._read(sector)
            if len(block) < self._sector:  # it lies behind the end
                self._complete = False
                break
            table.frombytes(block)
        return table

    def _table_sectors(self, header: bytes, most: int) -> Iterator[int]:
        left = min(int.from_bytes(header[44:48], "little"), most)
        listed, following = header[76:512], int.from_bytes(header[68:72], "little")
        for _ in range(most):
            for (sector,) in struct.iter_unpack("<I", listed):
                if left <= 0 or sector >= _NO_SECTOR:
                    return
                left -= 1
                yield sector
            if following >= _NO_SECTOR:
                return
            block = self._read(following)
            if len(block) < self._sector:
                self._complete = False
                return
            listed, following = block[:-4], int.from_bytes(block[-4:], "little")
