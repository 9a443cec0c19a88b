"""Who and what fits a text of the search box, walked in one order: an answer can go on where it ended.

Every guess is a run of search keys in the order of their index, or of ids in theirs. A record stands in the
run of its best guess, at the first of its keys there: both can be told from the record alone, so no page
needs to know of another, and a page costs the same wherever it lies.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, cast

from attrs import define, evolve, field, frozen

from loanhub import pieces
from loanhub.acts import Books
from loanhub.entities import Customer, Loan
from loanhub.errors import NotAllowed, Usage
from loanhub.identifiers import upgraded_id
from loanhub.records import Cursor, Order, Query, Test
from loanhub.schema import SEARCH_KEY
from loanhub.searching import LONGEST, blind_token, normal
from loanhub.services.people.guessing import Guess, guesses, tokens

SHORTEST_NUMBER: Final = 13
"""Characters an ID or card number has at least: shorter texts are not looked up blind."""
BEHIND_ALL: Final = 2**63 - 1
"""An id behind all others."""
MOST_AT_ONCE: Final = 400

ASKS: Final[Mapping[str, tuple[tuple[str, ...], str]]] = {
    "customer_no": (("customer.customer_no",), "eq"),
    "last4": (("customer.mobile", "customer.id_number", "customer.bank_card"), "eq"),
    "phone": (("customer.mobile",), "eq"),
    "number": (("customer.id_number", "customer.bank_card"), "eq"),
    "uscc": (("customer.uscc",), "eq"),
    "loan_no": (("loan.loan_no",), "prefix"),
    "name": (("customer.name",), "prefix"),
    "initials": (("customer.name",), "prefix"),
    "address": (("customer.name", "customer.address", "customer.hukou_address"), "prefix"),
}
"""By what a guess finds somebody, and how: the fields that a hit tells of."""

Spot = tuple[str, int]
"""Where in a run: a search key and an id."""


@frozen
class Match:
    """A record that fits: by which guess, the how manieth, and the code of why."""

    guess: Guess
    number: int
    record: Customer | Loan
    why: str


@define
class Search:
    """One text asked of the books; `page` is how many are wanted at once."""

    books: Books
    text: str = field(repr=False)
    page: int
    guesses: Sequence[Guess] = field(init=False, repr=False)
    plain: str = field(init=False, repr=False)
    people: dict[int, Customer] = field(factory=dict, init=False, repr=False)
    """Borrowers of the loans that were met, as far as they are in sight."""
    merged: dict[int, dict[int, Customer]] = field(factory=dict, init=False, repr=False)
    """Of the customers that were met, those merged into them."""
    _letters: frozenset[str] = field(init=False, repr=False)
    _present: list[tuple[str, int]] | None = field(default=None, init=False, repr=False)
    _masks: dict[int, dict[str, Any]] = field(factory=dict, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self.plain = normal(self.text)
        tried = guesses(self.text, _blinds(self.books, self.plain))
        self.guesses = [guess for guess in tried if _may_try(self.books, guess)]
        self._letters = frozenset(guess.token[0] for guess in self.guesses if guess.token)

    def matches(self, after: tuple[int, int] | None = None) -> Iterator[Match]:
        """All that fits, best first, each record once; behind the record `after` (number of guess, id).

        Raises Usage("find-after") when that record does not fit there, or no more.
        """
        first, spot = (0, None) if after is None else (after[0], self._spot_of(*after))
        for number, guess in enumerate(self.guesses[first:], start=first):
            for run in self._run(guess, spot if number == first else None):
                records = self._records(guess.kind, [key for _, key in run])
                for token, key in run:
                    if key in records and (match := self._match(number, records[key], token)):
                        yield match

    def _spot_of(self, number: int, key: int) -> Spot:
        """Where in the run of a guess a record stands now."""
        guess = self.guesses[number] if number < len(self.guesses) else None
        record = self._records(guess.kind, [key]).get(key) if guess else None
        if guess is None or record is None:
            raise Usage("find-after")
        held = self._tokens(record)
        spot = self._spot(guess, held, record)
        if spot is None and guess.token.startswith("n:"):
            spot = self._old_spot(held)
        if spot is None:
            raise Usage("find-after")
        return spot, key

    # -- runs ------------------------------------------------------------------------------------------

    def _run(self, guess: Guess, after: Spot | None) -> Iterator[list[Spot]]:
        """Keys and ids in order, behind one, a few at first."""
        return self._by_pieces(guess, after) if guess.words else self._by_tokens(guess, after)

    def _by_tokens(self, guess: Guess, after: Spot | None) -> Iterator[list[Spot]]:
        if after is None and not guess.whole:
            after = (guess.token, BEHIND_ALL)
        where = (Test("token", "prefix" if guess.longer else "eq", guess.token),)
        size = self.page
        while True:
            cursor = None if after is None else Cursor(*after)
            q = Query(SEARCH_KEY, where, order=Order("token"), after=cursor, limit=size)
            run: list[Spot] = list(self.books.columns(q).iter_rows())
            if run:
                yield run
            if len(run) < size:
                return
            after, size = run[-1], min(2 * size, MOST_AT_ONCE)

    def _by_pieces(self, guess: Guess, after: Spot | None) -> Iterator[list[Spot]]:
        assert guess.words is not None
        behind, size = 0 if after is None else after[1], self.page
        if self._present is None:  # joined and apart ask for the same
            self._present = list(self.books.columns(pieces.present(guess.words.grams)).iter_rows())
        blocks = guess.words.blocks(self._present, joined=guess.joined)
        for some in _shares([block for block in blocks if block >= behind // pieces.BLOCK]):
            if unread := set(some) - self._masks.keys():
                held = self.books.columns(pieces.asked(guess.words.grams, unread))
                self._masks |= pieces.masks_of(held)
            for block in some:
                ids = guess.words.likely(self._masks[block], joined=guess.joined) + block * pieces.BLOCK
                ids, start = ids[ids > behind], 0
                while start < len(ids):
                    yield [("", key) for key in ids[start : start + size].tolist()]
                    start, size = start + size, min(2 * size, MOST_AT_ONCE)

    # -- records ---------------------------------------------------------------------------------------

    def _records(self, kind: str, ids: list[int]) -> dict[int, Customer | Loan]:
        found = self.books.find(Query(kind, (Test("id", "in", sorted(set(ids))),)))
        records = {one.id: one for one in cast("Iterator[Customer | Loan]", found)}
        if kind == Loan.KIND:
            owners = {one.customer_id for one in records.values() if isinstance(one, Loan)}
            unmet = sorted(owners - self.people.keys())
            if unmet:
                self.people |= {c.id: c for c in self.books.listed(Customer, Test("id", "in", unmet))}
        else:
            self._meet(sorted(records))
        return records

    def _meet(self, ids: list[int]) -> None:
        self.merged |= {key: {} for key in ids}
        for one in self.books.listed(Customer, Test("merged_into", "in", ids)):
            self.merged[cast("int", one.merged_into)][one.id] = one

    def family(self, target: Customer) -> list[Customer]:
        """A customer and those merged into it, and into those."""
        found, ahead = [target], [target.id]
        while ahead:
            if unmet := [key for key in ahead if key not in self.merged]:
                self._meet(unmet)
            nearer = [one for key in ahead for one in self.merged[key].values()]
            found += nearer
            ahead = [one.id for one in nearer]
        return found

    def _match(self, number: int, record: Customer | Loan, token: str) -> Match | None:
        """The match of a record met in a run; None where it stands elsewhere too, and better."""
        held = self._tokens(record)
        best = self.best(record, held)
        if best is None:
            return None
        guess = self.guesses[number]
        # The store tells the records of joined words from those of words apart: each is in one run only.
        here = best.number == number or None not in (best.guess.words, guess.words)
        if here and self._spot(guess, held, record) == token:
            return evolve(best, number=number)
        if best.guess.why == "name" and best.guess.rank == 2 and self._is_of_old(token, record.id, held):
            return evolve(best, number=number)
        return None

    def _is_of_old(self, token: str, key: int, held: set[str]) -> bool:
        """Whether a key inside a name is of an earlier version, which had them among the names, and stands
        alone: the home's keys are not built anew yet.
        """
        if token in held or token != self._old_spot(held):
            return False
        new = (Test("token", "eq", f"m{token[1:]}"), Test("id", "eq", key))
        return self.books.columns(Query(SEARCH_KEY, new)).is_empty()

    def _old_spot(self, held: set[str]) -> str | None:
        inner = (f"n{token[1:]}" for token in held if token.startswith(f"m:{self.plain[:LONGEST]}"))
        return min(inner, default=None)

    def best(self, record: Customer | Loan, held: set[str] | None = None) -> Match | None:
        """The first guess that a record fits; None when it fits none."""
        held = self._tokens(record) if held is None else held
        for number, guess in enumerate(self.guesses):
            if guess.kind != record.KIND or self._spot(guess, held, record) is None:
                continue
            if guess.words is None:
                return Match(guess, number, record, guess.why)
            return Match(guess, number, record, self._why(guess, cast("Customer", record)) or guess.why)
        return None

    def _tokens(self, record: Customer | Loan) -> set[str]:
        held = tokens(record, self._letters)
        if isinstance(record, Customer) and any(guess.why == "number" for guess in self.guesses):
            for name in ("id_number", "bank_card"):
                blinds = self.books.blind(f"customer.{name}", [getattr(record, name)])
                held |= {blind_token(blind) for blind in blinds if blind}
        return held

    def _spot(self, guess: Guess, held: set[str], record: Customer | Loan) -> str | None:
        """Where in the run of a guess a record stands."""
        if guess.words is not None:
            return "" if self._why(guess, cast("Customer", record)) else None
        if guess.why == "name" and len(self.plain) >= LONGEST:
            name = normal(cast("Customer", record).name)
            fits = (name == self.plain, name.startswith(self.plain), self.plain in name)
            return guess.spot(held) if fits[guess.rank] else None
        return guess.spot(held)

    def _why(self, guess: Guess, customer: Customer) -> str | None:
        assert guess.words is not None
        addresses = [normal(text) for text in (customer.address, customer.hukou_address) if text]
        return guess.words.fits(normal(customer.name), addresses)


def _may_try(books: Books, guess: Guess) -> bool:
    """Whether the principal may ask of every field that the guess looks at: an answer tells of each."""
    paths, op = ASKS[guess.why]
    try:
        for path in paths:
            if about := books.dictionary.get(path):
                books.view.refuse_asking(about, op)
    except NotAllowed:
        return False
    return True


def _shares(blocks: list[int]) -> list[list[int]]:
    """Blocks to be asked at once: of common words the first has enough, of rare ones all are needed."""
    return [some for some in (blocks[:1], blocks[1:4], blocks[4:]) if some]


def _blinds(books: Books, plain: str) -> list[bytes]:
    number = plain.replace("-", "").upper()
    if len(number) < SHORTEST_NUMBER or not re.fullmatch(r"\d+X?", number):
        return []
    numbers: list[str | None] = [number]
    if len(number) == 15:
        numbers.append(upgraded_id(number))  # void since 2013, yet still on old papers
    found = books.blind("customer.id_number", numbers) + books.blind("customer.bank_card", numbers)
    return [b for b in found if b is not None]
