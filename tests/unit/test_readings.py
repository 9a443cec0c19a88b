"""Cells as people type them: read exactly or refused with a code."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loanhub import money, texts
from loanhub.errors import Misconfigured
from loanhub.readings import columns
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
