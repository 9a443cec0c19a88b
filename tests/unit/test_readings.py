"""Cells as people type them: read exactly or refused with a code, one by one and a column at a time."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loanhub import identifiers as ids
from loanhub import money, texts
from loanhub.errors import Misconfigured
from loanhub.readings import Reading, columns
from loanhub.readings.amounts import LIMIT_FEN, read_amount
from loanhub.readings.choices import choice_lists, choice_table, read_choice, shipped_choices
from loanhub.readings.dates import read_date, read_datetime
from loanhub.readings.headers import HeaderHints, header_hints
from loanhub.readings.numerals import whole_of
from loanhub.readings.plain import read_name, read_ratio, read_text, read_whole
from loanhub.readings.rates import rate_hint, read_rate
from loanhub.readings.terms import read_term

# Amounts --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "fen"),
    [
        ("20w", 20_000_000),
        ("1.2亿", 12_000_000_000),
        ("1,200,000.00", 120_000_000),
        ("贰拾万元整", 20_000_000),
        ("两万五千", 2_500_000),
        ("1亿2000万", 12_000_000_000),
        ("20万5000元", 20_500_000),
        ("12元5角", 1250),
        (" 200 000 ", 20_000_000),
        ("'200000", 20_000_000),
        ("人民币壹佰万元正", 100_000_000),
        ("200000元整", 20_000_000),
        ("一百零五元零五分", 10_505),
        ("\u200b20万\u202c", 20_000_000),
    ],
)
def test_an_amount_is_read_as_it_is_meant(text: str, fen: int) -> None:
    assert read_amount(text).value == fen


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "cell-empty"),
        ("约20万", "amount-unreadable"),
        ("一万二", "amount-unreadable"),
        ("3万5", "amount-unreadable"),
        ("1,2,3", "amount-unreadable"),
        ("12 34", "amount-unreadable"),
        ("2026-01-05", "amount-unreadable"),
        ("9" * 5000, "amount-unreadable"),
        ("20~30万", "amount-range"),
        ("（500）", "amount-negative"),
        ("￥-500", "amount-negative"),
        ("500-", "amount-negative"),
        ("$500", "amount-currency"),
        ("2E+05", "digits-lost"),
        ("0", "amount-zero"),
        ("0.1234567万", "amount-decimals"),
        ("1000000000001", "amount-too-large"),
        ("9999999999999999亿", "amount-too-large"),
    ],
)
def test_an_amount_that_is_not_clear_is_refused(text: str, code: str) -> None:
    assert read_amount(text).problem == code


def test_the_cells_own_unit_goes_before_the_headers() -> None:
    assert read_amount("20", unit="万元").value == 20_000_000
    assert read_amount("20万", unit="万元").value == 20_000_000
    assert read_amount("20元", unit="万元").value == 2000
    assert read_amount("贰拾", unit="万元").value == 20_000_000
    assert read_amount("1.23456789", unit="亿元").value == 12_345_678_900


def test_a_number_cell_may_carry_the_noise_of_binary_fractions_and_no_more() -> None:
    assert read_amount("1234.5600000000001", number_cell=True).value == 123_456
    assert read_amount("2.0E+5", number_cell=True).value == 20_000_000
    assert read_amount("1234.561", number_cell=True).problem == "amount-decimals"
    assert read_amount("1234.5600000000001").problem == "amount-decimals"


@given(st.integers(0, LIMIT_FEN))
def test_every_way_of_writing_an_amount_reads_the_same(fen: int) -> None:
    plain = money.plain(fen)
    ways = [plain, money.yuan(fen), f"￥{plain}", f"{plain}元", "RMB " + money.yuan(fen)]
    assert {read_amount(way, allow_zero=True).value for way in ways} == {fen}
    assert read_amount(f"{Decimal(plain) / 10_000:f}万元", allow_zero=True).value == fen


def capitals(number: int) -> str:
    """A number below 10**12 in capital numerals, as printed on cheques; the oracle of `whole_of`."""
    digits, units = "零壹贰叁肆伍陆柒捌玖", ("", "拾", "佰", "仟")
    groups, out = ("", "万", "亿"), ""
    for group in (2, 1, 0):
        part = number // 10 ** (4 * group) % 10_000
        text = ""
        for place in (3, 2, 1, 0):
            digit = part // 10**place % 10
            text += digits[digit] + units[place] if digit else "零"
        out += re.sub("零+", "零", text).rstrip("零") + groups[group] if part else "零"
    return re.sub("零+", "零", out).strip("零") or "零"


@given(st.integers(0, 10**12 - 1))
def test_capital_numerals_are_read_exactly(number: int) -> None:
    assert whole_of(capitals(number)) == number


# Rates ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "options", "annual"),
    [
        ("月息一分二", {}, "0.144"),
        ("月息1分2厘", {}, "0.144"),
        ("月息1分半", {}, "0.18"),
        ("月息8厘", {}, "0.096"),
        ("年息一分", {}, "0.1"),
        ("四厘九", {"period": "month"}, "0.0588"),
        ("四厘九", {"period": "year"}, "0.049"),
        ("百分之四点九", {}, "0.049"),
        ("万分之五/日", {}, "0.18"),
        ("日息万分之五", {"day_base": 365}, "0.1825"),
        ("1.2%/月", {}, "0.144"),
        ("4.9% p.a.", {}, "0.049"),
        ("年息4.9%", {"period": "month"}, "0.049"),
        ("10%", {"header_unit": "‰"}, "0.1"),
        ("4.8999999999999998%", {}, "0.049"),
        ("4.9000000000000002E-2", {"column": "fraction"}, "0.049"),
        ("0", {}, "0"),
    ],
)
def test_a_rate_is_a_fraction_a_year(text: str, options: dict[str, Any], annual: str) -> None:
    rate = read_rate(text, **options).value
    assert rate is not None
    assert rate.annual == Decimal(annual)


@pytest.mark.parametrize(
    ("text", "options", "candidates"),
    [
        ("四厘九", {}, ("0.049", "0.0588")),
        ("0.5", {}, ("0.005", "0.5")),
        ("0.049", {}, ("0.00049", "0.049")),
        ("10‰", {}, ("0.01", "0.12")),
        ("4.9", {"period": "month"}, ("0.0588", "0.588")),
    ],
)
def test_what_can_be_read_two_ways_is_asked(
    text: str, options: dict[str, Any], candidates: tuple[str, ...]
) -> None:
    reading = read_rate(text, **options)
    assert (reading.problem, reading.facts["candidates"]) == ("rate-ambiguous", candidates)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("120%", "rate-too-high"),
        ("月息10%", "rate-too-high"),
        ("101", "rate-too-high"),
        ("-4.9%", "rate-negative"),
        ("4.9%-5.5%", "rate-range"),
        ("基准利率上浮20%", "rate-multiple"),
        ("LPR上浮10%", "rate-multiple"),
        ("LPR+60", "rate-floating-unreadable"),
        ("LPR+0.555%", "rate-floating-unreadable"),
        ("面议", "rate-unreadable"),
        ("1E99", "rate-too-high"),
        ("1E999999", "rate-unreadable"),
    ],
)
def test_a_rate_that_cannot_be_is_refused(text: str, code: str) -> None:
    assert read_rate(text).problem == code


def test_a_percent_number_without_unit_is_read_with_a_warning() -> None:
    for text in ("1", "12", "40", "41", "100"):
        assert read_rate(text).warning == "rate-no-unit"
    assert read_rate("0.049", header_unit="%").warning == "rate-small"


def test_a_column_shows_how_its_bare_numbers_are_meant() -> None:
    assert rate_hint(["0.049", "0.12", "LPR+60BP", ""]) == "fraction"
    assert rate_hint(["4.9", "12"]) == "percent"
    assert rate_hint(["0.049", "0.5"]) is None
    assert rate_hint(["0.049", "4.9"]) is None
    assert rate_hint(["4.9%"]) is None
    assert columns.column_rate_hint(pl.Series(["0.049", None, "0.12"])) == "fraction"


def test_a_percent_among_fractions_is_still_percent() -> None:
    rate = read_rate("4.9", column="fraction").value
    assert rate is not None
    assert rate.annual == Decimal("0.049")


# Terms and dates ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "unit", "value", "kind"),
    [
        ("12", "month", 12, "month"),
        ("3", "year", 36, "month"),
        ("12期", "month", 12, "period"),
        ("4个季度", "month", 12, "month"),
        ("1.5年", "month", 18, "month"),
        ("一年零三个月", "month", 15, "month"),
        ("2周", "month", 14, "day"),
        ("三十六个月", "month", 36, "month"),
        ("5年期", "month", 60, "month"),
        ("12 months", "day", 12, "month"),
        ("2026.1.15~2026.7.20", "month", 186, "day"),
        ("20260115-20270115", "month", 12, "month"),
    ],
)
def test_a_term_is_whole_months_days_or_periods(text: str, unit: Any, value: int, kind: str) -> None:
    term = read_term(text, unit=unit).value
    assert term is not None
    assert (term.value, term.unit) == (value, kind)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("长期", "term-unreadable"),
        ("1.5个月", "term-unreadable"),
        ("12个月以内", "term-unreadable"),
        ("12-24个月", "term-range"),
        ("18个月零15天", "term-mixed"),
        ("0", "term-zero"),
        ("-3", "term-zero"),
        ("1000", "term-too-long"),
        ("2027-01-15至2026-01-15", "term-dates-reversed"),
    ],
)
def test_a_term_that_is_not_clear_is_refused(text: str, code: str) -> None:
    assert read_term(text).problem == code


def test_a_period_is_a_month_unless_the_product_says_otherwise() -> None:
    term = read_term("4期").value
    assert term is not None
    assert (term.months(), term.months(3)) == (4, 12)
    days = read_term("90天").value
    assert days is not None
    assert days.months() is None


@pytest.mark.parametrize(
    "text",
    [
        "2026.1.5",
        "2026年1月5日",
        "二〇二六年一月五日",
        "46027",
        "46027.75",
        "2026-01-05 13:00:00",
        "2026-1-5 星期一",
        "5-Jan-2026",
        "January 5, 2026",
        "20260105.0",
        "２０２６－０１－０５",
    ],
)
def test_a_date_is_read_in_every_usual_form(text: str) -> None:
    assert read_date(text).value == date(2026, 1, 5)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("26-1-5", "date-short-year"),
        ("260105", "date-short-year"),
        ("05-JAN-26", "date-short-year"),
        ("1月5日", "date-no-year"),
        ("1-5", "date-no-year"),
        ("2026年1月", "date-no-day"),
        ("2026-02-30", "date-impossible"),
        ("20261305", "date-impossible"),
        ("05/01/2026", "date-order"),
        ("9999-12-31", "date-out-of-range"),
        ("2026/1-5", "date-unreadable"),
        ("2026-01-05 25:00", "date-unreadable"),
        ("1E99", "date-unreadable"),
        ("无", "date-unreadable"),
    ],
)
def test_a_date_that_is_not_whole_is_refused(text: str, code: str) -> None:
    assert read_date(text).problem == code


def test_a_mapping_says_what_a_foreign_files_numbers_and_orders_mean() -> None:
    assert read_date("13000", epoch=date(1960, 1, 1)).value == date(1995, 8, 5)
    assert read_date("-5", epoch=date(1960, 1, 1)).value == date(1959, 12, 27)
    assert read_date("99999999999", epoch=date(1960, 1, 1)).problem == "date-out-of-range"
    assert read_date("05/01/2026", order="dmy").value == date(2026, 1, 5)
    assert read_date("05/01/2026", order="mdy").value == date(2026, 5, 1)
    assert read_date("44565", date1904=True).value == date(2026, 1, 5)
    assert read_date("46027", serial=False).problem == "date-unreadable"


def test_the_time_of_day_is_read_to_the_second() -> None:
    for text in ("46027.541666666664", "2026-01-05T13:00", "2026年1月5日 下午1:00", "20260105130000"):
        assert str(read_datetime(text).value) == "2026-01-05 13:00:00"
    assert str(read_datetime("2026-01-05 12:30 AM").value) == "2026-01-05 00:30:00"


@given(st.dates(date(1930, 1, 1), date(2199, 12, 31)))
def test_every_day_comes_back_from_each_of_its_forms(day: date) -> None:
    serial = str((day - date(1899, 12, 30)).days)
    han = f"{day.year}年{day.month}月{day.day}日"
    for text in (day.isoformat(), f"{day:%Y%m%d}", f"{day:%Y/%m/%d}", han, serial):
        if len(serial) == 5 or text != serial:
            assert read_date(text).value == day


# Choices, names, headers ----------------------------------------------------------------------------------


def test_every_shipped_choice_reads_its_own_labels_and_key() -> None:
    assert len(shipped_choices()) >= 12
    for choices in shipped_choices().values():
        for value in choices.values:
            for word in (value, choices.label(value, "zh"), choices.label(value, "en").upper()):
                assert choices.read(f" {word} ").value == value
            assert re.search("[\u4e00-\u9fff]", choices.label(value, "zh"))


def test_half_a_word_is_no_choice() -> None:
    for text in ("等额", "按月", "本息", "等额本息等额本金", "?"):
        assert shipped_choices()["method"].read(text).problem == "choice-unknown"


def test_a_home_adds_its_own_words_and_labels() -> None:
    base = {"level": {"risk": {"zh": "风险", "en": "At risk", "aliases": ["高风险"]}}}
    own = {"level": {"risk": {"zh": "红色", "aliases": ["红牌"]}}}
    level = choice_lists(base, own)["level"]
    assert level.label("risk", "zh") == "红色"
    assert {read_choice(t, level.table).value for t in ("高风险", "红牌", "红色")} == {"risk"}


@pytest.mark.parametrize(
    ("aliases", "code"),
    [({"a": ["x"], "b": ["X "]}, "choice-alias-twice"), ({"a": ["--"]}, "choice-alias-empty")],
)
def test_an_alias_that_says_nothing_or_two_things_is_a_fault_of_the_settings(
    aliases: dict[str, list[str]], code: str
) -> None:
    with pytest.raises(Misconfigured, match=code):
        choice_table(aliases)


def test_a_choice_needs_both_labels() -> None:
    with pytest.raises(Misconfigured, match="choice-without-label"):
        choice_lists({"x": {"a": {"zh": "甲"}}})


@pytest.mark.parametrize(
    ("text", "company", "name"),
    [
        ("张 三", False, "张三"),
        ("阿卜杜拉•买买提", False, "阿卜杜拉·买买提"),
        ("阿卜杜拉．买买提", False, "阿卜杜拉·买买提"),
        ("José  Müller", False, "José Müller"),
        ("北京 某某（集团）公司", True, "北京某某(集团)公司"),
    ],
)
def test_a_name_is_brought_to_one_form(text: str, company: bool, name: str) -> None:
    assert read_name(text, company=company).value == name


def test_what_is_no_name_or_number_is_refused() -> None:
    assert read_name("张").problem == "name-length"
    assert read_name("张三3", company=False).problem == "name-characters"
    assert read_text("x" * 11, most=10).problem == "text-too-long"
    assert read_whole("12.5").problem == "number-unreadable"
    assert read_whole("32", least=1, most=31).problem == "number-out-of-range"
    assert read_whole("12次").value == 12
    assert read_ratio("1.5").problem == "ratio-ambiguous"
    assert read_ratio("35%").value == read_ratio("0.35").value == read_ratio("35").value == Decimal("0.35")
    assert read_ratio("35").warning == "ratio-no-unit"


@pytest.mark.parametrize(
    ("header", "hints"),
    [
        ("贷款金额(万元)", HeaderHints(amount_unit="万元")),
        ("借贷金额（万元, 0.5）", HeaderHints(amount_unit="万元")),
        ("金额/元", HeaderHints(amount_unit="元")),
        ("贷款金额", HeaderHints()),
        ("月利率(‰)", HeaderHints(rate_unit="‰", period="month")),
        ("年利率", HeaderHints(period="year")),
        ("日利率(360)", HeaderHints(period="day", day_base=360)),
        ("期限(年)", HeaderHints(term_unit="year")),
        ("期数", HeaderHints(term_unit="period")),
        ("Term (months)", HeaderHints(term_unit="month")),
    ],
)
def test_a_header_says_the_units_of_its_cells(header: str, hints: HeaderHints) -> None:
    assert header_hints(header) == hints


# The words ------------------------------------------------------------------------------------------------


def test_every_code_has_words_and_a_hint_in_both_languages(checkout: Path) -> None:
    rooms = [checkout / "loanhub" / name for name in ("readings", "identifiers")]
    source = "".join(f.read_text(encoding="utf-8") for room in rooms for f in room.glob("*.py"))
    topics = "cell amount rate ratio term date choice text name number id uscc mobile landline phone card"
    pattern = rf'"((?:{"|".join(topics.split())}|email|wechat|digits)-[a-z-]+)"'
    codes = set(re.findall(pattern, source))
    assert len(codes) > 60
    for code in codes:
        words = texts.catalogue()[code]
        assert all(words.get(k) for k in ("zh", "en", "hint_zh", "hint_en")), code


# Columns are the twins of the one-value functions ---------------------------------------------------------

NASTY = [
    *(
        "",
        " ",
        "\u3000",
        "0",
        "00",
        "-0",
        ".",
        "-",
        "+",
        "'",
        "20",
        "20万",
        "20万元",
        "1.2亿",
        "贰拾万元整",
        "1,200,000.00",
    ),
    *("1,20,000", "0.005", "0.01", "1234.5600000001", "99999999.99", "999999999999.99", "1000000000000"),
    *(
        "1000000000000.01",
        "9223372036854775807",
        "92233720368547758.08",
        "9999999999999",
        "99999999999999999999",
    ),
    *(
        "1.12345678",
        "1.123456789",
        "99999999万",
        "100000001万",
        "￥5,000.50",
        "¥5",
        "５０００",
        "-500",
        "(500)",
    ),
    *(
        "20万-30万",
        "abc",
        "1E5",
        "1e999",
        "4.9%",
        "4.9",
        "0.049",
        "0.5",
        "月息1分",
        "四厘九",
        "LPR+60BP",
        "120%",
        "-1%",
    ),
    *("12个月", "1年6个月", "0个月", "长期", "2026-01-15至2027-01-15", "2026-01-05", "2026-01-05 00:00:00"),
    *("2026-02-30", "1899-12-31", "2200-01-01", "46027", "46027.5", "60", "26-1-5", "05/01/2026", "2026-1-5"),
    *(
        "119999199005120016",
        "32999919930715005x",
        "119999199005120010",
        "110105491231002",
        "119999199005120000",
    ),
    *(
        "11999919900512001６",
        "1.19999199005120E+17",
        "009999199005120016",
        "919999199005120018",
        "99999999999999999X",
    ),
    *(
        "91119999MA0ABCD1X7",
        "91119999ma0abcd1x7",
        "91119999MA0ABCD1X8",
        "119999000000001",
        "９１119999MA0ABCD1X7",
    ),
    *("13800000000", "+86 138 0000 0000", "13800000000.0", "12800000000", "010-88881234"),
    *("6200000000000005", "6200000000000006", "6200000000000000047", "0000000000000", "62000000000000000047"),
    *(
        "等额本息",
        "等额",
        "是",
        "TRUE",
        "true",
        "张 三",
        "张三",
        "欧阳小明",
        "John Smith",
        "a\tb",
        "\ufeff张三",
        "𠮷野家",
    ),
    *(
        "\u00a0200000\u00a0",
        "\u20032000",
        "#DIV/0!",
        "x" * 3000,
        "9" * 3000,
        "٣٤٥",
        "१२३",
        "Ⅻ",
        "½",
        "\x00",
        "1_000",
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
