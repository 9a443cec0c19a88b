"""The truth as plain lists: books over entities in memory, for tests of acts without a home."""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import UTC, date, datetime
from typing import Any

import attrs
import polars as pl

from loanhub.acts import Act, Books, Facts, Offered
from loanhub.entities import KINDS, Entity
from loanhub.errors import NotFound
from loanhub.fields import FieldType, fields_of
from loanhub.policy import host_operator
from loanhub.records import Query, Record, Test, plain_schema, to_entity, to_record
from loanhub.settings import Settings, default

OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
    "in": lambda value, among: value in among,
}


class ListBooks(Books):
    """Books over lists. `known` tells when a record came to be known; without, it always was."""

    def __init__(
        self,
        *entities: Entity,
        today: date,
        offered: Offered | None = None,
        landing: dict[str, set[int]] | None = None,
        known: dict[tuple[str, int], datetime] | None = None,
    ) -> None:
        self.today = today
        self.now = datetime(today.year, today.month, today.day, 1, tzinfo=UTC)
        self.who = host_operator("tester")
        self.settings = Settings(institution="样例小贷")
        self.plugins = offered or Offered()
        self.kept = {(entity.KIND, entity.id): to_record(entity) for entity in entities}
        self._landing = landing or {}
        self._known = known or {}

    def config(self, name: str) -> dict[str, Any]:
        return default(name)

    def get(self, kind: type[Any], key: int) -> Any:
        if (kind.KIND, key) not in self.kept:
            raise NotFound("no-record", kind=kind.KIND, id=key)
        return to_entity(kind.KIND, self.kept[kind.KIND, key])

    def find(self, q: Query) -> Iterator[Entity]:
        return (to_entity(q.kind, record) for record in self._matching(q))

    def columns(self, q: Query) -> pl.DataFrame:
        frame = pl.DataFrame(self._matching(q), schema=plain_schema(q.kind))
        days = [name for name, about in fields_of(KINDS[q.kind]).items() if about.type is FieldType.DATE]
        return frame.with_columns(pl.col(days).str.to_date())

    def allot(self, kind: str, n: int = 1) -> int:
        return max((key for held, key in self.kept if held == kind), default=0) + 1

    def landing(self, kind: str, among: Collection[int] | None = None) -> set[int]:
        found = self._landing.get(kind, set())
        return found if among is None else found & set(among)

    def put(self, puts: Iterable[Any]) -> None:
        """Write what an act decided, as a desk would."""
        for entity in puts:
            assert entity.id, "a record is given its id by the act"
            newer = attrs.evolve(entity, version=entity.version + 1)
            self.kept[entity.KIND, entity.id] = to_record(newer)

    def do(self, act: Act[Any, Any], request: Any) -> Any:
        """Ask, and write what was decided."""
        facts: Facts[Any] = act.decide(self, request)
        assert act.writes or not facts.puts
        self.put(facts.puts)
        return facts.answer

    def of(self, kind: str) -> list[Any]:
        """All records of a kind, in order of id."""
        return list(self.find(Query(kind)))

    def _matching(self, q: Query) -> list[Record]:
        found = [
            record
            for (kind, key), record in self.kept.items()
            if kind == q.kind
            and all(_holds(test, record) for test in q.where)
            and not (q.as_of and (kind, key) in self._known and self._known[kind, key] >= q.as_of)
        ]
        found.sort(key=lambda record: record[q.order.field], reverse=q.order.down)
        return found[: q.limit]


def _holds(test: Test, record: Record) -> bool:
    value = record[test.field]
    if test.op in ("null", "not_null"):
        return (value is None) == (test.op == "null")
    return value is not None and OPERATORS[test.op](value, test.value)
