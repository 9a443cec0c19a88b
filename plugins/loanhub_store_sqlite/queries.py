"""Turns a Query into SQL: conditions, search keys, order, pages, and records as of a past moment.

Names of tables and columns come from the schema and are checked against it; values are always bound.
"""

# ruff: noqa: S608 - only names that stand in the schema are put into the text

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from attrs import define, field

from loanhub_store_sqlite.values import META, names, plain, recalled, stamp

if TYPE_CHECKING:
    from loanhub import Cursor, Order, Probe, Query, Table, Test

SEARCH_KEY: Final = "search_key"
LAST_CODE_POINT: Final = 0x10FFFF
SURROGATES: Final = range(0xD800, 0xE000)


@define
class Statement:
    """SQL put together from left to right, each value bound where its mark stands."""

    parts: list[str] = field(factory=list)
    values: list[Any] = field(factory=list)

    def add(self, sql: str, *values: Any) -> None:
        """Go on with `sql` and the values of its marks."""
        self.parts.append(sql)
        self.values += values

    @property
    def sql(self) -> str:
        """The whole text."""
        return " ".join(self.parts)


def quoted(*identifiers: str) -> str:
    """Names of columns or a table, as SQL writes them."""
    return ", ".join(f'"{name}"' for name in identifiers)


def selection(
    q: Query,
    tables: Mapping[str, Table],
    as_of: datetime | None = None,
    *also: Any,
    fields: tuple[str, ...] = (),
) -> Statement:
    """The statement that answers `q` with these columns (all when none is named); `also` is one more
    condition in SQL and its values.

    Raises ValueError for a table, field or condition that does not exist.
    """
    said, table = Statement(), _table(tables, q.kind)
    for name in fields:
        _known(table, name)
    said.add(f"SELECT {quoted(*(fields or names(table)))} FROM")
    if as_of is not None and table.kept:
        _past(said, table, stamp(as_of))
    else:
        said.add(quoted(table.name))
    said.add("WHERE 1")
    for test in q.where:
        said.add("AND")
        _condition(said, table, test, tables)
    if also:
        said.add(*also)
    if q.search is not None:
        _search(said, q.search)
    if q.after is not None:
        _page(said, table, q.order, q.after)
    said.add("ORDER BY " + _order(table, q.order))
    if q.limit is not None:
        said.add("LIMIT ?", q.limit)
    return said


def _past(said: Statement, table: Table, at: str) -> None:
    """The records as they stood: those not changed since, and the versions that were replaced later."""
    said.add(f"(SELECT {quoted(*names(table))} FROM {quoted(table.name)} WHERE at <= ? UNION ALL", at)
    fields = ", ".join((*META, *map(recalled, table.columns)))
    said.add(f"SELECT {fields} FROM history WHERE kind = ? AND at <= ? AND until > ?)", table.name, at, at)


def _table(tables: Mapping[str, Table], kind: str) -> Table:
    if kind not in tables:
        raise ValueError(f"the store keeps no {kind}")
    return tables[kind]


def _known(table: Table, name: str) -> str:
    if name not in names(table):
        raise ValueError(f"{table.name} has no column {name}")
    return quoted(name)


# -- conditions ----------------------------------------------------------------------------------------

COMPARED: Final = {"eq": "IS", "ne": "IS NOT", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
"""`eq` and `ne` know NULL as a value, as Python knows None; no NULL is less or greater than anything."""


def _condition(said: Statement, table: Table, test: Test, tables: Mapping[str, Table]) -> None:
    if test.op == "any":
        _either(said, table, test.value, tables)
        return
    column = _known(table, test.field)
    if test.op in COMPARED:
        said.add(f"{column} {COMPARED[test.op]} ?", plain(test.value))
    elif test.op == "null":
        said.add(f"{column} IS NULL")
    elif test.op == "not_null":
        said.add(f"{column} IS NOT NULL")
    elif test.op == "prefix":
        _prefix(said, column, test.value)
    elif test.op == "in":
        _among(said, column, [plain(value) for value in test.value])
    elif test.op == "within":
        _within(said, column, test.value, tables)
    else:
        raise ValueError(f"no condition {test.op}")


def _either(said: Statement, table: Table, tests: tuple[Test, ...], tables: Mapping[str, Table]) -> None:
    said.add("(0")
    for test in tests:
        said.add("OR")
        _condition(said, table, test, tables)
    said.add(")")


def _within(said: Statement, column: str, q: Query, tables: Mapping[str, Table]) -> None:
    """Ids of the records that answer another question now, whatever moment this one is asked of."""
    table = _table(tables, q.kind)
    said.add(f"{column} IN (SELECT id FROM {quoted(table.name)} WHERE 1")
    for test in q.where:
        said.add("AND")
        _condition(said, table, test, tables)
    said.add(")")


def _among(said: Statement, column: str, values: list[Any]) -> None:
    # One bound JSON array, however long the list: SQLite limits the number of marks.
    bytes_asked = any(isinstance(value, bytes) for value in values)
    listed = [value.hex() if isinstance(value, bytes) else value for value in values if value is not None]
    read = "unhex(value)" if bytes_asked else "value"
    or_null = f" OR {column} IS NULL" if None in values else ""
    said.add(f"({column} IN (SELECT {read} FROM json_each(?)){or_null})", json.dumps(listed))


def _prefix(said: Statement, column: str, prefix: str) -> None:
    """A range that an index can serve, which LIKE cannot."""
    said.add(f"({column} >= ?", prefix)
    if (end := behind(prefix)) is not None:
        said.add(f"AND {column} < ?", end)
    said.add(")")


def behind(prefix: str) -> str | None:
    """The least text behind all that begin with `prefix`; None when nothing comes behind them."""
    kept = prefix.rstrip(chr(LAST_CODE_POINT))
    if not kept:
        return None
    following = ord(kept[-1]) + 1
    return kept[:-1] + chr(SURROGATES.stop if following in SURROGATES else following)


def _search(said: Statement, probe: Probe) -> None:
    said.add(f"AND id IN (SELECT id FROM {SEARCH_KEY} WHERE 1")
    if probe.prefix:
        said.add("AND")
        _prefix(said, "token", probe.token)
    else:
        said.add("AND token = ?", probe.token)
    said.add(")")


# -- order and pages -----------------------------------------------------------------------------------


def _order(table: Table, order: Order) -> str:
    """SQLite puts NULL first going up and last going down, as `Order` promises. Ties go the same way.

    A table that is not kept comes in the order of its key when no column is named.
    """
    way = " DESC" if order.down else ""
    ties = ("id",) if table.kept else table.key
    first = () if order.field == "id" else (order.field,)
    return ", ".join(_known(table, name) + way for name in dict.fromkeys((*first, *ties)))


def _page(said: Statement, table: Table, order: Order, after: Cursor) -> None:
    column, further = _known(table, order.field), "<" if order.down else ">"
    value = plain(after.value)
    if not table.kept:
        if table.key != (order.field, "id"):
            raise ValueError(f"{table.name} has no pages by {order.field}: its key is another")
        said.add(f"AND ({column}, id) {further} (?, ?)", value, after.id)
    elif order.field == "id":
        said.add(f"AND id {further} ?", after.id)
    elif value is None:
        rest = "" if order.down else f" OR {column} IS NOT NULL"
        said.add(f"AND (({column} IS NULL AND id {further} ?){rest})", after.id)
    else:
        rest = f" OR {column} IS NULL" if order.down else ""
        tie = f"{column} {further} ? OR id {further} ?"
        said.add(f"AND (({column} {further}= ? AND ({tie})){rest})", value, value, after.id)
