"""A merge taken back: the other record is seen again, with what was its own, read from the history.

What goes back is what stood on the other the moment before the merge and went with it ever since.
What was written since stays with the survivor, except what is about a loan, follow-up or paper that goes
back: that goes with it. A field the merge filled in is emptied again unless it was changed since.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from attrs import define, evolve, field, frozen

from loanhub.acts import Books, Facts, param
from loanhub.entities import Customer, Entity
from loanhub.errors import Usage
from loanhub.fields import fields_of
from loanhub.records import Query, Record, Test, moment
from loanhub.services.people.belonging import OWNER, counted, path, referring, stated, with_values
from loanhub.services.people.person import customer_of, target_of

TICK = timedelta(microseconds=1)
"""The step of the history: the moment before a change."""


@frozen
class UnmergeCustomer:
    """Take back the merge of a customer into another."""

    id: int = param(argument=True)
    reason: str = param(default="")


@frozen
class MergedCustomer:
    """What taking back the merge of a customer would do."""

    id: int = param(argument=True)


@frozen
class Unmerged:
    """What an unmerge does: records that go back by kind, those written since that stay with the survivor,
    fields emptied again there, and fields changed there since, which stay as they are.
    """

    id: int
    survivor: int
    merged: datetime
    back: Mapping[str, int]
    stay: Mapping[str, int]
    emptied: tuple[str, ...]
    changed: tuple[str, ...]


def unmerge(books: Books, request: UnmergeCustomer) -> Facts[Unmerged]:
    """Both as they were. Raises Usage("not-merged", "reason-needed"), NotFound("customer-unknown")."""
    if not request.reason.strip():
        raise Usage("reason-needed")
    answer, puts = _decided(books, request.id)
    about = f"customer:{answer.survivor} customer:{answer.id}"
    return Facts(answer, puts, about=about, reason=request.reason.strip())


def merged(books: Books, request: MergedCustomer) -> Facts[Unmerged]:
    """What an unmerge would do; nothing is written. Raises what `unmerge` does."""
    answer, _ = _decided(books, request.id)
    return Facts(answer)


def _decided(books: Books, key: int) -> tuple[Unmerged, tuple[Entity, ...]]:
    other = customer_of(books, key)
    if other.merged_into is None:
        raise Usage("not-merged", id=key)
    work = _Unmerging(books, other, target_of(books, other).id, _whereabouts(books, key))
    work.find()
    work.empty()
    answer = Unmerged(
        other.id,
        work.survivor,
        work.at,
        counted(work.back.values()),
        counted(work.newer.values()),
        tuple(path(name) for name in work.emptied),
        tuple(path(name) for name in work.changed),
    )
    return answer, (*work.back.values(), *work.keepers, evolve(other, merged_into=None))


@define
class _Unmerging:
    """One merge being taken back; records are known by kind and id."""

    books: Books
    other: Customer
    survivor: int
    whereabouts: dict[datetime, int]
    """Into whom the other was merged from which moment on: survivors are merged as well."""
    back: dict[tuple[str, int], Entity] = field(factory=dict)
    newer: dict[tuple[str, int], Entity] = field(factory=dict)
    keepers: list[Customer] = field(factory=list)
    emptied: list[str] = field(factory=list)
    changed: list[str] = field(factory=list)

    @property
    def at(self) -> datetime:
        """When it was merged."""
        return min(self.whereabouts)

    def find(self) -> None:
        """What goes back, and what was written since and stays."""
        for kind, names in referring(Customer.KIND).items():
            self._find(kind, names)
        while follows := [key for key, entity in self.newer.items() if self._follows(entity)]:
            for key in follows:
                self.back[key] = evolve(self.newer.pop(key), **{OWNER: self.other.id})

    def _find(self, kind: type[Entity], names: tuple[str, ...]) -> None:
        here = [Test(name, "eq", self.survivor) for name in names]
        now = {entity.id: entity for test in here for entity in self.books.listed(kind, test)}
        known = Test("id", "in", sorted(now))
        then = {e.id: e for e in self.books.listed(kind, known, as_of=self.at - TICK)} if now else {}
        mine = {
            key: {name for name in names if getattr(then[key], name) == self.other.id}
            for key in now.keys() & then.keys()
        }
        self._forget_who_left(kind, mine)
        for key, entity in now.items():
            if mine.get(key):
                self.back[kind.KIND, key] = evolve(entity, **dict.fromkeys(mine[key], self.other.id))
            elif key not in then and getattr(entity, OWNER, None) == self.survivor:
                self.newer[kind.KIND, key] = entity

    def _forget_who_left(self, kind: type[Entity], mine: dict[int, set[str]]) -> None:
        """Keep the attributes that at every version since the merge said where the other then was.

        One that did not was given back to somebody else meanwhile, and came here another way if at all.
        """
        rows = self._rows(kind, [key for key, names in mine.items() if names])
        while rows:
            earlier: dict[datetime, list[int]] = {}
            for row in rows:
                written = _moment(row["at"])
                if written >= self.at:
                    there = self.whereabouts[max(at for at in self.whereabouts if at <= written)]
                    mine[row["id"]] = {name for name in mine[row["id"]] if row[name] == there}
                    earlier.setdefault(written - TICK, []).append(row["id"])
            rows = [row for at, keys in earlier.items() for row in self._rows(kind, keys, at)]

    def _rows(self, kind: type[Entity], keys: list[int], as_of: datetime | None = None) -> list[Record]:
        if not keys:
            return []
        return self.books.columns(Query(kind.KIND, (Test("id", "in", keys),), as_of=as_of)).to_dicts()

    def _follows(self, entity: Entity) -> bool:
        """Whether it is about something that goes back."""
        known = fields_of(type(entity))
        return any((a.refers, getattr(entity, name)) in self.back for name, a in known.items() if a.refers)

    def empty(self) -> None:
        """Take from whoever it was merged into, and into whom those were merged since, what came from it."""
        came: dict[str, Any] | None = None
        for keeper, filled in _filled_since(self.books, self.other, self.at):
            came = {n: v for n, v in filled.items() if came is None or (n, v) in came.items()}
            now = stated(keeper)
            gone = [name for name, value in came.items() if now.get(name) == value]
            if keeper.id == self.survivor:
                self.emptied = gone
                self.changed = [name for name in came if name in now and name not in gone]
            if gone:
                self.keepers.append(with_values(keeper, dict.fromkeys(gone)))


def _filled_since(books: Books, other: Customer, at: datetime) -> Iterator[tuple[Customer, dict[str, Any]]]:
    """Who took the other in, and who took that one in, ...: as they are now, and what was filled in then."""
    while True:
        taker = customer_of(books, other.id, at).merged_into
        assert taker is not None
        before, after = (stated(customer_of(books, taker, then)) for then in (at - TICK, at))
        keeper = customer_of(books, taker)
        yield keeper, {name: value for name, value in after.items() if name not in before}
        if keeper.merged_into is None:
            return
        other, at = keeper, min(_whereabouts(books, keeper.id))


def _whereabouts(books: Books, key: int) -> dict[datetime, int]:
    """Into whom a merged customer was merged from which moment on, since it was last seen."""
    one, found = Test("id", "eq", key), dict[datetime, int]()
    row = books.columns(Query(Customer.KIND, (one,)))
    while not row.is_empty() and (into := row["merged_into"][0]) is not None:
        at = _moment(row["at"][0])
        found[at] = into
        row = books.columns(Query(Customer.KIND, (one,), as_of=at - TICK))
    return found


def _moment(text: str) -> datetime:
    found = moment(text)
    assert found is not None
    return found
