"""One consistent view of the store: records, frames and audit lines, of now or of a past moment."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

from attrs import define, field

from loanhub import Head, Line, Query, Test
from loanhub_store_sqlite import values
from loanhub_store_sqlite.cipher import own_errors
from loanhub_store_sqlite.queries import selection

if TYPE_CHECKING:
    import sqlite3
    from datetime import datetime

    import polars as pl

    from loanhub import Record, Table
    from loanhub_store_sqlite.session import Session

Row = tuple[Any, ...]

STRIDE: Final = 500
"""Rows fetched at once while a find streams."""

LINE: Final = (
    "seq, at, who, role, via, act, object, fields, reason, outcome, counts, previous, hash, session, address"
)


@define(eq=False)
class Reading:
    """A `ReadTx`. Valid inside its `with` only."""

    session: Session = field(repr=False)
    tables: Mapping[str, Table] = field(repr=False)
    as_of: datetime | None = None
    over: bool = False
    _streams: set[sqlite3.Cursor] = field(factory=set, repr=False)

    def get(self, kind: str, key: int) -> Record | None:
        """The record by id as of this view."""
        q = Query(kind, (Test("id", "eq", key),))
        with closing(self._ask(q)) as cursor, own_errors():
            row = cursor.fetchone()
        return None if row is None else values.record(self._table(kind), row)

    def find(self, q: Query) -> Iterator[Record]:
        """Matching records in order, streamed. Leaving the transaction ends the stream."""
        table = self._table(q.kind)
        return (values.record(table, row) for row in self._stream(self._ask(q)))

    def _stream(self, cursor: sqlite3.Cursor) -> Iterator[Row]:
        self._streams.add(cursor)
        return self._rows(cursor)

    def _rows(self, cursor: sqlite3.Cursor) -> Iterator[Row]:
        try:
            while rows := self._some(cursor):
                yield from rows
        finally:
            if cursor in self._streams:  # else it was closed with the transaction
                self._streams.discard(cursor)
                cursor.close()

    def _some(self, cursor: sqlite3.Cursor) -> list[Row]:
        self.check()
        with own_errors():
            return cursor.fetchmany(STRIDE)

    def columns(self, q: Query) -> pl.DataFrame:
        """The same as a frame (Int64, String, Date, Boolean, Binary) of `q.fields`; derived tables too."""
        with closing(self._ask(q, q.fields)) as cursor, own_errors():
            return values.frame(self._table(q.kind), cursor, q.fields)

    def lines(self, after: int = 0, limit: int | None = None) -> Iterator[Line]:
        """Audit lines behind sequence number `after`, in order."""
        self.check()
        sql = f"SELECT {LINE} FROM audit WHERE seq > ? ORDER BY seq LIMIT ?"  # noqa: S608 - constants only
        cursor = self.session.run(sql, (after, -1 if limit is None else limit))
        return map(_line, self._stream(cursor))

    def head(self) -> Head:
        """The end of the audit log."""
        self.check()
        row = self.session.run("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1").fetchone()
        return Head(0, bytes(32)) if row is None else Head(*row)

    def _ask(self, q: Query, fields: tuple[str, ...] = ()) -> sqlite3.Cursor:
        self.check()
        as_of = self.as_of if q.as_of is None else q.as_of
        said = selection(q, self.tables, as_of, fields=fields)
        return self.session.run(said.sql, said.values)

    def _table(self, kind: str) -> Table:
        if kind not in self.tables:
            raise ValueError(f"the store keeps no {kind}")
        return self.tables[kind]

    def check(self) -> None:
        """Raises RuntimeError when the transaction is over."""
        if self.over:
            raise RuntimeError("this transaction is over")

    def end(self) -> None:
        """Let go: a stream left half read would hold its old view of the file."""
        self.over = True
        while self._streams:
            self._streams.pop().close()


def _line(row: Row) -> Line:
    seq, at, who, role, via, act, about, fields, reason, outcome, counts, previous, digest, *beside = row
    session, address = beside
    return Line(
        seq=seq,
        at=values.moment(at),
        who=who,
        role=role,
        via=via,
        act=act,
        object=about,
        fields=tuple(json.loads(fields)),
        reason=reason,
        outcome=outcome,
        counts=json.loads(counts),
        previous=previous,
        hash=digest,
        session=session,
        address=address,
    )
