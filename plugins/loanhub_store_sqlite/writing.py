"""The one writer: new rows in bulk, changed rows by version with history, audit lines in their chain."""

# ruff: noqa: S608 - only names that stand in the schema are put into the text

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

import polars as pl
from attrs import define

from loanhub import Diff, Head, Line, Query, Stale
from loanhub_store_sqlite import values
from loanhub_store_sqlite.queries import quoted, selection
from loanhub_store_sqlite.reading import LINE, Reading, Row

if TYPE_CHECKING:
    import sqlite3
    from datetime import datetime

    from loanhub import Columns, Record, Table

CHANGES: Final = 1_000
"""Rows compared at once."""

TOGETHER: Final = 250
"""Rows of a derived table put by one statement."""

HISTORY: Final = (
    "INSERT INTO history (kind, id, version, at, until, line, gone, record) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
AUDIT: Final = f"INSERT INTO audit ({LINE}) VALUES ({', '.join('?' * 15)})"
LEASED: Final = ("state", "lease_until")
FIRST: Final = len(values.META)
"""Where the fields begin in a row."""


@define(eq=False)
class Writing(Reading):
    """A `WriteTx`: it reads what it wrote."""

    def _stream(self, cursor: sqlite3.Cursor) -> Iterator[Row]:
        # Read whole before the first is handed out: the caller may put while it walks.
        return iter(list(super()._stream(cursor)))

    # -- put -------------------------------------------------------------------------------------------

    def put(self, rows: Columns, *, at: datetime, line: int) -> Diff:
        """New (version 0), changed or removed rows; rows of tables that are not kept by their key.

        A row equal in all fields to what is stored is no change. New rows may lack columns (null). Raises
        Stale("record-changed") for another version than was read, Stale("record-exists") for a new row
        with a taken id, ValueError for columns the table does not have.
        """
        self.check()
        table = self._table(rows.kind)
        if not table.kept:
            return self._put_derived(table, rows)
        if rows.gone:
            return Diff(rows.kind, removed=self._remove(table, rows.frame, values.stamp(at)))
        frame = values.shaped(table, rows.frame, needed=("id", "version"))
        fresh = frame["version"] == 0
        new, known = (frame, frame.clear()) if fresh.all() else (frame.filter(fresh), frame.filter(~fresh))
        changed = self._change(table, known, values.stamp(at), line) if known.height else ()
        self._insert(table, new.drop("version"), values.stamp(at), line)
        return Diff(rows.kind, tuple(new["id"].to_list()), changed)

    def _insert(self, table: Table, new: pl.DataFrame, at: str, line: int) -> None:
        if not new.height:
            return
        earlier = self._earlier(table, new["id"])
        fresh = new.filter(~pl.col("id").is_in(list(earlier))) if earlier else new
        # A column without values is left out: binding a NULL costs the driver more than binding a text.
        fresh = fresh.select(c.name for c in fresh if c.name == "id" or c.null_count() < c.len())
        # The three constants stand in the text: as bound values they would be made a million times.
        into = _insertion(table, ("version", "at", "line"), fresh.columns)
        self.session.run_many(into.format(f"1, '{at}', {line:d}"), values.tuples(fresh))
        into = _insertion(table, ("version", "at", "line"), new.columns)
        for row in new.filter(pl.col("id").is_in(list(earlier))).rows() if earlier else ():
            version, until = earlier[row[0]]
            self.session.run(into.format(f"{version + 1:d}, '{max(at, until)}', {line:d}"), row)

    def _earlier(self, table: Table, ids: pl.Series) -> dict[int, tuple[int, str]]:
        """Last version and end of those ids that had been here and were removed."""
        last = self.session.run("SELECT max(id) FROM history WHERE kind = ?", (table.name,)).fetchone()[0]
        if last is None or ids.min() > last:
            return {}
        sql = (
            "SELECT id, max(version), max(until) FROM history "
            "WHERE kind = ? AND id IN (SELECT value FROM json_each(?)) GROUP BY id"
        )
        found = self.session.run(sql, (table.name, json.dumps(ids.to_list())))
        return {key: (version, until) for key, version, until in found}

    def _change(
        self, table: Table, known: pl.DataFrame, at: str, line: int
    ) -> tuple[tuple[Record, Record], ...]:
        order = ["id", "version", *(c.name for c in table.columns)]
        if missing := set(order) - set(known.columns):
            raise ValueError(f"{table.name}: changed rows lack columns {sorted(missing)}")
        pairs: list[tuple[Row, Row]] = []
        for part in known.select(order).iter_slices(CHANGES):
            rows = part.rows()
            befores = self._present(table, [(row[0], row[1]) for row in rows])
            some = [
                (before, (row[0], row[1] + 1, max(at, before[2]), line, *row[2:]))
                for before, row in zip(befores, rows, strict=True)
                if before[FIRST:] != row[2:]
            ]
            self._rewrite(table, some)
            pairs += some
        return tuple((values.record(table, b), values.record(table, a)) for b, a in pairs)

    def _remove(self, table: Table, frame: pl.DataFrame, at: str) -> tuple[Record, ...]:
        named = values.shaped(table, frame.select("id", "version"), needed=("id", "version"))
        removed: list[Row] = []
        for part in named.iter_slices(CHANGES):
            rows = self._present(table, part.rows())
            self._remember(table, [(row, max(at, row[2])) for row in rows], gone=True)
            self.session.run_many(f"DELETE FROM {quoted(table.name)} WHERE id = ?", [row[:1] for row in rows])
            removed += rows
        return tuple(values.record(table, row) for row in removed)

    def _present(self, table: Table, named: Sequence[Row]) -> list[Row]:
        """The stored rows of these (id, version) in their order. Raises Stale when one is another by now."""
        ids = [key for key, _ in named]
        if len(set(ids)) != len(ids):
            raise ValueError(f"{table.name}: a record stands twice")
        sql = f"SELECT {quoted(*values.names(table))} FROM {quoted(table.name)}"
        found = self.session.run(f"{sql} WHERE id IN (SELECT value FROM json_each(?))", (json.dumps(ids),))
        stored = {row[0]: row for row in found}
        for key, version in named:
            if key not in stored or stored[key][1] != version:
                raise Stale("record-changed", kind=table.name, id=key)
        return [stored[key] for key in ids]

    def _rewrite(self, table: Table, pairs: Sequence[tuple[Row, Row]]) -> None:
        self._remember(table, [(before, after[2]) for before, after in pairs], gone=False)
        written = ", ".join(f"{quoted(name)} = ?" for name in values.names(table)[1:])
        sql = f"UPDATE {quoted(table.name)} SET {written} WHERE id = ?"
        self.session.run_many(sql, [(*after[1:], after[0]) for _, after in pairs])

    def _remember(self, table: Table, ended: Sequence[tuple[Row, str]], *, gone: bool) -> None:
        rows = (
            (table.name, *row[:3], until, row[3], int(gone), values.remembered(table, row[FIRST:]))
            for row, until in ended
        )
        self.session.run_many(HISTORY, rows)

    def _put_derived(self, table: Table, rows: Columns) -> Diff:
        if rows.gone:
            keys = values.shaped(table, rows.frame.select(table.key), needed=table.key).select(table.key)
            match = " AND ".join(f"{quoted(name)} = ?" for name in table.key)
            self.session.run_many(f"DELETE FROM {quoted(table.name)} WHERE {match}", values.tuples(keys))
            return Diff(rows.kind)
        frame = values.shaped(table, rows.frame, needed=table.key)
        into = _insertion(table, (), frame.columns, "OR IGNORE ").format("")
        # Narrow rows: one statement for many of them costs a third less.
        whole = frame.height - frame.height % TOGETHER
        marks = f", ({', '.join('?' * frame.width)})" * (TOGETHER - 1)
        self.session.run_many(into + marks, values.runs(frame.head(whole), TOGETHER))
        self.session.run_many(into, values.tuples(frame.slice(whole)))
        return Diff(rows.kind)

    # -- audit and leases ------------------------------------------------------------------------------

    def append(self, make: Callable[[Head], Sequence[Line]]) -> Head:
        """Add audit lines made from the present head. Raises ValueError when they do not continue it."""
        head = self.head()
        lines = make(head)
        for line in lines:
            if line.seq != head.seq + 1 or line.previous != head.hash:
                raise ValueError(f"audit line {line.seq} does not continue line {head.seq}")
            head = Head(line.seq, line.hash)
        self.session.run_many(AUDIT, map(_columns_of_line, lines))
        return head

    def lease(self, kind: str, n: int, *, now: datetime, until: datetime) -> list[Record]:
        """Take up to `n` pending records, oldest id first, whose lease is free or over.

        A lease is a change as any other: version and history go on. Its audit line stays that of before.
        """
        self.check()
        table = self._table(kind)
        if not table.kept or not set(LEASED) <= set(values.names(table)):
            raise ValueError(f"{kind} cannot be leased: it has no {' and '.join(LEASED)}")
        due = "AND state = 'pending' AND (lease_until IS NULL OR lease_until < ?)"
        said = selection(Query(kind, limit=n), self.tables, None, due, values.stamp(now))
        rows = self.session.run(said.sql, said.values).fetchall()
        place = values.names(table).index("lease_until")
        pairs = []
        for row in rows:
            taken = [*row]
            taken[1], taken[2], taken[place] = row[1] + 1, max(values.stamp(now), row[2]), values.stamp(until)
            pairs.append((row, tuple(taken)))
        self._rewrite(table, pairs)
        return [values.record(table, after) for _, after in pairs]


def _insertion(table: Table, fixed: Sequence[str], given: Sequence[str], way: str = "") -> str:
    """An INSERT of `given` columns; `{}` stands where the values of the `fixed` ones go."""
    marks = ", ".join("?" for _ in given)
    into = quoted(*fixed, *given)
    return f"INSERT {way}INTO {quoted(table.name)} ({into}) VALUES ({{}}{', ' * bool(fixed)}{marks})"


def _columns_of_line(line: Line) -> Row:
    return (
        line.seq,
        values.stamp(line.at),
        line.who,
        line.role,
        line.via,
        line.act,
        line.object,
        json.dumps(line.fields, ensure_ascii=False),
        line.reason,
        line.outcome,
        json.dumps(dict(line.counts), ensure_ascii=False),
        line.previous,
        line.hash,
        line.session,
        line.address,
    )
