"""One customer in full, of now or of a past moment; and a masked field in plain, for a reason."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from typing import Any, Final, cast

from attrs import field, frozen

from loanhub.acts import Books, Facts, param
from loanhub.entities import (
    Collateral,
    CreditRecord,
    Customer,
    Document,
    FollowUp,
    Loan,
    Pending,
    Rating,
    Relation,
)
from loanhub.errors import NotAllowed, Usage
from loanhub.fields import SENSITIVE, Field, fields_of
from loanhub.policy import Level, of
from loanhub.records import Order, Probe, Query, Test, lived
from loanhub.searching import LONGEST, normal
from loanhub.services.people.followups import quiet
from loanhub.services.people.person import customer_of
from loanhub.values import Change, changes_in, moment_of

LAST: Final = 10
"""Follow-ups shown with a customer."""
MOST_FLAGS: Final = 20
MOST_REASONS: Final = 4


@frozen
class ShowCustomer:
    """Show a customer with all that belongs to it; `as_of` a past day (its end) or moment."""

    id: int = param(argument=True)
    as_of: str | None = param(default=None)


@frozen
class Graded:
    """The latest rating: grade, graded or refer or declined, its heaviest reasons (`reason.CODE`)."""

    id: int
    as_of: date | None = of("rating.as_of")
    grade: str = of("rating.grade")
    status: str = of("rating.status")
    reasons: tuple[str, ...] = of("rating.outcomes", default=())


@frozen
class Wish:
    """A change of this customer that waits for confirmation."""

    id: int
    maker: str
    asked: datetime | None
    changes: tuple[Change, ...]


@frozen
class Flag:
    """Something to look at: `code` is a message `flag.CODE`, about another customer."""

    code: str
    customer: int
    name: str = of("customer.name")


@frozen
class CustomerFile:
    """A customer and what belongs to it. What a sheet said of a loan is true as of the loan's `stated_on`."""

    customer: Customer
    relations: tuple[Relation, ...] = ()
    loans: tuple[Loan, ...] = ()
    credit: CreditRecord | None = None
    rating: Graded | None = None
    follow_ups: tuple[FollowUp, ...] = ()
    documents: tuple[Document, ...] = ()
    collateral: tuple[Collateral, ...] = ()
    waiting_changes: tuple[Wish, ...] = ()
    flags: tuple[Flag, ...] = ()
    landing: bool = False
    as_of: datetime | None = None


def show(books: Books, request: ShowCustomer) -> Facts[CustomerFile]:
    """The whole file of a customer. Raises NotFound("customer-unknown"), Usage("moment-unreadable")."""
    as_of = moment_of(books, request.as_of)
    customer = customer_of(books, request.id, as_of)
    mine = Test("customer_id", "eq", customer.id)
    loans = books.listed(Loan, mine, as_of=as_of)
    of_loans = Test("loan_id", "in", [loan.id for loan in loans])
    papers = {d.id: d for test in (mine, of_loans) for d in books.listed(Document, test, as_of=as_of)}
    latest = Order("time", down=True)
    followed = books.listed(FollowUp, mine, order=latest, limit=LAST, as_of=as_of)
    answer = CustomerFile(
        customer,
        tuple(books.listed(Relation, mine, as_of=as_of)),
        tuple(loans),
        _credit(books, customer, as_of),
        _rating(books, customer, as_of),
        tuple(quiet(one) for one in followed),
        tuple(papers[key] for key in sorted(papers)),
        tuple(books.listed(Collateral, of_loans, as_of=as_of)),
        tuple(_wishes(books, customer, as_of)),
        tuple(_flags(books, customer, as_of)),
        bool(books.landing(Customer.KIND, [customer.id])),
        as_of,
    )
    return Facts(answer, about=f"customer:{customer.id}")


def _credit(books: Books, customer: Customer, as_of: datetime | None) -> CreditRecord | None:
    known = books.listed(CreditRecord, Test("customer_id", "eq", customer.id), as_of=as_of)
    return max(known, key=lambda c: (c.report_date or date.min, c.id), default=None)


def _rating(books: Books, customer: Customer, as_of: datetime | None) -> Graded | None:
    mine, latest = Test("customer_id", "eq", customer.id), Order("as_of", down=True)
    for rating in books.listed(Rating, mine, order=latest, limit=1, as_of=as_of):
        codes = tuple(dict.fromkeys(one["reason"] for one in rating.outcomes if one.get("reason")))
        return Graded(rating.id, rating.as_of, rating.grade, rating.status, codes[:MOST_REASONS])
    return None


def _wishes(books: Books, customer: Customer, as_of: datetime | None) -> Iterator[Wish]:
    about = (Test("about_kind", "eq", Customer.KIND), Test("about_id", "eq", customer.id))
    for pending in books.listed(Pending, *about, Test("state", "eq", "waiting"), as_of=as_of):
        yield Wish(pending.id, pending.maker, pending.asked, changes_in(pending, customer))


def _flags(books: Books, customer: Customer, as_of: datetime | None) -> Iterator[Flag]:
    """Others of the same name or phone: perhaps the same person. Only of now: search keys know no past."""
    if customer.merged_into is not None:
        target = customer_of(books, customer.merged_into)
        yield Flag("merged", target.id, target.name)
    if as_of is not None or customer.merged_into is not None:
        return
    name = normal(customer.name)
    if name and books.view.level("customer.name") is Level.SHOW:
        for other in _others(books, customer, f"n:{name[:LONGEST]}"):
            if normal(other.name) == name:
                yield Flag("same-name", other.id, other.name)
    if customer.mobile and books.view.level("customer.mobile") > Level.HIDE:
        for other in _others(books, customer, f"d:{customer.mobile[::-1]}"):
            if customer.mobile in (other.mobile, other.backup_phone):
                yield Flag("same-phone", other.id, other.name)


def _others(books: Books, customer: Customer, token: str) -> Iterator[Customer]:
    order = Order("name") if books.view.level("customer.name") is Level.SHOW else Order()
    q = Query(Customer.KIND, search=Probe(token), order=order, limit=MOST_FLAGS)
    for other in cast("Iterable[Customer]", books.find(q)):
        if other.id != customer.id and other.merged_into is None:
            yield other


# -- reveal ----------------------------------------------------------------------------------------


@frozen
class RevealCustomer:
    """Show sensitive values of a customer in plain, for a reason that the audit log keeps."""

    id: int = param(argument=True)
    fields: tuple[str, ...] = param(argument=True, many=True)
    reason: str = param(default="")


@frozen
class Revealed:
    """The plain values asked for, by field; a relation's phone as `relation.ID.phone`."""

    id: int
    revealed: Mapping[str, Any] = field(repr=False)


def reveal(books: Books, request: RevealCustomer) -> Facts[Revealed]:
    """Plain values of sensitive fields; the audit line names the fields and the reason, not the values.

    Raises Usage("reason-needed", "field-not-hidden"), NotAllowed("field-not-revealed") for what the role may
    not ask for, and what `show` raises.
    """
    if not request.reason.strip():
        raise Usage("reason-needed")
    customer = customer_of(books, request.id)
    plain: dict[str, Any] = {}
    for asked in dict.fromkeys(request.fields):
        plain.update(_plain(books, customer, asked))
    counts = {f"revealed {name}": 1 for name in plain}
    answer = Revealed(customer.id, plain)
    return Facts(answer, about=f"customer:{customer.id}", reason=request.reason.strip(), counts=counts)


def _plain(books: Books, customer: Customer, asked: str) -> dict[str, Any]:
    if asked == "relation.phone":
        _refuse_hidden(books, books.dictionary["relation.phone"])
        mine = Test("customer_id", "eq", customer.id)
        return {f"relation.{r.id}.phone": r.phone for r in books.listed(Relation, mine) if r.phone}
    name = asked.removeprefix("customer.")
    about = books.dictionary.get(f"customer.{name}")
    if about is None or about.privacy is not SENSITIVE:
        raise Usage("field-not-hidden", field=asked[:40])
    _refuse_hidden(books, about)
    if name in fields_of(Customer):
        return {name: getattr(customer, name)}
    return {name: lived(about, customer.extra.get(name))}


def _refuse_hidden(books: Books, about: Field) -> None:
    if not books.who.may_reveal(about) and books.view.level(about.path) is not Level.SHOW:
        raise NotAllowed("field-not-revealed", field=about.path)
