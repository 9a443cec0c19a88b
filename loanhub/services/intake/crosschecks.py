"""Checks between the values of one row. Each takes the values of a table and says, row by row, who fails;
None when its columns are not there. Names are message codes; a mapping file may lower one to a warning.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from typing import Final

import polars as pl
from attrs import frozen

from loanhub.records import PER_UNIT
from loanhub.settings import Intake


@frozen
class Limits:
    """Bounds beyond which a row is reported: ages in years, the rate cap in units of 1e-8 a year."""

    age_from: int = 18
    age_to: int = 65
    rate_cap: int = int(PER_UNIT * 36 // 100)

    @classmethod
    def of(cls, settings: Intake) -> Limits:
        """The bounds that the home has set."""
        return cls(settings.age_from, settings.age_to, int(Decimal(settings.rate_cap) * PER_UNIT))


CrossCheck = Callable[[pl.DataFrame, date, Limits], pl.Series | None]


def _when(values: pl.DataFrame, needs: tuple[str, ...], fails: pl.Expr) -> pl.Series | None:
    if not set(needs) <= set(values.columns):
        return None
    return values.select(fails.alias("fails")).to_series()


def _id(values: pl.DataFrame) -> pl.Expr:
    known = pl.col("customer.id_number").str.len_chars() == 18
    if "customer.id_type" in values.columns:
        known = known & (pl.col("customer.id_type").fill_null("resident_id") == "resident_id")
    return pl.when(known).then(pl.col("customer.id_number"))


def _born(values: pl.DataFrame) -> pl.Expr:
    digits = _id(values).str.slice(6, 8)
    return digits.str.to_date("%Y%m%d", strict=False)


def birth_against_id(values: pl.DataFrame, _: date, __: Limits) -> pl.Series | None:
    """The birth date must be the ID's."""
    needs = ("customer.id_number", "customer.birth_date")
    if not set(needs) <= set(values.columns):
        return None
    return _when(values, needs, _born(values).dt.to_string("%Y-%m-%d") != pl.col(needs[1]))


def gender_against_id(values: pl.DataFrame, _: date, __: Limits) -> pl.Series | None:
    """The 17th digit of the ID is odd for men."""
    needs = ("customer.id_number", "customer.gender")
    if not set(needs) <= set(values.columns):
        return None
    odd = _id(values).str.slice(16, 1).cast(pl.Int8, strict=False) % 2 == 1
    return _when(values, needs, odd != (pl.col("customer.gender") == "M"))


def _age(values: pl.DataFrame, today: date) -> pl.Expr:
    """Whole years at application: on the day applied, else disbursed, else today."""
    known = [c for c in ("loan.apply_date", "loan.disburse_date") if c in values.columns]
    days = [pl.col(c).str.to_date("%Y-%m-%d") for c in known]
    at = pl.coalesce([*days, pl.lit(today)])
    born = _born(values)
    had = (at.dt.month() * 100 + at.dt.day()) >= (born.dt.month() * 100 + born.dt.day())
    return at.dt.year() - born.dt.year() - (~had).cast(pl.Int32)


def age_in_range(values: pl.DataFrame, today: date, limits: Limits) -> pl.Series | None:
    """The age at application lies within the configured range."""
    needs = ("customer.id_number",)
    if not set(needs) <= set(values.columns):
        return None
    age = _age(values, today)
    return _when(values, needs, (age < limits.age_from) | (age > limits.age_to))


def age_against_id(values: pl.DataFrame, today: date, _: Limits) -> pl.Series | None:
    """An age in the sheet agrees with the ID's to a year."""
    needs = ("customer.id_number", "customer.age")
    if not set(needs) <= set(values.columns):
        return None
    now = pl.lit(today)
    born = _born(values)
    had = (now.dt.month() * 100 + now.dt.day()) >= (born.dt.month() * 100 + born.dt.day())
    age = now.dt.year() - born.dt.year() - (~had).cast(pl.Int32)
    return _when(values, needs, (age - pl.col("customer.age")).abs() > 1)


def dates_in_order(values: pl.DataFrame, _: date, __: Limits) -> pl.Series | None:
    """Applied, signed, disbursed in order, and due strictly after; a next contact not before the contact."""
    chain = [c for c in ("loan.apply_date", "loan.sign_date", "loan.disburse_date") if c in values.columns]
    fails = [pl.col(a) > pl.col(b) for i, a in enumerate(chain) for b in chain[i + 1 :]]
    if "loan.maturity_date" in values.columns:
        fails += [pl.col(c) >= pl.col("loan.maturity_date") for c in chain]
    if {"follow_up.time", "follow_up.next_time"} <= set(values.columns):
        fails.append(pl.col("follow_up.next_time") < pl.col("follow_up.time"))
    if not fails:
        return None
    return values.select(pl.any_horizontal([f.fill_null(value=False) for f in fails])).to_series()


def disbursed_within_approved(values: pl.DataFrame, _: date, __: Limits) -> pl.Series | None:
    """No more is paid out than was approved."""
    needs = ("loan.disbursed_amount", "loan.amount")
    return _when(values, needs, pl.col(needs[0]) > pl.col(needs[1]))


def balance_within_amount(values: pl.DataFrame, _: date, __: Limits) -> pl.Series | None:
    """No more is owed than was paid out."""
    if "loan.disbursed_amount" in values.columns and "loan.amount" in values.columns:
        most = pl.coalesce("loan.disbursed_amount", "loan.amount")
        return _when(values, ("loan.balance",), pl.col("loan.balance") > most)
    needs = ("loan.balance", "loan.amount")
    return _when(values, needs, pl.col("loan.balance") > pl.col("loan.amount"))


def balance_against_paid(values: pl.DataFrame, _: date, __: Limits) -> pl.Series | None:
    """In a ledger, the balance is the amount less the principal paid so far."""
    needs = ("loan.balance", "loan.amount", "receipt.paid_principal")
    if not set(needs) <= set(values.columns) or "receipt.paid_date" in values.columns:
        return None
    paid_out = pl.col("loan.amount")
    if "loan.disbursed_amount" in values.columns:
        paid_out = pl.coalesce("loan.disbursed_amount", "loan.amount")
    return _when(values, needs, pl.col("loan.balance") != paid_out - pl.col("receipt.paid_principal"))


def rate_within_cap(values: pl.DataFrame, _: date, limits: Limits) -> pl.Series | None:
    """The yearly rate lies within the configured cap; over it: please check."""
    return _when(values, ("loan.rate",), pl.col("loan.rate") > limits.rate_cap)


CROSS_CHECKS: Final[Mapping[str, CrossCheck]] = {
    "birth-id-mismatch": birth_against_id,
    "gender-id-mismatch": gender_against_id,
    "dates-order": dates_in_order,
    "disbursed-above-approved": disbursed_within_approved,
    "balance-above-amount": balance_within_amount,
    "balance-paid-mismatch": balance_against_paid,
    "age-id-mismatch": age_against_id,
    "age-range": age_in_range,
    "rate-cap": rate_within_cap,
}

LOWERABLE: Final[Mapping[str, tuple[str, str]]] = {
    "birth-id-mismatch": ("error", "customer.birth_date"),
    "gender-id-mismatch": ("error", "customer.gender"),
    "dates-order": ("error", "loan.disburse_date loan.maturity_date loan.sign_date follow_up.next_time"),
    "disbursed-above-approved": ("error", "loan.disbursed_amount"),
    "balance-above-amount": ("error", "loan.balance"),
    "balance-paid-mismatch": ("error", "loan.balance"),
    "age-id-mismatch": ("warning", "customer.age"),
    "age-range": ("warning", "customer.id_number"),
    "rate-cap": ("warning", "loan.rate loan.monthly_rate loan.daily_rate"),
}
"""Severity and the field at fault (the first that the sheet has) of each check."""
