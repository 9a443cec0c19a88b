"""What becomes of messages in a home that was restored: nothing is sent a second time.

Whatever fires on or before the day of the restore may have been sent by the home that was lost. Of what is
known to have been sent, that is written down; the rest waits in the state `review` until a person says so,
unless the lost home's own outbox survives and shows that it was not sent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final, cast

import attrs
from attrs import frozen

from loanhub.acts import Act, Books, Facts, param
from loanhub.entities import Loan, Message
from loanhub.entities import Sequence as IdSequence
from loanhub.errors import Usage
from loanhub.kinds import ReadTx
from loanhub.records import Query, Test, to_entity
from loanhub.services.reminders.letters import mark
from loanhub.services.reminders.timetable import INBOX

UNTIL: Final = "restored-until"
"""Name of the counter that keeps the day of the last restore, as a proleptic ordinal."""
OPEN: Final = ("pending", "held", "review")
ENDED: Final = ("sent", "cancelled", "failed")
REVIEW: Final = "review"


@frozen
class Outbox:
    """What survives of the lost home: its messages that changed since the snapshot, and their loans.

    `loans`: loan number and customer by the loan's id.
    """

    messages: tuple[Message, ...] = attrs.field(repr=False)
    loans: Mapping[int, tuple[str | None, int]] = attrs.field(repr=False)


@frozen
class Recover:
    """The day of the restore, letters that survive (reference by mark), and the lost home's outbox if any."""

    until: date
    letters: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    outbox: Outbox | None = None


@frozen
class Recovered:
    """How many messages turned out to be sent, how many of those were not known here, how many wait on as
    they did, and how many a person must look at, by channel.
    """

    sent: int
    carried: int
    waiting: int
    review: Mapping[str, int]


def recover(books: Books, request: Recover) -> Facts[Recovered]:
    """Settle every open message; asked again, it decides the same and writes nothing more."""
    ours = books.listed(Message, Test("state", "in", list(OPEN)))
    letters = [message for message in ours if message.channel != INBOX]
    theirs = {(one.id, one.dedup): one for one in request.outbox.messages} if request.outbox else {}
    settled = [_settled(one, theirs.get((one.id, one.dedup)), request) for one in letters]
    carried = list(_carried(books, request.outbox)) if request.outbox else []
    changed = [new for new, old in zip(settled, letters, strict=True) if new != old]
    states = Counter(message.state for message in settled)
    review = Counter(message.channel for message in settled if message.state == REVIEW)
    answer = Recovered(
        states["sent"] + len(carried), len(carried), states["pending"] + states["held"], dict(review)
    )
    counts = {"sent": answer.sent, "carried": answer.carried, "review": sum(review.values())}
    puts = (*changed, *carried, *_barrier(books, request.until))
    return Facts(answer, puts, about="message", counts=counts)


def _settled(message: Message, old: Message | None, request: Recover) -> Message:
    """The message as the lost home left it (`old`), or to be looked at when nobody knows."""
    if old is not None and old.state in ENDED:
        return attrs.evolve(message, state=old.state, why=old.why, receipt=old.receipt, lease_until=None)
    if (reference := request.letters.get(mark(message))) is not None:
        return attrs.evolve(message, state="sent", receipt={"reference": reference}, lease_until=None)
    # One that was in a sender's hands may have gone out although nothing says so.
    if request.outbox is not None and (old or message).lease_until is None and message.state != REVIEW:
        return message
    return attrs.evolve(message, state=REVIEW, lease_until=None)


def _carried(books: Books, outbox: Outbox) -> Iterator[Message]:
    """Messages sent by the lost home of which nothing is known here, about loans that are."""
    known = {message.dedup for message in books.listed(Message)}
    wanted = [one for one in outbox.messages if one.state == "sent" and one.dedup not in known]
    ids = sorted({loan for message in wanted for loan in _loans(message)})
    ours = {loan.id: (loan.loan_no, loan.customer_id) for loan in books.listed(Loan, Test("id", "in", ids))}
    # A loan made after the snapshot is made again from its sheet, perhaps under another id.
    same = [m for m in wanted if all(ours.get(i) == outbox.loans.get(i, ()) for i in _loans(m))]
    first = books.allot(Message.KIND, len(same)) if same else 0
    return (attrs.evolve(message, id=first + n, version=0) for n, message in enumerate(same))


def _loans(message: Message) -> list[int]:
    """The loans a message is about; one about none has no loan to be known by."""
    return [item["loan"] or 0 for item in message.facts.get("items", ())]


def letters_in(*homes: Path) -> dict[str, str]:
    """The letters that lie in these homes: where each lies below its home, by the mark of its message."""
    return {
        file.stem.rpartition("-")[2]: file.relative_to(home).as_posix()
        for home in homes
        for file in (home / "letters").glob("*/*.txt")
    }


def outbox_of(past: ReadTx, fork: int) -> Outbox:
    """The outbox of a lost home: its messages written behind the audit line `fork`, and their loans."""
    changed = past.find(Query(Message.KIND, (Test("line", "gt", fork),)))
    messages = tuple(cast("Message", to_entity(Message.KIND, record)) for record in changed)
    ids = sorted({loan for message in messages for loan in _loans(message)})
    frame = past.columns(Query(Loan.KIND, (Test("id", "in", ids),)))
    rows = frame.select("id", "loan_no", "customer_id").iter_rows()
    return Outbox(messages, {key: (number, customer) for key, number, customer in rows})


# The barrier ----------------------------------------------------------------------------------------------


def _barrier(books: Books, until: date) -> Iterator[IdSequence]:
    known = _kept(books)
    if known is None:
        yield IdSequence(id=books.allot(IdSequence.KIND), name=UNTIL, next=until.toordinal())
    elif known.next < until.toordinal():
        yield attrs.evolve(known, next=until.toordinal())


def _kept(books: Books) -> IdSequence | None:
    found = books.find(Query(IdSequence.KIND, (Test("name", "eq", UNTIL),)))
    return cast("IdSequence | None", next(iter(found), None))


def doubted(books: Books, planned: Iterable[Message]) -> list[Message]:
    """New messages; those with anything that fired before the last restore are to be looked at first."""
    kept = _kept(books)
    if kept is None:
        return list(planned)
    until = date.fromordinal(kept.next)
    return [
        attrs.evolve(one, state=REVIEW)
        if one.channel != INBOX and any(_fired(item) <= until for item in one.facts["items"])
        else one
        for one in planned
    ]


def _fired(item: Mapping[str, Any]) -> date:
    return date.fromisoformat(item["day"]) + timedelta(days=item["offset"])


# Confirming -----------------------------------------------------------------------------------------------


@frozen
class Confirm:
    """Say of messages to be looked at whether they were sent: of some, or of all of a channel."""

    ids: tuple[int, ...] = param(default=(), argument=True, many=True)
    channel: str = param(default="")
    sent: bool | None = param(default=None)


@frozen
class Confirmed:
    """How many messages, and the state they have now."""

    count: int
    state: str


def confirm(books: Books, request: Confirm) -> Facts[Confirmed]:
    """What was sent stays so; what was not is sent when it is due. Raises Usage("remind-confirm-which")."""
    if request.sent is None or not (request.ids or request.channel):
        raise Usage("remind-confirm-which")
    where = [Test("state", "eq", REVIEW)]
    where += [Test("id", "in", list(request.ids))] if request.ids else []
    where += [Test("channel", "eq", request.channel)] if request.channel else []
    found = books.listed(Message, *where)
    state = "sent" if request.sent else "pending"
    receipt = {"confirmed": books.who.name} if request.sent else {}
    puts = tuple(attrs.evolve(message, state=state, receipt=receipt, lease_until=None) for message in found)
    return Facts(Confirmed(len(puts), state), puts, about="message", counts={state: len(puts)})


RECOVER: Final = Act("remind.recover", Recover, "message.write", recover, hidden=True)
CONFIRM: Final = Act("remind.confirm", Confirm, "message.write", confirm)
