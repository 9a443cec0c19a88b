"""What was said with customers: append-only notes with what comes next. A correction is a new row."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from attrs import evolve, frozen

from loanhub.acts import Books, Facts, param
from loanhub.entities import Customer, FollowUp, Loan
from loanhub.errors import NotFound, Usage
from loanhub.identifiers import mask_card, mask_id, mask_mobile
from loanhub.policy import of
from loanhub.readings.dates import read_date
from loanhub.records import MOMENT, Order, Test
from loanhub.services.people.person import Saved, open_customer
from loanhub.values import read_fields, typed_texts


@frozen
class AddFollowUp:
    """Note a follow-up with a customer, or about a loan: what was said, and what comes next."""

    content: str = param(argument=True, private=True)
    customer: int | None = param(default=None)
    loan: int | None = param(default=None)
    time: str | None = param(default=None)
    channel: str | None = param(default=None)
    staff: str | None = param(default=None)
    result: str | None = param(default=None)
    next_plan: str | None = param(default=None)
    next_time: str | None = param(default=None)
    promise_date: str | None = param(default=None)
    promise_amount: str | None = param(default=None)
    corrects: int | None = param(default=None)


@frozen
class ListFollowUps:
    """Follow-ups of a customer, or what is to be done until a day; the newest first."""

    customer: int | None = param(default=None)
    due: str | None = param(default=None)
    limit: int = param(default=50)


@frozen
class Noticed:
    """One follow-up as a list shows it; numbers of papers, cards and phones in its texts are masked.

    `corrected`: a later one says it anew. `promise_amount` in fen.
    """

    id: int
    time: datetime | None = of("follow_up.time")
    customer: int = of()
    name: str = of("customer.name")
    loan: int | None = of()
    content: str = of("follow_up.content")
    channel: str | None = of("follow_up.channel")
    staff: str | None = of("follow_up.staff")
    result: str | None = of("follow_up.result")
    next_plan: str | None = of("follow_up.next_plan")
    next_time: datetime | None = of("follow_up.next_time")
    promise_date: date | None = of("follow_up.promise_date")
    promise_amount: int | None = of("follow_up.promise_amount")
    corrected: bool = of()


@frozen
class FollowUps:
    """Follow-ups, the newest first; `more` when the limit cut some off."""

    follow_ups: tuple[Noticed, ...]
    more: bool = False


def add(books: Books, request: AddFollowUp) -> Facts[Saved]:
    """A new row, written by whoever asks unless `staff` is given.

    Raises Usage("follow-up-about-nobody", "loan-of-another", "next-before-contact", "values-wrong"),
    NotFound for what it points to.
    """
    customer, loan = _subject(books, request)
    names = ("content", "time", "channel", "staff", "result", "next_plan", "next_time")
    given = {name: getattr(request, name) for name in (*names, "promise_date", "promise_amount")}
    typed = read_fields(books, FollowUp.KIND, typed_texts(books, FollowUp.KIND, (), given))
    blank = FollowUp(
        id=books.allot(FollowUp.KIND),
        customer_id=customer.id,
        loan_id=None if loan is None else loan.id,
        time=books.now,
        staff=books.who.name,
        corrects=_corrected(books, request.corrects, customer),
    )
    note = typed.onto(blank)
    if note.time is not None and note.next_time is not None and note.next_time < note.time:
        raise Usage("next-before-contact")
    about = f"customer:{customer.id} follow_up:{note.id}"
    return Facts(Saved(note.id, 1, warnings=typed.warnings), (note,), about=about)


def _subject(books: Books, request: AddFollowUp) -> tuple[Customer, Loan | None]:
    loan = None
    if request.loan is not None:
        found = books.listed(Loan, Test("id", "eq", request.loan))
        if not found:
            raise NotFound("loan-unknown", loan=request.loan)
        loan = found[0]
    key = request.customer if request.customer is not None else loan.customer_id if loan else None
    if key is None:
        raise Usage("follow-up-about-nobody")
    if loan is not None and loan.customer_id != key:
        raise Usage("loan-of-another", loan=loan.id, customer=key)
    return open_customer(books, key), loan


def _corrected(books: Books, key: int | None, customer: Customer) -> int | None:
    if key is None:
        return None
    of_customer = Test("customer_id", "eq", customer.id)
    if not books.listed(FollowUp, Test("id", "eq", key), of_customer):
        raise NotFound("follow-up-unknown", id=key)
    return key


def list_follow_ups(books: Books, request: ListFollowUps) -> Facts[FollowUps]:
    """A customer's follow-ups, or what is due; without either, the newest of all."""
    most = max(request.limit, 1)
    if request.due is not None:
        found = _due(books, _day(request.due), request.customer)
    else:
        mine = () if request.customer is None else (Test("customer_id", "eq", request.customer),)
        found = books.listed(FollowUp, *mine, order=Order("time", down=True), limit=most + 1)
    shown = found[:most]
    names = _names(books, shown)
    corrections = Test("corrects", "in", [one.id for one in shown])
    old = {later.corrects for later in books.listed(FollowUp, corrections)} if shown else set()
    notes = [_noticed(f, names[f.customer_id], f.id in old) for f in shown if f.customer_id in names]
    return Facts(FollowUps(tuple(notes), len(found) > most))


def _day(text: str) -> date:
    day = read_date(text).value
    if day is None:
        raise Usage("moment-unreadable")
    return day


def _due(books: Books, until: date, customer: int | None) -> list[FollowUp]:
    """What was to be done by the end of a day and was neither corrected nor followed by a contact since."""
    zone = ZoneInfo(books.settings.timezone)
    end = _stamp(datetime.combine(until + timedelta(days=1), time.min, zone))
    mine = () if customer is None else (Test("customer_id", "eq", customer),)
    due = {f.id: f for f in books.listed(FollowUp, Test("next_time", "lt", end), *mine)}
    promised = books.listed(FollowUp, Test("promise_date", "le", until.isoformat()), *mine)
    due.update((f.id, f) for f in promised)
    if not due:
        return []
    people = Test("customer_id", "in", sorted({f.customer_id for f in due.values()}))
    all_notes = books.listed(FollowUp, people)
    corrected = {f.corrects for f in all_notes}
    last: dict[int, date] = {}
    for note in all_notes:
        if note.time is not None and note.id not in corrected:
            day = note.time.astimezone(zone).date()
            last[note.customer_id] = max(day, last.get(note.customer_id, day))
    waiting = [f for f in due.values() if f.id not in corrected and not _done(f, last, until, zone)]
    return sorted(waiting, key=lambda f: (_days(f, zone)[-1], f.id), reverse=True)


def _days(note: FollowUp, zone: ZoneInfo) -> list[date]:
    """The days on which a note asks for something, the earliest first."""
    days = [note.promise_date] if note.promise_date else []
    return sorted([*days, *([note.next_time.astimezone(zone).date()] if note.next_time else [])])


def _done(note: FollowUp, last: dict[int, date], until: date, zone: ZoneInfo) -> bool:
    """Whether somebody spoke with the customer on or after every day it asked for (that is already due)."""
    spoken = last.get(note.customer_id)
    written = None if note.time is None else note.time.astimezone(zone).date()
    due = [day for day in _days(note, zone) if day <= until]
    return spoken is not None and spoken != written and all(spoken >= day for day in due)


def _stamp(at: datetime) -> str:
    return at.astimezone(ZoneInfo("UTC")).strftime(MOMENT)


def _names(books: Books, notes: Sequence[FollowUp]) -> dict[int, str]:
    """Names by customer id, of those within sight."""
    ids = sorted({note.customer_id for note in notes})
    return {c.id: c.name for c in books.listed(Customer, Test("id", "in", ids))} if ids else {}


def _noticed(note: FollowUp, name: str, corrected: bool) -> Noticed:
    note = quiet(note)
    return Noticed(
        note.id,
        note.time,
        note.customer_id,
        name,
        note.loan_id,
        note.content,
        note.channel,
        note.staff,
        note.result,
        note.next_plan,
        note.next_time,
        note.promise_date,
        note.promise_amount,
        corrected,
    )


# -- shown without numbers that are nobody's business ----------------------------------------------

_NUMBER: Final = re.compile(r"(?<![0-9A-Za-z])\d(?:[ -]?\d){10,18}[Xx]?(?![0-9A-Za-z])")


def quiet(note: FollowUp) -> FollowUp:
    """The note with ID, card and phone numbers in its texts masked (DOMAIN.md 1.4)."""
    texts = {name: getattr(note, name) for name in ("content", "result", "next_plan")}
    hidden: dict[str, Any] = {name: _NUMBER.sub(_masked, text) for name, text in texts.items() if text}
    return evolve(note, **hidden)


def _masked(found: re.Match[str]) -> str:
    number = re.sub(r"[ -]", "", found[0])
    if len(number) in (15, 18):
        return mask_id(number)
    return mask_mobile(number) if len(number) == 11 else mask_card(number)
