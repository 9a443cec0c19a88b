"""What a header says about the cells below it: 贷款金额(万元), 月利率(‰), 期限(年)."""

from __future__ import annotations

import re
from typing import Final

from attrs import frozen

from loanhub.readings import packed
from loanhub.readings.rates import HeaderUnit, Period
from loanhub.readings.terms import HeaderTermUnit

_AMOUNT = re.compile(r"\(.*?((?:百|千|十)?万元?|千元|百元|亿元?|元)[,)]|[:/](万元|千元|亿元|元)$")
_RATE = re.compile(r"[%‰]")
_PERIODS: Final[tuple[tuple[Period, str], ...]] = (
    ("month", r"月利|月息|月化|MONTHLY"),
    ("day", r"日利|日息|日化|天利|DAILY"),
    ("year", r"年利|年息|年化|ANNUAL|P\.?A\.?$|YEARLY|APR"),
)
_TERM = re.compile(r"[(/](年|季|季度|月|个月|周|天|日|期|YEARS?|MONTHS?|DAYS?|PERIODS?)(?:数)?\)?$")
_TERM_WORDS: Final[dict[str, HeaderTermUnit]] = {
    **{"年": "year", "季": "quarter", "季度": "quarter", "月": "month", "个月": "month"},
    **{"周": "week", "天": "day", "日": "day", "期": "period"},
    **{"YEAR": "year", "MONTH": "month", "DAY": "day", "PERIOD": "period"},
}
_TERM_COUNT: Final[tuple[tuple[str, HeaderTermUnit], ...]] = (
    ("期数", "period"),
    ("月数", "month"),
    ("天数", "day"),
    ("年数", "year"),
)


@frozen
class HeaderHints:
    """Units a header names; None where it names none. The reading of each cell takes what it needs."""

    amount_unit: str | None = None
    rate_unit: HeaderUnit | None = None
    period: Period | None = None
    day_base: int | None = None
    term_unit: HeaderTermUnit | None = None


def header_hints(header: str) -> HeaderHints:
    """The hints of one header text."""
    bare = packed(header).upper()
    amount = _AMOUNT.search(bare)
    sign = _RATE.search(bare)
    period = next((name for name, words in _PERIODS if re.search(words, bare)), None)
    base = re.search(r"36[05]", bare)
    return HeaderHints(
        amount_unit=next((g for g in amount.groups() if g), None) if amount else None,
        rate_unit=("%" if sign[0] == "%" else "‰") if sign else None,
        period=period,
        day_base=int(base[0]) if base else None,
        term_unit=_term_unit(bare),
    )


def _term_unit(bare: str) -> HeaderTermUnit | None:
    found = _TERM.search(bare)
    if found:
        return _TERM_WORDS[found[1] if found[1] in _TERM_WORDS else found[1].removesuffix("S")]
    return next((unit for word, unit in _TERM_COUNT if bare.endswith(word)), None)
