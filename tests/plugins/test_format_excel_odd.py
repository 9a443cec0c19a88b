"""Workbooks of unheard-of writers: right XML in unusual places is read, and no cell is lost or moved."""

from __future__ import annotations

import itertools
import time
from pathlib import Path
from string import ascii_uppercase

import pytest

from loanhub import Refused
from tests.plugins.books import RELATIONS, cells, first, parts, sheets, write

SHEET = "xl/worksheets/sheet1.xml"
RELATED = "xl/_rels/workbook.xml.rels"
THREE = "".join(f'<row r="{n}"><c r="A{n}" t="s"><v>{n - 1}</v></c></row>' for n in (1, 2, 3))
NAMES = {(1, 0): ("张三", "TEXT"), (2, 0): ("李四", "TEXT"), (3, 0): ("王五", "TEXT")}


@pytest.mark.parametrize(
    "second",
    [
        '<si x="1"><t>李四</t></si>',
        "<si\n><t>李四</t></si>",
        "<si><t\n>李四</t></si>",
        "<si><t>李四</t ></si >",
        "<x:si xmlns:x='u'><x:t>李四</x:t></x:si>",
        "<si><r><t>李</t></r><r><t\txml:space='preserve'>四</t></r></si>",
        "<si><r><t>李</t></r><x:r xmlns:x='u'><x:t>四</x:t></x:r></si>",
    ],
)
def test_a_shared_string_of_another_shape_shifts_none_behind_it(second: str, tmp_path: Path) -> None:
    strings = f"<si><t>张三</t></si>{second}<si><t>王五</t></si>"
    assert first(write(tmp_path / "s.xlsx", parts(THREE, strings=strings))) == NAMES


def test_what_an_extension_of_a_cell_holds_is_not_its_value(tmp_path: Path) -> None:
    extension = "<extLst><ext><v>9</v><t>9</t></ext></extLst>"
    rows = (
        f'<row r="1"><c r="A1"><v>1</v>{extension}</c>'
        f'<c r="B1" t="inlineStr"><is><t>张三</t></is>{extension}</c></row>'
    )
    assert first(write(tmp_path / "e.xlsx", parts(rows))) == {
        (1, 0): ("1", "NUMBER"),
        (1, 1): ("张三", "TEXT"),
    }


def test_no_row_is_lost_to_a_second_sheet_of_data(tmp_path: Path) -> None:
    one, two = (f'<row r="{n}"><c r="A{n}"><v>{n}</v></c></row>' for n in (1, 2))
    expected = {(1, 0): ("1", "NUMBER"), (2, 0): ("2", "NUMBER")}
    after = f"<sheetData>{two}</sheetData>"
    assert first(write(tmp_path / "two.xlsx", parts(one, after=after))) == expected
    before = "<extLst><ext><sheetData/></ext></extLst>"
    assert first(write(tmp_path / "before.xlsx", parts(one + two, before=before))) == expected
    with pytest.raises(Refused, match="disordered"):
        first(write(tmp_path / "same.xlsx", parts(two, after=after)))


@pytest.mark.parametrize(
    ("target", "part"),
    [
        ("worksheets/sheet%201.xml", "xl/worksheets/sheet 1.xml"),
        ("/%E8%A1%A8/1.xml", "表/1.xml"),
        ("worksheets/100%25.xml", "xl/worksheets/100%25.xml"),
    ],
)
def test_a_part_is_found_by_its_escaped_name(target: str, part: str, tmp_path: Path) -> None:
    content = parts('<row r="1"><c r="A1"><v>1</v></c></row>')
    content[RELATED] = content[RELATED].replace("worksheets/sheet1.xml", target)
    content[part] = content.pop(SHEET)
    assert first(write(tmp_path / "p.xlsx", content)) == {(1, 0): ("1", "NUMBER")}


def test_a_workbook_that_lacks_one_of_its_sheets_is_refused(tmp_path: Path) -> None:
    content = parts('<row r="1"><c r="A1"><v>1</v></c></row>')
    gone = f'<Relationship Id="rId9" Type="{RELATIONS}/worksheet" Target="gone.xml"/></Relationships>'
    content[RELATED] = content[RELATED].replace("</Relationships>", gone)
    listed = '<sheet name="丢" sheetId="2" r:id="rId9"/></sheets>'
    content["xl/workbook.xml"] = content["xl/workbook.xml"].replace("</sheets>", listed)
    with pytest.raises(Refused, match="part-missing") as refused:
        sheets(write(tmp_path / "gone.xlsx", content))
    assert refused.value.facts == {"part": "xl/gone.xml"}


@pytest.mark.parametrize("oddity", ["", "<!-- read with care -->"])
def test_of_a_sheet_wider_than_any_table_the_first_columns_are_read_and_it_says_so(
    oddity: str, tmp_path: Path
) -> None:
    letters = itertools.chain.from_iterable(
        map("".join, itertools.product(ascii_uppercase, repeat=length)) for length in (1, 2, 3)
    )
    row = "".join(
        f'<c r="{name}1"><v>{at}</v></c>' for at, name in enumerate(itertools.islice(letters, 2_100))
    )
    (sheet,) = sheets(write(tmp_path / "wide.xlsx", parts(f'{oddity}<row r="1">{row}</row>')))
    assert cells(sheet) == {(1, at): (str(at), "NUMBER") for at in range(2_000)}
    assert sheet.noted() == ("columns-cut",)


@pytest.mark.parametrize(
    "change",
    [
        {"strings": "<si>" * 300_000},
        {"strings": "<si>" + "<rPh " * 300_000 + "</si>"},
        {"before": "<sheetData " * 300_000},
        {"after": "<mergeCell " * 300_000},
        {"before": "<col " * 300_000},
    ],
)
def test_tags_that_never_end_do_not_keep_the_reader(change: dict[str, str], tmp_path: Path) -> None:
    """Looked through once they take a blink, looked through from each of them minutes."""
    path = write(tmp_path / "long.xlsx", parts(THREE, **change))
    began = time.process_time()
    with pytest.raises(Refused):
        first(path)
    assert time.process_time() - began < 5
