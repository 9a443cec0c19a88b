"""Files made wrong at random, the same again for the same number: bits, lengths, XML, lies of the zip."""

from __future__ import annotations

import io
import random
import re
import struct
import zipfile
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Final

import xlsxwriter

from tests.plugins.books import biff5, parts, write, xlsb
from tests.plugins.locked import lock_xlsx, locked_xls

Chance = random.Random

HEADS: Final = (
    "客户姓名",
    "身份证号",
    "手机号码",
    "借据号",
    "贷款金额",
    "期限",
    "贷款利率",
    "放款日期",
    "备注",
)
NUMBERS: Final = (
    b"0", b"-1", b"1", b"65536", b"1048576", b"1048577", b"16384", b"2147483647", b"2147483648",
    b"4294967295", b"99999999999999999999", b"1e308", b"1e999", b"NaN", b"-0", b"0x10", b"",
    b"\xef\xbc\x91",
)  # fmt: skip
PIECES: Final = (
    b"<", b">", b"</row>", b"<row>", b'<c r="XFD1048576"><v>1</v></c>', b'<c r="A0"/>', b"<v>", b"</v>",
    b"<!-- -->", b"<![CDATA[", b"]]>", b"&#0;", b"&amp;", b"&x;", b"<!DOCTYPE a>", b"<?x?>", b"\0",
    b"\xff\xfe", b"\xed\xa0\x80", b"<is><t>", b'<mergeCell ref="A1:XFD1048576"/>', b"</sheetData>",
    b"</worksheet>", b'<row r="1" hidden="1"/>', b"<f>A1</f>", b' t="s"', b' s="99999"', b' t="d"',
    b"_x0000_", b'"', b"=", b"\xf0\x9f\x98\x80" * 999,
)  # fmt: skip
SIZES: Final = (0, 1, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF)


# -- what is mutated -------------------------------------------------------------------------------


def seeds(folder: Path) -> list[Path]:
    """A good file of each kind, small."""
    folder.mkdir(exist_ok=True)
    made = [_usual(folder / "usual.xlsx"), _plain(folder / "plain.xlsx")]
    made.append(
        write(folder / "binary.xlsb", xlsb([(0, n, head) for n, head in enumerate(HEADS)] + [(1, 0, 1.0)]))
    )
    made.append(_open_document(folder / "open.ods"))
    made.append(locked_xls(folder / "locked.xls", "VelvetSweatshop", [1.0, 2.5, 1e17]))
    made.append(lock_xlsx(made[0], folder / "locked.xlsx", "VelvetSweatshop"))
    (folder / "old.xls").write_bytes(_old())
    made.append(folder / "old.xls")
    text = "\r\n".join(",".join(row) for row in (HEADS, *_rows())) + "\r\n"
    for name, encoding in (("utf8.csv", "utf-8-sig"), ("gb.csv", "gb18030"), ("wide.txt", "utf-16")):
        (folder / name).write_bytes(text.encode(encoding))
        made.append(folder / name)
    quoted = "\n".join("\t".join(f'"{cell}"' for cell in row) for row in (HEADS, *_rows()))
    (folder / "quoted.tsv").write_text(quoted, encoding="utf-8")
    return [*made, folder / "quoted.tsv"]


def _rows() -> list[tuple[str, ...]]:
    usual = ("20万", "12个月", "4.9%", "2026-01-15", "a b")
    return [(f"张{n}", f"11999919900101{n:04}", f"138{n:08}", f"JJ{n}", *usual) for n in range(20)]


def _usual(path: Path) -> Path:
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("放款")
        looks = [book.add_format({"num_format": code}) for code in ("0.00%", "yyyy-mm-dd", '0"期"', "@")]
        sheet.write_row(0, 0, HEADS)
        for at, row in enumerate(_rows(), 1):
            sheet.write_row(at, 0, row, looks[3])
            sheet.write_number(at, 5, 12, looks[2])
            sheet.write_number(at, 6, 0.049, looks[0])
            sheet.write_datetime(at, 7, date(2026, 1, 15), looks[1])
            sheet.write_formula(at, 9, "=1/0", None, "#DIV/0!")
            sheet.write_boolean(at, 10, boolean=True)
        sheet.merge_range("M1:N3", "合并")
        sheet.set_row(5, None, None, {"hidden": True})
        book.add_worksheet("空").hide()
    return path


def _plain(path: Path) -> Path:
    rows = "".join(
        f'<row r="{n}"><c r="A{n}" t="inlineStr"><is><t>张{n}</t></is></c>'
        f'<c r="B{n}" t="s"><v>{n % 3}</v></c>'
        f'<c r="C{n}" s="1"><v>4.9E-2</v></c><c r="D{n}"><f>B{n}</f></c></row>'
        for n in range(1, 40)
    )
    strings = "<si><t>甲</t></si><si><r><t>乙</t></r></si><si/>"
    return write(
        path, parts(rows, strings=strings, styles=(0, 10, 14), after="<mergeCells/>", before="<cols/>")
    )


def _open_document(path: Path) -> Path:
    urn = "urn:oasis:names:tc:opendocument:xmlns"
    cell = '<table:table-cell office:value-type="string"><text:p>{}</text:p></table:table-cell>'
    rows = "".join(
        f"<table:table-row>{''.join(map(cell.format, row))}</table:table-row>" for row in (HEADS, *_rows())
    )
    content = (
        f'<office:document-content xmlns:office="{urn}:office:1.0" xmlns:table="{urn}:table:1.0"'
        f' xmlns:text="{urn}:text:1.0"><office:body><office:spreadsheet><table:table table:name="a">'
        f'<table:table-column table:number-columns-repeated="9"/>{rows}'
        "</table:table></office:spreadsheet></office:body></office:document-content>"
    )
    kind = "application/vnd.oasis.opendocument.spreadsheet"
    manifest = f'<manifest:manifest xmlns:manifest="{urn}:manifest:1.0"/>'
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("mimetype"), kind)
        archive.writestr("META-INF/manifest.xml", manifest)
        archive.writestr("content.xml", content)
    return path


def _old() -> bytes:
    text = "张三".encode("gbk")
    records = [
        (0x204, struct.pack("<HHHH", 0, 0, 0, len(text)) + text),
        (0x203, struct.pack("<HHHd", 0, 1, 3, 46027.0)),
        (0x27E, struct.pack("<HHHI", 1, 0, 1, 42 << 2 | 2)),
        (0x205, struct.pack("<HHHBB", 1, 1, 0, 7, 1)),
    ]
    return biff5(records, formats=("0.00%",))


# -- how it is made wrong --------------------------------------------------------------------------


def mutated(seed: bytes, number: int) -> bytes:
    """The seed made wrong in the way of `number`; the same number does the same again."""
    chance = random.Random(number)
    ways: list[Callable[[bytes, Chance], bytes]] = [_bits, _cut, _moved, _numbers]
    if seed.startswith(b"PK"):
        ways = [_inside, _inside, _inside, _lie, _lie, _bits, _cut]
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        try:
            seed = chance.choice(ways)(seed, chance)
        except Exception:  # noqa: BLE001 - whatever is too wrong to be opened
            seed = _bits(seed, chance)  # it is too wrong already to be made wrong inside
    return seed


def _bits(seed: bytes, chance: Chance) -> bytes:
    found = bytearray(seed or b"\0")
    for _ in range(chance.choice((1, 1, 2, 8, 64))):
        found[chance.randrange(len(found))] ^= 1 << chance.randrange(8)
    return bytes(found)


def _cut(seed: bytes, chance: Chance) -> bytes:
    at = chance.randrange(len(seed) + 1)
    return seed[:at] if chance.random() < 0.7 else seed[at:]


def _moved(seed: bytes, chance: Chance) -> bytes:
    first, last = sorted(chance.randrange(len(seed) + 1) for _ in range(2))
    part, at = seed[first:last], chance.randrange(len(seed) + 1)
    rest = seed[:first] + seed[last:] if chance.random() < 0.5 else seed
    return rest[:at] + part * chance.choice((1, 1, 2, 20)) + rest[at:]


def _numbers(seed: bytes, chance: Chance) -> bytes:
    """Two or four bytes become a size that is no size."""
    found, width = bytearray(seed.ljust(8, b"\0")), chance.choice((2, 4))
    at = chance.randrange(len(found) - width + 1)
    found[at : at + width] = (chance.choice(SIZES) & (1 << 8 * width) - 1).to_bytes(width, "little")
    return bytes(found)


def _inside(seed: bytes, chance: Chance) -> bytes:
    """One part of the package is made wrong and packed again, whole and with its right checksum."""
    with zipfile.ZipFile(io.BytesIO(seed)) as archive:
        content = {entry.filename: archive.read(entry) for entry in archive.infolist()}
    if not content:
        return _bits(seed, chance)
    weights = [9 if "sheet" in name or "content.xml" in name else 3 for name in content]
    name = chance.choices(list(content), weights)[0]
    xml = content[name].lstrip().startswith(b"<")
    ways = (
        (_markup, _markup, _attribute, _attribute, _moved, _bits, _encoding)
        if xml
        else (_bits, _numbers, _moved)
    )
    content[name] = chance.choice(ways)(content[name], chance)
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in content.items():
            archive.writestr(name, text)
    return held.getvalue()


def _markup(text: bytes, chance: Chance) -> bytes:
    places = [found.end() for found in re.finditer(rb">", text)] or [0]
    at = chance.choice(places)
    if chance.random() < 0.3:  # a tag less
        return text[: text.rfind(b"<", 0, at)] + text[at:] if at else text
    return text[:at] + chance.choice(PIECES) * chance.choice((1, 1, 1, 50)) + text[at:]


def _attribute(text: bytes, chance: Chance) -> bytes:
    places = list(re.finditer(rb'"[^"<]*"|>[^<]+<', text))
    if not places:
        return text
    found = chance.choice(places)
    value = chance.choice((*NUMBERS, *PIECES)) if chance.random() < 0.8 else found.group()[1:-1] * 3
    return text[: found.start() + 1] + value + text[found.end() - 1 :]


def _encoding(text: bytes, chance: Chance) -> bytes:
    told = chance.choice((b"UTF-16", b"GB18030", b"none-such", b"UTF-7", b"IBM037", b"utf-8"))
    if chance.random() < 0.5:
        return text.decode("utf-8", "replace").encode(chance.choice(("utf-16", "utf-32", "gb18030")))
    return re.sub(rb'encoding="[^"]*"', b'encoding="' + told + b'"', text, count=1)


def _lie(seed: bytes, chance: Chance) -> bytes:
    """A field of the zip's own records becomes something else; sizes and flags are what bombs lie about."""
    marks = {
        b"PK\x01\x02": (46, 8, 10, 16, 20, 24, 28, 30, 42),
        b"PK\x03\x04": (30, 6, 8, 14, 18, 22, 26, 28),
    }
    marks[b"PK\x05\x06"] = (22, 8, 10, 12, 16, 20)
    mark = chance.choice(list(marks))
    places = [found.start() for found in re.finditer(re.escape(mark), seed)]
    if not places:
        return _numbers(seed, chance)
    length, *fields = marks[mark]
    at, found = chance.choice(places) + chance.choice(fields), bytearray(seed)
    width = 4 if chance.random() < 0.5 else 2
    old = int.from_bytes(found[at : at + width], "little")
    new = chance.choice((*SIZES, old + 1, max(old - 1, 0), old * 1000, 1, 8, 9, 0x41))
    found[at : at + width] = (new & (1 << 8 * width) - 1).to_bytes(width, "little")
    return bytes(found[: max(len(seed), length)])
