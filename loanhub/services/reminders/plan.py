"""The planner: from loans and follow-ups and a day to the messages of that day. Pure; the same facts and
the same day give the same messages with the same keys.

One message a loan, day and class of text; several loans of one person in one message; what was planned
before (its key is known) is not planned again. Source: DOMAIN.md section 6.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator
from datetime import date, timedelta
from itertools import groupby
from typing import Any, Final

import polars as pl
from attrs import frozen

from loanhub.entities import Message
from loanhub.records import MOMENT
from loanhub.services.reminders.dues import dues
from loanhub.services.reminders.timetable import INBOX, Occasion, Timetable

CHECK: Final = "check"
"""Template of the task that stands in for a letter while the sheet is older than the due date."""


@frozen
class Hit:
    """One occasion met by one loan or follow-up: `day` is the day it is about, `source` its id."""

    occasion: Occasion
    source: int
    customer: int
    loan: int | None
    day: date
    stated_on: date | None = None
    unconfirmed: bool = False

    @property
    def channel(self) -> str:
        """The occasion's channel; our own people while no newer sheet confirms the due date."""
        return INBOX if self.unconfirmed else self.occasion.channel

    @property
    def template(self) -> str:
        """The occasion's template, or the task to check."""
        return CHECK if self.unconfirmed and self.occasion.channel != INBOX else self.occasion.template

    @property
    def key(self) -> str:
        """What may happen once: this occasion for this loan (or follow-up) and day, by its channel."""
        one = self.occasion
        return f"{one.about}:{self.source}:{self.day}:{one.offset:+d}:{one.template}:{one.channel}"

    @property
    def group(self) -> tuple[int, str, str]:
        """What is merged into one message."""
        return self.customer, self.occasion.text_class, self.channel

    def plain(self) -> dict[str, Any]:
        """As it is kept in a message."""
        return {
            "key": self.key,
            "about": self.occasion.about,
            "source": self.source,
            "loan": self.loan,
            "day": self.day.isoformat(),
            "offset": self.occasion.offset,
            "stated_on": self.stated_on.isoformat() if self.stated_on else None,
        }


@frozen
class Book:
    """What is planned from: stored columns of loans and follow-ups, and the zone where their days begin."""

    loans: pl.DataFrame
    follow_ups: pl.DataFrame
    zone: str = "Asia/Shanghai"


def plan(book: Book, as_of: date, table: Timetable, known: Collection[str] = ()) -> list[Message]:
    """The messages (without ids) of the day `as_of`, by customer and class; `known` keys are left out."""
    standing = dues(book.loans, as_of, large_fen=table.large_fen, large_methods=table.large_methods)
    hits = [*_loan_hits(standing, as_of, table), *_follow_up_hits(book, standing, as_of, table)]
    fresh = sorted((h for h in _latest(hits) if h.key not in known), key=lambda h: (h.group, h.key))
    return [_message(list(group), as_of) for _, group in groupby(fresh, key=lambda h: h.group)]


def keys_of(messages: Iterable[Message]) -> set[str]:
    """The keys of all occasions that messages stand for."""
    return {item["key"] for message in messages for item in message.facts.get("items", ())}


def _loan_hits(standing: pl.DataFrame, as_of: date, table: Timetable) -> Iterator[Hit]:
    for one in table.occasions:
        if one.about not in ("due", "overdue", "maturity"):
            continue
        met = standing.filter(_met(one, as_of, table))
        if one.only_large:
            met = met.filter("large")
        unsure = pl.col("unconfirmed") if one.about == "overdue" else pl.lit(value=False)
        columns = met.select("id", "customer_id", one.about, "stated_on", unsure.alias("unsure"))
        for loan, customer, day, stated_on, unconfirmed in columns.iter_rows():
            yield Hit(one, loan, customer, loan, day, stated_on, unconfirmed)


def _met(one: Occasion, as_of: date, table: Timetable) -> pl.Expr:
    """Whether the occasion's day is today or was a few days ago; nothing is announced once it is past."""
    day = pl.col(one.about)
    last = as_of - timedelta(days=one.offset)
    met = day.is_between(last - timedelta(days=table.catch_up), last)
    return met & (day >= as_of) if one.offset <= 0 and one.about in ("due", "maturity") else met


_FOLLOW_UP: Final[dict[str, Any]] = {
    "id": pl.Int64,
    "customer_id": pl.Int64,
    "loan_id": pl.Int64,
    "time": pl.String,
    "next_time": pl.String,
    "promise_date": pl.Date,
    "corrects": pl.Int64,
}


def _follow_up_hits(book: Book, standing: pl.DataFrame, as_of: date, table: Timetable) -> Iterator[Hit]:
    """Follow-ups due unless somebody spoke with the customer since, promises unless their loan is over."""
    frame = book.follow_ups.select(pl.col(name).cast(kind) for name, kind in _FOLLOW_UP.items())
    frame = frame.filter(~pl.col("id").is_in(frame["corrects"].drop_nulls().implode()))
    last = pl.col("time").max().over("customer_id")
    days = [_day(pl.col("next_time"), book.zone).alias("follow_up"), _day(last, book.zone).alias("spoken")]
    spoken = (last > pl.col("time")).fill_null(value=False)
    frame = frame.with_columns(*days, pl.col("promise_date").alias("promise"), spoken.alias("later"))
    done = (pl.col("later") & (pl.col("spoken") >= pl.col("follow_up"))).fill_null(value=False)
    open_ = pl.col("loan_id").is_null() | pl.col("loan_id").is_in(standing["id"].implode())
    for one in table.occasions:
        if one.about in ("follow_up", "promise"):
            wanted = ~done if one.about == "follow_up" else open_
            met = frame.filter(_met(one, as_of, table) & wanted)
            for source, customer, loan, day in met.select(
                "id", "customer_id", "loan_id", one.about
            ).iter_rows():
                yield Hit(one, source, customer, loan, day)


def _day(moment: pl.Expr, zone: str) -> pl.Expr:
    """The day of a stored moment (UTC) where the institution is."""
    read = moment.str.to_datetime(MOMENT.replace(".%fZ", "%.fZ"), time_zone="UTC", strict=False)
    return read.dt.convert_time_zone(zone).dt.date()


def _latest(hits: Iterable[Hit]) -> list[Hit]:
    """One hit a loan (or follow-up), class and day: the latest occasion counts, an earlier one is over."""
    best: dict[tuple[str, int, str], Hit] = {}
    for hit in hits:
        of_loan = hit.occasion.about in ("due", "overdue", "maturity")
        place = "loan" if of_loan else hit.occasion.about, hit.source, hit.occasion.text_class
        if place not in best or _fires(hit) > _fires(best[place]):
            best[place] = hit
    return list(best.values())


def _fires(hit: Hit) -> tuple[date, int]:
    return hit.day + timedelta(days=hit.occasion.offset), hit.occasion.offset


def _message(hits: list[Hit], as_of: date) -> Message:
    first = max(hits, key=lambda hit: (hit.occasion.offset, hit.key))
    loans = {hit.loan for hit in hits}
    return Message(
        dedup=_dedup([hit.key for hit in hits]),
        customer_id=first.customer,
        loan_id=loans.pop() if len(loans) == 1 else None,
        template=first.template,
        channel=first.channel,
        due_date=min(hit.day for hit in hits),
        planned_for=as_of,
        why=_why(first),
        facts={"class": first.occasion.text_class, "items": [hit.plain() for hit in hits]},
    )


def _dedup(keys: list[str]) -> str:
    if len(keys) == 1:
        return keys[0]
    return f"merged:{hashlib.sha256(chr(10).join(keys).encode()).hexdigest()}"


def _why(hit: Hit) -> str:
    """The message code that explains why; its words are told day, days and count."""
    if hit.unconfirmed:
        return "remind.why.unconfirmed"
    if hit.occasion.about == "due" and hit.occasion.offset == 0:
        return "remind.why.due_today"
    return f"remind.why.{hit.occasion.about}"
