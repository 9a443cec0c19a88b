"""One loan in full: until it is live, what a sheet said of it and on which day."""

from __future__ import annotations

from datetime import date, datetime
from typing import Final, cast

from attrs import frozen

from loanhub.acts import Books, Facts, param
from loanhub.entities import (
    Collateral,
    Customer,
    Document,
    FollowUp,
    Instalment,
    Loan,
    Receipt,
    Relation,
)
from loanhub.errors import NotFound, Usage
from loanhub.policy import of
from loanhub.records import Order, Probe, Query, Test
from loanhub.searching import LONGEST, normal
from loanhub.values import moment_of

NUMBERS: Final = ("loan_no", "contract_no", "application_no")
"""By which a loan is called, the surest first."""


@frozen
class ShowLoan:
    """Show a loan, by its number or as `#ID`; `as_of` a past day (its end) or moment."""

    loan: str = param(argument=True)
    as_of: str | None = param(default=None)


@frozen
class LoanFile:
    """A loan and what belongs to it.

    `stated_on`: balance, dues and overdue days are what a sheet said on that day; None once it is live.
    """

    loan: Loan
    customer: int
    customer_name: str = of("customer.name")
    stated_on: date | None = of("loan.stated_on", default=None)
    instalments: tuple[Instalment, ...] = ()
    receipts: tuple[Receipt, ...] = ()
    collateral: tuple[Collateral, ...] = ()
    relations: tuple[Relation, ...] = ()
    documents: tuple[Document, ...] = ()
    follow_ups: int = 0
    landing: bool = False
    as_of: datetime | None = None


def show(books: Books, request: ShowLoan) -> Facts[LoanFile]:
    """The whole file of a loan. Raises NotFound("loan-unknown"), Usage("loan-ambiguous")."""
    as_of = moment_of(books, request.as_of)
    key = loan_id(books, request.loan)
    loan = next(iter(books.listed(Loan, Test("id", "eq", key), as_of=as_of)), None)
    if loan is None:
        raise NotFound("loan-unknown", loan=f"#{key}")
    borrower = _borrower(books, loan, as_of)
    mine = Test("loan_id", "eq", loan.id)
    answer = LoanFile(
        loan,
        borrower.id,
        borrower.name,
        None if loan.live else loan.stated_on,
        tuple(_in_order(books.listed(Instalment, mine, as_of=as_of))),
        tuple(books.listed(Receipt, mine, order=Order("paid_date"), as_of=as_of)),
        tuple(books.listed(Collateral, mine, as_of=as_of)),
        tuple(books.listed(Relation, mine, as_of=as_of)),
        tuple(books.listed(Document, mine, as_of=as_of)),
        len(books.listed(FollowUp, mine, as_of=as_of)),
        bool(books.landing(Loan.KIND, [loan.id])),
        as_of,
    )
    return Facts(answer, about=f"loan:{loan.id}")


def loan_id(books: Books, called: str) -> int:
    """The id of the loan a text calls: a loan, contract or application number, else an id.

    Raises NotFound("loan-unknown"), Usage("loan-ambiguous") for a contract of several loans.
    """
    plain = normal(called)
    if plain.startswith("#") and plain[1:].isdecimal():
        return int(plain[1:])
    probe = Probe(f"l:{plain[: LONGEST * 2]}")
    found = cast("list[Loan]", list(books.find(Query(Loan.KIND, search=probe))))
    for number in NUMBERS:
        ids = sorted(one.id for one in found if plain and normal(getattr(one, number) or "") == plain)
        if len(ids) > 1:
            raise Usage("loan-ambiguous", ids=", ".join(f"#{one}" for one in ids[:10]), count=len(ids))
        if ids:
            return ids[0]
    if plain.isdecimal() and len(plain) <= 18:
        return int(plain)
    raise NotFound("loan-unknown", loan=called[:60])


def _borrower(books: Books, loan: Loan, as_of: datetime | None) -> Customer:
    """The borrower; a loan whose borrower is out of the principal's sight is out of sight as well."""
    found = books.listed(Customer, Test("id", "eq", loan.customer_id), as_of=as_of)
    if not found:
        raise NotFound("loan-unknown", loan=f"#{loan.id}")
    return found[0]


def _in_order(instalments: list[Instalment]) -> list[Instalment]:
    return sorted(instalments, key=lambda i: (i.due_date or date.max, i.number or 0, i.id))
