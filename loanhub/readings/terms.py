"""Terms of loans as people type them: 12个月, 两年半, 90天, 2026-01-15至2027-01-15 (DOMAIN.md 1.8)."""

from __future__ import annotations

import re
from datetime import date
from fractions import Fraction
from typing import Final, Literal

from attrs import evolve, frozen

from loanhub.calendars import days, whole_months
from loanhub.readings import LONGEST, Reading, packed, refused
from loanhub.readings.dates import read_date
from loanhub.readings.numerals import NUMERAL_CHARS, number_of

TermUnit = Literal["month", "day", "period"]
HeaderTermUnit = Literal["year", "quarter", "month", "week", "day", "period"]

MOST_MONTHS: Final = 600
MOST_DAYS: Final = 18_300

# How many months or days one of each unit is; 期 stays a period, the product says how long one is.
_SIZES: Final[dict[HeaderTermUnit, tuple[int, TermUnit]]] = {
    "year": (12, "month"),
    "quarter": (3, "month"),
    "month": (1, "month"),
    "week": (7, "day"),
    "day": (1, "day"),
    "period": (1, "period"),
}
_WORDS: Final[tuple[tuple[HeaderTermUnit, str], ...]] = (
    ("year", "周年|年|YEARS?|YRS?|Y"),
    ("quarter", "个?季度?|QUARTERS?|Q"),
    ("month", "个?月|MONTHS?|MOS?|MTHS?|M"),
    ("week", "个?星期|周|WEEKS?|W"),
    ("day", "天|日|DAYS?|D"),
    ("period", "期|PERIODS?|INSTAL?LMENTS?"),
)
_UNIT: Final = "|".join(f"(?P<{unit}>{words})" for unit, words in _WORDS)
_PART = re.compile(rf"零?又?(?P<number>[\d.{NUMERAL_CHARS}点]+)-?(?:{_UNIT})(?P<half>半)?")
_PLAIN = re.compile(rf"[\d.{NUMERAL_CHARS}]+")
_TAIL = re.compile(r"(?:期|整|\(含\))$")
_SPAN = re.compile(
    r"(?:自|从)?(.{6,20}?)(?:起?(?:至|到|~|—|--|TO)|(?<=\d\d\d)-(?=\d{8}$)|(?<=[\d日])-(?=\d{4}\D))(.{6,20}?)止?"
)
_RANGE = re.compile(r".*\d\D{0,3}(?:-|~|至|到)\d.*")


@frozen
class Term:
    """How long a loan runs: whole months, days, or periods of its product; with both dates when written.

    `months()` reads periods as months, which they are unless the product says otherwise.
    """

    value: int
    unit: TermUnit
    start: date | None = None
    end: date | None = None

    def months(self, months_per_period: int = 1) -> int | None:
        """Whole months, or None for a term in days."""
        if self.unit == "day":
            return None
        return self.value * (months_per_period if self.unit == "period" else 1)


def read_term(text: str, *, unit: HeaderTermUnit = "month") -> Reading[Term]:
    """A term; `unit` is what a bare number means (the header's 期限(年) is "year")."""
    bare = packed(text).upper().replace("壹年", "一年")
    if not bare:
        return refused("cell-empty")
    if len(bare) > LONGEST:
        return refused("term-unreadable")
    span = _SPAN.fullmatch(bare)
    if span is not None and (between := _between(span[1], span[2])) is not None:
        return between
    if bare.startswith("-"):
        return refused("term-zero")
    if _PLAIN.fullmatch(bare):
        number = number_of(bare)
        return refused("term-unreadable") if number is None else _sized(number, unit)
    parts = _parts(bare) or _parts(_TAIL.sub("", bare, count=1))
    if parts:
        return _summed(parts)
    return refused("term-range" if _RANGE.fullmatch(bare) else "term-unreadable")


def _between(first: str, last: str) -> Reading[Term] | None:
    start, end = read_date(first, serial=False), read_date(last, serial=False)
    if start.value is None or end.value is None:
        return None
    if end.value <= start.value:
        return refused("term-dates-reversed")
    months, odd = whole_months(start.value, end.value)
    whole = Fraction(months if months and not odd else days(start.value, end.value))
    sized = _sized(whole, "month" if months and not odd else "day")
    if sized.value is None:
        return sized
    return Reading(evolve(sized.value, start=start.value, end=end.value))


def _parts(bare: str) -> list[tuple[Fraction, HeaderTermUnit]]:
    """1年6个月 as its parts, 两年半 with the half added; empty when anything is left over."""
    if bare in {"半年", "半年期", "HALFYEAR"}:
        return [(Fraction(1, 2), "year")]
    found: list[tuple[Fraction, HeaderTermUnit]] = []
    rest = bare
    while rest:
        part = _PART.match(rest)
        number = number_of(part["number"]) if part else None
        if part is None or number is None:
            return []
        unit = next(name for name, _ in _WORDS if part[name])
        found.append((number + (Fraction(1, 2) if part["half"] else 0), unit))
        rest = rest[part.end() :]
    return found


def _summed(parts: list[tuple[Fraction, HeaderTermUnit]]) -> Reading[Term]:
    order = [list(_SIZES).index(unit) for _, unit in parts]
    if order != sorted(set(order)):
        return refused("term-unreadable")
    kinds = {_SIZES[unit][1] for number, unit in parts if number}
    if len(kinds) > 1:
        return refused("term-mixed")
    total = sum((number * _SIZES[unit][0] for number, unit in parts), Fraction(0))
    kind: HeaderTermUnit = kinds.pop() if kinds else "month"
    return _sized(total, kind)


def _sized(number: Fraction, unit: HeaderTermUnit) -> Reading[Term]:
    size, kind = _SIZES[unit]
    value = number * size
    if value == 0:
        return refused("term-zero")
    if value.denominator != 1:
        return refused("term-unreadable")
    most = MOST_DAYS if kind == "day" else MOST_MONTHS
    if value > most:
        return refused("term-too-long", limit=most)
    return Reading(Term(value.numerator, kind))
