"""Workbooks are read as a person reads them, and hostile ones are refused with a reason."""

from __future__ import annotations

import io
import math
import random
import re
import struct
import tempfile
import tomllib
import zipfile
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import python_calamine
import xlsxwriter
from hypothesis import given
from hypothesis import strategies as st

from loanhub import CellKind, Refused
from loanhub_format_excel import Excel, calamine
from loanhub_format_excel.looks import look_of, plain_number, show
from tests.plugins.books import HEAD, MAIN, biff5, cells, first, parts, sheets, write, xlsb

LOOKS = [
    # number format, stored number, text, kind
    ("General", 200000, "200000", "NUMBER"),
    ("#,##0.00", 1234.5, "1234.5", "NUMBER"),
    ("0.00%", 0.049, "4.9%", "PERCENT"),
    ("[Red]0.0%;[Green]-0.0%", -0.1234, "-12.34%", "PERCENT"),
    ('0"期"', 36, "36期", "NUMBER"),
    ('0"个月"', 12, "12个月", "NUMBER"),
    ('0.0"万"', 20, "20万", "NUMBER"),
    ('0.00"‰"', 4.5, "4.5‰", "NUMBER"),
    ('0.00"%"', 4.9, "4.9%", "NUMBER"),
    ("0.00\\%", 4.9, "4.9%", "NUMBER"),
    ('0!.0,"万"', 200000, "200000", "NUMBER"),  # shown as 20.0万: the stored number is in yuan
    ('0.00,,"百万"', 3000000, "3000000", "NUMBER"),
    ('[>=10000]0.0,"万";0', 50000, "50000", "NUMBER"),
    ('"￥"#,##0.00', 1234.5, "￥1234.5", "NUMBER"),
    ("[$￥-804]#,##0.00;[$￥-804]-#,##0.00", -8, "-￥8", "NUMBER"),
    ('_ ¥* #,##0.00_ ;_ ¥* -#,##0.00_ ;_ ¥* "-"??_ ;_ @_ ', 7, "¥7", "NUMBER"),
    ('0"元"_);(0"元")', -5, "-5元", "NUMBER"),
    ("00000", 123, "00123", "NUMBER"),
    ("0.00E+00", 200000, "200000", "NUMBER"),
    ("@", 5, "5", "NUMBER"),
    ("yyyy-mm-dd", 46027, "2026-01-05", "DATE"),
    ('yyyy"年"m"月"d"日"', 46027, "2026-01-05", "DATE"),
    ("[$-804]yyyy/m/d;@", 46027, "2026-01-05", "DATE"),
    ("m/d/yy h:mm", 46027.5416666667, "2026-01-05 13:00:00", "DATE"),
    ('[DBNum1][$-804]yyyy"年"m"月"', 46027, "2026-01-05", "DATE"),
    ("yyyy-mm-dd", 60, "1900-02-29", "DATE"),  # Excel shows this day; a check must refuse it
    ("yyyy-mm-dd", 59, "1900-02-28", "DATE"),
    ("yyyy-mm-dd", 61, "1900-03-01", "DATE"),
    ("yyyy-mm-dd", 20240105, "20240105", "NUMBER"),  # shown as ######
    ("yyyy-mm-dd", 0, "0", "NUMBER"),
    ("h:mm:ss", 0.5, "12:00:00", "TIME"),
    ("h:mm", 0.999999999, "23:59:59", "TIME"),
    ("[h]:mm:ss", 1.5, "36:00:00", "TIME"),
    ("mm:ss.0", 0.5, "12:00:00", "TIME"),
    ('上午/下午h"时"mm"分"', 0.75, "18:00:00", "TIME"),
]


@pytest.mark.parametrize(("code", "stored", "text", "kind"), LOOKS)
def test_a_number_is_read_as_its_format_shows_it(code: str, stored: float, text: str, kind: str) -> None:
    found, found_kind = show(repr(stored), look_of(code), from_1904=False)
    assert (found, CellKind(found_kind).name) == (text, kind)


def test_the_formats_of_a_written_workbook_reach_every_cell(tmp_path: Path) -> None:
    path = tmp_path / "looks.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        for row, (code, stored, _, _) in enumerate(LOOKS):
            sheet.write_number(row, 0, stored, book.add_format({"num_format": code}))
    expected = {(row + 1, 0): (text, kind) for row, (_, _, text, kind) in enumerate(LOOKS)}
    assert first(path) == expected


@pytest.mark.parametrize("number", [*range(27, 32), 36, *range(50, 55), 57, 58])
def test_chinese_built_in_date_formats_are_dates(number: int, tmp_path: Path) -> None:
    rows = '<row r="1"><c r="A1" s="1"><v>45296</v></c></row>'
    assert first(write(tmp_path / "a.xlsx", parts(rows, styles=(0, number)))) == {
        (1, 0): ("2024-01-05", "DATE")
    }
    rows = rows.replace("45296", "43834")
    content = parts(rows, styles=(0, number), from_1904=True)
    newer = '<extLst><ext xmlns:x="x"><x:workbookPr chartTrackingRefBase="1"/></ext></extLst></workbook>'
    content["xl/workbook.xml"] = content["xl/workbook.xml"].replace("</workbook>", newer)
    early = write(tmp_path / "b.xlsx", content)
    assert first(early) == {(1, 0): ("2024-01-05", "DATE")}


@pytest.mark.parametrize(
    ("stored", "text"),
    [
        ("4.9000000000000002E-2", "0.049"),
        ("2E5", "200000"),
        ("-0", "0"),
        ("0.50", "0.5"),
        ("1.10101199003074E+17", "1.10101199003074E+17"),  # digits were lost: it must stay visible
        ("119999199001011234", "119999199001011234"),
        ("999999999999999", "999999999999999"),
    ],
)
def test_a_stored_number_is_given_in_plain_decimal(stored: str, text: str, tmp_path: Path) -> None:
    path = write(tmp_path / "n.xlsx", parts(f'<row r="1"><c r="A1"><v>{stored}</v></c></row>'))
    assert first(path) == {(1, 0): (text, "NUMBER")}


@pytest.mark.parametrize("stored", ["NaN", "1e999", "-INF", "0x10", "1_000"])
def test_what_is_no_finite_number_is_an_error_cell(stored: str, tmp_path: Path) -> None:
    path = write(tmp_path / "n.xlsx", parts(f'<row r="1"><c r="A1"><v>{stored}</v></c></row>'))
    assert first(path) == {(1, 0): (stored, "ERROR")}


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_plain_decimal_is_the_same_number(value: float) -> None:
    text, _ = plain_number(repr(value))
    assert text is not None
    assert math.isclose(float(text), value, rel_tol=0, abs_tol=0)
    assert "e" not in text.lower() or abs(value) >= 1e15 or abs(value) < 1e-20


@given(st.integers(min_value=1, max_value=2_958_465), st.integers(min_value=0, max_value=86_399))
def test_a_serial_is_the_moment_the_calendar_says(days: int, seconds: int) -> None:
    if days == 60:
        return
    moment = datetime(1899, 12, 30 if days > 60 else 31) + timedelta(days=days, seconds=seconds)
    text, kind = show(repr(days + seconds / 86_400), look_of("yyyy-mm-dd hh:mm:ss"), from_1904=False)
    assert (text, kind) == (str(moment).removesuffix(" 00:00:00"), CellKind.DATE)


# -- errors, formulas, hidden, merged --------------------------------------------------------------


def test_errors_truths_and_formulas_without_value_are_told_apart_from_empty_cells(tmp_path: Path) -> None:
    rows = (
        '<row r="1"><c r="A1" t="e"><f>1/0</f><v>#DIV/0!</v></c><c r="B1"><f>SUM(1,2)</f></c>'
        '<c r="C1"><f>A9</f><v></v></c><c r="D1" t="b"><v>1</v></c><c r="E1" t="str"><f>""</f><v></v></c>'
        '<c r="F1" s="0"/><c r="G1"><f>1+1</f><v>2</v></c>'
        '<c r="H1" t="d"><v>2026-01-05T13:00:00</v></c></row>'
    )
    expected = {
        (1, 0): ("#DIV/0!", "ERROR"),
        (1, 1): (None, "NO_VALUE"),
        (1, 2): (None, "NO_VALUE"),
        (1, 3): ("TRUE", "BOOL"),
        (1, 6): ("2", "NUMBER"),
        (1, 7): ("2026-01-05 13:00:00", "DATE"),
    }
    assert first(write(tmp_path / "quick.xlsx", parts(rows))) == expected
    assert first(write(tmp_path / "careful.xlsx", parts("<!-- -->" + rows))) == expected


@pytest.mark.parametrize("comment", ["", "<!-- read with care -->"])
def test_hidden_rows_columns_sheets_and_merges_are_reported(comment: str, tmp_path: Path) -> None:
    rows = (
        '<row r="1"><c r="A1"><v>1</v></c></row>'
        '<row r="2" spans="1:1" hidden="1"><c r="A2"><v>2</v></c></row>'
        '<row r="5"/><row r="7" hidden="true"/>'
    )
    after = '<mergeCells count="2"><mergeCell ref="A1:B1"/><mergeCell ref="C3:D9"/></mergeCells>'
    before = '<cols><col min="1" max="1" hidden="1"/></cols>'
    path = write(tmp_path / "h.xlsx", parts(rows, after=comment + after, before=before, state="veryHidden"))
    sheet = sheets(path)[0]
    with_rows = [
        (row["row"], row["hidden"]) for block in sheet.blocks() for row in block.iter_rows(named=True)
    ]
    assert with_rows == [(1, False), (2, True)]
    assert sheet.hidden
    assert sheet.merged() == ((1, 0, 1, 1), (3, 2, 9, 3))
    assert sorted(sheet.noted()) == ["columns-hidden", "rows-hidden", "sheet-hidden"]


# -- odd but right XML -----------------------------------------------------------------------------

STRINGS = (
    "<si><t>张三</t></si><si><t/></si><si/>"
    "<si><r><t>红</t></r><r><rPr><b/></rPr><t xml:space='preserve'> 字</t></r>"
    "<rPh sb='0' eb='1'><t>ho</t></rPh></si>"
    "<si><t>A&amp;B &lt;_x000D_\n&#x5F20;</t></si>"
)
TEXTS = {0: "张三", 3: "红 字", 4: "A&B <\n张"}


@pytest.mark.parametrize("comment", ["", "<!-- read with care -->"])
def test_shared_strings_are_read_rich_escaped_and_empty(comment: str, tmp_path: Path) -> None:
    row = "".join(f'<c r="{"ABCDE"[at]}1" t="s"><v>{at}</v></c>' for at in range(5))
    path = write(tmp_path / "s.xlsx", parts(f'<row r="1">{row}</row>', strings=comment + STRINGS))
    assert first(path) == {(1, at): (text, "TEXT") for at, text in TEXTS.items()}


def test_inline_strings_prefixes_and_cells_without_reference_are_read(tmp_path: Path) -> None:
    rows = (
        '<row r="3"><c t="inlineStr"><is><r><t>红</t></r><r><t>字</t></r></is></c><c><v>2</v></c></row>'
        '<row><c t="inlineStr"><is><t><![CDATA[<a>]]></t></is></c></row>'
    )
    expected = {(3, 0): ("红字", "TEXT"), (3, 1): ("2", "NUMBER"), (4, 0): ("<a>", "TEXT")}
    content = parts(rows)
    assert first(write(tmp_path / "a.xlsx", content)) == expected
    strict = "http://purl.oclc.org/ooxml/spreadsheetml/main"
    prefixed = content["xl/worksheets/sheet1.xml"].replace("</", "</x:").replace("<", "<x:")
    prefixed = prefixed.replace("<x:/x:", "</x:").replace("<x:?", "<?").replace("<x:![", "<![")
    prefixed = prefixed.replace("<x:a>", "<a>").replace(f'xmlns="{MAIN}"', f'xmlns:x="{strict}"')
    assert first(write(tmp_path / "b.xlsx", {**content, "xl/worksheets/sheet1.xml": prefixed})) == expected


def test_a_comment_in_the_middle_of_a_long_sheet_loses_and_doubles_no_row(tmp_path: Path) -> None:
    def row(number: int) -> str:
        return f'<row r="{number}"><c r="A{number}"><v>{number}</v></c>{" " * 900}</row>'

    rows = "".join(row(n) for n in range(1, 15_001)) + "<!-- here -->" + row(15_001)
    found = first(write(tmp_path / "long.xlsx", parts(rows)))
    assert found == {(n, 0): (str(n), "NUMBER") for n in range(1, 15_002)}


def test_far_cells_cost_two_cells_and_a_diagonal_costs_no_square(tmp_path: Path) -> None:
    far = '<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>2</v></c></row>'
    assert first(write(tmp_path / "far.xlsx", parts(far))) == {
        (1, 0): ("1", "NUMBER"),
        (1_048_576, 16_383): ("2", "NUMBER"),
    }
    letters = 6 * [
        chr(65 + a) + chr(65 + b) + chr(65 + c) for a in range(2) for b in range(26) for c in range(26)
    ]
    diagonal = "".join(
        f'<row r="{at}"><c r="{name}{at}"><v>{at}</v></c></row>' for at, name in enumerate(letters, 1)
    )
    sheet = sheets(write(tmp_path / "diagonal.xlsx", parts(diagonal)))[0]
    sizes = [(block.height, block.width) for block in sheet.blocks()]
    assert sum(height for height, _ in sizes) == len(letters)
    assert max(height * width for height, width in sizes) < 20_000_000


# -- other readers as witnesses --------------------------------------------------------------------


def mixed_book(path: Path, seed: int, *, constant_memory: bool) -> list[list[Any]]:
    """A book of mixed values as xlsxwriter writes them (shared strings, or inline ones)."""
    chance = random.Random(seed)
    choices: list[Callable[[], Any]] = [
        lambda: None,
        lambda: "客户" + str(chance.randrange(99)),
        lambda: f"  <{chance.random()}>&\n'\" ",
        lambda: chance.randrange(-(10**9), 10**9),
        lambda: round(chance.uniform(-1e6, 1e6), chance.randrange(5)),
        lambda: chance.random() * 10.0 ** chance.randrange(-6, 12),
        lambda: chance.random() < 0.5,
        lambda: datetime(2020, 1, 1) + timedelta(seconds=chance.randrange(10**8)),
        lambda: date(2020, 1, 1) + timedelta(days=chance.randrange(3000)),
        lambda: time(chance.randrange(24), chance.randrange(60)),
    ]
    table = [[chance.choice(choices)() for _ in range(30)] for _ in range(120)]
    with xlsxwriter.Workbook(path, {"constant_memory": constant_memory}) as book:
        sheet = book.add_worksheet()
        looks: dict[type, Any] = {
            kind: book.add_format({"num_format": code})
            for kind, code in ((datetime, "yyyy-mm-dd hh:mm:ss"), (date, "yyyy/m/d"), (time, "h:mm:ss"))
        }
        for row, values in enumerate(table):
            for column, value in enumerate(values):
                if isinstance(value, str):
                    sheet.write_string(row, column, value)
                elif value is not None:
                    sheet.write(row, column, value, looks.get(type(value)))
    return table


def agree(text: str | None, kind: str, value: Any) -> bool:
    """Whether our text says what another reader's value says."""
    match value:
        case bool():
            return (text, kind) == (str(value).upper(), "BOOL")
        case int() | float():
            return kind == "NUMBER" and text is not None and float(text) == value
        case datetime():
            return kind == "DATE" and text == str(value.replace(microsecond=0)).removesuffix(" 00:00:00")
        case date():
            return (text, kind) == (str(value), "DATE")
        case time():
            return (text, kind) == (value.isoformat("seconds"), "TIME")
    return (text, kind) == (value, "TEXT")


@pytest.mark.parametrize("constant_memory", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_openpyxl_and_calamine_read_the_same(seed: int, constant_memory: bool, tmp_path: Path) -> None:
    path = tmp_path / "mixed.xlsx"
    table = mixed_book(path, seed, constant_memory=constant_memory)
    ours = first(path)
    assert len(ours) == sum(value is not None for values in table for value in values)
    theirs = import_module("openpyxl").load_workbook(path).worksheets[0]
    calamine = python_calamine.CalamineWorkbook.from_path(str(path)).get_sheet_by_index(0).to_python()
    for (row, column), (text, kind) in ours.items():
        assert agree(text, kind, theirs.cell(row, column + 1).value), (row, column)
        assert agree(text, kind, calamine[row - 1][column]), (row, column)


@pytest.mark.parametrize("seed", range(3))
def test_the_quick_and_the_careful_way_give_the_same(seed: int, tmp_path: Path) -> None:
    path, other = tmp_path / "mixed.xlsx", tmp_path / "careful.xlsx"
    mixed_book(path, seed, constant_memory=False)
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    sheet = "xl/worksheets/sheet1.xml"
    content[sheet] = content[sheet].replace(b"<sheetData>", b"<!-- --><sheetData>")
    assert first(write(other, content)) == first(path)


# -- hostile and broken files ----------------------------------------------------------------------

ONE = '<row r="1"><c r="A1" t="s"><v>0</v></c></row>'
NAME = "<si><t>张三</t></si>"
LAUGH = '<!DOCTYPE sst [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>'


def repacked(path: Path, change: dict[str, str | bytes]) -> Path:
    return write(path, {**parts(ONE, strings=NAME), **change})  # type: ignore[arg-type]


def bomb(path: Path) -> Path:
    return repacked(path, {"xl/worksheets/sheet1.xml": b"<worksheet><sheetData>" + b" " * (40 << 20)})


def doctype(path: Path) -> Path:
    return repacked(path, {"xl/sharedStrings.xml": HEAD + "<!-- a -->" + LAUGH + "<sst>&b;</sst>"})


def doctype_in_utf16(path: Path) -> Path:
    return repacked(path, {"xl/comments1.xml": (LAUGH + "<comments/>").encode("utf-16")})


def lying_count(path: Path) -> Path:
    return repacked(path, {"xl/sharedStrings.xml": f'{HEAD}<sst uniqueCount="4294967295">{NAME}</sst>'})


def missing_string(path: Path) -> Path:
    return write(path, parts(ONE.replace("<v>0", "<v>99"), strings=NAME))


def amplified(path: Path) -> Path:
    row = "".join(f'<row r="{n}"><c r="A{n}" t="s"><v>0</v></c></row>' for n in range(1, 20_001))
    return write(path, parts(row, strings=f"<si><t>{'长' * 32_000}</t></si>"))


def beyond_the_sheet(path: Path) -> Path:
    return write(path, parts('<row r="1"><c r="XFE1"><v>1</v></c></row>'))


def row_beyond_the_sheet(path: Path) -> Path:
    return write(path, parts('<row r="1048577"><c r="A1048577"><v>1</v></c></row>'))


def rows_out_of_order(path: Path) -> Path:
    return write(path, parts('<row r="2"><c r="A2"/></row><row r="1"><c r="A1"/></row>'))


def cell_twice(path: Path) -> Path:
    return write(path, parts('<row r="1"><c r="A1"><v>1</v></c><c r="A1"><v>2</v></c></row>'))


def cut_in_half(path: Path) -> Path:
    whole = write(path, parts(ONE, strings=NAME)).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    return path


def cut_inside_the_sheet(path: Path) -> Path:
    sheet = parts(ONE)["xl/worksheets/sheet1.xml"]
    return repacked(path, {"xl/worksheets/sheet1.xml": sheet[: sheet.index("<v>")]})


def not_utf8(path: Path) -> Path:
    return repacked(path, {"xl/sharedStrings.xml": b"<sst><si><t>\xff\xfe</t></si></sst>"})


def unknown_encoding(path: Path) -> Path:
    sheet = parts(ONE)["xl/worksheets/sheet1.xml"].replace("UTF-8", "none-such")
    return repacked(path, {"xl/worksheets/sheet1.xml": sheet})


def bit_flipped(path: Path) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, text in parts(ONE, strings=NAME).items():
            archive.writestr(name, text)
    path.write_bytes(path.read_bytes().replace("张三".encode(), "张四".encode()))
    return path


def entry_twice(path: Path) -> Path:
    with zipfile.ZipFile(repacked(path, {}), "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("xl/styles.xml", "<styleSheet/>")
    return path


def entry_escapes(path: Path) -> Path:
    return repacked(path, {"../../etc/x": "x"})


def entries_overlap(path: Path) -> Path:
    data = bytearray(repacked(path, {}).read_bytes())
    directory = data.index(b"PK\x01\x02")
    second = data.index(b"PK\x01\x02", directory + 4)
    data[second + 42 : second + 46] = data[directory + 42 : directory + 46]  # both at the first one's place
    path.write_bytes(data)
    return path


def encrypted_entry(path: Path) -> Path:
    data = bytearray(repacked(path, {}).read_bytes())
    at = data.index(b"PK\x01\x02")
    data[at + 8] |= 1
    path.write_bytes(data)
    return path


def encrypted_package(path: Path) -> Path:
    path.write_bytes(
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504) + "EncryptedPackage".encode("utf-16-le")
    )
    return path


def macro_sheets_only(path: Path) -> Path:
    relations = parts("")["xl/_rels/workbook.xml.rels"]
    return repacked(path, {"xl/_rels/workbook.xml.rels": relations.replace("/worksheet", "/xlMacrosheet")})


def deep(path: Path) -> Path:
    return write(path, parts("<row>" * 100_000))


HOSTILE = [
    (bomb, "zip-bomb"),
    (doctype, "doctype"),
    (doctype_in_utf16, "doctype"),
    (lying_count, "counts-lie"),
    (missing_string, "string-missing"),
    (amplified, "too-large"),
    (beyond_the_sheet, "outside-sheet"),
    (row_beyond_the_sheet, "outside-sheet"),
    (rows_out_of_order, "disordered"),
    (cell_twice, "disordered"),
    (cut_in_half, "not-whole"),
    (cut_inside_the_sheet, "not-whole"),
    (not_utf8, "not-whole"),
    (unknown_encoding, "not-whole"),
    (bit_flipped, "not-whole"),
    (deep, "not-whole"),
    (entry_twice, "zip-odd"),
    (entry_escapes, "zip-odd"),
    (entries_overlap, "zip-odd"),
    (encrypted_entry, "password-protected"),
    (encrypted_package, "password-protected"),
    (macro_sheets_only, "macro-sheet-only"),
]


@pytest.mark.parametrize(("make", "code"), HOSTILE, ids=lambda value: getattr(value, "__name__", value))
def test_a_hostile_file_is_claimed_and_refused_with_its_reason(make: Any, code: str, tmp_path: Path) -> None:
    path = make(tmp_path / "hostile.xlsx")
    assert Excel().claims(path) is not None
    with pytest.raises(Refused) as refused:
        first(path)
    assert refused.value.code == code


def test_no_cut_of_a_workbook_is_read_as_if_it_were_whole(tmp_path: Path) -> None:
    whole = write(tmp_path / "whole.xlsx", parts(ONE, strings=NAME)).read_bytes()
    path = tmp_path / "cut.xlsx"
    for size in range(1, len(whole), 53):
        path.write_bytes(whole[:size])
        if Excel().claims(path):
            with pytest.raises(Refused):
                first(path)


@given(st.data())
def test_a_damaged_workbook_is_read_or_refused_but_never_a_fault_of_ours(data: st.DataObject) -> None:
    content = parts(ONE, strings=STRINGS, formats={170: '0"期"'}, styles=(0, 170, 14))
    name = data.draw(st.sampled_from(sorted(content)))
    text = bytearray(content[name].encode())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text) - 1))
        text[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for part, whole in content.items():
            archive.writestr(part, bytes(text) if part == name else whole)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mutant.xlsx"
        path.write_bytes(held.getvalue())
        try:
            for sheet in Excel().sheets(path):
                cells(sheet)
        except Refused:
            pass


# -- which files are claimed -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"<html><body><table><tr><td>1</td></tr></table></body></html>", "html"),
        (b"\xef\xbb\xbf\n<!DOCTYPE html><html>", "html"),
        (b'<?xml version="1.0"?><Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet">', "xml-2003"),
        (b"ID;PWXL;N;E\r\nC;Y1;X1;K1\r\nE\r\n", "sylk"),
    ],
)
def test_what_only_looks_like_a_workbook_is_refused_by_name(
    content: bytes, found: str, tmp_path: Path
) -> None:
    path = tmp_path / "export.xls"
    path.write_bytes(content)
    claim = Excel().claims(path)
    assert claim is not None
    assert (claim.content, claim.notes) == (found, ("wrong-extension",))
    with pytest.raises(Refused, match="not-a-real-workbook"):
        sheets(path)


@pytest.mark.parametrize(
    "content", [b"", b"a,b\n1,2\n", b"%PDF-1.4", b"PK\x03\x04junk", b"PK\x05\x06" + bytes(18), bytes(200)]
)
def test_other_files_are_not_claimed(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "file.xlsx"
    path.write_bytes(content)
    assert Excel().claims(path) is None


def test_a_text_document_in_a_zip_is_not_claimed(tmp_path: Path) -> None:
    path = write(tmp_path / "letter.xlsx", {"[Content_Types].xml": "<Types/>", "word/document.xml": "<d/>"})
    assert Excel().claims(path) is None


def test_a_workbook_is_recognised_whatever_it_is_called(tmp_path: Path) -> None:
    path = write(tmp_path / "data.csv", parts(ONE, strings=NAME))
    claim = Excel().claims(path)
    assert claim is not None
    assert (claim.format, claim.content, claim.notes) == ("excel", "xlsx", ("wrong-extension",))
    assert first(path) == {(1, 0): ("张三", "TEXT")}


# -- old and other formats -------------------------------------------------------------------------


def test_an_old_workbook_keeps_percent_units_dates_errors_and_hidden_rows(tmp_path: Path) -> None:
    def number(row: int, style: int, value: float) -> tuple[int, bytes]:
        return 0x203, struct.pack("<HHHd", row, 0, style, value)

    path = tmp_path / "old.xls"
    path.write_bytes(
        biff5(
            [
                (0x208, struct.pack("<HHHHHHIH", 1, 0, 1, 255, 0, 0, 0x20, 0)[:14] + struct.pack("<H", 0)),
                number(0, 0, 200000.0),
                number(1, 1, 36.0),
                number(2, 2, 0.049),
                number(3, 3, 46027.0),
                (0x205, struct.pack("<HHHBB", 4, 0, 0, 7, 1)),
                (0x205, struct.pack("<HHHBB", 5, 0, 0, 1, 0)),
                (0x204, struct.pack("<HHHH", 6, 2, 0, 4) + "张三".encode("gbk")),
                number(7, 0, 110101199003074514.0),
            ],
            formats=('0"期"',),
        )
    )
    sheet = sheets(path)[0]
    assert cells(sheet) == {
        (1, 0): ("200000", "NUMBER"),
        (2, 0): ("36期", "NUMBER"),
        (3, 0): ("4.9%", "PERCENT"),
        (4, 0): ("2026-01-05", "DATE"),
        (5, 0): ("#DIV/0!", "ERROR"),
        (6, 0): ("TRUE", "BOOL"),
        (7, 2): ("张三", "TEXT"),
        (8, 0): ("1.1010119900307451E+17", "NUMBER"),
    }
    assert (sheet.name, sheet.noted()) == ("Old", ("rows-hidden",))


def test_an_old_workbook_with_a_password_is_refused_as_such(tmp_path: Path) -> None:
    path = tmp_path / "old.xls"
    begin = struct.pack("<HHHHHH", 0x809, 8, 0x0500, 0x0005, 0, 0)
    path.write_bytes(begin + struct.pack("<HHHH", 0x2F, 4, 1, 2) + struct.pack("<HH", 0x0A, 0))
    with pytest.raises(Refused, match="password-protected"):
        sheets(path)


def test_a_broken_old_workbook_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "old.xls"
    path.write_bytes(b"\x09\x08\x08\x00\x00\x05" + bytes(100))
    with pytest.raises(Refused):
        sheets(path)


def test_an_old_workbook_whose_chains_run_in_a_circle_is_refused_not_followed(tmp_path: Path) -> None:
    path = tmp_path / "circle.xls"
    header = bytearray(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".ljust(512, b"\0"))
    struct.pack_into("<HH", header, 30, 9, 6)
    struct.pack_into("<II4xIIIII", header, 44, 1, 1, 4096, 0xFFFFFFFE, 0, 0xFFFFFFFE, 0)
    struct.pack_into("<109I", header, 76, 0, *[0xFFFFFFFF] * 108)
    table = struct.pack("<128I", 0xFFFFFFFD, 2, 1, *[0xFFFFFFFF] * 125)  # sector 1 leads to 2 and back
    directory = "Workbook".encode("utf-16-le").ljust(512, b"\0")
    path.write_bytes(bytes(header) + table + directory + bytes(512))
    assert Excel().claims(path) is not None
    with pytest.raises(Refused, match="not-whole"):
        sheets(path)


ODS_TYPE = "application/vnd.oasis.opendocument.spreadsheet"
TABLE = "urn:oasis:names:tc:opendocument:xmlns:table:1.0"
OFFICE = "urn:oasis:names:tc:opendocument:xmlns:office:1.0"
ODS_TEXT = "urn:oasis:names:tc:opendocument:xmlns:text:1.0"


def ods(path: Path, rows: str) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", ODS_TYPE)
        archive.writestr(
            "META-INF/manifest.xml",
            '<m:manifest xmlns:m="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>',
        )
        archive.writestr(
            "content.xml",
            f'{HEAD}<office:document-content xmlns:office="{OFFICE}" xmlns:table="{TABLE}"'
            f' xmlns:text="{ODS_TEXT}"><office:body>'
            f'<office:spreadsheet><table:table table:name="S">{rows}</table:table></office:spreadsheet>'
            "</office:body></office:document-content>",
        )
    return path


def test_an_open_document_sheet_is_read_where_its_cells_stand(tmp_path: Path) -> None:
    rows = (
        '<table:table-row table:number-rows-repeated="2"><table:table-cell/></table:table-row>'
        "<table:table-row><table:table-cell/>"
        '<table:table-cell office:value-type="string"><text:p>张三</text:p></table:table-cell>'
        '<table:table-cell office:value-type="float" office:value="5"><text:p>5</text:p></table:table-cell>'
        "</table:table-row>"
    )
    path = ods(tmp_path / "a.ods", rows)
    assert first(path) == {(3, 1): ("张三", "TEXT"), (3, 2): ("5", "NUMBER")}


def test_an_open_document_that_claims_billions_of_cells_is_refused(tmp_path: Path) -> None:
    cell = (
        '<table:table-cell table:number-columns-repeated="16384" office:value-type="float" office:value="1"/>'
    )
    path = ods(
        tmp_path / "a.ods", f'<table:table-row table:number-rows-repeated="1048576">{cell}</table:table-row>'
    )
    with pytest.raises(Refused, match="too-large"):
        first(path)


# -- words -----------------------------------------------------------------------------------------


def test_a_binary_workbook_is_read_and_its_extents_are_looked_at_first(tmp_path: Path) -> None:
    path = write(tmp_path / "a.xlsb", xlsb([(0, 0, 1.0), (0, 1, "姓名"), (3, 2, 2.5)]))
    assert first(path) == {(1, 0): ("1", "NUMBER"), (1, 1): ("姓名", "TEXT"), (4, 2): ("2.5", "NUMBER")}
    for cells_, code in (
        ([(0, 0, 1.0), (1_048_575, 16_383, 1.0)], "too-large"),
        ([(0, 16_384, 1.0)], "outside-sheet"),
        ([(1_048_576, 0, 1.0)], "outside-sheet"),
    ):
        with pytest.raises(Refused) as refused:
            first(write(path, xlsb(cells_)))
        assert refused.value.code == code
    lie = bytes([159, 1, 8]) + struct.pack("<II", 1, 0xFFFFFFFF)
    with pytest.raises(Refused, match="counts-lie"):
        first(write(path, xlsb([(0, 0, 1.0)], strings=lie)))


def test_a_panic_of_the_rust_reader_is_a_refusal() -> None:
    class PanicException(BaseException):  # as pyo3 names it; the real one cannot be raised at will
        pass

    with pytest.raises(Refused, match="reader-failed"), calamine._Reading():
        raise PanicException
    with pytest.raises(KeyboardInterrupt), calamine._Reading():
        raise KeyboardInterrupt


def test_every_reason_and_note_has_words_in_both_languages(checkout: Path) -> None:
    files = [checkout / "config" / "messages" / f"{topic}.toml" for topic in ("formats", "files")]
    words = {code for file in files for code in tomllib.loads(file.read_text(encoding="utf-8"))}
    used: set[str] = set()
    for plugin in ("loanhub_format_excel", "loanhub_format_csv"):
        for file in (checkout / "plugins" / plugin).glob("*.py"):
            source = file.read_text(encoding="utf-8")
            used |= set(re.findall(r'Refused\(\s*"([a-z0-9-]+)"', source))
            used |= set(
                re.findall(r'"([a-z]+-(?:hidden|skipped|workbook|unknown|guessed|extension))"', source)
            )
    assert used >= {"not-whole", "rows-hidden", "csv-quote", "macro-workbook"}
    assert used - words == set()
