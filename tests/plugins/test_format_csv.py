"""Delimited text is read in the encoding and shape it was saved in, and never half of it in silence."""

from __future__ import annotations

import csv
import io
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loanhub import CellKind, Refused
from loanhub_format_csv import Csv
from loanhub_format_csv.records import delimiter_of

Rows = dict[int, list[str | None]]

TABLE = "姓名,手机,放款金额\r\n张三,13800000001,20万\r\n李四,13800000002,150000\r\n"
READ = {
    1: ["姓名", "手机", "放款金额"],
    2: ["张三", "13800000001", "20万"],
    3: ["李四", "13800000002", "150000"],
}
TRADITIONAL = (
    "姓名,電話,貸款金額,還款日期\r\n"
    "陳大文,13800000001,二十萬,每個月十五號\r\n"
    "李國華,13800000002,三十萬,本週\r\n"
)


def rows_of(path: Path) -> Rows:
    """The cells of every row that has any, by the number of the row."""
    found: Rows = {}
    (sheet,) = Csv().sheets(path)
    for block in sheet.blocks():
        width = max((int(name[1:]) for name in block.columns if name.startswith("c")), default=-1) + 1
        for record in block.iter_rows(named=True):
            assert not record["hidden"]
            texts = [record.get(f"c{at}") for at in range(width)]
            for at, text in enumerate(texts):
                assert record.get(f"k{at}", 0) == (CellKind.TEXT if text is not None else CellKind.EMPTY)
            found[record["row"]] = texts
    return found


def notes_of(path: Path) -> tuple[str, ...]:
    (sheet,) = Csv().sheets(path)
    return sheet.noted()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "放款.csv"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "gbk", "utf-16", "utf-32"])
def test_the_usual_encodings_are_recognised_without_a_guess(encoding: str, path: Path) -> None:
    path.write_bytes(TABLE.encode(encoding))
    assert Csv().claims(path) is not None
    assert rows_of(path) == READ
    assert notes_of(path) == ()


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf16_without_a_mark_is_guessed_and_says_so(encoding: str, path: Path) -> None:
    path.write_bytes(TABLE.encode(encoding))
    assert Csv().claims(path) is not None
    assert rows_of(path) == READ
    assert notes_of(path) == ("encoding-guessed",)


def test_big5_is_guessed_and_says_so(path: Path) -> None:
    path.write_bytes(TRADITIONAL.encode("big5"))
    assert rows_of(path)[2] == ["陳大文", "13800000001", "二十萬", "每個月十五號"]
    assert notes_of(path) == ("encoding-guessed",)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_by_evidence(delimiter: str, path: Path) -> None:
    path.write_text(TABLE.replace(",", delimiter), encoding="utf-8", newline="")
    assert rows_of(path) == READ


def test_decimal_commas_do_not_make_a_semicolon_file_a_comma_file() -> None:
    assert delimiter_of(["姓名;金额\n", "张三;1,5\n", "李四;2,5\n"]) == ";"


def test_a_title_line_does_not_hide_the_delimiter() -> None:
    assert delimiter_of(["2026年1月放款明细\n", "姓名\t金额\n", "张三\t1,000\n", "李四\t2,000\n"]) == "\t"


def test_the_hint_line_of_excel_names_the_delimiter_and_is_no_row(path: Path) -> None:
    path.write_text("sep=;\r\na;b,c\r\n1;2\r\n", encoding="utf-8", newline="")
    assert rows_of(path) == {1: ["a", "b,c"], 2: ["1", "2"]}


def test_a_quoted_line_break_adds_no_row_and_a_blank_line_does(path: Path) -> None:
    path.write_text('a,b\n"上\r\n下","x""y"\n\n,\n1,2\n', encoding="utf-8", newline="")
    assert rows_of(path) == {1: ["a", "b"], 2: ["上\n下", 'x"y'], 5: ["1", "2"]}


def test_short_and_long_rows_keep_all_their_cells(path: Path) -> None:
    path.write_text("a,b\n1\n1,2,3\n", encoding="utf-8")
    assert rows_of(path) == {1: ["a", "b", None], 2: ["1", None, None], 3: ["1", "2", "3"]}


def test_tricks_that_keep_a_cell_text_are_undone(path: Path) -> None:
    path.write_text("a,b,c,d,e\n'=1+1,'00123,=\"00123\",'s Gravenhage,'-5\n", encoding="utf-8")
    assert rows_of(path)[2] == ["=1+1", "00123", "00123", "'s Gravenhage", "-5"]


@pytest.mark.parametrize(
    ("text", "row"),
    [
        ('a,b\n1,2\n3,"4\n5,6\n' + "7,8\n" * 50_000, 3),
        ('a,b\n"1,2\n3,4\n5,"6"\n', 2),  # the next quote would close it and swallow two rows
    ],
)
def test_a_quote_without_partner_is_refused_with_its_row(text: str, row: int, path: Path) -> None:
    path.write_text(text, encoding="utf-8")
    with pytest.raises(Refused, match="csv-quote") as refused:
        rows_of(path)
    assert refused.value.facts == {"row": row}


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"a,b\n1,\x002\n", "nul-byte"),
        (b"a,b\n" * 20_000 + b"1,\x002\n", "nul-byte"),
        (b"," * (5 << 20), "too-large"),
        (b"," * 20_000 + b"\n", "too-large"),
    ],
)
def test_damaged_and_endless_text_is_refused(content: bytes, code: str, path: Path) -> None:
    path.write_bytes(content)
    assert Csv().claims(path) is not None
    with pytest.raises(Refused) as refused:
        rows_of(path)
    assert refused.value.code == code


def test_a_cell_longer_than_any_is_a_cell(path: Path) -> None:
    path.write_text(f"姓名,备注\n张三,{'长' * 200_000}\n", encoding="utf-8")
    assert rows_of(path)[2] == ["张三", "长" * 200_000]


def test_of_rows_wider_than_any_table_the_first_columns_are_read_and_it_says_so(path: Path) -> None:
    path.write_text("1" + ",1" * 2_000 + "\n", encoding="utf-8")
    (sheet,) = Csv().sheets(path)
    (block,) = sheet.blocks()
    assert block.width == 2 + 2 * 2_000
    assert sheet.noted() == ("columns-cut",)
    path.write_text("1,2" + "," * 3_000 + "\n", encoding="utf-8")
    assert rows_of(path) == {1: ["1", "2"]}
    assert notes_of(path) == ()


def test_a_control_character_that_a_system_let_through_makes_no_other_file_of_a_table(path: Path) -> None:
    path.write_text(TABLE.replace("张三", "张\x0b三") + "王五,13800000003,8000\r\n" * 9, encoding="gb18030")
    assert Csv().claims(path) is not None
    assert rows_of(path)[2] == ["张\x0b三", "13800000001", "20万"]
    path.write_bytes(path.read_bytes() + b"\0")
    assert Csv().claims(path) is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b" \n\n",
        b"<html><table></table></html>",
        b'\xef\xbb\xbf<?xml version="1.0"?><a/>',
        b"PK\x03\x04\x14\x00",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500),
        b"%PDF-1.4\n1,2\n",
        b"ID;PWXL\nC;Y1\n",
        b"\x89PNG\r\n\x1a\n" + bytes(range(256)),
    ],
)
def test_what_is_no_table_of_text_is_not_claimed(content: bytes, path: Path) -> None:
    path.write_bytes(content)
    assert Csv().claims(path) is None


def test_a_table_named_like_a_workbook_is_claimed_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "放款.xls"
    path.write_text(TABLE, encoding="gbk")
    claim = Csv().claims(path)
    assert claim is not None
    assert (claim.format, claim.content, claim.notes) == ("csv", "csv", ("wrong-extension",))


def test_many_rows_come_in_blocks_with_their_numbers(path: Path) -> None:
    path.write_text("编号,名称\n" + "".join(f"{n},客户{n}\n" for n in range(2, 45_001)), encoding="utf-8")
    (sheet,) = Csv().sheets(path)
    blocks = list(sheet.blocks())
    assert len(blocks) == 3
    assert [block["row"].item(0) for block in blocks] == [1, 20_001, 40_001]
    assert blocks[2]["c0"].item(-1) == "45000"
    assert blocks[2]["row"].item(-1) == 45_000


@given(
    st.lists(
        st.lists(
            st.text(st.characters(exclude_categories=("Cs", "Cc"), include_characters='",;\n'), max_size=6),
            min_size=3,
            max_size=3,
        ),
        min_size=2,
        max_size=6,
    )
)
def test_what_was_written_is_what_is_read(rows: list[list[str]]) -> None:
    rows = [["标题一", "标题二", "标题三"], *rows]
    held = io.StringIO()
    csv.writer(held, quoting=csv.QUOTE_ALL).writerows(rows)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.csv"
        path.write_bytes(held.getvalue().encode("utf-8"))
        found = rows_of(path)
    for number, row in enumerate(rows, 1):
        meant = [
            text.removeprefix("'") if text[1:2] in tuple("=+-@＝＋－＠0123456789") else text for text in row
        ]
        read = [*found.get(number, []), None, None, None][:3]
        if not any(text.startswith("=") for text in row):
            assert read == [text or None for text in meant]
