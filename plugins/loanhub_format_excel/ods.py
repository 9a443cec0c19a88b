"""Looks through an OpenDocument sheet before calamine does: repeat counts let 1 KB claim 17 billion cells."""

from __future__ import annotations

from typing import Any, Final
from xml.parsers import expat

from loanhub import Refused
from loanhub_format_excel.book import new_parser
from loanhub_format_excel.package import Package

MOST_CELLS: Final = 20_000_000
_ENCRYPTION: Final = b"encryption-data"


def refuse_repeats(package: Package) -> None:
    """Raises Refused when the file is encrypted, or its repeats come to more cells than a sheet can want."""
    if package.has("META-INF/manifest.xml") and _ENCRYPTION in package.read("META-INF/manifest.xml"):
        raise Refused("password-protected")
    counter = _Counter()
    for piece in package.pieces("content.xml"):
        counter.feed(piece, final=False)
    counter.feed(b"", final=True)


class _Counter:
    """Adds up the rectangle that the filled cells of each table span."""

    def __init__(self) -> None:
        self._height = self._width = 0
        self._columns = self._filled = self._pending = self._repeat = 0
        self._parser: Any = new_parser()
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end

    def feed(self, piece: bytes, *, final: bool) -> None:
        try:
            self._parser.Parse(piece, final)
        except (expat.ExpatError, LookupError, ValueError) as error:  # an encoding unknown or of many bytes
            raise Refused("not-whole") from error

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        own = name.rpartition(" ")[2]
        given = {key.rpartition(" ")[2]: value for key, value in attributes.items()}
        if own == "table":
            self._height = self._width = self._pending = 0
        elif own == "table-row":
            self._repeat, self._columns, self._filled = _count(given.get("number-rows-repeated")), 0, 0
        elif own in ("table-cell", "covered-table-cell"):
            self._columns += _count(given.get("number-columns-repeated"))
            if "value-type" in given:
                self._filled = self._columns

    def _end(self, name: str) -> None:
        if name.rpartition(" ")[2] != "table-row":
            return
        self._pending += self._repeat
        if self._filled:  # empty rows count only when something stands below them
            self._height, self._pending = self._height + self._pending, 0
            self._width = max(self._width, self._filled)
        if self._height * self._width > MOST_CELLS:
            raise Refused("too-large", part="sheet")


def _count(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 12 else 1
