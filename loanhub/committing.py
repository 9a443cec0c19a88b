"""Facts into the store, the one place that writes: reviewed, sealed, put with history, indexed, logged.

Everything an act decided is put inside the making of its audit line, so every row names the line that
wrote it, and a line stands if and only if its rows do.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from attrs import define, evolve, field

from loanhub import audit, searching
from loanhub.acts import Act, Facts
from loanhub.audit import Head, Line
from loanhub.books import DeskBooks
from loanhub.entities import KINDS, Entity
from loanhub.entities import Pending as Wish
from loanhub.entities import Sequence as IdSequence
from loanhub.kinds import WriteTx
from loanhub.policy import View
from loanhub.records import BESIDE, Columns, Diff, Record, columns_of, seal
from loanhub.review import review
from loanhub.schema import DERIVED

if TYPE_CHECKING:
    from loanhub.desk import Desk

META: Final = frozenset({"id", "version", "at", "line"})
HOUSE_KINDS: Final = frozenset(
    {
        "sequence",
        "statement",
        "layout",
        "pending",
        "message",
        "rating",
        "batch",
        "account",
        "sign_in",
        "delegation",
        *DERIVED,
    }
)
"""Kinds of the house itself: the act's own permission is enough to write them."""
LISTED: Final = 20
"""Ids an audit line names; of more it gives the counts only."""


@define
class Commit:
    """One act's facts on their way into the store, and what was written, for the audit line."""

    desk: Desk
    tx: WriteTx
    books: DeskBooks
    act: Act[Any, Any]
    diffs: list[Diff] = field(factory=list)
    pending: list[int] = field(factory=list)

    def write(self, facts: Facts[Any], *, key: str | None = None) -> None:
        """Put all, and append the line. `key` is remembered, so that it is not done twice."""

        def make(head: Head) -> Sequence[Line]:
            line = head.seq + 1
            puts = self._reviewed(facts)
            if key is not None:
                number = self.books.allot(IdSequence.KIND)
                puts.append(IdSequence(id=number, name=f"done:{key}", next=line))
            for columns in [*as_columns(puts), *columns_of(self._sequences())]:
                self._put(columns, line)
            return [audit.link(head, self.entry(facts))]

        self.tx.append(make)

    def entry(self, facts: Facts[Any]) -> audit.Entry:
        """What the audit line says."""
        return audit.Entry(
            at=self.books.now,
            who=self.desk.who,
            act=self.act.name,
            object=facts.about or self._objects(),
            fields=tuple(self._fields()),
            reason=facts.reason,
            outcome=facts.outcome,
            counts={**self._counts(), **facts.counts},
        )

    def _reviewed(self, facts: Facts[Any]) -> list[Entity | Columns]:
        """The puts with changes of reviewed fields taken out, and those changes as wishes that wait."""
        view = View(self.desk.who, self.desk.house.dictionary)
        found: list[Entity | Columns] = []
        for columns in as_columns(facts.puts):
            if columns.kind not in HOUSE_KINDS and columns.kind not in self.act.covers:
                view.allow(f"{columns.kind}.write")
            if self.act.confirms:
                found.append(columns)
                continue
            checked = review(columns, self.tx, self.desk.house.field_keys)
            found.append(checked.columns)
            for wish in checked.wishes:
                number = self.books.allot(Wish.KIND)
                self.pending.append(number)
                maker, now = self.desk.who.name, self.books.now
                asked = evolve(wish, id=number, act="change", maker=maker, asked=now)
                found.append(self.books.signed(asked, "maker"))
        return found

    def _sequences(self) -> list[Entity]:
        """The id counters that were moved on; a new one's own id is made of its name."""
        return [
            evolve(s, id=int.from_bytes(hashlib.sha256(s.name.encode()).digest()[:6])) if s.id == 0 else s
            for s in self.books.sequences.values()
        ]

    def _put(self, columns: Columns, line: int) -> None:
        if columns.frame.is_empty():
            return
        if columns.kind in KINDS and not columns.gone:
            columns = seal(columns, self.desk.house.field_keys)
        diff = self.tx.put(columns, at=self.books.now, line=line)
        if columns.kind in DERIVED:
            return
        self.diffs.append(diff)
        if columns.kind in searching.INDEXED:
            for change in searching.changes(columns, diff, self.tx.columns, new=self.act.indexes):
                self.tx.put(change, at=self.books.now, line=line)
            if not self.act.indexes and diff.new:
                self.desk.postponed.append(searching.new_records(columns, diff))

    def _fields(self) -> set[str]:
        return {
            f"{diff.kind}.{name}"
            for diff in self.diffs
            for before, after in diff.changed
            for name in after
            if name not in META and not name.endswith(BESIDE) and _differs(name, before, after)
        }

    def _counts(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for diff in self.diffs:
            sizes = {"new": len(diff.new), "changed": len(diff.changed), "gone": len(diff.removed)}
            for verb, n in sizes.items():
                if n and diff.kind != IdSequence.KIND:
                    found[f"{diff.kind}.{verb}"] = found.get(f"{diff.kind}.{verb}", 0) + n
        return found

    def _objects(self) -> str:
        ids = [
            f"{diff.kind}:{key}"
            for diff in self.diffs
            if diff.kind not in HOUSE_KINDS
            for key in (*diff.new, *(a["id"] for _, a in diff.changed), *(r["id"] for r in diff.removed))
        ]
        return " ".join(ids) if len(ids) <= LISTED else ""


def _differs(name: str, before: Record, after: Record) -> bool:
    """Whether a field changed; of a sealed one the blind index says so, its ciphertext is always new."""
    told = f"{name}_blind" if f"{name}_blind" in after else name
    return bool(before.get(told) != after[told])


def as_columns(puts: Sequence[Entity | Columns]) -> list[Columns]:
    """Puts in order, runs of entities gathered into columns by kind."""
    found: list[Columns] = []
    loose: list[Entity] = []
    for put in puts:
        if isinstance(put, Columns):
            found += [*columns_of(loose), put]
            loose = []
        else:
            loose.append(put)
    return [*found, *columns_of(loose)]
