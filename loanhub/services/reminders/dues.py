"""Where open loans stand on a day, from what the sheet said: next due date, oldest unpaid one, maturity.

Until cut-over these are facts of the sheet as of `stated_on`. An overdue day count moves its due date into
the past by that many days from the day it was stated; a due date that merely lies behind is `unconfirmed`:
the sheet is older than the due date, and the customer may well have paid.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

import polars as pl

NOT_OWED: Final = (
    *("draft", "submitted", "in_review", "need_info", "approved", "contracted"),
    *("settled", "written_off", "transferred", "rejected", "cancelled", "withdrawn", "expired"),
)
"""Not yet paid out, or over: nobody is reminded."""

LOAN: Final[Mapping[str, Any]] = {
    "id": pl.Int64,
    "customer_id": pl.Int64,
    "loan_no": pl.String,
    "status": pl.String,
    "method": pl.String,
    "amount": pl.Int64,
    "balance": pl.Int64,
    "instalment": pl.Int64,
    "next_due_date": pl.Date,
    "maturity_date": pl.Date,
    "overdue_days": pl.Int64,
    "overdue_principal": pl.Int64,
    "overdue_interest": pl.Int64,
    "stated_on": pl.Date,
}


def open_loans(loans: pl.DataFrame) -> pl.DataFrame:
    """The columns of LOAN for loans that are paid out and not over."""
    frame = loans.select(pl.col(name).cast(kind) for name, kind in LOAN.items())
    over = pl.col("status").fill_null("").is_in(NOT_OWED) | (pl.col("balance").fill_null(1) <= 0)
    return frame.filter(~over)


def dues(loans: pl.DataFrame, as_of: date, *, large_fen: int, large_methods: list[str]) -> pl.DataFrame:
    """Open loans with `due`, `overdue` (oldest unpaid due date, past), `maturity`, `unconfirmed`, `large`.

    `due_amount` and `overdue_amount` in fen, null when the sheet does not tell.
    """
    at_once = pl.col("method").is_in(large_methods).fill_null(value=False)
    next_due = pl.coalesce("next_due_date", pl.when(at_once).then("maturity_date"))
    counted = pl.col("overdue_days").fill_null(0) > 0
    since = pl.coalesce("stated_on", pl.lit(as_of)) - pl.duration(days=pl.col("overdue_days"))
    cleared = (pl.col("overdue_days") == 0) & (pl.col("stated_on") > next_due)
    behind = (next_due < as_of) & ~cleared.fill_null(value=False)
    unpaid = pl.when(counted).then(since).when(behind).then(next_due)
    parts = pl.col("overdue_principal").fill_null(0) + pl.col("overdue_interest").fill_null(0)
    return open_loans(loans).with_columns(
        pl.when(next_due >= as_of).then(next_due).alias("due"),
        pl.when(unpaid < as_of).then(unpaid).alias("overdue"),
        pl.col("maturity_date").alias("maturity"),
        (~counted & behind).fill_null(value=False).alias("unconfirmed"),
        (at_once | (pl.col("amount") >= large_fen).fill_null(value=False)).alias("large"),
        pl.col("instalment").alias("due_amount"),
        pl.when(parts > 0).then(parts).alias("overdue_amount"),
    )
