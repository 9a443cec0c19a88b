"""The zip package around a workbook: looked through and limited before anything inside is read.

Nothing is extracted to disk. A part is handed out as a stream of pieces; what it claims about its size
is what it may deliver, and its checksum is compared at the end.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator
from os import SEEK_CUR
from typing import BinaryIO, Final

from attrs import field, frozen

from loanhub import Refused
from loanhub_format_excel.source import Source

MOST_PARTS: Final = 20_000
MOST_INFLATED: Final = 4 << 30  # bytes of all parts together; a million rows of 20 columns take 0.9 GB
MOST_IN_A_PART: Final = 3 << 30
MOST_IN_A_SMALL_PART: Final = 64 << 20  # workbook, styles, relations: read whole
BOMB_RATIO: Final = 100  # a real book of a million rows has 6.4, a bomb 168 and more
RATIO_COUNTS_FROM: Final = 32 << 20
LONGEST_PROLOG: Final = 1 << 20  # bytes before the root element of a part
PIECE: Final = 1 << 20

_LOCAL: Final = struct.Struct("<4s5H3I2H")
_ENCRYPTED: Final = 0x1 | 0x40
_XML_NAMES: Final = (".xml", ".rels", ".vml")


@frozen
class Package:
    """A package whose directory has been looked through; it is opened only while a part is read."""

    source: Source
    parts: dict[str, zipfile.ZipInfo] = field(repr=False)
    """The parts by lower-case name without a leading slash."""

    def has(self, name: str) -> bool:
        """Whether the package holds the part."""
        return _key(name) in self.parts

    def size(self, name: str) -> int:
        """Bytes of the part when inflated, 0 when absent."""
        part = self.parts.get(_key(name))
        return part.file_size if part else 0

    def read(self, name: str) -> bytes:
        """A small part whole. Raises Refused when absent or too large for its purpose."""
        if self.size(name) > MOST_IN_A_SMALL_PART:
            raise Refused("too-large", part=name)
        return b"".join(self.pieces(name))

    def pieces(self, name: str) -> Iterator[bytes]:
        """The bytes of a part, piece by piece. Raises Refused when absent, damaged or longer than it says."""
        part = self.parts.get(_key(name))
        if part is None:
            raise Refused("part-missing", part=name)
        checksum, size = 0, 0
        with self.source.open() as file:
            for piece in _inflate(file, part):
                size += len(piece)
                if size > part.file_size:
                    raise Refused("zip-bomb", part=part.filename)
                checksum = zlib.crc32(piece, checksum)
                yield piece
        if size != part.file_size or checksum != part.CRC:
            raise Refused("not-whole")


def open_package(source: Source) -> Package:
    """Look through a zip package; it is refused when its directory, sizes or XML declarations are hostile."""
    try:
        with source.open() as file, zipfile.ZipFile(file) as archive:
            parts = _directory(archive, source.size)
            for part in parts.values():
                if part.filename.lower().endswith(_XML_NAMES):
                    _refuse_doctype(file, part)
    except (zipfile.BadZipFile, zlib.error, struct.error, NotImplementedError, ValueError, EOFError) as error:
        raise Refused("not-whole") from error
    return Package(source, parts)


def _key(name: str) -> str:
    return name.replace("\\", "/").lstrip("/").lower()


# -- the directory ---------------------------------------------------------------------------------


def _directory(archive: zipfile.ZipFile, file_size: int) -> dict[str, zipfile.ZipInfo]:
    entries = archive.infolist()
    if len(entries) > MOST_PARTS:
        raise Refused("too-large", parts=len(entries))
    parts: dict[str, zipfile.ZipInfo] = {}
    for entry in entries:
        _refuse_hostile(entry)
        if entry.is_dir():
            continue
        if _key(entry.filename) in parts:
            raise Refused("zip-odd", what="duplicate")
        parts[_key(entry.filename)] = entry
    if sum(entry.file_size for entry in entries) > MOST_INFLATED:
        raise Refused("too-large", parts=len(entries))
    _refuse_overlap(entries, file_size)
    return parts


def _refuse_hostile(entry: zipfile.ZipInfo) -> None:
    if entry.flag_bits & _ENCRYPTED:
        raise Refused("password-protected")
    steps = entry.filename.replace("\\", "/").split("/")
    if ".." in steps or entry.filename[1:2] == ":" or "\0" in entry.orig_filename:
        raise Refused("zip-odd", what="escaping")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise Refused("zip-odd", what="method")
    if entry.file_size > MOST_IN_A_PART:
        raise Refused("too-large", part=entry.filename)
    if entry.file_size > max(RATIO_COUNTS_FROM, BOMB_RATIO * entry.compress_size):
        raise Refused("zip-bomb", part=entry.filename)


def _refuse_overlap(entries: list[zipfile.ZipInfo], file_size: int) -> None:
    """Entries that share bytes are how a small file multiplies itself."""
    end = 0
    for entry in sorted(entries, key=lambda entry: entry.header_offset):
        if entry.header_offset < end:
            raise Refused("zip-odd", what="overlap")
        end = entry.header_offset + _LOCAL.size + entry.compress_size
    if end > file_size:
        raise Refused("not-whole")


# -- the bytes of a part ---------------------------------------------------------------------------


def _inflate(file: BinaryIO, part: zipfile.ZipInfo) -> Iterator[bytes]:
    file.seek(part.header_offset)
    mark, _, flags, method, *_, name_size, extra_size = _LOCAL.unpack(file.read(_LOCAL.size))
    if mark != b"PK\x03\x04" or method != part.compress_type:
        raise Refused("not-whole")
    if flags & _ENCRYPTED:
        raise Refused("password-protected")
    file.seek(name_size + extra_size, SEEK_CUR)
    left = part.compress_size
    inflate = zlib.decompressobj(-15) if method == zipfile.ZIP_DEFLATED else None
    while left:
        packed = file.read(min(left, PIECE // 4))
        if not packed:
            raise Refused("not-whole")
        left -= len(packed)
        if inflate is None:
            yield packed
            continue
        try:
            while packed:
                yield inflate.decompress(packed, PIECE)
                packed = inflate.unconsumed_tail
        except zlib.error as error:
            raise Refused("not-whole") from error
    if inflate is not None:
        yield inflate.flush()


def _refuse_doctype(file: BinaryIO, part: zipfile.ZipInfo) -> None:
    """A document type can only stand before the root element, so only the prolog is inflated."""
    prolog = b""
    for piece in _inflate(file, part):
        prolog += piece.replace(b"\0", b"")  # UTF-16 and UTF-32: enough to see the declarations
        start = _after_prolog(prolog)
        if prolog[start : start + 9].upper() == b"<!DOCTYPE" or len(prolog) > LONGEST_PROLOG + PIECE:
            raise Refused("doctype", part=part.filename)
        if len(prolog) - start >= 9 and prolog[start : start + 2] not in (b"<?", b"<!"):
            return


def _after_prolog(text: bytes) -> int:
    """Where the first thing stands that is no byte order mark, space, declaration or comment."""
    at = 3 if text.startswith(b"\xef\xbb\xbf") else 2 if text[:2] in (b"\xff\xfe", b"\xfe\xff") else 0
    while True:
        at = len(text) - len(text[at:].lstrip())
        close = b"?>" if text.startswith(b"<?", at) else b"-->" if text.startswith(b"<!--", at) else b""
        end = text.find(close, at) if close else -1
        if end < 0:
            return at
        at = end + len(close)
