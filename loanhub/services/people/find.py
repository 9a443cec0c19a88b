"""One box: whatever people know of a customer or loan, best matches first, page by page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

from attrs import evolve, frozen

from loanhub import money
from loanhub.acts import Books, Facts, param
from loanhub.entities import Customer, Loan
from loanhub.errors import NotFound, Usage
from loanhub.services.people.person import target_of
from loanhub.services.people.sought import Match, Search

MATCHES: Final = ("exact", "prefix", "part")


@frozen
class Find:
    """Find customers and loans by name, phone, ID or card number, last four digits, initials, address words
    or loan number.
    """

    text: str = param(argument=True, private=True)
    limit: int = param(default=20)
    after: str | None = param(default=None)


@frozen
class Hit:
    """One result: `why` is a message code `found.WHY`, `match` says how well it fits, `landing` that its
    batch is not stored yet, `merged_from` which customer the text found before it was merged.
    """

    kind: str
    id: int
    title: str
    why: str
    match: str
    landing: bool = False
    merged_from: int | None = None


@frozen
class Found:
    """What was found, best first; nothing is an answer too. With `more`, `after` is where to go on."""

    results: tuple[Hit, ...] = ()
    more: bool = False
    after: str | None = None


@frozen
class _Seen:
    """A match as it may be shown: the customer it leads to, or the borrower of the loan."""

    match: Match
    person: Customer


def find(books: Books, request: Find) -> Facts[Found]:
    """One page: whole before beginning before part, customers before loans, then in the order of the keys.

    Raises Usage("find-after") when a page cannot be gone on from.
    """
    most = max(request.limit, 1)
    search = Search(books, request.text, most + 1)
    seen = list(islice(_visible(search, search.matches(_place(request.after))), most + 1))
    more, page = len(seen) > most, seen[:most]
    hits = [_hit(books, one) for one in page]
    landing = {kind: _landing(books, kind, hits) for kind in (Customer.KIND, Loan.KIND)}
    hits = [evolve(hit, landing=hit.id in landing[hit.kind]) for hit in hits]
    last = page[-1].match if more else None
    return Facts(Found(tuple(hits), more, f"{last.number}-{last.record.id}" if last else None))


def _place(after: str | None) -> tuple[int, int] | None:
    """Number of a guess and id of the last record: nothing in it tells whom was looked for."""
    if not after:
        return None
    found = re.fullmatch(r"([0-9]{1,2})-([0-9]{1,18})", after.strip())
    if found is None:
        raise Usage("find-after")
    return int(found[1]), int(found[2])


def _visible(search: Search, matches: Iterator[Match]) -> Iterator[_Seen]:
    """Matches whose person is in sight, each customer once."""
    for match in matches:
        if person := _person(search, match):
            yield _Seen(match, person)


def _person(search: Search, match: Match) -> Customer | None:
    """Whom a match leads to. A loan whose borrower is out of the principal's sight is out of sight as well.

    Of a customer and those merged into it one stands for all: who fits best, then who is not merged.
    """
    record = match.record
    if isinstance(record, Loan):
        return search.people.get(record.customer_id)
    try:
        target = target_of(search.books, record)
    except NotFound:
        return None
    family = search.family(target)
    if len(family) == 1:
        return target
    fits = [(best.number, one.id != target.id, one.id) for one in family if (best := search.best(one))]
    return target if min(fits)[2] == record.id else None


def _landing(books: Books, kind: str, hits: list[Hit]) -> set[int]:
    ids = [hit.id for hit in hits if hit.kind == kind]
    return books.landing(kind, ids) if ids else set()


def _hit(books: Books, seen: _Seen) -> Hit:
    match, person = seen.match, seen.person
    record, how = match.record, MATCHES[match.guess.rank]
    if isinstance(record, Loan):
        return Hit(Loan.KIND, record.id, _loan_title(books, record, person), match.why, how)
    title = _title(_called(books, person), books.view.shown("customer.branch", person.branch))
    merged_from = None if person.id == record.id else record.id
    return Hit(Customer.KIND, person.id, title, match.why, how, merged_from=merged_from)


def _loan_title(books: Books, loan: Loan, borrower: Customer) -> str:
    numbers = [name for name in ("loan_no", "contract_no", "application_no") if getattr(loan, name)]
    number = books.view.shown(f"loan.{numbers[0]}", getattr(loan, numbers[0])) if numbers else f"#{loan.id}"
    amount = books.view.shown("loan.amount", loan.amount)
    amount = money.yuan(amount) if isinstance(amount, int) else amount
    return _title(number, _called(books, borrower), amount)


def _called(books: Books, person: Customer) -> Any:
    if person.name:
        return books.view.shown("customer.name", person.name)
    return books.view.shown("customer.customer_no", person.customer_no)


def _title(*parts: Any) -> str:
    """What is shown of the parts, side by side."""
    return " · ".join(str(part) for part in parts if part)
