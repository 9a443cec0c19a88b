"""One person at one institution: acts decide, and only the desk writes.

`Desk.do`: allow, open a transaction, decide, review (a change of a reviewed field becomes pending, facts of
a live loan change by events only), put with history, keep the search keys, append the audit line, commit,
tell the listeners, mask the answer. Written once, for every act.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import cattrs
import polars as pl
from attrs import define, evolve, field, frozen

from loanhub import audit, searching
from loanhub.acts import Act, Asked, Facts
from loanhub.books import DeskBooks
from loanhub.entities import KINDS, Entity, Pending
from loanhub.entities import Sequence as IdSequence
from loanhub.errors import NotAllowed
from loanhub.kinds import Head, Line, WriteTx
from loanhub.policy import Principal, View
from loanhub.records import Columns, Diff, Query, Record, Test, columns_of, seal
from loanhub.review import Reviewed, review
from loanhub.schema import SEARCH_KEY

if TYPE_CHECKING:
    from loanhub.institution import Institution

Request = TypeVar("Request")
Answer = TypeVar("Answer")

META = frozenset({"id", "version", "at", "line"})
HOUSE_KINDS = frozenset({"sequence", "statement", "layout", "pending", "message", "rating", "batch"})
"""Kinds of the house itself: the act's own permission is enough to write them."""
LISTED = 20
"""Ids of one kind an audit line names; of more it gives the count."""


BESIDE = ("_blind", "_tail")
"""Endings of the columns that stand beside a sealed field."""


def _differs(name: str, before: Record, after: Record) -> bool:
    """Whether a field changed; of a sealed one the blind index says so, its ciphertext is always new."""
    told = f"{name}_blind" if f"{name}_blind" in after else name
    return before.get(told) != after[told]


@frozen
class Repeated:
    """The answer to an idempotency key seen before: the audit line of the first time."""

    line: int


@define
class _Written:
    """What one act wrote, gathered for its audit line."""

    diffs: list[Diff] = field(factory=list)
    pending: list[int] = field(factory=list)

    def fields(self) -> set[str]:
        return {
            f"{diff.kind}.{name}"
            for diff in self.diffs
            for before, after in diff.changed
            for name in after
            if name not in META and not name.endswith(BESIDE) and _differs(name, before, after)
        }

    def counts(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for diff in self.diffs:
            for verb, n in (
                ("new", len(diff.new)),
                ("changed", len(diff.changed)),
                ("gone", len(diff.removed)),
            ):
                if n and diff.kind != IdSequence.KIND:
                    found[f"{diff.kind}.{verb}"] = found.get(f"{diff.kind}.{verb}", 0) + n
        return found

    def objects(self) -> str:
        ids = [
            f"{diff.kind}:{key}"
            for diff in self.diffs
            if diff.kind not in HOUSE_KINDS
            for key in (*diff.new, *(a["id"] for _, a in diff.changed), *(r["id"] for r in diff.removed))
        ]
        return " ".join(ids) if len(ids) <= LISTED else ""


@define(eq=False)
class Desk:
    """Where one principal asks acts of one institution."""

    house: Institution = field(repr=False)
    who: Principal
    postponed: list[pl.DataFrame] = field(factory=list, repr=False)
    """Search keys of new records that acts with `indexes=False` left to be put afterwards."""

    def do(
        self, act: Act[Request, Answer], request: Request, *, preview: bool = False, key: str | None = None
    ) -> Answer:
        """Ask. `preview` decides and writes nothing. `key` makes it happen once.

        An answer with an attribute `waiting` gets the ids of changes that wait for confirmation. May
        answer `Asked` (a second person is needed) or `Repeated` (the key was seen before) instead.
        Raises NotAllowed (logged as a denial), what the act raises, Busy or Stale from the store.
        """
        view = View(self.who)
        self._allow(view, act)
        if not act.writes:
            return self._read(view, act, request)
        with self.house.store.writing() as tx:
            books = DeskBooks.over(self.house, tx, self.who)
            if key is not None and (line := _seen(tx, key)):
                return Repeated(line)  # type: ignore[return-value]
            if act.checker and self.house.has_accounts:
                return self._ask(tx, books, act, request)  # type: ignore[return-value]
            facts = act.decide(books, request)
            written = _Written() if preview else self._write(tx, books, act, facts, key)
        if not preview:
            self._tell()
        answer = facts.answer
        if written.pending:
            answer = evolve(answer, waiting=tuple(written.pending))  # type: ignore[misc]
        return answer if act.hidden else view.mask(answer)  # type: ignore[no-any-return]

    def do_many(self, act: Act[Request, Answer], requests: Sequence[Request]) -> list[Answer]:
        """Up to 100 requests in one transaction: all or none. Raises ValueError for more."""
        if len(requests) > 100:
            raise ValueError("at most 100 requests in one transaction")
        with self.house.store.writing():
            return [self.do(act, request) for request in requests]

    # -- steps ---------------------------------------------------------------------------------------

    def _allow(self, view: View, act: Act[Any, Any]) -> None:
        try:
            view.allow(act.needs)
        except NotAllowed:
            with self.house.store.writing() as tx:
                entry = audit.Entry(self.house.clock.now(), self.who, act.name, outcome="denied")
                tx.append(lambda head: [_line(head, entry)])
            self._tell()
            raise

    def _read(self, view: View, act: Act[Request, Answer], request: Request) -> Answer:
        if act.audited:
            with self.house.store.writing() as tx:
                facts = act.decide(DeskBooks.over(self.house, tx, self.who), request)
                entry = self._entry(self.house.clock.now(), act, facts, _Written())
                tx.append(lambda head: [_line(head, entry)])
            self._tell()
        else:
            with self.house.store.reading() as read:
                facts = act.decide(DeskBooks.over(self.house, read, self.who), request)
        return facts.answer if act.hidden else view.mask(facts.answer)  # type: ignore[no-any-return]

    def _ask(self, tx: WriteTx, books: DeskBooks, act: Act[Any, Any], request: Any) -> Asked:
        values = cattrs.unstructure(request)
        text = json.dumps(values, ensure_ascii=False, sort_keys=True, default=str)
        wish = Pending(
            id=books.allot(Pending.KIND),
            act=act.name,
            request=json.loads(text),
            digest=hashlib.sha256(f"{act.name}\n{text}".encode()).hexdigest(),
            maker=self.who.name,
            asked=books.now,
        )
        self._write(tx, books, act, Facts(None, (wish,), about=f"pending:{wish.id}"), None, "asked")
        return Asked(wish.id)

    def _write(
        self,
        tx: WriteTx,
        books: DeskBooks,
        act: Act[Any, Any],
        facts: Facts[Any],
        key: str | None,
        outcome: str = "done",
    ) -> _Written:
        """Put all the act decided inside the making of its audit line, so that every row names its line."""
        written = _Written()

        def make(head: Head) -> Sequence[Line]:
            puts = self._reviewed(tx, books, act, facts, written)
            if key is not None:
                number = books.allot(IdSequence.KIND)
                puts.append(IdSequence(id=number, name=f"done:{key}", next=head.seq + 1))
            for columns in [*_as_columns(puts), *columns_of(self._sequences(books))]:
                self._put(tx, columns, books, head.seq + 1, act, written)
            entry = self._entry(books.now, act, facts, written)
            return [_line(head, evolve(entry, outcome=outcome))]

        tx.append(make)
        return written

    def _reviewed(
        self, tx: WriteTx, books: DeskBooks, act: Act[Any, Any], facts: Facts[Any], written: _Written
    ) -> list[Entity | Columns]:
        view = View(self.who)
        found: list[Entity | Columns] = []
        for columns in _as_columns(facts.puts):
            if columns.kind not in HOUSE_KINDS and columns.kind != SEARCH_KEY:
                view.allow(f"{columns.kind}.write")
            if act.confirms:
                found.append(columns)
                continue
            checked: Reviewed = review(columns, tx, self.house.field_keys)
            found.append(checked.columns)
            for wish in checked.wishes:
                number = books.allot(Pending.KIND)
                written.pending.append(number)
                found.append(evolve(wish, id=number, act="change", maker=self.who.name, asked=books.now))
        return found

    def _sequences(self, books: DeskBooks) -> list[Entity]:
        fresh = []
        for sequence in list(books.sequences.values()):
            if sequence.id == 0:
                sequence = evolve(
                    sequence, id=int.from_bytes(hashlib.sha256(sequence.name.encode()).digest()[:6])
                )
            fresh.append(sequence)
        return list(fresh)

    def _put(
        self,
        tx: WriteTx,
        columns: Columns,
        books: DeskBooks,
        line: int,
        act: Act[Any, Any],
        written: _Written,
    ) -> None:
        if columns.frame.is_empty():
            return
        if columns.kind in KINDS and not columns.gone:
            columns = seal(columns, self.house.field_keys)
        diff = tx.put(columns, at=books.now, line=line)
        if columns.kind == SEARCH_KEY:
            return
        written.diffs.append(diff)
        if columns.kind in searching.INDEXED:
            for change in searching.changes(columns, diff, new=act.indexes):
                tx.put(change, at=books.now, line=line)
            if not act.indexes and diff.new:
                self.postponed.append(searching.new_keys(columns, diff))

    def _entry(self, now: Any, act: Act[Any, Any], facts: Facts[Any], written: _Written) -> audit.Entry:
        return audit.Entry(
            at=now,
            who=self.who,
            act=act.name,
            object=facts.about or written.objects(),
            fields=tuple(written.fields()),
            reason=facts.reason,
            counts={**written.counts(), **facts.counts},
        )

    def _tell(self) -> None:
        """Tell listeners of lines they have not heard; each has its own place in the log."""
        if self.house.plugins.listens:
            self.house.tell()


def _seen(tx: WriteTx, key: str) -> int:
    q = Query(IdSequence.KIND, (Test("name", "eq", f"done:{key}"),))
    found: Record | None = next(iter(tx.find(q)), None)
    return 0 if found is None else int(found["next"])


def _as_columns(puts: Sequence[Entity | Columns]) -> list[Columns]:
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


def _line(head: Head, entry: audit.Entry) -> Line:
    values = audit.values_of(head.seq + 1, entry)
    return Line(
        seq=head.seq + 1,
        at=entry.at,
        who=str(values["who"]),
        role=entry.who.role,
        via=entry.who.via,
        act=entry.act,
        object=str(values["object"]),
        fields=tuple(sorted(entry.fields)),
        reason=str(values["reason"]),
        outcome=entry.outcome,
        counts=dict(entry.counts),
        previous=head.hash,
        hash=audit.digest(values, head.hash),
    )
