"""Workbooks for the tests of the reader: written part by part, so that they may be as wrong as wished."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from xml.sax.saxutils import escape

from loanhub import CellKind, Sheet
from loanhub_format_excel import Excel

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'

Read = dict[tuple[int, int], tuple[str | None, str]]


def cells(sheet: Sheet) -> Read:
    """Text and name of the kind of every cell of a sheet, by row (from 1) and column (from 0)."""
    found: Read = {}
    for block in sheet.blocks():
        for record in block.iter_rows(named=True):
            for name, kind in record.items():
                if name.startswith("k") and kind:
                    at = int(name[1:])
                    found[record["row"], at] = (record[f"c{at}"], CellKind(kind).name)
    return found


def sheets(path: Path) -> list[Sheet]:
    return list(Excel().sheets(path))


def first(path: Path) -> Read:
    return cells(next(iter(Excel().sheets(path))))


def parts(
    rows: str,
    *,
    strings: str = "",
    formats: dict[int, str] | None = None,
    styles: tuple[int, ...] = (0,),
    from_1904: bool = False,
    after: str = "",
    before: str = "",
    state: str = "visible",
) -> dict[str, str]:
    """The parts of a workbook of one sheet. `styles` are the number formats of the styles, in order."""
    codes = "".join(
        f'<numFmt numFmtId="{number}" formatCode="{escape(code, {chr(34): "&quot;"})}"/>'
        for number, code in (formats or {}).items()
    )
    used = "".join(f'<xf numFmtId="{number}" xfId="0"/>' for number in styles)
    return {
        "[Content_Types].xml": f"{HEAD}<Types/>",
        "_rels/.rels": f'{HEAD}<Relationships><Relationship Id="r" Type="{RELATIONS}/officeDocument"'
        ' Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'{HEAD}<workbook xmlns="{MAIN}" xmlns:r="{RELATIONS}">'
        f'<workbookPr date1904="{int(from_1904)}"/>'
        f'<sheets><sheet name="放款" sheetId="1" state="{state}" r:id="rId1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f"{HEAD}<Relationships>"
        f'<Relationship Id="rId1" Type="{RELATIONS}/worksheet" Target="worksheets/sheet1.xml"/>'
        f'<Relationship Id="rId2" Type="{RELATIONS}/sharedStrings" Target="/xl/sharedStrings.xml"/>'
        f'<Relationship Id="rId3" Type="{RELATIONS}/styles" Target="styles.xml"/></Relationships>',
        "xl/styles.xml": f'{HEAD}<styleSheet xmlns="{MAIN}"><numFmts>{codes}</numFmts>'
        f'<cellStyleXfs><xf numFmtId="9"/></cellStyleXfs><cellXfs>{used}</cellXfs></styleSheet>',
        "xl/sharedStrings.xml": f'{HEAD}<sst xmlns="{MAIN}">{strings}</sst>',
        "xl/worksheets/sheet1.xml": f'{HEAD}<worksheet xmlns="{MAIN}">{before}'
        f"<sheetData>{rows}</sheetData>{after}</worksheet>",
    }


def write(path: Path, content: Mapping[str, str | bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in content.items():
            archive.writestr(name, text)
    return path


def biff5(records: list[tuple[int, bytes]], *, formats: tuple[str, ...] = ()) -> bytes:
    """An .xls of Excel 95 with one sheet "Old", as a plain stream: `records` are those of the sheet."""

    def record(number: int, content: bytes = b"") -> bytes:
        return struct.pack("<HH", number, len(content)) + content

    def begin(kind: int) -> bytes:
        return record(0x809, struct.pack("<HHHH", 0x0500, kind, 0, 0))

    book = begin(0x0005) + record(0x42, struct.pack("<H", 936))
    book += record(0x31, struct.pack("<HHHHHBBBB", 200, 0, 0, 400, 0, 0, 0, 0, 0) + b"\x05Arial") * 5
    for at, code in enumerate(formats):
        text = code.encode("gbk")
        book += record(0x41E, struct.pack("<HB", 164 + at, len(text)) + text)
    for number in (0, *range(164, 164 + len(formats)), 9, 14):
        book += record(0xE0, struct.pack("<HHHHHHHH", 0, number, 0, 0x20, 0, 0, 0, 0))
    start = len(book) + len(record(0x85, b"\0" * 6 + b"\x03Old")) + len(record(0x0A))
    book += record(0x85, struct.pack("<IH", start, 0) + b"\x03Old") + record(0x0A)
    return book + begin(0x0010) + b"".join(record(*one) for one in records) + record(0x0A)


def xlsb(cells: list[tuple[int, int, float | str]], *, strings: bytes = b"") -> dict[str, str | bytes]:
    """A binary workbook of one sheet "表": its cells in order, as row and column from 0 and value."""

    def record(number: int, content: bytes = b"") -> bytes:
        head = bytes([number]) if number < 128 else bytes([number & 0x7F | 0x80, number >> 7])
        return head + bytes([len(content)]) + content

    def text(value: str) -> bytes:
        return struct.pack("<I", len(value)) + value.encode("utf-16-le")

    sheet, last = record(129) + record(148, bytes(16)) + record(145), -1
    for row, column, value in cells:
        if row != last:
            sheet += record(0, struct.pack("<IIHBBBI", row, 0, 300, 0, 0, 0, 0))
        last, place = row, struct.pack("<II", column, 0)
        shown = isinstance(value, str)
        sheet += record(6, place + text(value)) if shown else record(5, place + struct.pack("<d", value))
    package = "http://schemas.openxmlformats.org/package/2006/relationships"
    listed = record(156, struct.pack("<II", 0, 1) + text("rId1") + text("表"))
    related = [("rId1", "worksheet", "worksheets/sheet1.bin"), ("rId2", "sharedStrings", "sharedStrings.bin")]
    lines = "".join(f'<Relationship Id="{n}" Type="{RELATIONS}/{t}" Target="{p}"/>' for n, t, p in related)
    return {
        "[Content_Types].xml": f"{HEAD}<Types/>",
        "_rels/.rels": f'{HEAD}<Relationships xmlns="{package}"><Relationship Id="r"'
        f' Type="{RELATIONS}/officeDocument" Target="xl/workbook.bin"/></Relationships>',
        "xl/workbook.bin": record(131) + record(143) + listed + record(144) + record(132),
        "xl/_rels/workbook.bin.rels": f'{HEAD}<Relationships xmlns="{package}">{lines}</Relationships>',
        "xl/worksheets/sheet1.bin": sheet + record(146) + record(130),
        **({"xl/sharedStrings.bin": strings} if strings else {}),
    }
