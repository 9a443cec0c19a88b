"""The shared strings of a workbook as one compact column."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final
from xml.parsers import expat

import polars as pl

from loanhub import Refused
from loanhub_format_excel.book import new_parser
from loanhub_format_excel.package import Package
from loanhub_format_excel.texts import cleaned

SHORTEST_STRING: Final = 5  # bytes of <si/>
CHUNK: Final = 4 << 20
LONGEST_STRING: Final = 16 << 20  # bytes of one <si>; Excel allows 32,767 characters

_CLAIM: Final = re.compile(rb'<(?:\w+:)?sst\b[^>]*\buniqueCount="(\d+)"')
_PLAIN: Final = re.compile(rb'<si><t(?: xml:space="preserve")?>([^<]*)</t></si>')
_ANY: Final = re.compile(rb"<si>(.*?)</si>|<si/>", re.DOTALL)
_PHONETIC: Final = re.compile(rb"<rPh\b.*?</rPh>", re.DOTALL)
_TEXT: Final = re.compile(rb"<t(?: [^>]*)?>([^<]*)</t>")
_ODD_TAG: Final = re.compile(rb"<\w+:|<\w+[\t\r\n]|\s>")
_PAIRS: Final = ((b"<si>", b"</si>"), (b"<rPh", b"</rPh>"), (b"<t ", b">"))


class _Odd(Exception):
    """The part has comments, CDATA, prefixes, attributes or line ends in tags, or another encoding."""


def read_strings(package: Package, part: str) -> pl.Series:
    """The strings in order, null where empty. Raises Refused when broken or lying about their number."""
    empty = pl.Series(dtype=pl.String)
    if not package.has(part):
        return empty
    try:
        series = [_series(_quick(chunk)) for chunk in _chunks(package, part)]
    except _Odd:
        series = [_series(some) for some in _careful(package, part)]
    if not series:
        return empty
    texts = cleaned(pl.concat(series, rechunk=True))
    return texts.set(texts == "", None) if (texts == "").any() else texts


def _series(texts: list[bytes]) -> pl.Series:
    try:
        return pl.Series(texts, dtype=pl.Binary).cast(pl.String)
    except pl.exceptions.PolarsError as error:
        raise Refused("not-whole") from error


def _chunks(package: Package, part: str) -> Iterator[bytes]:
    """The part cut between strings."""
    held = b""
    for piece in package.pieces(part):
        if not held:
            _refuse_lie(piece, package.size(part))
        held += piece
        cut = held.rfind(b"<si")
        if len(held) >= CHUNK and cut > 0:
            yield held[:cut]
            held = held[cut:]
        if len(held) > LONGEST_STRING + CHUNK:
            raise _Odd
    if not held.rstrip().endswith((b"</sst>", b"/>")):
        raise _Odd
    yield held


def _refuse_lie(head: bytes, size: int) -> None:
    """A claimed count that cannot fit in the part makes other readers allocate gigabytes."""
    claim = _CLAIM.search(head[:4096])
    if claim and int(claim.group(1)) * SHORTEST_STRING > size:
        raise Refused("counts-lie")


def _quick(chunk: bytes) -> list[bytes]:
    count = chunk.count(b"<si>") + chunk.count(b"<si/>")
    # A string that is overlooked would shift all that follow.
    if b"<!" in chunk or b"\0" in chunk or b":si" in chunk or chunk.count(b"<si") != count:
        raise _Odd
    found = _PLAIN.findall(chunk)
    if len(found) != count:
        # Tags that never end would be looked for again from each of them.
        if _ODD_TAG.search(chunk) or any(chunk.count(b) > chunk.count(e) for b, e in _PAIRS):
            raise _Odd
        found = [_joined(match.group(1) or b"") for match in _ANY.finditer(chunk)]
    if len(found) != count:
        raise _Odd
    return found


def _joined(string: bytes) -> bytes:
    """The runs of a rich string in order, without the reading aids above them."""
    if b"<rPh" in string:
        string = _PHONETIC.sub(b"", string)
    return b"".join(_TEXT.findall(string))


def _careful(package: Package, part: str) -> Iterator[list[bytes]]:
    """The same by expat; texts are escaped again, as `cleaned` expects them."""
    reader = _StringReader()
    for piece in package.pieces(part):
        reader.feed(piece, final=False)
        if len(reader.found) > 50_000:
            yield reader.take()
    reader.feed(b"", final=True)
    yield reader.take()


class _StringReader:
    def __init__(self) -> None:
        self.found: list[bytes] = []
        self._path: list[str] = []
        self._parts: list[str] = []
        self._size = 0
        self._parser: Any = new_parser()
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text

    def feed(self, piece: bytes, *, final: bool) -> None:
        try:
            self._parser.Parse(piece, final)
        except (expat.ExpatError, LookupError, ValueError) as error:  # an encoding unknown or of many bytes
            raise Refused("not-whole") from error

    def take(self) -> list[bytes]:
        found, self.found = self.found, []
        return found

    def _start(self, name: str, _attributes: object) -> None:
        self._path.append(name.rpartition(" ")[2])
        if self._path[-1] == "si":
            self._parts, self._size = [], 0

    def _end(self, _name: str) -> None:
        if self._path.pop() == "si":
            self.found.append("".join(self._parts).replace("&", "&amp;").encode())

    def _text(self, text: str) -> None:
        if self._path[-1] == "t" and "rPh" not in self._path:
            self._size += len(text)
            if self._size > LONGEST_STRING:
                raise Refused("too-large", part="strings")
            self._parts.append(text)
