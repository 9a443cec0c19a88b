"""Whole columns of cells say exactly what the one-value readings say of each cell."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loanhub import identifiers as ids
from loanhub.readings import Reading, columns
from loanhub.readings.amounts import read_amount
from loanhub.readings.choices import read_choice, shipped_choices
from loanhub.readings.dates import read_date, read_datetime
from loanhub.readings.plain import read_name, read_ratio, read_text, read_whole
from loanhub.readings.rates import read_rate
from loanhub.readings.terms import read_term

# Columns are the twins of the one-value functions ---------------------------------------------------------

NASTY = [
    *"""
    0 00 -0 . - + ' 20 20万 20万元 1.2亿 贰拾万元整 1,200,000.00 1,20,000 0.005 0.01 1234.5600000001
    99999999.99 999999999999.99 1000000000000 1000000000000.01 9223372036854775807 92233720368547758.08
    9999999999999 99999999999999999999 1.12345678 1.123456789 99999999万 100000001万 ￥5,000.50 ¥5
    ５０００ -500 (500) 20万-30万 abc 1E5 1e999 4.9% 4.9 0.049 0.5 月息1分 四厘九 LPR+60BP 120% -1%
    12个月 1年6个月 0个月 长期 2026-01-15至2027-01-15 2026-01-05 2026-02-30 1899-12-31 2200-01-01 46027
    46027.5 60 26-1-5 05/01/2026 2026-1-5 119999199005120016 119999199005017000 32999919930715005x
    119999199005120010 110105491231002 119999199005120000 11999919900512001６ 1.19999199005120E+17
    009999199005120016 919999199005120018 99999999999999999X 91119999MA0ABCD1X7 91119999ma0abcd1x7
    91119999MA0ABCD1X8 119999000000001 ９１119999MA0ABCD1X7 13800000000 13800000000.0 12800000000
    010-88881234 6200000000000005 6200000000000006 6200000000000000047 0000000000000
    62000000000000000047 等额本息 等额 是 TRUE true 张三 欧阳小明 𠮷野家 #DIV/0! ٣٤٥ १२३ Ⅻ ½ 1_000
    """.split(),
    *(
        "",
        " ",
        "\u3000",
        "2026-01-05 00:00:00",
        "+86 138 0000 0000",
        "\u5f20 \u4e09",
        "John Smith",
        "a\tb",
        "\ufeff\u5f20\u4e09",
        "\xa0200000\xa0",
        "\u20032000",
        "x" * 3000,
        "9" * 3000,
        "\x00",
    ),
]
METHODS = shipped_choices()["method"].table


def _strings(kind: int, read: Callable[[str], Reading[Any]]) -> Callable[[str], Reading[Any]]:
    """What the column's caller sees of a cell of some kind, told independently of the column code."""

    def as_digits(text: str) -> Reading[Any]:
        return (
            Reading(None, "digits-lost") if kind == columns.NUMBER and ids.lost_digits(text) else read(text)
        )

    return as_digits


TWINS: dict[str, tuple[Callable[..., columns.ColumnReading], Callable[[str, int], Reading[Any]]]] = {
    "amounts": (columns.amounts, lambda t, k: read_amount(t, number_cell=k == columns.NUMBER)),
    "amounts of 万元": (
        lambda c, k: columns.amounts(c, k, unit="万元", allow_zero=True),
        lambda t, k: read_amount(t, unit="万元", allow_zero=True, number_cell=k == columns.NUMBER),
    ),
    "amounts of 亿元": (
        lambda c, k: columns.amounts(c, k, unit="亿元"),
        lambda t, k: read_amount(t, unit="亿元", number_cell=k == columns.NUMBER),
    ),
    "rates": (columns.rates, lambda t, _: read_rate(t)),
    "monthly rates": (
        lambda c, k: columns.rates(c, k, header_unit="‰", period="month"),
        lambda t, _: read_rate(t, header_unit="‰", period="month"),
    ),
    "ratios": (columns.ratios, lambda t, _: read_ratio(t)),
    "terms": (columns.terms, lambda t, _: read_term(t)),
    "dates": (columns.dates, lambda t, _: read_date(t)),
    "dates since 1960": (
        lambda c, k: columns.dates(c, k, epoch=date(1960, 1, 1), order="mdy"),
        lambda t, _: read_date(t, epoch=date(1960, 1, 1), order="mdy"),
    ),
    "datetimes": (columns.datetimes, lambda t, _: read_datetime(t)),
    "resident ids": (columns.resident_ids, lambda t, k: _strings(k, ids.read_resident_id)(t)),
    "resident ids by today": (
        lambda c, k: columns.resident_ids(c, k, today=date(1992, 1, 1)),
        lambda t, k: _strings(k, lambda x: ids.read_resident_id(x, today=date(1992, 1, 1)))(t),
    ),
    "usccs": (columns.usccs, lambda t, k: _strings(k, ids.read_uscc)(t)),
    "mobiles": (columns.mobiles, lambda t, k: _strings(k, ids.read_mobile)(t)),
    "cards": (columns.cards, lambda t, k: _strings(k, ids.read_card)(t)),
    "phones": (
        lambda c, k: columns.each(c, ids.read_phone, k),
        lambda t, k: _strings(k, ids.read_phone)(t),
    ),
    "choices": (lambda c, k: columns.choices(c, k, table=METHODS), lambda t, _: read_choice(t, METHODS)),
    "texts": (columns.texts, lambda t, _: read_text(t)),
    "names": (columns.names, lambda t, _: read_name(t)),
    "wholes": (columns.wholes, lambda t, _: read_whole(t)),
}


def _shown(name: str, reading: Reading[Any]) -> tuple[Any, str | None, str | None]:
    """A one-value reading in the column's form: rates and ratios in 1e-8, terms by their length."""
    value = reading.value
    if value is not None and "rates" in name:
        value = None if value.annual is None else int(value.annual * columns.E8)
    elif value is not None and name == "ratios":
        value = int(value * columns.E8)
    elif value is not None and name == "terms":
        value = value.value
    return value, None if reading.problem == "cell-empty" else reading.problem, reading.warning


def _agree(name: str, cells: list[str], kind: int) -> None:
    many, one = TWINS[name]
    found = many(pl.Series(cells, dtype=pl.String), pl.Series([kind] * len(cells), dtype=pl.UInt8))
    rows = zip(found.values.to_list(), found.problem.to_list(), found.warning.to_list(), strict=True)
    expected = [_shown(name, one(cell, kind)) for cell in cells]
    assert list(rows) == expected


@pytest.mark.parametrize("kind", [columns.TEXT, columns.NUMBER], ids=["text", "number"])
@pytest.mark.parametrize("name", TWINS)
def test_a_column_says_of_nasty_cells_what_each_cell_says(name: str, kind: int) -> None:
    _agree(name, NASTY + NASTY[::-1], kind)


ALPHABET = "0123456789.,-+%‰()/: Xx元万亿千百十年月日期分厘LPRBＥ１２一二两零壹贰拾整张三·"
CELLS = st.lists(st.text(ALPHABET, max_size=20) | st.sampled_from(NASTY) | st.text(max_size=8), max_size=12)


@pytest.mark.parametrize("name", TWINS)
@given(cells=CELLS, kind=st.sampled_from([columns.TEXT, columns.NUMBER]))
def test_a_column_says_of_any_cells_what_each_cell_says(name: str, cells: list[str], kind: int) -> None:
    _agree(name, cells, kind)


def test_the_common_forms_take_the_fast_path_to_the_same_values() -> None:
    dice = random.Random(7)
    amounts, numbers, cards = [], [], []
    for _ in range(500):
        amounts.append(f"{dice.randrange(10**11):,}.{dice.randrange(100):02}"[dice.randrange(3) :])
        first17 = f"339999{dice.randrange(1950, 2005)}{dice.randrange(1, 13):02}{dice.randrange(1, 29):02}"
        first17 += f"{dice.randrange(1000):03}"
        numbers.append(first17 + ids.id_check_digit(first17))
        cards.append("62" + "".join(dice.choices("0123456789", k=dice.randrange(10, 18))))
    for name, cells in (("amounts", amounts), ("resident ids", numbers), ("cards", cards)):
        _agree(name, cells, columns.TEXT)


def test_empty_cells_are_null_without_a_problem() -> None:
    cells = pl.Series([None, "", "  ", "\u3000", "x"], dtype=pl.String)
    kinds = pl.Series([0, 1, 1, 1, 0], dtype=pl.UInt8)
    for many, _ in TWINS.values():
        found = many(cells, kinds)
        assert found.values.null_count() == found.problem.null_count() == 5
    assert columns.amounts(pl.Series([], dtype=pl.String)).values.dtype == pl.Int64


@pytest.mark.parametrize(
    ("kind", "text", "code"),
    [
        (columns.DATE, "2026-01-05", "cell-is-date"),
        (columns.TIME, "13:00:00", "cell-is-date"),
        (columns.BOOL, "TRUE", "cell-is-bool"),
        (columns.ERROR, "#N/A", "cell-error"),
        (columns.ERROR, None, "cell-error"),
        (columns.NO_VALUE, None, "cell-not-calculated"),
    ],
)
def test_what_excel_made_of_a_cell_is_said(kind: int, text: str | None, code: str) -> None:
    cells, kinds = pl.Series([text], dtype=pl.String), pl.Series([kind], dtype=pl.UInt8)
    for many in (columns.amounts, columns.rates, columns.terms, columns.cards, columns.wholes):
        assert many(cells, kinds).problem.to_list() == [code]


def test_a_date_cell_is_a_date_and_a_percent_cell_a_rate() -> None:
    found = columns.dates(pl.Series(["2026-01-05"]), pl.Series([columns.DATE], dtype=pl.UInt8))
    assert found.values.to_list() == [date(2026, 1, 5)]
    found = columns.rates(pl.Series(["4.9%"]), pl.Series([columns.PERCENT], dtype=pl.UInt8))
    assert found.values.to_list() == [4_900_000]


def test_a_floating_rate_and_a_span_say_more_beside_their_value() -> None:
    found = columns.rates(pl.Series(["5年期LPR-30BP", "4.9%", None]))
    assert found.values.to_list() == [None, 4_900_000, None]
    assert found.extra["floating"].to_list() == [True, False, None]
    assert found.extra["tenor"].to_list() == ["5Y", None, None]
    assert found.extra["spread_bp"].to_list() == [-30, None, None]
    found = columns.terms(pl.Series(["2026-01-15至2027-01-15", "12期"]))
    assert found.values.to_list() == [12, 12]
    assert found.extra["unit"].to_list() == ["month", "period"]
    assert found.extra["end"].to_list() == [date(2027, 1, 15), None]


def test_a_repeated_cell_is_read_once() -> None:
    calls: list[str] = []

    def read(text: str) -> Reading[str]:
        calls.append(text)
        return Reading(text)

    found = columns.each(pl.Series(["a", "b"] * 1000), read)
    assert sorted(calls) == ["a", "b"]
    assert found.values.to_list() == ["a", "b"] * 1000
