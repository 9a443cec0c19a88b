"""What may be asked of ratings: assess some customers, or the next chunk of all of them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import attrs
import polars as pl
from attrs import frozen

from loanhub.acts import Act, Books, Facts, param
from loanhub.entities import Rating
from loanhub.errors import NotFound, Usage
from loanhub.hookspecs import hookimpl
from loanhub.records import Query, Test, Where
from loanhub.services.ratings.assess import assess_columns
from loanhub.services.ratings.combine import Scale
from loanhub.services.ratings.features import Sources, compute

CHUNK: Final = 2_000
"""Customers a call: one transaction keeps another writer waiting no longer than this takes."""


@frozen
class Assess:
    """Assess these customers (ids); without any, all of a small institution."""

    customers: tuple[int, ...] = param(default=(), argument=True, many=True)
    as_of: date | None = param(default=None)


@frozen
class AssessChunk:
    """Assess the next customers behind the id `after`: a step of the job over all."""

    after: int = param(default=0)
    as_of: date | None = param(default=None)


@frozen
class Trouble:
    """A rule that failed: the class of its error, and on how many customers."""

    rule: str
    error: str
    customers: int


@frozen
class Assessed:
    """`new` ratings were written, `unchanged` rest on the same facts and rules as the last one; `waiting`
    customers belong to a batch not yet stored. `last` is the id to go on behind, None at the end.
    """

    as_of: date
    new: int
    unchanged: int
    waiting: tuple[int, ...] = ()
    troubles: tuple[Trouble, ...] = ()
    ratings: tuple[Rating, ...] = ()
    last: int | None = None


def assess(books: Books, request: Assess) -> Facts[Assessed]:
    """Rate the named customers, each with its rating in the answer.

    Raises Usage("assess-too-many") above 2,000 customers, NotFound("assess-no-customer").
    """
    wanted = tuple(dict.fromkeys(request.customers))
    where: Where = (Test("id", "in", list(wanted)),) if wanted else ()
    found = _customers(books, where)
    if max(found.height, len(wanted)) > CHUNK:
        raise Usage("assess-too-many", most=CHUNK)
    ids = _alive(found)
    if missing := sorted(set(wanted) - set(ids)):
        raise NotFound("assess-no-customer", customer=missing[0])
    facts = _assess(books, ids, request.as_of)
    about = f"customer:{wanted[0]}" if len(wanted) == 1 else "customer"
    return attrs.evolve(facts, about=about)


def assess_chunk(books: Books, request: AssessChunk) -> Facts[Assessed]:
    """Rate the next chunk; only counts are answered, so that a job carries no people about."""
    found = _customers(books, (Test("id", "gt", request.after),))
    last = found["id"][CHUNK - 1] if found.height > CHUNK else None
    facts = _assess(books, _alive(found[:CHUNK]), request.as_of)
    answer = attrs.evolve(facts.answer, ratings=(), last=last)
    return attrs.evolve(facts, answer=answer, about="customer")


def _customers(books: Books, where: Where) -> pl.DataFrame:
    """One customer more than a chunk, so that it shows whether any are left."""
    return books.columns(Query("customer", where, limit=CHUNK + 1)).select("id", "merged_into").sort("id")


def _alive(customers: pl.DataFrame) -> list[int]:
    """Ids of those who were not merged into another."""
    return customers.filter(pl.col("merged_into").is_null())["id"].to_list()


def _assess(books: Books, ids: Sequence[int], asked: date | None) -> Facts[Assessed]:
    as_of = asked or books.today
    if as_of > books.today:
        raise Usage("assess-future", day=as_of)
    sources = _sources(books, ids, as_of)
    waiting = _landing(books, sources) & set(ids)
    ready = sources.customers.filter(~pl.col("id").is_in(list(waiting)))
    features = compute(attrs.evolve(sources, customers=ready), as_of)
    found = assess_columns(features, books.plugins.rules, _scale(books), as_of)
    new, kept = _changed(books, found, as_of)
    if new:
        first = books.allot(Rating.KIND, len(new))
        new = [attrs.evolve(rating, id=first + n) for n, rating in enumerate(new)]
    answer = Assessed(as_of, len(new), len(kept), tuple(sorted(waiting)), _troubles(found), (*new, *kept))
    counts = {"new": len(new), "unchanged": len(kept), "waiting": len(waiting)}
    return Facts(answer, tuple(new), counts=counts)


def _scale(books: Books) -> Scale:
    # The home's own rating.toml, once its books lend their settings files; else the shipped one.
    return Scale.of(books.config("rating.toml"))


def _sources(books: Books, ids: Sequence[int], as_of: date) -> Sources:
    """What was known at the end of the day `as_of`, and now when that is today."""
    end = datetime.combine(as_of + timedelta(days=1), time.min, ZoneInfo(books.settings.timezone))
    known = None if as_of >= books.today else end.astimezone(UTC)

    def of(kind: str, field: str, keys: Sequence[int]) -> pl.DataFrame:
        return books.columns(Query(kind, (Test(field, "in", list(keys)),), as_of=known))

    loans = of("loan", "customer_id", ids)
    return Sources(
        of("customer", "id", ids),
        loans,
        of("credit", "customer_id", ids),
        of("collateral", "loan_id", loans["id"].to_list()),
    )


def _landing(books: Books, sources: Sources) -> set[int]:
    """Customers whom a batch not yet stored has touched, themselves or by a loan or credit record."""
    found = books.landing("customer")
    for kind, frame in (("loan", sources.loans), ("credit", sources.credit)):
        touched = frame.filter(pl.col("id").is_in(list(books.landing(kind))))
        found = found | set(touched["customer_id"].to_list())
    return found


def _changed(books: Books, found: Iterable[Rating], as_of: date) -> tuple[list[Rating], list[Rating]]:
    """Ratings that say something new, and those that only repeat the last one (which is given back)."""
    ratings = list(found)
    last = _last(books, [rating.customer_id for rating in ratings], as_of)
    new: list[Rating] = []
    kept: list[Rating] = []
    for rating in ratings:
        old = last.get(rating.customer_id)
        if old is None or old["digest"] != rating.digest or json.loads(old["outcomes"]) != rating.outcomes:
            new.append(rating)
        else:
            day = old["as_of"] if isinstance(old["as_of"], date) else date.fromisoformat(old["as_of"])
            kept.append(attrs.evolve(rating, id=old["id"], version=old["version"], as_of=day))
    return new, kept


def _last(books: Books, customers: list[int], as_of: date) -> Mapping[int, Mapping[str, Any]]:
    """The last rating of each customer up to the day, by customer."""
    where = (Test("customer_id", "in", customers), Test("as_of", "le", as_of.isoformat()))
    frame = books.columns(Query(Rating.KIND, where)).sort("as_of", "id")
    kept = frame.select("customer_id", "id", "version", "as_of", "digest", "outcomes")
    return {row["customer_id"]: row for row in kept.iter_rows(named=True)}


def _troubles(ratings: Iterable[Rating]) -> tuple[Trouble, ...]:
    failed = Counter(
        (one["rule"], one["error"]) for r in ratings for one in r.outcomes if one["status"] == "failed"
    )
    return tuple(Trouble(rule, error, n) for (rule, error), n in sorted(failed.items()))


ASSESS: Final = Act("assess", Assess, "rating.write", assess)
ASSESS_CHUNK: Final = Act("rating.assess_chunk", AssessChunk, "rating.write", assess_chunk, hidden=True)


@hookimpl
def acts() -> Sequence[Act[Any, Any]]:
    """What may be asked of ratings."""
    return [ASSESS, ASSESS_CHUNK]
