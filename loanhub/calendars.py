"""Dates of lending: due dates from an anchor, months and days between, and the workdays of mainland China.

Days are counted first day in, last day out (算头不算尾, DOMAIN.md 0.4). A due date is always computed from
the anchor day and clamped to the month's end, never from an earlier clamped date (DOMAIN.md 0.5). Workdays
follow the State Council's yearly notice, make-up Saturdays and Sundays included.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from functools import cache
from typing import Final, Literal

from attrs import evolve, field, frozen

from loanhub.errors import Usage

Shift = Literal["none", "following", "preceding", "modified_following"]
SHIFTS: Final[tuple[Shift, ...]] = ("none", "following", "preceding", "modified_following")

# Statutory holidays with a fixed date, as month and day (全国年节及纪念日放假办法, 2024 revision).
_FIXED_HOLIDAYS: Final = frozenset({(1, 1), (5, 1), (5, 2), (10, 1), (10, 2), (10, 3)})
_SATURDAY: Final = 5
_DAY: Final = timedelta(days=1)


def clamped(year: int, month: int, day: int) -> date:
    """That day of that month, or the month's last when it has no such day."""
    return date(year, month, min(day, monthrange(year, month)[1]))


def add_months(start: date, months: int, *, day: int | None = None) -> date:
    """`start` moved by whole months, clamped; `day` names the anchor day when it is not start's own."""
    years, month0 = divmod(start.month - 1 + months, 12)
    return clamped(start.year + years, month0 + 1, day or start.day)


def due_dates(disbursed: date, due_day: int, count: int, *, first: date | None = None) -> tuple[date, ...]:
    """The `count` monthly due dates after a disbursement, each on `due_day` (1-31) or the month's last day.

    The first lies in the month after the disbursement unless `first` names another. Raises Usage when
    `due_day` is no day of a month, `count` is negative, or `first` is not after the disbursement.
    """
    if not 1 <= due_day <= 31:
        raise Usage("due-day-impossible")
    if count < 0:
        raise Usage("due-count-negative")
    start = first or add_months(disbursed, 1, day=due_day)
    if start <= disbursed:
        raise Usage("due-before-disbursed")
    return tuple(add_months(start, k, day=due_day) if k or first is None else start for k in range(count))


def days(start: date, end: date) -> int:
    """Days from start to end, the first counted and the last not; negative when end is earlier."""
    return (end - start).days


def whole_months(start: date, end: date) -> tuple[int, int]:
    """Whole months and odd days from start to end: (1, 30) from 31 January to 30 March.

    A clamped month counts as whole (31 January to 28 February is one). Raises Usage when end is earlier.
    """
    if end < start:
        raise Usage("end-before-start")
    months = (end.year - start.year) * 12 + end.month - start.month
    if add_months(start, months) > end:
        months -= 1
    return months, days(add_months(start, months), end)


def days_past_due(oldest_unpaid_due: date | None, as_of: date) -> int:
    """DPD (逾期天数) on `as_of`: 0 on the due date itself, before it, and when nothing is unpaid."""
    return 0 if oldest_unpaid_due is None else max(0, days(oldest_unpaid_due, as_of))


@frozen
class Notice:
    """One year's State Council notice: the days off, and the weekend days that are worked instead."""

    holidays: frozenset[date]
    workdays: frozenset[date]


@frozen
class WorkCalendar:
    """Which days are worked. Notices given here go before those that come with the software.

    A year without a notice is read as weekends and the holidays with a fixed date; `known` then says
    False, and whoever shows a date computed from it shows the warning `calendar-year-unknown`.
    """

    notices: Mapping[int, Notice] = field(factory=dict)

    def known(self, year: int) -> bool:
        return year in self.notices or year in _shipped_years()

    def is_workday(self, day: date) -> bool:
        notice = self.notices.get(day.year)
        if notice is not None:
            return day in notice.workdays or (day.weekday() < _SATURDAY and day not in notice.holidays)
        if day.year in _shipped_years():
            import chinese_calendar

            return bool(chinese_calendar.is_workday(day))
        return day.weekday() < _SATURDAY and (day.month, day.day) not in _FIXED_HOLIDAYS

    def shift(self, day: date, rule: Shift) -> date:
        """The workday a due date moves to: later, earlier, or later unless that leaves the month."""
        if rule == "none":
            return day
        if rule == "preceding":
            return self._walk(day, -_DAY)
        later = self._walk(day, _DAY)
        if rule == "modified_following" and later.month != day.month:
            return self._walk(day, -_DAY)
        return later

    def with_notice(self, year: int, holidays: Iterable[date], workdays: Iterable[date]) -> WorkCalendar:
        """This calendar with the notice of one more year (published each November)."""
        notice = Notice(frozenset(holidays), frozenset(workdays))
        return evolve(self, notices={**self.notices, year: notice})

    def _walk(self, day: date, step: timedelta) -> date:
        while not self.is_workday(day):
            day += step
        return day


SHIPPED: Final = WorkCalendar()


def is_workday(day: date, calendar: WorkCalendar = SHIPPED) -> bool:
    """Whether people work that day; a make-up Saturday or Sunday is a workday."""
    return calendar.is_workday(day)


def shift(day: date, rule: Shift, calendar: WorkCalendar = SHIPPED) -> date:
    """`day` moved to a workday by the named rule."""
    return calendar.shift(day, rule)


def known(year: int, calendar: WorkCalendar = SHIPPED) -> bool:
    """Whether the notice of that year is at hand; if not, warn (`calendar-year-unknown`)."""
    return calendar.known(year)


@cache
def _shipped_years() -> range:
    """The years chinesecalendar knows; outside them it raises, so we never ask it."""
    from chinese_calendar import constants

    years = [day.year for day in constants.holidays]
    return range(min(years), max(years) + 1)
