"""The two short acts around sending: take messages that are due, looked at once more; record how it went.

Between the two a channel carries the letter. When the sender dies there, the lease runs out and the next one
tries again under the same letter id, which the channel honours.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Any, Final, cast

import attrs
from attrs import frozen

from loanhub.acts import Act, Books, Facts, param
from loanhub.entities import Customer, Message
from loanhub.kinds import Letter
from loanhub.records import Query, Test
from loanhub.services.reminders.dues import dues
from loanhub.services.reminders.letters import contact, letter, still
from loanhub.services.reminders.timetable import INBOX, Timetable, timetable_of
from loanhub.texts import Lang

PAGE: Final = 100
"""Messages looked at in one transaction."""

Loans = Mapping[int, Mapping[str, Any]]


@frozen
class Lease:
    """Take what is due among the next messages behind the id `after`."""

    after: int = param(default=0)


@frozen
class Outgoing:
    """A letter to be sent, and the message it is for."""

    message: int
    channel: str
    letter: Letter = attrs.field(repr=False)


@frozen
class Leased:
    """Letters to send now, how many were cancelled or held instead, and the id to go on behind, if any."""

    today: date
    letters: tuple[Outgoing, ...]
    cancelled: int
    held: int
    last: int | None


@frozen
class Delivered:
    """What the channel answered: `state` is sent or failed."""

    message: int
    state: str = param(choices=("sent", "failed"))
    reference: str = param(default="")
    reason: str = param(default="")


def lease(books: Books, request: Lease) -> Facts[Leased]:
    """Messages whose day has come, each checked against its loans as they stand now.

    Over or paid: cancelled. Nobody to be reached: held until a contact is known. Else leased, with its words.
    """
    table = timetable_of(books)
    page = _page(books, request.after)
    loans = _loans(books, page, table)
    letters: list[Outgoing] = []
    puts: list[Message] = []
    for message in page:
        if message.lease_until is not None and message.lease_until > books.now:
            continue
        changed, words = _look(books, message, loans, table)
        if changed != message:
            puts.append(changed)
        if words is not None:
            letters.append(Outgoing(message.id, message.channel, words))
    counts = {state: sum(one.state == state for one in puts) for state in ("cancelled", "held")}
    last = page[-1].id if len(page) == PAGE else None
    answer = Leased(books.today, tuple(letters), counts["cancelled"], counts["held"], last)
    return Facts(answer, tuple(puts), about="message", counts={"leased": len(letters), **counts})


def delivered(books: Books, request: Delivered) -> Facts[str]:
    """Record a delivery; the answer is the state it left. A failed one is tried again later, a few times."""
    message = books.get(Message, request.message)
    if message.state == "sent":
        return Facts("sent", about=f"message:{message.id}")
    table = timetable_of(books)
    tries = int(message.receipt.get("tries", 0)) + 1
    receipt = {"tries": tries, "reference": request.reference, "reason": request.reason}
    again = request.state == "failed" and tries < table.most_tries
    changed = attrs.evolve(
        message,
        state="pending" if again else request.state,
        lease_until=books.now + timedelta(minutes=table.retry_minutes) if again else None,
        receipt={name: value for name, value in receipt.items() if value},
        why=message.why if request.state == "sent" else "remind.why.failed",
    )
    return Facts(changed.state, (changed,), about=f"message:{message.id}")


def _page(books: Books, after: int) -> list[Message]:
    """The next messages that wait for a channel there is, in order of id."""
    channels = sorted(set(books.plugins.channels) - {INBOX})
    where = (
        Test("id", "gt", after),
        Test("state", "in", ["pending", "held"]),
        Test("channel", "in", channels),
        Test("planned_for", "le", books.today.isoformat()),
    )
    found = books.find(Query(Message.KIND, where, limit=PAGE)) if channels else iter(())
    return list(cast("Iterator[Message]", found))


def _loans(books: Books, page: list[Message], table: Timetable) -> Loans:
    """The open loans of these messages as they stand today, by id."""
    ids = sorted({item["loan"] for one in page for item in one.facts.get("items", ()) if item["loan"]})
    if not ids:
        return {}
    frame = books.columns(Query("loan", (Test("id", "in", ids),)))
    today = dues(frame, books.today, large_fen=table.large_fen, large_methods=table.large_methods)
    return {row["id"]: row for row in today.iter_rows(named=True)}


def _look(books: Books, message: Message, loans: Loans, table: Timetable) -> tuple[Message, Letter | None]:
    """The message as it is from now on, and its letter when it may be sent."""
    items = message.facts.get("items", [])
    due = [(item, loans[item["loan"]]) for item in items if item["loan"] in loans]
    wanted = [(item, loan) for item, loan in due if still(item, loan)]
    late = (books.today - (message.planned_for or books.today)).days > table.catch_up
    if not wanted or late:
        code = "too_late" if late else "moved_on" if due else "closed"
        return attrs.evolve(message, state="cancelled", why=f"remind.why.{code}"), None
    customer = books.get(Customer, message.customer_id)
    needs = books.plugins.channels[message.channel].needs
    if not set(needs) <= contact(customer).keys():
        return attrs.evolve(message, state="held", why="remind.why.no_contact"), None
    lang = cast("Lang", books.settings.lang)
    institution = books.settings.institution
    until = books.now + timedelta(minutes=table.lease_minutes)
    leased = attrs.evolve(message, state="pending", lease_until=until)
    return leased, letter(message, customer, due=wanted, table=table, lang=lang, institution=institution)


LEASE: Final = Act("remind.lease", Lease, "message.send", lease, hidden=True)
DELIVERED: Final = Act("remind.delivered", Delivered, "message.send", delivered, hidden=True)
