"""What a workbook says about itself: its sheets in order, its looks by style number, its day one.

The small parts (workbook, relations, styles) are read with expat, whatever namespace prefixes or strict
flavour they use.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import unquote
from xml.parsers import expat

from attrs import frozen

from loanhub import Refused
from loanhub_format_excel.looks import PLAIN, Look, builtin_look, look_of
from loanhub_format_excel.package import Package

Tag = tuple[str, str, dict[str, str]]
"""Name of the parent, own name, attributes; all without namespace."""

FIRST_CUSTOM_FORMAT: Final = 164
TAKEN_AT_ONCE: Final = 1 << 16
DEEPEST: Final = 64  # elements inside one another in a small part


@frozen
class SheetPart:
    """One sheet of the workbook and the part that holds its cells."""

    name: str
    part: str
    hidden: bool


@frozen
class Book:
    """The workbook: sheets in order, looks by style number, whether days count from 1904."""

    sheets: tuple[SheetPart, ...]
    looks: tuple[Look, ...]
    from_1904: bool
    strings: str
    """The part with the shared strings; it may be absent."""
    notes: tuple[str, ...]

    def look(self, style: int) -> Look:
        """The look of a style number; an unknown one is plain."""
        return self.looks[style] if style < len(self.looks) else PLAIN


def read_book(package: Package) -> Book:
    """Read the small parts. Raises Refused when there is no workbook or it holds macro sheets only."""
    main = _main_part(package)
    relations = _relations(package, main)
    listed, from_1904 = _listed(package, main)
    sheets, skipped = [], False
    for name, relation, hidden in listed:
        kind, part = relations.get(relation, ("", ""))
        if kind == "worksheet":
            sheets.append(SheetPart(name, part, hidden))
        skipped = skipped or kind.lower().endswith("macrosheet")
    if skipped and not sheets:
        raise Refused("macro-sheet-only")
    if not sheets:
        raise Refused("not-a-workbook")
    notes = [("macro-sheet-skipped", skipped), ("macro-workbook", _has_macros(package))]
    styles = _part_of(relations, "styles") or "xl/styles.xml"
    return Book(
        sheets=tuple(sheets),
        looks=_looks(package.read(styles)) if package.has(styles) else (),
        from_1904=from_1904,
        strings=_part_of(relations, "sharedStrings") or "xl/sharedStrings.xml",
        notes=tuple(code for code, found in notes if found),
    )


def tags(text: bytes) -> Iterator[Tag]:
    """All elements of a small part, in order. Raises Refused for a document type or broken XML."""
    found: list[Tag] = []
    path = [""]

    def start(name: str, attributes: dict[str, str]) -> None:
        own = _local(name)
        found.append((path[-1], own, {_local(key): value for key, value in attributes.items()}))
        path.append(own)
        if len(path) > DEEPEST:
            raise Refused("not-whole")

    parser = new_parser()
    parser.StartElementHandler = start
    parser.EndElementHandler = lambda _name: path.pop()
    for at in range(0, len(text) + 1, TAKEN_AT_ONCE):
        try:
            parser.Parse(text[at : at + TAKEN_AT_ONCE], at + TAKEN_AT_ONCE > len(text))
        except (expat.ExpatError, LookupError, ValueError) as error:  # an encoding unknown or of many bytes
            raise Refused("not-whole") from error
        yield from found
        found.clear()


def new_parser() -> Any:
    """A namespace-aware expat parser that refuses a document type."""
    parser = expat.ParserCreate(namespace_separator=" ")

    def refuse(*_declaration: object) -> None:
        raise Refused("doctype", part="xml")

    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    parser.buffer_text = True
    return parser


def _local(name: str) -> str:
    return name.rpartition(" ")[2]


def is_true(text: str | None) -> bool:
    """Whether an XML attribute says yes."""
    return text in ("1", "true", "on")


# -- workbook and relations ------------------------------------------------------------------------


def _main_part(package: Package) -> str:
    if package.has("_rels/.rels"):
        for _, name, attributes in tags(package.read("_rels/.rels")):
            if name == "Relationship" and attributes.get("Type", "").endswith("/officeDocument"):
                main = _resolve("", attributes.get("Target", ""))
                if package.has(main):
                    return main
    if not package.has("xl/workbook.xml"):
        raise Refused("not-a-workbook")
    return "xl/workbook.xml"


def _relations(package: Package, main: str) -> dict[str, tuple[str, str]]:
    folder, file = posixpath.split(main)
    part = posixpath.join(folder, "_rels", f"{file}.rels")
    if not package.has(part):
        raise Refused("part-missing", part=part)
    return {
        attributes.get("Id", ""): (
            attributes.get("Type", "").rpartition("/")[2],
            _found(package, _resolve(folder, attributes.get("Target", ""))),
        )
        for _, name, attributes in tags(package.read(part))
        if name == "Relationship" and attributes.get("TargetMode") != "External"
    }


def _resolve(folder: str, target: str) -> str:
    target = target.replace("\\", "/")
    joined = target if target.startswith("/") else posixpath.join(folder, target)
    return posixpath.normpath(joined).lstrip("/")


def _found(package: Package, part: str) -> str:
    """A target is a URI: a space or a Chinese letter in the part's name may stand in it escaped."""
    return part if package.has(part) else unquote(part)


def _part_of(relations: dict[str, tuple[str, str]], kind: str) -> str:
    return next((part for found, part in relations.values() if found == kind), "")


def _listed(package: Package, main: str) -> tuple[list[tuple[str, str, bool]], bool]:
    sheets, from_1904 = [], False
    for parent, name, attributes in tags(package.read(main)):
        if (parent, name) == ("workbook", "workbookPr"):  # extensions of Excel 2013 have one of that name too
            from_1904 = is_true(attributes.get("date1904"))
        if (parent, name) == ("sheets", "sheet"):
            hidden = attributes.get("state", "visible") != "visible"
            sheets.append((attributes.get("name", ""), attributes.get("id", ""), hidden))
    return sheets, from_1904


def _has_macros(package: Package) -> bool:
    return any(name.endswith("vbaproject.bin") for name in package.parts)


# -- styles ----------------------------------------------------------------------------------------


def _looks(styles: bytes) -> tuple[Look, ...]:
    codes: dict[int, str] = {}
    used: list[int] = []
    for parent, name, attributes in tags(styles):
        if name == "numFmt" and parent == "numFmts":
            codes[_whole(attributes.get("numFmtId"))] = attributes.get("formatCode", "")
        if name == "xf" and parent == "cellXfs":
            used.append(_whole(attributes.get("numFmtId")))
    return tuple(look_of(codes[number]) if number in codes else builtin_look(number) for number in used)


def _whole(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() else 0
