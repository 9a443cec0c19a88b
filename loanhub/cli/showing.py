"""Answers for a reader: tables and records with the labels, units and words of this home."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, tzinfo
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import attrs
import polars as pl
from attrs import field, frozen
from rich.console import Console
from rich.table import Table
from rich.text import Text

from loanhub import money
from loanhub.entities import KINDS, Entity
from loanhub.fields import Field, FieldType, fields_of
from loanhub.policy import Masked, Shown
from loanhub.texts import Lang, catalogue, render

if TYPE_CHECKING:
    from loanhub.cli.session import Session
    from loanhub.words import Words

PIPE_WIDTH: Final = 200
"""Columns when nobody looks at a terminal: rows are then read by other programs, not by eye."""
MOST_COLUMNS: Final = 9
SAID_AS: Final = {
    "Hit.why": "found",
    "Hit.match": "match",
    "Approval.state": "pending.state",
    "Flag.code": "flag",
    "Graded.reasons": "reason",
    "Graded.status": "rating.status",
    "Rating.status": "rating.status",
    "BatchLine.status": "batch.status",
    "Batch.status": "batch.status",
    "Kept.reason": "kept",
    "Reminder.state": "remind.state",
    "Reminder.template": "remind.template",
    "ColumnPlan.how": "how",
    "Question.code": "question",
}
"""Where the words of an attribute's codes stand: `found.name` for a Hit whose `why` is `name`."""
PATHS: Final = frozenset({"Merged.filled", "Conflict.field", "Unmerged.emptied", "Unmerged.changed"})
"""Attributes that name fields by their paths."""
COLUMNS: Final = {
    "Reminder": ("id", "state", "planned_for", "customer", "loan_id", "template", "channel", "why"),
    "BatchLine": (
        "id",
        "name",
        "owner",
        "status",
        "kind",
        "rows",
        "stored",
        "conflicts",
        "rejected",
        "received",
    ),
    "Rating": ("id", "customer_id", "as_of", "status", "grade", "outcomes"),
    "loan": (
        "id",
        "loan_no",
        "product",
        "amount",
        "balance",
        "rate",
        "status",
        "next_due_date",
        "overdue_days",
    ),
    "Approval": (
        "id",
        "state",
        "kind",
        "title",
        "changes",
        "maker",
        "asked",
        "batch",
        "decided_by",
        "reason",
    ),
    "SheetPlan": ("sheet", "header_row", "subject", "columns", "questions"),
}
"""What a table of many shows of each; of others the first columns that say something."""
LOOKED_UP: Final = ("loan", "customer", "credit", "follow_up", "collateral", "document")
"""Where the label and type of an attribute named like a field are found."""
HIDDEN: Final = frozenset({"version", "dedup", "digest", "extra", "inputs", "lease_until", "facts"})


def console(session: Session) -> Console:
    """The console for answers, on stdout."""
    width = None if sys.stdout.isatty() else PIPE_WIDTH
    return Console(
        file=sys.stdout, width=width, no_color=not session.colour, highlight=False, markup=False, emoji=False
    )


def shower(session: Session, answer: Any) -> Callable[[Console], None] | None:
    """What draws the answer; nothing when a program reads."""
    if session.wishes.json:
        return None
    view = Reader(session.words, session.lang, session.house.zone)
    return lambda shown: view.show(shown, answer)


@frozen
class Reader:
    """Draws answers with the words of one home in one language."""

    words: Words = field(repr=False)
    lang: Lang
    zone: tzinfo = UTC

    def show(self, shown: Console, answer: Any, title: str = "") -> None:
        """Draw anything an act answers."""
        if answer is None:
            return
        if isinstance(answer, pl.DataFrame):
            answer = answer.to_dicts()
        if isinstance(answer, Entity | Shown):
            self._pairs(shown, self._fields(answer), title or self._title(answer))
        elif isinstance(answer, Mapping):
            self._object(shown, answer, title)
        elif isinstance(answer, list | tuple):
            self._list(shown, answer, title)
        elif attrs.has(type(answer)) and not isinstance(answer, Masked):
            self._object(shown, _attributes(answer), title, type(answer).__name__)
        else:
            shown.print(self.value("", answer))

    # -- parts -----------------------------------------------------------------------------------------

    def _object(self, shown: Console, values: Mapping[str, Any], title: str, kind: str = "") -> None:
        """An answer: its plain values first, then what is nested in it."""
        values = {name: value for name, value in values.items() if not _idle(value) and name not in HIDDEN}
        simple = {name: value for name, value in values.items() if not _nested(value)}
        pairs = [(self.label(n, kind), self.value(n, v, simple, kind)) for n, v in simple.items()]
        self._pairs(shown, pairs, title)
        for name, value in values.items():
            if _nested(value):
                self.show(shown, value, self.label(name, kind))

    def _list(self, shown: Console, answer: Sequence[Any], title: str) -> None:
        if not answer:
            shown.print(render("label.nothing", self.lang).text)
            return
        if not any(_nested(one) for one in answer):
            shown.print(
                f"{title}: " if title else "", ", ".join(self.value("", one) for one in answer), sep=""
            )
            return
        kind = _kind(answer[0])
        rows = [_row(one) for one in answer]
        names = [n for n in dict.fromkeys(n for row in rows for n in row) if n not in HIDDEN]
        wanted = COLUMNS.get(kind) or names
        used = [n for n in wanted if any(not _idle(row.get(n)) for row in rows)]
        used = used if kind in COLUMNS else used[:MOST_COLUMNS]
        table = Table(title=title or None, title_justify="left", header_style="bold")
        for name in used:
            numeric = all(isinstance(row.get(name), int | Decimal | None) for row in rows)
            table.add_column(self.label(name, kind), justify="right" if numeric else "left", overflow="fold")
        for row in rows:
            table.add_row(*(Text(self.value(n, row.get(n), row, kind)) for n in used))
        shown.print(table)

    def _pairs(self, shown: Console, pairs: Sequence[tuple[str, str]], title: str) -> None:
        if not pairs:
            return
        table = Table(show_header=False, title=title or None, title_justify="left", box=None, pad_edge=False)
        table.add_column(style="bold", no_wrap=True)
        table.add_column(overflow="fold")
        for label, value in pairs:
            table.add_row(Text(label), Text(value))
        shown.print(table)

    def _title(self, answer: Entity | Shown) -> str:
        kind = answer.kind if isinstance(answer, Shown) else answer.KIND
        return f"{self.words.kind(kind, self.lang)} {answer.id}"

    def _fields(self, answer: Entity | Shown) -> list[tuple[str, str]]:
        """The fields that say something, each under its label."""
        kind = answer.kind if isinstance(answer, Shown) else answer.KIND
        values = answer.values if isinstance(answer, Shown) else _attributes(answer)
        found = []
        for name, about in fields_of(KINDS[kind]).items():
            value = values.get(name)
            if name == "extra" and isinstance(value, Mapping):
                found += [(self.words.label(f"{kind}.{n}", self.lang), str(v)) for n, v in value.items()]
            elif not _empty(value) and name not in HIDDEN:
                found.append((self._field_label(about), self.typed(about, value)))
        return found

    # -- words -----------------------------------------------------------------------------------------

    def label(self, name: str, kind: str = "") -> str:
        """What an attribute of an answer is called; `kind` is the class of the answer."""
        for code in (f"answer.{kind}.{name}", f"answer.{name}", f"count.{name}"):
            if code in catalogue():
                return render(code, self.lang).text
        for record in (name, name.removesuffix("s")):
            if record in KINDS:
                return self.words.kind(record, self.lang)
        about = _looked_up(name)
        return self._field_label(about) if about is not None else name.replace("_", " ")

    def _field_label(self, about: Field) -> str:
        label = self.words.label(about.path, self.lang)
        if label != about.path:
            return label
        code = f"answer.{about.name}"
        return render(code, self.lang).text if code in catalogue() else about.name.replace("_", " ")

    def value(self, name: str, value: Any, row: Mapping[str, Any] | None = None, kind: str = "") -> str:
        """A value for a reader: by the type of the field it is named like, else by its own.

        A word may have its own message, `NAME.VALUE` or as SAID_AS tells, or be a code itself.
        """
        row = row or {}
        if isinstance(value, str) and value:
            if f"{kind}.{name}" in PATHS:
                return self.words.label(value, self.lang)
            for code in (f"{SAID_AS.get(f'{kind}.{name}', name)}.{value}", f"{name}.{value}", value):
                if "." in code and code in catalogue():
                    return render(code, self.lang, **_facts(row)).text
        if name == "outcomes":
            codes = dict.fromkeys(one["reason"] for one in value or () if one.get("reason"))
            return " ".join(self.value("", f"reason.{code}") for code in codes)
        if isinstance(value, list | tuple) and value:
            lines = "\n" if _nested(value) else ", "
            return lines.join(self.value(name, one, row, kind) for one in value)
        about = _looked_up(name)
        if name == "kind" and value in KINDS:
            return self.words.kind(str(value), self.lang)
        return self.typed(about, value) if about is not None else self._own(value)

    def _brief(self, values: Mapping[str, Any], kind: str) -> str:
        """Something nested, in one line: a change from what to what, else its attributes."""
        if values.keys() >= {"field", "before", "after"}:
            label = self.words.label(values["field"], self.lang)
            return f"{label}: {self._own(values['before'])} → {self._own(values['after'])}"
        if kind == "ColumnPlan":
            field_ = values["field"]
            return f"{values['header']} = {self.words.label(field_, self.lang) if field_ else '-'}"
        if kind == "Question":
            asked = self.value("code", values["code"], values, kind)
            return f"{values['header']}: {asked} {', '.join(values['candidates'])}"
        shown = {n: v for n, v in values.items() if not _idle(v)}
        return ", ".join(f"{self.label(n, kind)} {self.value(n, v, shown, kind)}" for n, v in shown.items())

    def typed(self, about: Field, value: Any) -> str:
        """A value of a field: money in yuan, rates in percent, choices in words."""
        if isinstance(value, Masked) or value is None:
            return "" if value is None else str(value)
        if about.type is FieldType.MONEY and isinstance(value, int):
            return money.yuan(value)
        if about.type in (FieldType.RATE, FieldType.RATIO) and isinstance(value, Decimal):
            return f"{(value * 100).normalize():f}%"
        if about.choices is not None or about.type is FieldType.YES_NO:
            return self.words.shown(about.path, value, self.lang)
        return self._own(value)

    def _own(self, value: Any) -> str:
        if value is None:
            return ""
        if isinstance(value, bool):
            return render("label.yes" if value else "label.no", self.lang).text
        if isinstance(value, datetime):
            return f"{value.astimezone(self.zone):%Y-%m-%d %H:%M}"
        if isinstance(value, date):
            return value.isoformat()
        if isinstance(value, Mapping):
            return ", ".join(f"{key}={self._own(one)}" for key, one in value.items())
        if isinstance(value, list | tuple):
            return ", ".join(self._own(one) for one in value)
        if attrs.has(type(value)) and not isinstance(value, Masked):
            return self._brief(_attributes(value), type(value).__name__)
        return str(value)


def _attributes(answer: Any) -> dict[str, Any]:
    return {a.name: getattr(answer, a.name) for a in attrs.fields(type(answer)) if a.name[0] != "_"}


def _kind(one: Any) -> str:
    """How COLUMNS and the words name what a list holds."""
    if isinstance(one, Shown):
        return one.kind
    return one.KIND if isinstance(one, Entity) and one.KIND in COLUMNS else type(one).__name__


def _row(one: Any) -> Mapping[str, Any]:
    if isinstance(one, Mapping):
        return one
    if isinstance(one, Shown):
        return {"id": one.id, **one.values}
    return _attributes(one) if attrs.has(type(one)) else {"": one}


def _nested(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return any(_nested(one) for one in value)
    return isinstance(value, Mapping | pl.DataFrame) or (
        attrs.has(type(value)) and not isinstance(value, Masked)
    )


def _idle(value: Any) -> bool:
    """Whether an answer's attribute says nothing a reader must know: nothing, or a plain no."""
    return value is False or _empty(value)


def _empty(value: Any) -> bool:
    return value is None or (isinstance(value, str | list | tuple | Mapping) and not value)


def _facts(row: Mapping[str, Any]) -> dict[str, Any]:
    """What the words of a reason may name: the other attributes beside it."""
    offset = row.get("offset")
    return {**row, "days": abs(offset)} if isinstance(offset, int) else dict(row)


def _looked_up(name: str) -> Field | None:
    for kind in LOOKED_UP:
        about = fields_of(KINDS[kind]).get(name)
        if about is not None:
            return about
    return None
