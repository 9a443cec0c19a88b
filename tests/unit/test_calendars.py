"""Due dates from the anchor day, months and days between, and the workdays of mainland China."""

from __future__ import annotations

from calendar import monthrange
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loanhub import calendars
from loanhub.errors import Usage

DAYS = st.dates(date(1990, 1, 1), date(2090, 12, 31))


@given(DAYS, st.integers(1, 31), st.integers(0, 60))
def test_every_due_date_is_the_anchor_day_or_the_months_end(start: date, due_day: int, count: int) -> None:
    dues = calendars.due_dates(start, due_day, count)
    assert len(dues) == count
    assert list(dues) == sorted(set(dues))
    for number, due in enumerate(dues, start=1):
        assert due.day == min(due_day, monthrange(due.year, due.month)[1])
        assert (due.year - start.year) * 12 + due.month - start.month == number


def test_a_first_due_date_in_the_month_of_disbursement_is_kept() -> None:
    dues = calendars.due_dates(date(2026, 3, 5), 20, 2, first=date(2026, 3, 20))
    assert dues == (date(2026, 3, 20), date(2026, 4, 20))


@pytest.mark.parametrize(
    ("due_day", "count", "first", "code"),
    [
        (0, 1, None, "due-day-impossible"),
        (32, 1, None, "due-day-impossible"),
        (1, -1, None, "due-count-negative"),
        (5, 1, date(2026, 3, 5), "due-before-disbursed"),
    ],
)
def test_impossible_due_dates_are_refused(due_day: int, count: int, first: date | None, code: str) -> None:
    with pytest.raises(Usage, match=code):
        calendars.due_dates(date(2026, 3, 5), due_day, count, first=first)


@given(DAYS, st.integers(0, 400), st.integers(0, 31))
def test_months_and_odd_days_add_up_to_the_end(start: date, months: int, odd: int) -> None:
    end = calendars.add_months(start, months) + timedelta(days=odd)
    whole, rest = calendars.whole_months(start, end)
    assert calendars.add_months(start, whole) + timedelta(days=rest) == end
    assert 0 <= rest <= 30
    assert calendars.add_months(start, whole + 1) > end


def test_an_end_before_the_start_is_refused() -> None:
    with pytest.raises(Usage, match="end-before-start"):
        calendars.whole_months(date(2026, 1, 2), date(2026, 1, 1))


def test_months_can_be_added_backwards_and_over_years() -> None:
    assert calendars.add_months(date(2026, 3, 31), -1) == date(2026, 2, 28)
    assert calendars.add_months(date(2026, 1, 15), -13) == date(2024, 12, 15)
    assert calendars.add_months(date(2026, 2, 28), 1, day=31) == date(2026, 3, 31)


def test_nothing_unpaid_and_not_yet_due_are_zero_days_past_due() -> None:
    assert calendars.days_past_due(None, date(2026, 6, 18)) == 0
    assert calendars.days_past_due(date(2026, 6, 18), date(2026, 6, 18)) == 0
    assert calendars.days_past_due(date(2026, 7, 1), date(2026, 6, 18)) == 0


@given(DAYS, st.sampled_from(calendars.SHIFTS))
def test_a_shift_ends_on_the_nearest_workday_in_its_direction(day: date, rule: calendars.Shift) -> None:
    moved = calendars.shift(day, rule)
    if rule == "none":
        assert moved == day
        return
    assert calendars.is_workday(moved)
    between = (min(day, moved) + timedelta(days=n) for n in range(abs((moved - day).days) + 1))
    assert [d for d in between if calendars.is_workday(d)] == [moved]
    assert moved >= day if rule == "following" else True
    assert moved <= day if rule == "preceding" else True
    assert moved.month == day.month if rule == "modified_following" and moved > day else True


def test_an_unknown_year_is_weekends_and_fixed_holidays_and_says_so() -> None:
    year = max(y for y in range(2020, 2100) if calendars.known(y)) + 1
    assert not calendars.known(year)
    assert not calendars.is_workday(date(year, 1, 1))
    assert not calendars.is_workday(date(year, 5, 1))
    assert not calendars.is_workday(date(year, 10, 1))
    first = date(year, 6, 1)
    week = [first + timedelta(days=n) for n in range(7)]
    assert [calendars.is_workday(d) for d in week] == [d.weekday() < 5 for d in week]


def test_a_new_notice_makes_a_year_known_and_goes_before_what_was_shipped() -> None:
    calendar = calendars.SHIPPED.with_notice(2031, [date(2031, 1, 23)], [date(2031, 1, 25)])
    assert calendar.known(2031)
    assert not calendar.is_workday(date(2031, 1, 23))
    assert calendar.is_workday(date(2031, 1, 25))
    assert not calendar.is_workday(date(2031, 1, 26))
    assert calendar.shift(date(2031, 1, 23), "following") == date(2031, 1, 24)
    assert not calendars.SHIPPED.known(2031)
    assert calendar.is_workday(date(2026, 2, 28))
