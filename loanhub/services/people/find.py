"""One box: whatever people know of a customer or loan, best matches first."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, cast

from attrs import evolve, frozen

from loanhub import money
from loanhub.acts import Books, Facts, param
from loanhub.entities import Customer, Loan
from loanhub.errors import NotFound
from loanhub.identifiers import upgraded_id
from loanhub.records import Order, Query, Test
from loanhub.searching import LONGEST, Guess, guesses, initials, normal
from loanhub.services.people.person import target_of

MATCHES: Final = ("exact", "prefix", "part")
SHORTEST_NUMBER: Final = 13
"""Characters an ID or card number has at least: shorter texts are not looked up blind."""


@frozen
class Find:
    """Find customers and loans by name, phone, ID or card number, last four digits, initials, loan number."""

    text: str = param(argument=True, private=True)
    limit: int = param(default=20)


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
    """What was found, best first; `more` when the limit cut some off. Nothing is an answer too."""

    results: tuple[Hit, ...] = ()
    more: bool = False


@frozen
class _Match:
    """A record that fits a guess: `rank` 0 whole, 1 by its beginning, 2 by a part."""

    rank: int
    guess: Guess
    record: Customer | Loan


def find(books: Books, request: Find) -> Facts[Found]:
    """All readings of the text tried at once; every record is named once, by its best match."""
    plain = normal(request.text)
    most = max(request.limit, 1)
    best: dict[tuple[str, int], _Match] = {}
    cut = False
    for guess in guesses(request.text, _blinds(books, plain)):
        for query in _queries(guess, request.text.strip(), most + 1):
            found = cast("list[Customer | Loan]", list(books.find(query)))
            cut = cut or len(found) > most
            for match in _matches(guess, found, plain):
                key = (match.record.KIND, match.record.id)
                if key not in best or match.rank < best[key].rank:
                    best[key] = match
    hits = _hits(books, list(best.values()))
    return Facts(Found(tuple(hits[:most]), cut or len(hits) > most))


def _blinds(books: Books, plain: str) -> list[bytes]:
    number = plain.replace("-", "").upper()
    if len(number) < SHORTEST_NUMBER or not re.fullmatch(r"\d+X?", number):
        return []
    numbers: list[str | None] = [number]
    if len(number) == 15:
        numbers.append(upgraded_id(number))  # void since 2013, yet still on old papers
    found = books.blind("customer.id_number", numbers) + books.blind("customer.bank_card", numbers)
    return [b for b in found if b is not None]


def _queries(guess: Guess, text: str, limit: int) -> Iterator[Query]:
    """The whole token first, so that the limit never cuts off an exact match."""
    order = Order("name" if guess.kind == Customer.KIND else "loan_no")
    query = Query(guess.kind, search=guess.probe, order=order, limit=limit)
    if guess.probe.prefix:
        yield evolve(query, search=evolve(guess.probe, prefix=False))
        if guess.why == "name":
            yield evolve(query, where=(Test("name", "prefix", text),))
    yield query


def _matches(guess: Guess, found: list[Customer | Loan], plain: str) -> Iterator[_Match]:
    for record in found:
        rank = _rank(guess, record, plain)
        if rank is not None:
            yield _Match(rank, guess, record)


def _rank(guess: Guess, record: Customer | Loan, plain: str) -> int | None:
    """How well a record fits; None when it does not (tokens keep only the beginning of a long text)."""
    if isinstance(record, Loan):
        numbers = [normal(n) for n in (record.loan_no, record.contract_no, record.application_no) if n]
        return 0 if plain in numbers else 1
    name = normal(record.name)
    if guess.why == "name":
        if plain not in name and len(plain) > LONGEST:
            return None
        return 0 if name == plain else 1 if name.startswith(plain) else 2
    if guess.why == "initials":
        return 1 if initials(record.name) == plain else 2
    return 1 if guess.why == "last4" else 0


def _hits(books: Books, matches: list[_Match]) -> list[Hit]:
    """Best first, then customers by name before loans by number. Merged customers show their target."""
    borrowers = {m.record.customer_id for m in matches if isinstance(m.record, Loan)}
    people = (
        {c.id: c for c in books.listed(Customer, Test("id", "in", sorted(borrowers)))} if borrowers else {}
    )
    landing = {kind: books.landing(kind) for kind in {m.record.KIND for m in matches}}
    found: dict[tuple[str, int], tuple[tuple[int, bool, str, int], Hit]] = {}
    for match in sorted(matches, key=lambda m: m.rank):
        hit = _hit(books, match, people)
        if hit is None or (hit.kind, hit.id) in found:
            continue
        hit = evolve(hit, landing=hit.id in landing[hit.kind])
        found[hit.kind, hit.id] = ((match.rank, hit.kind != Customer.KIND, hit.title, hit.id), hit)
    return [hit for _, hit in sorted(found.values(), key=lambda pair: pair[0])]


def _hit(books: Books, match: _Match, people: dict[int, Customer]) -> Hit | None:
    """A loan whose borrower is out of the principal's sight is out of sight as well."""
    record, why, how = match.record, match.guess.why, MATCHES[match.rank]
    if isinstance(record, Loan):
        borrower = people.get(record.customer_id)
        return (
            None if borrower is None else Hit(Loan.KIND, record.id, _loan_title(record, borrower), why, how)
        )
    try:
        target = target_of(books, record)
    except NotFound:
        return None
    title = " · ".join(part for part in (target.name, target.branch) if part)
    merged_from = None if target.id == record.id else record.id
    return Hit(Customer.KIND, target.id, title, why, how, merged_from=merged_from)


def _loan_title(loan: Loan, borrower: Customer) -> str:
    number = loan.loan_no or loan.contract_no or loan.application_no or f"#{loan.id}"
    amount = None if loan.amount is None else money.yuan(loan.amount)
    return " · ".join(part for part in (number, borrower.name, amount) if part)
