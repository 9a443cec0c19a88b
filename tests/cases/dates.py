"""Judges of dates.json: due dates, workday shifts, days, months, days past due. The inputs say the kind."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from loanhub import calendars
from tests.cases.answers import Answer, plain, said

_KINDS = (
    ("due_day", "due"),
    ("oldest_unpaid_due", "dpd"),
    ("months", "add_months"),
    ("start", "between"),
    ("date", "shift"),
)


def kind_of(inputs: Mapping[str, Any]) -> str | None:
    """The kind of a case that does not name it."""
    return next((kind for key, kind in _KINDS if key in inputs), None)


def due(case: Mapping[str, Any]) -> dict[str, Answer]:
    inputs = case["inputs"]
    first = inputs.get("first_due") or inputs.get("first")
    dues = calendars.due_dates(
        _day(inputs["disbursed"]), inputs["due_day"], inputs["count"], first=_day(first) if first else None
    )
    shown = [day.isoformat() for day in dues]
    return {
        "dues": plain(shown),
        "due_dates": plain(shown),
        "first": plain(shown[0] if shown else None),
        "last": plain(shown[-1] if shown else None),
        "count": plain(len(shown)),
    }


def shift(case: Mapping[str, Any]) -> dict[str, Answer]:
    day = _day(case["inputs"]["date"])
    known = calendars.known(day.year)
    shifts = {rule: plain(calendars.shift(day, rule).isoformat()) for rule in calendars.SHIFTS}
    rule = case["inputs"].get("rule") or case["inputs"].get("shift")
    return {
        **shifts,
        **({"shifted": shifts[rule], "value": shifts[rule]} if rule in shifts else {}),
        "weekday": plain(f"{day:%a}"),
        "is_workday": plain(calendars.is_workday(day)),
        "is_holiday": plain(not calendars.is_workday(day)),
        "known": plain(known),
        "calendar_known": plain(known),
        "warning": said(not known),
        "warn": said(not known),
    }


def between(case: Mapping[str, Any]) -> dict[str, Answer]:
    start, end = _day(case["inputs"]["start"]), _day(case["inputs"]["end"])
    answers = {"days": plain(calendars.days(start, end))}
    if end >= start:
        months, odd = calendars.whole_months(start, end)
        answers |= {"whole_months": plain(months), "months": plain(months), "odd_days": plain(odd)}
    return answers


def add_months(case: Mapping[str, Any]) -> dict[str, Answer]:
    inputs = case["inputs"]
    start = inputs.get("start") or inputs.get("date")
    anchor = inputs.get("anchor_day") or inputs.get("due_day")
    day = plain(calendars.add_months(_day(start), inputs["months"], day=anchor).isoformat())
    return {"date": day, "end": day, "result": day, "value": day}


def dpd(case: Mapping[str, Any]) -> dict[str, Answer]:
    oldest = case["inputs"]["oldest_unpaid_due"]
    late = calendars.days_past_due(_day(oldest) if oldest else None, _day(case["inputs"]["as_of"]))
    return {"dpd": plain(late), "days": plain(late)}


def _day(text: str) -> date:
    return date.fromisoformat(text)


JUDGES = {"due": due, "shift": shift, "between": between, "add_months": add_months, "dpd": dpd}
