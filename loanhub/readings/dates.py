"""Dates as people type them: 2026-01-05, 2026/1/5, 20260105, 2026年1月5日, Excel numbers (DOMAIN.md 1.8).

Two-digit years, missing years and impossible days are refused. Where the year stands last, day and month
cannot be told apart: the mapping must say `order`, or the column is asked about.
"""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from typing import Final, Literal

from loanhub.readings import LONGEST, Reading, packed, refused, tidy
from loanhub.readings.numerals import NUMERAL_CHARS, decimal_of, digits_of, whole_of

Order = Literal["dmy", "mdy"]

EARLIEST: Final = date(1900, 1, 1)
LATEST: Final = date(2199, 12, 31)
_SERIAL_1900: Final = date(1899, 12, 30)  # right from 1 March 1900 on; Excel's 29 February 1900 is skipped
_SERIAL_1904: Final = date(1904, 1, 1)
_SHORTEST_SERIAL: Final = 10_000  # 1927: shorter numbers are years, ages or slips, not day numbers

_MONTHS: Final = {
    name: number
    for number, name in enumerate("JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split(), start=1)
}
_NAMED: Final = "(" + "|".join(_MONTHS) + r")[A-Z]*\.?"
_YMD = re.compile(r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})", re.ASCII)
_HAN = re.compile(rf"([\d{NUMERAL_CHARS}]+)年([\d{NUMERAL_CHARS}]+)月(?:([\d{NUMERAL_CHARS}]+)[日号]?)?")
_EIGHT = re.compile(r"(\d{4})(\d{2})(\d{2})", re.ASCII)
_FOURTEEN = re.compile(r"(\d{8})(\d{2})(\d{2})(\d{2})", re.ASCII)
_YEAR_LAST = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4})", re.ASCII)
_DAY_NAME = re.compile(rf"(\d{{1,2}})[-/ ]?{_NAMED}[-/, ]*(\d{{4}})", re.ASCII)
_NAME_DAY = re.compile(rf"{_NAMED}[-/ ]?(\d{{1,2}})[-/, ]+(\d{{4}})", re.ASCII)
_SHORT_YEAR = re.compile(
    rf"\d{{1,2}}[-/.]\d{{1,2}}[-/.]\d{{1,2}}|\d\d年.*|\d{{1,2}}-?{_NAMED}-?\d\d|\d{{6}}", re.ASCII
)
_NO_YEAR = re.compile(r"\d{1,2}[-/.]\d{1,2}|.{1,3}月.{1,3}[日号]?", re.ASCII)
_NO_DAY = re.compile(r"\d{4}[-/.]\d{1,2}|.{4}年(?:.{1,2}月)?", re.ASCII)
_CLOCK = re.compile(
    r"(.+?)(?:T|\s+|(?<=[日号])\s*)(上午|下午|AM|PM)?\s*(\d{1,2})[:时](\d{1,2})(?:[:分](?:(\d{1,2})(?:\.\d{1,9})?)?秒?)?\s*(AM|PM)?",
    re.ASCII,
)
_WEEKDAY = re.compile(r"\s*\(?(?:星期|周)[一二三四五六日天]\)?$")


def read_date(
    text: str,
    *,
    order: Order | None = None,
    epoch: date | None = None,
    serial: bool = True,
    date1904: bool = False,
) -> Reading[date]:
    """A date; a time of day behind it is dropped.

    `epoch`: whole numbers are days since that date (foreign files). `serial`: five-digit numbers are day
    numbers of Excel, of the 1904 system when `date1904`. `order` says how 05/01/2026 is meant.
    """
    reading = read_datetime(text, order=order, epoch=epoch, serial=serial, date1904=date1904)
    value = None if reading.value is None else reading.value.date()
    return Reading(value, reading.problem, reading.warning, reading.facts)


def read_datetime(
    text: str,
    *,
    order: Order | None = None,
    epoch: date | None = None,
    serial: bool = True,
    date1904: bool = False,
) -> Reading[datetime]:
    """A date with its time of day, midnight when none is written; local time without a zone."""
    clean = _WEEKDAY.sub("", tidy(text)).upper()
    if not clean:
        return refused("cell-empty")
    if len(clean) > LONGEST:
        return refused("date-unreadable")
    number = decimal_of(clean.removeprefix("-"), scientific=True)
    if number is not None:
        if epoch is not None and number.denominator == 1:
            return _counted(epoch, number.numerator * (-1 if clean.startswith("-") else 1))
        if epoch is None and serial and _SHORTEST_SERIAL <= number < 100_000 and not clean.startswith("-"):
            day = _counted(_SERIAL_1904 if date1904 else _SERIAL_1900, int(number))
            return _with_fraction(day, float(number - int(number)))
        if number.denominator != 1 or epoch is not None:
            return refused("date-unreadable")
        clean = clean.partition(".")[0]
    day_text, clock = _split(clean)
    if clock is None:
        return refused("date-unreadable")
    found = _day_of(packed(day_text) if not re.search("[A-Z]", day_text) else day_text, order)
    if isinstance(found, str):
        return refused(found)
    return Reading(datetime.combine(found, clock))


def _split(clean: str) -> tuple[str, time | None]:
    """Day text and time of day; the time is None when it is written but impossible."""
    fourteen = _FOURTEEN.fullmatch(clean)
    if fourteen:
        return fourteen[1], _time(int(fourteen[2]), int(fourteen[3]), int(fourteen[4]))
    found = _CLOCK.fullmatch(clean)
    if found is None:
        return clean, time()
    day, half, hour, minute, second, half_en = found.groups()
    hours, half = int(hour), half or half_en
    if half in {"下午", "PM"} and hours < 12:
        hours += 12
    elif half == "AM" and hours == 12:
        hours = 0
    return day, _time(hours, int(minute), int(second or 0))


def _time(hour: int, minute: int, second: int) -> time | None:
    return time(hour, minute, second) if hour < 24 and minute < 60 and second < 60 else None


def _day_of(bare: str, order: Order | None) -> date | str:
    """The date, or the code of what is wrong."""
    found = _YMD.fullmatch(bare)
    if found:
        return _real(int(found[1]), int(found[3]), int(found[4]))
    found = _EIGHT.fullmatch(bare)
    if found:
        return _real(int(found[1]), int(found[2]), int(found[3]))
    found = _YEAR_LAST.fullmatch(bare)
    if found:
        first, second, year = int(found[1]), int(found[3]), int(found[4])
        if order is None:
            return "date-order"
        return _real(year, second, first) if order == "dmy" else _real(year, first, second)
    return _han_day(bare) or _named_day(bare) or _incomplete(bare)


def _han_day(bare: str) -> date | str | None:
    found = _HAN.fullmatch(bare)
    if found is None or found[3] is None:
        return None
    year, month, day = (_small(part) for part in found.groups())
    if len(found[1]) != 4 or year is None:
        return None
    return "date-unreadable" if month is None or day is None else _real(year, month, day)


def _small(text: str) -> int | None:
    """A number in ASCII digits, in numerals (二十一), or digit by digit (二〇二六)."""
    if text.isascii():
        return int(text)
    spelled = digits_of(text) if len(text) > 2 else None
    return int(spelled) if spelled is not None else whole_of(text)


def _named_day(bare: str) -> date | str | None:
    found = _DAY_NAME.fullmatch(bare)
    if found:
        return _real(int(found[3]), _MONTHS[found[2]], int(found[1]))
    found = _NAME_DAY.fullmatch(bare)
    return _real(int(found[3]), _MONTHS[found[1]], int(found[2])) if found else None


def _incomplete(bare: str) -> str:
    if _SHORT_YEAR.fullmatch(bare):
        return "date-short-year"
    if _NO_YEAR.fullmatch(bare):
        return "date-no-year"
    return "date-no-day" if _NO_DAY.fullmatch(bare) else "date-unreadable"


def _real(year: int, month: int, day: int) -> date | str:
    try:
        found = date(year, month, day)
    except ValueError:
        return "date-impossible"
    return found if EARLIEST <= found <= LATEST else "date-out-of-range"


def _counted(since: date, count: int) -> Reading[datetime]:
    try:
        day = since + timedelta(days=count)
    except OverflowError:
        return refused("date-out-of-range")
    if not EARLIEST <= day <= LATEST:
        return refused("date-out-of-range")
    return Reading(datetime.combine(day, time()))


def _with_fraction(day: Reading[datetime], fraction: float) -> Reading[datetime]:
    """A day number's fraction as time of day, to the second (the only use of a float: it is no money)."""
    if day.value is None or not fraction:
        return day
    return Reading(day.value + timedelta(seconds=min(round(fraction * 86_400), 86_399)))
