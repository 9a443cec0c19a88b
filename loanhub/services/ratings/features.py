"""Features: what rules may know of a customer, computed over columns from the facts as of a day.

Missing is null, never a guess; what a null means is for each rule to say. Nothing dated after the day is
looked at. Money is whole fen, a ratio a fraction (0.5 is 50 %) and the nearest float to the exact quotient.
Source of the definitions: DOMAIN.md section 5.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

import polars as pl
from attrs import frozen

from loanhub.records import PER_UNIT
from loanhub.services.ratings.history import HISTORY, overdue_history

PIPELINE: Final = ("draft", "submitted", "in_review", "need_info", "approved", "contracted")
"""Asked for, not yet paid out: its instalment is a new one."""
CLOSED: Final = ("settled", "written_off", "transferred", "rejected", "cancelled", "withdrawn", "expired")
WEAKEST_FIRST: Final = ("credit", "guarantee", "combined", "pledge", "mortgage")


@frozen
class Feature:
    """One thing a rule may ask for; its label is the message `feature.NAME`.

    `unit`: years, months, days, count, fen, fraction, yes_no, choice, grade_1_7 or day. `missing`: what
    stands there when it is not known; always null today.
    """

    name: str
    unit: str
    missing: str = "null"

    @property
    def dtype(self) -> Any:
        """The polars type of its column."""
        return _DTYPES.get(self.unit, pl.Int64)


_DTYPES: Final[Mapping[str, Any]] = {
    "fraction": pl.Float64,
    "yes_no": pl.Boolean,
    "choice": pl.String,
    "day": pl.Date,
}

CATALOGUE: Final = (
    Feature("customer_type", "choice"),
    Feature("age", "years"),
    Feature("monthly_income", "fen"),
    Feature("months_employed", "months"),
    Feature("dti", "fraction"),
    Feature("principal", "fen"),
    Feature("open_loans", "count"),
    Feature("written_off_loans", "count"),
    Feature("guarantee", "choice"),
    Feature("ltv", "fraction"),
    Feature("days_past_due", "days"),
    Feature("days_past_due_on", "day"),
    Feature("overdue_count", "count"),
    Feature("max_overdue", "count"),
    Feature("overdue_months", "months"),
    Feature("consecutive_overdue_months", "months"),
    Feature("worst_status", "grade_1_7"),
    Feature("bad_ending", "yes_no"),
    Feature("enquiries", "count"),
    Feature("blacklist", "yes_no"),
    Feature("report_age", "days"),
)


@frozen
class Sources:
    """The stored columns features come from: customers asked about, and all their loans, credit records
    and collateral.
    """

    customers: pl.DataFrame
    loans: pl.DataFrame
    credit: pl.DataFrame
    collateral: pl.DataFrame


def compute(sources: Sources, as_of: date) -> pl.DataFrame:
    """One row a customer: `customer_id` and a column for every feature of the catalogue."""
    people = _people(sources.customers, as_of)
    loans = _loans(sources.loans, sources.collateral, as_of)
    credit = _credit(sources.credit, as_of)
    together = people.join(loans, on="customer_id", how="left").join(credit, on="customer_id", how="left")
    asked = pl.col("new_instalment").fill_null(0)
    income = pl.when(pl.col("monthly_income") > 0).then(pl.col("monthly_income"))
    reported = pl.col("reported_dti") / int(PER_UNIT) + asked / income
    dti = pl.coalesce((pl.col("monthly_debt") + asked) / income, reported)
    counts = [pl.col(name).fill_null(0) for name in ("open_loans", "written_off_loans")]
    return together.with_columns(dti.alias("dti"), *counts).select(
        "customer_id", *(pl.col(f.name).cast(f.dtype) for f in CATALOGUE)
    )


def _pick(frame: pl.DataFrame, kinds: Mapping[str, Any]) -> pl.DataFrame:
    """The named columns in their types, whether a store or a sheet of records made them."""
    return frame.select(pl.col(name).cast(kind) for name, kind in kinds.items())


def _people(customers: pl.DataFrame, as_of: date) -> pl.DataFrame:
    frame = _pick(
        customers,
        {
            "id": pl.Int64,
            "customer_type": pl.String,
            "birth_date": pl.Date,
            "employed_since": pl.Date,
            "monthly_income": pl.Int64,
            "annual_income": pl.Int64,
        },
    )
    monthly = pl.coalesce("monthly_income", (pl.col("annual_income") + 6) // 12)  # half up
    return frame.select(
        pl.col("id").alias("customer_id"),
        "customer_type",
        (_months(pl.col("birth_date"), as_of) // 12).alias("age"),
        monthly.alias("monthly_income"),
        _months(pl.col("employed_since"), as_of).alias("months_employed"),
    )


def _months(start: pl.Expr, as_of: date) -> pl.Expr:
    """Whole months from a day to `as_of`; null when it lies after."""
    year, month, day = (part.cast(pl.Int64) for part in (start.dt.year(), start.dt.month(), start.dt.day()))
    months = (as_of.year - year) * 12 + as_of.month - month - (day > as_of.day).cast(pl.Int64)
    return pl.when(start <= as_of).then(months)


_LOAN: Final[Mapping[str, Any]] = {
    "id": pl.Int64,
    "customer_id": pl.Int64,
    "status": pl.String,
    "amount": pl.Int64,
    "applied_amount": pl.Int64,
    "disbursed_amount": pl.Int64,
    "balance": pl.Int64,
    "instalment": pl.Int64,
    "guarantee": pl.String,
    "overdue_days": pl.Int64,
    "apply_date": pl.Date,
    "sign_date": pl.Date,
    "disburse_date": pl.Date,
    "stated_on": pl.Date,
}


def _loans(loans: pl.DataFrame, collateral: pl.DataFrame, as_of: date) -> pl.DataFrame:
    values = _pick(collateral, {"loan_id": pl.Int64, "value": pl.Int64, "valued_on": pl.Date})
    values = values.filter(pl.col("valued_on").is_null() | (pl.col("valued_on") <= as_of))
    values = values.group_by("loan_id").agg(pl.col("value").sum())
    begun = pl.min_horizontal("apply_date", "sign_date", "disburse_date")
    status = pl.col("status").fill_null("")
    waiting = status.is_in(PIPELINE)
    known = _pick(loans, _LOAN).filter(begun.is_null() | (begun <= as_of))
    known = known.join(values, left_on="id", right_on="loan_id", how="left").with_columns(
        pl.coalesce("balance", "disbursed_amount", "amount", "applied_amount").alias("owed"),
        pl.when(pl.col("stated_on").is_null() | (pl.col("stated_on") <= as_of)).then("overdue_days"),
        waiting.alias("waiting"),
        (status == "written_off").alias("lost"),
        (~status.is_in(CLOSED) & (waiting | (pl.col("balance").fill_null(1) > 0))).alias("open"),
    )
    lost = known.group_by("customer_id").agg(pl.col("lost").sum().alias("written_off_loans"))
    return lost.join(_open_loans(known.filter("open")), on="customer_id", how="left")


def _open_loans(loans: pl.DataFrame) -> pl.DataFrame:
    late = pl.col("overdue_days")
    weakness = pl.col("guarantee").replace_strict(WEAKEST_FIRST, range(len(WEAKEST_FIRST)), default=None)
    secured = pl.col("owed") / pl.when(pl.col("value") > 0).then("value")
    return loans.group_by("customer_id").agg(
        pl.len().alias("open_loans"),
        pl.when(pl.col("owed").count() > 0).then(pl.col("owed").sum()).alias("principal"),
        pl.col("instalment").filter("waiting").sum().alias("new_instalment"),
        late.max().alias("days_past_due"),
        pl.col("stated_on").filter(late == late.max()).max().alias("days_past_due_on"),
        pl.col("guarantee").sort_by(weakness, nulls_last=True).first().alias("guarantee"),
        secured.max().alias("ltv"),
    )


_CREDIT: Final[Mapping[str, Any]] = {
    "id": pl.Int64,
    "customer_id": pl.Int64,
    "overdue_record": pl.String,
    "overdue_count": pl.Int64,
    "max_overdue": pl.Int64,
    "monthly_debt": pl.Int64,
    "dti": pl.Int64,
    "report_date": pl.Date,
    "enquiries": pl.Int64,
    "blacklist": pl.Boolean,
}


def _credit(credit: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """The latest known value of each column; records without a day count as the oldest."""
    facts = [name for name in _CREDIT if name not in ("id", "customer_id")]
    known = _pick(credit, _CREDIT).filter(pl.col("report_date").is_null() | (pl.col("report_date") <= as_of))
    latest = (
        known.sort("customer_id", "report_date", "id", nulls_last=False)
        .group_by("customer_id", maintain_order=True)
        .agg(pl.col(name).drop_nulls().last() for name in facts)
    )
    return overdue_history(latest).select(
        "customer_id",
        "monthly_debt",
        pl.col("dti").alias("reported_dti"),
        "overdue_count",
        "max_overdue",
        *HISTORY,
        "enquiries",
        "blacklist",
        (pl.lit(as_of) - pl.col("report_date")).dt.total_days().alias("report_age"),
    )
