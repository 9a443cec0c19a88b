"""Interest rates as typed: 4.9%, 10‰ under 月利率, 月息1分, 万分之五/日, LPR+60BP (DOMAIN.md 1.7).

A sign in the cell goes before the header's, a period word in the cell before the header's. What can be read
two ways is `rate-ambiguous` with both candidates: one question for the whole column settles it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction
from typing import Final, Literal

from attrs import frozen

from loanhub.money import divided
from loanhub.readings import LONGEST, Reading, packed, refused
from loanhub.readings.floating import read_floating
from loanhub.readings.numerals import NUMERAL_CHARS, decimal_of, number_of

Period = Literal["year", "month", "day"]
HeaderUnit = Literal["%", "‰"]
ColumnHint = Literal["percent", "permille", "fraction"]

PLACES: Final = 8  # of an annual fraction (DOMAIN.md 0.1)
_LIMIT: Final = Fraction(1)
_PERCENT: Final = Fraction(1, 100)
_PERMILLE: Final = Fraction(1, 1000)
_SIGNS: Final = {"%": _PERCENT, "‰": _PERMILLE, "‱": Fraction(1, 10**4)}
_SHARES: Final = {"百": _PERCENT, "千": _PERMILLE, "万": Fraction(1, 10**4)}

_PERIODS: Final[tuple[tuple[Period, str], ...]] = (
    ("year", r"年化利率|年化|年利率|年利息|年利|年息|每年|/年|一年|年|PERYEAR|PERANNUM|P\.?A\.?|ANNUAL"),
    ("month", r"月利率|月利息|月利|月息|每月|/月|一个月|月|PERMONTH|P\.?M\.?|MONTHLY"),
    ("day", r"日利率|日利息|日利|日息|每日|每天|/日|/天|一天|日|天|PERDAY|DAILY"),
)
# What 分 厘 毫 mean of a yearly, monthly and daily rate.
_WORDS: Final[dict[Period, dict[str, Fraction]]] = {
    "year": {"分": Fraction(1, 10), "厘": _PERCENT, "毫": _PERMILLE},
    "month": {"分": _PERCENT, "厘": _PERMILLE, "毫": Fraction(1, 10**4)},
    "day": {"分": _PERMILLE, "厘": Fraction(1, 10**4), "毫": Fraction(1, 10**5)},
}
_NUM: Final = rf"[\d.{NUMERAL_CHARS}点]+"
_SIGNED = re.compile(r"([\d.,]+(?:E[+-]?\d{1,2})?)([%‰‱])", re.ASCII | re.IGNORECASE)
_SHARE = re.compile(rf"([百千万])分之({_NUM})")
_WORDED = re.compile(rf"(?:({_NUM})分)?(?:({_NUM})厘)?(?:({_NUM})毫)?({_NUM}|半)?")
_RANGE = re.compile(r"[\d%‰](?:-|~|至|到)+\d")
_DATED = re.compile(r"\d{4}-\d")
_MULTIPLE = re.compile(r"基准|上浮|下浮|LPR.*[*×X倍]|倍")


@frozen
class Rate:
    """A fixed rate as a fraction a year, or a floating one as LPR(tenor) + spread; tenor None is not said."""

    annual: Decimal | None = None
    floating: bool = False
    tenor: str | None = None
    spread_bp: int | None = None


def read_rate(
    text: str,
    *,
    header_unit: HeaderUnit | None = None,
    period: Period | None = None,
    day_base: int = 360,
    column: ColumnHint | None = None,
) -> Reading[Rate]:
    """A rate a year. `period` is what the header says, None when it says nothing.

    `column` is how the numbers of this column that carry no unit are meant, once that is decided (by
    `rate_hint` or a person). Refuses above 100 % a year and below zero. Rates are kept to eight places.
    """
    bare = packed(text).upper().replace("℅", "%")
    if not bare:
        return refused("cell-empty")
    if len(bare) > LONGEST:
        return refused("rate-unreadable")
    if "LPR" in bare:
        return _floating(bare)
    if _MULTIPLE.search(bare):
        return refused("rate-multiple")
    said, core = _period_in(bare)
    base = _Base(said or period, day_base)
    signed = _read_core(core, base)
    if signed is not None:
        return signed
    if core.startswith("-") and number_like(core[1:].rstrip("%‰‱")):
        return refused("rate-negative")
    number = decimal_of(core, scientific=True)
    if number is not None:
        return _unsigned(number, base, header_unit, column)
    range_ = _RANGE.search(core) and not _DATED.match(core)
    return refused("rate-range" if range_ else "rate-unreadable")


def number_like(text: str) -> bool:
    return decimal_of(text, scientific=True) is not None


def rate_hint(texts: Iterable[str]) -> ColumnHint | None:
    """What the unit-less numbers of one column show by themselves: all below 0.4 are fractions.

    All from 1 upwards are percent; anything else shows nothing and is asked (DOMAIN.md 1.7).
    """
    numbers = [n for n in (decimal_of(packed(t), scientific=True) for t in texts) if n]
    if not numbers:
        return None
    if max(numbers) < Fraction(4, 10):
        return "fraction"
    return "percent" if min(numbers) >= 1 else None


@frozen
class _Base:
    """The period a rate is for (None: not said), and the days of a year for daily rates."""

    period: Period | None
    day_base: int

    def annual(self, rate: Fraction, period: Period | None = None) -> Fraction:
        times = {"year": 1, "month": 12, "day": self.day_base}
        return rate * times[period or self.period or "year"]


def _period_in(bare: str) -> tuple[Period | None, str]:
    """The period word of the cell and the rest; a word may stand before or after the number."""
    bare = bare.replace(":", "").replace("为", "").replace("(", "").replace(")", "")
    for period, words in _PERIODS:
        found = re.fullmatch(rf"(?:{words})(.+)|(.+?)(?:{words})", bare)
        if found:
            return period, found[1] or found[2]
    return None, bare.removeprefix("利率")


def _read_core(core: str, base: _Base) -> Reading[Rate] | None:
    """A number with its unit, by sign or by word; None when there is no unit in the cell."""
    signed = _SIGNED.fullmatch(core)
    share = _SHARE.fullmatch(core)
    if signed or share:
        number = decimal_of(signed[1], scientific=True) if signed else number_of(share[2]) if share else None
        scale = _SIGNS[signed[2]] if signed else _SHARES[share[1]] if share else _PERCENT
        if number is None:
            return refused("rate-unreadable")
        return _scaled(number * scale, scale, base)
    if not any(word in core for word in "分厘毫"):
        return None
    parts = _words_in(core)
    if parts is None:
        return refused("rate-unreadable")
    if base.period is None:
        return _ambiguous(base.annual(_spoken(parts, p), p) for p in ("year", "month"))
    return _fixed(base.annual(_spoken(parts, base.period)))


def _scaled(rate: Fraction, scale: Fraction, base: _Base) -> Reading[Rate]:
    """A rate with its sign. ‰ and ‱ are the signs of months and days: without a period word, ask."""
    if base.period is None and scale != _PERCENT and rate:
        usual: Period = "month" if scale == _PERMILLE else "day"
        return _ambiguous((rate, base.annual(rate, usual)))
    return _fixed(base.annual(rate))


def _words_in(core: str) -> dict[str, Fraction] | None:
    """1分2厘 and 四厘九 as the amount of each word; a last bare digit belongs to the next smaller one."""
    found = _WORDED.fullmatch(core)
    if found is None:
        return None
    *named, trailing = found.groups()
    parts: dict[str, Fraction] = {}
    for word, text in zip("分厘毫", named, strict=True):
        if text is not None:
            number = number_of(text)
            if number is None:
                return None
            parts[word] = number
    if trailing is None:
        return parts
    last = list(parts)[-1]
    small = Fraction(5) if trailing == "半" else number_of(trailing)
    if small is None or small >= 10 or small.denominator != 1:
        return None
    parts[last] += small / 10
    return parts


def _spoken(parts: dict[str, Fraction], period: Period) -> Fraction:
    return sum((number * _WORDS[period][word] for word, number in parts.items()), Fraction(0))


def _unsigned(
    number: Fraction, base: _Base, header_unit: HeaderUnit | None, column: ColumnHint | None
) -> Reading[Rate]:
    """A number whose unit stands in the header, was decided for the column, or can only be percent."""
    if number == 0:
        return _fixed(number)
    if header_unit is not None:
        # 0.049 under 年利率(%) says 0.049 %, but may well be a 4.9 % that lost its format.
        small = header_unit == "%" and number < Fraction(4, 10) and base.period in {None, "year"}
        return _fixed(base.annual(number * _SIGNS[header_unit]), "rate-small" if small else None)
    scales = {"percent": _PERCENT, "permille": _PERMILLE, "fraction": Fraction(1)}
    yearly = base.period in {None, "year"}
    # A yearly 4.9 is 4.9 % even where the column's small numbers were decided to be fractions.
    if column == "fraction" and number >= 1 and yearly:
        column = "percent"
    if column is not None:
        warning = "rate-no-unit" if number >= 1 else None
        return _fixed(base.annual(number * scales[column]), warning)
    if yearly and number >= 1:
        return _fixed(number * _PERCENT, "rate-no-unit")
    options = ("percent", "fraction") if yearly else ("percent", "permille", "fraction")
    return _ambiguous(base.annual(number * scales[option]) for option in options)


def _floating(bare: str) -> Reading[Rate]:
    found = read_floating(bare)
    if found is None:
        return refused("rate-multiple" if _MULTIPLE.search(bare) else "rate-floating-unreadable")
    tenor, spread_bp = found
    return Reading(Rate(None, True, tenor, spread_bp))


def _fixed(annual: Fraction, warning: str | None = None) -> Reading[Rate]:
    if annual > _LIMIT:
        return refused("rate-too-high", limit="100%")
    return Reading(Rate(_kept(annual)), None, warning)


def _ambiguous(annuals: Iterable[Fraction]) -> Reading[Rate]:
    """The candidates are given as yearly fractions, smallest first; those above the limit are left out."""
    possible = sorted({a for a in annuals if a <= _LIMIT})
    if not possible:
        return refused("rate-too-high", limit="100%")
    shown = tuple(f"{_kept(a).normalize():f}" for a in possible)
    return refused("rate-ambiguous", candidates=shown)


def _kept(annual: Fraction) -> Decimal:
    whole = divided(annual.numerator * 10**PLACES, annual.denominator)
    return Decimal(whole).scaleb(-PLACES)
