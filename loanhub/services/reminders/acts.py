"""What may be asked of reminders: plan a day, list them; and the two steps of sending, lease and delivered.

Sending itself is no act: it happens outside any transaction, in `job.send_all`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from itertools import islice
from typing import Any, Final, cast

import attrs
import polars as pl
from attrs import frozen

from loanhub.acts import Act, Books, Facts, param
from loanhub.entities import Message
from loanhub.hookspecs import hookimpl
from loanhub.records import Order, Query, Test
from loanhub.services.reminders.lease import DELIVERED, LEASE
from loanhub.services.reminders.plan import Book, keys_of, plan
from loanhub.services.reminders.recovering import CONFIRM, RECOVER, doubted
from loanhub.services.reminders.timetable import timetable_of
from loanhub.services.reminders.words import Reminder, reminder

STATES: Final = ("pending", "sent", "held", "review", "cancelled", "failed")


@frozen
class PlanReminders:
    """Plan the reminders of a day (today); `dry` writes nothing."""

    as_of: date | None = param(default=None)
    dry: bool = param(default=False, flag=True)


@frozen
class Planned:
    """The new reminders of a day, and how many loans wait because their batch is not stored yet."""

    as_of: date
    reminders: tuple[Reminder, ...]
    waiting: int


@frozen
class ListReminders:
    """List reminders, the newest first."""

    state: str | None = param(default=None, choices=STATES)
    limit: int = param(default=200)


@frozen
class Listed:
    """Reminders as they stand; `more` when the limit cut some off."""

    reminders: tuple[Reminder, ...]
    more: bool


def plan_day(books: Books, request: PlanReminders) -> Facts[Planned]:
    """Plan what is due on a day; what was planned before is left alone, so it may be run at any time."""
    as_of = request.as_of or books.today
    table = timetable_of(books)
    loans, waiting = _stored(books, "loan")
    follow_ups, _ = _stored(books, "follow_up")
    since = (as_of - timedelta(days=table.catch_up)).isoformat()
    before = books.find(Query(Message.KIND, (Test("planned_for", "ge", since),)))
    book = Book(loans, follow_ups, books.settings.timezone)
    found = doubted(books, plan(book, as_of, table, keys_of(cast("Iterable[Message]", before))))
    if found and not request.dry:
        first = books.allot(Message.KIND, len(found))
        found = [attrs.evolve(message, id=first + n) for n, message in enumerate(found)]
    answer = Planned(as_of, _shown(books, found), waiting)
    puts = () if request.dry else tuple(found)
    return Facts(answer, puts, about="message", counts={"planned": len(puts), "waiting": waiting})


def list_reminders(books: Books, request: ListReminders) -> Facts[Listed]:
    """The last reminders, of one state or of all."""
    where = (Test("state", "eq", request.state),) if request.state else ()
    q = Query(Message.KIND, where, order=Order("id", down=True), limit=request.limit + 1)
    found = list(cast("Iterable[Message]", books.find(q)))
    shown = list(islice(found, request.limit))
    return Facts(Listed(_shown(books, shown), len(found) > request.limit))


def _stored(books: Books, kind: str) -> tuple[pl.DataFrame, int]:
    """Records of a kind without those a batch not yet stored has made or whose customer it has."""
    frame = books.columns(Query(kind))
    landing, people = list(books.landing(kind)), list(books.landing("customer"))
    ready = frame.filter(~pl.col("id").is_in(landing) & ~pl.col("customer_id").is_in(people))
    return ready, frame.height - ready.height


def _shown(books: Books, messages: Sequence[Message]) -> tuple[Reminder, ...]:
    names = _names(books, sorted({message.customer_id for message in messages}))
    return tuple(reminder(message, names) for message in messages)


def _names(books: Books, ids: list[int]) -> Mapping[int, str]:
    if not ids:
        return {}
    frame = books.columns(Query("customer", (Test("id", "in", ids),)))
    return dict(frame.select("id", "name").iter_rows())


PLAN: Final = Act("remind.plan", PlanReminders, "message.write", plan_day)
LIST: Final = Act("remind.list", ListReminders, "message.read", list_reminders, writes=False)


@hookimpl
def acts() -> Sequence[Act[Any, Any]]:
    """What may be asked of reminders."""
    return [PLAN, LIST, LEASE, DELIVERED, RECOVER, CONFIRM]
