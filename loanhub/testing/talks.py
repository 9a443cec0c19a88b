"""Invented credit records and follow-ups: what was known of a customer, and what was said to one."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any, Final

import numpy as np
import polars as pl

from loanhub.testing import names
from loanhub.testing.numbers import picked
from loanhub.testing.people import only, sometimes

GRADES: Final = ("AAA", "AA", "A", "BBB", "BB", "B", "C", "D")
_GRADE_SCORES: Final = (90, 80, 70, 60, 50, 40, 30, 0)
_CLASSES: Final = ("normal", "special_mention", "substandard", "doubtful", "loss")
_CHANNELS: Final = ("call", "visit", "wechat", "sms")
FOLLOW_UP_COLUMNS: Final[dict[str, Any]] = {
    "customer": pl.Int64,
    "time": pl.Datetime("us"),
    "content": pl.String,
    "staff": pl.String,
    "channel": pl.String,
    "result": pl.String,
    "next_plan": pl.String,
    "next_time": pl.Datetime("us"),
    "promise_date": pl.Date,
    "promise_amount": pl.Int64,
}


def make_credit(
    seed: int, people: pl.DataFrame, loans: pl.DataFrame, today: date, first: int
) -> pl.DataFrame:
    """One credit record for each person who is not a company; ratios in units of 1e-8, money in fen."""
    rng = np.random.default_rng([seed, first, 3])
    worst = dict(loans.group_by("customer").agg(pl.col("overdue_days").max()).iter_rows())
    owners = [first + i for i, kind in enumerate(people["customer_type"].to_list()) if kind != "company"]
    incomes = people["monthly_income"].gather([o - first for o in owners])
    count = len(owners)
    late = np.array([worst.get(o, 0) for o in owners], dtype=np.int64)
    score = np.clip(rng.integers(48, 101, count) - late // 3, 0, 100)
    grades = [
        next(g for g, least in zip(GRADES, _GRADE_SCORES, strict=True) if s >= least) for s in score.tolist()
    ]
    times = np.where(late > 0, rng.integers(1, 5, count), rng.integers(0, 2, count))
    # Whole percents of income, so that a sheet shows the ratio as it is.
    dti = rng.integers(5, 68, count)
    classes = [_CLASSES[int(np.searchsorted((0, 90, 270, 360), d))] for d in late.tolist()]
    return pl.DataFrame(
        {
            "customer": owners,
            "grade": grades,
            "score": score,
            "risk_class": classes,
            "overdue_record": ["近24个月无逾期" if t == 0 else f"近24个月逾期{t}次" for t in times.tolist()],
            "overdue_count": times,
            "max_overdue": np.where(times > 0, np.maximum(late, 3), 0),
            "debt": rng.integers(0, 60, count) * 1_000_000,
            "monthly_debt": incomes.to_numpy() * dti // 100,
            "dti": dti * 1_000_000,
            "report_date": [today - timedelta(days=d) for d in rng.integers(1, 28, count).tolist()],
            "report": sometimes(rng, ["征信良好，无不良记录"] * count, 0.5),
            "enquiries": rng.integers(0, 6, count),
            "blacklist": (rng.random(count) < 0.01).tolist(),
        }
    )


def make_follow_ups(seed: int, people: pl.DataFrame, count: int, today: date, first: int) -> pl.DataFrame:
    """`count` follow-ups of the last 180 days by the customers' managers, local times to the minute."""
    if people.is_empty() or not count:
        return pl.DataFrame(schema=FOLLOW_UP_COLUMNS)
    rng = np.random.default_rng([seed, first, 4])
    owners = np.sort(rng.integers(0, people.height, count)).tolist()
    talks = [names.TALKS[t] for t in rng.integers(0, len(names.TALKS), count).tolist()]
    days = [today - timedelta(days=d) for d in rng.integers(1, 180, count).tolist()]
    moments = rng.integers(0, 9 * 12, count).tolist()
    times = [datetime.combine(d, time(9 + m // 12, 5 * (m % 12))) for d, m in zip(days, moments, strict=True)]
    promised = [result == "承诺还款" for _, result, _ in talks]
    ahead = rng.integers(2, 30, count).tolist()
    return pl.DataFrame(
        {
            "customer": [first + o for o in owners],
            "time": times,
            "content": [said for said, _, _ in talks],
            "staff": people["manager"].gather(owners),
            "channel": picked(rng, _CHANNELS, count, (50, 25, 15, 10)),
            "result": [result for _, result, _ in talks],
            "next_plan": [plan for _, _, plan in talks],
            "next_time": [
                t.replace(hour=9, minute=0) + timedelta(days=a) for t, a in zip(times, ahead, strict=True)
            ],
            "promise_date": only(
                promised, (True,), [d + timedelta(days=a) for d, a in zip(days, ahead, strict=True)]
            ),
            "promise_amount": only(promised, (True,), (rng.integers(5, 50, count) * 10_000).tolist()),
        },
        schema=FOLLOW_UP_COLUMNS,
    )
