"""Which snapshots a policy keeps: the last of each period, whatever clocks say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from loanhub import Usage
from sync_agent.retention import Point, Policy, kept

START = datetime(2026, 1, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def every_day(count: int) -> list[Point]:
    return [Point(n + 1, START + n * DAY, START + n * DAY) for n in range(count)]


def test_the_newest_are_kept_in_the_order_of_the_commits() -> None:
    assert list(kept(every_day(5), Policy(last=2))) == [4, 5]


def test_of_each_day_the_last_is_kept() -> None:
    points = [Point(n + 1, START + n * DAY / 4, START + n * DAY / 4) for n in range(12)]
    # noon, 18, 0, 6 | 12, 18, 0, 6 | ...: days end with the points at 18 o'clock
    assert list(kept(points, Policy(daily=2))) == [10, 12]


def test_weeks_months_and_years_count_periods_that_have_one() -> None:
    points = every_day(800)
    found = kept(points, Policy(weekly=2, monthly=3, yearly=3))
    reasons: dict[str, list[int]] = {}
    for sequence, why in found.items():
        for one in why:
            reasons.setdefault(one, []).append(sequence)
    assert reasons["yearly"] == [365, 730, 800]
    assert len(reasons["monthly"]) == 3
    assert reasons["weekly"][-1] == 800


def test_a_day_ends_where_people_live() -> None:
    evening = datetime(2026, 3, 1, 15, tzinfo=UTC)  # 23 o'clock in China
    night = evening + timedelta(hours=2)  # the next day there
    points = [Point(1, evening, evening), Point(2, night, night)]
    assert list(kept(points, Policy(daily=2))) == [2]
    assert list(kept(points, Policy(daily=2), timezone(timedelta(hours=8)))) == [1, 2]


def test_a_policy_that_keeps_nothing_is_refused() -> None:
    with pytest.raises(Usage, match="sync-policy-empty"):
        kept(every_day(3), Policy())
    with pytest.raises(Usage, match="sync-policy-negative"):
        kept(every_day(3), Policy(last=-1))


moments = st.datetimes(datetime(1970, 1, 2), datetime(9998, 1, 1)).map(lambda at: at.replace(tzinfo=UTC))
counts = st.integers(0, 5)
policies = st.builds(Policy, counts, counts, counts, counts, counts).filter(lambda one: one != Policy())


@st.composite
def histories(draw: st.DrawFn) -> list[Point]:
    steps = draw(st.lists(st.integers(0, 90), min_size=1, max_size=30))
    at, points = START, []
    for number, hours in enumerate(steps, 1):
        at += timedelta(hours=hours)
        points.append(Point(number, at, at, draw(st.booleans())))
    return points


@given(histories(), policies, st.lists(moments, min_size=30, max_size=30))
def test_no_claimed_time_evicts_anything(points: list[Point], policy: Policy, claims: list[datetime]) -> None:
    honest = set(kept(points, policy))
    forged = [evolve(point, claimed=claim) for point, claim in zip(points, claims, strict=False)]
    assert honest <= set(kept(forged, policy))


@given(histories(), policies)
def test_what_is_damaged_stays_and_counts_for_nothing(points: list[Point], policy: Policy) -> None:
    found = kept(points, policy)
    sound = [point for point in points if point.sound]
    assert {point.sequence for point in points if not point.sound} <= set(found)
    if sound:
        alone = kept(sound, policy)
        assert alone == {number: found[number] for number in found if number in alone}
        assert set(found) - set(alone) == {point.sequence for point in points if not point.sound}


@given(histories(), policies)
def test_the_newest_good_one_is_always_kept_and_no_more_than_promised(
    points: list[Point], policy: Policy
) -> None:
    sound = [point for point in points if point.sound]
    found = [number for number, why in kept(points, policy).items() if why != ("unsound",)]
    if sound:
        assert sound[-1].sequence in found
    assert len(found) <= policy.last + policy.daily + policy.weekly + policy.monthly + policy.yearly


@given(histories(), policies, st.integers(0, 30))
def test_deciding_again_on_what_is_left_gives_nothing_more_away(
    points: list[Point], policy: Policy, extra: int
) -> None:
    first = set(kept(points, policy))
    left = [point for point in points if point.sequence in first]
    assert set(kept(left, policy)) == first
    more = evolve(policy, last=policy.last + extra)
    assert first <= set(kept(points, more))
