"""A reminder as a list shows it, and the sentence that says why it is there."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from attrs import frozen

from loanhub import texts
from loanhub.entities import Message
from loanhub.policy import of
from loanhub.texts import Lang


@frozen
class Reminder:
    """One message: ids, never a phone or words. `why` is a message code; `explain` gives its sentence.

    `day` is the (earliest) day it is about, `offset` days from it to the reminder, `count` how many loans or
    follow-ups it stands for.
    """

    id: int
    state: str
    text_class: str
    template: str
    channel: str
    planned_for: date | None
    customer_id: int
    customer: str = of("customer.name")
    loan_id: int | None = of()
    day: date | None = of()
    offset: int = of()
    count: int = of()
    why: str = of()


def reminder(message: Message, names: Mapping[int, str]) -> Reminder:
    """What a list shows of a message; `names` by customer id."""
    items = message.facts.get("items", [])
    return Reminder(
        message.id,
        message.state,
        message.facts.get("class", ""),
        message.template,
        message.channel,
        message.planned_for,
        message.customer_id,
        names.get(message.customer_id, ""),
        message.loan_id,
        message.due_date,
        max((item["offset"] for item in items), default=0),
        len(items),
        message.why,
    )


def explain(about: Reminder, lang: Lang) -> str:
    """Why this reminder is there, or why it was not sent."""
    days = abs(about.offset)
    return texts.render(about.why, lang, day=about.day, days=days, count=about.count).text
