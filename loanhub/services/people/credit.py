"""What is known of a customer's credit: a new record each time, never a changed one."""

from __future__ import annotations

from datetime import date

from attrs import evolve, frozen

from loanhub.acts import Books, Facts, param
from loanhub.entities import CreditRecord, Document
from loanhub.errors import NotFound, Usage
from loanhub.policy import of
from loanhub.records import Test
from loanhub.services.people.person import Saved, customer_of, open_customer
from loanhub.values import read_fields, typed_texts


@frozen
class AddCredit:
    """Note what is known of a customer's credit on a day; `set` takes any other field, as `field=value`."""

    customer: int = param(argument=True)
    grade: str | None = param(default=None)
    score: str | None = param(default=None)
    risk_class: str | None = param(default=None)
    overdue_count: str | None = param(default=None)
    debt: str | None = param(default=None)
    report_date: str | None = param(default=None)
    document: int | None = param(default=None)
    set: tuple[str, ...] = param(default=(), many=True, private=True)


@frozen
class ShowCredit:
    """All credit records of a customer, the latest first."""

    customer: int = param(argument=True)


@frozen
class CreditHistory:
    """Credit records of a customer, the latest report first."""

    customer: int
    name: str = of("customer.name")
    records: tuple[CreditRecord, ...] = of()


def add(books: Books, request: AddCredit) -> Facts[Saved]:
    """A new credit record, as of today unless a report date is given.

    Raises Usage("nothing-to-change") when nothing is said, Usage("values-wrong"), NotFound.
    """
    customer = open_customer(books, request.customer)
    names = ("grade", "score", "risk_class", "overdue_count", "debt", "report_date")
    texts = typed_texts(books, CreditRecord.KIND, request.set, {n: getattr(request, n) for n in names})
    if not texts and request.document is None:
        raise Usage("nothing-to-change")
    typed = read_fields(books, CreditRecord.KIND, texts)
    number = books.allot(CreditRecord.KIND)
    record = typed.onto(CreditRecord(id=number, customer_id=customer.id, report_date=books.today))
    if request.document is not None:
        if not books.listed(Document, Test("id", "eq", request.document)):
            raise NotFound("document-unknown", id=request.document)
        record = evolve(record, report_document=request.document)
    if record.report_date is not None and record.report_date > books.today:
        raise Usage("report-in-future")
    about = f"customer:{customer.id} credit:{number}"
    return Facts(Saved(number, 1, warnings=typed.warnings), (record,), about=about)


def show(books: Books, request: ShowCredit) -> Facts[CreditHistory]:
    """The records, the latest first. Raises NotFound("customer-unknown")."""
    customer = customer_of(books, request.customer)
    found = books.listed(CreditRecord, Test("customer_id", "eq", customer.id))
    found.sort(key=lambda c: (c.report_date or date.min, c.id), reverse=True)
    records = tuple(found)
    return Facts(CreditHistory(customer.id, customer.name, records), about=f"customer:{customer.id}")
