"""The straight way through rows and the one by their tags give the same cells, or the straight one ends."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loanhub import Refused
from loanhub_format_excel import straight, tokens
from loanhub_format_excel.tokens import Cells, Unusual

TEXT = st.text(st.characters(exclude_characters="<>&\0\r", exclude_categories=["Cs", "Cc"]), max_size=12)
CELLS = st.one_of(
    st.integers(-10, 10**12).map(lambda n: f"><v>{n}</v></c>"),
    TEXT.map(lambda text: f' t="inlineStr"><is><t>{text}</t></is></c>'),
    TEXT.map(lambda text: f' t="inlineStr"><is><t xml:space="preserve">{text}</t></is></c>'),
    TEXT.map(lambda text: f' t="str"><v>{text}</v></c>'),
    st.integers(0, 10**8).map(lambda n: f' t="s"><v>{n}</v></c>'),
    st.sampled_from(["/>", "></c>", ' t="b"><v>1</v></c>', ' t="e"><v>#N/A</v></c>', ' t="n"><v></v></c>']),
)
STYLES = st.sampled_from(["", ' s="0"', ' s="7"', ' s="42"'])
ROWS = st.lists(
    st.dictionaries(st.integers(0, 800), st.tuples(STYLES, CELLS), min_size=1, max_size=6),
    min_size=1,
    max_size=6,
)


def _letters(column: int) -> str:
    return ("" if column < 26 else _letters(column // 26 - 1)) + chr(ord("A") + column % 26)


def _xml(rows: list[dict[int, tuple[str, str]]], first: int = 1, more: str = "") -> bytes:
    lines = []
    for number, row in enumerate(rows, first):
        cells = (f'<c r="{_letters(at)}{number}"{style}{cell}' for at, (style, cell) in sorted(row.items()))
        lines.append(f'<row r="{number}"{more}>{"".join(cells)}</row>')
    return "".join(lines).encode()


def _same(one: Cells, other: Cells) -> bool:
    names = ("row_numbers", "hidden", "row", "column", "style", "type", "formula", "value")
    return one.texts.equals(other.texts) and all(
        np.array_equal(getattr(one, name), getattr(other, name)) for name in names
    )


@given(ROWS, st.sampled_from([1, 7, 998, 1_048_570]), st.sampled_from(["", ' spans="1:9"', ' hidden="1"']))
def test_plain_rows_are_read_alike_both_ways(
    rows: list[dict[int, tuple[str, str]]], first: int, more: str
) -> None:
    """Whatever cells stand in them, in columns up to two letters."""
    two = [{at % 702: cell for at, cell in row.items()} for row in rows]
    chunk = _xml(two, first, more)
    assert _same(straight.cells_of(chunk, 0), tokens.cells_of(chunk, 0))


@given(ROWS, st.data())
def test_a_byte_changed_anywhere_is_seen_by_the_straight_way_too(
    rows: list[dict[int, tuple[str, str]]], data: st.DataObject
) -> None:
    """It gives up, or gives what the other way gives."""
    chunk = bytearray(_xml(rows))
    at = data.draw(st.integers(0, len(chunk) - 1))
    chunk[at : at + data.draw(st.integers(0, 3))] = data.draw(
        st.sampled_from([b"<", b"/", b'"', b"x", b"<c ", b"9"])
    )
    found = []
    for way in (straight, tokens):
        try:
            found.append(way.cells_of(bytes(chunk), 0))
        except (Unusual, Refused):
            found.append(None)
    if found[0] is not None:
        assert found[1] is not None
        assert _same(found[0], found[1])


@pytest.mark.parametrize(
    "odd",
    [
        '<row r="1"><c r="A1"><f>1+1</f><v>2</v></c></row>',
        '<row r="1"/><row r="2"><c r="A2"/></row>',
        '<row r="1"><c r="AAA1"><v>2</v></c></row>',
        '<row r="1"><c r="A1" s="100"><v>2</v></c></row>',
        '<row r="1"><c t="str" r="A1"><v>2</v></c></row>',
    ],
)
def test_what_is_not_plain_is_left_to_the_other_way(odd: str) -> None:
    """Formulas, empty rows, far columns, high styles, attributes in another order."""
    with pytest.raises(Unusual):
        straight.cells_of(odd.encode(), 0)
