"""Lists of loans, a page at a time: by customer, status, product, what is overdue, what falls due."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Final

import polars as pl
from attrs import frozen

from loanhub.acts import Books, Facts, param
from loanhub.entities import Customer, Loan
from loanhub.errors import Usage
from loanhub.policy import of
from loanhub.readings.dates import read_date
from loanhub.records import Cursor, Order, Query, Test
from loanhub.values import choices_of

STRIDE: Final = 500
"""Loans looked at in one step while a page fills."""
OVER: Final = ("settled", "written_off", "transferred", "cancelled", "rejected", "withdrawn", "expired")
"""Statuses of loans on which nothing is due any more."""


@frozen
class ListLoans:
    """List loans by id, or by due date when `due_before` is given; `after` is the `next` of the last page."""

    customer: int | None = param(default=None)
    status: str | None = param(default=None)
    overdue: bool = param(default=False, flag=True)
    product: str | None = param(default=None)
    due_before: str | None = param(default=None)
    limit: int = param(default=50)
    after: str | None = param(default=None)


@frozen
class LoanRow:
    """One loan of a list; amounts in fen. What a sheet said is true as of `stated_on`."""

    id: int
    loan_no: str | None = of("loan.loan_no")
    customer: int = of()
    customer_name: str = of("customer.name")
    product: str | None = of("loan.product")
    amount: int | None = of("loan.amount")
    balance: int | None = of("loan.balance")
    status: str | None = of("loan.status")
    next_due_date: date | None = of("loan.next_due_date")
    overdue_days: int | None = of("loan.overdue_days")
    stated_on: date | None = of("loan.stated_on")


@frozen
class LoanList:
    """A page of loans; `next` asks for the page behind it, None at the end."""

    loans: tuple[LoanRow, ...]
    next: str | None = None


def list_loans(books: Books, request: ListLoans) -> Facts[LoanList]:
    """One page. Raises Usage("choice-wrong", "cursor-unreadable", "moment-unreadable")."""
    most = max(request.limit, 1)
    if request.overdue:
        books.view.refuse_asking(books.dictionary["loan.overdue_days"], "gt")
    due = None if request.due_before is None else _day(request.due_before)
    order = Order("id" if due is None else "next_due_date")
    where = _where(books, request, due)
    found: list[LoanRow] = []
    for frame in _pages(books, where, order, _cursor(request.after, order)):
        names = _names(books, frame["customer_id"])
        rows = (_overdue(frame) if request.overdue else frame).iter_rows(named=True)
        found += [_row(row, names) for row in rows if row["customer_id"] in names]
        if len(found) > most:
            break
    page = tuple(found[:most])
    more = len(found) > most
    return Facts(LoanList(page, _token(page[-1], order) if more else None))


def _where(books: Books, request: ListLoans, due: date | None) -> tuple[Test, ...]:
    found = []
    if request.customer is not None:
        found.append(Test("customer_id", "eq", request.customer))
    if request.status is not None:
        status = choices_of(books)["loan_status"].read(request.status).value
        if status is None:
            raise Usage("choice-wrong", given=request.status[:40], field="loan.status")
        found.append(Test("status", "eq", status))
    if request.product is not None:
        found.append(Test("product", "eq", request.product))
    if due is not None:
        found.append(Test("next_due_date", "lt", due.isoformat()))
    return tuple(found)


def _pages(
    books: Books, where: tuple[Test, ...], order: Order, after: Cursor | None
) -> Iterator[pl.DataFrame]:
    while True:
        frame = books.columns(Query(Loan.KIND, where, order=order, after=after, limit=STRIDE))
        yield frame
        if frame.height < STRIDE:
            return
        last = frame.row(-1, named=True)
        after = Cursor(_plain(last[order.field]), last["id"])


def _overdue(frame: pl.DataFrame) -> pl.DataFrame:
    late = (pl.col("overdue_days") > 0).fill_null(value=False)
    over = pl.col("status").is_in(list(OVER)).fill_null(value=False)
    return frame.filter(late & ~over)


def _names(books: Books, ids: pl.Series) -> dict[int, str]:
    """Names by customer id, of those within the principal's sight."""
    wanted = ids.unique().to_list()
    if not wanted:
        return {}
    frame = books.columns(Query(Customer.KIND, (Test("id", "in", wanted),)))
    return dict(frame.select("id", "name").iter_rows())


def _row(row: dict[str, object], names: dict[int, str]) -> LoanRow:
    shown = ("product", "amount", "balance", "status", "next_due_date", "overdue_days", "stated_on")
    values = {name: row[name] for name in ("id", "loan_no", *shown)}
    customer = row["customer_id"]
    assert isinstance(customer, int)
    return LoanRow(customer=customer, customer_name=names[customer], **values)  # type: ignore[arg-type]


# -- pages -----------------------------------------------------------------------------------------


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, date) else value


def _token(last: LoanRow, order: Order) -> str:
    """Where a page ended, as text: `ID`, or `DATE_ID` when ordered by due date."""
    return str(last.id) if order.field == "id" else f"{last.next_due_date}_{last.id}"


def _cursor(token: str | None, order: Order) -> Cursor | None:
    if token is None:
        return None
    value, _, key = token.rpartition("_")
    try:
        if order.field == "id":
            return Cursor(int(token), int(token))
        return Cursor(date.fromisoformat(value).isoformat(), int(key))
    except ValueError:
        raise Usage("cursor-unreadable") from None


def _day(text: str) -> date:
    day = read_date(text).value
    if day is None:
        raise Usage("moment-unreadable")
    return day
