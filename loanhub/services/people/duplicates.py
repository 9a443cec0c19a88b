"""Customers that look like one person, in pairs, each with its evidence.

Who shares a number with somebody is found in the search keys, read once in their order; nobody is held
against everybody. People of different ID numbers or company codes are different people and no pair.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import polars as pl
from attrs import frozen

from loanhub.acts import Books, Facts, param
from loanhub.entities import Customer
from loanhub.errors import Usage
from loanhub.policy import of
from loanhub.records import Order, Query, Test
from loanhub.schema import SEARCH_KEY
from loanhub.searching import normal

BLOCK: Final = 50_000
"""Search keys read at once."""
PEOPLE: Final = 10_000
"""Customers looked at at once."""
NUMBERS: Final = ("x:", "u:", "d:")
"""Beginnings of the search keys of ID and card numbers, company codes and phones (see `searching`)."""
SHORTEST: Final = 9
"""Characters of a key of a number: the last four that people look up are shorter, and shared by many."""
APART: Final = ("id_number_blind", "uscc")
"""Columns that tell people apart."""
_EVIDENCE: Final = {
    "id_number": "id_number_blind",
    "uscc": "uscc",
    "bank_card": "bank_card_blind",
    "name_mobile": "name_mobile",
}
"""What makes two look alike, and the column in which they then agree."""
_SHAPE: Final = {
    "id": pl.Int64,
    "name": pl.String,
    "mobile": pl.String,
    "uscc": pl.String,
    "id_number_blind": pl.Binary,
    "bank_card_blind": pl.Binary,
}


@frozen
class FindDuplicates:
    """Find customers that look like one person; `after` is where the last page ended."""

    limit: int = param(default=50)
    after: str | None = param(default=None)


@frozen
class Alike:
    """Two customers that look like one person; `shares` are message codes `shares.CODE`."""

    keep: int
    other: int
    name: str = of("customer.name")
    other_name: str = of("customer.name")
    shares: tuple[str, ...] = of()


@frozen
class Duplicates:
    """Pairs in order of their ids, the older record first; `next`, if there are more, is the next `after`."""

    results: tuple[Alike, ...] = ()
    next: str | None = None


def duplicates(books: Books, request: FindDuplicates) -> Facts[Duplicates]:
    """Customers that look like one person. Raises Usage("page-unreadable")."""
    after, most = _place(request.after), max(request.limit, 1)
    found = [pair for pair in sorted(_pairs(books).items()) if pair[0] > after]
    page = found[:most]
    names = _names(books, [key for pair, _ in page for key in pair])
    results = tuple(Alike(a, b, names[a], names[b], tuple(evidence)) for (a, b), evidence in page)
    following = f"{results[-1].keep}-{results[-1].other}" if len(found) > most else None
    return Facts(Duplicates(results, following))


def _place(text: str | None) -> tuple[int, int]:
    if text is None:
        return (0, 0)
    read = re.fullmatch(r"(\d{1,15})-(\d{1,15})", text)
    if read is None:
        raise Usage("page-unreadable")
    return int(read[1]), int(read[2])


def _names(books: Books, keys: list[int]) -> dict[int, str]:
    return {one.id: one.name for one in books.listed(Customer, Test("id", "in", sorted(set(keys))))}


def _pairs(books: Books) -> dict[tuple[int, int], list[str]]:
    """Evidence by pair: of those who share something, each with the first of them."""
    people = _people(books, sorted({key for begins in NUMBERS for key in _sharing(books, begins)}))
    found: dict[tuple[int, int], list[str]] = {}
    for evidence, shared in _EVIDENCE.items():
        for pair in _alike(people, shared):
            found.setdefault(pair, []).append(evidence)
    return found


def _sharing(books: Books, begins: str) -> Iterator[int]:
    """Ids of customers whose number somebody else has as well."""
    read, place, block = True, begins, BLOCK
    while read:
        where = (Test("token", "prefix", begins), Test("token", "ge", place))
        keys = books.columns(Query(SEARCH_KEY, where, order=Order("token"), limit=block))
        read, last = keys.height == block, "" if keys.is_empty() else keys["token"][-1]
        if read and last == place:  # more people of one number than a block holds
            block *= 2
            continue
        # The last number may go on in the next block, which begins with it again.
        whole = keys.filter((pl.col("token") != last) | (not read))
        numbers = whole.filter(pl.col("token").str.len_chars() >= SHORTEST)
        yield from numbers.filter(pl.col("token").is_duplicated())["id"]
        place = last


def _people(books: Books, ids: list[int]) -> pl.DataFrame:
    """Those of the customers that were not merged, with what may be alike in them."""
    parts = [pl.DataFrame(schema=_SHAPE)]
    for start in range(0, len(ids), PEOPLE):
        some = Test("id", "in", ids[start : start + PEOPLE])
        frame = books.columns(Query(Customer.KIND, (some, Test("merged_into", "null"))))
        parts.append(frame.select(*_SHAPE))
    people = pl.concat(parts)
    names = pl.Series("name", [normal(name) for name in people["name"]], pl.String)
    both = pl.when(names != "").then(names + pl.lit("|") + pl.col("mobile")).alias("name_mobile")
    return people.with_columns(both)


def _alike(people: pl.DataFrame, shared: str) -> list[tuple[int, int]]:
    """Pairs that share a column's value: each but the first of a value with the first, by id."""
    known = people.filter(pl.col(shared).is_not_null() & pl.col(shared).is_duplicated())
    others = [name for name in APART if name != shared]
    first = known.sort("id").unique(shared, keep="first").select(shared, "id", *others)
    pairs = known.join(first, on=shared, suffix="_first").filter(pl.col("id") != pl.col("id_first"))
    different = [(pl.col(name) != pl.col(f"{name}_first")).fill_null(value=False) for name in others]
    same = pairs.filter(~pl.any_horizontal(different))
    return list(same.select("id_first", "id").iter_rows())
