"""A whole invented institution: customers, their loans, receipts, credit records and follow-ups, by seed."""

from __future__ import annotations

from datetime import date
from typing import Final, Literal

import attrs
import numpy as np
import polars as pl
from attrs import frozen

from loanhub.testing.loans import make_loans
from loanhub.testing.people import make_people
from loanhub.testing.talks import make_credit, make_follow_ups

TODAY: Final = date(2026, 6, 30)
"""The day the invented books are of, unless another is given: ages and overdue days hold on it."""

Content = Literal["mixed", "customers", "loans", "receipts", "credit", "follow_ups", "collateral"]
CONTENTS: Final[tuple[Content, ...]] = (
    "mixed",
    "customers",
    "loans",
    "receipts",
    "credit",
    "follow_ups",
    "collateral",
)
_IDENTITY: Final = ("name", "id_number", "uscc", "mobile")
_BESIDE: Final = ("spouse", "contact", "guarantor", "controller")


@frozen
class Book:
    """Frames in stored form: money in fen, rates and ratios in units of 1e-8, days as pl.Date.

    `people` is numbered by row; `customer` in `loans`, `credit` and `follow_ups` is a row of it, `loan` in
    `receipts` a row of `loans`. Columns bear the names of the entities' fields.
    """

    seed: int
    today: date
    people: pl.DataFrame = attrs.field(repr=False)
    loans: pl.DataFrame = attrs.field(repr=False)
    receipts: pl.DataFrame = attrs.field(repr=False)
    credit: pl.DataFrame = attrs.field(repr=False)
    follow_ups: pl.DataFrame = attrs.field(repr=False)

    @classmethod
    def make(
        cls,
        seed: int,
        customers: int = 300,
        loans: int | None = None,
        *,
        follow_ups: int | None = None,
        receipts: bool = True,
        today: date = TODAY,
    ) -> Book:
        """The same seed and numbers give the same book.

        `loans` (default: one each, and a second for every seventh) go to the customers in turn;
        `follow_ups` default to one a customer. Half a second for 20,000 customers; leave receipts out for
        more than a few hundred thousand loans.
        """
        wanted = customers + customers // 7 if loans is None else loans
        talks = customers if follow_ups is None else follow_ups
        return cls._part(seed, customers, wanted, talks, receipts=receipts, today=today)

    @classmethod
    def _part(
        cls,
        seed: int,
        customers: int,
        loans: int,
        talks: int,
        *,
        receipts: bool,
        today: date,
        person: int = 0,
        loan: int = 0,
    ) -> Book:
        """A part of a book whose customers and loans are numbered from `person` and `loan`."""
        people = make_people(seed, customers, today, person)
        rng = np.random.default_rng([seed, person, 5])
        extra = rng.integers(0, max(customers, 1), max(0, loans - customers))
        owners = np.sort(np.concatenate([np.arange(min(loans, customers)), extra]))
        kinds = people["customer_type"].gather(owners)
        owning = pl.DataFrame({"customer": owners + person, "customer_type": kinds})
        lent, paid = make_loans(seed, owning, today, loan, receipts)
        paid = paid.with_columns(pl.col("loan") + loan)
        credit = make_credit(seed, people, lent, today, person)
        follow_ups = make_follow_ups(seed, people, talks, today, person)
        return cls(seed, today, people, lent, paid, credit, follow_ups)

    def with_more(self, customers: int) -> Book:
        """The same book with some new customers at the end, each with a loan and nobody's number twice."""
        person, loan = self.people.height, self.loans.height
        wanted = bool(self.receipts.height)
        more = Book._part(
            self.seed,
            customers,
            customers,
            customers if self.follow_ups.height else 0,
            receipts=wanted,
            today=self.today,
            person=person,
            loan=loan,
        )
        return Book(
            self.seed,
            self.today,
            pl.concat([self.people, more.people]),
            pl.concat([self.loans, more.loans]),
            pl.concat([self.receipts, more.receipts]),
            pl.concat([self.credit, more.credit]),
            pl.concat([self.follow_ups, more.follow_ups]),
        )

    def table(self, content: Content = "mixed") -> pl.DataFrame:
        """The rows a sheet of this content has, in stored form, a column a field path (`loan.amount`).

        Every table names the customer or the loan it is about. `mixed` has a row a loan, with its customer
        and the customer's credit record; pseudo fields are there (`customer.age`, `relation.spouse_name`).
        """
        people = self._people_table()
        if content == "customers":
            return people.drop("customer")
        loans = _pathed(self.loans, "loan", keep=("customer",))
        credit = _pathed(self.credit, "credit", keep=("customer",))
        if content == "mixed":
            joined = loans.join(people, on="customer", how="left", maintain_order="left")
            return joined.join(credit, on="customer", how="left", maintain_order="left").drop("customer")
        who = people.select("customer", *(f"customer.{name}" for name in _IDENTITY))
        if content == "receipts":
            paid = _pathed(self.receipts, "receipt", keep=("loan",))
            numbered = loans.with_row_index("loan").select(
                pl.col("loan").cast(pl.Int64), "loan.loan_no", "customer"
            )
            return (
                paid.join(numbered, on="loan", maintain_order="left")
                .join(who.select("customer", "customer.name"), on="customer", maintain_order="left")
                .drop("loan", "customer")
            )
        frame = {
            "loans": loans,
            "credit": credit,
            "follow_ups": _pathed(self.follow_ups, "follow_up", keep=("customer",)),
        }
        if content == "collateral":
            return self._collateral_table(loans)
        return frame[content].join(who, on="customer", how="left", maintain_order="left").drop("customer")

    def _people_table(self) -> pl.DataFrame:
        """Customers with their row number, age and the people beside them."""
        beside = {n: f"relation.{n}" for n in self.people.columns if n.split("_")[0] in _BESIDE}
        names = {n: f"customer.{n}" for n in self.people.columns if n not in beside}
        birthday_passed = pl.col("birth_date").dt.strftime("%m%d") <= self.today.strftime("%m%d")
        age = self.today.year - pl.col("birth_date").dt.year() - (~birthday_passed).cast(pl.Int32)
        return (
            self.people.with_columns(age.cast(pl.Int64).alias("customer.age"))
            .rename(names | beside)
            .with_columns(pl.int_range(pl.len(), dtype=pl.Int64).alias("customer"))
        )

    def _collateral_table(self, loans: pl.DataFrame) -> pl.DataFrame:
        """A security for every mortgaged loan, valued at about twice the amount."""
        pledged = loans.filter(pl.col("loan.guarantee") == "mortgage")
        return pledged.select(
            "loan.loan_no",
            pl.lit("住宅房产一套").alias("collateral.name"),
            (pl.col("loan.amount") * 2).alias("collateral.value"),
            pl.col("loan.sign_date").alias("collateral.valued_on"),
            pl.col("loan.maturity_date").alias("collateral.insured_until"),
        )


def _pathed(frame: pl.DataFrame, kind: str, keep: tuple[str, ...]) -> pl.DataFrame:
    return frame.rename({name: f"{kind}.{name}" for name in frame.columns if name not in keep})
